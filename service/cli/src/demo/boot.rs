// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A recorded boot of a real machine, played into a TPM command by command, as firmware and kernel sent it.

use anyhow::{Context, Result};
use evtpm_client::{Client, Transport};
use evtpm_crypto::Rng;
use evtpm_logs::ima::{BinaryList, TemplateDigests};
use evtpm_logs::{EventLog, HashId};
use evtpm_tpm_wire::{HashAlg, PcrIndex, TpmSu, TpmtHa};
use evtpm_verify::logs::CryptoHashes;

/// The two logs of a boot.
#[derive(Debug, Clone)]
pub(crate) struct RecordedBoot {
    /// The firmware's event log.
    pub(crate) event_log: Vec<u8>,
    /// IMA's list.
    pub(crate) ima_log: Vec<u8>,
}

/// What was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Played {
    /// Events of the firmware, boot loader and kernel stub.
    pub(crate) events: usize,
    /// Entries of IMA's list.
    pub(crate) files: usize,
}

impl RecordedBoot {
    /// The boot of a Debian 12 machine that is kept in `testing/vectors/debian-boot` (its PROVENANCE says how it was made).
    pub(crate) fn debian() -> Self {
        RecordedBoot {
            event_log: include_bytes!("../../../../testing/vectors/debian-boot/bios.bin").to_vec(),
            ima_log: include_bytes!("../../../../testing/vectors/debian-boot/ima.bin").to_vec(),
        }
    }

    /// Starts the TPM up and extends what the logs say was extended, in every bank that the TPM has.
    pub(crate) fn play<T: Transport, R: Rng>(&self, tpm: &mut Client<T, R>) -> Result<Played> {
        tpm.startup(TpmSu::Clear).context("TPM2_Startup")?;
        let banks: Vec<HashAlg> =
            tpm.pcr_banks()?.iter().filter(|bank| !bank.select.is_empty()).map(|bank| bank.hash).collect();
        let mut played = Played { events: 0, files: 0 };

        for event in EventLog::parse(&self.event_log)?.events() {
            let event = event?;
            let Some(pcr) = event.pcr_index().filter(|_| event.is_extended()) else { continue };
            let digests = banks
                .iter()
                .map(|bank| {
                    let digest = event.digests().find(log_bank(*bank));
                    digest_of(*bank, digest.with_context(|| format!("the event log has no bank {bank:?}"))?)
                })
                .collect::<Result<Vec<_>>>()?;
            extend(tpm, pcr.value(), &digests)?;
            played.events += 1;
        }
        for entry in BinaryList::new(&self.ima_log) {
            let entry = entry?;
            let digests = banks
                .iter()
                .map(|bank| {
                    let digest = entry.extension(log_bank(*bank), TemplateDigests::OfBank, &CryptoHashes)?;
                    digest_of(*bank, digest.as_bytes())
                })
                .collect::<Result<Vec<_>>>()?;
            extend(tpm, entry.pcr.value(), &digests)?;
            played.files += 1;
        }
        Ok(played)
    }
}

fn extend<T: Transport, R: Rng>(tpm: &mut Client<T, R>, pcr: u8, digests: &[TpmtHa]) -> Result<()> {
    let index = PcrIndex::new(u32::from(pcr)).with_context(|| format!("there is no PCR {pcr}"))?;
    tpm.pcr_extend(index, digests).with_context(|| format!("extending PCR {pcr}"))
}

fn digest_of(bank: HashAlg, digest: &[u8]) -> Result<TpmtHa> {
    TpmtHa::new(bank, digest).with_context(|| format!("a digest of {} bytes in the bank {bank:?}", digest.len()))
}

/// The bank's algorithm as the logs name it: by the same number.
fn log_bank(bank: HashAlg) -> HashId {
    HashId(bank.id().0)
}
