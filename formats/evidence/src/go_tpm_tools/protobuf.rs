// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wire format of Protocol Buffers, one message deep: fields by their numbers; groups are refused.

use alloc::vec::Vec;

use crate::Error;
use crate::bytes::Cursor;

/// The most fields of one message.
const MAX_FIELDS: usize = 4096;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number, of whatever width.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(Vec<(u64, Value<'a>)>);

impl<'a> Fields<'a> {
    pub(super) fn parse(what: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let mut fields = Vec::new();
        while !cursor.rest().is_empty() {
            let tag = varint(what, &mut cursor)?;
            let value = match tag & 7 {
                0 => Value::Number(varint(what, &mut cursor)?),
                1 => Value::Number(u64::from_le_bytes(*cursor.array(what)?)),
                2 => {
                    let length = varint(what, &mut cursor)?;
                    Value::Bytes(cursor.take(what, usize::try_from(length).unwrap_or(usize::MAX))?)
                }
                5 => Value::Number(u64::from(cursor.u32(what)?)),
                kind => return Err(Error::Unknown { what, value: kind }),
            };
            if fields.len() >= MAX_FIELDS {
                return Err(Error::Length { what, expected: MAX_FIELDS, actual: fields.len() });
            }
            fields.push((tag >> 3, value));
        }
        Ok(Self(fields))
    }

    /// The values of a field, in order.
    fn values(&self, number: u64) -> impl DoubleEndedIterator<Item = Value<'a>> {
        self.0.iter().filter(move |(other, _)| *other == number).map(|(_, value)| *value)
    }

    /// Returns the number in a field; zero, its default, where it is not there. Of several, the last counts.
    pub(super) fn number(&self, number: u64) -> u64 {
        self.values(number).next_back().and_then(Value::number).unwrap_or(0)
    }

    /// Returns the bytes in a field. Of several, the last count.
    pub(super) fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        self.all(number).next_back()
    }

    /// Returns the bytes in every field of a number.
    pub(super) fn all(&self, number: u64) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.values(number).filter_map(|value| match value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Number(_) => None,
        })
    }
}

/// Reads a number of seven bits a byte, the least first.
fn varint(what: &'static str, cursor: &mut Cursor<'_>) -> Result<u64, Error> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = cursor.u8(what)?;
        let bits = u64::from(byte & 0x7F);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::Unknown { what: "number of a message", value: number })
}
