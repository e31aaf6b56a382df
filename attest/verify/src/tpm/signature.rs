// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPMT_SIGNATURE` against an attestation key: the scheme and the hash are those of the key (verification rule 2).

use core::fmt;

use evtpm_crypto::{Crypto, CryptoError, EccSignature, HashAlg, RustCrypto};
use evtpm_protocol::{ProtocolError, crypto_hash, ecc_point, message::verify_message};
use evtpm_tpm_wire::{
    PublicBody, Supported, TpmsEccParms, TpmsEccPoint, TpmsSignatureEcc, TpmtPublic, TpmtSignature, from_bytes,
};

use crate::backend::Backend;
use crate::tpm::Error;

/// How a key signs, and the hash that its attestations are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `TPM_ALG_RSASSA`.
    RsaSsa(HashAlg),
    /// `TPM_ALG_RSAPSS`.
    RsaPss(HashAlg),
    /// `TPM_ALG_ECDSA`.
    Ecdsa(HashAlg),
    /// `TPM_ALG_EDDSA`: Ed25519 over the message, and attestations with the hash of the key's Name.
    EdDsa(HashAlg),
    /// `TPM_ALG_HASH_EDDSA`: Ed25519ph, and attestations with the hash of the key's Name.
    HashEdDsa(HashAlg),
    /// `TPM_ALG_MLDSA`: over the message, and attestations with the hash of the key's Name.
    MlDsa(HashAlg),
    /// `TPM_ALG_HASH_MLDSA`.
    HashMlDsa(HashAlg),
}

impl Scheme {
    /// Reads which scheme a `TPMT_SIGNATURE` claims; `None` if it is not well formed, not of the allow-list, or of a scheme
    /// whose attestations are made with a hash of the key.
    #[must_use]
    pub fn of(signature: &[u8]) -> Option<Self> {
        from_bytes::<TpmtSignature>(signature, &Supported::ALL).ok().as_ref().and_then(scheme)
    }

    pub(crate) const fn hash(self) -> HashAlg {
        match self {
            Scheme::RsaSsa(hash)
            | Scheme::RsaPss(hash)
            | Scheme::Ecdsa(hash)
            | Scheme::EdDsa(hash)
            | Scheme::HashEdDsa(hash)
            | Scheme::MlDsa(hash)
            | Scheme::HashMlDsa(hash) => hash,
        }
    }

    /// Tells whether a signature is by this scheme; what hash an attestation was made with, not all of them tell.
    fn made(self, signature: &TpmtSignature) -> bool {
        match (self, signature) {
            (Scheme::EdDsa(_), TpmtSignature::Eddsa(_))
            | (Scheme::HashEdDsa(_), TpmtSignature::HashEddsa(_))
            | (Scheme::MlDsa(_), TpmtSignature::Mldsa(_)) => true,
            (Scheme::HashMlDsa(hash), TpmtSignature::HashMldsa(hashed)) => crypto_hash(hashed.hash_alg) == Ok(hash),
            _ => scheme(signature) == Some(self),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Scheme::RsaSsa(_) => "RSASSA",
            Scheme::RsaPss(_) => "RSAPSS",
            Scheme::Ecdsa(_) => "ECDSA",
            Scheme::EdDsa(_) => "Ed25519",
            Scheme::HashEdDsa(_) => "Ed25519ph",
            Scheme::MlDsa(_) => "ML-DSA",
            Scheme::HashMlDsa(_) => "HashML-DSA",
        };
        write!(f, "{name} with {:?}", self.hash())
    }
}

/// A public key and the one scheme that it is used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerificationKey {
    pub(super) public: TpmtPublic,
    pub(super) scheme: Scheme,
}

impl VerificationKey {
    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Checks that this key signed `message`.
    pub(crate) fn verify(&self, backend: &dyn Backend, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature: TpmtSignature =
            from_bytes(signature, &Supported::ALL).map_err(|code| Error::Malformed { what: "TPMT_SIGNATURE", code })?;
        if !self.scheme.made(&signature) {
            let actual =
                scheme(&signature).map_or_else(|| String::from("of another kind"), |actual| actual.to_string());
            return Err(Error::SignatureScheme { expected: self.scheme.to_string(), actual });
        }
        let checked = match (&self.public.body, &signature) {
            (PublicBody::Ecc { parms, unique }, TpmtSignature::Ecdsa(ecdsa)) => {
                let digest = RustCrypto::hash(self.scheme.hash(), &[message]);
                verify_ecdsa(backend, (parms, unique), digest.as_bytes(), ecdsa)
            }
            _ => verify_message::<RustCrypto>(&self.public, &[], message, &signature),
        };
        checked.map_err(Error::Signature)
    }
}

fn verify_ecdsa(
    backend: &dyn Backend,
    (parms, unique): (&TpmsEccParms, &TpmsEccPoint),
    digest: &[u8],
    signature: &TpmsSignatureEcc,
) -> Result<(), ProtocolError> {
    let public = ecc_point(parms.curve_id, unique)?;
    let (r, s) = (signature.signature_r.as_bytes(), signature.signature_s.as_bytes());
    let signature = EccSignature::new(public.curve(), r, s).map_err(|_| CryptoError::SignatureInvalid)?;
    Ok(backend.ecdsa_verify(&public, digest, &signature)?)
}

/// Returns the signature's scheme, if it is one of the allow-list.
fn scheme(signature: &TpmtSignature) -> Option<Scheme> {
    let hash = crypto_hash(signature.hash_alg()).ok()?;
    match signature {
        TpmtSignature::Rsassa(_) => Some(Scheme::RsaSsa(hash)),
        TpmtSignature::Rsapss(_) => Some(Scheme::RsaPss(hash)),
        TpmtSignature::Ecdsa(_) => Some(Scheme::Ecdsa(hash)),
        _ => None,
    }
}
