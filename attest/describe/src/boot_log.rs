// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boot logs, event by event, and what the registers hold if the log is true.

use std::collections::BTreeSet;

use evtpm_logs::cel::{self, Content, Encoding, Register};
use evtpm_logs::tcg::{Event, EventData, EventType, Format, Ipl, NoAction, Preimage, TaggedEvent};
use evtpm_logs::{Digest, EventLog, HashId, Hashes as _, Hex, Text};
use evtpm_verify::logs::CryptoHashes;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::registers::{Registers, registers_to_json};

/// One event of any log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the log.
    pub number: u64,
    /// The register that it extends, as a number where it is a PCR.
    pub register: String,
    /// Its type.
    pub kind: String,
    /// Its digest in each bank.
    pub digests: Vec<(HashId, Vec<u8>)>,
    /// How far `text` may be believed.
    pub basis: Basis,
    /// What its data mean.
    pub text: String,
    /// Its data.
    pub data: Vec<u8>,
}

/// How far the data may be believed, if the digests may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The digest is that of the data, or of the part that is shown.
    Hashed,
    /// The data are what the log says about the digest.
    Claimed,
    /// The event was not extended.
    NotExtended,
}

impl Basis {
    /// Returns a mark for it: `=`, `~`, or a space.
    pub const fn mark(self) -> char {
        match self {
            Self::Hashed => '=',
            Self::Claimed => '~',
            Self::NotExtended => ' ',
        }
    }

    /// Names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::Claimed => "claimed",
            Self::NotExtended => "not extended",
        }
    }
}

/// A log and the registers that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootLog {
    /// The format's name.
    pub format: &'static str,
    /// The events.
    pub lines: Vec<Line>,
    /// What each bank holds after them.
    pub registers: Vec<Registers>,
    /// Extend indices in NV memory, each with a hash and the value that it then has.
    pub indices: Vec<(u32, HashId, Digest)>,
}

