// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Public areas and templates (Part 2, "Public Area Structures").
use crate::{
    Bytes, HashAlg, Marshal, Overflow, PublicAlg, Rc, Reader, Tpm2b, Tpm2bDigest, Tpm2bPublicKeyMldsa,
    Tpm2bPublicKeyMlkem, Tpm2bPublicKeyRsa, TpmaObject, TpmsDerive, TpmsEccParms, TpmsEccPoint, TpmsHashMldsaParms,
    TpmsMldsaParms, TpmsMlkemParms, TpmsRsaParms, TpmtKeyedhashScheme, TpmtSymDefObject, Unmarshal, Writer, union,
};

union! {
    /// The type of an object and its parameters, without the unique field (`TPMT_PUBLIC_PARMS`).
    #[derive(Copy)]
    pub enum TpmtPublicParms by PublicAlg {
        /// A sealed data object, an HMAC key or a derivation parent.
        KeyedHash(Option<TpmtKeyedhashScheme>),
        /// A symmetric block cipher key.
        SymCipher(TpmtSymDefObject),
        /// An RSA key.
        Rsa(TpmsRsaParms),
        /// An ECC key.
        Ecc(TpmsEccParms),
        /// An ML-DSA key.
        Mldsa(TpmsMldsaParms),
        /// A HashML-DSA key.
        HashMldsa(TpmsHashMldsaParms),
        /// An ML-KEM key.
        Mlkem(TpmsMlkemParms),
    }
}

impl TpmtPublicParms {
    fn after(kind: PublicAlg, reader: &mut Reader<'_>) -> Result<Self, Rc> {
        Ok(match kind {
            PublicAlg::KeyedHash => Self::KeyedHash(reader.read()?),
            PublicAlg::SymCipher => Self::SymCipher(reader.read()?),
            PublicAlg::Rsa => Self::Rsa(reader.read()?),
            PublicAlg::Ecc => Self::Ecc(reader.read()?),
            PublicAlg::Mldsa => Self::Mldsa(reader.read()?),
            PublicAlg::HashMldsa => Self::HashMldsa(reader.read()?),
            PublicAlg::Mlkem => Self::Mlkem(reader.read()?),
        })
    }

    fn marshal_details(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        match self {
            Self::KeyedHash(scheme) => writer.write(scheme),
            Self::SymCipher(cipher) => writer.write(cipher),
            Self::Rsa(rsa) => writer.write(rsa),
            Self::Ecc(ecc) => writer.write(ecc),
            Self::Mldsa(mldsa) => writer.write(mldsa),
            Self::HashMldsa(mldsa) => writer.write(mldsa),
            Self::Mlkem(mlkem) => writer.write(mlkem),
        }
    }
}

/// The parameters and the unique field of a public area, which always fit each other (`TPMU_PUBLIC_PARMS`,
/// `TPMU_PUBLIC_ID`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "no allocation here; a slot must hold the greatest anyway")]
pub enum PublicBody {
    /// A sealed data object, an HMAC key or a derivation parent.
    KeyedHash {
        /// The scheme.
        scheme: Option<TpmtKeyedhashScheme>,
        /// A digest that depends on the sensitive area.
        unique: Tpm2bDigest,
    },
    /// A symmetric block cipher key.
    SymCipher {
        /// The cipher.
        parms: TpmtSymDefObject,
        /// A digest that depends on the sensitive area.
        unique: Tpm2bDigest,
    },
    /// An RSA key.
    Rsa {
        /// The parameters.
        parms: TpmsRsaParms,
        /// The modulus.
        unique: Tpm2bPublicKeyRsa,
    },
    /// An ECC key.
    Ecc {
        /// The parameters.
        parms: TpmsEccParms,
        /// The public point.
        unique: TpmsEccPoint,
    },
    /// An ML-DSA key.
    Mldsa {
        /// The parameters.
        parms: TpmsMldsaParms,
        /// The public key.
        unique: Tpm2bPublicKeyMldsa,
    },
    /// A HashML-DSA key.
    HashMldsa {
        /// The parameters.
        parms: TpmsHashMldsaParms,
        /// The public key.
        unique: Tpm2bPublicKeyMldsa,
    },
    /// An ML-KEM key.
    Mlkem {
        /// The parameters.
        parms: TpmsMlkemParms,
        /// The public key.
        unique: Tpm2bPublicKeyMlkem,
    },
}

