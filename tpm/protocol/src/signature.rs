// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Verifying a signature with a public area (Part 3, "TPM2_VerifySignature").
use evtpm_crypto::padding::{pkcs1, pss};
use evtpm_crypto::{Crypto, CryptoError, EccSignature, schnorr};
use evtpm_tpm_wire::{
    MAX_RSA_KEY, PublicBody, TpmsEccParms, TpmsRsaParms, TpmsSignatureEcc, TpmsSignatureRsa, TpmtPublic, TpmtSignature,
};

use crate::{ProtocolError, crypto_curve, crypto_hash, ecc_point, rsa_exponent};

/// Verifies `signature` over `digest` with the key of `public`: RSASSA, RSAPSS, ECDSA or EC Schnorr.
///
/// The salt of RSAPSS may have any length: "the salt size is always the largest salt value that will fit" before
/// revision 1.63, the digest's size since.
pub fn verify_signature<C: Crypto>(
    public: &TpmtPublic,
    digest: &[u8],
    signature: &TpmtSignature,
) -> Result<(), ProtocolError> {
    match (&public.body, signature) {
        (PublicBody::Rsa { parms, unique }, TpmtSignature::Rsassa(rsa)) => {
            let mut block = [0; MAX_RSA_KEY];
            let opened = open::<C>(parms, unique.as_bytes(), rsa, &mut block)?;
            Ok(pkcs1::verify_signature(crypto_hash(rsa.hash)?, digest, opened)?)
        }
        (PublicBody::Rsa { parms, unique }, TpmtSignature::Rsapss(rsa)) => {
            let mut block = [0; MAX_RSA_KEY];
            let opened = open::<C>(parms, unique.as_bytes(), rsa, &mut block)?;
            let bits = usize::from(parms.key_bits.0);
            Ok(pss::verify::<C::Hasher>(crypto_hash(rsa.hash)?, digest, pss::Salt::Any, bits, opened)?)
        }
        (PublicBody::Ecc { parms, unique }, TpmtSignature::Ecdsa(ecc)) => {
            let signature = ecc_signature(parms, ecc)?;
            Ok(C::ecdsa_verify(&ecc_point(parms.curve_id, unique)?, digest, &signature)?)
        }
        (PublicBody::Ecc { parms, unique }, TpmtSignature::Ecschnorr(ecc)) => {
            let signature = ecc_signature(parms, ecc)?;
            let public = ecc_point(parms.curve_id, unique)?;
            Ok(schnorr::verify::<C>(&public, crypto_hash(ecc.hash)?, digest, &signature)?)
        }
        // "The TPM may not be used to verify an ECDAA signature": nobody can, with the public key alone.
        _ => Err(ProtocolError::SignatureKind),
    }
}

fn ecc_signature(parms: &TpmsEccParms, ecc: &TpmsSignatureEcc) -> Result<EccSignature, ProtocolError> {
    let curve = crypto_curve(parms.curve_id)?;
    let signature = EccSignature::new(curve, ecc.signature_r.as_bytes(), ecc.signature_s.as_bytes());
    Ok(signature.map_err(|_| CryptoError::SignatureInvalid)?)
}

/// The size of the salt that a TPM's RSAPSS signatures have: "the largest size allowed by FIPS 186", the digest's, or what
/// a short key leaves.
pub fn pss_salt_size(signer: &TpmtPublic, alg: evtpm_crypto::HashAlg) -> usize {
    let PublicBody::Rsa { parms, .. } = &signer.body else { return 0 };
    let bits = usize::from(parms.key_bits.0);
    pss::longest_salt(alg, bits).unwrap_or(0).min(alg.digest_size())
}

