// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SEV-SNP attestation reports: from 1184 bytes and some certificates to [`Verified`] claims.
//!
//! ```text
//! ARK (pinned) ─► ASK or ASVK ─► VCEK or VLEK ─► report
//!                 └─ revocation ┘  └ TCB, chip id, generation equal the report's ┘
//! ```
//!
//! Nothing here decides whether the guest is a good one: a debug policy or an old firmware is a matter of appraisal.

mod anchors;
mod chain;
mod claims;
mod collateral;
mod report;
mod vek;

#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use evtpm_snp::{Report, SigningKey};

pub use anchors::Anchors;
pub use chain::EndorsementKey;
pub use claims::{Signer, SnpClaims};
pub use collateral::Collateral;
pub use report::verify_with;
pub use vek::VekKind;

use crate::{Error, UnixTime, Verified, x509};

/// Verifies a report, as received, with the collateral at hand and as of the moment `at`.
///
/// Where the collateral has several endorsement keys, the first that vouches for the report is taken; the key
/// distribution service issues a new certificate for the same key now and then.
pub fn verify(
    received: &[u8],
    collateral: &Collateral,
    anchors: &Anchors,
    at: UnixTime,
) -> Result<Verified<SnpClaims>, Error> {
    let report = Report::parse(received)?;
    report::check_signature_form(&report)?;
    let kind = VekKind::of_report(&report)?;

    let mut refusal = Error::MissingEndorsementKey { kind: kind.name() };
    for certificate in collateral.endorsement_keys(kind) {
        let verdict = EndorsementKey::verify(certificate, collateral, anchors, at)
            .and_then(|key| verify_with(received, &key, at));
        match verdict {
            Ok(verified) => return Ok(verified),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Finds the certificates that a report is believed by: root, intermediate, endorsement key.
pub fn certificates<'a>(
    received: &[u8],
    collateral: &'a Collateral,
    anchors: &'a Anchors,
    at: UnixTime,
) -> Result<[&'a x509::Certificate; 3], Error> {
    let kind = VekKind::of_report(&Report::parse(received)?)?;
    let mut refusal = Error::MissingEndorsementKey { kind: kind.name() };
    for certificate in collateral.endorsement_keys(kind) {
        let verdict = EndorsementKey::verify(certificate, collateral, anchors, at)
            .and_then(|key| verify_with(received, &key, at));
        match verdict {
            Ok(_) => return chain::members(certificate, collateral, anchors),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

impl VekKind {
    /// Reads from a report which kind of key signed it.
    pub fn of_report(report: &Report) -> Result<Self, Error> {
        match report.key_info().signing_key() {
            SigningKey::Vcek => Ok(Self::Vcek),
            SigningKey::Vlek => Ok(Self::Vlek),
            SigningKey::None => Err(Error::MaskedChipKey),
            SigningKey::Reserved(value) => {
                Err(Error::mismatch(crate::Claim::SigningKey, "VCEK (0) or VLEK (1)", value))
            }
        }
    }
}
