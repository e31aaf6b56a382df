// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Secrets that somebody encrypted to a key of this TPM (Part 1, "Secret Sharing"): salts, credentials, duplicates.

use crate::algorithm;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::{EccPrivate, RsaKey};
use evtpm_protocol::secret::{Label, PrivateKey, Seed, recover};
use evtpm_protocol::{ProtocolError, rsa_exponent};
use evtpm_tpm_wire::{EccCurve, Handle, PublicBody, Rc, SensitiveBody};

/// The private part of a key, where it lies.
pub(crate) enum Private<'a> {
    /// RSA.
    Rsa(RsaKey<'a>),
    /// ECC.
    Ecc(EccPrivate),
    /// X25519 or Ed25519.
    Curve25519(&'a [u8; 32]),
    /// The seed of ML-KEM.
    MlKem(&'a [u8]),
    /// The seed of ML-DSA.
    MlDsa(&'a [u8]),
}

/// Finds the private part of an asymmetric object; `TPM_RC_KEY` for anything else.
pub(crate) fn private_key(object: &Object) -> Result<Private<'_>, Rc> {
    match (&object.public.body, object.sensitive.as_ref().map(|sensitive| &sensitive.body)) {
        (PublicBody::Rsa { parms, unique }, Some(SensitiveBody::Rsa(prime))) => {
            let exponent = rsa_exponent(parms.exponent);
            Ok(Private::Rsa(RsaKey { modulus: unique.as_bytes(), exponent, prime: prime.as_bytes() }))
        }
        (PublicBody::Ecc { parms, .. }, Some(SensitiveBody::Ecc(private)))
            if parms.curve_id == EccCurve::Curve25519 =>
        {
            Ok(Private::Curve25519(private.as_bytes().try_into().map_err(|_| Rc::KEY)?))
        }
        (PublicBody::Mlkem { .. }, Some(SensitiveBody::Mlkem(seed))) => Ok(Private::MlKem(seed.as_bytes())),
        (
            PublicBody::Mldsa { .. } | PublicBody::HashMldsa { .. },
            Some(SensitiveBody::Mldsa(seed) | SensitiveBody::HashMldsa(seed)),
        ) => Ok(Private::MlDsa(seed.as_bytes())),
        (PublicBody::Ecc { parms, .. }, Some(SensitiveBody::Ecc(private))) => {
            let curve = algorithm::curve(parms.curve_id).ok_or(Rc::CURVE)?;
            Ok(Private::Ecc(EccPrivate::new(curve, private.as_bytes()).map_err(|_| Rc::KEY)?))
        }
        _ => Err(Rc::KEY),
    }
}

impl<P: Platform> Tpm<P> {
    /// Recovers a secret with an asymmetric key. What is no point and no ciphertext of the key's size is told apart
    /// (`TPM_RC_ECC_POINT`, `TPM_RC_SIZE`, …); whatever is wrong with the padding is `TPM_RC_VALUE`.
    #[inline(never)] // The stack of the arithmetic is deep enough without that of a command.
    pub(crate) fn recover_secret(&mut self, handle: Handle, label: Label, encrypted: &[u8]) -> Result<Seed, Rc> {
        let (state, mut rng, work) = self.split();
        let key = state.objects.object(handle).ok_or(Rc::KEY)?;
        let private = private_key(key)?;
        let private = match &private {
            Private::Rsa(key) => PrivateKey::Rsa(*key, work.memory()?),
            Private::Ecc(key) => PrivateKey::Ecc(key),
            Private::Curve25519(key) => PrivateKey::X25519(key),
            Private::MlKem(seed) => PrivateKey::MlKem(seed),
            Private::MlDsa(_) => return Err(Rc::KEY),
        };
        // "the decrypted salt value is larger than the size of the digest produced by the nameAlg of tpmKey"
        let limit = key.public.name_alg.map_or(0, |alg| alg.digest_size());
        let is_ecc = matches!(key.public.body, PublicBody::Ecc { .. });
        match recover::<P::Crypto>(&key.public, private, label, encrypted, &mut rng) {
            Ok(seed) if seed.len() > limit => Err(Rc::VALUE),
            Ok(seed) => Ok(seed),
            // As the reference: a coordinate that the curve has no room for is of no point on it.
            Err(error) if is_ecc && error.rc() == Rc::VALUE => Err(self.refuse_protocol(error, Rc::ECC_POINT)),
            Err(error) => Err(self.refuse_protocol(error, error.rc())),
        }
    }

    /// Translates a protocol error: what is the TPM's own fault fails it, all else is `refusal`.
    pub(crate) fn refuse_protocol(&mut self, error: ProtocolError, refusal: Rc) -> Rc {
        match error {
            ProtocolError::Crypto(error) => self.refuse(error, refusal),
            _ => refusal,
        }
    }
}
