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
pub struct RecordedBoot {
    /// The firmware's event log.
    pub event_log: Vec<u8>,
    /// IMA's list.
    pub ima_log: Vec<u8>,
}

/// What was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Events of the firmware, boot loader and kernel stub.
    pub events: usize,
    /// Entries of IMA's list.
    pub files: usize,
}

impl RecordedBoot {
    /// The boot of a Debian 12 machine that is kept in `testing/vectors/debian-boot` (its PROVENANCE says how it was made).
    #[must_use]
    pub fn debian() -> Self {
        RecordedBoot {
            event_log: include_bytes!("../../../testing/vectors/debian-boot/bios.bin").to_vec(),
            ima_log: include_bytes!("../../../testing/vectors/debian-boot/ima.bin").to_vec(),
        }
    }

    /// Starts the TPM up and extends what the logs say was extended, in every bank that the TPM has.
    ///
    /// # Errors
    /// When a log is malformed, or the TPM refuses.
    pub fn play<T: Transport, R: Rng>(&self, tpm: &mut Client<T, R>) -> Result<Played> {
        tpm.startup(TpmSu::Clear).context("TPM2_Startup")?;
        let banks = banks(tpm)?;
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
        played.files = measure_files(tpm, &self.ima_log)?;
        Ok(played)
    }
}

/// Extends what IMA's list says was extended, and returns how many entries it has.
///
/// # Errors
/// When the list is malformed, or the TPM refuses.
pub fn measure_files<T: Transport, R: Rng>(tpm: &mut Client<T, R>, list: &[u8]) -> Result<usize> {
    let banks = banks(tpm)?;
    let mut files = 0;
    for entry in BinaryList::new(list) {
        let entry = entry?;
        let digests = banks
            .iter()
            .map(|bank| {
                let digest = entry.extension(log_bank(*bank), TemplateDigests::OfBank, &CryptoHashes)?;
                digest_of(*bank, digest.as_bytes())
            })
            .collect::<Result<Vec<_>>>()?;
        extend(tpm, entry.pcr.value(), &digests)?;
        files += 1;
    }
    Ok(files)
}

/// The banks that the TPM has.
fn banks<T: Transport, R: Rng>(tpm: &mut Client<T, R>) -> Result<Vec<HashAlg>> {
    Ok(tpm.pcr_banks()?.iter().filter(|bank| !bank.select.is_empty()).map(|bank| bank.hash).collect())
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
