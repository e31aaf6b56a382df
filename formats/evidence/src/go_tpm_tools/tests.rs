// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages that we make.

use alloc::vec;

use super::*;

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (low, high) = (bytes.len() as u8 & 0x7F | 0x80, (bytes.len() >> 7) as u8);
    assert!(high < 0x80);
    let tag = u16::from(number) << 3 | 2;
    [vec![tag as u8 & 0x7F | 0x80, (tag >> 7) as u8, low, high], bytes.to_vec()].concat()
}

fn number(field: u8, value: u64) -> Vec<u8> {
    let tag = u16::from(field) << 3 | 1;
    [vec![tag as u8 & 0x7F | 0x80, (tag >> 7) as u8], value.to_le_bytes().to_vec()].concat()
}

/// A report whose bytes all differ from zero where the message has a field for them.
fn report() -> ([u8; REPORT_SIZE], Vec<u8>) {
    let mut bytes: [u8; REPORT_SIZE] = core::array::from_fn(|at| at as u8 | 1);
    bytes[..4].copy_from_slice(&[3, 0, 0, 0]);
    for reserved in [0x4C..0x50, 0x18B..0x1A0, 0x1EB..0x1EC, 0x1EF..0x1F0, 0x208..0x2A0] {
        bytes[reserved].fill(0);
    }
    // Family 19h, model 11h, stepping 1.
    bytes[0x188..0x18B].copy_from_slice(&[0x19, 0x11, 0x01]);
    let read = |offset: usize, size: usize| {
        let mut value = [0; 8];
        value[..size].copy_from_slice(&bytes[offset..offset + size]);
        u64::from_le_bytes(value)
    };
    let numbers = [
        (1, 0, 4),
        (2, 4, 4),
        (3, 8, 8),
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
    let texts = [
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
    let mut message: Vec<u8> = numbers.iter().flat_map(|(field, at, size)| number(*field, read(*at, *size))).collect();
    message.extend(texts.iter().flat_map(|(number, at, size)| field(*number, &bytes[*at..*at + *size])));
    message.extend(number(29, 0x00A1_0F11));
    (bytes, message)
}

fn attestation() -> Vec<u8> {
    let values = [field(2, &[number(1, 7), field(2, &[0xBB; 32])].concat()), field(2, &field(2, &[0xAA; 32]))];
    let registers = [number(1, 0x0B), values.concat()].concat();
    let quote = [field(1, b"attest"), field(2, b"signature"), field(3, &registers)].concat();
    [field(1, &[0, 0x23, 0, 0x0B]), field(2, &quote), field(3, b"log")].concat()
}

#[test]
fn a_quote_has_its_values_in_order() {
    let bytes = attestation();
    let parsed = Attestation::parse(&bytes).unwrap();
    let [quote] = parsed.quotes.as_slice() else { panic!("{parsed:?}") };
    assert_eq!((quote.hash, quote.message), (0x0B, b"attest".as_slice()));
    assert_eq!(quote.values, [(0, [0xAA; 32].as_slice()), (7, &[0xBB; 32])]);
    assert_eq!((parsed.event_log, parsed.report), (Some(b"log".as_slice()), None));
}

#[test]
fn a_report_is_put_together_as_it_was() {
    let (bytes, message) = report();
    let chain = [field(1, b"vcek"), field(3, b"ark")].concat();
    let hardware = [field(1, &message), field(2, &chain)].concat();
    let outer = [field(1, &attestation()), field(2, &hardware), field(3, b"manifest"), field(4, b"0")].concat();
    let parsed = Attestation::parse(&outer).unwrap();
    assert_eq!(parsed.report, Some(bytes));
    assert_eq!(parsed.certificates, [b"vcek".as_slice(), b"ark"]);
    assert_eq!(parsed.manifest, Some((b"manifest".as_slice(), "0")));
}

#[test]
fn a_number_that_does_not_fit_and_bytes_of_another_length_are_refused() {
    let (_, message) = report();
    let hardware = |more: Vec<u8>| field(1, &[message.clone(), more].concat());
    for more in [number(21, 256), number(2, 1 << 32), field(12, &[0; 47])] {
        let outer = [field(1, &attestation()), field(2, &hardware(more))].concat();
        assert!(Attestation::parse(&outer).is_err());
    }
}

#[test]
fn no_truncation_panics_and_groups_are_refused() {
    let whole = [field(1, &attestation()), field(2, &field(1, &report().1))].concat();
    for length in 0..whole.len() {
        let _either = Attestation::parse(&whole[..length]);
    }
    assert!(Attestation::parse(&[0x0B]).is_err() && Attestation::parse(&[0xFF; 11]).is_err());
}
