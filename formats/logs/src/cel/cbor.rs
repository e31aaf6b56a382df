// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CBOR encoding (CEL, "CBOR Encoding"): maps with the numbers of the TLV encoding as keys.
//!
//! A record is `{0: recnum, 1: pcr / 2: nv_index, 3: [+ {0: hashAlg, 1: digest}], 9: content_type, 10: content}`.

use alloc::vec::Vec;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::tcg::EventType;
use crate::{At, Digest, Error, HashId};

use super::{Content, Entry, MAX_RECORDS, Management, Register, content};

/// A content that is not one of the known ones is at most so deep.
const MAX_DEPTH: u32 = 16;

/// Reads an array or a sequence of records.
pub(super) fn parse(log: &[u8]) -> Result<Vec<Entry>, Error> {
    let mut input = Decoder::new(log);
    let start = At { record: 0, offset: 0 };
    let announced = match input.datatype() {
        Ok(Type::Array) => Some(input.array().ok().flatten().ok_or(malformed(start, "an array of records"))?),
        _ => None,
    };
    let mut entries = Vec::new();
    while input.position() < log.len() {
        let at = At { record: u32::try_from(entries.len()).unwrap_or(u32::MAX), offset: input.position() };
        if at.record >= MAX_RECORDS {
            return Err(Error::TooManyRecords { at, limit: MAX_RECORDS });
        }
        entries.push(entry(&mut input, log, at)?);
    }
    if announced.is_some_and(|announced| announced != entries.len() as u64) {
        return Err(malformed(start, "as many records as the array announces"));
    }
    Ok(entries)
}

const fn malformed(at: At, expected: &'static str) -> Error {
    Error::Malformed { at, expected }
}

fn entry(input: &mut Decoder<'_>, log: &[u8], at: At) -> Result<Entry, Error> {
    let fields = map(input, at)?;
    let (mut number, mut register, mut digests, mut kind, mut decoded) = (None, None, None, None, None);
    let mut last = None;
    for _ in 0..fields {
        let key = number_at(input, at)?;
        if last.is_some_and(|last| key <= last) {
            return Err(malformed(at, "keys in ascending order"));
        }
        last = Some(key);
        match key {
            0 => number = Some(number_at(input, at)?),
            1 | 2 if register.is_none() => {
                let index = u32::try_from(number_at(input, at)?).map_err(|_| malformed(at, "a register"))?;
                register = Some(if key == 1 { Register::Pcr(index) } else { Register::NvIndex(index) });
            }
            3 => digests = Some(digests_at(input, at)?),
            9 => kind = Some(number_at(input, at)?),
            10 => {
                let kind = kind.ok_or(malformed(at, "a content type before the content"))?;
                decoded = Some(content_at(input, log, kind, at)?);
            }
            _ => return Err(malformed(at, "a field of a record")),
        }
    }
    match (number, register, digests, decoded) {
        (Some(number), Some(register), Some(digests), Some((content, hashed))) => {
            Ok(Entry { at, number: Some(number), register, digests, content, hashed })
        }
        _ => Err(malformed(at, "a record's number, register, digests and content")),
    }
}

fn digests_at(input: &mut Decoder<'_>, at: At) -> Result<Vec<(HashId, Digest)>, Error> {
    let count = input.array().ok().flatten().ok_or(malformed(at, "digests"))?;
    let mut digests = Vec::new();
    for _ in 0..count {
        let (mut algorithm, mut digest) = pair(input, at)?;
        let algorithm = algorithm.u16().map_err(|_| malformed(at, "a digest's algorithm"))?;
        let digest = digest.bytes().ok().and_then(Digest::new).ok_or(malformed(at, "a digest"))?;
        digests.push((HashId(algorithm), digest));
        digests = Entry::checked(digests, at)?;
    }
    Ok(digests)
}

