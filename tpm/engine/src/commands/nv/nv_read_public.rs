// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_ReadPublic` (Part 3, "TPM2_NV_ReadPublic").

use crate::commands::Execute;
use crate::{Platform, Tpm, name};
use evtpm_tpm_wire::commands::{NvReadPublic, NvReadPublicHandles, NvReadPublicResponse};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b};

impl Execute for NvReadPublic {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvReadPublicHandles) -> Result<NvReadPublicResponse, Rc> {
        let index = tpm.nv_index(handles.nv_index.handle()).ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;

        // An external index has a public area that this response cannot hold.
        let public = index.public.legacy().ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;

        let nv_name = name::of_nv_index::<P::Crypto>(&index.public);
        Ok(NvReadPublicResponse { nv_public: Tpm2b(public), nv_name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, nv, public, with_index, write};
    use crate::testing::TestCrypto;
    use crate::testing::marshal;
    use evtpm_crypto::{Crypto, HashAlg};
    use evtpm_tpm_wire::{Handle, NvType, TpmaNv};

    #[test]
    fn the_name_changes_with_the_first_write() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        let handles = NvReadPublicHandles { nv_index: nv(INDEX) };
        let response = tpm.send(&NvReadPublic {}, handles).unwrap();
        assert_eq!(response.nv_public, Tpm2b(public(OWNER, 8)));
        let digest = |attributes| TestCrypto::hash(HashAlg::Sha256, &[&marshal(&public(attributes, 8))]);
        assert_eq!(response.nv_name.as_bytes(), [&[0, 0x0B], digest(OWNER).as_bytes()].concat());

        write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
        let response = tpm.send(&NvReadPublic {}, handles).unwrap();
        assert_eq!(response.nv_name.as_bytes()[2..], *digest(OWNER | TpmaNv::WRITTEN).as_bytes());
    }

    #[test]
    fn an_index_of_a_disabled_hierarchy_is_not_there() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        tpm.state.hierarchies.of_mut(crate::state::Hierarchy::Owner).enabled = false;
        let result = tpm.send(&NvReadPublic {}, NvReadPublicHandles { nv_index: nv(INDEX) });
        assert_eq!(result.unwrap_err(), Rc::HANDLE.at(Subject::Handle(1)));
    }
}
