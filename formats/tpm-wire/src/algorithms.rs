// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM_ALG_ID`, `TPM_ECC_CURVE` and the interface types over them (Part 2, "TPM_ALG_ID", "Interface Types").
//!
//! An interface type is an enum of the algorithms that Part 2 allows in that place. Where Part 2 writes "+", the
//! field is an `Option` and `None` is `TPM_ALG_NULL`.
use core::fmt;

use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// An algorithm identifier as it stands on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TpmAlgId(pub u16);

macro_rules! identifiers {
    ($($name:ident = $value:literal)*) => {
        impl TpmAlgId {
            $(
                #[doc = concat!("`TPM_ALG_", stringify!($name), "`.")]
                pub const $name: Self = Self($value);
            )*

            /// Returns the name of the algorithm without `TPM_ALG_`.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

identifiers! {
    RSA = 0x0001
    TDES = 0x0003
    SHA1 = 0x0004
    HMAC = 0x0005
    AES = 0x0006
    MGF1 = 0x0007
    KEYEDHASH = 0x0008
    XOR = 0x000A
    SHA256 = 0x000B
    SHA384 = 0x000C
    SHA512 = 0x000D
    NULL = 0x0010
    SM3_256 = 0x0012
    SM4 = 0x0013
    RSASSA = 0x0014
    RSAES = 0x0015
    RSAPSS = 0x0016
    OAEP = 0x0017
    ECDSA = 0x0018
    ECDH = 0x0019
    ECDAA = 0x001A
    SM2 = 0x001B
    ECSCHNORR = 0x001C
    ECMQV = 0x001D
    HKDF = 0x001F
    KDF1_SP800_56A = 0x0020
    KDF2 = 0x0021
    KDF1_SP800_108 = 0x0022
    ECC = 0x0023
    SYMCIPHER = 0x0025
    CAMELLIA = 0x0026
    SHA3_256 = 0x0027
    SHA3_384 = 0x0028
    SHA3_512 = 0x0029
    SHAKE256_512 = 0x002E
    CMAC = 0x003F
    CTR = 0x0040
    OFB = 0x0041
    CBC = 0x0042
    CFB = 0x0043
    ECB = 0x0044
    EDDSA = 0x0060
    HASH_EDDSA = 0x0061
    MLKEM = 0x00A0
    MLDSA = 0x00A1
    HASH_MLDSA = 0x00A2
}

impl fmt::Debug for TpmAlgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TPM_ALG {:#06x}", self.0),
        }
    }
}

/// Accepts any number; the interface types are the ones that choose.
impl<'a> Unmarshal<'a> for TpmAlgId {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl Marshal for TpmAlgId {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

/// Declares an interface type: an enum over algorithm identifiers and the response code for all others.
macro_rules! algorithms {
    ($($(#[$meta:meta])* pub enum $name:ident or $error:ident { $($(#[$mark:meta])* $variant:ident = $id:ident,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(
                #[doc = concat!("`TPM_ALG_", stringify!($id), "`.")]
                $(#[$mark])*
                $variant,
            )*
        }

        impl $name {
            /// Each algorithm of the type, in the order of Part 2.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the algorithm with this identifier.
            pub const fn from_id(id: TpmAlgId) -> Option<Self> {
                match id {
                    $(TpmAlgId::$id => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the identifier.
            pub const fn id(self) -> TpmAlgId {
                match self {
                    $(Self::$variant => TpmAlgId::$id,)*
                }
            }
        }

        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                let id = reader.read()?;
                Self::from_id(id).filter(|_| reader.supported().algorithms.contains(id)).ok_or(Rc::$error)
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.id())
            }
        }

        impl Nullable for $name {
            const NULL: Null = Null::Algorithm;
        }
    )* };
}

/// How the absence of a value is written where Part 2 allows it with "+".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// `TPM_ALG_NULL`.
    Algorithm,
    /// `TPM_RH_NULL`.
    Handle,
}

/// A type that Part 2 uses with "+" in some places; there it is an `Option`.
pub trait Nullable {
    /// How `None` is written.
    const NULL: Null;
}

impl<'a, T: Nullable + Unmarshal<'a>> Unmarshal<'a> for Option<T> {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        match T::NULL {
            Null::Algorithm if reader.peek_u16()? == TpmAlgId::NULL.0 => reader.read::<u16>().map(|_| None),
            Null::Handle if reader.peek_u32()? == crate::Handle::NULL.0 => reader.read::<u32>().map(|_| None),
            _ => reader.read().map(Some),
        }
    }
}

