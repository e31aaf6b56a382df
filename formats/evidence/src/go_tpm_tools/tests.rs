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

/// A quote whose bytes all differ from their neighbours, and the message that it is taken apart into, by the offsets of Intel's layout.
fn quote() -> (Vec<u8>, Vec<u8>) {
    let mut bytes: Vec<u8> =
        (0..48 + 584 + 4 + 128 + 6 + 384 + 64 + 2 + 32 + 6 + 100).map(|at: u32| at as u8 ^ 0x5a).collect();
    bytes[48 + 584 + 4 + 128 + 6 + 384 + 64..][..2].copy_from_slice(&32_u16.to_le_bytes());
    let at = |from: usize, size: usize| bytes[from..from + size].to_vec();
    let number_at = |name: u8, from: usize, size: usize| {
        let value = at(from, size).into_iter().rev().fold(0, |all, byte| all << 8 | u64::from(byte));
        number(name, value)
    };
    let member = |name: u8, from: usize, size: usize| field(name, &at(from, size));
    let header =
        [number_at(1, 0, 2), number_at(2, 2, 2), number_at(3, 4, 4), member(5, 8, 2), member(4, 10, 2)].concat();
    let header = [header, member(6, 12, 16), member(7, 28, 20)].concat();
    let sizes = [16, 48, 48, 8, 8, 8, 48, 48, 48, 48];
    let mut body = Vec::new();
    let mut from = 48;
    for (name, size) in (1..).zip(sizes) {
        body.extend(member(name, from, size));
        from += size;
    }
    for _ in 0..4 {
        body.extend(member(11, from, 48));
        from += 48;
    }
    body.extend(member(12, from, 64));
    let signed = from + 64;
    let enclave = signed + 4 + 128 + 6;
    let report = [
        member(1, enclave, 16),
        number_at(2, enclave + 16, 4),
        member(3, enclave + 20, 28),
        member(4, enclave + 48, 16),
        member(5, enclave + 64, 32),
        member(6, enclave + 96, 32),
        member(7, enclave + 128, 32),
        member(8, enclave + 160, 96),
        number_at(9, enclave + 256, 2),
        number_at(10, enclave + 258, 2),
        member(11, enclave + 260, 60),
        member(12, enclave + 320, 64),
    ]
    .concat();
    let data = enclave + 384 + 64;
    let auth = [number_at(1, data, 2), member(2, data + 2, 32)].concat();
    let chain = [number_at(1, data + 34, 2), number_at(2, data + 36, 4), member(3, data + 40, 100)].concat();
    let quoting = [field(1, &report), member(2, enclave + 384, 64), field(3, &auth), field(4, &chain)].concat();
    let certification = [number_at(1, signed + 132, 2), number_at(2, signed + 134, 4), field(3, &quoting)].concat();
    let signature = [member(1, signed + 4, 64), member(2, signed + 68, 64), field(3, &certification)].concat();
    let message =
        [field(1, &header), field(2, &body), number_at(3, signed, 4), field(4, &signature), field(5, &[0; 9])].concat();
    (bytes, message)
}

#[test]
fn a_tds_quote_is_put_together_as_it_was_without_what_filled_its_buffer() {
    let (bytes, message) = quote();
    let outer = [attestation(), field(9, &message)].concat();
    assert_eq!(Attestation::parse(&outer).unwrap().dcap_quote, Some(bytes));
    for length in 0..message.len() {
        let _either = Attestation::parse(&[attestation(), field(9, &message[..length])].concat());
    }
    let lacking = [attestation(), field(9, &field(1, b""))].concat();
    assert!(Attestation::parse(&lacking).is_err());
}

#[test]
fn certificates_of_the_key_and_the_endorsement_are_there() {
    let inner = [attestation(), field(6, b"leaf"), field(7, b"first"), field(7, b"second")].concat();
    let outer = [field(1, &inner), field(3, b"manifest"), field(4, b"0"), field(5, b"endorsed")].concat();
    let parsed = Attestation::parse(&outer).unwrap();
    assert_eq!(parsed.ak_certificates, [b"leaf".as_slice(), b"first", b"second"]);
    assert_eq!(parsed.launch_endorsement, Some(b"endorsed".as_slice()));
}

#[test]
fn no_truncation_panics_and_groups_are_refused() {
    let whole = [field(1, &attestation()), field(2, &field(1, &report().1))].concat();
    for length in 0..whole.len() {
        let _either = Attestation::parse(&whole[..length]);
    }
    assert!(Attestation::parse(&[0x0B]).is_err() && Attestation::parse(&[0xFF; 11]).is_err());
}
