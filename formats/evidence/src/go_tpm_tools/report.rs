// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `sevsnp.Report` back in the layout of AMD 56860, "ATTESTATION_REPORT"; what the message has no field for is zero.

use super::protobuf::Fields;
use crate::Error;

/// The size of a report.
pub const REPORT_SIZE: usize = 1184;

/// Numbers: the field, its offset and its size in bytes.
const NUMBERS: [(u64, usize, usize); 19] = [
    (1, 0x00, 4),
    (2, 0x04, 4),
    (3, 0x08, 8),
    (6, 0x30, 4),
    (7, 0x34, 4),
    (8, 0x38, 8),
    (9, 0x40, 8),
    (10, 0x48, 4),
    (18, 0x180, 8),
    (20, 0x1E0, 8),
    (21, 0x1E8, 1),
    (22, 0x1E9, 1),
    (23, 0x1EA, 1),
    (24, 0x1EC, 1),
    (25, 0x1ED, 1),
    (26, 0x1EE, 1),
    (27, 0x1F0, 8),
    (30, 0x1F8, 8),
    (31, 0x200, 8),
];

/// Bytes: the field, its offset and its size.
const BYTES: [(u64, usize, usize); 11] = [
    (4, 0x10, 16),
    (5, 0x20, 16),
    (11, 0x50, 64),
    (12, 0x90, 48),
    (13, 0xC0, 32),
    (14, 0xE0, 48),
    (15, 0x110, 48),
    (16, 0x140, 32),
    (17, 0x160, 32),
    (19, 0x1A0, 64),
    (28, 0x2A0, 512),
];

/// CPUID leaf 1's signature of the processor, which reports have since version 3.
const CPUID: u64 = 29;

pub(super) fn assemble(message: &[u8]) -> Result<[u8; REPORT_SIZE], Error> {
    const WHAT: &str = "sevsnp.Report";
    let fields = Fields::parse(WHAT, message)?;
    let mut report = [0; REPORT_SIZE];
    let mut put = |offset: usize, bytes: &[u8]| {
        if let Some(place) = report.get_mut(offset..).and_then(|rest| rest.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
        }
    };
    for (field, offset, size) in NUMBERS {
        let value = fields.number(field);
        let bytes = value.to_le_bytes();
        let (low, high) = bytes.split_at_checked(size).unwrap_or((&bytes, &[]));
        if high.iter().any(|byte| *byte != 0) {
            return Err(Error::Unknown { what: WHAT, value });
        }
        put(offset, low);
    }
    for (field, offset, size) in BYTES {
        let bytes = fields.bytes(field).unwrap_or_default();
        if bytes.len() != size {
            return Err(Error::Length { what: WHAT, expected: size, actual: bytes.len() });
        }
        put(offset, bytes);
    }
    if fields.number(1) >= 3 {
        put(0x188, &family_model_stepping(fields.number(CPUID)));
    }
    Ok(report)
}

/// AMD's *CPUID Specification*, "Fn0000_0001_EAX": the extended parts are added to family 15, and stand before the model.
const fn family_model_stepping(signature: u64) -> [u8; 3] {
    let [low, middle, high, extended, ..] = signature.to_le_bytes();
    let family = (middle & 0x0F).saturating_add((high >> 4) | (extended << 4));
    [family, (high & 0x0F) << 4 | low >> 4, low & 0x0F]
}
