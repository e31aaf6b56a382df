// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_DefineSpace2` (Part 3, "TPM2_NV_DefineSpace2").

use crate::commands::Execute;
use crate::state::NvPublic;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvDefineSpace2, NvDefineSpace2Handles};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b};

impl Execute for NvDefineSpace2 {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvDefineSpace2Handles) -> Result<(), Rc> {
        let Tpm2b(public) = self.public_info;
        // As in the reference, an external index that asks for another protection than all indices have is refused.
        let public = NvPublic::from_wire(public).ok_or(Rc::ATTRIBUTES.at(Subject::Parameter(2)))?;

        tpm.define_nv(handles.auth_handle, self.auth, public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, nv, nv_auth, public};
    use crate::testing::TestCrypto;
    use crate::testing::{TestTpm, marshal, started};
    use evtpm_crypto::{Crypto, HashAlg as Hash};
    use evtpm_tpm_wire::commands::*;
    use evtpm_tpm_wire::{
        Bytes, Handle, HashAlg, Supported, Tpm2bAuth, Tpm2bDigest, TpmCap, TpmaNv, TpmaNvExp, TpmiRhNvDefinedIndex,
        TpmiRhNvExpIndex, TpmiRhProvision, TpmsCapabilityData, TpmsNvPublicExpAttr, TpmtNvPublic2,
    };
    use std::vec::Vec;

    const EXTERNAL: Handle = Handle(0x1100_0001);

    fn external_public(attributes: TpmaNvExp) -> TpmsNvPublicExpAttr {
        TpmsNvPublicExpAttr {
            nv_index: TpmiRhNvExpIndex::new(EXTERNAL, &Supported::ALL).unwrap(),
            name_alg: HashAlg::Sha256,
            attributes,
            auth_policy: Tpm2bDigest::EMPTY,
            data_size: 8,
        }
    }

    fn define(tpm: &mut TestTpm, public: TpmtNvPublic2) -> Result<(), Rc> {
        let command = NvDefineSpace2 { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(public) };
        tpm.send(&command, NvDefineSpace2Handles { auth_handle: TpmiRhProvision::Owner })
    }

    fn handles(tpm: &mut TestTpm, from: Handle) -> Vec<Handle> {
        let command = GetCapability { capability: TpmCap::Handles, property: from.0, property_count: 9 };
        let TpmsCapabilityData::Handles(list) = tpm.send(&command, ()).unwrap().capability_data else { panic!() };
        list.to_vec()
    }

    #[test]
    fn an_index_of_32_bits_is_the_same_whichever_command_defines_it() {
        let mut tpm = started();
        define(&mut tpm, TpmtNvPublic2::NvIndex(public(OWNER, 8))).unwrap();
        let old = tpm.send(&NvReadPublic {}, NvReadPublicHandles { nv_index: nv(INDEX) }).unwrap();
        let new = tpm.send(&NvReadPublic2 {}, NvReadPublic2Handles { nv_index: nv(INDEX) }).unwrap();
        assert_eq!(TpmtNvPublic2::NvIndex(old.nv_public.0), new.nv_public.0);
        assert_eq!(old.nv_name, new.nv_name);
        assert_eq!(define(&mut tpm, TpmtNvPublic2::NvIndex(public(OWNER, 8))), Err(Rc::NV_DEFINED));
    }

    #[test]
    fn an_external_index_is_written_read_named_listed_and_undefined() {
        let mut tpm = started();
        define(&mut tpm, TpmtNvPublic2::ExternalNv(external_public(OWNER.into()))).unwrap();
        let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(EXTERNAL));
        let write = NvWrite { data: Bytes::new(b"external").unwrap(), offset: 0 };
        tpm.send(&write, NvWriteHandles { auth_handle, nv_index }).unwrap();
        let read = tpm.send(&NvRead { size: 8, offset: 0 }, NvReadHandles { auth_handle, nv_index }).unwrap();
        assert_eq!(read.data.as_bytes(), b"external");

        let expected = external_public((OWNER | TpmaNv::WRITTEN).into());
        let told = tpm.send(&NvReadPublic2 {}, NvReadPublic2Handles { nv_index }).unwrap();
        assert_eq!(told.nv_name.as_bytes()[2..], *TestCrypto::hash(Hash::Sha256, &[&marshal(&expected)]).as_bytes());
        assert_eq!(told.nv_public.0, TpmtNvPublic2::ExternalNv(expected));
        let legacy = tpm.send(&NvReadPublic {}, NvReadPublicHandles { nv_index });
        assert_eq!(legacy.unwrap_err(), Rc::HANDLE.at(Subject::Handle(1)));
        assert_eq!(handles(&mut tpm, Handle(0x1100_0000)), [EXTERNAL]);
        assert!(handles(&mut tpm, Handle::NV_INDEX_FIRST).is_empty());

        let nv_index = TpmiRhNvDefinedIndex::new(EXTERNAL, &Supported::ALL).unwrap();
        let undefine = NvUndefineSpaceHandles { auth_handle: TpmiRhProvision::Owner, nv_index };
        tpm.send(&NvUndefineSpace {}, undefine).unwrap();
        assert!(tpm.state.nv.index(EXTERNAL).is_none());
    }

    #[test]
    fn a_protection_that_only_external_memory_has_is_an_attributes_error() {
        let mut tpm = started();
        for attribute in
            [TpmaNvExp::EXTERNAL_ENCRYPTION, TpmaNvExp::EXTERNAL_INTEGRITY, TpmaNvExp::EXTERNAL_ANTIROLLBACK]
        {
            let public = external_public(TpmaNvExp::from(OWNER).with(attribute));
            let refused = define(&mut tpm, TpmtNvPublic2::ExternalNv(public));
            assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Parameter(2))));
        }
    }
}
