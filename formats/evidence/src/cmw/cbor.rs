// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Wrappers in CBOR: records are arrays, collections are maps, and tags stand before byte strings.

use alloc::string::ToString;
use alloc::vec::Vec;

use minicbor::data::{Tag, Type};
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decoder, Encoder};

use super::{Cmw, ContentType, KIND, Label, MAX_DEPTH, Members, Record, WHAT, deeper, malformed as refuse};
use crate::Error;
use crate::cbor::{finish, has_next, malformed};

/// The tags of CoAP content formats (RFC 9277, appendix B: "TN()").
const TAGS: core::ops::RangeInclusive<u64> = 1_668_546_817..=1_668_612_095;

pub(super) fn parse(bytes: &[u8]) -> Result<Cmw, Error> {
    let mut decoder = Decoder::new(bytes);
    let wrapper = read(&mut decoder, MAX_DEPTH)?;
    finish(WHAT, &decoder)?;
    Ok(wrapper)
}

fn read(decoder: &mut Decoder<'_>, depth: usize) -> Result<Cmw, Error> {
    match decoder.datatype().map_err(malformed(WHAT))? {
        Type::Array | Type::ArrayIndef => record(decoder).map(Cmw::Record),
        Type::Map | Type::MapIndef => collection(decoder, deeper(depth)?),
        Type::Tag => {
            let number = decoder.tag().map_err(malformed(WHAT))?.as_u64();
            if !TAGS.contains(&number) {
                return Err(Error::Unknown { what: "tag of a CMW", value: number });
            }
            Ok(Cmw::Tag { number, value: decoder.bytes().map_err(malformed(WHAT))?.to_vec() })
        }
        _ => Err(refuse("neither record, tag nor collection")),
    }
}

fn record(decoder: &mut Decoder<'_>) -> Result<Record, Error> {
    let mut left = decoder.array().map_err(malformed(WHAT))?;
    let mut next = |decoder: &mut Decoder<'_>| has_next(WHAT, decoder, &mut left);
    let missing = Error::Missing { what: "type or value of a CMW record" };
    if !next(decoder)? {
        return Err(missing);
    }
    let content = match decoder.datatype().map_err(malformed(WHAT))? {
        Type::String => ContentType::Media(decoder.str().map_err(malformed(WHAT))?.to_string()),
        _ => ContentType::Coap(decoder.u16().map_err(malformed(WHAT))?),
    };
    if !next(decoder)? {
        return Err(missing);
    }
    let value = decoder.bytes().map_err(malformed(WHAT))?.to_vec();
    let has_indicator = next(decoder)?;
    let indicator = has_indicator.then(|| decoder.u32().map_err(malformed(WHAT))).transpose()?;
    if has_indicator && next(decoder)? {
        return Err(refuse("a record of more than three members"));
    }
    Record::new(content, value, indicator)
}

fn collection(decoder: &mut Decoder<'_>, depth: usize) -> Result<Cmw, Error> {
    let mut members = Members::default();
    let mut left = decoder.map().map_err(malformed(WHAT))?;
    while has_next(WHAT, decoder, &mut left)? {
        let label = match decoder.datatype().map_err(malformed(WHAT))? {
            Type::String => Label::Text(decoder.str().map_err(malformed(WHAT))?.to_string()),
            _ => Label::Number(decoder.i64().map_err(malformed(WHAT))?),
        };
        if matches!(&label, Label::Text(text) if text == KIND) {
            members.set_kind(decoder.str().map_err(malformed(KIND))?.to_string())?;
            continue;
        }
        members.check(&label)?;
        let member = read(decoder, depth)?;
        members.members.push((label, member));
    }
    members.finish()
}

/// Writes a wrapper; the type of a collection stands before its members.
pub(super) fn encode<W: Write>(wrapper: &Cmw, out: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
    match wrapper {
        Cmw::Record(Record { content, value, indicator }) => {
            out.array(if indicator.is_some() { 3 } else { 2 })?;
            match content {
                ContentType::Media(text) => out.str(text)?,
                ContentType::Coap(number) => out.u16(*number)?,
            };
            out.bytes(value)?;
            if let Some(bits) = indicator {
                out.u32(*bits)?;
            }
        }
        Cmw::Tag { number, value } => {
            out.tag(Tag::new(*number))?.bytes(value)?;
        }
        Cmw::Collection(collection) => {
            let kind: Vec<_> = collection.kind.iter().collect();
            out.map(kind.len().saturating_add(collection.members.len()) as u64)?;
            for kind in kind {
                out.str(KIND)?.str(kind)?;
            }
            for (label, member) in &collection.members {
                match label {
                    Label::Text(text) => out.str(text)?,
                    Label::Number(number) => out.i64(*number)?,
                };
                encode(member, out)?;
            }
        }
    }
    Ok(())
}
