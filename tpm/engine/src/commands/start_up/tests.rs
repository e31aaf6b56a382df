// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the three ways to start, and of what survives each.

use crate::Locality;
use crate::testing::{TestTpm, powered, started};
use evtpm_crypto::{Crypto, Digest, HashAlg, RustCrypto};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{PcrIndex, Rc, Subject, Tpm2bAuth, TpmSu, TpmiRhHierarchyAuth};

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
    let firmware = RustCrypto::hash(HashAlg::Sha256, &[b"firmware"]);
    let expected = RustCrypto::hash(HashAlg::Sha256, &[&four, firmware.as_bytes()]);
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
    let launch = RustCrypto::hash(HashAlg::Sha256, &[b"launch"]);
    let expected = RustCrypto::hash(HashAlg::Sha256, &[&[0; 32], launch.as_bytes()]);
    assert_eq!(pcr(&tpm, PcrIndex::Pcr17), expected);
    assert_eq!(pcr(&tpm, PcrIndex::Pcr22), Digest::zero(HashAlg::Sha256));
}
