// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_Allocate` (Part 3, "TPM2_PCR_Allocate").

use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PcrAllocate, PcrAllocateHandles, PcrAllocateResponse};
use evtpm_tpm_wire::{PcrIndex, PcrSelect, Rc, Subject, TpmlPcrSelection, YesNo};

/// "TPM_RC_PCR: the allocation did not have required PCR": the H-CRTM's and the dynamic launch's.
const REQUIRED: [PcrIndex; 2] = [PcrIndex::Pcr0, PcrIndex::Pcr17];

impl Execute for PcrAllocate {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: PcrAllocateHandles) -> Result<PcrAllocateResponse, Rc> {
        let planned = |alg, now: PcrSelect| last_selection(&self.pcr_allocation, alg).unwrap_or(now);
        for item in &self.pcr_allocation {
            if algorithm::hash(item.hash).and_then(|alg| tpm.state.pcrs.bank(alg)).is_none() {
                return Err(Rc::HASH.at(Subject::Parameter(1)));
            }
        }
        for pcr in REQUIRED {
            let mut banks = tpm.state.pcrs.banks();
            if !banks.any(|bank| planned(bank.alg, bank.allocated()).contains(pcr)) {
                return Err(Rc::PCR);
            }
        }

        let size = |alg: evtpm_crypto::HashAlg| alg.digest_size().saturating_mul(PcrIndex::COUNT);
        let size_available = tpm.state.pcrs.banks().fold(0usize, |sum, bank| sum.saturating_add(size(bank.alg)));
        let size_needed = tpm.state.pcrs.banks().fold(0usize, |sum, bank| {
            let count = planned(bank.alg, bank.allocated()).iter().count();
            sum.saturating_add(count.saturating_mul(bank.alg.digest_size()))
        });
        let response = PcrAllocateResponse {
            allocation_success: YesNo::Yes,
            max_pcr: u32::try_from(PcrIndex::COUNT).map_err(|_| Rc::FAILURE)?,
            size_needed: u32::try_from(size_needed).map_err(|_| Rc::FAILURE)?,
            size_available: u32::try_from(size_available).map_err(|_| Rc::FAILURE)?,
        };

        // "the allocation takes effect at the next _TPM_Init"; one that was planned before is forgotten
        let allocation = self.pcr_allocation.iter();
        tpm.state.pcrs.plan(allocation.filter_map(|item| Some((algorithm::hash(item.hash)?, item.select))));
        Ok(response)
    }
}

/// "If the command contains multiple entries for the same bank, the last one applies."
fn last_selection(selection: &TpmlPcrSelection, alg: evtpm_crypto::HashAlg) -> Option<PcrSelect> {
    selection.iter().rev().find(|item| algorithm::hash(item.hash) == Some(alg)).map(|item| item.select)
}
