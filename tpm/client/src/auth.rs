// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The authorization area: passwords, HMACs, parameter encryption (Part 1, "Authorizations and Acknowledgments").
use alloc::vec::Vec;

use evtpm_crypto::{Rng, RustCrypto, constant_time_eq};
use evtpm_protocol::session::{Nonces, decrypt_parameter, encrypt_parameter, hmac, value};
use evtpm_protocol::{cp_hash, rp_hash};
use evtpm_tpm_wire::{
    Cc, Handle, Marshal, Overflow, Rc, Spec, Tpm2bAuth, Tpm2bName, Tpm2bNonce, TpmSe, TpmaSession, TpmsAuthResponse,
    Writer,
};

use crate::ClientError;
use crate::session::{PolicyAuth, Session};

/// One entry of the authorization area.
#[derive(Debug)]
pub enum Auth<'s> {
    /// A password for the handle of the same position.
    Password(&'s [u8]),
    /// A session, for the handle of the same position or beyond the handles that need one.
    Session(SessionAuth<'s>),
}

/// The use of a session by one command.
#[derive(Debug)]
pub struct SessionAuth<'s> {
    /// The session.
    pub session: &'s mut Session,
    /// The authValue of the handle that the session authorizes.
    pub auth_value: &'s [u8],
    /// The authValue after the command, if the command changes it: the response is authenticated with that one.
    pub new_auth_value: Option<&'s [u8]>,
}

impl<'s> Auth<'s> {
    /// The empty password.
    pub const EMPTY: Self = Self::Password(&[]);

    /// Uses a session for a handle whose authValue is empty, or for no handle.
    pub const fn session(session: &'s mut Session) -> Self {
        Self::session_with(session, &[])
    }

    /// Uses a session for a handle with this authValue.
    pub const fn session_with(session: &'s mut Session, auth_value: &'s [u8]) -> Self {
        Self::Session(SessionAuth { session, auth_value, new_auth_value: None })
    }

    pub(crate) const fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

/// Returns an authValue without the trailing zeros, which Part 1 declares insignificant.
pub(crate) fn significant(auth_value: &[u8]) -> Result<Tpm2bAuth, Overflow> {
    Ok(Tpm2bAuth::new(auth_value)?.without_trailing_zeros())
}

/// One command's view of its authorizations.
pub(crate) struct Area<'a, 's> {
    pub(crate) spec: Spec,
    pub(crate) names: &'a [Tpm2bName],
    pub(crate) auths: &'a mut [Auth<'s>],
}

impl Area<'_, '_> {
    /// Renews the nonces, encrypts the first parameter in place and returns the authorization area.
    pub(crate) fn command(&mut self, rng: &mut dyn Rng, parameters: &mut [u8]) -> Result<Vec<u8>, ClientError> {
        for auth in self.auths.iter_mut() {
            if let Auth::Session(SessionAuth { session, .. }) = auth {
                session.nonce_caller = Tpm2bNonce::zeros(session.hash.digest_size())?;
                rng.fill(session.nonce_caller.as_mut_bytes())?;
            }
        }
        self.transform(TpmaSession::DECRYPT, parameters)?;

        let mut area = alloc::vec![0; crate::frame::MAX_MESSAGE];
        let mut writer = Writer::new(&mut area);
        for position in 0..self.auths.len() {
            self.write_entry(position, parameters, &mut writer)?;
        }
        let size = writer.written();
        area.truncate(size);
        Ok(area)
    }

