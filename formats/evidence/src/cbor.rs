// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CBOR maps of claims (RFC 8949) as the tokens of this crate use them: every key at most once, nothing behind the end.

use alloc::string::ToString;
use alloc::vec::Vec;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::Error;

/// The most entries of one map or array.
const MAX_ENTRIES: usize = 256;

/// Turns a decoder's error into ours.
pub(crate) fn malformed(what: &'static str) -> impl Fn(minicbor::decode::Error) -> Error {
    move |error| Error::Malformed { what, detail: error.to_string() }
}

/// A key of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A number, positive or negative.
    Number(i64),
    /// A text.
    Text(&'a str),
}

/// A map whose values are kept as they were encoded.
#[derive(Clone, Debug, Default)]
pub struct Map<'a> {
    what: &'static str,
    entries: Vec<(Key<'a>, &'a [u8])>,
}

impl<'a> Map<'a> {
    /// Decodes a map that fills all of `bytes`.
    pub fn parse(what: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let map = Self::read(what, &mut decoder)?;
        finish(what, &decoder)?;
        Ok(map)
    }

    /// Decodes the map that comes next.
    pub(crate) fn read(what: &'static str, decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        let mut entries: Vec<(Key<'a>, &'a [u8])> = Vec::new();
        let mut left = decoder.map().map_err(malformed(what))?;
        while has_next(what, decoder, &mut left)? {
            if entries.len() >= MAX_ENTRIES {
                return Err(Error::Malformed { what, detail: "more than 256 entries".to_string() });
            }
            let key = match decoder.datatype().map_err(malformed(what))? {
                Type::String => Key::Text(decoder.str().map_err(malformed(what))?),
                _ => Key::Number(decoder.i64().map_err(malformed(what))?),
            };
            // RFC 8949, 5.6: "a map that has duplicate keys … is not valid".
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(Error::Twice { what });
            }
            entries.push((key, value(what, decoder)?));
        }
        Ok(Self { what, entries })
    }

    /// Returns the keys in order.
    pub fn keys(&self) -> impl Iterator<Item = Key<'a>> {
        self.entries.iter().map(|(key, _)| *key)
    }

    /// Returns the encoding of a value.
    #[must_use]
    pub fn raw(&self, key: Key<'_>) -> Option<&'a [u8]> {
        self.entries.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    /// Returns a byte string; `None` if it is missing or null.
    pub fn bytes(&self, key: Key<'_>) -> Result<Option<&'a [u8]>, Error> {
        self.get(key, |decoder| decoder.bytes())
    }

    /// Returns a text; `None` if it is missing or null.
    pub fn text(&self, key: Key<'_>) -> Result<Option<&'a str>, Error> {
        self.get(key, |decoder| decoder.str())
    }

    /// Returns a number; `None` if it is missing or null.
    pub fn number(&self, key: Key<'_>) -> Result<Option<i64>, Error> {
        self.get(key, |decoder| decoder.i64())
    }

    /// Returns the encodings of an array's members; `None` if it is missing or null.
    pub fn array(&self, key: Key<'_>) -> Result<Option<Vec<&'a [u8]>>, Error> {
        match self.raw(key) {
            None => Ok(None),
            Some(raw) => array(self.what, raw).map(Some),
        }
    }

    /// Returns a value that has to be there.
    pub fn required<T>(&self, field: &'static str, value: Result<Option<T>, Error>) -> Result<T, Error> {
        value?.ok_or(Error::Missing { what: field })
    }

    fn get<T>(
        &self,
        key: Key<'_>,
        decode: impl Fn(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<Option<T>, Error> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let mut decoder = Decoder::new(raw);
        if matches!(decoder.datatype().map_err(malformed(self.what))?, Type::Null | Type::Undefined) {
            return Ok(None);
        }
        decode(&mut decoder).map(Some).map_err(malformed(self.what))
    }
}

/// Returns the encodings of the members of an array that fills all of `bytes`.
pub fn array<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, Error> {
    let mut decoder = Decoder::new(bytes);
    let mut left = decoder.array().map_err(malformed(what))?;
    let mut members = Vec::new();
    while has_next(what, &mut decoder, &mut left)? {
        if members.len() >= MAX_ENTRIES {
            return Err(Error::Malformed { what, detail: "more than 256 members".to_string() });
        }
        members.push(value(what, &mut decoder)?);
    }
    finish(what, &decoder)?;
    Ok(members)
}

/// Tells whether a map or an array goes on: `left` is how many members are still to come, or nothing where a break ends it.
pub(crate) fn has_next(what: &'static str, decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Error> {
    match left {
        Some(0) => return Ok(false),
        Some(count) => *count = count.saturating_sub(1),
        None if decoder.datatype().map_err(malformed(what))? == Type::Break => {
            decoder.skip().map_err(malformed(what))?;
            return Ok(false);
        }
        None => {}
    }
    Ok(true)
}

/// Decodes a byte string that fills all of `bytes`.
pub fn byte_string<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.bytes().map_err(malformed(what))?;
    finish(what, &decoder)?;
    Ok(value)
}

/// Takes the encoding of the value that comes next.
pub(crate) fn value<'a>(what: &'static str, decoder: &mut Decoder<'a>) -> Result<&'a [u8], Error> {
    let start = decoder.position();
    decoder.skip().map_err(malformed(what))?;
    decoder.input().get(start..decoder.position()).ok_or(Error::Missing { what })
}

/// Refuses bytes behind what was decoded.
pub(crate) fn finish(what: &'static str, decoder: &Decoder<'_>) -> Result<(), Error> {
    let count = decoder.input().len().saturating_sub(decoder.position());
    if count == 0 { Ok(()) } else { Err(Error::Trailing { what, count }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_indefinite_length_is_read_like_any_other() {
        for encoded in
            [[0xA2, 0x01, 0x41, 0x07, 0x61, b'a', 0x02].as_slice(), &[0xBF, 0x01, 0x41, 0x07, 0x61, b'a', 0x02, 0xFF]]
        {
            let map = Map::parse("map", encoded).unwrap();
            assert_eq!(map.bytes(Key::Number(1)), Ok(Some([7].as_slice())));
            assert_eq!(map.number(Key::Text("a")), Ok(Some(2)));
            assert_eq!(map.text(Key::Number(2)), Ok(None));
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused() {
        assert_eq!(Map::parse("map", &[0xA2, 0x01, 0x02, 0x01, 0x03]).unwrap_err(), Error::Twice { what: "map" });
    }

    #[test]
    fn a_byte_behind_the_map_is_refused() {
        assert_eq!(Map::parse("map", &[0xA0, 0]).unwrap_err(), Error::Trailing { what: "map", count: 1 });
    }

    #[test]
    fn a_huge_count_needs_no_memory() {
        assert!(Map::parse("map", &[0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).is_err());
        assert!(array("array", &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).is_err());
    }

    #[test]
    fn null_is_no_value() {
        let map = Map::parse("map", &[0xA1, 0x01, 0xF6]).unwrap();
        assert_eq!(map.bytes(Key::Number(1)), Ok(None));
    }
}
