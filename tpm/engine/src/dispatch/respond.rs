// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sessions' part of a response: encryption of the first parameter, new nonces, HMACs (Part 3, "Command Post Processing").

use super::session_area::{SessionArea, SessionUse};
use crate::algorithm;
use crate::failure::Failure;
use crate::state::{Nonce, PolicyProof, PolicyState, SessionKind};
use crate::{Platform, Tpm};
use evtpm_crypto::{Digest, Direction, Rng, StreamingHash};
use evtpm_protocol::session::{self, Nonces, decrypt_parameter, encrypt_parameter};
use evtpm_protocol::{ProtocolError, rp_hash};
use evtpm_tpm_wire::{Buf, Cc, HandleType, HashAlg, Overflow, Rc, Secret, TpmaSession, Writer};

/// What was kept from before the command's actions.
#[derive(Default)]
pub(crate) struct Before {
    /// The authValue that each session's key included; a sequence object may be gone when the response is made.
    pub(crate) auths: [Secret<64>; 3],
    /// cpHash in the audit session's algorithm.
    pub(crate) audit: Option<Digest>,
    /// cpHash in the algorithm of the command audit, of a command that is audited.
    pub(crate) command_audit: Option<(HashAlg, Digest)>,
}

impl<P: Platform> Tpm<P> {
    /// Decrypts the first parameter in place.
    pub(crate) fn decrypt_parameter(&self, area: &SessionArea, parameters: &mut [u8]) -> Result<(), Rc> {
        let Some(used) = area.with(TpmaSession::DECRYPT) else { return Ok(()) };
        let auth = self.included_auth(used, true);
        // As the reference: of an encrypted parameter the session is in charge, down to its size.
        let content = first_content(parameters).map_err(|rc| rc.at(used.subject()))?;
        let session = self.state.sessions.loaded(used.handle.0).ok_or(Rc::FAILURE)?;
        let nonces = Nonces { newer: used.nonce.as_bytes(), older: session.nonce_tpm.as_bytes() };
        self.crypt(used, auth, Direction::Decrypt, nonces, content)
    }

    /// Rolls nonces, encrypts, authenticates: everything that follows successful actions. Returns the response's size.
    pub(crate) fn respond_with_sessions(
        &mut self,
        code: Cc,
        area: &SessionArea,
        before: &mut Before,
        response: &mut [u8],
        parameters_at: usize,
        written: usize,
    ) -> Result<usize, Rc> {
        self.roll_nonces(area)?;
        self.update_auths(area, &mut before.auths);
        let (head, tail) = response.split_at_mut_checked(written).ok_or(Rc::FAILURE)?;
        let parameters = head.get_mut(parameters_at..).ok_or(Rc::FAILURE)?;
        self.encrypt_parameter(area, &before.auths, parameters)?;
        self.audit(code, area, before, parameters);
        let mut writer = Writer::new(tail);
        for (used, auth) in area.iter().zip(&before.auths) {
            self.write_session(code, used, auth, parameters, &mut writer)?;
        }
        let size = written.saturating_add(writer.written());
        self.end_sessions(area);
        Ok(size)
    }

    fn roll_nonces(&mut self, area: &SessionArea) -> Result<(), Rc> {
        for used in area.iter() {
            let Some(session) = self.state.sessions.loaded(used.handle.0) else { continue };
            let mut nonce = Nonce::zeros(session.nonce_tpm.len()).map_err(|Overflow| Rc::FAILURE)?;
            self.rng().fill(nonce.as_mut_bytes()).map_err(|error| self.fail(Failure::Entropy(error)))?;
            if let Some(session) = self.state.sessions.loaded_mut(used.handle.0) {
                session.nonce_tpm = nonce;
            }
        }
        Ok(())
    }

    /// The authValues of the response's keys: those of now, since a command may have changed them; of a sequence that
    /// its last command flushed, that of before; of an index that was undefined, none.
    fn update_auths(&self, area: &SessionArea, auths: &mut [Secret<64>; 3]) {
        for (used, auth) in area.iter().zip(auths).filter(|(used, _)| !used.is_password()) {
            let Some((handle, _)) = used.authorizes else { continue };
            match self.entity_auth(handle) {
                Some(now) => *auth = now.clone(),
                None if handle.kind() == Some(HandleType::Transient) => {}
                None => *auth = Secret::EMPTY,
            }
        }
    }

    fn encrypt_parameter(&self, area: &SessionArea, auths: &[Secret<64>; 3], parameters: &mut [u8]) -> Result<(), Rc> {
        let Some((used, auth)) = area.iter().zip(auths).find(|(used, _)| used.has(TpmaSession::ENCRYPT)) else {
            return Ok(());
        };
        let Some(session) = self.state.sessions.loaded(used.handle.0) else { return Ok(()) };
        let nonces = Nonces { newer: session.nonce_tpm.as_bytes(), older: used.nonce.as_bytes() };
        let auth = if used.authorizes.is_some() { auth } else { &Secret::EMPTY };
        self.crypt(used, auth, Direction::Encrypt, nonces, first_content(parameters)?)
    }

    fn crypt(
        &self,
        used: &SessionUse,
        auth: &Secret<64>,
        direction: Direction,
        nonces: Nonces<'_>,
        content: &mut [u8],
    ) -> Result<(), Rc> {
        let session = self.state.sessions.loaded(used.handle.0).ok_or(Rc::FAILURE)?;
        let cipher = session.symmetric.ok_or(Rc::SYMMETRIC.at(used.subject()))?;
        let value = session::value(session.key.as_bytes(), auth.as_bytes()).map_err(ProtocolError::rc)?;
        let crypt = match direction {
            Direction::Encrypt => encrypt_parameter::<P::Crypto>,
            Direction::Decrypt => decrypt_parameter::<P::Crypto>,
        };
        crypt(session.hash, cipher, &value, nonces, content).map_err(|_| Rc::SYMMETRIC.at(used.subject()))
    }

