// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCR values as files have them: the dump of `tpm2_quote --pcrs_output`, or lines of text.

use std::collections::BTreeMap;
use std::fmt;

use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_verify::tpm::Selection;

/// PCR values with the selection that they are of: bank after bank, rising in each bank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PcrValues {
    pub(crate) selection: Selection,
    pub(crate) values: Vec<Vec<u8>>,
}

/// Why bytes are no PCR values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PcrError {
    /// A line is not `sha256:0=digits`.
    Line { number: usize, text: String },
    /// A register stands there twice.
    Twice { bank: HashId, pcr: PcrIndex },
    /// There is no value.
    Empty,
    /// The dump is not as long as its counts say, or a count is too large.
    Dump { offset: usize },
    /// The dump's selection and its values are not of one number.
    Count { selected: usize, values: usize },
}

impl fmt::Display for PcrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, text } => {
                write!(f, "PCR values, line {number}: expected bank:pcr=digits, got {text:?}")
            }
            Self::Twice { bank, pcr } => write!(f, "PCR values: {bank}:{} is there twice", pcr.value()),
            Self::Empty => f.write_str("PCR values: there are none"),
            Self::Dump { offset } => write!(f, "PCR values: the dump of tpm2-tools is broken at byte {offset}"),
            Self::Count { selected, values } => {
                write!(f, "PCR values: the dump selects {selected} registers and has {values} values")
            }
        }
    }
}

impl std::error::Error for PcrError {}

impl PcrValues {
    /// Reads a file in one of the two forms; a dump always has zeros in it, text never.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PcrError> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => Self::from_text(text),
            _ => Self::from_dump(bytes),
        }
    }

    /// Reads lines of `sha256:0=digits`; banks stay in the order of their first line, which has to be the quote's.
    fn from_text(text: &str) -> Result<Self, PcrError> {
        let mut banks: Vec<(HashId, BTreeMap<PcrIndex, Vec<u8>>)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refused = || PcrError::Line { number, text: line.chars().take(40).collect() };
            let (bank, pcr, value) = register(line).ok_or_else(refused)?;
            let at = banks.iter().position(|(found, _)| *found == bank).unwrap_or_else(|| {
                banks.push((bank, BTreeMap::new()));
                banks.len() - 1
            });
            if banks.get_mut(at).is_some_and(|(_, values)| values.insert(pcr, value).is_some()) {
                return Err(PcrError::Twice { bank, pcr });
            }
        }
        let selected = banks.iter().map(|(bank, values)| (*bank, values.keys().copied().collect()));
        let selection = selection(selected)?;
        Ok(Self { selection, values: banks.into_iter().flat_map(|(_, values)| values.into_values()).collect() })
    }

    /// Reads the structures of tpm2-tools as they lie in memory: a `TPML_PCR_SELECTION` of 16 entries of 8 bytes, a
    /// count, and so many `TPML_DIGEST` of eight entries of 2 + 64 bytes, numbers in little-endian.
    fn from_dump(bytes: &[u8]) -> Result<Self, PcrError> {
        let mut dump = Dump { bytes, offset: 0 };
        let banks = dump.count(16)?;
        let mut selected = Vec::new();
        for entry in 0..16 {
            let [low, high, size, a, b, c, d, _] = dump.take::<8>()?;
            let used = |number: u8, bits: u8| if number < size { bits } else { 0 };
            let mask = u32::from_le_bytes([used(0, a), used(1, b), used(2, c), used(3, d)]);
            if entry < banks {
                let pcrs = PcrSet::from_mask(mask).ok_or(PcrError::Dump { offset: dump.offset })?;
                selected.push((HashId(u16::from_le_bytes([low, high])), pcrs));
            }
        }
        let selection = selection(selected.into_iter().filter(|(_, pcrs)| !pcrs.is_empty()))?;
        let values = dump.values()?;
        if values.len() != selection.values() {
            return Err(PcrError::Count { selected: selection.values(), values: values.len() });
        }
        Ok(Self { selection, values })
    }
}

fn register(line: &str) -> Option<(HashId, PcrIndex, Vec<u8>)> {
    let (register, digits) = line.split_once('=')?;
    let (bank, pcr) = register.split_once(':')?;
    let bank = HashId::from_name(bank.trim())?;
    let value = hex::decode(digits.trim()).ok().filter(|value| bank.digest_size() == Some(value.len()))?;
    Some((bank, PcrIndex::new(pcr.trim().parse().ok()?)?, value))
}

fn selection(banks: impl IntoIterator<Item = (HashId, PcrSet)>) -> Result<Selection, PcrError> {
    let mut selection = Selection::new();
    for (bank, pcrs) in banks {
        let twice = selection.find(bank).unwrap_or_default().iter().next();
        selection =
            selection.with(bank, pcrs).ok_or(twice.map_or(PcrError::Empty, |pcr| PcrError::Twice { bank, pcr }))?;
    }
    if selection.values() == 0 { Err(PcrError::Empty) } else { Ok(selection) }
}

