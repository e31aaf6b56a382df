// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a message to what its scheme signs, in pieces (Part 3, "Signing and Signature Verification", table of schemes).
use evtpm_crypto::{
    Crypto, CryptoError, Digest, EdDsa, HashAlg as Hash, MU_SIZE, StreamingHash, mu_of_digest, mu_of_message,
};
use evtpm_tpm_wire::{
    HashAlg, Large, MAX_SIGNATURE_CONTEXT, PublicBody, TpmsEccParms, TpmsEccPoint, TpmtEccScheme, TpmtPublic,
    TpmtRsaScheme, TpmtSignature,
};

use crate::{ProtocolError, crypto_hash, curve25519_key, mldsa_set, verify_signature};

/// What becomes of a hashed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The digest is signed: RSASSA, RSAPSS, ECDSA, HashEdDSA.
    Digest,
    /// The digest is the message representative of ML-DSA.
    Representative,
    /// The digest goes into the message representative of HashML-DSA.
    PreHash,
    /// The digest is the challenge of EdDSA, which only a verifier can compute in pieces.
    Challenge,
}

/// A message on its way.
#[derive(Clone)]
pub struct MessageHash<H> {
    /// What becomes of it.
    pub form: Form,
    /// The running hash.
    pub hasher: H,
    /// What is needed at the end: the context of HashML-DSA, or R of EdDSA.
    pub context: Large<MAX_SIGNATURE_CONTEXT>,
}

impl<H> core::fmt::Debug for MessageHash<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MessageHash").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Returns the hash that the key's own scheme applies to a message or, for ML-DSA, to `tr` and the message.
///
/// `ProtocolError::SignatureKind` for a key without a signature scheme of its own.
pub fn scheme_hash(public: &TpmtPublic) -> Result<HashAlg, ProtocolError> {
    Ok(match &public.body {
        PublicBody::Rsa { parms, .. } => match parms.scheme {
            Some(TpmtRsaScheme::Rsassa(hash) | TpmtRsaScheme::Rsapss(hash)) => hash,
            _ => return Err(ProtocolError::SignatureKind),
        },
        PublicBody::Ecc { parms, .. } => match parms.scheme {
            Some(scheme @ (TpmtEccScheme::Ecdsa(_) | TpmtEccScheme::Eddsa | TpmtEccScheme::HashEddsa)) => {
                scheme.hash_alg()
            }
            _ => return Err(ProtocolError::SignatureKind),
        },
        PublicBody::Mldsa { .. } => HashAlg::Shake256_512,
        PublicBody::HashMldsa { parms, .. } => parms.hash_alg,
        PublicBody::KeyedHash { .. } | PublicBody::SymCipher { .. } | PublicBody::Mlkem { .. } => {
            return Err(ProtocolError::SignatureKind);
        }
    })
}

impl<H: StreamingHash> MessageHash<H> {
    /// Starts with a key that has a scheme of its own. `r` is the first half of the signature, which EdDSA needs.
    ///
    /// `ProtocolError::SignatureKind` for another key, `ProtocolError::Context` when the scheme takes no such context.
    pub fn start<C: Crypto<Hasher = H>>(public: &TpmtPublic, context: &[u8], r: &[u8]) -> Result<Self, ProtocolError> {
        let hash = crypto_hash(scheme_hash(public)?)?;
        let none = Large::EMPTY;
        Ok(match &public.body {
            PublicBody::Mldsa { unique, .. } => {
                let hasher = mu_of_message::<C>(unique.as_bytes(), context).map_err(|_| ProtocolError::Context)?;
                Self { form: Form::Representative, hasher, context: none }
            }
            PublicBody::HashMldsa { .. } => {
                let context = Large::new(context).map_err(|_| ProtocolError::Context)?;
                Self { form: Form::PreHash, hasher: H::new(hash), context }
            }
            _ if !context.is_empty() => return Err(ProtocolError::Context),
            PublicBody::Ecc { parms: TpmsEccParms { scheme: Some(TpmtEccScheme::Eddsa), .. }, unique } => {
                let hasher = EdDsa::Pure.challenge(r, &curve25519_key(unique)?);
                Self { form: Form::Challenge, hasher, context: Large::new(r)? }
            }
            _ => Self { form: Form::Digest, hasher: H::new(hash), context: none },
        })
    }

