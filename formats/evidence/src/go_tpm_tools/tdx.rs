// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tdx.QuoteV4` back in Intel's layout (google/go-tdx-guest, `proto/tdx.proto`; *Intel TDX DCAP Quoting Library API*, "Version 4 Quote
//! Format"). What filled the quote's buffer behind its end is left out.

use alloc::vec::Vec;

use super::protobuf::Fields;
use crate::Error;

const WHAT: &str = "tdx.QuoteV4";

/// A member of a structure: a number of so many bytes, or so many bytes themselves, by the number of its field.
enum Member {
    Number(u64, usize),
    Bytes(u64, usize),
}
use Member::{Bytes, Number};

const HEADER: [Member; 7] =
    [Number(1, 2), Number(2, 2), Number(3, 4), Bytes(5, 2), Bytes(4, 2), Bytes(6, 16), Bytes(7, 20)];
const BODY: [Member; 10] = [
    Bytes(1, 16),
    Bytes(2, 48),
    Bytes(3, 48),
    Bytes(4, 8),
    Bytes(5, 8),
    Bytes(6, 8),
    Bytes(7, 48),
    Bytes(8, 48),
    Bytes(9, 48),
    Bytes(10, 48),
];
const QE_REPORT: [Member; 12] = [
    Bytes(1, 16),
    Number(2, 4),
    Bytes(3, 28),
    Bytes(4, 16),
    Bytes(5, 32),
    Bytes(6, 32),
    Bytes(7, 32),
    Bytes(8, 96),
    Number(9, 2),
    Number(10, 2),
    Bytes(11, 60),
    Bytes(12, 64),
];

pub(super) fn assemble(message: &[u8]) -> Result<Vec<u8>, Error> {
    let quote = Fields::parse(WHAT, message)?;
    let mut out = Vec::new();
    append(&mut out, &inner(&quote, 1)?, &HEADER)?;
    let body = inner(&quote, 2)?;
    append(&mut out, &body, &BODY)?;
    let registers: Vec<&[u8]> = body.all(11).collect();
    if registers.len() != 4 {
        return Err(Error::Length { what: WHAT, expected: 4, actual: registers.len() });
    }
    registers.iter().try_for_each(|register| exactly(&mut out, register, 48))?;
    append(&mut out, &body, &[Bytes(12, 64)])?;
    append(&mut out, &quote, &[Number(3, 4)])?;
    let signed = inner(&quote, 4)?;
    append(&mut out, &signed, &[Bytes(1, 64), Bytes(2, 64)])?;
    let certification = inner(&signed, 3)?;
    append(&mut out, &certification, &[Number(1, 2), Number(2, 4)])?;
    let quoting = inner(&certification, 3)?;
    append(&mut out, &inner(&quoting, 1)?, &QE_REPORT)?;
    append(&mut out, &quoting, &[Bytes(2, 64)])?;
    let data = inner(&quoting, 3)?;
    append(&mut out, &data, &[Number(1, 2)])?;
    out.extend_from_slice(data.bytes(2).unwrap_or_default());
    let chain = inner(&quoting, 4)?;
    append(&mut out, &chain, &[Number(1, 2), Number(2, 4)])?;
    out.extend_from_slice(chain.bytes(3).unwrap_or_default());
    Ok(out)
}

fn inner<'a>(fields: &Fields<'a>, number: u64) -> Result<Fields<'a>, Error> {
    Fields::parse(WHAT, fields.bytes(number).ok_or(Error::Missing { what: WHAT })?)
}

fn append(out: &mut Vec<u8>, fields: &Fields<'_>, members: &[Member]) -> Result<(), Error> {
    for member in members {
        match *member {
            Bytes(number, size) => exactly(out, fields.bytes(number).unwrap_or_default(), size)?,
            Number(number, size) => {
                let value = fields.number(number);
                let bytes = value.to_le_bytes();
                let (low, high) = bytes.split_at_checked(size).unwrap_or((&bytes, &[]));
                if high.iter().any(|byte| *byte != 0) {
                    return Err(Error::Unknown { what: WHAT, value });
                }
                out.extend_from_slice(low);
            }
        }
    }
    Ok(())
}

fn exactly(out: &mut Vec<u8>, bytes: &[u8], size: usize) -> Result<(), Error> {
    if bytes.len() != size {
        return Err(Error::Length { what: WHAT, expected: size, actual: bytes.len() });
    }
    out.extend_from_slice(bytes);
    Ok(())
}