impl PublicBody {
    /// Returns the type of the object.
    pub const fn kind(&self) -> PublicAlg {
        match self {
            Self::KeyedHash { .. } => PublicAlg::KeyedHash,
            Self::SymCipher { .. } => PublicAlg::SymCipher,
            Self::Rsa { .. } => PublicAlg::Rsa,
            Self::Ecc { .. } => PublicAlg::Ecc,
            Self::Mldsa { .. } => PublicAlg::Mldsa,
            Self::HashMldsa { .. } => PublicAlg::HashMldsa,
            Self::Mlkem { .. } => PublicAlg::Mlkem,
        }
    }

    /// Returns the parameters.
    pub const fn parms(&self) -> TpmtPublicParms {
        match self {
            Self::KeyedHash { scheme, .. } => TpmtPublicParms::KeyedHash(*scheme),
            Self::SymCipher { parms, .. } => TpmtPublicParms::SymCipher(*parms),
            Self::Rsa { parms, .. } => TpmtPublicParms::Rsa(*parms),
            Self::Ecc { parms, .. } => TpmtPublicParms::Ecc(*parms),
            Self::Mldsa { parms, .. } => TpmtPublicParms::Mldsa(*parms),
            Self::HashMldsa { parms, .. } => TpmtPublicParms::HashMldsa(*parms),
            Self::Mlkem { parms, .. } => TpmtPublicParms::Mlkem(*parms),
        }
    }

    /// Returns the cipher with which a parent protects its children, if the parameters name one.
    pub const fn symmetric(&self) -> Option<TpmtSymDefObject> {
        match self {
            Self::KeyedHash { .. } | Self::Mldsa { .. } | Self::HashMldsa { .. } => None,
            Self::SymCipher { parms, .. } => Some(*parms),
            Self::Rsa { parms, .. } => parms.symmetric,
            Self::Ecc { parms, .. } => parms.symmetric,
            Self::Mlkem { parms, .. } => parms.symmetric,
        }
    }
}

/// A public area (`TPMT_PUBLIC`).
///
/// Read as it stands here, a missing nameAlg is `TPM_RC_HASH`; where Part 3 writes "+" it is [`TpmtPublicPlus`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmtPublic {
    /// The hash of the Name; `None` gives an object without one.
    pub name_alg: Option<HashAlg>,
    /// The attributes.
    pub object_attributes: TpmaObject,
    /// The policy, or nothing.
    pub auth_policy: Tpm2bDigest,
    /// The parameters and the unique field.
    pub body: PublicBody,
}

impl TpmtPublic {
    /// Returns the type of the object.
    pub const fn kind(&self) -> PublicAlg {
        self.body.kind()
    }

    /// Returns the wire form in two parts, so that hashing it needs no memory for the greatest keys: all but the bytes of
    /// such a key, which are the second part.
    pub fn parts<'b>(&'b self, buffer: &'b mut [u8; MAX_PUBLIC_HEAD]) -> Result<[&'b [u8]; 2], Overflow> {
        let key = match &self.body {
            PublicBody::Mldsa { unique, .. } | PublicBody::HashMldsa { unique, .. } if !unique.is_lost() => {
                unique.as_bytes()
            }
            PublicBody::Mlkem { unique, .. } if !unique.is_lost() => unique.as_bytes(),
            _ => return Ok([self.to_bytes(buffer)?, &[]]),
        };
        let mut writer = Writer::new(buffer);
        self.marshal_head(&mut writer)?;
        writer.write(&u16::try_from(key.len()).map_err(|_| Overflow)?)?;
        Ok([writer.into_written(), key])
    }

    /// Copies the public area, if there is memory for its key (see [`Large`](crate::Large)).
    pub fn copy(&self) -> Result<Self, Overflow> {
        let copy = self.clone();
        if copy.is_lost() { Err(Overflow) } else { Ok(copy) }
    }

    /// Returns whether there was no memory for the key when this was copied.
    pub const fn is_lost(&self) -> bool {
        match &self.body {
            PublicBody::Mldsa { unique, .. } | PublicBody::HashMldsa { unique, .. } => unique.is_lost(),
            PublicBody::Mlkem { unique, .. } => unique.is_lost(),
            _ => false,
        }
    }

    /// Writes everything before the unique field.
    fn marshal_head(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.kind())?;
        writer.write(&self.name_alg)?;
        writer.write(&self.object_attributes)?;
        writer.write(&self.auth_policy)?;
        self.body.parms().marshal_details(writer)
    }

    fn after(kind: PublicAlg, name_alg: Option<HashAlg>, reader: &mut Reader<'_>) -> Result<Self, Rc> {
        let object_attributes = reader.read()?;
        let auth_policy = reader.read()?;
        let body = match TpmtPublicParms::after(kind, reader)? {
            TpmtPublicParms::KeyedHash(scheme) => PublicBody::KeyedHash { scheme, unique: reader.read()? },
            TpmtPublicParms::SymCipher(parms) => PublicBody::SymCipher { parms, unique: reader.read()? },
            TpmtPublicParms::Rsa(parms) => PublicBody::Rsa { parms, unique: reader.read()? },
            TpmtPublicParms::Ecc(parms) => PublicBody::Ecc { parms, unique: reader.read()? },
            TpmtPublicParms::Mldsa(parms) => PublicBody::Mldsa { parms, unique: reader.read()? },
            TpmtPublicParms::HashMldsa(parms) => PublicBody::HashMldsa { parms, unique: reader.read()? },
            TpmtPublicParms::Mlkem(parms) => PublicBody::Mlkem { parms, unique: reader.read()? },
        };
        Ok(Self { name_alg, object_attributes, auth_policy, body })
    }
}

