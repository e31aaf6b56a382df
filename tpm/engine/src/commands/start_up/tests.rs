// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the three ways to start, and of what survives each.

use crate::Locality;
use crate::commands::nv::testing::{INDEX, OWNER, define, index, public};
use crate::state::Hierarchy;
use crate::testing::TestCrypto;
use crate::testing::{TestTpm, powered, started};
use evtpm_crypto::{Crypto, Digest, HashAlg};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Handle, NvType, PcrIndex, Rc, Subject, Tpm2bAuth, TpmSu, TpmaNv, TpmiRhBaseHierarchy, TpmiRhEnables,
    TpmiRhHierarchyAuth, TpmsNvPublic, YesNo,
};

const CLEAR: Startup = Startup { startup_type: TpmSu::Clear };
const STATE: Startup = Startup { startup_type: TpmSu::State };

fn pcr(tpm: &TestTpm, pcr: PcrIndex) -> Digest {
    *tpm.state.pcrs.bank(HashAlg::Sha256).unwrap().value(pcr).unwrap()
}

fn measure(tpm: &mut TestTpm, pcr: PcrIndex) {
    let event_data = evtpm_tpm_wire::Bytes::new(b"event").unwrap();
    tpm.send(&PcrEvent { event_data }, PcrEventHandles { pcr_handle: Some(pcr) }).unwrap();
}

fn cycle(tpm: &mut TestTpm, shutdown: Option<TpmSu>, startup: Startup) -> Result<(), Rc> {
    if let Some(shutdown_type) = shutdown {
        tpm.send(&Shutdown { shutdown_type }, ()).unwrap();
    }
    tpm.power_on();
    tpm.send(&startup, ())
}

fn counts(tpm: &mut TestTpm) -> (u32, u32) {
    let info = tpm.send(&ReadClock {}, ()).unwrap().current_time.clock_info;
    (info.reset_count, info.restart_count)
}

#[test]
fn a_reset_counts_resets_and_a_restart_and_a_resume_count_restarts() {
    let mut tpm = started();
    assert_eq!(counts(&mut tpm), (1, 0));
    cycle(&mut tpm, Some(TpmSu::State), CLEAR).unwrap();
    assert_eq!(counts(&mut tpm), (1, 1));
    cycle(&mut tpm, Some(TpmSu::State), STATE).unwrap();
    assert_eq!(counts(&mut tpm), (1, 2));
    cycle(&mut tpm, Some(TpmSu::Clear), CLEAR).unwrap();
    assert_eq!(counts(&mut tpm), (2, 0));
    cycle(&mut tpm, None, CLEAR).unwrap();
    assert_eq!(counts(&mut tpm), (3, 0));
}

#[test]
fn startup_state_without_shutdown_state_is_a_value_error_and_leaves_the_tpm_waiting() {
    let mut tpm = started();
    for shutdown in [None, Some(TpmSu::Clear)] {
        assert_eq!(cycle(&mut tpm, shutdown, STATE), Err(Rc::VALUE.at(Subject::Parameter(1))));
        tpm.send(&CLEAR, ()).unwrap();
    }
}

#[test]
fn a_command_after_shutdown_state_nullifies_it() {
    let mut tpm = started();
    tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
    measure(&mut tpm, PcrIndex::Pcr0);
    assert_eq!(cycle(&mut tpm, None, STATE), Err(Rc::VALUE.at(Subject::Parameter(1))));
}

#[test]
fn resume_keeps_the_static_pcrs_and_platform_auth_and_restart_does_not() {
    let mut tpm = started();
    measure(&mut tpm, PcrIndex::Pcr4);
    let platform = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Platform };
    tpm.send(&HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"fw").unwrap() }, platform).unwrap();
    let measured = pcr(&tpm, PcrIndex::Pcr4);
    cycle(&mut tpm, Some(TpmSu::State), STATE).unwrap();
    assert_eq!(pcr(&tpm, PcrIndex::Pcr4), measured);
    assert_eq!(tpm.entity_auth(evtpm_tpm_wire::Handle::PLATFORM).unwrap().as_bytes(), b"fw");
    cycle(&mut tpm, Some(TpmSu::State), CLEAR).unwrap();
    assert_eq!(pcr(&tpm, PcrIndex::Pcr4), Digest::zero(HashAlg::Sha256));
    assert!(tpm.entity_auth(evtpm_tpm_wire::Handle::PLATFORM).unwrap().is_empty());
}

#[test]
fn a_startup_at_locality_3_marks_pcr_0_and_a_resume_must_come_from_there_too() {
    let mut tpm = powered();
    tpm.send_at(Locality::THREE, &CLEAR, (), &[]).unwrap();
    assert_eq!(pcr(&tpm, PcrIndex::Pcr0).as_bytes()[31], 3);
    tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
    tpm.power_on();
    assert_eq!(tpm.send(&STATE, ()), Err(Rc::LOCALITY));
    tpm.send_at(Locality::THREE, &STATE, (), &[]).unwrap();
}

