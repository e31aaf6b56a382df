// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the command audit: what is logged, and what the signed report says.

use crate::testing::TestCrypto;
use crate::testing::objects::object;
use crate::testing::{TestTpm, marshal, started};
use evtpm_crypto::{Crypto, Digest, HashAlg};
use evtpm_protocol::templates::attestation_key;
use evtpm_protocol::{cp_hash, rp_hash};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Command, Handle, HashAlg as WireHash, Rc, Subject, Supported, Tpm2bData, TpmCap, TpmPt, TpmSu, TpmiRhClear,
    TpmiRhEndorsement, TpmiRhProvision, TpmlCc, TpmsAttest, TpmsCapabilityData, TpmsCommandAuditInfo, TpmuAttest,
    YesNo, from_bytes,
};
use std::vec::Vec;

const OWNER: SetCommandCodeAuditStatusHandles = SetCommandCodeAuditStatusHandles { auth: TpmiRhProvision::Owner };

fn status(alg: Option<WireHash>, set: &[Cc], clear: &[Cc]) -> SetCommandCodeAuditStatus {
    let (set_list, clear_list) = (TpmlCc::from_slice(set).unwrap(), TpmlCc::from_slice(clear).unwrap());
    SetCommandCodeAuditStatus { audit_alg: alg, set_list, clear_list }
}

/// A TPM whose audit is with SHA-256.
fn audited(set: &[Cc]) -> TestTpm {
    let mut tpm = started();
    tpm.send(&status(Some(WireHash::Sha256), &[], &[]), OWNER).unwrap();
    tpm.send(&status(None, set, &[]), OWNER).unwrap();
    tpm
}

fn report(tpm: &mut TestTpm, key: Option<Handle>) -> TpmsCommandAuditInfo {
    let command = GetCommandAuditDigest { qualifying_data: Tpm2bData::EMPTY, in_scheme: None };
    let privacy_handle = TpmiRhEndorsement::Endorsement;
    let handles = GetCommandAuditDigestHandles { privacy_handle, sign_handle: key.map(object) };
    let answer = tpm.send(&command, handles).unwrap();
    assert_eq!(answer.signature.is_some(), key.is_some());
    let attest: TpmsAttest<'_> = from_bytes(answer.audit_info.as_bytes(), &Supported::ALL).unwrap();
    let TpmuAttest::CommandAudit(info) = attest.attested else { panic!("a command audit") };
    info
}

fn list(tpm: &mut TestTpm) -> Vec<Cc> {
    let command = GetCapability { capability: TpmCap::AuditCommands, property: 0, property_count: 100 };
    let TpmsCapabilityData::AuditCommands(list) = tpm.send(&command, ()).unwrap().capability_data else { panic!() };
    list.to_vec()
}

/// What one execution makes of the digest.
fn extended<C: Command>(old: &[u8], command: &C, names: &[&[u8]], response: &[u8]) -> Digest {
    let cp_hash = cp_hash::<TestCrypto>(WireHash::Sha256, C::SPEC.code, names, &marshal(command)).unwrap();
    let rp_hash = rp_hash::<TestCrypto>(WireHash::Sha256, Rc::SUCCESS, C::SPEC.code, response).unwrap();
    TestCrypto::hash(HashAlg::Sha256, &[old, cp_hash.as_bytes(), rp_hash.as_bytes()])
}

#[test]
fn the_digest_is_over_every_execution_of_the_chosen_commands() {
    let mut tpm = audited(&[Cc::GET_RANDOM]);
    let key = tpm.storage_root();
    let key = tpm.child(key, attestation_key(), &[]);
    let chosen = status(None, &[Cc::GET_RANDOM], &[]);
    let after_choice = extended(&[0; 32], &chosen, &[&Handle::OWNER.0.to_be_bytes()], &[]);
    let random = tpm.send(&GetRandom { bytes_requested: 8 }, ()).unwrap().random_bytes;
    let expected = extended(after_choice.as_bytes(), &GetRandom { bytes_requested: 8 }, &[], &marshal(&random));
    let commands = [Cc::SET_COMMAND_CODE_AUDIT_STATUS, Cc::GET_RANDOM].map(|code| code.0.to_be_bytes());
    let info = report(&mut tpm, Some(key));
    assert_eq!(info.audit_digest.as_bytes(), expected.as_bytes());
    assert_eq!(
        info.command_digest.as_bytes(),
        TestCrypto::hash(HashAlg::Sha256, &[&commands[0], &commands[1]]).as_bytes()
    );
    assert_eq!((info.audit_counter, info.digest_alg), (1, WireHash::Sha256.id()));
}

