// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signing by the scheme of the key, a scheme of version 185 included (Part 3, "Signing and Signature Verification").

use super::secret::{Private, private_key};
use super::signing::select_scheme;
use crate::algorithm;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError, Digest, EdDsa};
use evtpm_protocol::message::{MessageHash, representative};
use evtpm_protocol::{ProtocolError, mldsa_set};
use evtpm_tpm_wire::{
    Handle, HashAlg, Overflow, PublicBody, Rc, Tpm2bSignatureEddsa, Tpm2bSignatureMldsa, TpmiMldsaParms,
    TpmsSignatureHashMldsa, TpmtEccScheme, TpmtKeyedhashScheme, TpmtPublic, TpmtRsaScheme, TpmtSigScheme,
    TpmtSignature,
};

/// By what a key signs. `TPMU_SIG_SCHEME` has no ML-DSA: no command can choose it, the type of the key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// What `TPMT_SIG_SCHEME` can name.
    Named(TpmtSigScheme),
    /// ML-DSA with a parameter set.
    MlDsa(TpmiMldsaParms),
    /// HashML-DSA with a parameter set and its hash.
    HashMlDsa(TpmiMldsaParms, HashAlg),
}

impl Scheme {
    /// Finds the scheme of the key itself: "If keyHandle refers to a key whose scheme is TPM_ALG_NULL, the TPM shall return
    /// TPM_RC_SCHEME."
    pub(crate) fn of(key: &TpmtPublic) -> Result<Self, Rc> {
        let named = match &key.body {
            PublicBody::Mldsa { parms, .. } => return Ok(Self::MlDsa(parms.parameter_set)),
            PublicBody::HashMldsa { parms, .. } => return Ok(Self::HashMlDsa(parms.parameter_set, parms.hash_alg)),
            PublicBody::Rsa { parms, .. } => match parms.scheme {
                Some(TpmtRsaScheme::Rsassa(hash)) => TpmtSigScheme::Rsassa(hash),
                Some(TpmtRsaScheme::Rsapss(hash)) => TpmtSigScheme::Rsapss(hash),
                _ => return Err(Rc::SCHEME),
            },
            PublicBody::Ecc { parms, .. } => match parms.scheme {
                Some(TpmtEccScheme::Ecdsa(hash)) => TpmtSigScheme::Ecdsa(hash),
                Some(TpmtEccScheme::Eddsa) => TpmtSigScheme::Eddsa,
                Some(TpmtEccScheme::HashEddsa) => TpmtSigScheme::HashEddsa,
                _ => return Err(Rc::SCHEME),
            },
            PublicBody::KeyedHash { scheme, .. } => match scheme {
                Some(TpmtKeyedhashScheme::Hmac(hash)) => TpmtSigScheme::Hmac(*hash),
                _ => return Err(Rc::SCHEME),
            },
            PublicBody::SymCipher { .. } | PublicBody::Mlkem { .. } => return Err(Rc::SCHEME),
        };
        Ok(Self::Named(named))
    }

    /// Chooses the scheme of an attestation: the key's own, or what the caller asks for if the key leaves it open.
    pub(crate) fn select(key: &TpmtPublic, requested: Option<TpmtSigScheme>) -> Result<Self, Rc> {
        match Self::of(key) {
            Ok(own @ (Self::MlDsa(_) | Self::HashMlDsa(..))) if requested.is_none() => Ok(own),
            Ok(Self::MlDsa(_) | Self::HashMlDsa(..)) => Err(Rc::SCHEME),
            Ok(own @ Self::Named(TpmtSigScheme::Eddsa | TpmtSigScheme::HashEddsa)) => match requested {
                Some(requested) if Self::Named(requested) != own => Err(Rc::SCHEME),
                _ => Ok(own),
            },
            _ => select_scheme(key, requested).map(Self::Named),
        }
    }

    /// Returns a bound for the size of a signature on the wire: selector, hash and sizes included.
    pub(crate) const fn signature_size(self) -> usize {
        match self {
            Self::Named(_) => 528,
            Self::MlDsa(parms) | Self::HashMlDsa(parms, _) => mldsa_set(parms).signature_size().saturating_add(8),
        }
    }

    /// Returns the hash that the scheme applies to a message.
    pub(crate) const fn hash(self) -> HashAlg {
        match self {
            Self::Named(scheme) => scheme.hash_alg(),
            Self::MlDsa(_) => HashAlg::Shake256_512,
            Self::HashMlDsa(_, hash) => hash,
        }
    }

    /// Returns the hash of what an attestation digests, as the PCRs of a quote: "using the hash algorithm in the selected
    /// signing scheme". ML-DSA and EdDSA leave no choice of a hash, so that it is the nameAlg of the key.
    pub(crate) fn hash_for_attestation(self, key: &TpmtPublic) -> Option<HashAlg> {
        match self {
            Self::Named(TpmtSigScheme::Eddsa | TpmtSigScheme::HashEddsa) | Self::MlDsa(_) => key.name_alg,
            Self::Named(_) | Self::HashMlDsa(..) => Some(self.hash()),
        }
    }
}

