// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation report of an NVIDIA device: an SPDM 1.1 GET_MEASUREMENTS request and its signed answer (DMTF DSP0274,
//! "GET_MEASUREMENTS request and MEASUREMENTS response messages").

use alloc::vec::Vec;

use crate::Error;
use crate::bytes::Cursor;

const VERSION: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xE0;
const MEASUREMENTS: u8 = 0x60;
/// Request attribute: the answer has to be signed.
const SIGNATURE_REQUESTED: u8 = 1;
/// Measurement operation: all of them.
const ALL_MEASUREMENTS: u8 = 0xFF;
/// `MeasurementSpecification` of the DMTF.
const DMTF: u8 = 1;

/// A report, not verified.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The verifier's nonce.
    pub nonce: &'a [u8; 32],
    /// The certificate slot that was asked for.
    pub slot: u8,
    /// The measurements in the device's order.
    pub measurements: Vec<Measurement<'a>>,
    /// The device's own nonce.
    pub responder_nonce: &'a [u8; 32],
    /// NVIDIA's own data, as types with values.
    pub opaque: Vec<(u16, &'a [u8])>,
    /// Everything before the signature.
    pub signed: &'a [u8],
    /// r ‖ s of P-384.
    pub signature: &'a [u8; 96],
}

/// One measurement block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement<'a> {
    /// The index, from 1.
    pub index: u8,
    /// `DMTFSpecMeasurementValueType`; the top bit is set for raw data instead of a digest.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Report<'a> {
    /// Parses a report that fills all of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (report, rest) = Self::parse_prefix(bytes)?;
        if rest.is_empty() { Ok(report) } else { Err(Error::Trailing { what: "SPDM report", count: rest.len() }) }
    }

    /// Parses a report and returns what follows it: where it ends, its own lengths say.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let mut cursor = Cursor::new(bytes);
        let expect = |what, actual: u8, expected: u8| {
            if actual == expected { Ok(()) } else { Err(Error::Unknown { what, value: u64::from(actual) }) }
        };
        expect("SPDM version", cursor.u8("request")?, VERSION)?;
        expect("request code", cursor.u8("request")?, GET_MEASUREMENTS)?;
        expect("request attributes", cursor.u8("request")?, SIGNATURE_REQUESTED)?;
        expect("measurement operation", cursor.u8("request")?, ALL_MEASUREMENTS)?;
        let nonce = cursor.array("nonce")?;
        let slot = cursor.u8("slot")?;

        expect("SPDM version", cursor.u8("response")?, VERSION)?;
        expect("response code", cursor.u8("response")?, MEASUREMENTS)?;
        let _total_and_slot = cursor.array::<2>("response")?;
        let blocks = cursor.u8("number of blocks")?;
        let [low, middle, high] = cursor.array::<3>("record length")?;
        let length = u32::from_le_bytes([*low, *middle, *high, 0]);
        let record = cursor.take("measurement record", usize::try_from(length).unwrap_or(usize::MAX))?;
        let measurements = measurements(record, blocks)?;
        let responder_nonce = cursor.array("responder's nonce")?;
        let opaque = opaque(cursor.prefixed_u16("opaque data")?)?;
        let signed = bytes.get(..bytes.len().saturating_sub(cursor.rest().len())).unwrap_or(bytes);
        let signature = cursor.array("signature")?;
        let report = Self { nonce, slot, measurements, responder_nonce, opaque, signed, signature };
        Ok((report, cursor.rest()))
    }

    /// Returns NVIDIA's value of one type.
    #[must_use]
    pub fn opaque(&self, kind: u16) -> Option<&'a [u8]> {
        self.opaque.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value)
    }
}

fn measurements(record: &[u8], blocks: u8) -> Result<Vec<Measurement<'_>>, Error> {
    let mut cursor = Cursor::new(record);
    let mut measurements: Vec<Measurement<'_>> = Vec::new();
    for _ in 0..blocks {
        let index = cursor.u8("measurement index")?;
        let specification = cursor.u8("measurement specification")?;
        if specification != DMTF {
            return Err(Error::Unknown { what: "measurement specification", value: u64::from(specification) });
        }
        if measurements.iter().any(|known| known.index == index) {
            return Err(Error::Twice { what: "measurement index" });
        }
        let mut block = Cursor::new(cursor.prefixed_u16("measurement")?);
        let kind = block.u8("measurement type")?;
        let value = block.prefixed_u16("measurement value")?;
        block.finish("measurement")?;
        measurements.push(Measurement { index, kind, value });
    }
    cursor.finish("measurement record")?;
    Ok(measurements)
}

fn opaque(bytes: &[u8]) -> Result<Vec<(u16, &[u8])>, Error> {
    let mut cursor = Cursor::new(bytes);
    let mut fields = Vec::new();
    while !cursor.rest().is_empty() {
        let kind = cursor.u16("opaque field")?;
        fields.push((kind, cursor.prefixed_u16("opaque field")?));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(opaque: &[u8]) -> Vec<u8> {
        let block = [[1, 1, 51, 0, 0, 48, 0].as_slice(), &[9; 48]].concat();
        let length = u8::try_from(block.len()).unwrap();
        let opaque_length = u16::try_from(opaque.len()).unwrap().to_le_bytes();
        [
            [0x11, 0xE0, 1, 0xFF].as_slice(),
            &[2; 32],
            &[0],
            &[0x11, 0x60, 0, 0, 1, length, 0, 0],
            &block,
            &[3; 32],
            &opaque_length,
            opaque,
            &[4; 96],
        ]
        .concat()
    }

    #[test]
    fn a_report_ends_where_its_lengths_say() {
        let bytes = [report(&[3, 0, 2, 0, b'5', b'0']), alloc::vec![0]].concat();
        let (parsed, rest) = Report::parse_prefix(&bytes).unwrap();
        assert_eq!(rest, [0]);
        assert_eq!(parsed.measurements, [Measurement { index: 1, kind: 0, value: &[9; 48] }]);
        assert_eq!(parsed.opaque(3), Some(b"50".as_slice()));
        assert_eq!(parsed.signed.len() + 96 + 1, bytes.len());
        assert!(matches!(Report::parse(&bytes), Err(Error::Trailing { count: 1, .. })));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = report(&[3, 0, 2, 0, b'5', b'0']);
        for length in 0..bytes.len() {
            assert!(Report::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn an_opaque_field_that_ends_early_is_refused() {
        assert!(matches!(Report::parse(&report(&[3, 0, 9, 0, 1])), Err(Error::Truncated { .. })));
    }
}
