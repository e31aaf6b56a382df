// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signing with a loaded key, and by which scheme (Part 3, "Attestation Commands", "Signing and Signature Verification").

use super::secret::Private;
use crate::algorithm;
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::padding::{pkcs1, pss};
use evtpm_crypto::{Crypto, CryptoError, EccSignature, HashAlg, Rng, schnorr};
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

    /// Looks whether the commit that an anonymous scheme names can be completed; the others name none.
    pub(crate) fn check_commit(&self, scheme: TpmtSigScheme) -> Result<(), Rc> {
        let TpmtSigScheme::Ecdaa(ecdaa) = scheme else { return Ok(()) };
        self.state.commits.find(ecdaa.count).map(|_| ())
    }

    /// Signs a digest of the scheme's size with a scheme of the key's family.
    pub(crate) fn sign(&mut self, key: &Object, scheme: TpmtSigScheme, digest: &[u8]) -> Result<TpmtSignature, Rc> {
        let hash = scheme.hash_alg();
        let alg = algorithm::hash(hash).ok_or(Rc::SCHEME)?;
        if let (TpmtSigScheme::Hmac(_), Some(SensitiveBody::KeyedHash(secret))) =
            (scheme, key.sensitive.as_ref().map(|sensitive| &sensitive.body))
        {
            let mac = P::Crypto::hmac(alg, secret.as_bytes(), &[digest]);
            return TpmtHa::new(hash, mac.as_bytes()).map(TpmtSignature::Hmac).ok_or(Rc::FAILURE);
        }
        let private = self.private_key(key)?;
        let signed = match (&private, scheme) {
            (Private::Rsa(private), TpmtSigScheme::Rsassa(_)) => {
                sign_rsassa::<P::Crypto>(&key.public, private, alg, digest, &mut self.rng())
                    .map(|sig| TpmtSignature::Rsassa(TpmsSignatureRsa { hash, sig }))
            }
            (Private::Rsa(private), TpmtSigScheme::Rsapss(_)) => {
                sign_rsapss::<P::Crypto>(&key.public, private, alg, digest, &mut self.rng())
                    .map(|sig| TpmtSignature::Rsapss(TpmsSignatureRsa { hash, sig }))
            }
            (Private::Ecc(private), TpmtSigScheme::Ecdsa(_)) => {
                let signature = P::Crypto::ecdsa_sign(private, digest, &mut self.rng());
                signature.and_then(|signature| wire_signature(hash, &signature)).map(TpmtSignature::Ecdsa)
            }
            (Private::Ecc(private), TpmtSigScheme::Ecschnorr(_)) => {
                let signature = schnorr::sign::<P::Crypto>(private, alg, digest, &mut self.rng());
                signature.and_then(|signature| wire_signature(hash, &signature)).map(TpmtSignature::Ecschnorr)
            }
            (Private::Ecc(private), TpmtSigScheme::Ecdaa(ecdaa)) => {
                let count = self.state.commits.find(ecdaa.count)?;
                let signature = self.committed(private.curve(), Some(key), count).and_then(|committed| {
                    schnorr::sign_committed::<P::Crypto>(private, &committed, alg, digest, &mut self.rng())
                });
                let signature = signature.and_then(|signature| wire_signature(hash, &signature));
                if signature.is_ok() {
                    self.state.commits.end(ecdaa.count);
                }
                signature.map(TpmtSignature::Ecdaa)
            }
            _ => return Err(Rc::SCHEME),
        };
        signed.map_err(|error| self.refuse(error, Rc::SCHEME))
    }
}

fn sign_rsassa<C: Crypto>(
    key: &TpmtPublic,
    private: &C::RsaPrivate,
    alg: HashAlg,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<Tpm2bPublicKeyRsa, CryptoError> {
    let (_, mut block) = empty_block(key)?;
    pkcs1::encode_signature(alg, digest, block.as_mut_bytes())?;
    C::rsa_private(private, block.as_mut_bytes(), rng)?;
    Ok(block)
}

fn sign_rsapss<C: Crypto>(
    key: &TpmtPublic,
    private: &C::RsaPrivate,
    alg: HashAlg,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<Tpm2bPublicKeyRsa, CryptoError> {
    let (bits, mut block) = empty_block(key)?;
    let salt = pss_salt_size(key, alg);
    pss::encode::<C::Hasher>(alg, digest, salt, bits, rng, block.as_mut_bytes())?;
    C::rsa_private(private, block.as_mut_bytes(), rng)?;
    Ok(block)
}

/// Makes room for a signature of an RSA key, and tells the key's size in bits.
fn empty_block(key: &TpmtPublic) -> Result<(usize, Tpm2bPublicKeyRsa), CryptoError> {
    let PublicBody::Rsa { parms, unique } = &key.body else { return Err(CryptoError::RsaKeyInconsistent) };
    let block = Tpm2bPublicKeyRsa::zeros(unique.len()).map_err(|Overflow| too_long(unique.len()))?;
    Ok((usize::from(parms.key_bits.0), block))
}

fn wire_signature(hash: evtpm_tpm_wire::HashAlg, signature: &EccSignature) -> Result<TpmsSignatureEcc, CryptoError> {
    let number = |bytes: &[u8]| Tpm2bEccParameter::new(bytes).map_err(|Overflow| too_long(bytes.len()));
    Ok(TpmsSignatureEcc { hash, signature_r: number(signature.r())?, signature_s: number(signature.s())? })
}

const fn too_long(actual: usize) -> CryptoError {
    CryptoError::OutputTooLong { actual }
}
