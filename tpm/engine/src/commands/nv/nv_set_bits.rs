// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_SetBits` (Part 3, "TPM2_NV_SetBits").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvSetBits, NvSetBitsHandles};
use evtpm_tpm_wire::{NvType, Rc, Subject};

impl Execute for NvSetBits {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvSetBitsHandles) -> Result<(), Rc> {
        let index = tpm.nv_writable(handles.auth_handle, handles.nv_index)?;
        if index.kind() != Some(NvType::Bits) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }

        // "If TPMA_NV_WRITTEN is not SET, then ... the NV Index is considered to contain all zero bits"
        let bits = index.word().unwrap_or(0) | self.bits;

        tpm.nv_mut(handles.nv_index)?.write(0, &bits.to_be_bytes()).map_err(|_| Rc::NV_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, nv, nv_auth, read, with_index};
    use evtpm_tpm_wire::Handle;

    #[test]
    fn bits_are_only_ever_added() {
        let mut tpm = with_index(OWNER, NvType::Bits, b"");
        let handles = NvSetBitsHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        for (bits, expected) in [(0, 0), (0x8000_0000_0000_0001, 0x8000_0000_0000_0001u64), (2, 0x8000_0000_0000_0003)]
        {
            tpm.send(&NvSetBits { bits }, handles).unwrap();
            assert_eq!(read(&mut tpm, Handle::OWNER, b"", 8, 0).unwrap(), expected.to_be_bytes());
        }
    }

    #[test]
    fn a_counter_has_no_bits() {
        let mut tpm = with_index(OWNER, NvType::Counter, b"");
        let handles = NvSetBitsHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        assert_eq!(tpm.send(&NvSetBits { bits: 1 }, handles), Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