    /// "auditDigestnew := HauditAlg(auditDigestold || cpHash || rpHash)"; a command without audit ends exclusiveness.
    fn audit(&mut self, code: Cc, area: &SessionArea, before: &Before, parameters: &[u8]) {
        let Some(used) = area.with(TpmaSession::AUDIT) else {
            self.state.sessions.set_exclusive(None);
            return;
        };
        let was_exclusive = self.state.sessions.exclusive() == Some(used.handle.0);
        let Some(session) = self.state.sessions.loaded_mut(used.handle.0) else { return };
        let (Some(alg), Some(cp_hash)) = (algorithm::hash(session.hash), before.audit) else { return };
        let SessionKind::Hmac(hmac) = &mut session.kind else { return };
        let begins = hmac.audit.is_none() || used.has(TpmaSession::AUDIT_RESET);
        let old = if begins { Digest::zero(alg) } else { hmac.audit.unwrap_or(Digest::zero(alg)) };
        let mut hasher = <P::Crypto as evtpm_crypto::Crypto>::Hasher::new(alg);
        let Ok(rp_hash) = rp_hash::<P::Crypto>(session.hash, Rc::SUCCESS, code, parameters) else { return };
        for part in [&old, &cp_hash, &rp_hash] {
            hasher.update(part.as_bytes());
        }
        hmac.audit = Some(hasher.finish());
        // "the bind value is lost and any further use of the session for authorization will require that the authValue be
        // used in the HMAC"
        hmac.bound = None;
        self.state.sessions.set_exclusive(if begins || was_exclusive { Some(used.handle.0) } else { None });
    }

    fn write_session(
        &mut self,
        code: Cc,
        used: &SessionUse,
        auth: &Secret<64>,
        parameters: &[u8],
        writer: &mut Writer<'_>,
    ) -> Result<(), Rc> {
        let overflow = |Overflow| Rc::FAILURE;
        let Some(session) = self.state.sessions.loaded(used.handle.0) else {
            // A password: "the nonce and the HMAC are Empty Buffers", "continueSession will be SET".
            writer.write(&Buf::<0>::EMPTY).map_err(overflow)?;
            writer.write(&TpmaSession::CONTINUE_SESSION).map_err(overflow)?;
            return writer.write(&Buf::<0>::EMPTY).map_err(overflow);
        };
        let exclusive = self.state.sessions.exclusive() == Some(used.handle.0) && used.has(TpmaSession::AUDIT);
        // Of auditReset, Part 1 says "The TPM will echo this attribute in the response", and so does the reference.
        let attributes = used.attributes.assign(TpmaSession::AUDIT_EXCLUSIVE, exclusive);
        writer.write(&session.nonce_tpm).map_err(overflow)?;
        writer.write(&attributes).map_err(overflow)?;
        let by_password = session.policy().is_some_and(|policy| policy.proof == PolicyProof::Password);
        let auth = if used.includes_auth { auth.as_bytes() } else { &[] };
        let value = session::value(session.key.as_bytes(), auth).map_err(ProtocolError::rc)?;
        // "if there is no key, the HMAC is an Empty Buffer", as for a policy session with PolicyPassword
        if used.authorizes.is_some() && by_password || value.is_empty() && used.proof.is_empty() {
            return writer.write(&Buf::<0>::EMPTY).map_err(overflow);
        }
        let nonces = Nonces { newer: session.nonce_tpm.as_bytes(), older: used.nonce.as_bytes() };
        let hash = rp_hash::<P::Crypto>(session.hash, Rc::SUCCESS, code, parameters).map_err(ProtocolError::rc)?;
        let (key, extra) = (value.as_bytes(), [&[][..], &[]]);
        let hmac = session::hmac::<P::Crypto>(session.hash, key, &hash, nonces, extra, attributes);
        let hmac = hmac.map_err(ProtocolError::rc)?;
        writer.write(&Buf::<64>::new(hmac.as_bytes()).map_err(overflow)?).map_err(overflow)
    }

    /// Closes what does not continue; a policy session that authorized something and continues starts from nothing.
    fn end_sessions(&mut self, area: &SessionArea) {
        let (time, epoch) = (self.clock.time(), self.state.time_epoch);
        for used in area.iter().filter(|used| !used.is_password()) {
            if !used.has(TpmaSession::CONTINUE_SESSION) {
                let _ = self.state.sessions.flush(used.handle.0);
                continue;
            }
            let Some(session) = self.state.sessions.loaded_mut(used.handle.0) else { continue };
            let Some(alg) = algorithm::hash(session.hash) else { continue };
            // "policySession→startTime is set to the current time; and the other values ... are initialized"
            if let (Some(policy), true) = (session.policy_mut(), used.authorizes.is_some()) {
                *policy = PolicyState::new(policy.trial, alg, time, epoch);
            }
        }
    }
}

/// Borrows the content of the first parameter, whose size stays in plain.
fn first_content(parameters: &mut [u8]) -> Result<&mut [u8], Rc> {
    let (size, content) = parameters.split_first_chunk_mut::<2>().ok_or(Rc::INSUFFICIENT)?;
    content.get_mut(..usize::from(u16::from_be_bytes(*size))).ok_or(Rc::SIZE)
}
