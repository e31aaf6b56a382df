// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A canonical log in the form that firmware and IMA write, so that whatever verifies theirs verifies it.

use alloc::vec::Vec;

use crate::tcg::{EventType, Format};
use crate::{At, Digest, Error, EventLog, HashId, Hashes, PcrBank, PcrIndex};

use super::{Content, Entry, Log, Register};

impl Log {
    /// Computes what the registers of some banks hold if the log is true; records of NV indices are left out.
    pub fn replay<H: Hashes>(&self, banks: &[HashId], hashes: &H) -> Result<Vec<PcrBank>, Error> {
        banks.iter().map(|bank| self.replay_bank(*bank, hashes)).collect()
    }

    fn replay_bank<H: Hashes>(&self, algorithm: HashId, hashes: &H) -> Result<PcrBank, Error> {
        if self.entries().iter().flat_map(Entry::digests).all(|(bank, _)| bank != algorithm) {
            return Err(Error::BankNotLogged { algorithm });
        }
        let mut bank = PcrBank::at_startup(algorithm)?;
        for entry in self.entries() {
            let (Register::Pcr(register) | Register::Measurement(register)) = entry.register else { continue };
            if let Content::PcClient { kind: EventType::NO_ACTION, data } = &entry.content {
                if let Some([locality]) = data.strip_prefix(b"StartupLocality\0") {
                    bank.start_pcr0(*locality);
                }
                continue;
            }
            let pcr = PcrIndex::new(register).ok_or(Error::PcrOutOfRange { at: entry.at, pcr: register })?;
            // A bank for which a record has no digest was left alone.
            let Some((_, digest)) = entry.digests().find(|(bank, _)| *bank == algorithm) else { continue };
            let ones = Digest::filled(0xFF, bank.digest_size());
            let extended = ones.as_ref().filter(|_| entry.is_violation()).unwrap_or(digest);
            bank.extend(pcr, extended.as_bytes(), hashes)?;
        }
        Ok(bank)
    }

    /// Computes what an extend index in NV memory holds if the log is true, whose Name is made with `algorithm`: it starts as zeros
    /// (TPM 2.0 Part 3, "TPM2_NV_Extend"). What it really holds, `TPM2_NV_Certify` tells.
    pub fn replay_nv_index<H: Hashes>(&self, index: u32, algorithm: HashId, hashes: &H) -> Result<Digest, Error> {
        let unsupported = Error::UnsupportedHash { algorithm };
        let size = algorithm.digest_size().ok_or(unsupported.clone())?;
        let mut value = Digest::filled(0, size).ok_or(unsupported.clone())?;
        let records = self.entries().iter().filter(|entry| entry.register == Register::NvIndex(index));
        for (_, digest) in records.flat_map(Entry::digests).filter(|(bank, _)| *bank == algorithm) {
            value = hashes.hash(algorithm, &[value.as_bytes(), digest.as_bytes()]).ok_or(unsupported.clone())?;
        }
        Ok(value)
    }

    /// Writes the records of PCRs and of measurement registers as a crypto-agile event log, but those of IMA's list.
    ///
    /// Register and digests stay what they are, and so does everything that a quote can prove. The type of an event that
    /// is not of firmware becomes EV_IPL, and its data what should be hashed.
    pub fn to_event_log(&self) -> Result<Vec<u8>, Error> {
        let mut banks: Vec<(HashId, usize)> = Vec::new();
        for (bank, digest) in self.entries().iter().flat_map(Entry::digests) {
            if banks.iter().all(|(other, _)| *other != bank) {
                banks.push((bank, digest.as_bytes().len()));
            }
        }
        let mut log = header(&banks);
        self.append(&mut log, Format::CryptoAgile, |bank| banks.iter().any(|(other, _)| *other == bank));
        Ok(log)
    }

