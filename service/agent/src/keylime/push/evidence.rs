// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine can show, and what it shows: a quote, the firmware's log, IMA's list.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_client::Transport;
use evtpm_crypto::Rng;
use evtpm_keylime::push::{
    CertificationCapabilities, CertificationData, CertificationKey, CertificationParameters, EvidenceCollected,
    EvidenceRequested, EvidenceSupported, LogCapabilities, LogData, LogParameters,
};
use evtpm_tpm_wire::{PcrIndex, PcrSelect};

use crate::keylime::ImaList;
use crate::keylime::quote::{BANK_NAME, quote_registers};
use crate::keys::{Keys, sized};

const QUOTE: &str = "tpm_quote";
const FIRMWARE_LOG: &str = "uefi_log";
const IMA_LOG: &str = "ima_log";

/// The scheme of our attestation key.
const SCHEME: &str = "rsassa";
/// Its size in bits.
const KEY_SIZE: u32 = 2048;
/// The registers that a TPM has.
const REGISTERS: u32 = 24;

/// Says what can be shown. A log that this machine does not keep is not among it.
pub(super) fn supported<T: Transport, R: Rng>(
    keys: &Keys<T, R>,
    ima: &mut ImaList,
    event_log: &Path,
) -> Result<Vec<EvidenceSupported>> {
    let one = |word: &str| Some(vec![word.to_owned()]);
    let key = CertificationKey {
        key_class: "asymmetric".to_owned(),
        key_algorithm: Some("rsa".to_owned()),
        key_size: KEY_SIZE,
        server_identifier: Some("ak".to_owned()),
        local_identifier: None,
        public: Some(STANDARD.encode(sized(&keys.ak.public)?)),
        allowable_signature_schemes: one(SCHEME),
        allowable_hash_algorithms: one(BANK_NAME),
    };
    let mut supported = vec![EvidenceSupported::Certification {
        evidence_type: QUOTE.to_owned(),
        capabilities: CertificationCapabilities {
            component_version: Some("2.0".to_owned()),
            signature_schemes: vec![SCHEME.to_owned()],
            hash_algorithms: one(BANK_NAME),
            available_subjects: Some([(BANK_NAME.to_owned(), Some((0..REGISTERS).collect()))].into()),
            certification_keys: vec![key],
        },
    }];
    let log = |name: &str, capabilities| EvidenceSupported::Log { evidence_type: name.to_owned(), capabilities };
    if !crate::logs::is_empty(event_log)? {
        let formats = one("application/octet-stream");
        supported.push(log(FIRMWARE_LOG, LogCapabilities { formats, ..LogCapabilities::default() }));
    }
    if let Some(count) = ima.count()? {
        supported.push(log(
            IMA_LOG,
            LogCapabilities {
                evidence_version: None,
                entry_count: Some(count),
                supports_partial_access: true,
                appendable: true,
                formats: one("text/plain"),
            },
        ));
    }
    Ok(supported)
}

/// Collects what was asked for, in that order; the quote first, so that the logs hold at least what it covers.
pub(super) fn collect<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    ima: &mut ImaList,
    event_log: &Path,
    requested: &[EvidenceRequested],
) -> Result<Vec<EvidenceCollected>> {
    let mut quote = None;
    for item in requested {
        if let EvidenceRequested::Certification { evidence_type, chosen_parameters } = item {
            ensure!(evidence_type == QUOTE, "the verifier asks for the certification `{evidence_type}`");
            ensure!(quote.is_none(), "the verifier asks for two quotes");
            quote = Some(certification(keys, chosen_parameters)?);
        }
    }
    let mut collected = Vec::new();
    for item in requested {
        collected.push(match item {
            EvidenceRequested::Certification { evidence_type, .. } => {
                let data = quote.take().context("a quote was made for each that was asked for")?;
                EvidenceCollected::Certification { evidence_type: evidence_type.clone(), data }
            }
            EvidenceRequested::Log { evidence_type, chosen_parameters } => {
                let data = match evidence_type.as_str() {
                    FIRMWARE_LOG => {
                        let entries = Some(STANDARD.encode(crate::logs::read(event_log)?));
                        LogData { entry_count: None, entries }
                    }
                    IMA_LOG => ima_entries(ima, chosen_parameters)?,
                    other => bail!("the verifier asks for the log `{other}`"),
                };
                EvidenceCollected::Log { evidence_type: evidence_type.clone(), data }
            }
        });
    }
    Ok(collected)
}