#[test]
fn a_signature_ends_the_log_and_the_next_execution_counts_a_new_one() {
    let mut tpm = audited(&[Cc::GET_RANDOM]);
    let key = tpm.storage_root();
    let key = tpm.child(key, attestation_key(), &[]);
    let unsigned = report(&mut tpm, None);
    assert_eq!(report(&mut tpm, Some(key)), unsigned);
    let ended = report(&mut tpm, None);
    assert!(ended.audit_digest.is_empty() && ended.audit_counter == 1);
    tpm.send(&GetRandom { bytes_requested: 1 }, ()).unwrap();
    assert_eq!(report(&mut tpm, None).audit_counter, 2);
    let command =
        GetCapability { capability: TpmCap::TpmProperties, property: TpmPt::AUDIT_COUNTER_1.0, property_count: 1 };
    let TpmsCapabilityData::TpmProperties(low) = tpm.send(&command, ()).unwrap().capability_data else { panic!() };
    assert_eq!(low[0].value, 2);
}

#[test]
fn a_command_that_fails_is_not_logged() {
    let mut tpm = audited(&[Cc::CLEAR_CONTROL]);
    let before = report(&mut tpm, None);
    let handles = ClearControlHandles { auth: TpmiRhClear::Lockout };
    assert_eq!(tpm.send(&ClearControl { disable: YesNo::No }, handles), Err(Rc::AUTH_FAIL));
    assert_eq!(report(&mut tpm, None), before);
}

#[test]
fn a_new_algorithm_clears_the_digest_and_comes_alone() {
    let mut tpm = audited(&[]);
    let both = status(Some(WireHash::Sha384), &[Cc::GET_RANDOM], &[]);
    assert_eq!(tpm.send(&both, OWNER), Err(Rc::VALUE.at(Subject::Parameter(1))));
    tpm.send(&status(Some(WireHash::Sha256), &[Cc::GET_RANDOM], &[]), OWNER).unwrap();
    tpm.send(&status(Some(WireHash::Sha384), &[], &[]), OWNER).unwrap();
    assert!(report(&mut tpm, None).audit_digest.is_empty());
    assert_eq!(report(&mut tpm, None).command_digest.len(), 48);
}

#[test]
fn the_list_keeps_its_own_command_and_never_gets_shutdown_or_what_is_not_there() {
    let mut tpm = audited(&[Cc::SHUTDOWN, Cc::FIRMWARE_READ, Cc::STARTUP, Cc::CLEAR]);
    assert_eq!(list(&mut tpm), [Cc::CLEAR, Cc::SET_COMMAND_CODE_AUDIT_STATUS, Cc::STARTUP]);
    tpm.send(&status(None, &[], &[Cc::SET_COMMAND_CODE_AUDIT_STATUS, Cc::CLEAR]), OWNER).unwrap();
    assert_eq!(list(&mut tpm), [Cc::SET_COMMAND_CODE_AUDIT_STATUS, Cc::STARTUP]);
}

#[test]
fn the_digest_is_kept_over_a_restart_and_ends_with_a_reset() {
    let mut tpm = audited(&[]);
    let before = report(&mut tpm, None);
    tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert_eq!(report(&mut tpm, None), before);
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert!(report(&mut tpm, None).audit_digest.is_empty());
}

#[test]
fn startup_is_logged_when_it_was_chosen() {
    let mut tpm = audited(&[Cc::STARTUP]);
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    let expected = extended(&[0; 32], &Startup { startup_type: TpmSu::Clear }, &[], &[]);
    let info = report(&mut tpm, None);
    assert_eq!((info.audit_digest.as_bytes(), info.audit_counter), (expected.as_bytes(), 2));
}

#[test]
fn clear_sets_the_counter_to_zero_and_not_the_digest() {
    let mut tpm = audited(&[]);
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Platform }).unwrap();
    let info = report(&mut tpm, None);
    assert_eq!((info.audit_counter, info.audit_digest.len()), (0, 32));
}
