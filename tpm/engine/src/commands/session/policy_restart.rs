// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyRestart` (Part 3, "TPM2_PolicyRestart").

use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyRestart, PolicyRestartHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyRestart {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyRestartHandles) -> Result<(), Rc> {
        let session = tpm.state.sessions.loaded_mut(handles.session_handle.handle().0);
        let session = session.ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;
        let alg = algorithm::hash(session.hash).ok_or(Rc::FAILURE)?;

        // "This command does not reset the policy ID or the policy start time."
        if let Some(policy) = session.policy_mut() {
            policy.restart(alg);
        }
        Ok(())
    }
}