    fn write_entry(&self, position: usize, parameters: &[u8], writer: &mut Writer<'_>) -> Result<(), ClientError> {
        let Some(Auth::Session(auth)) = self.auths.get(position) else {
            if let Some(Auth::Password(password)) = self.auths.get(position) {
                writer.write(&Handle::PASSWORD)?;
                writer.write(&Tpm2bNonce::EMPTY)?;
                writer.write(&TpmaSession::CONTINUE_SESSION)?;
                Tpm2bAuth::new(password)?.marshal(writer)?;
            }
            return Ok(());
        };
        let session = &auth.session;
        let attributes = self.attributes(session);
        let hmac = if self.authorizes(position) && session.policy_auth == PolicyAuth::Password {
            significant(auth.auth_value)?
        } else {
            let names: Vec<&[u8]> = self.names.iter().map(Tpm2bName::as_bytes).collect();
            let hash = cp_hash::<RustCrypto>(session.hash, self.spec.code, &names, parameters)?;
            let nonces = Nonces { newer: session.nonce_caller.as_bytes(), older: session.nonce_tpm.as_bytes() };
            let extra = if position == 0 { self.other_nonces() } else { [&[][..]; 2] };
            self.hmac(position, auth, auth.auth_value, &hash, nonces, extra, attributes)?
        };
        writer.write(&session.handle)?;
        writer.write(&session.nonce_caller)?;
        writer.write(&attributes)?;
        writer.write(&hmac)?;
        Ok(())
    }

    /// Checks the authorization area of a response and decrypts its first parameter in place.
    pub(crate) fn response(
        &mut self,
        responses: &[TpmsAuthResponse],
        parameters: &mut [u8],
    ) -> Result<(), ClientError> {
        let command = self.spec.code;
        for (auth, response) in self.auths.iter_mut().zip(responses) {
            if let Auth::Session(SessionAuth { session, .. }) = auth {
                session.nonce_tpm = response.nonce;
                session.ended = !response.session_attributes.contains(TpmaSession::CONTINUE_SESSION);
            }
        }
        for (position, (auth, response)) in self.auths.iter().zip(responses).enumerate() {
            if !self.is_genuine(position, auth, response, parameters)? {
                return Err(ClientError::ResponseHmac { command });
            }
        }
        self.transform(TpmaSession::ENCRYPT, parameters)?;
        self.forget_policies();
        Ok(())
    }