impl<'a> Unmarshal<'a> for TpmtPublic {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let kind = reader.read()?;
        let name_alg: HashAlg = reader.read()?;
        Self::after(kind, Some(name_alg), reader)
    }
}

impl Marshal for TpmtPublic {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        self.marshal_head(writer)?;
        match &self.body {
            PublicBody::KeyedHash { unique, .. } | PublicBody::SymCipher { unique, .. } => writer.write(unique),
            PublicBody::Rsa { unique, .. } => writer.write(unique),
            PublicBody::Ecc { unique, .. } => writer.write(unique),
            PublicBody::Mldsa { unique, .. } | PublicBody::HashMldsa { unique, .. } => writer.write(unique),
            PublicBody::Mlkem { unique, .. } => writer.write(unique),
        }
    }
}

/// A public area whose nameAlg may be missing (`TPMT_PUBLIC+`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmtPublicPlus(pub TpmtPublic);

impl<'a> Unmarshal<'a> for TpmtPublicPlus {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let kind = reader.read()?;
        let name_alg = reader.read()?;
        TpmtPublic::after(kind, name_alg, reader).map(Self)
    }
}

impl Marshal for TpmtPublicPlus {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

/// A public area behind its size (`TPM2B_PUBLIC`).
pub type Tpm2bPublic = Tpm2b<TpmtPublic>;
/// A public area behind its size, whose nameAlg may be missing (`TPM2B_PUBLIC+`).
pub type Tpm2bPublicPlus = Tpm2b<TpmtPublicPlus>;

/// The size of the greatest public area, of ML-DSA-87.
pub const MAX_PUBLIC: usize = 2720;
/// The size of the greatest public area without the bytes of an ML-DSA or ML-KEM key, of RSA-4096.
pub const MAX_PUBLIC_HEAD: usize = 640;
/// A template, whose form depends on the parent (`TPM2B_TEMPLATE`).
pub type Tpm2bTemplate<'a> = Bytes<'a, MAX_PUBLIC>;

/// A template for a derived object: its unique field is label and context, whatever its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedTemplate {
    /// The hash of the Name.
    pub name_alg: HashAlg,
    /// The attributes.
    pub object_attributes: TpmaObject,
    /// The policy, or nothing.
    pub auth_policy: Tpm2bDigest,
    /// The parameters.
    pub parms: TpmtPublicParms,
    /// Label and context.
    pub unique: TpmsDerive,
}

impl<'a> Unmarshal<'a> for DerivedTemplate {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let kind = reader.read()?;
        Ok(Self {
            name_alg: reader.read()?,
            object_attributes: reader.read()?,
            auth_policy: reader.read()?,
            parms: TpmtPublicParms::after(kind, reader)?,
            unique: reader.read()?,
        })
    }
}

