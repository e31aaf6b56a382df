// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks, one per file: each compares one rule of the policy with one claim, and objects or says nothing.

mod application;
mod attestation_key;
mod bank;
mod boot_aggregate;
mod clock;
mod command_line;
mod evidence;
mod file;
mod freshness;
mod guest_policy;
mod guest_svn;
mod host_data;
mod id_block;
mod loaded;
mod measurement;
mod pcr;
mod revocation;
mod root;
mod secure_boot;
mod signer;
mod tcb;
mod uncovered;
mod unexplained;
mod violations;
mod vmpl;
mod weak_bank;

pub use application::Application;
pub use attestation_key::AttestationKey;
pub use bank::BankNotQuoted;
pub use boot_aggregate::BootAggregate;
pub use clock::UnsafeClock;
pub use command_line::CommandLine;
pub use evidence::{NoEvidence, Refused};
pub use file::{File, MoreFiles};
pub use freshness::Freshness;
pub use guest_policy::GuestPolicyBit;
pub use guest_svn::GuestSvn;
pub use host_data::HostData;
pub use id_block::IdBlockKey;
pub use loaded::Loaded;
pub use measurement::Measurement;
pub use pcr::PcrValue;
pub use revocation::Revocation;
pub use root::Root;
pub use secure_boot::SecureBoot;
pub use signer::ReportSigner;
pub use tcb::Tcb;
pub use uncovered::Uncovered;
pub use unexplained::Unexplained;
pub use violations::Violations;
pub use vmpl::Vmpl;
pub use weak_bank::WeakBank;

use crate::{
    claims::{BootClaims, Claims, QuoteClaims, ReportClaims, RuntimeClaims},
    finding::{Finding, Layer},
    policy::{BootPolicy, ImaPolicy, Policy, SnpPolicy, TpmPolicy},
};

/// Runs every check that the policy has a rule for.
pub(crate) fn run(policy: &Policy, claims: &Claims) -> Vec<Finding> {
    let mut findings: Vec<Finding> = claims
        .refusals
        .iter()
        .map(|(layer, reason)| Refused { layer: *layer, reason: reason.clone() }.into())
        .collect();
    let mut missing = |layer, what| findings.push(NoEvidence { layer, what }.into());
    let needs_quote = policy.tpm.is_some() || policy.boot.is_some() || policy.ima.is_some();
    if claims.snp.is_none() {
        missing(Layer::Snp, "a verified SNP report");
    }
    if needs_quote && claims.quote.is_none() {
        missing(Layer::Tpm, "a verified quote");
    }
    if policy.boot.is_some() && claims.boot.is_none() {
        missing(Layer::Boot, "a replayed event log");
    }
    if policy.ima.is_some() && claims.runtime.is_none() {
        missing(Layer::Runtime, "a replayed IMA list");
    }

    if let Some(report) = &claims.snp {
        snp(&policy.snp, report, &mut findings);
    }
    let rules = policy.tpm.clone().unwrap_or_default();
    if needs_quote || claims.key.is_some() {
        tpm(&rules, claims, &mut findings);
    }
    if let (Some(rules), Some(boot)) = (&policy.boot, &claims.boot) {
        self::boot(rules, boot, &mut findings);
    }
    if let (Some(rules), Some(runtime)) = (&policy.ima, &claims.runtime) {
        self::runtime(rules, runtime, &mut findings);
    }
    findings
}

fn snp(policy: &SnpPolicy, report: &ReportClaims, findings: &mut Vec<Finding>) {
    let claims = report.claims();
    findings.extend(root::check(policy, report.root()));
    findings.extend(measurement::check(policy, claims));
    findings.extend(vmpl::check(policy, claims));
    findings.extend(guest_policy::check(policy, claims));
    findings.extend(tcb::check(policy, claims));
    findings.extend(guest_svn::check(policy, claims));
    findings.extend(id_block::check(policy, claims));
    findings.extend(host_data::check(policy, claims));
    findings.extend(signer::check(policy, claims));
    findings.extend(revocation::check(policy, claims));
}

fn tpm(policy: &TpmPolicy, claims: &Claims, findings: &mut Vec<Finding>) {
    if let Some(key) = &claims.key {
        findings.extend(attestation_key::check(policy, key));
    }
    findings.extend(freshness::check(policy, claims));
    if let Some(quote) = &claims.quote {
        self::quote(policy, quote, findings);
    }
}

fn quote(policy: &TpmPolicy, quote: &QuoteClaims, findings: &mut Vec<Finding>) {
    findings.extend(clock::check(quote));
    findings.extend(bank::check(policy, quote));
    findings.extend(pcr::check(policy, quote));
}

fn boot(policy: &BootPolicy, boot: &BootClaims, findings: &mut Vec<Finding>) {
    findings.extend(unexplained::check(policy, boot));
    findings.extend(secure_boot::check(policy, boot));
    findings.extend(command_line::check(policy, boot));
    findings.extend(application::check(policy, boot));
    findings.extend(loaded::check(policy, boot));
}

fn runtime(policy: &ImaPolicy, runtime: &RuntimeClaims, findings: &mut Vec<Finding>) {
    findings.extend(boot_aggregate::check(policy, runtime));
    findings.extend(violations::check(policy, runtime));
    findings.extend(weak_bank::check(runtime));
    findings.extend(file::check(policy, runtime));
    findings.extend(uncovered::check(runtime));
}

/// Shows a list for people: at most three elements, then their number.
fn show_list<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = list.into_iter().map(|element| element.to_string()).collect();
    match all.as_slice() {
        [] => "none".to_owned(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} or {} more", rest.len())
        }
        few => few.join(", "),
    }
}
