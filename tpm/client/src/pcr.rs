// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading and extending PCRs.
use alloc::vec::Vec;

use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{PcrExtend, PcrExtendHandles, PcrRead, PcrReset, PcrResetHandles};
use evtpm_tpm_wire::{Cc, HashAlg, PcrIndex, PcrSelect, Rc, Tpm2bDigest, TpmlDigestValues, TpmlPcrSelection, TpmtHa};

use crate::auth::Auth;
use crate::{Client, ClientError, Transport};

/// The value of one PCR in one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcrValue {
    /// The bank.
    pub hash: HashAlg,
    /// The PCR.
    pub pcr: PcrIndex,
    /// The value.
    pub digest: Tpm2bDigest,
}

/// How often a read starts anew because a PCR changed meanwhile.
const ATTEMPTS: usize = 8;

impl<T: Transport, R: Rng> Client<T, R> {
    /// Reads PCRs of any number, all as they were at one moment; PCRs that are not allocated are left out.
    pub fn pcr_read(&mut self, pcrs: &TpmlPcrSelection) -> Result<Vec<PcrValue>, ClientError> {
        for _ in 0..ATTEMPTS {
            if let Some(values) = self.pcr_read_once(pcrs)? {
                return Ok(values);
            }
        }
        Err(ClientError::PcrsKeepChanging)
    }

    /// A response holds eight digests at most, so a greater selection takes several commands; the update counter tells
    /// whether they belong together.
    fn pcr_read_once(&mut self, pcrs: &TpmlPcrSelection) -> Result<Option<Vec<PcrValue>>, ClientError> {
        let mut left = *pcrs;
        let mut values = Vec::new();
        let mut counter = None;
        while left.iter().any(|bank| !bank.select.is_empty()) {
            let read = self.run((), &PcrRead { pcr_selection_in: left }, &mut [])?;
            if counter.is_some_and(|counter| counter != read.pcr_update_counter) {
                return Ok(None);
            }
            counter = Some(read.pcr_update_counter);
            let read_pcrs =
                read.pcr_selection_out.iter().flat_map(|bank| bank.select.iter().map(|pcr| (bank.hash, pcr)));
            let read_pcrs: Vec<(HashAlg, PcrIndex)> = read_pcrs.collect();
            if read_pcrs.len() != read.pcr_values.len() {
                return Err(ClientError::Malformed { command: Cc::PCR_READ, code: Rc::SIZE });
            }
            if read_pcrs.is_empty() {
                break;
            }
            for ((hash, pcr), digest) in read_pcrs.into_iter().zip(&read.pcr_values) {
                values.push(PcrValue { hash, pcr, digest: *digest });
                left.as_mut_slice()
                    .iter_mut()
                    .filter(|bank| bank.hash == hash)
                    .for_each(|bank| bank.select = bank.select.without(pcr));
            }
        }
        Ok(Some(values))
    }

    /// Extends a PCR in the banks of the given digests.
    pub fn pcr_extend(&mut self, pcr: PcrIndex, digests: &[TpmtHa]) -> Result<(), ClientError> {
        let digests = TpmlDigestValues::from_slice(digests)?;
        let command = PcrExtend { digests: digests.borrowed() };
        self.run(PcrExtendHandles { pcr_handle: Some(pcr) }, &command, &mut [Auth::EMPTY])
    }

    /// Sets a PCR to zero, if its locality allows.
    pub fn pcr_reset(&mut self, pcr: PcrIndex) -> Result<(), ClientError> {
        self.run(PcrResetHandles { pcr_handle: pcr }, &PcrReset {}, &mut [Auth::EMPTY])
    }

    /// Returns the selection of the same PCRs in several banks.
    pub fn selection(banks: &[HashAlg], select: PcrSelect) -> Result<TpmlPcrSelection, ClientError> {
        let mut selection = TpmlPcrSelection::new();
        for hash in banks {
            selection.push(evtpm_tpm_wire::TpmsPcrSelection { hash: *hash, select })?;
        }
        Ok(selection)
    }
}
