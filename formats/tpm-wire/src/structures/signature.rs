// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures (Part 2, "Signatures").
use crate::{HashAlg, Null, Nullable, SigSchemeAlg, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmtHa, structure, union};

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
        /// HMAC.
        Hmac(TpmtHa),
    }
}

impl Nullable for TpmtSignature {
    const NULL: Null = Null::Algorithm;
}

impl TpmtSignature {
    /// Returns the hash of the signature.
    pub const fn hash_alg(&self) -> HashAlg {
        match self {
            Self::Rsassa(rsa) | Self::Rsapss(rsa) => rsa.hash,
            Self::Ecdsa(ecc) | Self::Ecdaa(ecc) | Self::Sm2(ecc) | Self::Ecschnorr(ecc) => ecc.hash,
            Self::Hmac(hmac) => hmac.hash_alg(),
        }
    }
}
