// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Clear` (Part 3, "TPM2_Clear").

use crate::commands::Execute;
use crate::failure::Failure;
use crate::state::{Auth, Hierarchy, fresh};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{Clear, ClearHandles};

impl Execute for Clear {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ClearHandles) -> Result<(), Rc> {
        // "TPM_RC_DISABLED: Clear command has been disabled"
        if tpm.state.hierarchies.clear_disabled {
            return Err(Rc::DISABLED);
        }

        let mut draw = || fresh(&mut tpm.rng());
        let secrets = draw().and_then(|seed| Ok((seed, draw()?, draw()?)));
        let (owner_seed, owner_proof, endorsement_proof) =
            secrets.map_err(|error| tpm.fail(Failure::Entropy(error)))?;

        let state = &mut tpm.state;
        for hierarchy in [Hierarchy::Owner, Hierarchy::Endorsement] {
            state.objects.flush_hierarchy(hierarchy);
            state.objects.evict_hierarchy(hierarchy);
            let cleared = state.hierarchies.of_mut(hierarchy);
            cleared.auth = Auth::EMPTY;
            cleared.policy = None;
            cleared.enabled = true;
        }
        // "change the storage primary seed (SPS) to a new value", and both proofs; the EPS, and so every EK, stays
        state.hierarchies.of_mut(Hierarchy::Owner).seed = owner_seed;
        state.hierarchies.of_mut(Hierarchy::Owner).proof = owner_proof;
        state.hierarchies.of_mut(Hierarchy::Endorsement).proof = endorsement_proof;
        state.hierarchies.lockout_auth = Auth::EMPTY;
        state.hierarchies.lockout_policy = None;
        // "delete any NV Index with TPMA_NV_PLATFORMCREATE == CLEAR"
        state.nv.clear_owner();
        // "set Clock to zero", "resetCount ... restartCount ... to zero"
        state.reset_count = 0;
        state.restart_count = 0;
        state.command_audit.clear_counter();
        // "The authorization setting is set to EmptyAuth ... by TPM2_Clear()."
        state.pcrs.auth = Auth::EMPTY;
        // "increment the PCR Update Counter"
        state.pcrs.count_clear();
        tpm.clock.clear();
        // A new owner begins with the default maxTries (Part 1, "Dictionary Attack Protection"), and with both default times.
        tpm.state.da_parameters = tpm.profile.dictionary_attack;
        tpm.da.reset();
        tpm.da.enable_lockout_auth();
        tpm.da.restart_healing(tpm.clock.time());
        Ok(())
    }
}
