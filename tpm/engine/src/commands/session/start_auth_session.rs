// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_StartAuthSession` (Part 3, "TPM2_StartAuthSession").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::{Binding, DaBound, HmacState, Nonce, NvIndex, PolicyState, Session, SessionKind};
use crate::{Platform, Tpm};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::secret::{Label, Seed};
use evtpm_protocol::session::{SessionKey, session_key};
use evtpm_tpm_wire::commands::{StartAuthSession, StartAuthSessionHandles, StartAuthSessionResponse};
use evtpm_tpm_wire::{
    Handle, HandleType, PublicBody, Rc, Subject, SymMode, TpmSe, TpmaObject, TpmtRsaScheme, TpmtSymDef,
};

/// "the TPM shall return TPM_RC_SIZE if nonceCaller is less than 16 octets"
const MIN_NONCE: usize = 16;

impl Execute for StartAuthSession<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: StartAuthSessionHandles,
    ) -> Result<StartAuthSessionResponse, Rc> {
        let alg = algorithm::hash(self.auth_hash).ok_or(Rc::HASH.at(Subject::Parameter(5)))?;
        if !(MIN_NONCE..=alg.digest_size()).contains(&self.nonce_caller.len()) {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let salt = salt(tpm, handles.tpm_key.map(Handle::from), self.encrypted_salt.as_bytes())?;
        let bind = handles.bind.map(Handle::from);
        if let Some(bind) = bind {
            check_bind(tpm, bind).map_err(|rc| rc.at(Subject::Handle(2)))?;
        }
        // "If symmetric specifies a block cipher, then TPM_ALG_CFB is the only allowed value for the mode field"
        if let Some(TpmtSymDef::Cipher(cipher)) = self.symmetric
            && cipher.mode != Some(SymMode::Cfb)
        {
            return Err(Rc::MODE.at(Subject::Parameter(4)));
        }
        tpm.state.sessions.room()?;

        // "nonceCaller: ... sets nonceTPM size for the session"
        let mut nonce_tpm = Nonce::zeros(self.nonce_caller.len()).map_err(|_| Rc::FAILURE)?;
        tpm.random(nonce_tpm.as_mut_bytes())?;
        let bound = bind.and_then(|bind| Some((bind, tpm.entity_auth(bind)?.clone())));
        let bind_auth = bound.as_ref().map(|(_, auth)| auth.as_bytes());
        let (caller, own) = (self.nonce_caller.as_bytes(), nonce_tpm.as_bytes());
        // "If both tpmKey and bind are TPM_RH_NULL, then sessionKey is set to the Empty Buffer."
        let key = if bind_auth.is_none() && handles.tpm_key.is_none() {
            SessionKey::EMPTY
        } else {
            session_key::<P::Crypto>(self.auth_hash, bind_auth.unwrap_or_default(), salt.as_bytes(), own, caller)
                .map_err(ProtocolError::rc)?
        };
        let da_bound = bind.map_or(DaBound::No, |bind| tpm.entity_da(bind));
        let (time, epoch) = (tpm.clock.time(), tpm.state.time_epoch);
        let kind = match self.session_type {
            TpmSe::Hmac => {
                let bound = bound.map(|(bind, auth)| Binding { name: tpm.entity_name(bind), auth });
                SessionKind::Hmac(HmacState { bound, audit: None })
            }
            TpmSe::Policy => SessionKind::Policy(PolicyState::new(false, alg, time, epoch)),
            TpmSe::Trial => SessionKind::Policy(PolicyState::new(true, alg, time, epoch)),
        };

        let (hash, symmetric) = (self.auth_hash, self.symmetric);
        let session_handle = tpm.state.sessions.create(Session { hash, key, nonce_tpm, symmetric, da_bound, kind })?;
        Ok(StartAuthSessionResponse { session_handle: Handle(session_handle), nonce_tpm })
    }
}

/// Recovers the salt, if there is a key for it.
fn salt<P: Platform>(tpm: &mut Tpm<P>, key: Option<Handle>, encrypted_salt: &[u8]) -> Result<Seed, Rc> {
    let Some(handle) = key else {
        // "If tpmKey is TPM_RH_NULL, then encryptedSalt is required to be an Empty Buffer."
        let empty = encrypted_salt.is_empty();
        return if empty { Ok(Seed::EMPTY) } else { Err(Rc::VALUE.at(Subject::Parameter(2))) };
    };
    // A sequence object is no key.
    let key = tpm.object(handle).ok_or(Rc::KEY.at(Subject::Handle(1)))?;
    let at_key = |rc: Rc| Err(rc.at(Subject::Handle(1)));
    let at_salt = Rc::VALUE.at(Subject::Parameter(2));
    // "The TPM shall return TPM_RC_KEY if tpmKey does not reference an asymmetric key."
    if matches!(
        key.public.body,
        PublicBody::KeyedHash { .. }
            | PublicBody::SymCipher { .. }
            | PublicBody::Mldsa { .. }
            | PublicBody::HashMldsa { .. }
    ) {
        return at_key(Rc::KEY);
    }
    if encrypted_salt.is_empty() {
        return Err(at_salt);
    }
    // "The TPM shall return TPM_RC_HANDLE if the sensitive portion of tpmKey is not loaded."
    if key.sensitive.is_none() {
        return at_key(Rc::HANDLE);
    }
    // "The TPM shall return TPM_RC_ATTRIBUTES if tpmKey does not have the decrypt attribute SET."
    if !key.has(TpmaObject::DECRYPT) {
        return at_key(Rc::ATTRIBUTES);
    }
    // "If the key's scheme is not TPM_ALG_OAEP or TPM_ALG_NULL, the TPM must return an error (TPM_RC_VALUE)."
    if matches!(&key.public.body, PublicBody::Rsa { parms, .. } if !matches!(parms.scheme, None | Some(TpmtRsaScheme::Oaep(_))))
    {
        return Err(at_salt);
    }
    // "The TPM shall return TPM_RC_VALUE if: ... encryptedSalt does not contain a TPMS_ECC_POINT or is not a point on the curve"
    tpm.recover_secret(handle, Label::Secret, encrypted_salt).map_err(|rc| match rc {
        Rc::SIZE | Rc::INSUFFICIENT | Rc::ECC_POINT | Rc::VALUE => at_salt,
        other => other.at(Subject::Parameter(2)),
    })
}

/// "If bind references a transient object, then the TPM shall return TPM_RC_HANDLE if the sensitive portion of the
/// object is not loaded."
fn check_bind<P: Platform>(tpm: &Tpm<P>, bind: Handle) -> Result<(), Rc> {
    let is_object = matches!(bind.kind(), Some(HandleType::Transient | HandleType::Persistent));
    let public_only = tpm.object(bind).is_some_and(|object| object.sensitive.is_none());
    // "If a PIN Pass or PIN Fail Index is referenced as a bind entity, the TPM must return TPM_RC_HANDLE."
    let counted = tpm.nv_index(bind).is_some_and(NvIndex::is_pin);
    if is_object && public_only || counted { Err(Rc::HANDLE) } else { Ok(()) }
}