fn event_log(bytes: &[u8]) -> Result<BootLog, Error> {
    let log = EventLog::parse(bytes)?;
    let banks: Vec<HashId> = log.banks().iter().map(|bank| bank.algorithm).filter(|bank| is_known(*bank)).collect();
    let proving = strongest(banks.iter().copied());
    let lines = log.events().map(|event| Ok(line(&event?, proving))).collect::<Result<Vec<_>, Error>>()?;
    let registers = match log.replay(&banks, &CryptoHashes) {
        Ok(banks) => banks.iter().map(Registers::of).collect(),
        // A confidential computing log may name registers that no TPM has.
        Err(evtpm_logs::Error::PcrOutOfRange { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let format = match log.format() {
        Format::Sha1 => "TCG event log, SHA-1",
        Format::CryptoAgile => "TCG event log, crypto-agile",
    };
    Ok(BootLog { format, lines, registers, indices: Vec::new() })
}

fn is_known(bank: HashId) -> bool {
    CryptoHashes.hash(bank, &[]).is_some()
}

fn line(event: &Event<'_>, proving: Option<HashId>) -> Line {
    let preimage = proving.and_then(|bank| event.preimage(bank, &CryptoHashes));
    let basis = match (event.is_extended(), preimage) {
        (false, _) => Basis::NotExtended,
        (true, Some(_)) => Basis::Hashed,
        (true, None) => Basis::Claimed,
    };
    let text = match preimage {
        Some(Preimage::ErrorSeparator) => format!("separator of an error, {}", Hex(event.data)),
        Some(Preimage::SectionName(name)) => format!("section {name}"),
        _ => describe(&event.decode()),
    };
    Line {
        number: event.at.record.into(),
        register: event.pcr.to_string(),
        kind: event.kind.to_string(),
        digests: event.digests().iter().map(|(bank, digest)| (bank, digest.to_vec())).collect(),
        basis,
        text,
        data: event.data.to_vec(),
    }
}

/// Says what the data mean.
fn describe(data: &EventData<'_>) -> String {
    match data {
        EventData::NoAction(action) => no_action(action),
        EventData::Separator(value) => format!("separator {value:#010x}"),
        EventData::Text(text) => quoted(text),
        EventData::CrtmVersion(version) => format!("\"{version}\""),
        EventData::Variable(variable) => {
            format!("{} ({}), {} bytes", variable.name, variable.vendor, variable.content.len())
        }
        EventData::Image(image) => format!("{} bytes from {}", image.length, image.device_path),
        EventData::Blob { description, base, length } => {
            let name = if description.is_empty() { String::new() } else { format!("{} ", quoted(description)) };
            format!("{name}{length:#x} bytes at {base:#x}")
        }
        EventData::Gpt(table) => {
            format!("disk {} with {} partitions", table.disk, table.partitions().count())
        }
        EventData::Tagged(event) => tagged(*event),
        EventData::Ipl(ipl) => match ipl {
            Ipl::GrubCommand(text) => format!("grub: {}", Text(text)),
            Ipl::KernelCommandLine(text) => format!("command line: {}", Text(text)),
            Ipl::GrubModule(text) => format!("module: {}", Text(text)),
            Ipl::Utf16(text) => format!("\"{text}\""),
            Ipl::Name(name) => Text(name).to_string(),
            _ => String::new(),
        },
        EventData::Undecoded(data) => raw(data),
        _ => String::new(),
    }
}

fn no_action(action: &NoAction<'_>) -> String {
    match action {
        NoAction::StartupLocality(locality) => format!("startup at locality {locality}"),
        NoAction::SpecId(_) => "header".to_owned(),
        NoAction::Sp800155 { signature, .. } => quoted(signature.split(|byte| *byte == 0).next().unwrap_or_default()),
        NoAction::Other(data) => raw(data),
        _ => String::new(),
    }
}

fn tagged(event: TaggedEvent<'_>) -> String {
    match event.id {
        TaggedEvent::INITRD => "initrd (Linux)".to_owned(),
        TaggedEvent::LOAD_OPTIONS => "command line (Linux)".to_owned(),
        id => format!("tag {id:#010x}, {}", raw(event.data)),
    }
}

fn quoted(text: &[u8]) -> String {
    format!("\"{}\"", Text(text.strip_suffix(&[0]).unwrap_or(text)))
}

/// Text that looks like it, or the first bytes.
fn raw(data: &[u8]) -> String {
    const MOST: usize = 24;
    let printable = data.strip_suffix(&[0]).unwrap_or(data);
    if !printable.is_empty() && printable.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return quoted(data);
    }
    match data.get(..MOST) {
        Some(head) if data.len() > MOST => format!("{}… ({} bytes)", Hex(head), data.len()),
        _ => Hex(data).to_string(),
    }
}

fn canonical(bytes: &[u8]) -> Result<BootLog, Error> {
    let log = cel::Log::parse(bytes)?;
    let banks: Vec<_> = log.entries().iter().flat_map(cel::Entry::digests).map(|(bank, _)| bank).collect();
    let mut banks: Vec<_> = banks.into_iter().filter(|bank| is_known(*bank)).collect();
    banks.sort_unstable();
    banks.dedup();
    let registers = match log.replay(&banks, &CryptoHashes) {
        Ok(banks) => banks.iter().map(Registers::of).collect(),
        // A confidential computing log may name registers that no TPM has.
        Err(evtpm_logs::Error::PcrOutOfRange { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let format = match log.encoding() {
        Encoding::Tlv => "canonical event log, TLV",
        Encoding::Json => "canonical event log, JSON",
        Encoding::Cbor => "canonical event log, CBOR",
    };
    Ok(BootLog {
        format,
        lines: log.entries().iter().map(canonical_line).collect(),
        registers,
        indices: nv_indices(&log, &banks)?,
    })
}

/// What the extend indices in NV memory hold that the log has records of, for each hash that one may have.
fn nv_indices(log: &cel::Log, banks: &[HashId]) -> Result<Vec<(u32, HashId, Digest)>, Error> {
    let indices: BTreeSet<u32> = log
        .entries()
        .iter()
        .filter_map(|entry| match entry.register {
            Register::NvIndex(index) => Some(index),
            _ => None,
        })
        .collect();
    let all = indices.into_iter().flat_map(|index| banks.iter().map(move |bank| (index, *bank)));
    all.map(|(index, bank)| Ok((index, bank, log.replay_nv_index(index, bank, &CryptoHashes)?))).collect()
}

fn canonical_line(entry: &cel::Entry) -> Line {
    let is_extended = !matches!(&entry.content, Content::PcClient { kind, .. } if *kind == EventType::NO_ACTION);
    let basis = match (is_extended, entry.is_proven(&CryptoHashes)) {
        (false, _) => Basis::NotExtended,
        (true, true) => Basis::Hashed,
        (true, false) => Basis::Claimed,
    };
    let (kind, text) = match &entry.content {
        Content::PcClient { kind, data } => (kind.to_string(), raw(data)),
        Content::ImaTemplate { name, data } => (format!("ima_template {}", Text(name)), raw(data)),
        Content::ImaTlv(data) | Content::Other { number: 0, data } => (entry.content.name().to_owned(), raw(data)),
        Content::Other { number, data } => (format!("content {number}"), raw(data)),
        other => (other.name().to_owned(), other.to_string()),
    };
    Line {
        number: entry.number.unwrap_or_else(|| entry.at.record.into()),
        register: match entry.register {
            Register::Pcr(pcr) => pcr.to_string(),
            Register::NvIndex(index) => format!("nv {index:#010x}"),
            Register::Measurement(register) => format!("mr {register}"),
        },
        kind,
        digests: entry.digests().map(|(bank, digest)| (bank, digest.as_bytes().to_vec())).collect(),
        basis,
        text,
        data: entry.hashed().unwrap_or_default().to_vec(),
    }
}

/// The longest digest; of two that are as long, the one that stands last.
fn strongest(banks: impl Iterator<Item = HashId>) -> Option<HashId> {
    banks.max_by_key(|bank| bank.digest_size())
}

impl BootLog {
    /// Reads a firmware's event log, a CCEL or a canonical event log.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        if Encoding::of(bytes).is_some() { canonical(bytes) } else { event_log(bytes) }
    }

    /// Leaves the events and the values of one register alone.
    pub fn retain_pcr(&mut self, pcr: u32) {
        let register = pcr.to_string();
        self.lines.retain(|line| line.register == register);
        self.registers.iter_mut().for_each(|bank| bank.values.retain(|(found, _)| u32::from(found.value()) == pcr));
    }

    /// Returns the bank with the longest digests; of two that are as long, the one that stands last.
    pub fn strongest_bank(&self) -> Option<HashId> {
        strongest(self.lines.iter().flat_map(|line| line.digests.iter().map(|(bank, _)| *bank)))
    }

    /// Writes all of it.
    pub fn to_json(&self) -> Value {
        let digests = |digests: &[(HashId, Vec<u8>)]| -> Map<String, Value> {
            digests.iter().map(|(bank, digest)| (bank.to_string(), json!(Hex(digest).to_string()))).collect()
        };
        let events: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "number": line.number,
                    "register": line.register,
                    "type": line.kind,
                    "digests": digests(&line.digests),
                    "data_is": line.basis.name(),
                    "text": line.text,
                    "data": Hex(&line.data).to_string(),
                })
            })
            .collect();
        let indices: Vec<Value> = self
            .indices
            .iter()
            .map(|(index, bank, value)| json!({ "index": index, "hash": bank.to_string(), "value": value.to_string() }))
            .collect();
        let registers = registers_to_json(&self.registers);
        json!({ "format": self.format, "events": events, "registers": registers, "nv_indices": indices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SHA-1 log of one separator, and of one event whose data are not what was hashed.
    fn log() -> Vec<u8> {
        let zeros = CryptoHashes.hash(HashId::SHA1, &[&[0; 4]]).unwrap();
        let mut log = [[4, 0, 0, 0, 4, 0, 0, 0].as_slice(), zeros.as_bytes(), &[4, 0, 0, 0], &[0; 4]].concat();
        log.extend([8, 0, 0, 0, 5, 0, 0, 0]);
        log.extend([7; 20]);
        log.extend([5, 0, 0, 0]);
        log.extend(b"\x1b[2Jx");
        log
    }

    #[test]
    fn data_are_marked_by_whether_their_digest_is_theirs() {
        let shown = BootLog::read(&log()).unwrap();
        let marks: Vec<char> = shown.lines.iter().map(|line| line.basis.mark()).collect();
        assert_eq!(marks, ['=', '~']);
    }

    #[test]
    fn text_of_a_log_cannot_drive_the_terminal() {
        let shown = BootLog::read(&log()).unwrap();
        assert_eq!(shown.lines[1].text, "\"\\u{1b}[2Jx\"");
    }

    #[test]
    fn the_registers_are_those_of_the_replay() {
        let json = BootLog::read(&log()).unwrap().to_json();
        assert_eq!(json["registers"]["sha1"]["4"].as_str().map(str::len), Some(40));
        assert_eq!(json["events"][0]["data_is"], "hashed");
    }

    #[test]
    fn firmware_that_begins_with_register_0_is_not_taken_for_a_canonical_log() {
        // PCR 0, EV_NO_ACTION: the first bytes of most logs there are
        let mut event = vec![0, 0, 0, 0, 3, 0, 0, 0];
        event.extend([0; 20]);
        event.extend([17, 0, 0, 0]);
        event.extend(b"StartupLocality\0\x03");
        assert_eq!(BootLog::read(&event).unwrap().format, "TCG event log, SHA-1");
        let digest = CryptoHashes.hash(HashId::SHA1, &[&[80, 0, 0, 0, 1, 9]]).unwrap();
        let mut record = vec![0, 0, 0, 0, 1, 3, 1, 0, 0, 0, 1, 4, 3, 0, 0, 0, 25, 4, 0, 0, 0, 20];
        record.extend(digest.as_bytes());
        record.extend([80, 0, 0, 0, 1, 9]);
        let shown = BootLog::read(&record).unwrap();
        assert_eq!((shown.format, shown.lines[0].basis.mark()), ("canonical event log, TLV", '='));
    }

    #[test]
    fn systemds_log_is_shown_with_the_words_that_were_measured() {
        let digest = |word: &str| CryptoHashes.hash(HashId::SHA256, &[word.as_bytes()]).unwrap();
        let record = |word: &str, hashed: &str| {
            format!(
                "\u{1e}{{\"pcr\":11,\"digests\":[{{\"hashAlg\":\"sha256\",\"digest\":\"{}\"}}],\"content_type\":\"systemd\",\
                 \"content\":{{\"eventType\":\"phase\",\"string\":\"{word}\"}}}}\n",
                digest(hashed)
            )
        };
        let log = record("sysinit", "sysinit") + &record("ready", "a secret");
        let shown = BootLog::read(log.as_bytes()).unwrap();
        let lines: Vec<_> = shown.lines.iter().map(|line| (line.basis.mark(), line.text.as_str())).collect();
        assert_eq!(
            (shown.format, lines),
            ("canonical event log, JSON", vec![('=', "phase: \"sysinit\""), ('~', "phase: \"ready\"")])
        );
        assert_eq!(shown.to_json()["registers"]["sha256"]["11"].as_str().map(str::len), Some(64));
    }

    #[test]
    fn a_log_that_ends_inside_an_event_is_refused() {
        assert!(BootLog::read(&log()[..40]).is_err());
    }
}
