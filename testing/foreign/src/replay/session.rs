// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions of a recording: neither salted nor bound, and for entities without an authValue, as all recorded ones are.

use evtpm_crypto::RustCrypto;
use evtpm_protocol::session::{Nonces, hmac};
use evtpm_protocol::{cp_hash, rp_hash};
use evtpm_tpm_wire::commands::StartAuthSessionResponse;
use evtpm_tpm_wire::{AuthHandle, Cc, Handle, HashAlg, TpmaSession, TpmsAuthCommand, TpmsAuthResponse};

use super::{Twin, parameters};
use crate::packet::{Answer, OwnedSession, Request};

/// A session and the nonces that the TPMs sent last.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) handle: Handle,
    hash: HashAlg,
    nonce_tpm: Twin<Vec<u8>>,
}

/// Returns the session that is used, if it is not a password.
pub(super) fn handle(used: &TpmsAuthCommand<'_>) -> Option<Handle> {
    match used.session_handle {
        AuthHandle::Password => None,
        AuthHandle::Session(session) => Some(session.handle()),
    }
}

impl Session {
    pub(super) fn new(handle: Handle, hash: HashAlg, answers: &Twin<Answer<'_>>) -> Self {
        let nonce = |answer| parameters::<StartAuthSessionResponse>(answer).nonce_tpm.as_bytes().to_vec();
        Self { handle, hash, nonce_tpm: Twin { recorded: nonce(&answers.recorded), ours: nonce(&answers.ours) } }
    }

    /// Authorizes our command as the recorded one was.
    pub(super) fn authorize(
        &self,
        request: &Request<'_>,
        used: &TpmsAuthCommand<'_>,
        names: &[Twin<Vec<u8>>],
        parameters: &[u8],
    ) -> OwnedSession {
        let encrypting = TpmaSession::DECRYPT | TpmaSession::ENCRYPT;
        assert!(!used.session_attributes.intersects(encrypting), "a recorded session encrypts parameters");
        let AuthHandle::Session(_) = used.session_handle else { unreachable!("a password is no session") };
        let mac = |names: Vec<&[u8]>, parameters: &[u8], nonce_tpm: &[u8]| -> Vec<u8> {
            let hash = cp_hash::<RustCrypto>(self.hash, request.code(), &names, parameters).unwrap();
            let nonces = Nonces { newer: used.nonce.as_bytes(), older: nonce_tpm };
            let mac = hmac::<RustCrypto>(self.hash, &[], &hash, nonces, [&[], &[]], used.session_attributes);
            mac.unwrap().as_bytes().to_vec()
        };

        let theirs = names.iter().map(|name| name.recorded.as_slice()).collect();
        let recorded = mac(theirs, request.parameters, &self.nonce_tpm.recorded);
        assert_eq!(recorded, used.hmac.as_bytes(), "the HMAC of a recorded {}", request.code());

        let ours = names.iter().map(|name| name.ours.as_slice()).collect();
        let hmac = mac(ours, parameters, &self.nonce_tpm.ours);
        OwnedSession { session_handle: session_handle(self.handle), hmac, ..OwnedSession::from(used) }
    }

    /// Checks the HMACs of both responses, and takes their nonces for the next command.
    pub(super) fn check_and_roll(
        &mut self,
        code: Cc,
        used: &TpmsAuthCommand<'_>,
        answers: &Twin<Answer<'_>>,
        sessions: &Twin<&TpmsAuthResponse>,
    ) {
        for (answer, session) in [(&answers.recorded, sessions.recorded), (&answers.ours, sessions.ours)] {
            let hash = rp_hash::<RustCrypto>(self.hash, answer.code, code, answer.parameters).unwrap();
            let nonces = Nonces { newer: session.nonce.as_bytes(), older: used.nonce.as_bytes() };
            let mac = hmac::<RustCrypto>(self.hash, &[], &hash, nonces, [&[], &[]], session.session_attributes);
            assert_eq!(mac.unwrap().as_bytes(), session.hmac.as_bytes(), "the HMAC of a response to {code}");
        }
        let nonce = |session: &TpmsAuthResponse| session.nonce.as_bytes().to_vec();
        self.nonce_tpm = Twin { recorded: nonce(sessions.recorded), ours: nonce(sessions.ours) };
    }
}

fn session_handle(handle: Handle) -> AuthHandle {
    let bytes = handle.0.to_be_bytes();
    evtpm_tpm_wire::from_bytes(&bytes, &super::PERMISSIVE).expect("a session's handle")
}
