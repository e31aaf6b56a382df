// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Secrets that somebody encrypted to a key of this TPM (Part 1, "Secret Sharing"): salts, credentials, duplicates.

use crate::algorithm;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, EccPrivate};
use evtpm_protocol::secret::{Label, PrivateKey, Seed, recover};
use evtpm_protocol::{ProtocolError, rsa_exponent};
use evtpm_tpm_wire::{EccCurve, PublicBody, Rc, SensitiveBody, Tpm2bPrivateKeyMldsa, Tpm2bPrivateKeyMlkem};
use zeroize::Zeroizing;

/// A private key ready for use.
pub(crate) enum Private<C: Crypto> {
    /// RSA.
    Rsa(C::RsaPrivate),
    /// ECC.
    Ecc(EccPrivate),
    /// X25519 or Ed25519.
    Curve25519(Zeroizing<[u8; 32]>),
    /// The seed of ML-KEM.
    MlKem(Tpm2bPrivateKeyMlkem),
    /// The seed of ML-DSA.
    MlDsa(Tpm2bPrivateKeyMldsa),
}

impl<C: Crypto> Private<C> {
    /// Lends the key as the protocol functions take it.
    ///
    /// `TPM_RC_KEY` for a key that only signs.
    pub(crate) fn as_key(&self) -> Result<PrivateKey<'_, C>, Rc> {
        match self {
            Self::Rsa(key) => Ok(PrivateKey::Rsa(key)),
            Self::Ecc(key) => Ok(PrivateKey::Ecc(key)),
            Self::Curve25519(key) => Ok(PrivateKey::X25519(key)),
            Self::MlKem(seed) => Ok(PrivateKey::MlKem(seed.as_bytes())),
            Self::MlDsa(_) => Err(Rc::KEY),
        }
    }
}

impl<P: Platform> Tpm<P> {
    /// Makes the private part of an asymmetric object ready for use; `TPM_RC_KEY` for anything else.
    pub(crate) fn private_key(&mut self, object: &Object) -> Result<Private<P::Crypto>, Rc> {
        match (&object.public.body, object.sensitive.as_ref().map(|sensitive| &sensitive.body)) {
            (PublicBody::Rsa { parms, unique }, Some(SensitiveBody::Rsa(prime))) => {
                let exponent = rsa_exponent(parms.exponent);
                let key = P::Crypto::rsa_load(unique.as_bytes(), exponent, prime.as_bytes());
                Ok(Private::Rsa(key.map_err(|error| self.refuse(error, Rc::KEY))?))
            }
            (PublicBody::Ecc { parms, .. }, Some(SensitiveBody::Ecc(private)))
                if parms.curve_id == EccCurve::Curve25519 =>
            {
                let key = private.as_bytes().try_into().map_err(|_| Rc::KEY)?;
                Ok(Private::Curve25519(Zeroizing::new(key)))
            }
            (PublicBody::Mlkem { .. }, Some(SensitiveBody::Mlkem(seed))) => Ok(Private::MlKem(seed.clone())),
            (
                PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. },
                Some(SensitiveBody::Mldsa(seed) | SensitiveBody::HashMldsa(seed)),
            ) => Ok(Private::MlDsa(seed.clone())),
            (PublicBody::Ecc { parms, .. }, Some(SensitiveBody::Ecc(private))) => {
                let curve = algorithm::curve(parms.curve_id).ok_or(Rc::CURVE)?;
                let key = EccPrivate::new(curve, private.as_bytes());
                Ok(Private::Ecc(key.map_err(|error| self.refuse(error, Rc::KEY))?))
            }
            _ => Err(Rc::KEY),
        }
    }

    /// Recovers a secret with an asymmetric key. What is no point and no ciphertext of the key's size is told apart
    /// (`TPM_RC_ECC_POINT`, `TPM_RC_SIZE`, …); whatever is wrong with the padding is `TPM_RC_VALUE`.
    pub(crate) fn recover_secret(&mut self, key: &Object, label: Label, encrypted: &[u8]) -> Result<Seed, Rc> {
        let private = self.private_key(key)?;
        let recovered = recover::<P::Crypto>(&key.public, private.as_key()?, label, encrypted, &mut self.rng());
        let is_ecc = matches!(key.public.body, PublicBody::Ecc { .. });
        let seed = recovered.map_err(|error| {
            // As the reference: a coordinate that the curve has no room for is of no point on it.
            let rc = if is_ecc && error.rc() == Rc::VALUE { Rc::ECC_POINT } else { error.rc() };
            self.refuse_protocol(error, rc)
        })?;
        // "the decrypted salt value is larger than the size of the digest produced by the nameAlg of tpmKey"
        let limit = key.public.name_alg.map_or(0, |alg| alg.digest_size());
        if seed.len() > limit { Err(Rc::VALUE) } else { Ok(seed) }
    }

    /// Translates a protocol error: what is the TPM's own fault fails it, all else is `refusal`.
    pub(crate) fn refuse_protocol(&mut self, error: ProtocolError, refusal: Rc) -> Rc {
        match error {
            ProtocolError::Crypto(error) => self.refuse(error, refusal),
            _ => refusal,
        }
    }
}
