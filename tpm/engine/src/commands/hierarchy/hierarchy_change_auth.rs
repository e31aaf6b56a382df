// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_HierarchyChangeAuth` (Part 3, "TPM2_HierarchyChangeAuth").

use crate::commands::Execute;
use crate::state::Hierarchy;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{HierarchyChangeAuth, HierarchyChangeAuthHandles};
use evtpm_tpm_wire::{Rc, TpmiRhHierarchyAuth};

impl Execute for HierarchyChangeAuth {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: HierarchyChangeAuthHandles) -> Result<(), Rc> {
        // The type's limit is the largest digest, as "TPM_RC_SIZE: newAuth size is greater than that of integrity hash digest".
        let auth = self.new_auth.without_trailing_zeros();

        let hierarchies = &mut tpm.state.hierarchies;
        match handles.auth_handle {
            TpmiRhHierarchyAuth::Owner => hierarchies.of_mut(Hierarchy::Owner).auth = auth,
            TpmiRhHierarchyAuth::Platform => hierarchies.of_mut(Hierarchy::Platform).auth = auth,
            TpmiRhHierarchyAuth::Endorsement => hierarchies.of_mut(Hierarchy::Endorsement).auth = auth,
            TpmiRhHierarchyAuth::Lockout => hierarchies.lockout_auth = auth,
        }
        Ok(())
    }
}
