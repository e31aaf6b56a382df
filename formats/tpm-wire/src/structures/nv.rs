// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NV storage structures (Part 2, "NV Storage Structures").
use crate::{
    HashAlg, Marshal, NvHandleType, Overflow, Rc, Reader, Tpm2b, Tpm2bDigest, TpmaNv, TpmaNvExp, TpmiRhNvExpIndex,
    TpmiRhNvLegacyIndex, Unmarshal, Writer, structure, union,
};

/// The public area of an NV index (`TPMS_NV_PUBLIC`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmsNvPublic {
    /// The index.
    pub nv_index: TpmiRhNvLegacyIndex,
    /// The hash of the Name, of the policy and of an extend.
    pub name_alg: HashAlg,
    /// The attributes.
    pub attributes: TpmaNv,
    /// The policy, or nothing.
    pub auth_policy: Tpm2bDigest,
    /// The size of the data.
    pub data_size: u16,
}

impl<'a> Unmarshal<'a> for TpmsNvPublic {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let public = Self {
            nv_index: reader.read()?,
            name_alg: reader.read()?,
            attributes: reader.read()?,
            auth_policy: reader.read()?,
            data_size: reader.read()?,
        };
        // "#TPM_RC_SIZE response code returned when the requested size is too large for the implementation"
        if public.data_size > reader.supported().nv_index_size { Err(Rc::SIZE) } else { Ok(public) }
    }
}

impl Marshal for TpmsNvPublic {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.nv_index)?;
        writer.write(&self.name_alg)?;
        writer.write(&self.attributes)?;
        writer.write(&self.auth_policy)?;
        writer.write(&self.data_size)
    }
}

/// The public area of an NV index with expanded attributes (`TPMS_NV_PUBLIC_EXP_ATTR`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmsNvPublicExpAttr {
    /// The index.
    pub nv_index: TpmiRhNvExpIndex,
    /// The hash of the Name, of the policy and of an extend.
    pub name_alg: HashAlg,
    /// The attributes.
    pub attributes: TpmaNvExp,
    /// The policy, or nothing.
    pub auth_policy: Tpm2bDigest,
    /// The size of the data.
    pub data_size: u16,
}

impl<'a> Unmarshal<'a> for TpmsNvPublicExpAttr {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let public = Self {
            nv_index: reader.read()?,
            name_alg: reader.read()?,
            attributes: reader.read()?,
            auth_policy: reader.read()?,
            data_size: reader.read()?,
        };
        if public.data_size > reader.supported().nv_index_size { Err(Rc::SIZE) } else { Ok(public) }
    }
}

impl Marshal for TpmsNvPublicExpAttr {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.nv_index)?;
        writer.write(&self.name_alg)?;
        writer.write(&self.attributes)?;
        writer.write(&self.auth_policy)?;
        writer.write(&self.data_size)
    }
}

union! {
    /// The public area of an NV index of either kind (`TPMT_NV_PUBLIC_2`; no permanent NV index is defined).
    pub enum TpmtNvPublic2 by NvHandleType {
        /// With 32-bit attributes.
        NvIndex(TpmsNvPublic),
        /// An external index, with expanded attributes.
        ExternalNv(TpmsNvPublicExpAttr),
    }
}

/// The public area of an NV index of either kind behind its size (`TPM2B_NV_PUBLIC_2`).
pub type Tpm2bNvPublic2 = Tpm2b<TpmtNvPublic2>;

/// The public area of an NV index behind its size (`TPM2B_NV_PUBLIC`).
pub type Tpm2bNvPublic = Tpm2b<TpmsNvPublic>;

structure! {
    /// The content of a PIN index (`TPMS_NV_PIN_COUNTER_PARAMETERS`).
    #[derive(Copy)]
    pub struct TpmsNvPinCounterParameters {
        /// How often the PIN was used or failed.
        pub pin_count: u32,
        /// How often it may.
        pub pin_limit: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    const INDEX: [u8; 16] = [0, 14, 1, 0xC0, 0, 2, 0, 0x0B, 0, 0, 0, 2, 0, 0, 8, 0];

    #[test]
    fn data_over_the_greatest_index_is_a_size_error() {
        assert!(from_bytes::<Tpm2bNvPublic>(&INDEX, &Supported { nv_index_size: 2048, ..Supported::ALL }).is_ok());
        let supported = Supported { nv_index_size: 2047, ..Supported::ALL };
        assert_eq!(from_bytes::<Tpm2bNvPublic>(&INDEX, &supported), Err(Rc::SIZE));
    }

    #[test]
    fn the_kind_of_an_index_is_said_twice_and_must_agree() {
        let legacy = [&[0, 15, 1][..], &INDEX[2..]].concat();
        assert!(from_bytes::<Tpm2bNvPublic2>(&legacy, &Supported::ALL).is_ok());
        let external = [&[0, 19, 0x11, 0x11][..], &INDEX[3..8], &[0; 4], &INDEX[8..]].concat();
        assert!(from_bytes::<Tpm2bNvPublic2>(&external, &Supported::ALL).is_ok());
        for (position, value, rc) in [(2, 0x11, Rc::VALUE), (2, 0x12, Rc::SELECTOR), (3, 0x11, Rc::VALUE)] {
            let mut bytes = legacy.clone();
            bytes[position] = value;
            assert_eq!(from_bytes::<Tpm2bNvPublic2>(&bytes, &Supported::ALL), Err(rc), "{position}");
        }
    }

    #[test]
    fn a_handle_that_is_no_index_is_a_value_error() {
        let mut bytes = INDEX;
        bytes[2] = 0x81;
        assert_eq!(from_bytes::<Tpm2bNvPublic>(&bytes, &Supported::ALL), Err(Rc::VALUE));
    }
}
