// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The JSON encoding (CEL, "JSON Encoding"), and systemd's userspace log, which is close to it (`/run/log/systemd/tpm2-measure.log`).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::tcg::EventType;
use crate::text::unhex;
use crate::{At, Digest, Error, HashId};

use super::{Content, Entry, MAX_RECORDS, Management, Register};

/// What begins each record of a sequence (RFC 7464).
pub(super) const RECORD_SEPARATOR: u8 = 0x1E;

#[derive(Deserialize)]
struct Record<'a> {
    recnum: Option<u64>,
    pcr: Option<u32>,
    nv_index: Option<u32>,
    #[serde(borrow)]
    digests: Vec<RecordDigest<'a>>,
    #[serde(borrow)]
    content_type: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct RecordDigest<'a> {
    #[serde(rename = "hashAlg", borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

#[derive(Deserialize)]
struct PcClient<'a> {
    event_type: NumberOrName,
    #[serde(borrow)]
    event_data: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(u32),
    Name(String),
}

#[derive(Deserialize)]
struct ImaTemplate<'a> {
    #[serde(borrow)]
    template_name: Cow<'a, str>,
    #[serde(borrow)]
    template_data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Systemd {
    #[serde(rename = "eventType")]
    event: Option<String>,
    string: Option<String>,
}

#[derive(Deserialize)]
struct ManagementContent<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Version {
    major: u64,
    minor: u64,
}

/// Reads an array, a sequence, or lines.
pub(super) fn parse(log: &[u8]) -> Result<Vec<Entry>, Error> {
    let start = At { record: 0, offset: 0 };
    let text = core::str::from_utf8(log).map_err(|_| Error::Malformed { at: start, expected: "UTF-8" })?;
    let mut entries = Vec::new();
    if text.trim_start().starts_with('[') {
        let records: Vec<&RawValue> = read(text, start, "an array of records")?;
        for record in records {
            let at = At { record: count(&entries)?, ..start };
            entries.push(entry(read(record.get(), at, RECORD)?, at)?);
        }
        return Ok(entries);
    }
    let mut offset = 0_usize;
    for part in text.split(char::from(RECORD_SEPARATOR)) {
        let mut records = serde_json::Deserializer::from_str(part).into_iter::<Record<'_>>();
        while let Some(record) = records.next() {
            let at = At { record: count(&entries)?, offset: offset.saturating_add(records.byte_offset()) };
            let record = record.map_err(|_| Error::Malformed { at, expected: RECORD })?;
            entries.push(entry(record, at)?);
        }
        offset = offset.saturating_add(part.len()).saturating_add(1);
    }
    Ok(entries)
}

const RECORD: &str = "a record with its digests, content type and content";

/// The number of the next record.
fn count(entries: &[Entry]) -> Result<u32, Error> {
    let record = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    if record >= MAX_RECORDS {
        return Err(Error::TooManyRecords { at: At { record, offset: 0 }, limit: MAX_RECORDS });
    }
    Ok(record)
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, at: At, expected: &'static str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Malformed { at, expected })
}

fn entry(record: Record<'_>, at: At) -> Result<Entry, Error> {
    let register = match (record.pcr, record.nv_index) {
        (Some(pcr), None) => Register::Pcr(pcr),
        (None, Some(index)) => Register::NvIndex(index),
        _ => return Err(Error::Malformed { at, expected: "a PCR or an NV index" }),
    };
    let digests = record.digests.iter().map(|digest| {
        let algorithm = HashId::from_name(&digest.algorithm);
        let value = unhex(digest.digest.as_bytes()).and_then(|bytes| Digest::new(&bytes));
        algorithm.zip(value).ok_or(Error::Malformed { at, expected: "a digest and the name of its algorithm" })
    });
    let digests = Entry::checked(digests.collect::<Result<_, _>>()?, at)?;
    let (content, hashed) = content(&record.content_type, record.content.get(), at)?;
    Ok(Entry { at, number: record.recnum, register, digests, content, hashed })
}

fn content(name: &str, text: &str, at: At) -> Result<(Content, Option<Vec<u8>>), Error> {
    let bytes = |digits: &str| unhex(digits.as_bytes()).ok_or(Error::Malformed { at, expected: "hexadecimal bytes" });
    Ok(match name {
        "pcclient_std" => {
            let PcClient { event_type, event_data } = read(text, at, "an event's type and data")?;
            let kind = match event_type {
                NumberOrName::Number(number) => EventType(number),
                NumberOrName::Name(name) => {
                    EventType::from_name(&name).ok_or(Error::Malformed { at, expected: "the name of an event type" })?
                }
            };
            let data = bytes(&event_data)?;
            (Content::PcClient { kind, data: data.clone() }, Some(data))
        }
        "ima_template" => {
            let ImaTemplate { template_name, template_data } = read(text, at, "a template's name and data")?;
            let data = bytes(&template_data)?;
            (Content::ImaTemplate { name: template_name.as_bytes().to_vec(), data: data.clone() }, Some(data))
        }
        "ima_tlv" => {
            let data = bytes(&read::<Cow<'_, str>>(text, at, "hexadecimal bytes")?)?;
            let hashed = super::entry::ima_tlv(&data);
            (Content::ImaTlv(data), hashed)
        }
        "systemd" => {
            let Systemd { event, string } = read(text, at, "an event of systemd")?;
            // "Measured hash covers the … string (in UTF-8, without trailing NUL bytes)"
            let hashed = string.as_ref().map(|text| text.as_bytes().to_vec());
            (Content::Systemd { event, text: string }, hashed)
        }
        "cel" => (Content::Management(management(read(text, at, "a management event")?, at)?), None),
        _ => (Content::Other { number: 0, data: text.as_bytes().to_vec() }, None),
    })
}

fn management(content: ManagementContent<'_>, at: At) -> Result<Management, Error> {
    let data = || content.data.map(RawValue::get).ok_or(Error::Malformed { at, expected: "data" });
    Ok(match &*content.r#type {
        "cel_version" => {
            let Version { major, minor } = read(data()?, at, "a version")?;
            Management::Version { major, minor }
        }
        "firmware_end" => Management::FirmwareEnd,
        "cel_timestamp" => Management::Timestamp(read(data()?, at, "a time")?),
        "state_trans" => {
            let name: Cow<'_, str> = read(data()?, at, "a state transition")?;
            match &*name {
                "suspend" => Management::StateTransition(0),
                "hibernate" => Management::StateTransition(1),
                "kexec" => Management::StateTransition(2),
                _ => return Err(Error::Malformed { at, expected: "suspend, hibernate or kexec" }),
            }
        }
        _ => return Err(Error::Malformed { at, expected: "a management event that CEL names" }),
    })
}
