// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of Hygon CSV guests, up to Hygon's root key.

use evtpm_appraise::{Challenge, Layer};
use evtpm_evidence::csv::{AuthorityCertificate, PlatformCertificate, Report, Version};
use evtpm_verify::csv::{self, Chain, CsvClaims};
use evtpm_verify::{Error, Vendor, Verified};
use serde_json::{Value, json};

use super::Verification;
use super::args::Hardware;
use crate::csv::Parts;
use crate::output::hex;
use crate::verify::facts::Fact;

const WHAT: &str = "CSV report";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware) -> Option<()> {
    let parts = hardware.csv.as_ref()?;
    let guest = match verify_one(parts, hardware.challenge.as_deref()) {
        Ok(guest) => guest,
        Err(reason) => {
            verification.refuse(WHAT, Layer::Csv, &reason);
            return None;
        }
    };
    let challenge = if hardware.challenge.is_some() { Challenge::Recorded } else { Challenge::Unchecked };
    let detail = format!("of the guest {}, up to {}", hex(&guest.vm_id), guest.root());
    verification.prove(WHAT, detail, facts(&guest), |claims| claims.with_csv(&guest, challenge));
    verification.gap(true, "revocation of the Hygon keys: Hygon publishes no lists");
    Some(())
}

/// Verifies a report; one of which a part of the chain is missing is not half believed.
fn verify_one(parts: &Parts, challenge: Option<&[u8]>) -> Result<Verified<CsvClaims, Vendor>, String> {
    let shown = |error: Error| error.to_string();
    let report = Report::parse(parts.version, &parts.page).map_err(Error::from).map_err(shown)?;
    let platform = PlatformCertificate::parse(&parts.platform).map_err(Error::from).map_err(shown)?;
    csv::check_signature(&report, &platform).map_err(shown)?;
    let (Some(signing), Some(chip)) = (&parts.signing, &parts.chip) else {
        return Err("it is signed by the platform's key beside it, and whose that key is stays unchecked: \
                    the certificates HSK and CEK were not given (--csv-certificates)"
            .to_owned());
    };
    let expected = match challenge {
        Some(challenge) => padded(challenge)?,
        None if parts.version == Version::V2 => report.report_data(),
        None => {
            return Err("a report of version 1 stands under a mask that nobody signed: \
                        say which report data it has to carry (--challenge)"
                .to_owned());
        }
    };
    let signing = AuthorityCertificate::parse(signing).map_err(Error::from).map_err(shown)?;
    let chip = PlatformCertificate::parse(chip).map_err(Error::from).map_err(shown)?;
    csv::verify(&report, &Chain { signing, chip, platform }, &expected).map_err(shown)
}

/// The report data of a challenge, behind which zeros may stand.
fn padded(challenge: &[u8]) -> Result<[u8; 64], String> {
    let mut data = [0; 64];
    let place = data.get_mut(..challenge.len()).filter(|place| !place.is_empty());
    place
        .ok_or_else(|| format!("--challenge: expected 1 to 64 bytes, got {}", challenge.len()))?
        .copy_from_slice(challenge);
    Ok(data)
}

fn facts(guest: &CsvClaims) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("csv_measurement", hex(&guest.measurement)),
        Fact::new("csv_policy", format!("{:#x} ({})", guest.policy.0, guest.policy)),
        Fact::new("csv_report_data", hex(&guest.report_data)),
        Fact::new("csv_vm_id", hex(&guest.vm_id)),
        Fact::new("csv_vm_version", hex(&guest.vm_version)),
        Fact::new("csv_owner_key", hex(&guest.owner_key_digest)),
    ];
    let registers = guest.registers.map(|all| all.iter().map(|value| json!(hex(value))).collect::<Vec<Value>>());
    facts.extend(registers.map(|registers| Fact::new("csv_registers", registers)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_followed_by_zeros() {
        assert_eq!(padded(&[7; 64]), Ok([7; 64]));
        assert_eq!(padded(&[7]).map(|data| (data[0], data[1])), Ok((7, 0)));
        assert!(padded(&[]).is_err() && padded(&[7; 65]).is_err());
    }
}