impl<T: Nullable + Marshal> Marshal for Option<T> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        match (self, T::NULL) {
            (Some(value), _) => writer.write(value),
            (None, Null::Algorithm) => writer.write(&TpmAlgId::NULL),
            (None, Null::Handle) => writer.write(&crate::Handle::NULL),
        }
    }
}

algorithms! {
    /// A hash algorithm (`TPMI_ALG_HASH`).
    #[derive(Default)]
    pub enum HashAlg or HASH {
        Sha1 = SHA1,
        #[default]
        Sha256 = SHA256,
        Sha384 = SHA384,
        Sha512 = SHA512,
        Sm3_256 = SM3_256,
        Sha3_256 = SHA3_256,
        Sha3_384 = SHA3_384,
        Sha3_512 = SHA3_512,
        Shake256_512 = SHAKE256_512,
    }

    /// A block cipher that may protect an object (`TPMI_ALG_SYM_OBJECT`).
    pub enum SymObjectAlg or SYMMETRIC {
        Aes = AES,
        Sm4 = SM4,
        Camellia = CAMELLIA,
    }

    /// A symmetric algorithm (`TPMI_ALG_SYM`).
    pub enum SymAlg or SYMMETRIC {
        Aes = AES,
        Xor = XOR,
        Sm4 = SM4,
        Camellia = CAMELLIA,
    }

    /// A block cipher mode, CMAC included (`TPMI_ALG_SYM_MODE`).
    pub enum SymMode or MODE {
        Ctr = CTR,
        Ofb = OFB,
        Cbc = CBC,
        Cfb = CFB,
        Ecb = ECB,
        Cmac = CMAC,
    }

    /// A block cipher mode for encryption (`TPMI_ALG_CIPHER_MODE`).
    pub enum CipherMode or MODE {
        Ctr = CTR,
        Ofb = OFB,
        Cbc = CBC,
        Cfb = CFB,
        Ecb = ECB,
    }

    /// A key derivation or mask generation function (`TPMI_ALG_KDF`).
    pub enum KdfAlg or KDF {
        Mgf1 = MGF1,
        Hkdf = HKDF,
        Kdf2 = KDF2,
        Kdf1Sp800_56a = KDF1_SP800_56A,
        Kdf1Sp800_108 = KDF1_SP800_108,
    }

    /// A signature scheme (`TPMI_ALG_SIG_SCHEME`).
    pub enum SigSchemeAlg or SCHEME {
        Rsassa = RSASSA,
        Rsapss = RSAPSS,
        Ecdsa = ECDSA,
        Ecdaa = ECDAA,
        Sm2 = SM2,
        Ecschnorr = ECSCHNORR,
        Eddsa = EDDSA,
        HashEddsa = HASH_EDDSA,
        Hmac = HMAC,
        Mldsa = MLDSA,
        HashMldsa = HASH_MLDSA,
    }

    /// An ECC key exchange scheme (`TPMI_ECC_KEY_EXCHANGE`).
    pub enum KeyExchangeAlg or SCHEME {
        Ecdh = ECDH,
        Sm2 = SM2,
        Ecmqv = ECMQV,
    }

    /// A message authentication algorithm (`TPMI_ALG_MAC_SCHEME`).
    pub enum MacAlg or SYMMETRIC {
        Cmac = CMAC,
        Sha1 = SHA1,
        Sha256 = SHA256,
        Sha384 = SHA384,
        Sha512 = SHA512,
        Sm3_256 = SM3_256,
        Sha3_256 = SHA3_256,
        Sha3_384 = SHA3_384,
        Sha3_512 = SHA3_512,
    }

    /// A keyed-hash scheme (`TPMI_ALG_KEYEDHASH_SCHEME`).
    pub enum KeyedHashSchemeAlg or VALUE {
        Hmac = HMAC,
        Xor = XOR,
    }

    /// An RSA scheme (`TPMI_ALG_RSA_SCHEME`).
    pub enum RsaSchemeAlg or VALUE {
        Rsassa = RSASSA,
        Rsapss = RSAPSS,
        Rsaes = RSAES,
        Oaep = OAEP,
    }

    /// An RSA encryption scheme (`TPMI_ALG_RSA_DECRYPT`).
    pub enum RsaDecryptAlg or VALUE {
        Rsaes = RSAES,
        Oaep = OAEP,
    }

    /// An ECC scheme (`TPMI_ALG_ECC_SCHEME`).
    pub enum EccSchemeAlg or SCHEME {
        Ecdsa = ECDSA,
        Ecdaa = ECDAA,
        Sm2 = SM2,
        Ecschnorr = ECSCHNORR,
        Eddsa = EDDSA,
        HashEddsa = HASH_EDDSA,
        Ecdh = ECDH,
        Ecmqv = ECMQV,
    }

    /// The type of an object (`TPMI_ALG_PUBLIC`).
    pub enum PublicAlg or TYPE {
        KeyedHash = KEYEDHASH,
        SymCipher = SYMCIPHER,
        Rsa = RSA,
        Ecc = ECC,
        Mldsa = MLDSA,
        HashMldsa = HASH_MLDSA,
        Mlkem = MLKEM,
    }
}

