// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The values of single PCRs.

use evtpm_logs::PcrIndex;

use crate::{
    claims::QuoteClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::{FileDigest, PcrPolicy, TpmPolicy},
    vector::{TrustClaim, TrustVector},
};

/// A PCR has a value that the policy does not know, or is not quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcrValue {
    pcr: PcrIndex,
    accepted: Vec<FileDigest>,
    actual: Option<FileDigest>,
}

pub(super) fn check(policy: &TpmPolicy, quote: &QuoteClaims) -> Vec<Finding> {
    policy.pcrs.iter().flat_map(|rule| check_one(rule, quote)).collect()
}

/// Every bank that the rule names and the quote has must agree, and there must be one.
fn check_one(rule: &PcrPolicy, quote: &QuoteClaims) -> Vec<Finding> {
    let pcr = rule.pcr.0;
    let quoted: Vec<_> = rule
        .by_bank()
        .into_iter()
        .filter_map(|(bank, accepted)| Some((bank, accepted, quote.value(bank, pcr)?)))
        .collect();
    if quoted.is_empty() {
        return vec![PcrValue { pcr, accepted: rule.values.to_vec(), actual: None }.into()];
    }
    quoted
        .into_iter()
        .filter(|(_, accepted, actual)| !accepted.contains(actual))
        .map(|(bank, _, actual)| {
            let of_bank = rule.values.iter().filter(|value| value.algorithm == bank).copied().collect();
            PcrValue { pcr, accepted: of_bank, actual: FileDigest::new(bank, actual) }.into()
        })
        .collect()
}

impl Objection for PcrValue {
    const CODE: &'static str = "tpm.pcr";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        if self.actual.is_some() { Severity::Failure } else { Severity::Missing }
    }
    fn expected(&self) -> String {
        format!("PCR {} {}", self.pcr, super::show_list(&self.accepted))
    }
    fn actual(&self) -> String {
        self.actual.as_ref().map_or_else(|| "not quoted".into(), |value| format!("PCR {} {value}", self.pcr))
    }
    fn sentence(&self) -> String {
        match self.actual {
            Some(_) => format!("PCR {} ({}) has a value that the policy does not know.", self.pcr, purpose(self.pcr)),
            None => format!("PCR {} is not quoted in any bank that the policy names.", self.pcr),
        }
    }
    fn suggestion(&self) -> String {
        match self.actual {
            Some(_) => "Look at the event log's entries of this PCR to see what changed.".into(),
            None => "Ask the attester for this PCR, in a bank that the policy has values of.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        match self.actual {
            Some(_) => TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() },
            None => TrustVector::default(),
        }
    }
}

/// TCG PC Client Platform Firmware Profile, "PCR Usage".
const fn purpose(pcr: PcrIndex) -> &'static str {
    match pcr.value() {
        0 => "firmware code",
        1 => "firmware configuration",
        2 => "option ROM code",
        3 => "option ROM configuration",
        4 => "boot loader code",
        5 => "boot loader configuration",
        7 => "Secure Boot policy",
        8 => "boot loader's commands",
        9 => "files that the boot loader read",
        10 => "IMA",
        14 => "shim's keys",
        _ => "no fixed purpose",
    }
}