    /// Takes in more of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.hasher.update(data);
    }

    /// Ends with what is signed: a digest, a message representative or a challenge.
    pub fn finish<C: Crypto<Hasher = H>>(self, public: &TpmtPublic) -> Result<Digest, ProtocolError> {
        let digest = self.hasher.finish();
        match (self.form, &public.body) {
            (Form::PreHash, PublicBody::HashMldsa { parms, unique }) => {
                let hash = crypto_hash(parms.hash_alg)?;
                Ok(mu_of_digest::<C>(unique.as_bytes(), self.context.as_bytes(), hash, digest.as_bytes())?)
            }
            _ => Ok(digest),
        }
    }

    /// Ends by verifying a signature by the scheme of the key, `ProtocolError::SignatureKind` if it is by another.
    ///
    /// A challenge is one of R alone: with another R than the signature's, anybody could make a signature that fits it.
    pub fn verify<C: Crypto<Hasher = H>>(
        self,
        public: &TpmtPublic,
        signature: &TpmtSignature,
    ) -> Result<(), ProtocolError> {
        let is_of_another_r = self.form == Form::Challenge && self.context.as_bytes() != hint(signature);
        let signed = self.finish::<C>(public)?;
        match verify_signed::<C>(public, &signed, signature) {
            Ok(()) if is_of_another_r => Err(CryptoError::SignatureInvalid.into()),
            verified => verified,
        }
    }
}

/// Verifies a signature over a digest that the caller computed, or over a message representative of ML-DSA.
///
/// `ProtocolError::SignatureKind` when the scheme of the key takes no digests or is not that of the signature.
pub fn verify_digest<C: Crypto>(
    public: &TpmtPublic,
    context: &[u8],
    digest: &[u8],
    signature: &TpmtSignature,
) -> Result<(), ProtocolError> {
    verify_signed::<C>(public, &of_digest::<C>(public, context, digest)?, signature)
}

/// Finds what is signed when the caller hashed the message: the representative of HashML-DSA, or what came.
///
/// A digest of another size than the scheme's is `ProtocolError::TooLong`. EdDSA signs no digest: what comes would pass for
/// its challenge.
pub fn of_digest<C: Crypto>(public: &TpmtPublic, context: &[u8], digest: &[u8]) -> Result<Digest, ProtocolError> {
    let hash = scheme_hash(public)?;
    if digest.len() != hash.digest_size() {
        return Err(ProtocolError::TooLong);
    }
    match &public.body {
        PublicBody::Ecc { parms: TpmsEccParms { scheme: Some(TpmtEccScheme::Eddsa), .. }, .. } => {
            Err(ProtocolError::SignatureKind)
        }
        PublicBody::HashMldsa { unique, .. } => {
            mu_of_digest::<C>(unique.as_bytes(), context, crypto_hash(hash)?, digest).map_err(|error| match error {
                CryptoError::MessageTooLong { .. } => ProtocolError::Context,
                error => error.into(),
            })
        }
        // "the digest value will be interpreted as the 64-byte external Mu": the context went into it before
        _ if !context.is_empty() => Err(ProtocolError::Context),
        _ => Digest::from_slice(digest).ok_or(ProtocolError::TooLong),
    }
}

/// Verifies a signature with what [`MessageHash::finish`] or [`of_digest`] found.
fn verify_signed<C: Crypto>(
    public: &TpmtPublic,
    signed: &Digest,
    signature: &TpmtSignature,
) -> Result<(), ProtocolError> {
    if scheme_hash(public)? != signature.hash_alg() {
        return Err(ProtocolError::SignatureKind);
    }
    match (&public.body, signature) {
        (PublicBody::Mldsa { parms, unique }, TpmtSignature::Mldsa(signature)) => {
            let (set, mu) = (mldsa_set(parms.parameter_set), representative(signed)?);
            Ok(C::mldsa_verify(set, unique.as_bytes(), mu, signature.as_bytes())?)
        }
        (PublicBody::HashMldsa { parms, unique }, TpmtSignature::HashMldsa(hashed)) => {
            let (set, mu) = (mldsa_set(parms.parameter_set), representative(signed)?);
            Ok(C::mldsa_verify(set, unique.as_bytes(), mu, hashed.signature.as_bytes())?)
        }
        (PublicBody::Ecc { parms, unique }, TpmtSignature::Eddsa(signature))
            if parms.scheme == Some(TpmtEccScheme::Eddsa) =>
        {
            verify_ed25519::<C>(unique, signed, signature.as_bytes())
        }
        (PublicBody::Ecc { parms, unique }, TpmtSignature::HashEddsa(signature))
            if parms.scheme == Some(TpmtEccScheme::HashEddsa) =>
        {
            let r = signature.as_bytes().get(..32).ok_or(CryptoError::SignatureInvalid)?;
            let mut hasher: C::Hasher = EdDsa::PreHash.challenge(r, &curve25519_key(unique)?);
            hasher.update(signed.as_bytes());
            verify_ed25519::<C>(unique, &hasher.finish(), signature.as_bytes())
        }
        (PublicBody::Rsa { parms, .. }, signature) => match (parms.scheme, signature) {
            (Some(TpmtRsaScheme::Rsassa(_)), TpmtSignature::Rsassa(_))
            | (Some(TpmtRsaScheme::Rsapss(_)), TpmtSignature::Rsapss(_)) => {
                verify_signature::<C>(public, signed.as_bytes(), signature)
            }
            _ => Err(ProtocolError::SignatureKind),
        },
        _ => verify_signature::<C>(public, signed.as_bytes(), signature),
    }
}

