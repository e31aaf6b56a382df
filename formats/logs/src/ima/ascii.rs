// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ASCII list (`ascii_runtime_measurements`): each line is rewritten as the binary record it was printed from.
//!
//! The form is lossy in one place: a newline in a file's name ends the line. Lines that do not start like a record are
//! therefore taken as the rest of the name before; whether that was right shows the entry's hash.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::ima::{Entry, Field, MAX_TEMPLATE_DATA, Template, next_entry};
use crate::text::unhex;
use crate::{At, Error, PcrIndex, Text};

/// An ASCII list in memory.
#[derive(Debug, Clone)]
pub struct AsciiList<'a> {
    rest: &'a [u8],
    at: At,
    failed: bool,
}

/// One line of an ASCII list as a binary record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsciiRecord {
    at: At,
    bytes: Vec<u8>,
    hash_size: usize,
}

impl<'a> AsciiList<'a> {
    /// Reads a list.
    #[must_use]
    pub const fn new(list: &'a [u8]) -> Self {
        AsciiList { rest: list, at: At { record: 0, offset: 0 }, failed: false }
    }

    /// Tells a text list from a binary one: it begins with the digits of a register, the other with its number.
    #[must_use]
    pub fn recognizes(list: &[u8]) -> bool {
        list.first().is_some_and(|first| first.is_ascii_digit() || *first == b' ')
    }

    /// Rewrites a whole list as the kernel's binary list; every template hash must be SHA-1, as it is there.
    pub fn to_binary(list: &[u8]) -> Result<Vec<u8>, Error> {
        let mut binary = Vec::new();
        for record in AsciiList::new(list) {
            let record = record?;
            if record.hash_size != 20 {
                return Err(Error::Malformed { at: record.at, expected: "a template hash of 20 bytes" });
            }
            binary.extend(record.bytes);
        }
        Ok(binary)
    }

    /// Takes the bytes of one record, without the newline at its end.
    fn record(&mut self) -> &'a [u8] {
        let mut search = 0_usize;
        let end = loop {
            let Some(newline) = self.rest.get(search..).and_then(|tail| tail.iter().position(|byte| *byte == b'\n'))
            else {
                break self.rest.len();
            };
            let newline = search.saturating_add(newline);
            search = newline.saturating_add(1);
            match self.rest.get(search..) {
                Some(tail) if !tail.is_empty() && !starts_a_record(tail) => {}
                _ => break newline,
            }
        };

        let (record, tail) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = tail.strip_prefix(b"\n").unwrap_or(tail);
        record
    }
}

impl Iterator for AsciiList<'_> {
    type Item = Result<AsciiRecord, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let at = self.at;
        let line = self.record();
        self.at =
            At { record: at.record.saturating_add(1), offset: at.offset.saturating_add(line.len()).saturating_add(1) };
        let record = AsciiRecord::parse(line, at);
        self.failed = record.is_err();
        Some(record)
    }
}

impl AsciiRecord {
    /// Returns the record as an entry.
    pub fn entry(&self) -> Result<Entry<'_>, Error> {
        let mut entry = next_entry(&self.bytes, self.at, self.hash_size)?.entry;
        entry.at = self.at;
        Ok(entry)
    }

    /// Returns the record as the binary list has it.
    #[must_use]
    pub fn as_binary(&self) -> &[u8] {
        &self.bytes
    }

    fn parse(line: &[u8], at: At) -> Result<Self, Error> {
        if line.len() > MAX_TEMPLATE_DATA {
            return Err(Error::TooLong { at, what: "line", length: line.len(), limit: MAX_TEMPLATE_DATA });
        }
        let malformed = || Error::Malformed { at, expected: "\"PCR template-hash template-name fields\"" };
        let (pcr, rest) = word(line.trim_ascii_start()).ok_or_else(malformed)?;
        let (hash, rest) = word(rest).ok_or_else(malformed)?;
        let (name, fields) = word(rest).ok_or_else(malformed)?;
        let pcr = decimal(pcr).and_then(|pcr| u32::try_from(pcr).ok()).and_then(PcrIndex::new).ok_or_else(malformed)?;
        let hash = unhex(hash).filter(|hash| matches!(hash.len(), 20 | 32 | 48 | 64)).ok_or_else(malformed)?;
        let Some(template) = Template::from_name(name) else {
            return Err(Error::UnknownTemplate { at, name: Text(name).to_string() });
        };

        let mut bytes = Vec::new();
        bytes.extend(u32::from(pcr.value()).to_le_bytes());
        bytes.extend(&hash);
        prefixed(&mut bytes, name);
        let data = template_data(template, name, fields)
            .ok_or(Error::Malformed { at, expected: "one value of its form for each field of the template" })?;
        bytes.extend(data);
        Ok(AsciiRecord { at, bytes, hash_size: hash.len() })
    }
}

