// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions as the client holds them (Part 1, "Sessions"; Part 3, "TPM2_StartAuthSession").
use evtpm_crypto::{Rng, RustCrypto};
use evtpm_protocol::secret::{Label, share};
use evtpm_protocol::session::{SessionKey, session_key};
use evtpm_tpm_wire::commands::{FlushContext, StartAuthSession, StartAuthSessionHandles};
use evtpm_tpm_wire::{
    Handle, HashAlg, Supported, Tpm2bEncryptedSecretIn, Tpm2bName, Tpm2bNonce, TpmSe, TpmaSession, TpmiDhContext,
    TpmiDhEntity, TpmiShPolicy, TpmtSymDef, TpmtSymDefObject,
};

use crate::{Client, ClientError, Object, Transport};

/// A session that the TPM holds too.
#[derive(Debug)]
pub struct Session {
    pub(crate) handle: Handle,
    pub(crate) kind: TpmSe,
    pub(crate) hash: HashAlg,
    pub(crate) symmetric: Option<TpmtSymDef>,
    pub(crate) key: SessionKey,
    pub(crate) nonce_tpm: Tpm2bNonce,
    pub(crate) nonce_caller: Tpm2bNonce,
    pub(crate) bound: Option<Tpm2bName>,
    pub(crate) policy_auth: PolicyAuth,
    pub(crate) ended: bool,
    /// How the session is used by the next command; `DECRYPT` and `ENCRYPT` are left out where the command has no
    /// parameter for them.
    pub attributes: TpmaSession,
}

/// What a policy says about the authValue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyAuth {
    /// Nothing.
    None,
    /// `TPM2_PolicyAuthValue`: it is part of the HMAC key.
    Value,
    /// `TPM2_PolicyPassword`: it is sent.
    Password,
}

/// How to start a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions<'a> {
    /// HMAC, policy or trial.
    pub kind: TpmSe,
    /// The hash of the session.
    pub hash: HashAlg,
    /// How parameters are encrypted, if the session is to encrypt them.
    pub symmetric: Option<TpmtSymDef>,
    /// A decryption key to share a salt with: only its TPM can then know the session key.
    pub salt: Option<&'a Object>,
    /// An entity whose authValue enters the session key.
    pub bind: Option<Bind<'a>>,
}

/// An entity that a session is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// The handle.
    pub handle: Handle,
    /// The authValue.
    pub auth_value: &'a [u8],
}

impl SessionOptions<'_> {
    /// An HMAC session with SHA-256, neither salted nor bound.
    pub const HMAC: Self = Self { kind: TpmSe::Hmac, hash: HashAlg::Sha256, symmetric: None, salt: None, bind: None };
    /// A policy session with SHA-256, neither salted nor bound.
    pub const POLICY: Self = Self { kind: TpmSe::Policy, ..Self::HMAC };
    /// A trial session with SHA-256.
    pub const TRIAL: Self = Self { kind: TpmSe::Trial, ..Self::HMAC };

    /// Encrypts parameters with AES-128 in CFB mode.
    #[must_use]
    pub const fn encrypting(self) -> Self {
        Self { symmetric: Some(TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB)), ..self }
    }
}

impl Session {
    /// Returns the handle.
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// Returns whether the TPM has ended the session, as it was used without `CONTINUE_SESSION`.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the handle as policy commands take it; the TPM refuses it if this is no policy session.
    pub(crate) fn policy(&self) -> Result<TpmiShPolicy, ClientError> {
        TpmiShPolicy::new(self.handle, &Supported::ALL).ok_or(ClientError::TooLong)
    }
}

impl<T: Transport, R: Rng> Client<T, R> {
    /// Starts a session.
    pub fn start_session(&mut self, options: SessionOptions<'_>) -> Result<Session, ClientError> {
        let mut nonce_caller = Tpm2bNonce::zeros(options.hash.digest_size())?;
        self.rng.fill(nonce_caller.as_mut_bytes())?;
        let salt = match options.salt {
            Some(key) => Some(share::<RustCrypto>(&key.public, Label::Secret, &mut self.rng)?),
            None => None,
        };
        let (salt, encrypted_salt) = match &salt {
            Some((salt, encrypted)) => (salt.as_bytes(), encrypted.as_bytes()),
            None => (&[][..], &[][..]),
        };
        let bound = match options.bind {
            Some(bind) => Some(self.name(bind.handle)?),
            None => None,
        };
        let handles = StartAuthSessionHandles {
            tpm_key: options.salt.map(Object::as_object).transpose()?,
            bind: options.bind.and_then(|bind| TpmiDhEntity::new(bind.handle, &Supported::ALL)),
        };
        let command = StartAuthSession {
            nonce_caller,
            encrypted_salt: Tpm2bEncryptedSecretIn::new(encrypted_salt)?,
            session_type: options.kind,
            symmetric: options.symmetric,
            auth_hash: options.hash,
        };
        let started = self.run(handles, &command, &mut [])?;
        let mut attributes = TpmaSession::CONTINUE_SESSION;
        if options.symmetric.is_some() {
            attributes = attributes | TpmaSession::DECRYPT | TpmaSession::ENCRYPT;
        }
        let bind_auth = crate::auth::significant(options.bind.map_or(&[][..], |bind| bind.auth_value))?;
        // "If both tpmKey and bind are TPM_RH_NULL, then sessionKey is set to the Empty Buffer."
        let key = if options.salt.is_none() && options.bind.is_none() {
            SessionKey::EMPTY
        } else {
            let nonce_tpm = started.nonce_tpm.as_bytes();
            session_key::<RustCrypto>(options.hash, bind_auth.as_bytes(), salt, nonce_tpm, nonce_caller.as_bytes())?
        };
        Ok(Session {
            handle: started.session_handle,
            kind: options.kind,
            hash: options.hash,
            symmetric: options.symmetric,
            key,
            nonce_tpm: started.nonce_tpm,
            nonce_caller,
            bound,
            policy_auth: PolicyAuth::None,
            ended: false,
            attributes,
        })
    }

    /// Ends a session.
    pub fn end_session(&mut self, session: Session) -> Result<(), ClientError> {
        if session.ended { Ok(()) } else { self.flush(session.handle) }
    }

    /// Removes a session or a transient object.
    pub fn flush(&mut self, handle: Handle) -> Result<(), ClientError> {
        let flush_handle = TpmiDhContext::new(handle, &Supported::ALL).ok_or(ClientError::TooLong)?;
        self.run((), &FlushContext { flush_handle }, &mut [])
    }
}
