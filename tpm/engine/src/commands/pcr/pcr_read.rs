// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_Read` (Part 3, "TPM2_PCR_Read").

use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PcrRead, PcrReadResponse};
use evtpm_tpm_wire::{Overflow, PcrSelect, Rc, TpmlDigest};

impl Execute for PcrRead {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<PcrReadResponse, Rc> {
        let mut response = PcrReadResponse {
            pcr_update_counter: tpm.state.pcrs.update_counter(),
            pcr_selection_out: self.pcr_selection_in,
            pcr_values: TpmlDigest::new(),
        };
        for item in response.pcr_selection_out.as_mut_slice() {
            let bank = algorithm::hash(item.hash).and_then(|alg| tpm.state.pcrs.bank(alg));
            let mut returned = PcrSelect::NONE;
            for pcr in item.select.iter() {
                let Some(value) = bank.and_then(|bank| bank.value(pcr)) else { continue };
                // "the TPM will process the list of TPMS_PCR_SELECTION ... until the digest list is full"
                let Ok(place) = response.pcr_values.add() else { break };
                place.extend(value.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
                returned = returned.with(pcr);
            }
            item.select = returned;
        }
        Ok(response)
    }
}