impl HashAlg {
    /// Returns the size of a digest in bytes.
    pub const fn digest_size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sm3_256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Shake256_512 => 64,
        }
    }
}

impl MacAlg {
    /// Returns the hash of an HMAC, or `None` for CMAC.
    pub const fn hash(self) -> Option<HashAlg> {
        HashAlg::from_id(self.id())
    }
}

impl SymObjectAlg {
    /// Returns the block size in bytes.
    pub const fn block_size(self) -> usize {
        16
    }
}

/// An elliptic curve (`TPMI_ECC_CURVE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EccCurve {
    /// `TPM_ECC_NIST_P192`.
    NistP192,
    /// `TPM_ECC_NIST_P224`.
    NistP224,
    /// `TPM_ECC_NIST_P256`.
    #[default]
    NistP256,
    /// `TPM_ECC_NIST_P384`.
    NistP384,
    /// `TPM_ECC_NIST_P521`.
    NistP521,
    /// `TPM_ECC_BN_P256`.
    BnP256,
    /// `TPM_ECC_BN_P638`.
    BnP638,
    /// `TPM_ECC_SM2_P256`.
    Sm2P256,
    /// `TPM_ECC_CURVE_25519`, of X25519 and Ed25519.
    Curve25519,
}

impl EccCurve {
    /// Each curve, in ascending order.
    pub const ALL: &[Self] = &[
        Self::NistP192,
        Self::NistP224,
        Self::NistP256,
        Self::NistP384,
        Self::NistP521,
        Self::BnP256,
        Self::BnP638,
        Self::Sm2P256,
        Self::Curve25519,
    ];

    /// Returns the curve with this `TPM_ECC_CURVE`.
    pub const fn from_id(id: u16) -> Option<Self> {
        Some(match id {
            0x0001 => Self::NistP192,
            0x0002 => Self::NistP224,
            0x0003 => Self::NistP256,
            0x0004 => Self::NistP384,
            0x0005 => Self::NistP521,
            0x0010 => Self::BnP256,
            0x0011 => Self::BnP638,
            0x0020 => Self::Sm2P256,
            0x0040 => Self::Curve25519,
            _ => return None,
        })
    }

    /// Returns the `TPM_ECC_CURVE`.
    pub const fn id(self) -> u16 {
        match self {
            Self::NistP192 => 0x0001,
            Self::NistP224 => 0x0002,
            Self::NistP256 => 0x0003,
            Self::NistP384 => 0x0004,
            Self::NistP521 => 0x0005,
            Self::BnP256 => 0x0010,
            Self::BnP638 => 0x0011,
            Self::Sm2P256 => 0x0020,
            Self::Curve25519 => 0x0040,
        }
    }

