// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ChangePPS` (Part 3, "TPM2_ChangePPS").

use crate::commands::Execute;
use crate::failure::Failure;
use crate::state::{Hierarchy, fresh};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{ChangePps, ChangePpsHandles};

impl Execute for ChangePps {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ChangePpsHandles) -> Result<(), Rc> {
        let mut draw = || fresh(&mut tpm.rng());
        let secrets = draw().and_then(|seed| Ok((seed, draw()?)));
        let (seed, proof) = secrets.map_err(|error| tpm.fail(Failure::Entropy(error)))?;

        let state = &mut tpm.state;
        // "all resident transient and persistent objects in the Platform hierarchy are flushed"
        state.objects.flush_hierarchy(Hierarchy::Platform);
        state.objects.evict_hierarchy(Hierarchy::Platform);
        let platform = state.hierarchies.of_mut(Hierarchy::Platform);
        platform.seed = seed;
        platform.proof = proof;
        platform.policy = None;
        // "The policy setting is persistent and may only be changed by TPM2_PCR_SetAuthPolicy() or by TPM2_ChangePPS()."
        state.pcrs.policy = None;
        Ok(())
    }
}
