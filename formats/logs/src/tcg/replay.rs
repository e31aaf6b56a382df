// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the registers hold after the log's events, if the log is true.

use alloc::vec::Vec;

use crate::tcg::{Event, EventData, EventLog, NoAction};
use crate::{Error, HashId, Hashes, PcrBank, PcrIndex};

impl EventLog<'_> {
    /// Replays the whole log into fresh banks, in the order asked for.
    ///
    /// ```
    /// use evtpm_logs::{Digest, EventLog, HashId, Hashes, PcrIndex};
    ///
    /// struct Sum; // not a hash function: a TPM's would be here
    /// impl Hashes for Sum {
    ///     fn hash(&self, _: HashId, parts: &[&[u8]]) -> Option<Digest> {
    ///         Digest::filled(parts.concat().iter().fold(0, |sum, byte| sum ^ byte), 20)
    ///     }
    /// }
    ///
    /// let event = [[4, 0, 0, 0, 4, 0, 0, 0].as_slice(), &[0x11; 19], &[0x10], &[0; 4]].concat();
    /// let banks = EventLog::parse(&event)?.replay(&[HashId::SHA1], &Sum)?;
    /// let pcr4 = PcrIndex::new(4).unwrap();
    /// assert_eq!(banks[0].value(pcr4).as_bytes(), [0x01; 20]);
    /// # Ok::<(), evtpm_logs::Error>(())
    /// ```
    pub fn replay<H: Hashes>(&self, algorithms: &[HashId], hashes: &H) -> Result<Vec<PcrBank>, Error> {
        let mut banks = Vec::with_capacity(algorithms.len().min(crate::tcg::spec_id::MAX_BANKS));
        for algorithm in algorithms {
            if !self.banks().contains(*algorithm) {
                return Err(Error::BankNotLogged { algorithm: *algorithm });
            }
            banks.push(PcrBank::at_startup(*algorithm)?);
        }

        let mut locality_known = false;
        for event in self.events() {
            let event = event?;
            if event.is_extended() {
                extend(&mut banks, &event, hashes)?;
            } else if let EventData::NoAction(NoAction::StartupLocality(locality)) = event.decode() {
                start(&mut banks, &event, locality, locality_known)?;
                locality_known = true;
            }
        }

        Ok(banks)
    }
}

fn extend<H: Hashes>(banks: &mut [PcrBank], event: &Event<'_>, hashes: &H) -> Result<(), Error> {
    let Some(pcr) = event.pcr_index() else {
        return Err(Error::PcrOutOfRange { at: event.at, pcr: event.pcr });
    };
    for bank in banks {
        // Part 3, "TPM2_PCR_Extend": "If no digest value is specified for a bank, then the PCR in that bank is not
        // modified." Windows measures some events into SHA-256 alone.
        if let Some(digest) = event.digests().find(bank.algorithm()) {
            bank.extend(pcr, digest, hashes)?;
        }
    }

    Ok(())
}

fn start(banks: &mut [PcrBank], event: &Event<'_>, locality: u8, known: bool) -> Result<(), Error> {
    // PFP, "Startup Locality Event": localities 0 and 3 send TPM2_Startup, 4 stands for an H-CRTM sequence.
    if !matches!(locality, 0 | 3 | 4) {
        return Err(Error::StartupLocality { at: event.at, locality });
    }
    // "this event should be placed in the log before any event which causes a modification of PCR[0]"
    let started = PcrIndex::new(0).is_some_and(|pcr0| banks.iter().any(|bank| bank.extended().contains(pcr0)));
    if known || started {
        return Err(Error::LateStartupLocality { at: event.at });
    }

    banks.iter_mut().for_each(|bank| bank.start_pcr0(locality));
    Ok(())
}
