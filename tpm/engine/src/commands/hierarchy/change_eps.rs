// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ChangeEPS` (Part 3, "TPM2_ChangeEPS").

use crate::commands::Execute;
use crate::failure::Failure;
use crate::state::{Auth, Hierarchy, fresh};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{ChangeEps, ChangeEpsHandles};

impl Execute for ChangeEps {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ChangeEpsHandles) -> Result<(), Rc> {
        let mut draw = || fresh(&mut tpm.rng());
        let secrets = draw().and_then(|seed| Ok((seed, draw()?)));
        let (seed, proof) = secrets.map_err(|error| tpm.fail(Failure::Entropy(error)))?;

        let state = &mut tpm.state;
        state.objects.flush_hierarchy(Hierarchy::Endorsement);
        state.objects.evict_hierarchy(Hierarchy::Endorsement);
        let endorsement = state.hierarchies.of_mut(Hierarchy::Endorsement);
        endorsement.seed = seed;
        endorsement.proof = proof;
        // "endorsementAuth ... Empty Buffer", "endorsementPolicy ... Empty Buffer", ehEnable as on TPM Reset
        endorsement.auth = Auth::EMPTY;
        endorsement.policy = None;
        endorsement.enabled = true;
        // The new EKs are not those that the chip vouched for.
        state.nv.forget_certificates();
        Ok(())
    }
}