/// Verifies a signature over a message by the key's own scheme, with a context where the scheme has one.
pub fn verify_message<C: Crypto>(
    public: &TpmtPublic,
    context: &[u8],
    message: &[u8],
    signature: &TpmtSignature,
) -> Result<(), ProtocolError> {
    let mut hash = MessageHash::start::<C>(public, context, hint(signature))?;
    hash.update(message);
    hash.verify::<C>(public, signature)
}

/// Returns what the verifier of a message must know of its signature before the message: "hint contains the encoded R
/// value from the signature" of EdDSA, and nothing for all other schemes.
pub fn hint(signature: &TpmtSignature) -> &[u8] {
    match signature {
        TpmtSignature::Eddsa(signature) => signature.as_bytes().get(..32).unwrap_or_default(),
        _ => &[],
    }
}

fn verify_ed25519<C: Crypto>(unique: &TpmsEccPoint, challenge: &Digest, signature: &[u8]) -> Result<(), ProtocolError> {
    let signature = signature.try_into().map_err(|_| CryptoError::SignatureInvalid)?;
    Ok(C::ed25519_verify(&curve25519_key(unique)?, challenge, signature)?)
}

/// Returns a digest as the message representative that it is.
pub fn representative(digest: &Digest) -> Result<&[u8; MU_SIZE], ProtocolError> {
    let expected = Hash::Shake256_512.digest_size();
    let error = CryptoError::Length { expected, actual: digest.len() };
    digest.as_bytes().try_into().map_err(|_| error.into())
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;
    use evtpm_tpm_wire::{
        EccCurve, Tpm2bEccParameter, Tpm2bPublicKeyMldsa, Tpm2bSignatureEddsa, Tpm2bSignatureMldsa, TpmaObject,
        TpmiMldsaParms, TpmsHashMldsaParms, TpmsSignatureHashMldsa,
    };

    use super::*;
    use crate::templates::pqc;
    use crate::testing::CountingRng;

    const INVALID: Result<(), ProtocolError> = Err(ProtocolError::Crypto(CryptoError::SignatureInvalid));

    fn mldsa_key() -> TpmtPublic {
        let mut public = pqc::attestation_key(TpmiMldsaParms::MlDsa44);
        let PublicBody::Mldsa { unique, .. } = &mut public.body else { panic!("an ML-DSA key") };
        *unique = Tpm2bPublicKeyMldsa::zeros(1312).unwrap();
        let set = mldsa_set(TpmiMldsaParms::MlDsa44);
        RustCrypto::mldsa_public(set, &[7; 32], unique.as_mut_bytes()).unwrap();
        public
    }

    fn mldsa_sign(mu: &Digest) -> Tpm2bSignatureMldsa {
        let set = mldsa_set(TpmiMldsaParms::MlDsa44);
        let mut signature = Tpm2bSignatureMldsa::zeros(set.signature_size()).unwrap();
        let (mu, rng) = (representative(mu).unwrap(), &mut CountingRng::new(3));
        RustCrypto::mldsa_sign(set, &[7; 32], mu, rng, signature.as_mut_bytes()).unwrap();
        signature
    }

    fn ed25519_key(scheme: TpmtEccScheme) -> TpmtPublic {
        let x = Tpm2bEccParameter::new(&RustCrypto::ed25519_public(&[7; 32]).unwrap()).unwrap();
        let unique = TpmsEccPoint { x, y: Tpm2bEccParameter::EMPTY };
        let curve_id = EccCurve::Curve25519;
        let parms = TpmsEccParms { symmetric: None, scheme: Some(scheme), curve_id, kdf: None };
        TpmtPublic {
            name_alg: Some(HashAlg::Sha256),
            object_attributes: TpmaObject::SIGN,
            auth_policy: Default::default(),
            body: PublicBody::Ecc { parms, unique },
        }
    }

    #[test]
    fn an_mldsa_signature_is_over_message_and_context() {
        let public = mldsa_key();
        let mut hash = MessageHash::start::<RustCrypto>(&public, b"context", &[]).unwrap();
        hash.update(b"mes");
        hash.update(b"sage");
        let signature = TpmtSignature::Mldsa(mldsa_sign(&hash.finish::<RustCrypto>(&public).unwrap()));
        let verify = |context, message| verify_message::<RustCrypto>(&public, context, message, &signature);
        assert_eq!(verify(b"context", b"message"), Ok(()));
        assert_eq!(verify(b"", b"message"), INVALID);
        assert_eq!(verify(b"context", b"another"), INVALID);
        assert_eq!(verify(&[0; 256], b"message"), Err(ProtocolError::Context));
    }

    #[test]
    fn a_hash_mldsa_signature_is_the_same_over_message_and_digest() {
        let mut public = mldsa_key();
        if let PublicBody::Mldsa { unique, .. } = public.body.clone() {
            let parms = TpmsHashMldsaParms { parameter_set: TpmiMldsaParms::MlDsa44, hash_alg: HashAlg::Sha384 };
            public.body = PublicBody::HashMldsa { parms, unique };
        }
        let digest = RustCrypto::hash(Hash::Sha384, &[b"message"]);
        let mu = of_digest::<RustCrypto>(&public, b"context", digest.as_bytes()).unwrap();
        let hashed = |hash_alg| TpmsSignatureHashMldsa { hash_alg, signature: mldsa_sign(&mu) };
        let signature = TpmtSignature::HashMldsa(hashed(HashAlg::Sha384));
        assert_eq!(verify_message::<RustCrypto>(&public, b"context", b"message", &signature), Ok(()));
        assert_eq!(verify_digest::<RustCrypto>(&public, b"context", digest.as_bytes(), &signature), Ok(()));
        assert_eq!(verify_digest::<RustCrypto>(&public, b"", digest.as_bytes(), &signature), INVALID);
        let other = TpmtSignature::HashMldsa(hashed(HashAlg::Sha3_384));
        let refused = verify_digest::<RustCrypto>(&public, b"context", digest.as_bytes(), &other);
        assert_eq!(refused, Err(ProtocolError::SignatureKind));
    }

    #[test]
    fn an_eddsa_challenge_is_of_one_r() {
        let public = ed25519_key(TpmtEccScheme::Eddsa);
        let bytes = RustCrypto::ed25519_sign(&[7; 32], EdDsa::Pure, &[b"message"]).unwrap();
        let signature = TpmtSignature::Eddsa(Tpm2bSignatureEddsa::new(&bytes).unwrap());
        assert_eq!(verify_message::<RustCrypto>(&public, &[], b"message", &signature), Ok(()));
        assert_eq!(verify_message::<RustCrypto>(&public, &[], b"another", &signature), INVALID);
        let mut other = MessageHash::start::<RustCrypto>(&public, &[], &[9; 32]).unwrap();
        other.update(b"message");
        assert_eq!(other.verify::<RustCrypto>(&public, &signature), INVALID);
        // Nobody may bring the challenge along.
        let refused = verify_digest::<RustCrypto>(&public, &[], &[7; 64], &signature);
        assert_eq!(refused, Err(ProtocolError::SignatureKind));
    }

    #[test]
    fn the_two_kinds_of_eddsa_are_kept_apart() {
        let public = ed25519_key(TpmtEccScheme::HashEddsa);
        let digest = RustCrypto::hash(Hash::Sha512, &[b"message"]);
        let bytes = RustCrypto::ed25519_sign(&[7; 32], EdDsa::PreHash, &[digest.as_bytes()]).unwrap();
        let buffer = Tpm2bSignatureEddsa::new(&bytes).unwrap();
        let signature = TpmtSignature::HashEddsa(buffer);
        assert_eq!(verify_message::<RustCrypto>(&public, &[], b"message", &signature), Ok(()));
        assert_eq!(verify_digest::<RustCrypto>(&public, &[], digest.as_bytes(), &signature), Ok(()));
        let pure = verify_message::<RustCrypto>(&public, &[], b"message", &TpmtSignature::Eddsa(buffer));
        assert_eq!(pure, Err(ProtocolError::SignatureKind));
        let context = verify_message::<RustCrypto>(&public, b"context", b"message", &signature);
        assert_eq!(context, Err(ProtocolError::Context));
    }
}
