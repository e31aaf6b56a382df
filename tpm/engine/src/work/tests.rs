// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of long commands in steps: the same answer, and nothing before it.

use super::Step;
use crate::testing::objects::{OWN, object, public};
use crate::testing::{SessionUse, Start, TestTpm, Use, password_command, started};
use crate::{Execution, Locality};
use evtpm_protocol::templates::EkTemplate;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    PublicBody, Rc, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bPublicKeyRsa, Tpm2bSensitiveData, TpmaObject, TpmaSession,
    TpmiRhHierarchy, TpmiRsaKeyBits, TpmlPcrSelection, TpmsRsaParms, TpmsSensitiveCreate, TpmtPublic, TpmtSymDef,
    TpmtSymDefObject,
};
use std::vec;
use std::vec::Vec;

const ENDORSEMENT: CreatePrimaryHandles = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Endorsement };

fn rsa_primary(auth: &[u8]) -> CreatePrimary {
    let user_auth = Tpm2bAuth::new(auth).unwrap();
    CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate { user_auth, data: Tpm2bSensitiveData::EMPTY }),
        in_public: Tpm2b(EkTemplate::L1.public()),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    }
}

fn rsa_child() -> TpmtPublic {
    let parms = TpmsRsaParms { symmetric: None, scheme: None, key_bits: TpmiRsaKeyBits(1024), exponent: 0 };
    public(OWN | TpmaObject::SIGN, PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY })
}

/// Executes in pieces of three steps, and says how many there were.
fn in_pieces(tpm: &mut TestTpm, command: &[u8]) -> (Vec<u8>, usize) {
    let mut response = vec![0; 4096];
    let mut bytes = command.to_vec();
    for pieces in 1.. {
        let before = tpm.state.clone();
        match tpm.step(Locality::ZERO, &mut bytes, &mut response, 3) {
            Step::Done(Execution::Response(size)) => return (response[..size].to_vec(), pieces),
            Step::Done(other) => panic!("{other:?}"),
            Step::Working => {
                assert_eq!(bytes, command, "the command can be executed again");
                assert_eq!(response[..10], [0x80, 1, 0, 0, 0, 10, 0, 0, 0x09, 0x08]);
                assert!(tpm.state == before, "nothing has changed");
            }
        }
    }
    unreachable!()
}

fn at_once(tpm: &mut TestTpm, command: &[u8]) -> Vec<u8> {
    tpm.raw(command.to_vec())
}

#[test]
fn a_primary_key_is_the_same_in_however_many_pieces() {
    let command = password_command(&rsa_primary(&[]), ENDORSEMENT, &[]);
    let (answer, pieces) = in_pieces(&mut started(), &command);
    assert!(pieces > 5, "{pieces}");
    assert_eq!(answer, at_once(&mut started(), &command));
}

#[test]
fn a_random_key_is_the_same_too_when_the_noise_is() {
    let make = |tpm: &mut TestTpm, execute: &dyn Fn(&mut TestTpm, &[u8]) -> Vec<u8>| {
        let parent = tpm.storage_root();
        let command = Create {
            in_sensitive: Tpm2b(TpmsSensitiveCreate::default()),
            in_public: Tpm2b(rsa_child()),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        execute(tpm, &password_command(&command, CreateHandles { parent_handle: object(parent) }, &[]))
    };
    let stepped = make(&mut started(), &|tpm, command| in_pieces(tpm, command).0);
    assert_eq!(stepped, make(&mut started(), &at_once));
}

#[test]
fn an_encrypted_command_comes_again_as_it_came() {
    let mut tpm = started();
    let cipher = Some(TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB));
    let mut session = tpm.start_session(Start { symmetric: cipher, ..Start::HMAC });
    let attributes = TpmaSession::CONTINUE_SESSION | TpmaSession::DECRYPT;
    let with = SessionUse { attributes, ..SessionUse::default() };
    let command = tpm.authorized(&rsa_primary(b"its password"), ENDORSEMENT, &mut [Use::Session(&mut session, with)]);
    let (answer, pieces) = in_pieces(&mut tpm, &command);
    assert!(pieces > 5);
    assert_eq!(answer[6..10], [0; 4]);
}

#[test]
fn a_cancelled_command_has_never_been() {
    let mut tpm = started();
    let command = password_command(&rsa_primary(&[]), ENDORSEMENT, &[]);
    let (before, mut response) = (tpm.state.clone(), vec![0; 4096]);
    assert_eq!(tpm.step(Locality::ZERO, &mut command.clone(), &mut response, 5), Step::Working);
    let size = tpm.cancel(&mut response);
    assert_eq!(response[..size], [0x80, 1, 0, 0, 0, 10, 0, 0, 0x09, 0x09]);
    assert!(tpm.state == before);
    assert_eq!(at_once(&mut tpm, &command), at_once(&mut started(), &command));
}

#[test]
fn another_command_gives_up_what_was_begun() {
    let mut tpm = started();
    let command = password_command(&rsa_primary(&[]), ENDORSEMENT, &[]);
    let mut response = vec![0; 4096];
    assert_eq!(tpm.step(Locality::ZERO, &mut command.clone(), &mut response, 5), Step::Working);
    tpm.send(&ChangeEps {}, ChangeEpsHandles { auth_handle: evtpm_tpm_wire::TpmiRhPlatform::Platform }).unwrap();
    // The seed is another one, and so is the key.
    let (answer, _) = in_pieces(&mut tpm, &command);
    assert_eq!(answer[6..10], [0; 4]);
    assert_ne!(answer, at_once(&mut started(), &command));
    tpm.power_on();
    assert!(tpm.work.saved.is_none());
}

#[test]
fn a_command_without_long_work_is_done_in_no_steps() {
    let mut tpm = started();
    let command = password_command(&GetRandom { bytes_requested: 8 }, (), &[]);
    let mut response = vec![0; 4096];
    let step = tpm.step(Locality::ZERO, &mut command.clone(), &mut response, 0);
    assert_eq!(step, Step::Done(Execution::Response(20)));
    assert_eq!(Rc::from_raw(u32::from_be_bytes(response[6..10].try_into().unwrap())), Rc::SUCCESS);
}
