// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_Extend` (Part 3, "TPM2_PCR_Extend").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::rule;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PcrExtend, PcrExtendHandles};

impl Execute for PcrExtend<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PcrExtendHandles) -> Result<(), Rc> {
        // "If pcrHandle is TPM_RH_NULL, then no action is performed"
        let Some(pcr) = handles.pcr_handle else { return Ok(()) };
        // "TPM_RC_LOCALITY: current command locality is not allowed to extend the PCR"
        if !rule(pcr).may_extend(tpm.locality) {
            return Err(Rc::LOCALITY);
        }

        // "If a bank is not allocated, the digest for it is ignored"; a repeated algorithm extends again
        for digest in &self.digests {
            let Some(alg) = algorithm::hash(digest.hash_alg()) else { continue };
            tpm.state.pcrs.extend(pcr, alg, |old| P::Crypto::hash(alg, &[old.as_bytes(), digest.digest()]));
        }
        Ok(())
    }
}
