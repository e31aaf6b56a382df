// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SetPrimaryPolicy` (Part 3, "TPM2_SetPrimaryPolicy").

use crate::commands::Execute;
use crate::state::Hierarchy;
use crate::{Platform, Tpm};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::commands::{SetPrimaryPolicy, SetPrimaryPolicyHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy};

impl Execute for SetPrimaryPolicy {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: SetPrimaryPolicyHandles) -> Result<(), Rc> {
        // "TPM_RC_SIZE: size of input authPolicy is not consistent with input hash algorithm"
        if self.auth_policy.len() != self.hash_alg.map_or(0, |alg| alg.digest_size()) {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let digest = Digest::from_slice(self.auth_policy.as_bytes()).ok_or(Rc::SIZE.at(Subject::Parameter(1)))?;
        let policy = self.hash_alg.map(|alg| (alg, digest));

        let (hierarchies, countdowns) = (&mut tpm.state.hierarchies, &mut tpm.state.countdowns);
        match handles.auth_handle {
            TpmiRhHierarchyPolicy::Hierarchy(hierarchy) => match hierarchy {
                TpmiRhHierarchyAuth::Owner => hierarchies.of_mut(Hierarchy::Owner).policy = policy,
                TpmiRhHierarchyAuth::Platform => hierarchies.of_mut(Hierarchy::Platform).policy = policy,
                TpmiRhHierarchyAuth::Endorsement => hierarchies.of_mut(Hierarchy::Endorsement).policy = policy,
                TpmiRhHierarchyAuth::Lockout => hierarchies.lockout_policy = policy,
            },
            TpmiRhHierarchyPolicy::Act(handle) => {
                countdowns.at_mut(handle.handle()).ok_or(Rc::VALUE.at(Subject::Handle(1)))?.policy = policy;
            }
        }
        Ok(())
    }
}