/// A cursor over the dump.
struct Dump<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Dump<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], PcrError> {
        let broken = PcrError::Dump { offset: self.offset };
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(broken)?;
        self.bytes = rest;
        self.offset += N;
        Ok(*taken)
    }

    fn count(&mut self, limit: usize) -> Result<usize, PcrError> {
        let offset = self.offset;
        let count = usize::try_from(u32::from_le_bytes(self.take()?)).ok();
        count.filter(|count| *count <= limit).ok_or(PcrError::Dump { offset })
    }

    /// Reads the lists of digests, which go to the end of the file.
    fn values(&mut self) -> Result<Vec<Vec<u8>>, PcrError> {
        let lists = self.count(self.bytes.len())?;
        let mut values = Vec::new();
        for _ in 0..lists {
            let used = self.count(8)?;
            for entry in 0..8 {
                let offset = self.offset;
                let size = usize::from(u16::from_le_bytes(self.take()?));
                let digest = self.take::<64>()?;
                if entry < used {
                    values.push(digest.get(..size).ok_or(PcrError::Dump { offset })?.to_vec());
                }
            }
        }
        if self.bytes.is_empty() { Ok(values) } else { Err(PcrError::Dump { offset: self.offset }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump of one bank of SHA-256: as many registers as values, each value of its number.
    fn dump(registers: u8) -> Vec<u8> {
        let mask = (1_u32 << registers) - 1;
        let mut bytes = 1_u32.to_le_bytes().to_vec();
        bytes.extend([0x0b, 0, 3]);
        bytes.extend(mask.to_le_bytes());
        bytes.resize(4 + 16 * 8, 0);
        let numbers: Vec<u8> = (0..registers).collect();
        let lists = numbers.chunks(8);
        bytes.extend(u32::try_from(lists.len()).unwrap().to_le_bytes());
        for list in lists {
            bytes.extend(u32::try_from(list.len()).unwrap().to_le_bytes());
            for entry in 0..8 {
                let value = list.get(entry).copied();
                bytes.extend(value.map_or(0_u16, |_| 32).to_le_bytes());
                bytes.extend([value.unwrap_or(0); 32]);
                bytes.extend([0; 32]);
            }
        }
        bytes
    }

    fn text(registers: u8) -> String {
        (0..registers).map(|pcr| format!("sha256:{pcr}={}\n", hex::encode([pcr; 32]))).collect()
    }

    #[test]
    fn dump_and_text_say_the_same() {
        let read = PcrValues::parse(&dump(15)).unwrap();
        assert_eq!(read.selection.to_string(), "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14");
        assert_eq!(read, PcrValues::parse(text(15).as_bytes()).unwrap());
    }

    #[test]
    fn lines_in_any_order_with_comments_are_read() {
        let shuffled = format!("# a comment\n\nsha1:3={}\n{}", "11".repeat(20), text(2));
        let read = PcrValues::parse(shuffled.as_bytes()).unwrap();
        assert_eq!(read.selection.to_string(), "sha1:3+sha256:0,1");
        assert_eq!(read.values, [vec![0x11; 20], vec![0; 32], vec![1; 32]]);
    }

    #[test]
    fn a_bad_line_is_named() {
        for line in ["sha256:24=00", "sha256:0=00", "md5:0=00", "sha256=00", "sha256:0 00"] {
            let refused = PcrValues::parse(format!("\n{line}\n").as_bytes());
            assert_eq!(refused, Err(PcrError::Line { number: 2, text: line.to_owned() }));
        }
        assert_eq!(PcrValues::parse(b"# nothing\n"), Err(PcrError::Empty));
        let pcr = PcrIndex::new(0).unwrap();
        let twice = [text(1), text(1)].concat();
        assert_eq!(PcrValues::parse(twice.as_bytes()), Err(PcrError::Twice { bank: HashId::SHA256, pcr }));
    }

    #[test]
    fn a_dump_of_any_other_length_is_refused() {
        let whole = dump(9);
        for length in (0..whole.len()).step_by(7) {
            assert!(PcrValues::from_dump(&whole[..length]).is_err(), "{length}");
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert_eq!(PcrValues::parse(&longer), Err(PcrError::Dump { offset: whole.len() }));
    }

    #[test]
    fn a_dump_with_a_value_too_few_is_refused() {
        let mut bytes = dump(8);
        bytes[136] = 7;
        assert_eq!(PcrValues::parse(&bytes), Err(PcrError::Count { selected: 8, values: 7 }));
    }
}
