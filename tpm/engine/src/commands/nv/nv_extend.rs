// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_Extend` (Part 3, "TPM2_NV_Extend").

use crate::commands::Execute;
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::{Crypto, Digest};
use evtpm_tpm_wire::commands::{NvExtend, NvExtendHandles};
use evtpm_tpm_wire::{NvType, Rc, Subject, TpmaNv};

impl Execute for NvExtend<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvExtendHandles) -> Result<(), Rc> {
        let index = tpm.nv_writable(handles.auth_handle, handles.nv_index)?;
        if index.kind() != Some(NvType::Extend) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }
        let alg = algorithm::hash(index.public.name_alg).ok_or(Rc::HASH)?;

        // "If TPMA_NV_WRITTEN is CLEAR, then nvIndex→data_old is a Zero Digest."
        let zero = Digest::zero(alg);
        let old = if index.has(TpmaNv::WRITTEN) { index.data.as_slice() } else { zero.as_bytes() };
        let new = P::Crypto::hash(alg, &[old, self.data.as_bytes()]);

        tpm.nv_mut(handles.nv_index)?.write(0, new.as_bytes()).map_err(|_| Rc::NV_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, nv, nv_auth, read, with_index};
    use crate::testing::TestCrypto;
    use evtpm_crypto::HashAlg;
    use evtpm_tpm_wire::{Bytes, Handle};

    #[test]
    fn extending_hashes_data_of_any_size_after_the_old_digest() {
        let mut tpm = with_index(OWNER, NvType::Extend, b"");
        let handles = NvExtendHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        for data in [&b"first"[..], b""] {
            tpm.send(&NvExtend { data: Bytes::new(data).unwrap() }, handles).unwrap();
        }
        let first = TestCrypto::hash(HashAlg::Sha256, &[&[0; 32], b"first"]);
        let second = TestCrypto::hash(HashAlg::Sha256, &[first.as_bytes()]);
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 32, 0).unwrap(), second.as_bytes());
    }

    #[test]
    fn a_bit_field_is_not_extended() {
        let mut tpm = with_index(OWNER, NvType::Bits, b"");
        let handles = NvExtendHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        let result = tpm.send(&NvExtend { data: Bytes::new(b"x").unwrap() }, handles);
        assert_eq!(result, Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
