// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyPhysicalPresence` (Part 3, "TPM2_PolicyPhysicalPresence").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PolicyPhysicalPresence, PolicyPhysicalPresenceHandles};

impl Execute for PolicyPhysicalPresence {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyPhysicalPresenceHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        evaluation.policy.physical_presence = true;
        evaluation.extend(PolicyDigest::physical_presence::<P::Crypto>)?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