impl Marshal for DerivedTemplate {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.parms.selector())?;
        writer.write(&self.name_alg)?;
        writer.write(&self.object_attributes)?;
        writer.write(&self.auth_policy)?;
        self.parms.marshal_details(writer)?;
        writer.write(&self.unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    /// A sealed data object without policy and unique field.
    const SEALED: [u8; 14] = [0, 8, 0, 0x0B, 0, 0, 0, 0x52, 0, 0, 0, 0x10, 0, 0];

    fn changed(position: usize, byte: u8) -> Result<TpmtPublic, Rc> {
        let mut bytes = SEALED;
        bytes[position] = byte;
        from_bytes(&bytes, &Supported::ALL)
    }

    #[test]
    fn each_field_answers_its_own_code() {
        assert!(changed(0, 0).is_ok());
        assert_eq!(changed(1, 9), Err(Rc::TYPE));
        assert_eq!(changed(3, 9), Err(Rc::HASH));
        assert_eq!(changed(3, 0x10), Err(Rc::HASH));
        assert_eq!(changed(7, 0x53), Err(Rc::RESERVED_BITS));
        assert_eq!(changed(9, 65), Err(Rc::SIZE));
        assert_eq!(changed(9, 5), Err(Rc::INSUFFICIENT));
        assert_eq!(changed(11, 0x11), Err(Rc::VALUE));
        assert_eq!(changed(13, 65), Err(Rc::SIZE));
    }

    #[test]
    fn a_missing_name_algorithm_is_allowed_with_plus() {
        let mut bytes = SEALED;
        bytes[3] = 0x10;
        let public: TpmtPublicPlus = from_bytes(&bytes, &Supported::ALL).unwrap();
        assert_eq!(public.0.name_alg, None);
        let mut buffer = [0; 32];
        assert_eq!(public.to_bytes(&mut buffer), Ok(&bytes[..]));
    }

    #[test]
    fn a_curve_or_key_size_that_the_profile_lacks_has_its_code() {
        let ecc = [0, 0x23, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 0, 0x06, 0, 0x10, 0, 0, 0, 0];
        assert_eq!(from_bytes::<TpmtPublic>(&ecc, &Supported::ALL), Err(Rc::CURVE));
        let rsa = [0, 1, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 8, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(from_bytes::<TpmtPublic>(&rsa, &Supported::ALL), Err(Rc::VALUE));
    }

    #[test]
    fn the_parts_are_the_whole() {
        let parms = TpmsMlkemParms { symmetric: None, parameter_set: crate::TpmiMlkemParms::MlKem512 };
        let unique = Tpm2bPublicKeyMlkem::new(&[9; 800]).unwrap();
        let body = PublicBody::Mlkem { parms, unique };
        let auth_policy = Tpm2bDigest::zeros(32).unwrap();
        let public =
            TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes: TpmaObject::NONE, auth_policy, body };
        let (mut head, mut whole) = ([0; MAX_PUBLIC_HEAD], [0; MAX_PUBLIC]);
        let [first, second] = public.parts(&mut head).unwrap();
        let whole = public.to_bytes(&mut whole).unwrap();
        assert_eq!(whole.split_at(first.len()), (first, second));
        assert_eq!(second, [9; 800]);
    }

    #[test]
    fn a_public_area_stays_small_although_its_key_is_not() {
        assert!(size_of::<TpmtPublic>() < 700);
    }

    #[test]
    fn the_greatest_public_area_fits_its_limit() {
        let parms = TpmsRsaParms {
            symmetric: Some(TpmtSymDefObject::AES_256_CFB),
            scheme: Some(crate::TpmtRsaScheme::Rsapss(HashAlg::Sha512)),
            key_bits: crate::TpmiRsaKeyBits(4096),
            exponent: 0,
        };
        let public = TpmtPublic {
            name_alg: Some(HashAlg::Sha512),
            object_attributes: TpmaObject::NONE,
            auth_policy: Tpm2bDigest::zeros(64).unwrap(),
            body: PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::zeros(512).unwrap() },
        };
        assert!(public.to_bytes(&mut [0; MAX_PUBLIC_HEAD]).is_ok());
        let parms = TpmsHashMldsaParms { parameter_set: crate::TpmiMldsaParms::MlDsa87, hash_alg: HashAlg::Sha512 };
        let unique = Tpm2bPublicKeyMldsa::zeros(Tpm2bPublicKeyMldsa::CAPACITY).unwrap();
        let public = TpmtPublic { body: PublicBody::HashMldsa { parms, unique }, ..public };
        assert!(public.to_bytes(&mut [0; MAX_PUBLIC]).is_ok());
    }
}
