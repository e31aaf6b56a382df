// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_Event` (Part 3, "TPM2_PCR_Event").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::rule;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, HashAlg};
use evtpm_tpm_wire::commands::{PcrEvent, PcrEventHandles, PcrEventResponse};
use evtpm_tpm_wire::{Rc, TpmlDigestValues, TpmtHa};

impl Execute for PcrEvent<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PcrEventHandles) -> Result<PcrEventResponse, Rc> {
        // "TPM_RC_LOCALITY: current command locality is not allowed to extend the PCR referenced by pcrHandle"
        if handles.pcr_handle.is_some_and(|pcr| !rule(pcr).may_extend(tpm.locality)) {
            return Err(Rc::LOCALITY);
        }

        let event = self.event_data.as_bytes();
        let mut digests = TpmlDigestValues::new();
        for alg in tpm.state.pcrs.banks().map(|bank| bank.alg) {
            let digest = TpmtHa::new(algorithm::wire_hash(alg), P::Crypto::hash(alg, &[event]).as_bytes());
            digests.push(digest.ok_or(Rc::FAILURE)?).map_err(|_| Rc::FAILURE)?;
        }

        let Some(pcr) = handles.pcr_handle else { return Ok(PcrEventResponse { digests }) };
        for digest in &digests {
            let Some(alg): Option<HashAlg> = algorithm::hash(digest.hash_alg()) else { continue };
            tpm.state.pcrs.extend(pcr, alg, |old| P::Crypto::hash(alg, &[old.as_bytes(), digest.digest()]));
        }
        Ok(PcrEventResponse { digests })
    }
}
