// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Learning a policy from good machines: it accepts what they are, and nothing wider.

use core::fmt;
use std::collections::BTreeMap;

use evtpm_logs::PcrIndex;
use evtpm_verify::{Root, logs, snp::Signer, snp::SnpClaims, tpm};

use crate::{
    claims::{BootClaims, Claims, QuoteClaims, RuntimeClaims},
    finding::Layer,
    policy::{
        AtLeastOne, Bank, BootPolicy, Bytes, CommandLineRule, FileDigest, HardwareRule, ImaPolicy, PcrNumber,
        PcrPolicy, Policy, ProductName, SnpPolicy, TcbFloor, TpmPolicy, ViolationRule,
    },
};

/// The PCRs whose values are learnt as they are where an event log explains the others: firmware and Secure Boot.
const FIXED_PCRS: [u8; 2] = [0, 7];

/// The PCRs that change while the system runs.
const CHANGING_PCRS: [u8; 3] = [10, 16, 23];

/// Why no policy can be learnt from an attester.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnError {
    /// There is no verified report, so there is no measurement that a policy could name.
    NoReport,
    /// The host can look inside, or the platform is not closed, which no one should learn.
    Debug {
        /// Of what layer.
        layer: Layer,
    },
    /// The platform's firmware is in a state that no one should learn.
    Platform {
        /// The state, as its vendor calls it.
        status: String,
    },
    /// Some of the evidence was refused.
    Refused {
        /// Why.
        reason: String,
    },
    /// The evidence has nothing that a policy could ask for.
    Nothing {
        /// What is missing.
        reason: &'static str,
    },
    /// The guest is open to others, which no one should learn.
    OpenGuest {
        /// The guest policy.
        policy: u64,
    },
}

impl fmt::Display for LearnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debug { layer } => {
                write!(f, "{}: open to debugging; write such a policy by hand", layer.name())
            }
            Self::Platform { status } => write!(f, "the platform's firmware is {status}; write such a policy by hand"),
            Self::NoReport => f.write_str("without a verified report there is no measurement to learn"),
            Self::Nothing { reason } => write!(f, "the evidence has nothing to learn: {reason}"),
            Self::Refused { reason } => write!(f, "the evidence is not good: {reason}"),
            Self::OpenGuest { policy } => {
                write!(f, "guest policy {policy:#x} allows debugging or migration; write such a policy by hand")
            }
        }
    }
}

impl core::error::Error for LearnError {}

impl Policy {
    /// Learns the policy that accepts this attester.
    pub fn learn(claims: &Claims) -> Result<Self, LearnError> {
        refuse_refused(claims)?;
        let mut policy = Self::empty(HardwareRule::Required);
        policy.snp = claims.report().map(|report| learn_snp(report.claims(), report.root())).transpose()?;
        vendors::learn(&mut policy, claims)?;
        policy.learn_software(claims);
        policy.flaw().map_or(Ok(policy), |_| Err(LearnError::NoReport))
    }

    /// Learns a policy from a machine for whose hardware only the operator vouches; what the evidence says of hardware is
    /// not looked at.
    pub fn learn_without_hardware(claims: &Claims) -> Result<Self, LearnError> {
        refuse_refused(claims)?;
        let mut policy = Self::empty(HardwareRule::None);
        policy.learn_software(claims);
        policy.flaw().map_or(Ok(policy), |reason| Err(LearnError::Nothing { reason }))
    }

    fn learn_software(&mut self, claims: &Claims) {
        self.tpm = claims.quote().map(|quote| learn_tpm(quote, claims));
        self.boot = claims.boot().zip(claims.quote()).map(|(boot, quote)| learn_boot(boot, quote));
        self.ima = claims.runtime().map(learn_ima);
    }
}

fn refuse_refused(claims: &Claims) -> Result<(), LearnError> {
    match claims.refusals.first() {
        Some((_, reason)) => Err(LearnError::Refused { reason: reason.clone() }),
        None => Ok(()),
    }
}

