// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SetPrimaryPolicy` (Part 3, "TPM2_SetPrimaryPolicy").

use crate::commands::Execute;
use crate::state::Hierarchy;
use crate::{Platform, Tpm};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::commands::{SetPrimaryPolicy, SetPrimaryPolicyHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmiRhHierarchyPolicy};

impl Execute for SetPrimaryPolicy {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: SetPrimaryPolicyHandles) -> Result<(), Rc> {
        // "TPM_RC_SIZE: size of input authPolicy is not consistent with input hash algorithm"
        if self.auth_policy.len() != self.hash_alg.map_or(0, |alg| alg.digest_size()) {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let digest = Digest::from_slice(self.auth_policy.as_bytes()).ok_or(Rc::SIZE.at(Subject::Parameter(1)))?;
        let policy = self.hash_alg.map(|alg| (alg, digest));

        let hierarchies = &mut tpm.state.hierarchies;
        match handles.auth_handle {
            TpmiRhHierarchyPolicy::Owner => hierarchies.of_mut(Hierarchy::Owner).policy = policy,
            TpmiRhHierarchyPolicy::Platform => hierarchies.of_mut(Hierarchy::Platform).policy = policy,
            TpmiRhHierarchyPolicy::Endorsement => hierarchies.of_mut(Hierarchy::Endorsement).policy = policy,
            TpmiRhHierarchyPolicy::Lockout => hierarchies.lockout_policy = policy,
        }
        Ok(())
    }
}
