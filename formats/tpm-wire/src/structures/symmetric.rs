// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Symmetric algorithm definitions (Part 2, "Symmetric").
use crate::{
    HashAlg, KeyBits, Marshal, Null, Nullable, Overflow, Rc, Reader, Secret, SymAlg, SymMode, SymObjectAlg, Unmarshal,
    Writer,
};

/// A block cipher with key size and mode (`TPMT_SYM_DEF_OBJECT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TpmtSymDefObject {
    /// The cipher.
    pub algorithm: SymObjectAlg,
    /// The key size in bits.
    pub key_bits: u16,
    /// The mode; `None` lets each use choose.
    pub mode: Option<SymMode>,
}

impl TpmtSymDefObject {
    /// AES-128 in CFB mode.
    pub const AES_128_CFB: Self = Self { algorithm: SymObjectAlg::Aes, key_bits: 128, mode: Some(SymMode::Cfb) };
    /// AES-256 in CFB mode.
    pub const AES_256_CFB: Self = Self { algorithm: SymObjectAlg::Aes, key_bits: 256, mode: Some(SymMode::Cfb) };

    /// Returns the key size in bytes.
    pub const fn key_size(self) -> usize {
        self.key_bits.div_ceil(8) as usize
    }

    fn after(algorithm: SymObjectAlg, reader: &mut Reader<'_>) -> Result<Self, Rc> {
        let key_bits = reader.read()?;
        let sizes = key_sizes(algorithm, reader);
        // The interface types of key sizes (TPMI_AES_KEY_BITS and its like) answer TPM_RC_VALUE.
        if !sizes.contains(key_bits) {
            return Err(Rc::VALUE);
        }
        Ok(Self { algorithm, key_bits, mode: reader.read()? })
    }
}

const fn key_sizes(algorithm: SymObjectAlg, reader: &Reader<'_>) -> KeyBits {
    match algorithm {
        SymObjectAlg::Aes => reader.supported().aes_key_bits,
        SymObjectAlg::Sm4 => reader.supported().sm4_key_bits,
        SymObjectAlg::Camellia => reader.supported().camellia_key_bits,
    }
}

impl<'a> Unmarshal<'a> for TpmtSymDefObject {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let algorithm = reader.read()?;
        Self::after(algorithm, reader)
    }
}

impl Marshal for TpmtSymDefObject {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.algorithm)?;
        writer.write(&self.key_bits)?;
        writer.write(&self.mode)
    }
}

impl Nullable for TpmtSymDefObject {
    const NULL: Null = Null::Algorithm;
}

/// How a session encrypts parameters (`TPMT_SYM_DEF`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TpmtSymDef {
    /// With a block cipher.
    Cipher(TpmtSymDefObject),
    /// By XOR with a mask made with this hash.
    Xor(HashAlg),
}

impl<'a> Unmarshal<'a> for TpmtSymDef {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let algorithm = match reader.read()? {
            SymAlg::Xor => return reader.read().map(Self::Xor),
            SymAlg::Aes => SymObjectAlg::Aes,
            SymAlg::Sm4 => SymObjectAlg::Sm4,
            SymAlg::Camellia => SymObjectAlg::Camellia,
        };
        TpmtSymDefObject::after(algorithm, reader).map(Self::Cipher)
    }
}

impl Marshal for TpmtSymDef {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        match self {
            Self::Cipher(cipher) => writer.write(cipher),
            Self::Xor(hash) => {
                writer.write(&SymAlg::Xor)?;
                writer.write(hash)
            }
        }
    }
}

impl Nullable for TpmtSymDef {
    const NULL: Null = Null::Algorithm;
}

/// `MAX_SYM_KEY_BYTES`: "the larger of the largest symmetric key supported by the TPM and the largest digest".
pub const MAX_SYM_KEY: usize = 64;
/// A symmetric key (`TPM2B_SYM_KEY`).
pub type Tpm2bSymKey = Secret<MAX_SYM_KEY>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_key_size_that_the_cipher_lacks_is_a_value_error() {
        assert_eq!(from_bytes::<TpmtSymDefObject>(&[0, 6, 0, 129, 0, 0x43], &Supported::ALL), Err(Rc::VALUE));
        let supported = Supported { aes_key_bits: KeyBits::of(&[128]), ..Supported::ALL };
        assert_eq!(from_bytes::<TpmtSymDefObject>(&[0, 6, 1, 0, 0, 0x43], &supported), Err(Rc::VALUE));
    }

    #[test]
    fn an_unknown_mode_is_a_mode_error_and_null_is_none() {
        assert_eq!(from_bytes::<TpmtSymDefObject>(&[0, 6, 0, 128, 0, 0x45], &Supported::ALL), Err(Rc::MODE));
        let null = from_bytes::<TpmtSymDefObject>(&[0, 6, 0, 128, 0, 0x10], &Supported::ALL).unwrap();
        assert_eq!(null.mode, None);
    }

    #[test]
    fn xor_is_for_parameters_only() {
        assert_eq!(from_bytes(&[0, 0x0A, 0, 0x0B], &Supported::ALL), Ok(TpmtSymDef::Xor(HashAlg::Sha256)));
        assert_eq!(from_bytes::<TpmtSymDef>(&[0, 0x0A, 0, 0x10], &Supported::ALL), Err(Rc::HASH));
        assert_eq!(from_bytes::<TpmtSymDefObject>(&[0, 0x0A, 0, 0x0B], &Supported::ALL), Err(Rc::SYMMETRIC));
        assert_eq!(from_bytes::<Option<TpmtSymDef>>(&[0, 0x10], &Supported::ALL), Ok(None));
    }
}
