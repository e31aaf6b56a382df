// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sensitive areas and private blobs (Part 2, "Private Area Structures", "Identity Object").
use crate::{
    Buf, Bytes, Large, MAX_MLKEM_CIPHERTEXT, Marshal, Overflow, PublicAlg, Rc, Reader, Secret, Tpm2b, Tpm2bAuth,
    Tpm2bEccPrivate, Tpm2bPrivateKeyMldsa, Tpm2bPrivateKeyMlkem, Tpm2bPrivateKeyRsa, Tpm2bSymKey, Unmarshal, Writer,
    structure,
};

/// `MAX_SYM_DATA`: the greatest sealed data.
pub const MAX_SYM_DATA: usize = 128;
/// Sealed data or a key (`TPM2B_SENSITIVE_DATA`).
pub type Tpm2bSensitiveData = Secret<MAX_SYM_DATA>;
/// `LABEL_MAX_BUFFER`.
pub const MAX_LABEL: usize = 32;
/// A label or a context (`TPM2B_LABEL`).
pub type Tpm2bLabel = Buf<MAX_LABEL>;

structure! {
    /// What the caller chooses of a sensitive area (`TPMS_SENSITIVE_CREATE`).
    #[derive(Default)]
    pub struct TpmsSensitiveCreate {
        /// The authorization value.
        pub user_auth: Tpm2bAuth,
        /// Data to be sealed, a key, or derivation values.
        pub data: Tpm2bSensitiveData,
    }

    /// The values that a derivation depends on (`TPMS_DERIVE`).
    #[derive(Copy, Default)]
    pub struct TpmsDerive {
        /// The label.
        pub label: Tpm2bLabel,
        /// The context.
        pub context: Tpm2bLabel,
    }
}

/// `TPM2B_SENSITIVE_CREATE`.
pub type Tpm2bSensitiveCreate = Tpm2b<TpmsSensitiveCreate>;

/// The type-specific part of a sensitive area (`TPMU_SENSITIVE_COMPOSITE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SensitiveBody {
    /// Sealed data or an HMAC key.
    KeyedHash(Tpm2bSensitiveData),
    /// A symmetric key.
    SymCipher(Tpm2bSymKey),
    /// A prime factor of the modulus.
    Rsa(Tpm2bPrivateKeyRsa),
    /// An ECC private key.
    Ecc(Tpm2bEccPrivate),
    /// The seed of an ML-DSA key.
    Mldsa(Tpm2bPrivateKeyMldsa),
    /// The seed of a HashML-DSA key.
    HashMldsa(Tpm2bPrivateKeyMldsa),
    /// The seed of an ML-KEM key.
    Mlkem(Tpm2bPrivateKeyMlkem),
}

impl SensitiveBody {
    /// Returns the type of the object.
    pub const fn kind(&self) -> PublicAlg {
        match self {
            Self::KeyedHash(_) => PublicAlg::KeyedHash,
            Self::SymCipher(_) => PublicAlg::SymCipher,
            Self::Rsa(_) => PublicAlg::Rsa,
            Self::Ecc(_) => PublicAlg::Ecc,
            Self::Mldsa(_) => PublicAlg::Mldsa,
            Self::HashMldsa(_) => PublicAlg::HashMldsa,
            Self::Mlkem(_) => PublicAlg::Mlkem,
        }
    }

    /// Returns the secret bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::KeyedHash(data) => data.as_bytes(),
            Self::SymCipher(key) => key.as_bytes(),
            Self::Rsa(prime) => prime.as_bytes(),
            Self::Ecc(key) => key.as_bytes(),
            Self::Mldsa(seed) | Self::HashMldsa(seed) => seed.as_bytes(),
            Self::Mlkem(seed) => seed.as_bytes(),
        }
    }
}

/// A sensitive area (`TPMT_SENSITIVE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmtSensitive {
    /// The authorization value.
    pub auth_value: Tpm2bAuth,
    /// The seed of a parent, or the obfuscation value of another object.
    pub seed_value: Tpm2bAuth,
    /// The type-specific part.
    pub body: SensitiveBody,
}