/// Rewrites the fields of a line as the template data of the binary list, length included.
fn template_data(template: Template, name: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let values = split(template.fields(), text)?;
    if name == b"ima" {
        let [digest, name] = values.as_slice() else { return None };
        let mut data = unhex(digest).filter(|digest| digest.len() == 20)?;
        prefixed(&mut data, name);
        return Some(data);
    }

    let mut fields = Vec::new();
    for (field, value) in template.fields().iter().zip(values) {
        prefixed(&mut fields, &field_data(*field, value)?);
    }
    let mut data = Vec::new();
    prefixed(&mut data, &fields);
    Some(data)
}

/// Splits the values at single spaces; spaces that are left over belong to the name (old kernels keep them).
fn split<'a>(fields: &[Field], text: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut values: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let extra = values.len().checked_sub(fields.len())?;
    if extra == 0 {
        return Some(values);
    }

    let position = fields.iter().position(|field| matches!(field, Field::Name | Field::NameNg))?;
    let before: usize = values.get(..position)?.iter().map(|value| value.len().saturating_add(1)).sum();
    let behind_at = position.checked_add(extra)?.checked_add(1)?;
    let behind: usize = values.get(behind_at..)?.iter().map(|value| value.len().saturating_add(1)).sum();
    let name = text.get(before..text.len().checked_sub(behind)?)?;
    values.splice(position..behind_at, [name]);
    Some(values)
}

fn field_data(field: Field, value: &[u8]) -> Option<Vec<u8>> {
    match field {
        Field::Digest => unhex(value),
        Field::Name | Field::NameNg | Field::XattrNames => Some([value, &[0]].concat()),
        Field::DigestNg | Field::DigestNgV2 | Field::ModsigDigest if value.is_empty() => Some(Vec::new()),
        Field::DigestNg | Field::DigestNgV2 | Field::ModsigDigest => {
            let colon = value.iter().rposition(|byte| *byte == b':')?;
            let (algorithm, digest) = value.split_at_checked(colon.checked_add(1)?)?;
            Some([algorithm, &[0], &unhex(digest)?].concat())
        }
        // The kernel prints integers of the inode in decimal; their size is that of the type.
        Field::Uid | Field::Gid | Field::Mode if value.is_empty() => Some(Vec::new()),
        Field::Uid | Field::Gid => Some(u32::try_from(decimal(value)?).ok()?.to_le_bytes().to_vec()),
        Field::Mode => Some(u16::try_from(decimal(value)?).ok()?.to_le_bytes().to_vec()),
        Field::Signature
        | Field::Buffer
        | Field::Modsig
        | Field::EvmSignature
        | Field::XattrLengths
        | Field::XattrValues => unhex(value),
    }
}

fn prefixed(out: &mut Vec<u8>, value: &[u8]) {
    // A line is at most MAX_TEMPLATE_DATA long, so its parts' lengths fit.
    out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(value);
}

/// The largest start of a record that is looked at: blanks, a register's number, and a hash of 64 bytes.
const RECORD_START: usize = 160;

/// A record starts with a register's number and a hash of at least 40 hexadecimal digits.
fn starts_a_record(line: &[u8]) -> bool {
    // Without the limit, a list of nothing but newlines would be searched to its end at each of them.
    let line = line.get(..RECORD_START).unwrap_or(line);
    let Some((pcr, rest)) = word(line.trim_ascii_start()) else { return false };
    let Some((hash, _)) = word(rest) else { return false };
    decimal(pcr).is_some() && hash.len() >= 40 && hash.iter().all(u8::is_ascii_hexdigit)
}

/// Takes the bytes up to the first space.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    Some((text.get(..space)?, text.get(space.checked_add(1)?..)?))
}

fn decimal(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}
