// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Azure's paravisor: its claims below an SEV-SNP report or a TD's quote, and the vTPM's attestation key in them.

use evtpm_appraise::Layer;
use evtpm_evidence::hcl::{HardwareReport, HclReport};
use evtpm_verify::azure::{self, ParavisorClaims};
use evtpm_verify::dcap::DcapClaims;
use evtpm_verify::tpm::{AkOrigin, TrustedAk};
use evtpm_verify::{Vendor, Verified};

use super::Verification;
use super::args::Hardware;
use crate::output::hex;
use crate::verify::chain::State;
use crate::verify::facts::Fact;

const WHAT: &str = "paravisor";

/// The SEV-SNP report inside, which goes through the steps of any other.
pub(in crate::verify) fn inner_report(hcl: &[u8]) -> Option<Vec<u8>> {
    match HclReport::parse(hcl).ok()?.report {
        HardwareReport::Snp(report) => Some(report.to_vec()),
        HardwareReport::Tdx(_) => None,
    }
}

pub(super) fn verify(
    verification: &mut Verification,
    hardware: &Hardware,
    quote: Option<Verified<DcapClaims, Vendor>>,
) -> Option<TrustedAk> {
    let bytes = hardware.hcl.as_ref()?;
    let hcl = match HclReport::parse(bytes) {
        Ok(hcl) => hcl,
        Err(error) => {
            verification.refuse(WHAT, Layer::Azure, &error);
            return None;
        }
    };
    let key = match (&hcl.report, verification.report.take(), quote) {
        (HardwareReport::Snp(_), Some(report), _) => azure::bind_snp(&hcl, report),
        (HardwareReport::Tdx(_), _, Some(quote)) => azure::bind_tdx(&hcl, quote),
        (HardwareReport::Snp(_), None, _) => return not_reached(verification, "report"),
        (HardwareReport::Tdx(_), _, None) => return not_reached(verification, "TD quote"),
    };
    match key {
        Ok(key) => {
            let facts = match key.origin() {
                AkOrigin::Claimed(paravisor) => facts(&paravisor.claims),
                _ => Vec::new(),
            };
            let detail = "its claims are what the hardware's report commits to; the vTPM's key is in them".to_owned();
            verification.prove(WHAT, detail, facts, |claims| claims.with_key(&key));
            verification.note("attestation key", State::Verified, "named by the paravisor's claims".to_owned());
            verification.facts.push(Fact::new("ak_name", hex(key.name())));
            Some(key)
        }
        Err(error) => {
            verification.refuse(WHAT, Layer::Azure, &error);
            None
        }
    }
}

fn not_reached(verification: &mut Verification, waits_for: &str) -> Option<TrustedAk> {
    verification.not_reached(WHAT, waits_for);
    None
}

fn facts(claims: &ParavisorClaims) -> Vec<Fact> {
    let configuration = &claims.configuration;
    let flag = |name, value: Option<bool>| value.map(|value| Fact::new(name, value));
    let text = |name, value: &Option<String>| value.as_ref().map(|value| Fact::new(name, value.as_str()));
    [
        flag("vm_secure_boot", configuration.secure_boot),
        flag("vm_console", configuration.console_enabled),
        flag("vm_tpm", configuration.tpm_enabled),
        flag("vm_tpm_persisted", configuration.tpm_persisted),
        text("vm_id", &configuration.vm_id),
        text("vm_user_data", &claims.user_data),
    ]
    .into_iter()
    .flatten()
    .collect()
}