    /// Appends the records to the firmware's event log, in its format and for its banks: the log of a system that goes
    /// on measuring into the registers of its firmware.
    pub fn append_to_event_log(&self, firmware: &[u8]) -> Result<Vec<u8>, Error> {
        let parsed = EventLog::parse(firmware)?;
        let mut events = parsed.events();
        events.by_ref().try_for_each(|event| event.map(drop))?;
        let mut log = firmware.get(..events.offset()).unwrap_or(firmware).to_vec();
        self.append(&mut log, parsed.format(), |bank| parsed.banks().contains(bank));
        Ok(log)
    }

    fn append(&self, log: &mut Vec<u8>, format: Format, is_listed: impl Fn(HashId) -> bool) {
        for entry in self.entries() {
            let register = match entry.register {
                Register::Pcr(register) | Register::Measurement(register) => register,
                // No quote of PCRs covers an index.
                Register::NvIndex(_) => continue,
            };
            let (kind, data) = match &entry.content {
                Content::PcClient { kind, data } => (*kind, data.as_slice()),
                Content::ImaTemplate { .. } => continue,
                _ => (EventType::IPL, entry.hashed().unwrap_or_default()),
            };
            let digests: Vec<_> = entry.digests().filter(|(bank, _)| is_listed(*bank)).collect();
            // A bank for which a record has no digest was left alone.
            if digests.is_empty() {
                continue;
            }
            log.extend(register.to_le_bytes());
            log.extend(kind.0.to_le_bytes());
            match format {
                Format::Sha1 => digests.iter().for_each(|(_, digest)| log.extend(digest.as_bytes())),
                Format::CryptoAgile => {
                    log.extend(length(digests.len()));
                    for (bank, digest) in digests {
                        log.extend(bank.0.to_le_bytes());
                        log.extend(digest.as_bytes());
                    }
                }
            }
            log.extend(length(data.len()));
            log.extend(data);
        }
    }

    /// Writes the records of IMA as a binary list; `None` if there are none.
    ///
    /// A record whose digests are zeros is a violation, as it is in IMA's own list.
    pub fn to_ima_list<H: Hashes>(&self, hashes: &H) -> Result<Option<Vec<u8>>, Error> {
        let mut list = Vec::new();
        for entry in self.entries() {
            let (Register::Pcr(pcr), Content::ImaTemplate { name, data }) = (entry.register, &entry.content) else {
                continue;
            };
            let algorithm = HashId::SHA1;
            let hash = hashes.hash(algorithm, &[data]).ok_or(Error::UnsupportedHash { algorithm })?;
            list.extend(pcr.to_le_bytes());
            list.extend(if entry.is_violation() { &[0; 20] } else { hash.as_bytes() });
            list.extend(length(name.len()));
            list.extend(name);
            list.extend(in_list(name, data, entry.at)?);
        }
        Ok(Some(list).filter(|list| !list.is_empty()))
    }
}

/// The template data as the list has them behind the template's name.
fn in_list(name: &[u8], data: &[u8], at: At) -> Result<Vec<u8>, Error> {
    if name != b"ima" {
        return Ok([length(data.len()).as_slice(), data].concat());
    }
    // The template `ima` is hashed with its name padded to 256 bytes, and listed with the length of the name alone.
    let Some((digest, padded)) = data.split_first_chunk::<20>().filter(|(_, padded)| padded.len() == 256) else {
        return Err(Error::Malformed { at, expected: "a digest of 20 bytes and a name of 256" });
    };
    let end = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let name = padded.get(..end).unwrap_or_default();
    Ok([digest.as_slice(), &length(name.len()), name].concat())
}

/// The Spec ID event that announces the banks.
fn header(banks: &[(HashId, usize)]) -> Vec<u8> {
    let mut data = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    data.extend(length(banks.len()));
    for (bank, size) in banks {
        data.extend(bank.0.to_le_bytes());
        data.extend(u16::try_from(*size).unwrap_or(u16::MAX).to_le_bytes());
    }
    data.push(0);
    let mut log = Vec::new();
    log.extend(0_u32.to_le_bytes());
    log.extend(EventType::NO_ACTION.0.to_le_bytes());
    log.extend([0; 20]);
    log.extend(length(data.len()));
    log.extend(data);
    log
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}
