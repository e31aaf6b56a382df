// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of Hygon CSV guests: signed by the platform's key, which the chip's key certified, below Hygon's signing key and the
//! pinned root.
//!
//! What a report of version 1 says stands under a mask that nobody signed, so that the whole is believed only where the report data
//! are what the caller expects: any other mask would have changed them. Hygon publishes no list of revoked keys.

use evtpm_evidence::csv::{AuthorityCertificate, KeyUsage, PlatformCertificate, Report, Signature, SigningKey};
pub use evtpm_evidence::csv::{GuestPolicy, Version};
use evtpm_roots::HYGON;

use crate::error::Hex;
use crate::{Claim, Error, Vendor, Verified, sm};

/// What a verified report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvClaims {
    /// The layout of the report.
    pub version: Version,
    /// The digest of the key that the guest's owner had launched it with.
    pub owner_key_digest: [u8; 32],
    /// The guest's identifier, which its owner chose.
    pub vm_id: [u8; 16],
    /// The guest's version, which its owner chose.
    pub vm_version: [u8; 16],
    /// What the requester had put in.
    pub report_data: [u8; 64],
    /// The launch digest.
    pub measurement: [u8; 32],
    /// The guest's policy.
    pub policy: GuestPolicy,
    /// The runtime registers, of CSV3.
    pub registers: Option<[[u8; 32]; 5]>,
}

/// The certificates between the root and a report.
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    /// Hygon's signing key.
    pub signing: AuthorityCertificate<'a>,
    /// The chip's key.
    pub chip: PlatformCertificate<'a>,
    /// The platform's key.
    pub platform: PlatformCertificate<'a>,
}

/// Verifies a report that has to carry `report_data`.
pub fn verify(
    report: &Report<'_>,
    chain: &Chain<'_>,
    report_data: &[u8; 64],
) -> Result<Verified<CsvClaims, Vendor>, Error> {
    let root = SigningKey { usage: KeyUsage::Root, x: HYGON.x, y: HYGON.y, user_id: HYGON.name };
    verify_below(&root, &HYGON.key_id, report, chain, report_data)
}

fn verify_below(
    root: &SigningKey<'_>,
    root_id: &[u8; 16],
    report: &Report<'_>,
    chain: &Chain<'_>,
    report_data: &[u8; 64],
) -> Result<Verified<CsvClaims, Vendor>, Error> {
    check_chain(root, root_id, chain)?;
    check_signature(report, &chain.platform)?;
    if report.report_data() != *report_data {
        return Err(Error::mismatch(Claim::ReportData, Hex(report_data), Hex(&report.report_data())));
    }
    let claims = CsvClaims {
        version: report.version,
        owner_key_digest: report.owner_key_digest(),
        vm_id: report.vm_id(),
        vm_version: report.vm_version(),
        report_data: report.report_data(),
        measurement: report.measurement(),
        policy: report.policy(),
        registers: report.registers(),
    };
    Ok(Verified::new(claims, Vendor::Hygon))
}

/// Checks that the platform's key signed the report; the root of that key is a question of its own.
pub fn check_signature(report: &Report<'_>, platform: &PlatformCertificate<'_>) -> Result<(), Error> {
    check_usage(&platform.key, KeyUsage::Platform)?;
    check("CSV report", report.signed, &report.signature, &platform.key)
}

/// Checks that the root certified the signing key, that one the chip's, and the chip's key the platform's.
fn check_chain(root: &SigningKey<'_>, root_id: &[u8; 16], chain: &Chain<'_>) -> Result<(), Error> {
    let Chain { signing, chip, platform } = chain;
    if signing.signer_id != root_id {
        let of = signing.key.user_id.to_owned();
        return Err(Error::UntrustedRoot { of, root: Hex(signing.signer_id).to_string() });
    }
    check_usage(&signing.key, KeyUsage::Signing)?;
    check(signing.key.user_id, signing.signed, &signing.signature, root)?;
    check_usage(&chip.key, KeyUsage::Chip)?;
    check_certified(chip, &signing.key)?;
    check_usage(&platform.key, KeyUsage::Platform)?;
    check_certified(platform, &chip.key)
}

/// Checks that one of the certificate's signatures is by `key`.
fn check_certified(certificate: &PlatformCertificate<'_>, key: &SigningKey<'_>) -> Result<(), Error> {
    let of = certificate.key.user_id;
    let by = |usage: &KeyUsage| *usage == key.usage;
    let mut signatures = certificate.signatures.iter().flatten().filter(|(usage, _)| by(usage));
    let missing = || Error::MissingIssuer { of: of.to_owned(), issuer: key.user_id.to_owned() };
    let (_, signature) = signatures.next().ok_or_else(missing)?;
    check(of, certificate.signed, signature, key)
}

fn check(of: &str, message: &[u8], signature: &Signature, key: &SigningKey<'_>) -> Result<(), Error> {
    if sm::verifies(key, message, signature) {
        return Ok(());
    }
    Err(Error::BadSignature { of: of.to_owned(), by: key.user_id.to_owned() })
}

fn check_usage(key: &SigningKey<'_>, expected: KeyUsage) -> Result<(), Error> {
    if key.usage == expected {
        return Ok(());
    }
    Err(Error::mismatch(Claim::KeyUsage, format_args!("{expected:?}"), format_args!("{:?}", key.usage)))
}

#[cfg(test)]
pub(crate) mod tests;
