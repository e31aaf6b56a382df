// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks, one per file: each compares one rule of the policy with one claim, and objects or says nothing.

mod application;
pub mod arm;
mod attestation_key;
pub mod azure;
mod bank;
mod boot_aggregate;
pub mod cca;
mod chain_revocation;
mod clock;
mod command_line;
pub mod csv;
mod deviation;
mod empty_policy;
mod evidence;
mod file;
mod freshness;
mod guest_policy;
mod guest_svn;
mod host_data;
mod id_block;
pub mod intel;
mod loaded;
mod measurement;
mod mitigations;
pub mod nitro;
mod no_hardware;
pub mod nvidia;
mod pcr;
mod platform;
pub mod psa;
mod recorded;
mod rego;
mod revocation;
mod root;
pub mod s390;
mod secure_boot;
pub mod sgx;
mod shared_challenge;
mod signer;
mod tcb;
pub mod tdx;
mod uncovered;
mod unexplained;
mod unjudged;
mod violations;
mod vmpl;
mod weak_bank;

pub use application::Application;
pub use attestation_key::AttestationKey;
pub use bank::BankNotQuoted;
pub use boot_aggregate::BootAggregate;
pub use chain_revocation::ChainRevocation;
pub use clock::UnsafeClock;
pub use command_line::CommandLine;
pub use deviation::{Deviation, Subject};
pub use empty_policy::EmptyPolicy;
pub use evidence::{NoEvidence, Refused};
pub use file::{File, MoreFiles};
pub use freshness::Freshness;
pub use guest_policy::GuestPolicyBit;
pub use guest_svn::GuestSvn;
pub use host_data::HostData;
pub use id_block::IdBlockKey;
pub use loaded::Loaded;
pub use measurement::Measurement;
pub use mitigations::Mitigations;
pub use no_hardware::NoHardware;
pub use pcr::PcrValue;
pub use platform::Platform;
pub use recorded::Recorded;
pub use rego::{RegoAllow, RegoDenied};
pub use revocation::Revocation;
pub use root::Root;
pub use secure_boot::SecureBoot;
pub use shared_challenge::SharedChallenge;
pub use signer::ReportSigner;
pub use tcb::Tcb;
pub use uncovered::Uncovered;
pub use unexplained::Unexplained;
pub use unjudged::Unjudged;
pub use violations::Violations;
pub use vmpl::Vmpl;
pub use weak_bank::WeakBank;

use crate::{
    claims::{BootClaims, Claims, EndorsedLaunch, QuoteClaims, ReportClaims, RuntimeClaims},
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
    findings.extend(empty_policy::check(policy));
    findings.extend(no_hardware::check(policy));
    hardware(policy, claims, &mut findings);

    let needs_quote = policy.tpm.is_some() || policy.boot.is_some() || policy.ima.is_some();
    let mut missing = |layer, what| findings.push(NoEvidence { layer, what }.into());
    if needs_quote && claims.quote.is_none() {
        missing(Layer::Tpm, "a verified quote");
    }
    if policy.boot.is_some() && claims.boot.is_none() && !claims.boot_stands {
        missing(Layer::Boot, "a replayed event log");
    }
    if policy.ima.is_some() && claims.runtime.is_none() {
        missing(Layer::Runtime, "a replayed IMA list");
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

/// Holds every section about hardware against its evidence; evidence without a section is noted.
fn hardware(policy: &Policy, claims: &Claims, findings: &mut Vec<Finding>) {
    let devices = (!claims.nvidia.is_empty()).then_some(claims.nvidia.as_slice());
    nvidia::contradictions(&claims.nvidia, findings);
    section(Layer::Snp, &policy.snp, claims.snp.as_ref(), findings, |rules, report, findings| {
        snp(rules, report, &claims.endorsements, findings);
    });
    section(Layer::Tdx, &policy.tdx, claims.td(), findings, tdx::check);
    section(Layer::Sgx, &policy.sgx, claims.enclave(), findings, sgx::check);
    section(Layer::Azure, &policy.azure, claims.azure.as_ref(), findings, azure::check);
    section(Layer::Nitro, &policy.nitro, claims.nitro.as_ref(), findings, nitro::check);
    section(Layer::CcaPlatform, &policy.cca, claims.cca_platform.as_ref(), findings, |rules, platform, findings| {
        cca::platform(rules, platform.claims(), findings);
    });
    section(Layer::CcaRealm, &policy.cca, claims.cca_realm.as_ref(), findings, cca::realm);
    section(Layer::Psa, &policy.psa, claims.psa.as_ref(), findings, psa::check);
    section(Layer::Nvidia, &policy.nvidia, devices, findings, nvidia::check);
    section(Layer::S390, &policy.s390, claims.s390.as_ref(), findings, s390::check);
    section(Layer::Csv, &policy.csv, claims.csv.as_ref(), findings, csv::check);
}

/// Judges one layer, or says what is missing, or what is beside the policy.
fn section<P, C: ?Sized>(
    layer: Layer,
    rules: &Option<P>,
    evidence: Option<&C>,
    findings: &mut Vec<Finding>,
    judge: impl FnOnce(&P, &C, &mut Vec<Finding>),
) {
    match (rules, evidence) {
        (Some(rules), Some(evidence)) => judge(rules, evidence, findings),
        (Some(_), None) => findings.push(NoEvidence { layer, what: layer.evidence() }.into()),
        (None, Some(_)) => findings.push(unjudged::check(layer).into()),
        (None, None) => {}
    }
}

fn snp(policy: &SnpPolicy, report: &ReportClaims, endorsements: &[EndorsedLaunch], findings: &mut Vec<Finding>) {
    let claims = report.claims();
    findings.extend(root::check(policy, report.root()));
    findings.extend(measurement::check(policy, claims, endorsements));
    findings.extend(vmpl::check(policy, claims));
    findings.extend(guest_policy::check(policy, claims));
    findings.extend(tcb::check(policy, claims));
    findings.extend(mitigations::check(policy, claims));
    findings.extend(platform::check(policy, claims));
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
    findings.extend(shared_challenge::check(policy, claims).map(Finding::from));
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
