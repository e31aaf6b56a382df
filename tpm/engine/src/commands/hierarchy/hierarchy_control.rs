// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_HierarchyControl` (Part 3, "TPM2_HierarchyControl").

use crate::commands::Execute;
use crate::state::Hierarchy;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{HierarchyControl, HierarchyControlHandles};
use evtpm_tpm_wire::{Rc, TpmiRhBaseHierarchy, TpmiRhEnables};

impl Execute for HierarchyControl {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: HierarchyControlHandles) -> Result<(), Rc> {
        let (by, enable) = (handles.auth_handle, self.state.is_yes());
        // "platformAuth/platformPolicy is required to SET"; the owner of a hierarchy may only CLEAR its own
        let allowed = match (by, self.enable) {
            (TpmiRhBaseHierarchy::Platform, _) => true,
            (TpmiRhBaseHierarchy::Owner, TpmiRhEnables::Owner) => !enable,
            (TpmiRhBaseHierarchy::Endorsement, TpmiRhEnables::Endorsement) => !enable,
            _ => false,
        };
        if !allowed {
            return Err(Rc::AUTH_TYPE);
        }

        let state = &mut tpm.state;
        let hierarchy = match self.enable {
            TpmiRhEnables::Owner => Hierarchy::Owner,
            TpmiRhEnables::Endorsement => Hierarchy::Endorsement,
            TpmiRhEnables::Platform => Hierarchy::Platform,
            TpmiRhEnables::PlatformNv => {
                state.hierarchies.platform_nv_enabled = enable;
                return Ok(());
            }
        };
        state.hierarchies.of_mut(hierarchy).enabled = enable;
        if !enable {
            state.objects.flush_hierarchy(hierarchy);
        }
        Ok(())
    }
}