#[test]
fn a_command_amid_an_h_crtm_sequence_abandons_it() {
    let mut tpm = started();
    let before = tpm.state.pcrs.clone();
    tpm.hash_start();
    tpm.hash_data(b"launch");
    assert_eq!(counts(&mut tpm), (1, 0));
    tpm.hash_data(b"more");
    tpm.hash_end();
    assert!(tpm.state.pcrs == before);
    tpm.power_on();
    tpm.hash_start();
    tpm.send(&CLEAR, ()).unwrap();
    tpm.hash_end();
    assert_eq!(pcr(&tpm, PcrIndex::Pcr0), Digest::zero(HashAlg::Sha256));
}

#[test]
fn a_second_h_crtm_sequence_starts_pcr_0_anew() {
    let measured = |data: &[&[u8]]| {
        let mut tpm = powered();
        for data in data {
            tpm.hash_start();
            tpm.hash_data(data);
            tpm.hash_end();
        }
        tpm.send(&CLEAR, ()).unwrap();
        pcr(&tpm, PcrIndex::Pcr0)
    };
    assert_eq!(measured(&[b"first", b"second"]), measured(&[b"second"]));
}

#[test]
fn no_other_locality_may_start_the_tpm() {
    for number in [1, 2, 4, 32] {
        let locality = Locality::new(number).unwrap();
        assert_eq!(powered().send_at(locality, &CLEAR, (), &[]), Err(Rc::LOCALITY), "{number}");
        let mut measured = powered();
        measured.hash_start();
        measured.hash_end();
        assert_eq!(measured.send_at(locality, &CLEAR, (), &[]), Err(Rc::LOCALITY), "{number}");
    }
}

#[test]
fn a_resume_must_follow_the_same_h_crtm_as_the_startup_before_it() {
    let mut tpm = powered();
    tpm.hash_start();
    tpm.hash_data(b"firmware");
    tpm.hash_end();
    tpm.send(&CLEAR, ()).unwrap();
    let measured = pcr(&tpm, PcrIndex::Pcr0);
    assert_eq!(cycle(&mut tpm, Some(TpmSu::State), STATE), Err(Rc::LOCALITY));
    tpm.power_on();
    tpm.hash_start();
    tpm.hash_data(b"firmware");
    tpm.hash_end();
    tpm.send(&STATE, ()).unwrap();
    assert_eq!(pcr(&tpm, PcrIndex::Pcr0), measured, "what the H-CRTM measured again");
}

#[test]
fn time_begins_anew_with_power_and_clock_goes_on() {
    let mut tpm = started();
    tpm.platform_mut().now += 5_000;
    cycle(&mut tpm, Some(TpmSu::Clear), CLEAR).unwrap();
    tpm.platform_mut().now += 2_000;
    let info = tpm.send(&ReadClock {}, ()).unwrap().current_time;
    assert_eq!((info.time, info.clock_info.clock), (2_000, 7_000));
}

#[test]
fn every_startup_enables_the_platform_and_only_startup_clear_the_others() {
    let disable = |tpm: &mut TestTpm, enable, auth_handle| {
        let command = HierarchyControl { enable, state: YesNo::No };
        tpm.send(&command, HierarchyControlHandles { auth_handle }).unwrap();
    };
    for (startup, others) in [(STATE, false), (CLEAR, true)] {
        let mut tpm = started();
        disable(&mut tpm, TpmiRhEnables::Owner, TpmiRhBaseHierarchy::Owner);
        disable(&mut tpm, TpmiRhEnables::Endorsement, TpmiRhBaseHierarchy::Endorsement);
        disable(&mut tpm, TpmiRhEnables::PlatformNv, TpmiRhBaseHierarchy::Platform);
        disable(&mut tpm, TpmiRhEnables::Platform, TpmiRhBaseHierarchy::Platform);
        cycle(&mut tpm, Some(TpmSu::State), startup).unwrap();
        let hierarchies = &tpm.state.hierarchies;
        assert!(hierarchies.of(Hierarchy::Platform).enabled);
        assert_eq!(hierarchies.of(Hierarchy::Owner).enabled, others);
        assert_eq!(hierarchies.of(Hierarchy::Endorsement).enabled, others);
        assert_eq!(hierarchies.platform_nv_enabled, others);
    }
}

