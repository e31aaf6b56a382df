// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA structures (Part 2, "RSA").
use crate::{
    Buf, Marshal, Overflow, Rc, Reader, Secret, TpmtRsaScheme, TpmtSymDefObject, Unmarshal, Writer, structure,
};

/// The size of the greatest modulus, of 4,096 bits.
pub const MAX_RSA_KEY: usize = 512;
/// The size of the greatest prime.
pub const MAX_RSA_PRIME: usize = MAX_RSA_KEY / 2;

/// A modulus, a ciphertext or a signature (`TPM2B_PUBLIC_KEY_RSA`).
pub type Tpm2bPublicKeyRsa = Buf<MAX_RSA_KEY>;
/// A prime factor of the modulus (`TPM2B_PRIVATE_KEY_RSA`).
pub type Tpm2bPrivateKeyRsa = Secret<MAX_RSA_PRIME>;

/// The size of a modulus in bits (`TPMI_RSA_KEY_BITS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TpmiRsaKeyBits(pub u16);

impl<'a> Unmarshal<'a> for TpmiRsaKeyBits {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let bits = reader.read()?;
        if reader.supported().rsa_key_bits.contains(bits) { Ok(Self(bits)) } else { Err(Rc::VALUE) }
    }
}

impl Marshal for TpmiRsaKeyBits {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

structure! {
    /// The parameters of an RSA key (`TPMS_RSA_PARMS`).
    #[derive(Copy)]
    pub struct TpmsRsaParms {
        /// The cipher of a parent.
        pub symmetric: Option<TpmtSymDefObject>,
        /// The scheme.
        pub scheme: Option<TpmtRsaScheme>,
        /// The size of the modulus.
        pub key_bits: TpmiRsaKeyBits,
        /// The public exponent; 0 is 65,537.
        pub exponent: u32,
    }
}
