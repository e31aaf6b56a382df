// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicySigned` (Part 3, "TPM2_PolicySigned").

use super::authorization::Qualifiers;
use crate::commands::Execute;
use crate::state::Object;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::{Crypto, constant_time_eq};
use evtpm_protocol::{ProtocolError, verify_signature};
use evtpm_tpm_wire::commands::{PolicySigned, PolicySignedHandles, PolicySignedResponse};
use evtpm_tpm_wire::{
    AuthTag, PublicBody, Rc, SensitiveBody, Subject, Tpm2bTimeout, TpmtKeyedhashScheme, TpmtSignature, TpmtTkAuth,
};

impl Execute for PolicySigned {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicySignedHandles) -> Result<PolicySignedResponse, Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        // A sequence object is no key.
        let key = tpm.object(handles.auth_object.handle()).ok_or(Rc::KEY.at(Subject::Handle(1)))?;
        let (name, hierarchy) = (key.name, key.hierarchy);
        let mut response =
            PolicySignedResponse { timeout: Tpm2bTimeout::EMPTY, policy_ticket: TpmtTkAuth::null(AuthTag::Signed) };
        if !evaluation.is_trial() {
            let qualifiers = Qualifiers::from(&self);
            let timeout = qualifiers.bind(tpm, &mut evaluation)?;
            // "If auth does not contain a valid signature over toBeSigned, ... the TPM shall return TPM_RC_POLICY_FAIL"
            if !is_signed_by::<P::Crypto>(key, &self)? {
                return Err(Rc::POLICY_FAIL.at(Subject::Parameter(5)));
            }
            (response.timeout, response.policy_ticket) =
                qualifiers.ticket(tpm, AuthTag::Signed, hierarchy, &name, timeout)?;
        }

        evaluation.extend(|digest| digest.signed::<P::Crypto>(name.as_bytes(), self.policy_ref.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(response)
    }
}

impl<'a> From<&'a PolicySigned> for Qualifiers<'a> {
    fn from(command: &'a PolicySigned) -> Self {
        Self {
            nonce_tpm: &command.nonce_tpm,
            cp_hash_a: &command.cp_hash_a,
            policy_ref: &command.policy_ref,
            expiration: command.expiration,
        }
    }
}

/// Tells whether the command carries a signature of this key over "toBeSigned ≔ (nonceTPM ∥ expiration ∥ cpHashA ∥ policyRef)".
fn is_signed_by<C: Crypto>(key: &Object, command: &PolicySigned) -> Result<bool, Rc> {
    let alg = algorithm::hash(command.auth.hash_alg()).ok_or(Rc::HASH.at(Subject::Parameter(5)))?;
    let expiration = command.expiration.to_be_bytes();
    let parts: [&[u8]; 4] =
        [command.nonce_tpm.as_bytes(), &expiration, command.cp_hash_a.as_bytes(), command.policy_ref.as_bytes()];
    let digest = C::hash(alg, &parts);
    if let TpmtSignature::Hmac(mac) = &command.auth {
        let Some(secret) = hmac_key(key, mac.hash_alg()) else { return Ok(false) };
        return Ok(constant_time_eq(C::hmac(alg, secret, &[digest.as_bytes()]).as_bytes(), mac.digest()));
    }
    match verify_signature::<C>(&key.public, digest.as_bytes(), &command.auth) {
        Ok(()) => Ok(true),
        Err(ProtocolError::Hash(_) | ProtocolError::Curve(_)) => Err(Rc::SCHEME.at(Subject::Parameter(5))),
        Err(_) => Ok(false),
    }
}

/// Finds the secret of an HMAC key, if its scheme is this one or left open.
fn hmac_key(key: &Object, alg: evtpm_tpm_wire::HashAlg) -> Option<&[u8]> {
    let PublicBody::KeyedHash { scheme, .. } = &key.public.body else { return None };
    match scheme {
        None => {}
        Some(TpmtKeyedhashScheme::Hmac(own)) if *own == alg => {}
        Some(_) => return None,
    }
    match &key.sensitive.as_ref()?.body {
        SensitiveBody::KeyedHash(secret) => Some(secret.as_bytes()),
        _ => None,
    }
}
