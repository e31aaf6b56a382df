// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signing with a loaded key, and by which scheme (Part 3, "Attestation Commands", "Signing and Signature Verification").

use super::secret::{Private, private_key};
use crate::algorithm;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::padding::{pkcs1, pss};
use evtpm_crypto::{Crypto, CryptoError, EccPrivate, EccSignature, HashAlg, Rng, RsaKey, schnorr};
use evtpm_protocol::pss_salt_size;
use evtpm_tpm_wire::{
    Handle, Overflow, PublicBody, Rc, SensitiveBody, Subject, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmaObject,
    TpmsSignatureEcc, TpmsSignatureRsa, TpmtEccScheme, TpmtHa, TpmtKeyedhashScheme, TpmtPublic, TpmtRsaScheme,
    TpmtSigScheme, TpmtSignature,
};

/// Chooses the scheme: "applied only if the scheme of the key is TPM_ALG_NULL", otherwise "TPM_ALG_NULL or the same".
///
/// A scheme of another family than the key's is `TPM_RC_SCHEME` here, before anything is computed with it.
pub(crate) fn select_scheme(key: &TpmtPublic, requested: Option<TpmtSigScheme>) -> Result<TpmtSigScheme, Rc> {
    match (own_scheme(&key.body)?, requested) {
        // The counter of a commit is nothing that a key could know.
        (Some(TpmtSigScheme::Ecdaa(_)), None) => Err(Rc::SCHEME),
        (Some(TpmtSigScheme::Ecdaa(own)), Some(TpmtSigScheme::Ecdaa(requested)))
            if own.hash_alg == requested.hash_alg =>
        {
            Ok(TpmtSigScheme::Ecdaa(requested))
        }
        (Some(own), None) => Ok(own),
        (Some(own), Some(requested)) if own == requested => Ok(own),
        (None, Some(requested)) if is_of_family(&key.body, requested) => Ok(requested),
        _ => Err(Rc::SCHEME),
    }
}

fn own_scheme(key: &PublicBody) -> Result<Option<TpmtSigScheme>, Rc> {
    Ok(match key {
        PublicBody::Rsa { parms, .. } => match parms.scheme {
            None => None,
            Some(TpmtRsaScheme::Rsassa(hash)) => Some(TpmtSigScheme::Rsassa(hash)),
            Some(TpmtRsaScheme::Rsapss(hash)) => Some(TpmtSigScheme::Rsapss(hash)),
            Some(TpmtRsaScheme::Rsaes | TpmtRsaScheme::Oaep(_)) => return Err(Rc::SCHEME),
        },
        PublicBody::Ecc { parms, .. } => match parms.scheme {
            None => None,
            Some(TpmtEccScheme::Ecdsa(hash)) => Some(TpmtSigScheme::Ecdsa(hash)),
            Some(TpmtEccScheme::Ecdaa(ecdaa)) => Some(TpmtSigScheme::Ecdaa(ecdaa)),
            Some(TpmtEccScheme::Ecschnorr(hash)) => Some(TpmtSigScheme::Ecschnorr(hash)),
            Some(_) => return Err(Rc::SCHEME),
        },
        PublicBody::KeyedHash { scheme, .. } => match scheme {
            None => None,
            Some(TpmtKeyedhashScheme::Hmac(hash)) => Some(TpmtSigScheme::Hmac(*hash)),
            Some(TpmtKeyedhashScheme::Xor(_)) => return Err(Rc::SCHEME),
        },
        PublicBody::SymCipher { .. }
        | PublicBody::Mldsa { .. }
        | PublicBody::HashMldsa { .. }
        | PublicBody::Mlkem { .. } => return Err(Rc::SCHEME),
    })
}

const fn is_of_family(key: &PublicBody, scheme: TpmtSigScheme) -> bool {
    matches!(
        (key, scheme),
        (PublicBody::Rsa { .. }, TpmtSigScheme::Rsassa(_) | TpmtSigScheme::Rsapss(_))
            | (PublicBody::Ecc { .. }, TpmtSigScheme::Ecdsa(_) | TpmtSigScheme::Ecdaa(_) | TpmtSigScheme::Ecschnorr(_))
            | (PublicBody::KeyedHash { .. }, TpmtSigScheme::Hmac(_))
    )
}

impl<P: Platform> Tpm<P> {
    /// Finds a key that signs: "If the sign attribute is not SET in the key ... then the TPM shall return TPM_RC_KEY."
    pub(crate) fn signing_key(&self, handle: Handle, number: u8) -> Result<&Object, Rc> {
        self.object(handle)
            .filter(|key| key.has(TpmaObject::SIGN) && !matches!(key.public.body, PublicBody::SymCipher { .. }))
            .ok_or(Rc::KEY.at(Subject::Handle(number)))
    }

