// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policy sessions for tests.

use crate::testing::{TestTpm, command_bytes, marshal, started};
use evtpm_tpm_wire::commands::{
    PolicyGetDigest, PolicyGetDigestHandles, StartAuthSession, StartAuthSessionHandles, StartAuthSessionResponse,
};
use evtpm_tpm_wire::{Command, Handle, HashAlg, Rc, Supported, Tpm2bNonce, TpmSe, TpmaSession, TpmiShPolicy};
use std::vec::Vec;

pub(crate) fn policy(session: Handle) -> TpmiShPolicy {
    TpmiShPolicy::new(session, &Supported::ALL).unwrap()
}

/// Starts an unsalted, unbound session.
pub(crate) fn start(tpm: &mut TestTpm, session_type: TpmSe, auth_hash: HashAlg) -> StartAuthSessionResponse {
    let command = StartAuthSession {
        nonce_caller: Tpm2bNonce::new(&[5; 16]).unwrap(),
        encrypted_salt: Default::default(),
        session_type,
        symmetric: None,
        auth_hash,
    };
    tpm.send(&command, StartAuthSessionHandles { tpm_key: None, bind: None }).unwrap()
}

/// A started TPM with a SHA-256 policy session.
pub(crate) fn started_policy() -> (TestTpm, Handle) {
    let mut tpm = started();
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    (tpm, session)
}

/// A started TPM with a SHA-256 trial session.
pub(crate) fn started_trial() -> (TestTpm, Handle) {
    let mut tpm = started();
    let session = start(&mut tpm, TpmSe::Trial, HashAlg::Sha256).session_handle;
    (tpm, session)
}

pub(crate) fn digest(tpm: &mut TestTpm, session: Handle) -> Vec<u8> {
    let handles = PolicyGetDigestHandles { policy_session: policy(session) };
    tpm.send(&PolicyGetDigest {}, handles).unwrap().policy_digest.as_bytes().to_vec()
}

/// Sends a command whose first authorization is this policy session, with a password if the policy asks for one, and
/// whose others are empty passwords.
pub(crate) fn authorized<C: Command>(
    tpm: &mut TestTpm,
    session: Handle,
    password: &[u8],
    command: &C,
    handles: C::Handles,
) -> Result<C::Response, Rc> {
    let mut area = Vec::new();
    area.extend(session.0.to_be_bytes());
    area.extend([0, 0, TpmaSession::CONTINUE_SESSION.0]);
    area.extend((password.len() as u16).to_be_bytes());
    area.extend(password);
    for _ in 1..C::SPEC.authorizations() {
        area.extend(Handle::PASSWORD.0.to_be_bytes());
        area.extend([0; 5]);
    }
    let bytes = command_bytes(C::SPEC.code, &marshal(&handles), &area, &marshal(command));
    tpm.exchange::<C>(crate::Locality::ZERO, bytes)
}
