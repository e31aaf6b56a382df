// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PIN indices: authValues that count their uses or failures (Part 1, "PIN Index Considerations").

use super::testing::{AUTH, INDEX, OWNER, read, with_index, write};
use crate::Locality;
use crate::commands::ea::testing::{policy, start};
use crate::testing::TestTpm;
use evtpm_tpm_wire::commands::{
    NvChangeAuth, NvChangeAuthHandles, PolicySecret, PolicySecretHandles, StartAuthSession, StartAuthSessionHandles,
};
use evtpm_tpm_wire::*;

const WRONG: Result<(), Rc> = Err(Rc::BAD_AUTH.at(Subject::Session(1)));

/// A PIN that may be wrong or used twice.
fn pin(kind: NvType) -> (TestTpm, Handle) {
    let mut tpm = with_index(OWNER | TpmaNv::NO_DA, kind, b"pin");
    write(&mut tpm, Handle::OWNER, b"", &[0, 0, 0, 0, 0, 0, 0, 2], 0).unwrap();
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    (tpm, session)
}

fn enter(tpm: &mut TestTpm, session: Handle, password: &[u8]) -> Result<TpmtTkAuth, Rc> {
    let command = PolicySecret {
        nonce_tpm: Tpm2bNonce::EMPTY,
        cp_hash_a: Tpm2bDigest::EMPTY,
        policy_ref: Tpm2bNonce::EMPTY,
        expiration: -1_000,
    };
    let auth_handle = TpmiDhEntity::new(INDEX, &Supported::ALL).unwrap();
    let handles = PolicySecretHandles { auth_handle, policy_session: policy(session) };
    tpm.send_at(Locality::ZERO, &command, handles, &[password]).map(|response| response.policy_ticket)
}

fn count(tpm: &mut TestTpm) -> u32 {
    let data = read(tpm, Handle::OWNER, b"", 4, 0).unwrap();
    u32::from_be_bytes(data.try_into().unwrap())
}

#[test]
fn a_pin_that_counts_uses_is_used_up() {
    let (mut tpm, session) = pin(NvType::PinPass);
    assert_eq!(enter(&mut tpm, session, b"no").map(|_| ()), WRONG);
    assert_eq!(count(&mut tpm), 0);
    for used in 1..=2 {
        // A ticket would be used instead of the PIN, uncounted.
        assert_eq!(enter(&mut tpm, session, b"pin").unwrap(), TpmtTkAuth::null(AuthTag::Secret));
        assert_eq!(count(&mut tpm), used);
    }
    assert_eq!(enter(&mut tpm, session, b"pin").unwrap_err(), Rc::AUTH_UNAVAILABLE);
    assert_eq!(count(&mut tpm), 2);
}

#[test]
fn a_pin_that_counts_failures_forgives_with_success_and_locks_itself() {
    let (mut tpm, session) = pin(NvType::PinFail);
    assert_eq!(enter(&mut tpm, session, b"no").map(|_| ()), WRONG);
    assert_eq!(count(&mut tpm), 1);
    assert_ne!(enter(&mut tpm, session, b"pin").unwrap().digest, Tpm2bDigest::EMPTY);
    assert_eq!(count(&mut tpm), 0);
    for _ in 0..2 {
        assert_eq!(enter(&mut tpm, session, b"no").map(|_| ()), WRONG);
    }
    assert_eq!(enter(&mut tpm, session, b"pin").unwrap_err(), Rc::AUTH_UNAVAILABLE);
    assert_eq!((count(&mut tpm), tpm.da.failed_tries()), (2, 0));
    write(&mut tpm, Handle::OWNER, b"", &[0; 4], 0).unwrap();
    enter(&mut tpm, session, b"pin").unwrap();
}

#[test]
fn an_unwritten_pin_opens_nothing() {
    for kind in [NvType::PinPass, NvType::PinFail] {
        let mut tpm = with_index(OWNER | TpmaNv::NO_DA, kind, b"pin");
        let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
        assert_eq!(enter(&mut tpm, session, b"pin").unwrap_err(), Rc::AUTH_UNAVAILABLE, "{kind:?}");
    }
}

#[test]
fn no_pin_stands_in_for_the_policy_that_an_administrator_needs() {
    let (mut tpm, _) = pin(NvType::PinPass);
    write(&mut tpm, Handle::OWNER, b"", &[0, 0, 0, 2, 0, 0, 0, 2], 0).unwrap();
    let handles = NvChangeAuthHandles { nv_index: TpmiRhNvIndex::new(INDEX, &Supported::ALL).unwrap() };
    let changed = tpm.send_at(Locality::ZERO, &NvChangeAuth { new_auth: Tpm2bAuth::EMPTY }, handles, &[b"pin"]);
    assert_eq!(changed, Err(Rc::AUTH_TYPE));
}

#[test]
fn what_the_first_write_of_a_pin_leaves_out_is_zero() {
    let mut tpm = with_index(OWNER, NvType::PinPass, b"pin");
    write(&mut tpm, Handle::OWNER, b"", &[7], 0).unwrap();
    assert_eq!(read(&mut tpm, Handle::OWNER, b"", 8, 0).unwrap(), [7, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn only_pins_need_no_read_attribute_for_a_secret() {
    let mut tpm = with_index(OWNER, NvType::Ordinary, b"pw");
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    assert_eq!(enter(&mut tpm, session, b"pw").unwrap_err(), Rc::AUTH_UNAVAILABLE);
    let mut tpm = with_index(AUTH, NvType::Ordinary, b"pw");
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    enter(&mut tpm, session, b"pw").unwrap();
}

#[test]
fn no_session_is_bound_to_a_pin() {
    let (mut tpm, _) = pin(NvType::PinFail);
    let command = StartAuthSession {
        nonce_caller: Tpm2bNonce::new(&[5; 16]).unwrap(),
        encrypted_salt: Default::default(),
        session_type: TpmSe::Hmac,
        symmetric: None,
        auth_hash: HashAlg::Sha256,
    };
    let bind = TpmiDhEntity::new(INDEX, &Supported::ALL);
    let result = tpm.send(&command, StartAuthSessionHandles { tpm_key: None, bind });
    assert_eq!(result.unwrap_err(), Rc::HANDLE.at(Subject::Handle(2)));
}
