// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicySigned` (Part 3, "TPM2_PolicySigned").

use super::authorization::Qualifiers;
use crate::commands::Execute;
use crate::state::Object;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::{Crypto, constant_time_eq};
use evtpm_protocol::message::{MessageHash, hint};
use evtpm_protocol::{ProtocolError, verify_signature};
use evtpm_tpm_wire::commands::{PolicySigned, PolicySignedHandles, PolicySignedResponse};
use evtpm_tpm_wire::{
    AuthTag, PublicBody, Rc, SensitiveBody, Subject, Tpm2bTimeout, TpmtKeyedhashScheme, TpmtPublic, TpmtSignature,
    TpmtTkAuth,
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
            // Part 3, PolicySigned: TPM_RC_POLICY_FAIL where auth is no valid signature of the digest of toBeSigned.
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

/// Tells whether the command carries a signature of this key over toBeSigned: nonceTPM, expiration, cpHashA and policyRef.
fn is_signed_by<C: Crypto>(key: &Object, command: &PolicySigned) -> Result<bool, Rc> {
    let alg = algorithm::hash(command.auth.hash_alg()).ok_or(Rc::HASH.at(Subject::Parameter(5)))?;
    let expiration = command.expiration.to_be_bytes();
    let parts: [&[u8]; 4] =
        [command.nonce_tpm.as_bytes(), &expiration, command.cp_hash_a.as_bytes(), command.policy_ref.as_bytes()];
    if let TpmtSignature::Eddsa(_)
    | TpmtSignature::HashEddsa(_)
    | TpmtSignature::Mldsa(_)
    | TpmtSignature::HashMldsa(_) = &command.auth
    {
        return Ok(is_signed_message::<C>(&key.public, &parts, &command.auth).is_ok());
    }
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

/// Verifies a signature over a message: "Some signature algorithms take an optional context parameter. This parameter is
/// zero-length in signatures for use with TPM2_PolicySigned()".
fn is_signed_message<C: Crypto>(
    public: &TpmtPublic,
    parts: &[&[u8]],
    signature: &TpmtSignature,
) -> Result<(), ProtocolError> {
    let mut message = MessageHash::start::<C>(public, &[], hint(signature))?;
    parts.iter().for_each(|part| message.update(part));
    message.verify::<C>(public, signature)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ea::testing::{digest, policy, start, started_policy, started_trial};
    use crate::testing::TestCrypto;
    use crate::testing::TestTpm;
    use crate::testing::objects::{OWN, ecc, keyed_hash, object};
    use evtpm_crypto::HashAlg as Hash;
    use evtpm_tpm_wire::commands::{PolicyTicket, PolicyTicketHandles};
    use evtpm_tpm_wire::{
        EccCurve, Handle, HashAlg, Tpm2bDigest, Tpm2bEccParameter, Tpm2bNonce, TpmSe, TpmaObject, TpmiRhHierarchy,
        TpmsSignatureEcc, TpmtHa,
    };

    const SIGN: TpmaObject = OWN.with(TpmaObject::SIGN);

    fn ecc_key(tpm: &mut TestTpm) -> Handle {
        tpm.primary(TpmiRhHierarchy::Owner, ecc(SIGN, EccCurve::NistP256, None)).object_handle
    }

    /// Signs a PolicySigned with a key of the TPM.
    fn signed(tpm: &mut TestTpm, key: Handle, nonce: &[u8], expiration: i32) -> PolicySigned {
        let digest = TestCrypto::hash(Hash::Sha256, &[nonce, &expiration.to_be_bytes(), b"ref"]);
        let object = tpm.object(key).unwrap().clone();
        let auth = match &object.sensitive.as_ref().unwrap().body {
            SensitiveBody::Ecc(private) => {
                let private = evtpm_crypto::EccPrivate::new(evtpm_crypto::EccCurve::P256, private.as_bytes()).unwrap();
                let signature = TestCrypto::ecdsa_sign(&private, digest.as_bytes(), &mut tpm.rng()).unwrap();
                TpmtSignature::Ecdsa(TpmsSignatureEcc {
                    hash: HashAlg::Sha256,
                    signature_r: Tpm2bEccParameter::new(signature.r()).unwrap(),
                    signature_s: Tpm2bEccParameter::new(signature.s()).unwrap(),
                })
            }
            SensitiveBody::KeyedHash(key) => {
                let mac = TestCrypto::hmac(Hash::Sha256, key.as_bytes(), &[digest.as_bytes()]);
                TpmtSignature::Hmac(TpmtHa::new(HashAlg::Sha256, mac.as_bytes()).unwrap())
            }
            other => panic!("no key for this test: {other:?}"),
        };
        let nonce_tpm = Tpm2bNonce::new(nonce).unwrap();
        let policy_ref = Tpm2bNonce::new(b"ref").unwrap();
        PolicySigned { nonce_tpm, cp_hash_a: Tpm2bDigest::EMPTY, policy_ref, expiration, auth }
    }

    fn handles(key: Handle, session: Handle) -> PolicySignedHandles {
        PolicySignedHandles { auth_object: object(key), policy_session: policy(session) }
    }

    fn expected(tpm: &TestTpm, key: Handle) -> std::vec::Vec<u8> {
        let name = tpm.entity_name(key);
        let first = TestCrypto::hash(Hash::Sha256, &[&[0; 32], &[0, 0, 1, 0x60], name.as_bytes()]);
        TestCrypto::hash(Hash::Sha256, &[first.as_bytes(), b"ref"]).as_bytes().to_vec()
    }

    #[test]
    fn an_ecdsa_signature_authorizes() {
        let (mut tpm, session) = started_policy();
        let key = ecc_key(&mut tpm);
        let command = signed(&mut tpm, key, b"", 0);
        let response = tpm.send(&command, handles(key, session)).unwrap();
        assert_eq!(response.policy_ticket, TpmtTkAuth::null(AuthTag::Signed));
        assert_eq!(digest(&mut tpm, session), expected(&tpm, key));
    }

    #[test]
    fn an_hmac_authorizes() {
        let (mut tpm, session) = started_policy();
        let template = keyed_hash(SIGN, Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256)));
        let key = tpm.primary(TpmiRhHierarchy::Owner, template).object_handle;
        let command = signed(&mut tpm, key, b"", 0);
        tpm.send(&command, handles(key, session)).unwrap();
        assert_eq!(digest(&mut tpm, session), expected(&tpm, key));
    }

    #[test]
    fn a_signature_over_anything_else_fails_the_policy() {
        let (mut tpm, session) = started_policy();
        let key = ecc_key(&mut tpm);
        let right = signed(&mut tpm, key, b"", 0);
        let before = tpm.state.clone();
        for command in [
            PolicySigned { expiration: 100, ..right.clone() },
            PolicySigned { policy_ref: Tpm2bNonce::EMPTY, ..right.clone() },
            PolicySigned { cp_hash_a: Tpm2bDigest::new(&[1; 32]).unwrap(), ..right.clone() },
            PolicySigned { auth: TpmtSignature::Hmac(TpmtHa::new(HashAlg::Sha256, &[0; 32]).unwrap()), ..right },
        ] {
            let result = tpm.send(&command, handles(key, session));
            assert_eq!(result.unwrap_err(), Rc::POLICY_FAIL.at(Subject::Parameter(5)));
        }
        assert!(tpm.state == before);
    }

    #[test]
    fn a_nonce_ties_the_signature_to_one_session() {
        let (mut tpm, session) = started_policy();
        let key = ecc_key(&mut tpm);
        let nonce = tpm.state.sessions.loaded(session.0).unwrap().nonce_tpm;
        let command = signed(&mut tpm, key, nonce.as_bytes(), 0);
        tpm.send(&command, handles(key, session)).unwrap();
        let other = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
        let result = tpm.send(&command, handles(key, other));
        assert_eq!(result.unwrap_err(), Rc::VALUE.at(Subject::Parameter(1)));
    }

    #[test]
    fn a_ticket_stands_for_the_signature() {
        let (mut tpm, session) = started_policy();
        let key = ecc_key(&mut tpm);
        let nonce = tpm.state.sessions.loaded(session.0).unwrap().nonce_tpm;
        let command = signed(&mut tpm, key, nonce.as_bytes(), -60);
        let response = tpm.send(&command, handles(key, session)).unwrap();
        let other = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
        let ticket = PolicyTicket {
            timeout: response.timeout,
            cp_hash_a: Tpm2bDigest::EMPTY,
            policy_ref: command.policy_ref,
            auth_name: tpm.entity_name(key),
            ticket: response.policy_ticket,
        };
        tpm.send(&ticket, PolicyTicketHandles { policy_session: policy(other) }).unwrap();
        assert_eq!(digest(&mut tpm, other), expected(&tpm, key));
    }

    #[test]
    fn a_trial_needs_no_signature() {
        let (mut tpm, session) = started_trial();
        let key = ecc_key(&mut tpm);
        let command = PolicySigned { expiration: -1, ..signed(&mut tpm, key, b"", 7) };
        let response = tpm.send(&command, handles(key, session)).unwrap();
        assert_eq!(response.policy_ticket, TpmtTkAuth::null(AuthTag::Signed));
        assert_eq!(digest(&mut tpm, session), expected(&tpm, key));
    }
}
