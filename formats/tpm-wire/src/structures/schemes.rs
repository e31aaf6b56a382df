// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Schemes (Part 2, "Signing Schemes", "Encryption Schemes", "Key Derivation Schemes").
//!
//! A scheme that is nothing but a hash (`TPMS_SCHEME_HASH`) holds the hash itself.
use crate::{
    EccSchemeAlg, HashAlg, KdfAlg, KeyedHashSchemeAlg, Null, Nullable, RsaDecryptAlg, RsaSchemeAlg, SigSchemeAlg,
    structure, union,
};

structure! {
    /// The parameters of ECDAA (`TPMS_SCHEME_ECDAA`).
    #[derive(Copy)]
    pub struct TpmsSchemeEcdaa {
        /// The hash.
        pub hash_alg: HashAlg,
        /// The counter value of the commit.
        pub count: u16,
    }

    /// The parameters of obfuscation by XOR (`TPMS_SCHEME_XOR`).
    #[derive(Copy)]
    pub struct TpmsSchemeXor {
        /// The hash.
        pub hash_alg: HashAlg,
        /// The key derivation function.
        pub kdf: Option<KdfAlg>,
    }
}

union! {
    /// The scheme of a keyed-hash object (`TPMT_KEYEDHASH_SCHEME`).
    #[derive(Copy)]
    pub enum TpmtKeyedhashScheme by KeyedHashSchemeAlg {
        /// HMAC.
        Hmac(HashAlg),
        /// Obfuscation by XOR.
        Xor(TpmsSchemeXor),
    }

    /// A signature scheme (`TPMT_SIG_SCHEME`).
    #[derive(Copy)]
    pub enum TpmtSigScheme by SigSchemeAlg {
        /// RSASSA-PKCS1-v1_5.
        Rsassa(HashAlg),
        /// RSASSA-PSS.
        Rsapss(HashAlg),
        /// ECDSA.
        Ecdsa(HashAlg),
        /// ECDAA.
        Ecdaa(TpmsSchemeEcdaa),
        /// SM2.
        Sm2(HashAlg),
        /// EC Schnorr.
        Ecschnorr(HashAlg),
        /// EdDSA.
        Eddsa,
        /// EdDSA of a digest.
        HashEddsa,
        /// HMAC.
        Hmac(HashAlg),
    }

    /// The scheme of an RSA key (`TPMT_RSA_SCHEME`).
    #[derive(Copy)]
    pub enum TpmtRsaScheme by RsaSchemeAlg {
        /// RSASSA-PKCS1-v1_5.
        Rsassa(HashAlg),
        /// RSASSA-PSS.
        Rsapss(HashAlg),
        /// RSAES-PKCS1-v1_5.
        Rsaes,
        /// RSAES-OAEP.
        Oaep(HashAlg),
    }

    /// The scheme of an RSA encryption (`TPMT_RSA_DECRYPT`).
    #[derive(Copy)]
    pub enum TpmtRsaDecrypt by RsaDecryptAlg {
        /// RSAES-PKCS1-v1_5.
        Rsaes,
        /// RSAES-OAEP.
        Oaep(HashAlg),
    }

    /// The scheme of an ECC key (`TPMT_ECC_SCHEME`).
    #[derive(Copy)]
    pub enum TpmtEccScheme by EccSchemeAlg {
        /// ECDSA.
        Ecdsa(HashAlg),
        /// ECDAA.
        Ecdaa(TpmsSchemeEcdaa),
        /// SM2.
        Sm2(HashAlg),
        /// EC Schnorr.
        Ecschnorr(HashAlg),
        /// EdDSA.
        Eddsa,
        /// EdDSA of a digest.
        HashEddsa,
        /// ECDH.
        Ecdh(HashAlg),
        /// MQV.
        Ecmqv(HashAlg),
    }

