// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What go-tpm-tools' `gotpm attest` writes as binary Protocol Buffers: `attest.Attestation`, and `attest.SevSnpSvsmAttestation` with
//! the report of an SVSM around it (google/go-tpm-tools, `proto/attest.proto`; google/go-sev-guest, `proto/sevsnp.proto`;
//! google/go-tdx-guest, `proto/tdx.proto`).
//!
//! Its reports are taken apart into fields; whoever verifies one puts it together again, and its signature shows whether that was
//! right.

mod launch;
mod protobuf;
mod register;
mod report;
mod tdx;

use alloc::vec::Vec;

use crate::Error;
pub use launch::LaunchEndorsement;
use protobuf::{Fields, Value};
pub use register::{CertifiedBlob, ImportBlob};
pub use report::REPORT_SIZE;

const WHAT: &str = "attestation of go-tpm-tools";

/// An attestation, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation<'a> {
    /// The attestation key's `TPMT_PUBLIC`.
    pub ak: &'a [u8],
    /// Quotes, one for each bank.
    pub quotes: Vec<Quote<'a>>,
    /// The firmware's event log.
    pub event_log: Option<&'a [u8]>,
    /// The canonical event log of Container-Optimized OS.
    pub canonical_log: Option<&'a [u8]>,
    /// The SEV-SNP report, put together again.
    pub report: Option<[u8; REPORT_SIZE]>,
    /// The certificates beside the report, in DER.
    pub certificates: Vec<&'a [u8]>,
    /// The TD's quote, put together again.
    pub dcap_quote: Option<Vec<u8>>,
    /// The attestation key's certificate and its authorities', in DER.
    pub ak_certificates: Vec<&'a [u8]>,
    /// Google's endorsement of the firmware that was launched, an SVSM in it ([`LaunchEndorsement`]).
    pub launch_endorsement: Option<&'a [u8]>,
    /// The vTPM service's manifest and the version that the message says it has.
    pub manifest: Option<(&'a [u8], &'a str)>,
}

/// A quote of one bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    /// `TPMS_ATTEST`.
    pub message: &'a [u8],
    /// `TPMT_SIGNATURE`.
    pub signature: &'a [u8],
    /// The bank's `TPM_ALG_ID`.
    pub hash: u64,
    /// The values, rising.
    pub values: Vec<(u64, &'a [u8])>,
}

impl<'a> Attestation<'a> {
    /// Parses either message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let fields = Fields::parse(WHAT, bytes)?;
        let first = fields.bytes(1).ok_or(Error::Missing { what: WHAT })?;
        // A TPMT_PUBLIC starts with the high byte of an algorithm's number, a message with the tag of a field.
        if first.first() == Some(&0) {
            return Self::read(&fields);
        }
        let mut attestation = Self::read(&Fields::parse(WHAT, first)?)?;
        if let Some(hardware) = fields.bytes(2) {
            attestation.add_hardware(hardware)?;
        }
        let version = fields.bytes(4).map(core::str::from_utf8).transpose();
        let version = version.map_err(|_| Error::Missing { what: "version of the manifest" })?;
        attestation.launch_endorsement = fields.bytes(5).filter(|bytes| !bytes.is_empty());
        attestation.manifest = fields.bytes(3).map(|manifest| (manifest, version.unwrap_or_default()));
        Ok(attestation)
    }

    fn read(fields: &Fields<'a>) -> Result<Self, Error> {
        let mut attestation = Self {
            ak: fields.bytes(1).ok_or(Error::Missing { what: "attestation key" })?,
            quotes: fields.all(2).map(Quote::parse).collect::<Result<_, _>>()?,
            event_log: fields.bytes(3),
            canonical_log: fields.bytes(5),
            report: None,
            certificates: Vec::new(),
            dcap_quote: fields.bytes(9).map(tdx::assemble).transpose()?,
            ak_certificates: fields.bytes(6).into_iter().chain(fields.all(7)).filter(|der| !der.is_empty()).collect(),
            launch_endorsement: None,
            manifest: None,
        };
        if let Some(hardware) = fields.bytes(8) {
            attestation.add_hardware(hardware)?;
        }
        Ok(attestation)
    }

    /// `sevsnp.Attestation`.
    fn add_hardware(&mut self, hardware: &'a [u8]) -> Result<(), Error> {
        let fields = Fields::parse("sevsnp.Attestation", hardware)?;
        self.report = fields.bytes(1).map(report::assemble).transpose()?;
        if let Some(chain) = fields.bytes(2) {
            let chain = Fields::parse("sevsnp.CertificateChain", chain)?;
            let all = [1, 6, 2, 3].into_iter().filter_map(|number| chain.bytes(number));
            self.certificates = all.filter(|der| !der.is_empty()).collect();
        }
        Ok(())
    }
}

impl<'a> Quote<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "quote of go-tpm-tools";
        let fields = Fields::parse(WHAT, bytes)?;
        let registers = Fields::parse(WHAT, fields.bytes(3).unwrap_or_default())?;
        let mut values = Vec::new();
        for entry in registers.all(2) {
            // An entry of a map: a key that is zero may be left out.
            let entry = Fields::parse(WHAT, entry)?;
            values.push((entry.number(1), entry.bytes(2).unwrap_or_default()));
        }
        values.sort_unstable();
        Ok(Self {
            message: fields.bytes(1).ok_or(Error::Missing { what: WHAT })?,
            signature: fields.bytes(2).ok_or(Error::Missing { what: "signature of a quote" })?,
            hash: registers.number(1),
            values,
        })
    }
}

impl Value<'_> {
    const fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