fn certification<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    parameters: &CertificationParameters,
) -> Result<CertificationData> {
    let challenge = STANDARD.decode(&parameters.challenge).context("the challenge is not base64")?;
    ensure!(!challenge.is_empty(), "the verifier's challenge is empty");
    let quote = quote_registers(keys, &challenge, selection(parameters)?)?;
    Ok(CertificationData {
        subject_data: STANDARD.encode(quote.pcrs.to_bytes()),
        message: STANDARD.encode(quote.message),
        signature: STANDARD.encode(quote.signature),
    })
}

/// The registers that are asked for, all of our one bank.
fn selection(parameters: &CertificationParameters) -> Result<PcrSelect> {
    let mut select = PcrSelect::NONE;
    for (bank, registers) in &parameters.selected_subjects {
        ensure!(bank == BANK_NAME || registers.is_empty(), "the verifier asks for the bank `{bank}`");
        for register in registers {
            let index = PcrIndex::new(*register).with_context(|| format!("there is no PCR {register}"))?;
            select = select.with(index);
        }
    }
    Ok(select)
}

/// The list from the entry on that is asked for, and no more entries than that.
fn ima_entries(ima: &mut ImaList, parameters: &LogParameters) -> Result<LogData> {
    let first = parameters.starting_offset.unwrap_or(0);
    let (entries, begin) = ima.from(first)?.context("there is no IMA list any more")?;
    ensure!(begin == first, "the IMA list has fewer entries than the {first} that the verifier knows");
    let most = parameters.entry_count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let entries: String = entries.split_inclusive('\n').take(most).collect();
    let entry_count = u64::try_from(entries.matches('\n').count()).ok();
    Ok(LogData { entry_count, entries: Some(entries) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(bank: &str, registers: &[u32]) -> CertificationParameters {
        let selected_subjects = [(bank.to_owned(), registers.to_vec())].into();
        CertificationParameters { selected_subjects, ..CertificationParameters::default() }
    }

    #[test]
    fn registers_of_our_bank_are_selected_and_others_are_named() {
        assert_eq!(selection(&asked("sha256", &[0, 10])).unwrap(), PcrSelect::of(&[PcrIndex::Pcr0, PcrIndex::Pcr10]));
        assert_eq!(selection(&asked("sha1", &[])).unwrap(), PcrSelect::NONE);
        assert!(selection(&asked("sha1", &[0])).unwrap_err().to_string().contains("sha1"));
        assert!(selection(&asked("sha256", &[24])).unwrap_err().to_string().contains("24"));
    }

    #[test]
    fn no_more_entries_than_asked_for_are_shown() {
        let path = std::env::temp_dir().join(format!("evtpm-push-ima-{}", std::process::id()));
        std::fs::write(&path, "10 a\n10 b\n10 c\n").unwrap();
        let mut ima = ImaList::new(&path);
        assert_eq!(ima.count().unwrap(), Some(3));
        let parameters = LogParameters { starting_offset: Some(1), entry_count: Some(1), format: "text/plain".into() };
        let shown = ima_entries(&mut ima, &parameters).unwrap();
        assert_eq!(shown, LogData { entry_count: Some(1), entries: Some("10 b\n".into()) });
        let beyond = LogParameters { starting_offset: Some(4), ..parameters };
        assert!(ima_entries(&mut ima, &beyond).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