impl<P: Platform> Tpm<P> {
    /// Signs a whole message without a context.
    pub(crate) fn sign_message(&mut self, key: Handle, scheme: Scheme, message: &[u8]) -> Result<TpmtSignature, Rc> {
        match scheme {
            Scheme::Named(TpmtSigScheme::Eddsa) => self.sign_with_ed25519(key, EdDsa::Pure, message),
            Scheme::Named(scheme) => {
                let alg = algorithm::hash(scheme.hash_alg()).ok_or(Rc::SCHEME)?;
                self.sign_finished(key, Scheme::Named(scheme), &P::Crypto::hash(alg, &[message]))
            }
            Scheme::MlDsa(_) | Scheme::HashMlDsa(..) => {
                let public = &self.object(key).ok_or(Rc::KEY)?.public;
                let signed = hash_message::<P::Crypto>(public, message).map_err(ProtocolError::rc)?;
                self.sign_finished(key, scheme, &signed)
            }
        }
    }

    /// Signs what a message became: a digest, or a message representative of ML-DSA.
    pub(crate) fn sign_finished(&mut self, key: Handle, scheme: Scheme, signed: &Digest) -> Result<TpmtSignature, Rc> {
        match scheme {
            Scheme::Named(TpmtSigScheme::HashEddsa) => self.sign_with_ed25519(key, EdDsa::PreHash, signed.as_bytes()),
            // It signs no digest; see `sign_message`.
            Scheme::Named(TpmtSigScheme::Eddsa) => Err(Rc::SCHEME),
            Scheme::Named(scheme) => self.sign(key, scheme, signed.as_bytes()),
            Scheme::MlDsa(parms) => self.sign_with_mldsa(key, parms, signed).map(TpmtSignature::Mldsa),
            Scheme::HashMlDsa(parms, hash_alg) => {
                let signature = self.sign_with_mldsa(key, parms, signed)?;
                Ok(TpmtSignature::HashMldsa(TpmsSignatureHashMldsa { hash_alg, signature }))
            }
        }
    }

    fn sign_with_mldsa(
        &mut self,
        key: Handle,
        parms: TpmiMldsaParms,
        signed: &Digest,
    ) -> Result<Tpm2bSignatureMldsa, Rc> {
        let (state, mut rng, _) = self.split();
        let key = state.objects.object(key).ok_or(Rc::KEY)?;
        let Private::MlDsa(seed) = private_key(key)? else { return Err(Rc::KEY) };
        let set = mldsa_set(parms);
        let mut signature = Tpm2bSignatureMldsa::zeros(set.signature_size()).map_err(|Overflow| Rc::MEMORY)?;
        let mu = representative(signed).map_err(|_| Rc::FAILURE)?;
        let made = P::Crypto::mldsa_sign(set, seed, mu, &mut rng, signature.as_mut_bytes());
        made.map_err(|error| self.refuse(error, Rc::NO_RESULT))?;
        Ok(signature)
    }

    pub(crate) fn sign_with_ed25519(
        &mut self,
        key: Handle,
        variant: EdDsa,
        message: &[u8],
    ) -> Result<TpmtSignature, Rc> {
        let key = self.object(key).ok_or(Rc::KEY)?;
        let Private::Curve25519(seed) = private_key(key)? else { return Err(Rc::KEY) };
        let signature = P::Crypto::ed25519_sign(seed, variant, &[message]).map_err(|_| Rc::SCHEME)?;
        let signature = Tpm2bSignatureEddsa::new(&signature).map_err(|Overflow| Rc::FAILURE)?;
        Ok(match variant {
            EdDsa::Pure => TpmtSignature::Eddsa(signature),
            EdDsa::PreHash => TpmtSignature::HashEddsa(signature),
        })
    }

    /// Blames a parameter for what verifying refused: "TPM_RC_SCHEME" for a signature by another scheme,
    /// "Otherwise, the TPM shall return TPM_RC_SIGNATURE."
    pub(crate) fn refuse_signature(&mut self, error: ProtocolError) -> Rc {
        match error {
            ProtocolError::SignatureKind => Rc::SCHEME,
            ProtocolError::Crypto(CryptoError::Entropy(_)) => self.refuse_protocol(error, Rc::FAILURE),
            _ => Rc::SIGNATURE,
        }
    }
}

fn hash_message<C: Crypto>(public: &TpmtPublic, message: &[u8]) -> Result<Digest, ProtocolError> {
    let mut hash = MessageHash::start::<C>(public, &[], &[])?;
    hash.update(message);
    hash.finish::<C>(public)
}
