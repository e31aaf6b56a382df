// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Merging the sections about hardware other than AMD's.

use std::collections::BTreeMap;

use super::{insert_all, union_of_restrictions};
use crate::policy::{
    AtLeastOne, AzurePolicy, CcaPolicy, CsvPolicy, Index, IntelPlatform, NitroPolicy, NvidiaPolicy, PsaPolicy,
    RevocationRule, S390Policy, SgxPolicy, TdxPolicy,
};

pub(super) fn tdx(policy: &mut TdxPolicy, other: TdxPolicy) {
    insert_all(&mut policy.measurements, &other.measurements);
    union_of_restrictions(&mut policy.rtmr0, other.rtmr0);
    union_of_restrictions(&mut policy.rtmr1, other.rtmr1);
    union_of_restrictions(&mut policy.rtmr2, other.rtmr2);
    union_of_restrictions(&mut policy.rtmr3, other.rtmr3);
    union_of_restrictions(&mut policy.modules, other.modules);
    union_of_restrictions(&mut policy.config_ids, other.config_ids);
    union_of_restrictions(&mut policy.owners, other.owners);
    union_of_restrictions(&mut policy.attributes, other.attributes);
    union_of_restrictions(&mut policy.xfam, other.xfam);
    union_of_restrictions(&mut policy.report_data, other.report_data);
    policy.allow_debug |= other.allow_debug;
    policy.allow_recorded |= other.allow_recorded;
    platform(&mut policy.platform, other.platform);
}

pub(super) fn sgx(policy: &mut SgxPolicy, other: SgxPolicy) {
    union_of_restrictions(&mut policy.enclaves, other.enclaves);
    union_of_restrictions(&mut policy.signers, other.signers);
    union_of_restrictions(&mut policy.products, other.products);
    policy.min_security_version = policy.min_security_version.min(other.min_security_version);
    union_of_restrictions(&mut policy.report_data, other.report_data);
    policy.allow_debug |= other.allow_debug;
    policy.allow_recorded |= other.allow_recorded;
    platform(&mut policy.platform, other.platform);
}

fn platform(policy: &mut IntelPlatform, other: IntelPlatform) {
    insert_all(&mut policy.tcb, &other.tcb);
    policy.allow_unchecked_tcb |= other.allow_unchecked_tcb;
    union_of_restrictions(&mut policy.advisories, other.advisories);
    union_of_restrictions(&mut policy.fmspcs, other.fmspcs);
    policy.revocation = weaker(policy.revocation, other.revocation);
}

pub(super) fn azure(policy: &mut AzurePolicy, other: AzurePolicy) {
    policy.secure_boot = policy.secure_boot.filter(|required| other.secure_boot == Some(*required));
    policy.allow_console |= other.allow_console;
    policy.allow_persisted_tpm |= other.allow_persisted_tpm;
    union_of_restrictions(&mut policy.vm_ids, other.vm_ids);
    union_of_restrictions(&mut policy.user_data, other.user_data);
}

pub(super) fn nitro(policy: &mut NitroPolicy, other: NitroPolicy) {
    insert_all(&mut policy.measurements, &other.measurements);
    table(&mut policy.pcrs, &other.pcrs);
    union_of_restrictions(&mut policy.user_data, other.user_data);
    policy.allow_debug |= other.allow_debug;
    policy.allow_recorded |= other.allow_recorded;
}

pub(super) fn cca(policy: &mut CcaPolicy, other: CcaPolicy) {
    insert_all(&mut policy.measurements, &other.measurements);
    union_of_restrictions(&mut policy.rem0, other.rem0);
    union_of_restrictions(&mut policy.rem1, other.rem1);
    union_of_restrictions(&mut policy.rem2, other.rem2);
    union_of_restrictions(&mut policy.rem3, other.rem3);
    union_of_restrictions(&mut policy.personalizations, other.personalizations);
    insert_all(&mut policy.implementations, &other.implementations);
    insert_all(&mut policy.lifecycle, &other.lifecycle);
    union_of_restrictions(&mut policy.configs, other.configs);
    union_of_restrictions(&mut policy.components, other.components);
    union_of_restrictions(&mut policy.signers, other.signers);
    policy.allow_recorded |= other.allow_recorded;
}

pub(super) fn psa(policy: &mut PsaPolicy, other: PsaPolicy) {
    insert_all(&mut policy.implementations, &other.implementations);
    union_of_restrictions(&mut policy.instances, other.instances);
    insert_all(&mut policy.lifecycle, &other.lifecycle);
    union_of_restrictions(&mut policy.components, other.components);
    union_of_restrictions(&mut policy.signers, other.signers);
    policy.allow_nonsecure_caller |= other.allow_nonsecure_caller;
    policy.allow_recorded |= other.allow_recorded;
}

pub(super) fn nvidia(policy: &mut NvidiaPolicy, other: NvidiaPolicy) {
    table(&mut policy.measurements, &other.measurements);
    union_of_restrictions(&mut policy.driver_versions, other.driver_versions);
    union_of_restrictions(&mut policy.vbios_versions, other.vbios_versions);
    policy.require_manifests &= other.require_manifests;
    policy.min_devices = policy.min_devices.min(other.min_devices);
    policy.allow_recorded |= other.allow_recorded;
    policy.revocation = weaker(policy.revocation, other.revocation);
}

pub(super) fn s390(policy: &mut S390Policy, other: S390Policy) {
    insert_all(&mut policy.image_tags, &other.image_tags);
    union_of_restrictions(&mut policy.user_data, other.user_data);
    union_of_restrictions(&mut policy.additional_data, other.additional_data);
    policy.allow_recorded |= other.allow_recorded;
}

pub(super) fn csv(policy: &mut CsvPolicy, other: CsvPolicy) {
    insert_all(&mut policy.measurements, &other.measurements);
    table(&mut policy.registers, &other.registers);
    union_of_restrictions(&mut policy.vm_ids, other.vm_ids);
    union_of_restrictions(&mut policy.vm_versions, other.vm_versions);
    union_of_restrictions(&mut policy.owner_keys, other.owner_keys);
    union_of_restrictions(&mut policy.report_data, other.report_data);
    policy.require_csv3 &= other.require_csv3;
    policy.allow_debug |= other.allow_debug;
    policy.allow_visible_registers |= other.allow_visible_registers;
    policy.allow_migration |= other.allow_migration;
    policy.allow_recorded |= other.allow_recorded;
}

/// What only one of them restricts may have any value on the other's machine.
fn table<T: PartialEq + Clone>(rules: &mut BTreeMap<Index, AtLeastOne<T>>, other: &BTreeMap<Index, AtLeastOne<T>>) {
    rules.retain(|index, _| other.contains_key(index));
    for (index, accepted) in rules {
        insert_all(accepted, other.get(index).map_or(&[], |accepted| accepted));
    }
}

fn weaker(one: RevocationRule, other: RevocationRule) -> RevocationRule {
    if one == other { one } else { RevocationRule::Optional }
}
