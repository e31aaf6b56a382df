// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyGetDigest` (Part 3, "TPM2_PolicyGetDigest").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyGetDigest, PolicyGetDigestHandles, PolicyGetDigestResponse};
use evtpm_tpm_wire::{Overflow, Rc, Tpm2bDigest};

impl Execute for PolicyGetDigest {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: PolicyGetDigestHandles,
    ) -> Result<PolicyGetDigestResponse, Rc> {
        let evaluation = tpm.evaluation(handles.policy_session)?;
        let policy_digest = Tpm2bDigest::new(evaluation.digest()).map_err(|Overflow| Rc::FAILURE)?;
        Ok(PolicyGetDigestResponse { policy_digest })
    }
}
