// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that wants its own attestation to fail: whatever it does to the TPM, the live endorsement keys are served.

use evtpm_client::Auth;
use evtpm_engine::Ek;
use evtpm_sp_sim::Product;
use evtpm_svsm_abi::manifest::VtpmManifestV1;
use evtpm_svsm_abi::{Registers, ResultCode};
use evtpm_testing_support::{GuestRam, Machine, boot, chip, client};
use evtpm_tpm_wire::commands::{
    ChangeEps, ChangeEpsHandles, Clear, ClearHandles, HierarchyChangeAuth, HierarchyChangeAuthHandles,
    HierarchyControl, HierarchyControlHandles,
};
use evtpm_tpm_wire::{
    Tpm2bAuth, TpmiRhBaseHierarchy, TpmiRhClear, TpmiRhEnables, TpmiRhHierarchyAuth, TpmiRhPlatform, YesNo,
};

use super::*;
use crate::attestation::{Ask, OPERATION};

/// Where the requests of [`Ask`] put the manifest.
const MANIFEST: u64 = 0x5000;

fn manifest(machine: &mut Machine, version: u32) -> Vec<u8> {
    let mut memory = GuestRam::new();
    let ask = Ask::vtpm(version);
    ask.store(&mut memory);
    let mut registers = Registers { rax: ask.rax(), rcx: OPERATION, ..Registers::default() };
    machine.call(&mut registers, &mut memory);
    assert_eq!(ResultCode(registers.rax), ResultCode::SUCCESS);
    memory.at(MANIFEST, registers.rcx as usize).to_vec()
}

/// Checks that both manifests hold the keys that the TPM has now.
fn assert_live(machine: &mut Machine) {
    let rsa = machine.tpm().host().ek_public(Ek::Rsa2048).unwrap();
    assert_eq!(manifest(machine, 0), tpmt(&rsa));
    let elliptic = [Ek::EccP256, Ek::EccP384].map(|ek| tpm2b(&machine.tpm().host().ek_public(ek).unwrap()));
    let served = manifest(machine, 1);
    assert_eq!(VtpmManifestV1::parse(&served).unwrap().keys().collect::<Vec<_>>(), elliptic);
}

fn take_endorsement(machine: &mut Machine) {
    let handles = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Endorsement };
    let command = HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"the guest's own").unwrap() };
    client(machine).run(handles, &command, &mut [Auth::EMPTY]).unwrap();
}

fn disable(machine: &mut Machine, enable: TpmiRhEnables) {
    let handles = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
    let command = HierarchyControl { enable, state: YesNo::No };
    client(machine).run(handles, &command, &mut [Auth::EMPTY]).unwrap();
}

/// Loads keys until there is no room for another.
fn fill_slots(machine: &mut Machine) {
    let mut tpm = client(machine);
    let mut made = 0;
    while let Ok(_key) = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &EkTemplate::L2.public()) {
        made += 1;
        assert!(made < 1000, "slots without end");
    }
    let full = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &EkTemplate::L2.public());
    assert_eq!(refusal(full), Rc::OBJECT_MEMORY);
}

fn change_seed(machine: &mut Machine) {
    let handles = ChangeEpsHandles { auth_handle: TpmiRhPlatform::Platform };
    client(machine).run(handles, &ChangeEps {}, &mut [Auth::EMPTY]).unwrap();
}

fn clear(machine: &mut Machine) {
    let handles = ClearHandles { auth_handle: TpmiRhClear::Platform };
    client(machine).run(handles, &Clear {}, &mut [Auth::EMPTY]).unwrap();
}

#[test]
fn keys_are_served_before_startup() {
    let mut machine = boot(chip(Product::Milan));
    assert_live(&mut machine);
    assert_eq!(refusal(client(&mut machine).random(&mut [0; 8])), Rc::INITIALIZE);
}

#[test]
fn keys_are_served_whatever_the_guest_does_to_hierarchies_and_slots() {
    type Attack = (&'static str, fn(&mut Machine));
    let attacks: [Attack; 6] = [
        ("endorsement authorization", take_endorsement),
        ("endorsement hierarchy", |machine| disable(machine, TpmiRhEnables::Endorsement)),
        ("owner hierarchy", |machine| disable(machine, TpmiRhEnables::Owner)),
        ("slots", fill_slots),
        ("clear", clear),
        ("seed", change_seed),
    ];
    let mut machine = started();
    let first = manifest(&mut machine, 1);
    for (name, attack) in attacks {
        let mut alone = started();
        attack(&mut alone);
        assert_live(&mut alone);
        let same = manifest(&mut alone, 1) == first;
        assert_eq!(same, name != "seed", "{name}: only a new seed makes new keys");
    }
    // All of them together, in an order in which each is still possible.
    for (_, attack) in [attacks[3], attacks[0], attacks[5], attacks[2], attacks[1]] {
        attack(&mut machine);
        assert_live(&mut machine);
    }
}

#[test]
fn the_guest_cannot_make_an_old_key_appear_in_a_manifest() {
    let mut machine = started();
    let old = [manifest(&mut machine, 0), manifest(&mut machine, 1)];
    change_seed(&mut machine);
    assert_live(&mut machine);
    let new = [manifest(&mut machine, 0), manifest(&mut machine, 1)];
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    assert_eq!(new[0], tpmt(&ek(&mut machine, EkTemplate::L1)), "and the guest sees the key that is served");
}

#[test]
fn a_disabled_platform_hierarchy_does_not_hide_the_reports() {
    let mut machine = started();
    disable(&mut machine, TpmiRhEnables::Platform);
    assert!(vouches(&read(&mut machine, EkTemplate::L2).unwrap(), &ek(&mut machine, EkTemplate::L2)));
}