    /// Returns the size of the field in bits.
    pub const fn key_bits(self) -> u16 {
        match self {
            Self::NistP192 => 192,
            Self::NistP224 => 224,
            Self::Curve25519 => 255,
            Self::NistP256 | Self::BnP256 | Self::Sm2P256 => 256,
            Self::NistP384 => 384,
            Self::NistP521 => 521,
            Self::BnP638 => 638,
        }
    }

    /// Returns the size of a coordinate in bytes.
    pub const fn coordinate_size(self) -> usize {
        self.key_bits().div_ceil(8) as usize
    }
}

/// "#TPM_RC_CURVE error when curve is not supported"
impl<'a> Unmarshal<'a> for EccCurve {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let curve = Self::from_id(reader.read()?).ok_or(Rc::CURVE)?;
        if reader.supported().curves.contains(curve) { Ok(curve) } else { Err(Rc::CURVE) }
    }
}

impl Marshal for EccCurve {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlgSet, Supported, from_bytes};

    #[test]
    fn an_unknown_hash_and_null_are_hash_errors() {
        assert_eq!(from_bytes::<HashAlg>(&[0, 0x42], &Supported::ALL), Err(Rc::HASH));
        assert_eq!(from_bytes::<HashAlg>(&[0, 0x10], &Supported::ALL), Err(Rc::HASH));
    }

    #[test]
    fn null_is_none_where_it_is_allowed() {
        assert_eq!(from_bytes::<Option<HashAlg>>(&[0, 0x10], &Supported::ALL), Ok(None));
        assert_eq!(from_bytes::<Option<HashAlg>>(&[0, 0x0B], &Supported::ALL), Ok(Some(HashAlg::Sha256)));
        assert_eq!(from_bytes::<Option<HashAlg>>(&[0, 0x42], &Supported::ALL), Err(Rc::HASH));
        assert_eq!(from_bytes::<Option<HashAlg>>(&[0], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn a_known_algorithm_that_the_profile_lacks_is_the_error_of_its_type() {
        let mut supported = Supported::ALL;
        supported.algorithms = AlgSet::ALL.without(TpmAlgId::SHA1).without(TpmAlgId::ECB);
        assert_eq!(from_bytes::<HashAlg>(&[0, 4], &supported), Err(Rc::HASH));
        assert_eq!(from_bytes::<MacAlg>(&[0, 4], &supported), Err(Rc::SYMMETRIC));
        assert_eq!(from_bytes::<SymMode>(&[0, 0x44], &supported), Err(Rc::MODE));
        assert_eq!(from_bytes::<HashAlg>(&[0, 0x0B], &supported), Ok(HashAlg::Sha256));
    }

    #[test]
    fn each_interface_type_answers_its_own_code() {
        let none = [0xFF, 0xFE];
        assert_eq!(from_bytes::<SymAlg>(&none, &Supported::ALL), Err(Rc::SYMMETRIC));
        assert_eq!(from_bytes::<SymObjectAlg>(&[0, 0x0A], &Supported::ALL), Err(Rc::SYMMETRIC));
        assert_eq!(from_bytes::<CipherMode>(&[0, 0x3F], &Supported::ALL), Err(Rc::MODE));
        assert_eq!(from_bytes::<KdfAlg>(&none, &Supported::ALL), Err(Rc::KDF));
        assert_eq!(from_bytes::<SigSchemeAlg>(&none, &Supported::ALL), Err(Rc::SCHEME));
        assert_eq!(from_bytes::<EccSchemeAlg>(&none, &Supported::ALL), Err(Rc::SCHEME));
        assert_eq!(from_bytes::<KeyExchangeAlg>(&none, &Supported::ALL), Err(Rc::SCHEME));
        assert_eq!(from_bytes::<RsaSchemeAlg>(&none, &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<RsaDecryptAlg>(&[0, 0x14], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<KeyedHashSchemeAlg>(&none, &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<PublicAlg>(&none, &Supported::ALL), Err(Rc::TYPE));
        assert_eq!(from_bytes::<EccCurve>(&[0, 0], &Supported::ALL), Err(Rc::CURVE));
    }

    #[test]
    fn curves_and_identifiers_are_one_to_one() {
        for curve in EccCurve::ALL {
            assert_eq!(EccCurve::from_id(curve.id()), Some(*curve));
        }
        assert_eq!(EccCurve::NistP521.coordinate_size(), 66);
    }
}