/// Raises a signature to the public exponent.
fn open<'b, C: Crypto>(
    parms: &TpmsRsaParms,
    modulus: &[u8],
    signature: &TpmsSignatureRsa,
    block: &'b mut [u8; MAX_RSA_KEY],
) -> Result<&'b mut [u8], ProtocolError> {
    if signature.sig.len() != modulus.len() {
        return Err(CryptoError::SignatureInvalid.into());
    }
    let block = block.get_mut(..modulus.len()).ok_or(ProtocolError::TooLong)?;
    block.iter_mut().zip(signature.sig.as_bytes()).for_each(|(to, from)| *to = *from);
    match C::rsa_public(modulus, rsa_exponent(parms.exponent), block) {
        Ok(()) => Ok(block),
        Err(CryptoError::RsaInputOutOfRange) => Err(CryptoError::SignatureInvalid.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{HashAlg as Hash, RustCrypto};
    use evtpm_tpm_wire::{HashAlg, Tpm2bEccParameter, Tpm2bPublicKeyRsa};

    use super::*;
    use crate::testing::{CountingRng, ecc_key, private, rsa_key};

    const INVALID: Result<(), ProtocolError> = Err(ProtocolError::Crypto(CryptoError::SignatureInvalid));

    fn ecdsa(digest: &[u8]) -> TpmtSignature {
        let (_, private) = ecc_key();
        let signature = RustCrypto::ecdsa_sign(&private, digest, &mut CountingRng::new(5)).unwrap();
        TpmtSignature::Ecdsa(TpmsSignatureEcc {
            hash: HashAlg::Sha256,
            signature_r: Tpm2bEccParameter::new(signature.r()).unwrap(),
            signature_s: Tpm2bEccParameter::new(signature.s()).unwrap(),
        })
    }

    fn rsa(encode: impl Fn(&[u8], &mut [u8])) -> (TpmtPublic, TpmsSignatureRsa) {
        let (public, prime) = rsa_key();
        let digest = RustCrypto::hash(Hash::Sha256, &[b"message"]);
        let mut block = [0; 128];
        encode(digest.as_bytes(), &mut block);
        let key = private(&public, &prime);
        RustCrypto::rsa_private(key, &mut block, &mut CountingRng::new(6), &mut Default::default()).unwrap();
        (public, TpmsSignatureRsa { hash: HashAlg::Sha256, sig: Tpm2bPublicKeyRsa::new(&block).unwrap() })
    }

    #[test]
    fn an_ecdsa_signature_is_over_one_digest() {
        let (public, _) = ecc_key();
        let signature = ecdsa(&[7; 32]);
        assert_eq!(verify_signature::<RustCrypto>(&public, &[7; 32], &signature), Ok(()));
        assert_eq!(verify_signature::<RustCrypto>(&public, &[8; 32], &signature), INVALID);
    }

    #[test]
    fn rsa_signatures_verify_with_their_own_padding_alone() {
        let digest = RustCrypto::hash(Hash::Sha256, &[b"message"]);
        let (public, pkcs1) = rsa(|digest, block| pkcs1::encode_signature(Hash::Sha256, digest, block).unwrap());
        let verify = |signature| verify_signature::<RustCrypto>(&public, digest.as_bytes(), &signature);
        assert_eq!(verify(TpmtSignature::Rsassa(pkcs1.clone())), Ok(()));
        assert_eq!(verify(TpmtSignature::Rsapss(pkcs1)), INVALID);
        for salt in [0, 32, 94] {
            let (_, pss) = rsa(|digest, block| {
                let rng = &mut CountingRng::new(7);
                pss::encode::<<RustCrypto as Crypto>::Hasher>(Hash::Sha256, digest, salt, 1024, rng, block).unwrap();
            });
            assert_eq!(verify(TpmtSignature::Rsapss(pss.clone())), Ok(()));
            assert_eq!(verify(TpmtSignature::Rsassa(pss)), INVALID);
        }
    }

    #[test]
    fn a_signature_of_another_kind_than_the_key_is_refused() {
        let (public, _) = rsa_key();
        let result = verify_signature::<RustCrypto>(&public, &[7; 32], &ecdsa(&[7; 32]));
        assert_eq!(result, Err(ProtocolError::SignatureKind));
    }
}
