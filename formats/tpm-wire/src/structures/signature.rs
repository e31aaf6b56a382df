// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures (Part 2, "Signatures").
use crate::{
    Buf, Bytes, HashAlg, Large, MAX_ECC_KEY, Null, Nullable, SigSchemeAlg, Tpm2bEccParameter, Tpm2bPublicKeyRsa,
    TpmtHa, structure, union,
};

/// The size of the greatest signature of ML-DSA, of ML-DSA-87.
pub const MAX_MLDSA_SIGNATURE: usize = 4627;
/// A signature of ML-DSA (`TPM2B_SIGNATURE_MLDSA`).
pub type Tpm2bSignatureMldsa = Large<MAX_MLDSA_SIGNATURE>;
/// A signature of EdDSA as RFC 8032 encodes it (`TPM2B_SIGNATURE_EDDSA`).
pub type Tpm2bSignatureEddsa = Buf<{ 2 * MAX_ECC_KEY }>;
/// The size of the greatest context of a signature.
pub const MAX_SIGNATURE_CONTEXT: usize = 255;
/// What a signature scheme takes besides the message (`TPM2B_SIGNATURE_CTX`).
pub type Tpm2bSignatureCtx<'a> = Bytes<'a, MAX_SIGNATURE_CONTEXT>;
/// What the verifier of a message must know of its signature first: R of EdDSA (`TPM2B_SIGNATURE_HINT`).
pub type Tpm2bSignatureHint<'a> = Bytes<'a, MAX_ECC_KEY>;

structure! {
    /// An RSA signature (`TPMS_SIGNATURE_RSA`).
    pub struct TpmsSignatureRsa {
        /// The hash of the message.
        pub hash: HashAlg,
        /// The signature.
        pub sig: Tpm2bPublicKeyRsa,
    }

    /// An ECC signature (`TPMS_SIGNATURE_ECC`).
    pub struct TpmsSignatureEcc {
        /// The hash of the message.
        pub hash: HashAlg,
        /// The first half.
        pub signature_r: Tpm2bEccParameter,
        /// The second half.
        pub signature_s: Tpm2bEccParameter,
    }

    /// A signature of HashML-DSA (`TPMS_SIGNATURE_HASH_MLDSA`).
    pub struct TpmsSignatureHashMldsa {
        /// The hash of the message.
        pub hash_alg: HashAlg,
        /// The signature.
        pub signature: Tpm2bSignatureMldsa,
    }
}

union! {
    /// A signature (`TPMT_SIGNATURE`).
    pub enum TpmtSignature by SigSchemeAlg {
        /// RSASSA-PKCS1-v1_5.
        Rsassa(TpmsSignatureRsa),
        /// RSASSA-PSS.
        Rsapss(TpmsSignatureRsa),
        /// ECDSA.
        Ecdsa(TpmsSignatureEcc),
        /// ECDAA.
        Ecdaa(TpmsSignatureEcc),
        /// SM2.
        Sm2(TpmsSignatureEcc),
        /// EC Schnorr.
        Ecschnorr(TpmsSignatureEcc),
        /// EdDSA.
        Eddsa(Tpm2bSignatureEddsa),
        /// EdDSA of a digest.
        HashEddsa(Tpm2bSignatureEddsa),
        /// ML-DSA.
        Mldsa(Tpm2bSignatureMldsa),
        /// HashML-DSA.
        HashMldsa(TpmsSignatureHashMldsa),
        /// HMAC.
        Hmac(TpmtHa),
    }
}

impl Nullable for TpmtSignature {
    const NULL: Null = Null::Algorithm;
}

impl TpmtSignature {
    /// Returns the hash of the signature; that of EdDSA is fixed by RFC 8032, that of ML-DSA by FIPS 204.
    pub const fn hash_alg(&self) -> HashAlg {
        match self {
            Self::Rsassa(rsa) | Self::Rsapss(rsa) => rsa.hash,
            Self::Ecdsa(ecc) | Self::Ecdaa(ecc) | Self::Sm2(ecc) | Self::Ecschnorr(ecc) => ecc.hash,
            Self::Eddsa(_) | Self::HashEddsa(_) => HashAlg::Sha512,
            Self::Mldsa(_) => HashAlg::Shake256_512,
            Self::HashMldsa(mldsa) => mldsa.hash_alg,
            Self::Hmac(hmac) => hmac.hash_alg(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rc, Supported, TpmAlgId, from_bytes};

    #[test]
    fn a_signature_stays_small_although_its_content_is_not() {
        assert!(size_of::<TpmtSignature>() < 600);
    }

    #[test]
    fn a_profile_without_mldsa_knows_no_such_signature() {
        let mut supported = Supported::ALL;
        let bytes = [0, 0xA1, 0, 2, 7, 8];
        let signature = TpmtSignature::Mldsa(Tpm2bSignatureMldsa::new(&[7, 8]).unwrap());
        assert_eq!(from_bytes(&bytes, &supported), Ok(signature));
        supported.algorithms = supported.algorithms.without(TpmAlgId::MLDSA);
        assert_eq!(from_bytes::<TpmtSignature>(&bytes, &supported), Err(Rc::SCHEME));
    }

    #[test]
    fn no_scheme_structure_exists_for_mldsa() {
        // Part 2, "TPMU_SIG_SCHEME", has no such member: the key alone decides.
        assert_eq!(from_bytes::<crate::TpmtSigScheme>(&[0, 0xA1], &Supported::ALL), Err(Rc::SELECTOR));
        assert_eq!(from_bytes(&[0, 0x60], &Supported::ALL), Ok(crate::TpmtSigScheme::Eddsa));
    }
}