fn learn_snp(claims: &SnpClaims, root: &Root) -> Result<SnpPolicy, LearnError> {
    let report = &claims.report;
    let guest = report.policy();
    if guest.debug() || guest.migrate_ma() {
        return Err(LearnError::OpenGuest { policy: guest.0 });
    }
    let product = ProductName::from(claims.generation);
    let mut policy = SnpPolicy::new(report.measurement().0);
    match root {
        Root::Amd(_) => policy.products.push(product),
        Root::Simulated { name } => policy.simulated.push(name.clone()),
    }
    policy.vmpl = report.vmpl();
    policy.min_guest_svn = report.guest_svn();
    policy.tcb.insert(product, TcbFloor::from(claims.reported_tcb()));
    let named = |digest: &[u8; 48]| if *digest == [0; 48] { Vec::new() } else { vec![Bytes(*digest)] };
    policy.id_keys = named(report.id_key_digest());
    policy.author_keys = named(report.author_key_digest());
    if let Signer::Provider { csp_id } = &claims.signer {
        policy.allow_vlek = true;
        policy.providers.push(csp_id.clone());
    }
    Ok(policy)
}

fn learn_tpm(quote: &QuoteClaims, claims: &Claims) -> TpmPolicy {
    let is_learnt = |pcr: &PcrIndex| match claims.boot() {
        Some(_) => FIXED_PCRS.contains(&pcr.value()),
        None => !CHANGING_PCRS.contains(&pcr.value()),
    };
    let mut values = BTreeMap::<PcrIndex, Vec<FileDigest>>::new();
    for quoted in &quote.banks {
        for (pcr, value) in quoted.values.iter().filter(|(pcr, _)| is_learnt(pcr)) {
            values.entry(*pcr).or_default().extend(FileDigest::new(quoted.bank, value));
        }
    }
    let binding = claims.key().and_then(|key| key.binding);
    TpmPolicy {
        banks: quote.banks.iter().map(|quoted| Bank(quoted.bank)).collect(),
        bindings: binding.map(|(profile, _)| profile.to_owned()).into_iter().collect(),
        allow_named_ak: binding.is_none(),
        require_shared_challenge: claims.shared_challenge == Some(true),
        allow_recorded: quote.freshness == tpm::Freshness::Recorded,
        pcrs: values
            .into_iter()
            .filter_map(|(pcr, values)| {
                Some(PcrPolicy { pcr: PcrNumber(pcr), values: AtLeastOne::try_from(values).ok()? })
            })
            .collect(),
    }
}

fn learn_boot(boot: &BootClaims, quote: &QuoteClaims) -> BootPolicy {
    let digests = |pcr: u8, spared: bool| {
        let events = boot.events.iter().filter(move |event| event.pcr.value() == pcr && !event.is_marker);
        let events = events.filter(move |event| !(spared && event.is_load_options));
        let mut digests: Vec<FileDigest> = events.flat_map(|event| event.digests.iter().copied()).collect();
        digests.sort();
        digests.dedup();
        digests
    };
    let is_quoted = |pcr: &PcrNumber| quote.banks.iter().any(|quoted| quote.value(quoted.bank, pcr.0).is_some());
    BootPolicy {
        pcrs: BootPolicy::default()
            .pcrs
            .into_iter()
            .filter(|pcr| is_quoted(pcr) && boot.explained.contains(pcr.0))
            .collect(),
        command_lines: boot.command_lines.iter().flat_map(learn_command_line).collect(),
        secure_boot: boot.secure_boot,
        applications: digests(4, false),
        loaded: digests(9, !boot.command_lines.is_empty()),
    }
}

fn learn_command_line(measured: &logs::CommandLine) -> Vec<CommandLineRule> {
    match measured {
        logs::CommandLine::Text { text, .. } => vec![CommandLineRule::Exact(text.clone())],
        logs::CommandLine::Digest { digests, .. } => digests
            .iter()
            .map(|(bank, digest)| CommandLineRule::Digest(FileDigest { algorithm: *bank, digest: *digest }))
            .collect(),
    }
}

fn learn_ima(runtime: &RuntimeClaims) -> ImaPolicy {
    let mut policy = ImaPolicy { boot_aggregate: runtime.aggregate_verified, ..ImaPolicy::default() };
    if runtime.violations > 0 {
        policy.violations = ViolationRule::Report;
    }
    for file in &runtime.files {
        if let Some(digest) = &file.digest {
            policy
                .files
                .entry(file.path.clone())
                .and_modify(|known| known.insert(*digest))
                .or_insert_with(|| AtLeastOne::new(*digest));
        }
    }
    policy
}

mod merge;
#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;
mod vendors;