    /// A key derivation function with its hash (`TPMT_KDF_SCHEME`).
    #[derive(Copy)]
    pub enum TpmtKdfScheme by KdfAlg {
        /// MGF1.
        Mgf1(HashAlg),
        /// HKDF.
        Hkdf(HashAlg),
        /// KDF2.
        Kdf2(HashAlg),
        /// The KDF of SP 800-56A.
        Kdf1Sp800_56a(HashAlg),
        /// The KDF of SP 800-108.
        Kdf1Sp800_108(HashAlg),
    }
}

macro_rules! nullable {
    ($($name:ident)*) => { $(
        impl Nullable for $name {
            const NULL: Null = Null::Algorithm;
        }
    )* };
}

nullable! { TpmtKeyedhashScheme TpmtSigScheme TpmtRsaScheme TpmtRsaDecrypt TpmtEccScheme TpmtKdfScheme }

impl TpmtSigScheme {
    /// Returns the hash of the scheme; that of EdDSA is fixed by RFC 8032.
    pub const fn hash_alg(&self) -> HashAlg {
        match self {
            Self::Eddsa | Self::HashEddsa => HashAlg::Sha512,
            Self::Rsassa(hash)
            | Self::Rsapss(hash)
            | Self::Ecdsa(hash)
            | Self::Sm2(hash)
            | Self::Ecschnorr(hash)
            | Self::Hmac(hash) => *hash,
            Self::Ecdaa(ecdaa) => ecdaa.hash_alg,
        }
    }
}

impl TpmtEccScheme {
    /// Returns the hash of the scheme; that of EdDSA is fixed by RFC 8032.
    pub const fn hash_alg(&self) -> HashAlg {
        match self {
            Self::Eddsa | Self::HashEddsa => HashAlg::Sha512,
            Self::Ecdsa(hash) | Self::Sm2(hash) | Self::Ecschnorr(hash) | Self::Ecdh(hash) | Self::Ecmqv(hash) => *hash,
            Self::Ecdaa(ecdaa) => ecdaa.hash_alg,
        }
    }
}

impl TpmtKdfScheme {
    /// Returns the hash of the function.
    pub const fn hash_alg(&self) -> HashAlg {
        match self {
            Self::Mgf1(hash)
            | Self::Hkdf(hash)
            | Self::Kdf2(hash)
            | Self::Kdf1Sp800_56a(hash)
            | Self::Kdf1Sp800_108(hash) => *hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rc, Supported, from_bytes};

    #[test]
    fn a_scheme_needs_its_hash() {
        assert_eq!(from_bytes::<TpmtSigScheme>(&[0, 0x18, 0, 0x10], &Supported::ALL), Err(Rc::HASH));
        assert_eq!(from_bytes::<TpmtSigScheme>(&[0, 0x18], &Supported::ALL), Err(Rc::INSUFFICIENT));
        assert_eq!(from_bytes(&[0, 0x18, 0, 0x0B], &Supported::ALL), Ok(TpmtSigScheme::Ecdsa(HashAlg::Sha256)));
    }

    #[test]
    fn null_is_allowed_only_where_the_field_is_an_option() {
        assert_eq!(from_bytes::<TpmtSigScheme>(&[0, 0x10], &Supported::ALL), Err(Rc::SCHEME));
        assert_eq!(from_bytes::<Option<TpmtSigScheme>>(&[0, 0x10], &Supported::ALL), Ok(None));
        assert_eq!(from_bytes::<TpmtRsaScheme>(&[0, 0x10], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<TpmtKeyedhashScheme>(&[0, 0x10], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<TpmtKdfScheme>(&[0, 0x10], &Supported::ALL), Err(Rc::KDF));
    }

    #[test]
    fn rsaes_has_no_content() {
        assert_eq!(from_bytes(&[0, 0x15], &Supported::ALL), Ok(TpmtRsaScheme::Rsaes));
        assert_eq!(from_bytes(&[0, 0x15], &Supported::ALL), Ok(TpmtRsaDecrypt::Rsaes));
    }
}