impl<'a> Unmarshal<'a> for TpmtSensitive {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let kind = reader.read()?;
        Ok(Self {
            auth_value: reader.read()?,
            seed_value: reader.read()?,
            body: match kind {
                PublicAlg::KeyedHash => SensitiveBody::KeyedHash(reader.read()?),
                PublicAlg::SymCipher => SensitiveBody::SymCipher(reader.read()?),
                PublicAlg::Rsa => SensitiveBody::Rsa(reader.read()?),
                PublicAlg::Ecc => SensitiveBody::Ecc(reader.read()?),
                PublicAlg::Mldsa => SensitiveBody::Mldsa(reader.read()?),
                PublicAlg::HashMldsa => SensitiveBody::HashMldsa(reader.read()?),
                PublicAlg::Mlkem => SensitiveBody::Mlkem(reader.read()?),
            },
        })
    }
}

impl Marshal for TpmtSensitive {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.body.kind())?;
        writer.write(&self.auth_value)?;
        writer.write(&self.seed_value)?;
        match &self.body {
            SensitiveBody::KeyedHash(data) => writer.write(data),
            SensitiveBody::SymCipher(key) => writer.write(key),
            SensitiveBody::Rsa(prime) => writer.write(prime),
            SensitiveBody::Ecc(key) => writer.write(key),
            SensitiveBody::Mldsa(seed) | SensitiveBody::HashMldsa(seed) => writer.write(seed),
            SensitiveBody::Mlkem(seed) => writer.write(seed),
        }
    }
}

/// A sensitive area behind its size, or a size of 0 when there is none (`TPM2B_SENSITIVE`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tpm2bSensitive(pub Option<TpmtSensitive>);

impl<'a> Unmarshal<'a> for Tpm2bSensitive {
    const SIZED: bool = true;

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        if reader.peek_u16()? == 0 {
            return reader.read::<u16>().map(|_| Self(None));
        }
        reader.read().map(|Tpm2b(sensitive)| Self(Some(sensitive)))
    }
}

impl Marshal for Tpm2bSensitive {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        match &self.0 {
            Some(sensitive) => writer.sized(sensitive),
            None => writer.write(&0u16),
        }
    }
}

/// The greatest private blob that this crate carries; a sensitive area with its two integrity values needs 620 bytes.
pub const MAX_PRIVATE: usize = 1024;
/// A private blob in a command (`TPM2B_PRIVATE`).
pub type Tpm2bPrivateIn<'a> = Bytes<'a, MAX_PRIVATE>;
/// A private blob in a response (`TPM2B_PRIVATE`).
pub type Tpm2bPrivate = Large<MAX_PRIVATE>;

/// The size of the greatest `TPMS_ID_OBJECT`.
pub const MAX_ID_OBJECT: usize = 132;
/// A protected credential (`TPM2B_ID_OBJECT`).
pub type Tpm2bIdObject = Buf<MAX_ID_OBJECT>;

/// The size of the greatest encrypted secret, of ML-KEM-1024.
pub const MAX_ENCRYPTED_SECRET: usize = MAX_MLKEM_CIPHERTEXT;
/// An encrypted secret in a command (`TPM2B_ENCRYPTED_SECRET`).
pub type Tpm2bEncryptedSecretIn<'a> = Bytes<'a, MAX_ENCRYPTED_SECRET>;
/// An encrypted secret in a response (`TPM2B_ENCRYPTED_SECRET`).
pub type Tpm2bEncryptedSecret = Large<MAX_ENCRYPTED_SECRET>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn an_empty_sensitive_area_is_none() {
        assert_eq!(from_bytes(&[0, 0], &Supported::ALL), Ok(Tpm2bSensitive(None)));
    }

    #[test]
    fn an_empty_sensitive_create_is_a_size_error() {
        assert_eq!(from_bytes::<Tpm2bSensitiveCreate>(&[0, 0], &Supported::ALL), Err(Rc::SIZE));
        assert!(from_bytes::<Tpm2bSensitiveCreate>(&[0, 4, 0, 0, 0, 0], &Supported::ALL).is_ok());
        assert_eq!(from_bytes::<Tpm2bSensitiveCreate>(&[0, 5, 0, 0, 0, 0, 0], &Supported::ALL), Err(Rc::SIZE));
    }

    #[test]
    fn sealed_data_over_128_bytes_is_a_size_error() {
        assert_eq!(from_bytes::<Tpm2bSensitiveCreate>(&[0, 133, 0, 0, 0, 129], &Supported::ALL), Err(Rc::SIZE));
    }

    #[test]
    fn a_sensitive_area_of_an_unknown_type_is_a_type_error() {
        assert_eq!(from_bytes::<Tpm2bSensitive>(&[0, 8, 0, 2, 0, 0, 0, 0, 0, 0], &Supported::ALL), Err(Rc::TYPE));
    }
}
