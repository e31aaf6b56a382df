// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Learning a policy from good machines: it accepts what they are, and nothing wider.

use core::fmt;
use std::collections::BTreeMap;

use evtpm_logs::PcrIndex;
use evtpm_verify::{Root, logs, snp::Signer, snp::SnpClaims, tpm};

use crate::{
    claims::{BootClaims, Claims, QuoteClaims, RuntimeClaims},
    policy::{
        AtLeastOne, Bank, BootPolicy, Bytes, CommandLineRule, FileDigest, ImaPolicy, PcrNumber, PcrPolicy, Policy,
        ProductName, SnpPolicy, TcbFloor, TpmPolicy, ViolationRule,
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
    /// Some of the evidence was refused.
    Refused {
        /// Why.
        reason: String,
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
            Self::NoReport => f.write_str("without a verified report there is no measurement to learn"),
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
        if let Some((_, reason)) = claims.refusals.first() {
            return Err(LearnError::Refused { reason: reason.clone() });
        }
        let report = claims.report().ok_or(LearnError::NoReport)?;
        let mut policy = Self::new(learn_snp(report.claims(), report.root())?);
        policy.tpm = claims.quote().map(|quote| learn_tpm(quote, claims));
        policy.boot = claims.boot().zip(claims.quote()).map(|(boot, quote)| learn_boot(boot, quote));
        policy.ima = claims.runtime().map(learn_ima);
        Ok(policy)
    }

    /// Makes the policy accept what the other one accepts, too; floors become the lower ones.
    pub fn merge(&mut self, other: Self) {
        merge_snp(&mut self.snp, other.snp);
        match (&mut self.tpm, other.tpm) {
            (Some(tpm), Some(other)) => merge_tpm(tpm, other),
            (tpm, other) => *tpm = tpm.take().or(other),
        }
        match (&mut self.boot, other.boot) {
            (Some(boot), Some(other)) => merge_boot(boot, other),
            (boot, other) => *boot = boot.take().or(other),
        }
        match (&mut self.ima, other.ima) {
            (Some(ima), Some(other)) => merge_ima(ima, other),
            (ima, other) => *ima = ima.take().or(other),
        }
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
            values.entry(*pcr).or_default().push(FileDigest { algorithm: quoted.bank, digest: value.clone() });
        }
    }
    let binding = claims.key().and_then(|key| key.binding);
    TpmPolicy {
        banks: quote.banks.iter().map(|quoted| Bank(quoted.bank)).collect(),
        bindings: binding.map(|(profile, _)| profile.name().to_owned()).into_iter().collect(),
        allow_named_ak: binding.is_none(),
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
        let mut digests: Vec<FileDigest> = events.flat_map(|event| event.digests.iter().cloned()).collect();
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
            .map(|(bank, digest)| {
                CommandLineRule::Digest(FileDigest { algorithm: *bank, digest: digest.as_bytes().to_vec() })
            })
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
                .and_modify(|known| known.insert(digest.clone()))
                .or_insert_with(|| AtLeastOne::new(digest.clone()));
        }
    }
    policy
}

fn merge_snp(policy: &mut SnpPolicy, other: SnpPolicy) {
    union(&mut policy.products, other.products);
    union(&mut policy.simulated, other.simulated);
    for measurement in other.measurements.iter() {
        policy.measurements.insert(*measurement);
    }
    policy.allow_debug |= other.allow_debug;
    policy.allow_migration |= other.allow_migration;
    policy.allow_vlek |= other.allow_vlek;
    policy.min_guest_svn = policy.min_guest_svn.min(other.min_guest_svn);
    for (product, floor) in other.tcb {
        policy.tcb.entry(product).and_modify(|lower| *lower = lower_floor(*lower, floor)).or_insert(floor);
    }
    union_of_restrictions(&mut policy.id_keys, other.id_keys);
    union_of_restrictions(&mut policy.author_keys, other.author_keys);
    union_of_restrictions(&mut policy.host_data, other.host_data);
    union_of_restrictions(&mut policy.chips, other.chips);
    union_of_restrictions(&mut policy.providers, other.providers);
}

fn lower_floor(one: TcbFloor, other: TcbFloor) -> TcbFloor {
    TcbFloor {
        fmc: one.fmc.min(other.fmc),
        bootloader: one.bootloader.min(other.bootloader),
        tee: one.tee.min(other.tee),
        snp: one.snp.min(other.snp),
        microcode: one.microcode.min(other.microcode),
    }
}

fn merge_tpm(policy: &mut TpmPolicy, other: TpmPolicy) {
    policy.banks.retain(|bank| other.banks.contains(bank));
    union_of_restrictions(&mut policy.bindings, other.bindings);
    policy.allow_named_ak |= other.allow_named_ak;
    policy.allow_recorded |= other.allow_recorded;
    // A PCR that only one of them restricts may have any value on the other's machine.
    policy.pcrs.retain(|rule| other.pcrs.iter().any(|other| other.pcr == rule.pcr));
    for rule in &mut policy.pcrs {
        for other in other.pcrs.iter().filter(|other| other.pcr == rule.pcr) {
            other.values.iter().for_each(|value| rule.values.insert(value.clone()));
        }
    }
}

fn merge_boot(policy: &mut BootPolicy, other: BootPolicy) {
    policy.pcrs.retain(|pcr| other.pcrs.contains(pcr));
    policy.secure_boot = policy.secure_boot.filter(|required| other.secure_boot == Some(*required));
    union_of_restrictions(&mut policy.command_lines, other.command_lines);
    union_of_restrictions(&mut policy.applications, other.applications);
    union_of_restrictions(&mut policy.loaded, other.loaded);
}

fn merge_ima(policy: &mut ImaPolicy, other: ImaPolicy) {
    for (path, digests) in other.files {
        let known = policy.files.entry(path).or_insert_with(|| digests.clone());
        digests.iter().for_each(|digest| known.insert(digest.clone()));
    }
    union(&mut policy.digests, other.digests);
    union(&mut policy.signers, other.signers);
    union(&mut policy.excludes, other.excludes);
    if other.violations == ViolationRule::Report {
        policy.violations = ViolationRule::Report;
    }
    policy.boot_aggregate &= other.boot_aggregate;
}

fn union<T: PartialEq>(list: &mut Vec<T>, other: Vec<T>) {
    for element in other {
        if !list.contains(&element) {
            list.push(element);
        }
    }
}

/// An empty list restricts nothing, so the union with one restricts nothing either.
fn union_of_restrictions<T: PartialEq>(list: &mut Vec<T>, other: Vec<T>) {
    if list.is_empty() || other.is_empty() {
        list.clear();
    } else {
        union(list, other);
    }
}

#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;