    fn is_genuine(
        &self,
        position: usize,
        auth: &Auth<'_>,
        response: &TpmsAuthResponse,
        parameters: &[u8],
    ) -> Result<bool, ClientError> {
        let Auth::Session(auth) = auth else {
            // The response to a password has neither nonce nor HMAC.
            return Ok(response.nonce.is_empty() && response.hmac.is_empty());
        };
        let session = &auth.session;
        if self.authorizes(position) && session.policy_auth == PolicyAuth::Password {
            return Ok(response.hmac.is_empty());
        }
        let hash = rp_hash::<RustCrypto>(session.hash, Rc::SUCCESS, self.spec.code, parameters)?;
        let nonces = Nonces { newer: session.nonce_tpm.as_bytes(), older: session.nonce_caller.as_bytes() };
        let auth_value = auth.new_auth_value.unwrap_or(auth.auth_value);
        let attributes = response.session_attributes;
        let expected = self.hmac(position, auth, auth_value, &hash, nonces, [&[]; 2], attributes)?;
        Ok(constant_time_eq(expected.as_bytes(), response.hmac.as_bytes()))
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's formula has as many")]
    fn hmac(
        &self,
        position: usize,
        auth: &SessionAuth<'_>,
        auth_value: &[u8],
        parameter_hash: &evtpm_crypto::Digest,
        nonces: Nonces<'_>,
        extra: [&[u8]; 2],
        attributes: TpmaSession,
    ) -> Result<Tpm2bAuth, ClientError> {
        let session = &auth.session;
        let includes_auth_value = self.authorizes(position)
            && match session.kind {
                // "the authValue of the bound entity is in the session key already"
                TpmSe::Hmac => session.bound.is_none() || self.names.get(position) != session.bound.as_ref(),
                TpmSe::Policy | TpmSe::Trial => session.policy_auth == PolicyAuth::Value,
            };
        let auth_value = if includes_auth_value { significant(auth_value)? } else { Tpm2bAuth::EMPTY };
        let key = value(session.key.as_bytes(), auth_value.as_bytes())?;
        // A policy session without a key proves nothing by an HMAC, and the TPM answers with an empty one too.
        if session.kind != TpmSe::Hmac && session.key.is_empty() && session.policy_auth == PolicyAuth::None {
            return Ok(Tpm2bAuth::EMPTY);
        }
        let digest = hmac::<RustCrypto>(session.hash, key.as_bytes(), parameter_hash, nonces, extra, attributes)?;
        Ok(Tpm2bAuth::new(digest.as_bytes())?)
    }

    fn authorizes(&self, position: usize) -> bool {
        position < self.spec.authorizations()
    }

    fn attributes(&self, session: &Session) -> TpmaSession {
        let mut attributes = session.attributes;
        if !self.spec.decrypt {
            attributes = attributes.without(TpmaSession::DECRYPT);
        }
        if !self.spec.encrypt {
            attributes = attributes.without(TpmaSession::ENCRYPT);
        }
        attributes
    }

    /// Returns the position of the session that has this attribute in this command.
    fn position_with(&self, attribute: TpmaSession) -> Option<usize> {
        self.auths.iter().position(|auth| match auth {
            Auth::Session(auth) => self.attributes(auth.session).contains(attribute),
            Auth::Password(_) => false,
        })
    }

    /// "If the first session is not the decrypt (encrypt) session, then the nonceTPM of that session is included": for
    /// one session with both uses, once.
    fn other_nonces(&self) -> [&[u8]; 2] {
        let decrypt = self.position_with(TpmaSession::DECRYPT).filter(|position| *position != 0);
        let encrypt = self.position_with(TpmaSession::ENCRYPT).filter(|position| *position != 0);
        let encrypt = encrypt.filter(|position| decrypt != Some(*position));
        [decrypt, encrypt].map(|position| match position.and_then(|position| self.auths.get(position)) {
            Some(Auth::Session(auth)) => auth.session.nonce_tpm.as_bytes(),
            _ => &[],
        })
    }

    /// Encrypts the first parameter of a command, or decrypts the first one of a response.
    fn transform(&self, direction: TpmaSession, parameters: &mut [u8]) -> Result<(), ClientError> {
        let Some(position) = self.position_with(direction) else { return Ok(()) };
        let Some(Auth::Session(auth)) = self.auths.get(position) else { return Ok(()) };
        let session = &auth.session;
        let Some(symmetric) = session.symmetric else { return Ok(()) };
        let malformed = ClientError::Malformed { command: self.spec.code, code: Rc::SIZE };
        let Some((size, content)) = parameters.split_first_chunk_mut::<2>() else { return Err(malformed) };
        let Some(content) = content.get_mut(..usize::from(u16::from_be_bytes(*size))) else { return Err(malformed) };
        let (caller, tpm) = (session.nonce_caller.as_bytes(), session.nonce_tpm.as_bytes());
        let is_command = direction == TpmaSession::DECRYPT;
        let auth_value = match (self.authorizes(position), auth.new_auth_value) {
            (false, _) => &[],
            (true, Some(new)) if !is_command => new,
            (true, _) => auth.auth_value,
        };
        let value = value(session.key.as_bytes(), significant(auth_value)?.as_bytes())?;
        if is_command {
            let nonces = Nonces { newer: caller, older: tpm };
            encrypt_parameter::<RustCrypto>(session.hash, symmetric, &value, nonces, content)?;
        } else {
            let nonces = Nonces { newer: tpm, older: caller };
            decrypt_parameter::<RustCrypto>(session.hash, symmetric, &value, nonces, content)?;
        }
        Ok(())
    }

    /// "the policy session is reset after it was used for authorization", so what its policy said no longer holds.
    fn forget_policies(&mut self) {
        let authorizations = self.spec.authorizations();
        for auth in self.auths.iter_mut().take(authorizations) {
            if let Auth::Session(SessionAuth { session, .. }) = auth {
                session.policy_auth = PolicyAuth::None;
            }
        }
    }
}

/// Checks that each handle that needs it is authorized.
pub(crate) fn check_count(command: Cc, expected: usize, actual: usize) -> Result<(), ClientError> {
    if actual < expected { Err(ClientError::Authorizations { command, expected, actual }) } else { Ok(()) }
}