    /// Signs a digest of the scheme's size with a scheme of the key's family.
    #[inline(never)] // The stack of the arithmetic is deep enough without that of a command.
    pub(crate) fn sign(&mut self, handle: Handle, scheme: TpmtSigScheme, digest: &[u8]) -> Result<TpmtSignature, Rc> {
        let hash = scheme.hash_alg();
        let alg = algorithm::hash(hash).ok_or(Rc::SCHEME)?;
        let (state, mut rng, work) = self.split();
        let key = state.objects.object(handle).ok_or(Rc::KEY)?;
        if let (TpmtSigScheme::Hmac(_), Some(SensitiveBody::KeyedHash(secret))) =
            (scheme, key.sensitive.as_ref().map(|sensitive| &sensitive.body))
        {
            let mac = P::Crypto::hmac(alg, secret.as_bytes(), &[digest]);
            return TpmtHa::new(hash, mac.as_bytes()).map(TpmtSignature::Hmac).ok_or(Rc::FAILURE);
        }
        let signed = match private_key(key)? {
            Private::Rsa(private) => {
                let salt = pss_salt_size(&key.public, alg);
                sign_rsa::<P::Crypto>(private, scheme, (alg, salt), digest, &mut rng, work.memory()?)
            }
            Private::Ecc(private) => {
                let committed = match scheme {
                    TpmtSigScheme::Ecdaa(ecdaa) => {
                        let count = state.commits.find(ecdaa.count)?;
                        Some(state.committed::<P::Crypto>(private.curve(), Some(key), count))
                    }
                    _ => None,
                };
                let signed = sign_ecc::<P::Crypto>(&private, scheme, alg, committed.transpose(), digest, &mut rng);
                if let (TpmtSigScheme::Ecdaa(ecdaa), Ok(_)) = (scheme, &signed) {
                    state.commits.end(ecdaa.count);
                }
                signed
            }
            _ => return Err(Rc::SCHEME),
        };
        signed.map_err(|error| self.refuse(error, Rc::SCHEME))
    }
}

#[inline(never)] // One kind of arithmetic is on the stack.
fn sign_ecc<C: Crypto>(
    private: &EccPrivate,
    scheme: TpmtSigScheme,
    alg: HashAlg,
    committed: Result<Option<EccPrivate>, CryptoError>,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<TpmtSignature, CryptoError> {
    let hash = scheme.hash_alg();
    let (signature, kind): (_, fn(TpmsSignatureEcc) -> TpmtSignature) = match (scheme, committed?) {
        (TpmtSigScheme::Ecdsa(_), _) => (C::ecdsa_sign(private, digest, rng)?, TpmtSignature::Ecdsa),
        (TpmtSigScheme::Ecdaa(_), Some(committed)) => {
            (schnorr::sign_committed::<C>(private, &committed, alg, digest, rng)?, TpmtSignature::Ecdaa)
        }
        _ => (schnorr::sign::<C>(private, alg, digest, rng)?, TpmtSignature::Ecschnorr),
    };
    wire_signature(hash, &signature).map(kind)
}

#[inline(never)] // One kind of arithmetic is on the stack.
fn sign_rsa<C: Crypto>(
    private: RsaKey<'_>,
    scheme: TpmtSigScheme,
    (alg, salt): (HashAlg, usize),
    digest: &[u8],
    rng: &mut dyn Rng,
    memory: &mut C::RsaMemory,
) -> Result<TpmtSignature, CryptoError> {
    let size = private.modulus.len();
    let sig = Tpm2bPublicKeyRsa::zeros(size).map_err(|Overflow| too_long(size))?;
    let mut signature = TpmsSignatureRsa { hash: scheme.hash_alg(), sig };
    let block = signature.sig.as_mut_bytes();
    let is_pss = matches!(scheme, TpmtSigScheme::Rsapss(_));
    if is_pss {
        pss::encode::<C::Hasher>(alg, digest, salt, size.saturating_mul(8), rng, block)?;
    } else {
        pkcs1::encode_signature(alg, digest, block)?;
    }
    C::rsa_private(private, block, rng, memory)?;
    Ok(if is_pss { TpmtSignature::Rsapss(signature) } else { TpmtSignature::Rsassa(signature) })
}

fn wire_signature(hash: evtpm_tpm_wire::HashAlg, signature: &EccSignature) -> Result<TpmsSignatureEcc, CryptoError> {
    let number = |bytes: &[u8]| Tpm2bEccParameter::new(bytes).map_err(|Overflow| too_long(bytes.len()));
    Ok(TpmsSignatureEcc { hash, signature_r: number(signature.r())?, signature_s: number(signature.s())? })
}

const fn too_long(actual: usize) -> CryptoError {
    CryptoError::OutputTooLong { actual }
}
