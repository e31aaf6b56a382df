// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SignDigest` (Part 3, "TPM2_SignDigest").

use crate::commands::Execute;
use crate::object::schemes::Scheme;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, Digest};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::message::of_digest;
use evtpm_tpm_wire::commands::{SignDigest, SignDigestHandles, SignDigestResponse};
use evtpm_tpm_wire::{PublicBody, Rc, Subject, TpmaObject, TpmtPublic, TpmtSigScheme};

impl Execute for SignDigest<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: SignDigestHandles) -> Result<SignDigestResponse, Rc> {
        let key = tpm.signing_key(handles.key_handle.handle(), 1)?;
        check_attributes(key)?;
        let scheme = digest_scheme(&key.public).map_err(|rc| rc.at(Subject::Handle(1)))?;
        let signed = find_signed::<P::Crypto>(&key.public, self.context.as_bytes(), self.digest.as_bytes())?;
        // "Signing using a restricted key is permitted, but it requires a valid TPMT_TK_HASHCHECK"
        let checked = tpm.check_hashcheck(key, &self.validation, scheme.hash(), self.digest.as_bytes());
        checked.map_err(|rc| rc.at(Subject::Parameter(3)))?;

        let signature = tpm.sign_finished(handles.key_handle.handle(), scheme, &signed)?;

        Ok(SignDigestResponse { signature })
    }
}

/// "Restricted ML-DSA keys cannot be used with TPM2_SignDigest() regardless of the value of allowExternalMu": the TPM itself
/// would hash a message representative of a forged attestation with SHAKE256, and say that it was no attestation.
fn check_attributes(key: &Object) -> Result<(), Rc> {
    let is_restricted_mldsa = matches!(key.public.body, PublicBody::Mldsa { .. }) && key.has(TpmaObject::RESTRICTED);
    // As in TPM2_Sign: a key with x509sign signs certificates alone.
    if is_restricted_mldsa || key.has(TpmaObject::X509_SIGN) {
        return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
    }
    Ok(())
}

/// "The scheme of keyHandle must be a signing scheme that supports signing a digest (e.g., TPM_ALG_ECDSA, but not
/// TPM_ALG_HMAC)"; ML-DSA does if allowExternalMu is YES.
pub(super) fn digest_scheme(key: &TpmtPublic) -> Result<Scheme, Rc> {
    let takes_mu = match &key.body {
        PublicBody::Mldsa { parms, .. } => parms.allow_external_mu.is_yes(),
        _ => true,
    };
    match Scheme::of(key)? {
        Scheme::Named(TpmtSigScheme::Hmac(_) | TpmtSigScheme::Eddsa) => Err(Rc::SCHEME),
        _ if !takes_mu => Err(Rc::SCHEME),
        scheme => Ok(scheme),
    }
}

/// Checks context and digest, as the two digest commands have them in their first two parameters.
pub(super) fn find_signed<C: Crypto>(key: &TpmtPublic, context: &[u8], digest: &[u8]) -> Result<Digest, Rc> {
    of_digest::<C>(key, context, digest).map_err(|error| match error {
        ProtocolError::Context => Rc::SIZE.at(Subject::Parameter(1)),
        error => error.rc().at(Subject::Parameter(2)),
    })
}