#[test]
fn only_a_reset_changes_the_null_hierarchy() {
    let null = |tpm: &TestTpm| tpm.state.hierarchies.of(Hierarchy::Null).clone();
    let mut tpm = started();
    let before = null(&tpm);
    cycle(&mut tpm, Some(TpmSu::State), STATE).unwrap();
    cycle(&mut tpm, Some(TpmSu::State), CLEAR).unwrap();
    assert!(null(&tpm) == before);
    cycle(&mut tpm, Some(TpmSu::Clear), CLEAR).unwrap();
    assert!(null(&tpm).seed != before.seed && null(&tpm).proof != before.proof);
}

/// Defines one index of each orderly kind, written once: a counter, data, and data that Startup(CLEAR) forgets.
fn with_orderly_indices() -> TestTpm {
    let mut tpm = started();
    let kinds = [
        (0x0180_0001, TpmaNv::of_type(NvType::Counter)),
        (0x0180_0002, TpmaNv::NONE),
        (0x0180_0003, TpmaNv::CLEAR_STCLEAR),
    ];
    for (handle, attributes) in kinds {
        let attributes = OWNER | TpmaNv::ORDERLY | attributes;
        define(&mut tpm, TpmsNvPublic { nv_index: index(handle), ..public(attributes, 8) }, b"");
        let index = tpm.state.nv.index_mut(Handle(handle)).unwrap();
        index.write(0, &0x1234u64.to_be_bytes()).unwrap();
    }
    tpm
}

#[test]
fn what_orderly_indices_hold_depends_on_the_shutdown() {
    let cases = [
        (Some(TpmSu::State), STATE, [Some(0x1234), Some(0x1234), Some(0x1234)]),
        (Some(TpmSu::State), CLEAR, [Some(0x1234), Some(0x1234), None]),
        (Some(TpmSu::Clear), CLEAR, [Some(0x1234), None, None]),
        // "the TPM shall OR MAX_ORDERLY_COUNT to the contents of the non-volatile counter"
        (None, CLEAR, [Some(0x12FF), None, None]),
    ];
    for (number, (shutdown, startup, expected)) in cases.into_iter().enumerate() {
        let mut tpm = with_orderly_indices();
        cycle(&mut tpm, shutdown, startup).unwrap();
        let word = |handle| tpm.state.nv.index(Handle(handle)).unwrap().word();
        assert_eq!([0x0180_0001, 0x0180_0002, 0x0180_0003].map(word), expected, "case {number}");
    }
}

#[test]
fn a_write_lock_ends_with_startup_unless_the_index_was_written_and_defined_once() {
    let (stclear, once) = (TpmaNv::WRITE_STCLEAR, TpmaNv::WRITEDEFINE);
    let cases =
        [(stclear, true, false), (once, true, true), (once, false, false), (once | TpmaNv::ORDERLY, true, false)];
    for (number, (attributes, written, locked)) in cases.into_iter().enumerate() {
        let mut tpm = started();
        define(&mut tpm, public(OWNER | attributes, 8), b"");
        let index = tpm.state.nv.index_mut(INDEX).unwrap();
        index.assign(TpmaNv::WRITTEN, written);
        index.assign(TpmaNv::WRITELOCKED, true);
        cycle(&mut tpm, Some(TpmSu::Clear), CLEAR).unwrap();
        assert_eq!(tpm.state.nv.index(INDEX).unwrap().has(TpmaNv::WRITELOCKED), locked, "case {number}");
    }
}

#[test]
fn an_h_crtm_before_startup_is_measured_into_pcr_0_from_4() {
    let mut tpm = powered();
    tpm.hash_start();
    tpm.hash_data(b"firm");
    tpm.hash_data(b"ware");
    tpm.hash_end();
    tpm.send(&CLEAR, ()).unwrap();
    let mut four = [0; 32];
    four[31] = 4;
    let firmware = TestCrypto::hash(HashAlg::Sha256, &[b"firmware"]);
    let expected = TestCrypto::hash(HashAlg::Sha256, &[&four, firmware.as_bytes()]);
    assert_eq!(pcr(&tpm, PcrIndex::Pcr0), expected);
}

#[test]
fn a_dynamic_launch_resets_17_to_22_extends_17_and_counts_as_a_restart() {
    let mut tpm = started();
    tpm.hash_start();
    tpm.hash_data(b"launch");
    assert_eq!(pcr(&tpm, PcrIndex::Pcr22).as_bytes(), [0xFF; 32], "nothing changes before the end");
    tpm.hash_end();
    assert_eq!(counts(&mut tpm), (1, 1));
    let launch = TestCrypto::hash(HashAlg::Sha256, &[b"launch"]);
    let expected = TestCrypto::hash(HashAlg::Sha256, &[&[0; 32], launch.as_bytes()]);
    assert_eq!(pcr(&tpm, PcrIndex::Pcr17), expected);
    assert_eq!(pcr(&tpm, PcrIndex::Pcr22), Digest::zero(HashAlg::Sha256));
}
