// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two policies become the one that accepts what either of them accepts.

mod vendors;

use crate::policy::{AtLeastOne, BootPolicy, ImaPolicy, Policy, SnpPolicy, TcbFloor, TpmPolicy, ViolationRule};

impl Policy {
    /// Makes the policy accept what the other one accepts, too; floors become the lower ones.
    pub fn merge(&mut self, other: Self) {
        section(&mut self.snp, other.snp, snp);
        section(&mut self.tdx, other.tdx, vendors::tdx);
        section(&mut self.sgx, other.sgx, vendors::sgx);
        section(&mut self.azure, other.azure, vendors::azure);
        section(&mut self.nitro, other.nitro, vendors::nitro);
        section(&mut self.cca, other.cca, vendors::cca);
        section(&mut self.psa, other.psa, vendors::psa);
        section(&mut self.nvidia, other.nvidia, vendors::nvidia);
        section(&mut self.s390, other.s390, vendors::s390);
        section(&mut self.csv, other.csv, vendors::csv);
        section(&mut self.tpm, other.tpm, tpm);
        section(&mut self.boot, other.boot, boot);
        section(&mut self.ima, other.ima, ima);
    }
}

/// Merges a section that both have, and takes the one that only one has.
fn section<T>(ours: &mut Option<T>, theirs: Option<T>, merge: impl FnOnce(&mut T, T)) {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => merge(ours, theirs),
        (ours, theirs) => *ours = ours.take().or(theirs),
    }
}

fn snp(policy: &mut SnpPolicy, other: SnpPolicy) {
    union(&mut policy.products, other.products);
    union(&mut policy.simulated, other.simulated);
    union(&mut policy.measurements, other.measurements);
    union(&mut policy.endorsers, other.endorsers);
    policy.allow_debug |= other.allow_debug;
    policy.allow_migration |= other.allow_migration;
    policy.allow_vlek |= other.allow_vlek;
    policy.min_guest_svn = policy.min_guest_svn.min(other.min_guest_svn);
    for (product, floor) in other.tcb {
        policy.tcb.entry(product).and_modify(|lower| *lower = lower_floor(*lower, floor)).or_insert(floor);
    }
    policy.tcb_fields.retain(|field| other.tcb_fields.contains(field));
    policy.mitigations.retain(|bit| other.mitigations.contains(bit));
    policy.platform_required.retain(|flag| other.platform_required.contains(flag));
    policy.platform_refused.retain(|flag| other.platform_refused.contains(flag));
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

fn tpm(policy: &mut TpmPolicy, other: TpmPolicy) {
    policy.banks.retain(|bank| other.banks.contains(bank));
    union_of_restrictions(&mut policy.bindings, other.bindings);
    policy.allow_named_ak |= other.allow_named_ak;
    policy.require_shared_challenge &= other.require_shared_challenge;
    policy.allow_recorded |= other.allow_recorded;
    // A PCR that only one of them restricts may have any value on the other's machine.
    policy.pcrs.retain(|rule| other.pcrs.iter().any(|other| other.pcr == rule.pcr));
    for rule in &mut policy.pcrs {
        for other in other.pcrs.iter().filter(|other| other.pcr == rule.pcr) {
            insert_all(&mut rule.values, &other.values);
        }
    }
}

fn boot(policy: &mut BootPolicy, other: BootPolicy) {
    policy.pcrs.retain(|pcr| other.pcrs.contains(pcr));
    policy.secure_boot = policy.secure_boot.filter(|required| other.secure_boot == Some(*required));
    union_of_restrictions(&mut policy.command_lines, other.command_lines);
    union_of_restrictions(&mut policy.applications, other.applications);
    union_of_restrictions(&mut policy.loaded, other.loaded);
}

fn ima(policy: &mut ImaPolicy, other: ImaPolicy) {
    for (path, digests) in other.files.into_rows() {
        let known = policy.files.entry(path).or_insert_with(|| digests.clone());
        insert_all(known, &digests);
    }
    union(&mut policy.digests, other.digests);
    union(&mut policy.signers, other.signers);
    union(&mut policy.excludes, other.excludes);
    if other.violations == ViolationRule::Report {
        policy.violations = ViolationRule::Report;
    }
    policy.boot_aggregate &= other.boot_aggregate;
}

fn insert_all<T: PartialEq + Clone>(list: &mut AtLeastOne<T>, other: &[T]) {
    other.iter().for_each(|element| list.insert(element.clone()));
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
