// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_UndefineSpace` (Part 3, "TPM2_NV_UndefineSpace").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvUndefineSpace, NvUndefineSpaceHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmaNv, TpmiRhProvision};

impl Execute for NvUndefineSpace {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvUndefineSpaceHandles) -> Result<(), Rc> {
        let handle = handles.nv_index.handle();
        let index = tpm.nv_index(handle).ok_or(Rc::HANDLE.at(Subject::Handle(2)))?;
        // "If nvIndex references an Index that has its TPMA_NV_POLICY_DELETE attribute SET, ... TPM_RC_ATTRIBUTES."
        if index.has(TpmaNv::POLICY_DELETE) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }
        // "TPM_RC_NV_AUTHORIZATION unless Platform Authorization is provided"; the platform may also delete the owner's
        if index.has(TpmaNv::PLATFORMCREATE) && handles.auth_handle != TpmiRhProvision::Platform {
            return Err(Rc::NV_AUTHORIZATION);
        }

        tpm.state.nv.undefine(handle);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, define, public, with_index};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::{NvType, Supported, TpmiRhNvDefinedIndex};

    fn undefine(tpm: &mut TestTpm, auth_handle: TpmiRhProvision) -> Result<(), Rc> {
        let nv_index = TpmiRhNvDefinedIndex::new(INDEX, &Supported::ALL).unwrap();
        tpm.send(&NvUndefineSpace {}, NvUndefineSpaceHandles { auth_handle, nv_index })
    }

    #[test]
    fn an_undefined_index_is_gone() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        undefine(&mut tpm, TpmiRhProvision::Owner).unwrap();
        assert!(tpm.state.nv.index(INDEX).is_none());
        assert_eq!(undefine(&mut tpm, TpmiRhProvision::Owner), Err(Rc::HANDLE.at(Subject::Handle(2))));
    }

    #[test]
    fn the_platform_deletes_the_owners_index_but_not_the_other_way_round() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        undefine(&mut tpm, TpmiRhProvision::Platform).unwrap();
        define(&mut tpm, public(OWNER | TpmaNv::PLATFORMCREATE, 8), b"");
        assert_eq!(undefine(&mut tpm, TpmiRhProvision::Owner), Err(Rc::NV_AUTHORIZATION));
        undefine(&mut tpm, TpmiRhProvision::Platform).unwrap();
    }

    #[test]
    fn an_index_that_its_policy_deletes_needs_the_other_command() {
        let mut tpm = started();
        define(&mut tpm, public(OWNER | TpmaNv::PLATFORMCREATE | TpmaNv::POLICY_DELETE, 8), b"");
        assert_eq!(undefine(&mut tpm, TpmiRhProvision::Platform), Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
