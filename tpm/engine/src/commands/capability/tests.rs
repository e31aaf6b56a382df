// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of what the TPM says about itself.

use crate::commands::table;
use crate::testing::{Start, TestPlatform, TestTpm, started};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Handle, PcrIndex, Rc, Subject, TpmAlgId, TpmCap, TpmPt, TpmiRhClear, TpmiRhHierarchyAuth, TpmsCapabilityData, YesNo,
};
use std::vec::Vec;

fn ask(tpm: &mut TestTpm, capability: TpmCap, property: u32, property_count: u32) -> (bool, TpmsCapabilityData) {
    let command = GetCapability { capability, property, property_count };
    let response = tpm.send(&command, ()).unwrap();
    (response.more_data.is_yes(), response.capability_data)
}

fn property(tpm: &mut TestTpm, tag: TpmPt) -> u32 {
    match ask(tpm, TpmCap::TpmProperties, tag.0, 1).1 {
        TpmsCapabilityData::TpmProperties(list) if list[0].property == tag => list[0].value,
        other => panic!("{other:?}"),
    }
}

fn handles(tpm: &mut TestTpm, from: u32) -> Vec<u32> {
    match ask(tpm, TpmCap::Handles, from, 100).1 {
        TpmsCapabilityData::Handles(list) => list.iter().map(|handle| handle.0).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_number_of_commands_is_the_length_of_the_list() {
    let mut tpm = started();
    let total = property(&mut tpm, TpmPt::TOTAL_COMMANDS) as usize;
    let (more, TpmsCapabilityData::Commands(list)) = ask(&mut tpm, TpmCap::Commands, 0, 1000) else { panic!() };
    assert!(!more);
    assert_eq!((list.len(), total), (table::<TestPlatform>().len(), list.len()));
}

#[test]
fn properties_are_in_ascending_order_and_each_is_found_by_its_tag() {
    let mut tpm = started();
    let mut tags: Vec<u32> = Vec::new();
    for group in [0x100, 0x200] {
        let (more, data) = ask(&mut tpm, TpmCap::TpmProperties, group, 1000);
        let TpmsCapabilityData::TpmProperties(list) = data else { panic!() };
        assert!(!more);
        tags.extend(list.iter().map(|item| item.property.0));
        for item in &list {
            assert_eq!(property(&mut tpm, item.property), item.value);
        }
    }
    assert!(tags.is_sorted() && tags.len() > 60);
}

#[test]
fn a_list_of_properties_ends_with_its_group() {
    let mut tpm = started();
    for (first, group) in [(0, 1), (0x100, 1), (0x1FF, 1), (0x200, 2), (0x300, 3)] {
        let (_, data) = ask(&mut tpm, TpmCap::TpmProperties, first, 1000);
        let TpmsCapabilityData::TpmProperties(list) = data else { panic!() };
        assert!(list.iter().all(|item| item.property.0 >> 8 == group), "{first:#x}");
        assert_eq!(list.is_empty(), matches!(first, 0x1FF | 0x300), "{first:#x}");
    }
}

#[test]
fn the_scripts_of_the_world_find_their_vendor_and_revision() {
    let mut tpm = started();
    assert_eq!(property(&mut tpm, TpmPt::VENDOR_STRING_1).to_be_bytes(), *b"SW  ");
    assert_eq!(property(&mut tpm, TpmPt::MANUFACTURER).to_be_bytes(), *b"EVTP");
    assert_eq!(property(&mut tpm, TpmPt::FAMILY_INDICATOR).to_be_bytes(), *b"2.0\0");
    assert_eq!(property(&mut tpm, TpmPt::REVISION), 184);
}

#[test]
fn more_data_says_that_a_page_was_not_the_last() {
    let mut tpm = started();
    let (more, TpmsCapabilityData::Algs(first)) = ask(&mut tpm, TpmCap::Algs, 0, 2) else { panic!() };
    assert!(more && first.len() == 2 && first[0].alg == TpmAlgId::RSA);
    let (more, TpmsCapabilityData::Algs(none)) = ask(&mut tpm, TpmCap::Algs, 0, 0) else { panic!() };
    assert!(more && none.is_empty());
    let (more, TpmsCapabilityData::Algs(last)) = ask(&mut tpm, TpmCap::Algs, 0x44, 9) else { panic!() };
    assert!(!more && last.len() == 1);
}

#[test]
fn handles_are_listed_by_kind_from_the_one_asked_for() {
    let mut tpm = started();
    assert_eq!(handles(&mut tpm, 0), (0..24).collect::<Vec<_>>());
    assert_eq!(handles(&mut tpm, 22), [22, 23]);
    assert_eq!(handles(&mut tpm, 0x8000_0000), []);
    let permanent = [
        0x4000_0001,
        0x4000_0007,
        0x4000_0009,
        0x4000_000A,
        0x4000_000B,
        0x4000_000C,
        0x4000_000D,
        0x4000_0110,
        0x4000_0111,
    ];
    assert_eq!(handles(&mut tpm, 0x4000_0000), permanent);
    tpm.start_session(Start::HMAC);
    tpm.start_session(Start::POLICY);
    assert_eq!(handles(&mut tpm, 0x0200_0000), [0x0200_0000, 0x0300_0001]);
    assert_eq!(handles(&mut tpm, 0x0200_0001), [0x0300_0001]);
    assert_eq!(handles(&mut tpm, 0x0300_0000), []);
    tpm.state.sessions.save(0x0300_0001);
    // "If saved sessions are requested, all returned values will have the TPM_HT_HMAC_SESSION handle type"
    assert_eq!(handles(&mut tpm, 0x0300_0000), [0x0200_0001]);
}

/// "The TPM will return TPM_RC_VALUE if the handle does not reference the range for permanent handles."
#[test]
fn policies_and_timers_are_those_of_permanent_handles() {
    let mut tpm = started();
    for capability in [TpmCap::AuthPolicies, TpmCap::Act] {
        for property in [0, 0x0100_0000, 0x8000_0000] {
            let command = GetCapability { capability, property, property_count: 1 };
            assert_eq!(tpm.send(&command, ()), Err(Rc::VALUE.at(Subject::Parameter(2))));
        }
    }
}

#[test]
fn nv_handles_are_sorted_whatever_their_slots() {
    let mut tpm = started();
    for index in [0x01C0_0016, 0x01C0_0002, 0x01C0_000A] {
        tpm.host().define_ek_certificate(index, crate::Ek::EccP256, 1).unwrap();
    }
    assert_eq!(handles(&mut tpm, 0x0100_0000), [0x01C0_0002, 0x01C0_000A, 0x01C0_0016]);
    assert_eq!(handles(&mut tpm, 0x01C0_0003), [0x01C0_000A, 0x01C0_0016]);
}

#[test]
fn a_kind_that_does_not_exist_is_a_handle_error() {
    let mut tpm = started();
    let command = GetCapability { capability: TpmCap::Handles, property: 0x7700_0000, property_count: 1 };
    assert_eq!(tpm.send(&command, ()), Err(Rc::HANDLE.at(Subject::Parameter(2))));
    let command = GetCapability { capability: TpmCap::VendorProperty, property: 0, property_count: 1 };
    assert_eq!(tpm.send(&command, ()), Err(Rc::VALUE.at(Subject::Parameter(1))));
}

#[test]
fn the_permanent_attributes_follow_the_authorizations() {
    let mut tpm = started();
    assert_eq!(property(&mut tpm, TpmPt::PERMANENT), 0x400);
    let lockout = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Lockout };
    let new_auth = evtpm_tpm_wire::Tpm2bAuth::new(b"x").unwrap();
    tpm.send(&HierarchyChangeAuth { new_auth }, lockout).unwrap();
    tpm.send(&ClearControl { disable: YesNo::Yes }, ClearControlHandles { auth: TpmiRhClear::Platform }).unwrap();
    assert_eq!(property(&mut tpm, TpmPt::PERMANENT), 0x504);
    assert_eq!(property(&mut tpm, TpmPt::STARTUP_CLEAR), 0xF);
}

#[test]
fn pcr_properties_say_what_the_rules_do() {
    let mut tpm = started();
    let (_, TpmsCapabilityData::PcrProperties(list)) = ask(&mut tpm, TpmCap::PcrProperties, 0, 100) else { panic!() };
    let select = |tag| list.iter().find(|item| item.tag == tag).unwrap().select;
    assert_eq!(select(TpmPt::PCR_SAVE).bits(), [0xFF, 0xFF, 0]);
    assert_eq!(select(TpmPt::PCR_RESET_L0).bits(), [0, 0, 0x81]);
    assert_eq!(select(TpmPt::PCR_DRTM_RESET).bits(), [0, 0, 0x7E]);
    assert!(select(TpmPt::PCR_NO_INCREMENT).iter().eq([
        PcrIndex::Pcr16,
        PcrIndex::Pcr21,
        PcrIndex::Pcr22,
        PcrIndex::Pcr23
    ]));
}

#[test]
fn every_bank_is_listed_and_every_policy_handle_too() {
    let mut tpm = started();
    let (_, TpmsCapabilityData::Pcrs(banks)) = ask(&mut tpm, TpmCap::Pcrs, 0, 1) else { panic!() };
    assert_eq!(banks.len(), 4);
    let (_, TpmsCapabilityData::AuthPolicies(list)) = ask(&mut tpm, TpmCap::AuthPolicies, 0x4000_0000, 9) else {
        panic!()
    };
    let handles: Vec<Handle> = list.iter().map(|item| item.handle).collect();
    let timers = [Handle::ACT_0, Handle(Handle::ACT_0.0 + 1)];
    let hierarchies = [Handle::OWNER, Handle::LOCKOUT, Handle::ENDORSEMENT, Handle::PLATFORM];
    assert_eq!(handles, [&hierarchies[..], &timers].concat());
    assert!(list.iter().all(|item| item.policy_hash.is_none()));
}