fn content_at(input: &mut Decoder<'_>, log: &[u8], kind: u64, at: At) -> Result<(Content, Option<Vec<u8>>), Error> {
    let bytes = |input: &mut Decoder<'_>| input.bytes().map(<[u8]>::to_vec).map_err(|_| malformed(at, "bytes"));
    Ok(match u8::try_from(kind) {
        Ok(content::MANAGEMENT) => (Content::Management(management(input, at)?), None),
        Ok(content::PC_CLIENT) => {
            let (mut kind, mut data) = pair(input, at)?;
            let kind = match kind.datatype() {
                Ok(Type::String) => kind.str().ok().and_then(EventType::from_name),
                _ => kind.u32().ok().map(EventType),
            };
            let kind = kind.ok_or(malformed(at, "an event type"))?;
            let data = bytes(&mut data)?;
            (Content::PcClient { kind, data: data.clone() }, Some(data))
        }
        Ok(content::IMA_TEMPLATE) => {
            let (mut name, mut data) = pair(input, at)?;
            let name = name.str().map_err(|_| malformed(at, "a template's name"))?.as_bytes().to_vec();
            let data = bytes(&mut data)?;
            (Content::ImaTemplate { name, data: data.clone() }, Some(data))
        }
        Ok(content::IMA_TLV) => {
            let data = bytes(input)?;
            let hashed = super::entry::ima_tlv(&data);
            (Content::ImaTlv(data), hashed)
        }
        _ => {
            let data = log.get(skip(input, at)?).unwrap_or_default().to_vec();
            (Content::Other { number: kind, data }, None)
        }
    })
}

fn management(input: &mut Decoder<'_>, at: At) -> Result<Management, Error> {
    let fields = map(input, at)?;
    if !(1..=2).contains(&fields) || number_at(input, at)? != 0 {
        return Err(malformed(at, "a management event"));
    }
    let kind = number_at(input, at)?;
    if fields == 1 {
        return Ok(if kind == u64::from(content::FIRMWARE_END) {
            Management::FirmwareEnd
        } else {
            Management::Other(kind)
        });
    }
    if number_at(input, at)? != 1 {
        return Err(malformed(at, "a management event's data"));
    }
    Ok(match u8::try_from(kind) {
        Ok(content::CEL_VERSION) => {
            let (mut major, mut minor) = pair(input, at)?;
            Management::Version { major: number_at(&mut major, at)?, minor: number_at(&mut minor, at)? }
        }
        Ok(content::CEL_TIMESTAMP) => Management::Timestamp(number_at(input, at)?),
        Ok(content::STATE_TRANSITION) => Management::StateTransition(number_at(input, at)?),
        _ => {
            skip(input, at)?;
            Management::Other(kind)
        }
    })
}

/// Reads a map `{0: …, 1: …}` and returns where its two values begin.
fn pair<'a>(input: &mut Decoder<'a>, at: At) -> Result<(Decoder<'a>, Decoder<'a>), Error> {
    let is_pair = map(input, at)? == 2 && number_at(input, at)? == 0;
    let first = input.clone();
    skip(input, at)?;
    if !is_pair || number_at(input, at)? != 1 {
        return Err(malformed(at, "a map of two values"));
    }
    let second = input.clone();
    skip(input, at)?;
    Ok((first, second))
}

fn map(input: &mut Decoder<'_>, at: At) -> Result<u64, Error> {
    input.map().ok().flatten().ok_or(malformed(at, "a map of known length"))
}

fn number_at(input: &mut Decoder<'_>, at: At) -> Result<u64, Error> {
    input.u64().map_err(|_| malformed(at, "a number"))
}

/// Skips one value that is not too deep, and returns where it was.
fn skip(input: &mut Decoder<'_>, at: At) -> Result<core::ops::Range<usize>, Error> {
    let start = input.position();
    skip_value(input, MAX_DEPTH).ok_or(malformed(at, "a value of known length"))?;
    Ok(start..input.position())
}

fn skip_value(input: &mut Decoder<'_>, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match input.datatype().ok()? {
        Type::Array => {
            let count = input.array().ok().flatten()?;
            (0..count).try_for_each(|_| skip_value(input, depth))
        }
        Type::Map => {
            let count = input.map().ok().flatten()?;
            (0..count).try_for_each(|_| skip_value(input, depth).and_then(|()| skip_value(input, depth)))
        }
        Type::Tag => {
            input.tag().ok()?;
            skip_value(input, depth)
        }
        _ => input.skip().ok(),
    }
}
