// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation reports of NVIDIA GPUs and switches, up to NVIDIA's pinned device root.
//!
//! Whether a measurement is a good one is for reference values to say, and whether a certificate is on hold for NVIDIA's
//! OCSP service, which cannot be asked offline: revocation stays unchecked.

use evtpm_crypto::{EccCurve, HashAlg};
use evtpm_evidence::spdm::Report;
use evtpm_roots::NVIDIA_DEVICE;

use crate::rim::Comparison;
use crate::x509::{Certificate, PublicKey, Revocation};
use crate::{Error, UnixTime, Vendor, Verified, vendor};

/// NVIDIA's opaque data: the version of the driver.
const DRIVER_VERSION: u16 = 3;
/// NVIDIA's opaque data: the version of the VBIOS.
const VBIOS_VERSION: u16 = 6;

/// What a verified report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceClaims {
    /// The device's firmware, as its certificate names it.
    pub device: String,
    /// The serial number of the device's certificate.
    pub serial: Vec<u8>,
    /// The verifier's nonce.
    pub nonce: [u8; 32],
    /// The measurements by their indices.
    pub measurements: Vec<(u8, Vec<u8>)>,
    /// The version of the driver, where the device reports one.
    pub driver_version: Option<String>,
    /// The version of the VBIOS, where the device reports one.
    pub vbios_version: Option<Vec<u8>>,
    /// What is known about revocation of the chain.
    pub revocation: Revocation,
    /// How the measurements compare with NVIDIA's manifests, where some were given ([`compare`](crate::rim::compare)).
    pub comparison: Option<Comparison>,
}

impl DeviceClaims {
    /// Returns the version of the VBIOS as NVIDIA shows it, `96.00.A5.00.01`.
    pub fn vbios(&self) -> Option<String> {
        self.vbios_version.as_deref().map(vbios_text)
    }

    /// Names the parts that no manifest was compared with, each with its version where the device reports one.
    pub fn without_manifest(&self) -> Vec<(&'static str, Option<String>)> {
        let (driver, vbios) = self.comparison.as_ref().map_or((false, false), |found| (found.driver, found.vbios));
        let driver = self.driver_version.clone().filter(|_| !driver).map(|version| ("driver", Some(version)));
        driver.into_iter().chain((!vbios).then(|| ("VBIOS", self.vbios()))).collect()
    }
}

/// A switch reports the text; a GPU a number of four bytes, little-endian, and one byte more.
fn vbios_text(bytes: &[u8]) -> String {
    let digits = |byte: &u8| format!("{byte:02X}");
    match (core::str::from_utf8(bytes), bytes) {
        (Ok(text), _) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_ascii_uppercase(),
        (_, [a, b, c, d, e, 0, 0, 0]) => [d, c, b, a, e].map(digits).join("."),
        (_, other) => other.iter().map(digits).collect::<Vec<_>>().join("."),
    }
}

/// Verifies a report with the device's chain, its own certificate first, as of the moment `at`.
pub fn verify(
    report: &Report<'_>,
    chain: &[Certificate],
    at: UnixTime,
) -> Result<Verified<DeviceClaims, Vendor>, Error> {
    let leaf = chain
        .first()
        .ok_or_else(|| Error::MissingIssuer { of: "SPDM report".to_owned(), issuer: "a device".to_owned() })?;
    check_chain(chain, at)?;
    check_signature(report, leaf)?;

    let text = |kind| report.opaque(kind).map(|bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned());
    let claims = DeviceClaims {
        device: leaf.common_name().to_owned(),
        serial: leaf.serial().to_vec(),
        nonce: *report.nonce,
        measurements: report.measurements.iter().map(|block| (block.index, block.value.to_vec())).collect(),
        driver_version: text(DRIVER_VERSION),
        vbios_version: report.opaque(VBIOS_VERSION).map(<[u8]>::to_vec),
        revocation: Revocation::Unchecked,
        comparison: None,
    };
    Ok(Verified::new(claims, Vendor::Nvidia))
}

/// Verifies a device's chain up to NVIDIA's root; the first certificate is the device's.
pub fn check_chain(chain: &[Certificate], at: UnixTime) -> Result<(), Error> {
    let missing = || Error::MissingIssuer { of: "device chain".to_owned(), issuer: NVIDIA_DEVICE.name.to_owned() };
    let (leaf, pool) = chain.split_first().ok_or_else(missing)?;
    let root = vendor::root(&NVIDIA_DEVICE)?;
    vendor::path(leaf, pool, &root, at).map(|_| ())
}

/// Checks that the device's key signed the request and the answer: ECDSA P-384 with SHA-384, r ‖ s.
pub fn check_signature(report: &Report<'_>, leaf: &Certificate) -> Result<(), Error> {
    let key = leaf.public_key()?;
    let (r, s) = report.signature.split_at(48);
    let is_p384 = matches!(&key, PublicKey::Ecc(point) if point.curve() == EccCurve::P384);
    if is_p384 && key.verifies_raw(HashAlg::Sha384, report.signed, r, s) {
        return Ok(());
    }
    Err(Error::BadSignature { of: "SPDM report".to_owned(), by: leaf.common_name().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_gpus_and_switches_read_alike() {
        assert_eq!(vbios_text(&[0x00, 0xa5, 0x00, 0x96, 0x01, 0, 0, 0]), "96.00.A5.00.01");
        assert_eq!(vbios_text(b"96.10.55.00.01"), "96.10.55.00.01");
        assert_eq!(vbios_text(&[0xff, 1]), "FF.01");
    }
}
