// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `TPM_CAP_TPM_PROPERTIES` and `TPM_CAP_PCR_PROPERTIES` say (Part 2, "TPM_PT", "TPM_PT_PCR").

use crate::commands::table;
use crate::state::{Commits, Hierarchy, MAX_ORDERLY_COUNT, PcrRules, UPDATE_INTERVAL, rules};
use crate::{Locality, Platform, Tpm};
use evtpm_tpm_wire::{
    MAX_CONTEXT, MAX_DIGEST, MAX_DIGEST_BUFFER, MAX_NV_BUFFER, PcrIndex, PcrSelect, TpmAlgId, TpmPt, TpmaMemory,
    TpmaMlParameterSet, TpmaPermanent, TpmaStartupClear, TpmsTaggedPcrSelect, TpmsTaggedProperty,
};

/// "MAX_CAP_BUFFER".
const MAX_CAP_BUFFER: u32 = 1024;

/// Walks over the properties, in ascending order.
pub(super) fn tpm_properties<P: Platform>(tpm: &Tpm<P>) -> impl Iterator<Item = TpmsTaggedProperty> {
    // Without any, as before version 185, the property is not there.
    let ml_parameter_sets = tpm.profile.supported.ml_parameter_sets;
    let lattice =
        (ml_parameter_sets != TpmaMlParameterSet::NONE).then_some((TpmPt::ML_PARAMETER_SETS, ml_parameter_sets.0));
    let all = fixed_properties(tpm).into_iter().chain(limits(tpm)).chain(lattice).chain(variable_properties(tpm));
    all.map(|(property, value)| TpmsTaggedProperty { property, value })
}

fn fixed_properties<P: Platform>(tpm: &Tpm<P>) -> [(TpmPt, u32); 13] {
    let identity = &tpm.profile.identity;
    let [first, second, third, fourth] = identity.vendor_strings.map(u32::from_be_bytes);
    let [firmware_1, firmware_2] = identity.firmware_version;
    let (year, day) = identity.published;
    [
        (TpmPt::FAMILY_INDICATOR, u32::from_be_bytes(*b"2.0\0")),
        (TpmPt::LEVEL, 0),
        (TpmPt::REVISION, identity.revision),
        // In version 1.38 and before it was the day of the year; a version is a day too.
        (TpmPt::ERRATA, day),
        (TpmPt::YEAR, year),
        (TpmPt::MANUFACTURER, u32::from_be_bytes(identity.manufacturer)),
        (TpmPt::VENDOR_STRING_1, first),
        (TpmPt::VENDOR_STRING_2, second),
        (TpmPt::VENDOR_STRING_3, third),
        (TpmPt::VENDOR_STRING_4, fourth),
        (TpmPt::VENDOR_TPM_TYPE, 1),
        (TpmPt::FIRMWARE_VERSION_1, firmware_1),
        (TpmPt::FIRMWARE_VERSION_2, firmware_2),
    ]
}

fn limits<P: Platform>(tpm: &Tpm<P>) -> [(TpmPt, u32); 33] {
    let limits = &tpm.profile.limits;
    let [family, level, revision, day, year] = tpm.profile.identity.platform_specification;
    let commands = number(table::<P>().len());
    [
        (TpmPt::INPUT_BUFFER, number(MAX_DIGEST_BUFFER)),
        (TpmPt::HR_TRANSIENT_MIN, number(limits.transient_objects)),
        (TpmPt::HR_PERSISTENT_MIN, number(limits.persistent_objects)),
        (TpmPt::HR_LOADED_MIN, number(limits.loaded_sessions)),
        (TpmPt::ACTIVE_SESSIONS_MAX, number(limits.active_sessions)),
        (TpmPt::PCR_COUNT, number(PcrIndex::COUNT)),
        (TpmPt::PCR_SELECT_MIN, number(PcrSelect::SIZE)),
        (TpmPt::CONTEXT_GAP_MAX, limits.context_gap),
        // "0: the number of counters is not limited other than by the space"
        (TpmPt::NV_COUNTERS_MAX, 0),
        (TpmPt::NV_INDEX_MAX, u32::from(limits.nv_index_bytes)),
        (TpmPt::MEMORY, TpmaMemory::SHARED_NV.with(TpmaMemory::OBJECT_COPIED_TO_RAM).0),
        (TpmPt::CLOCK_UPDATE, u32::try_from(UPDATE_INTERVAL).unwrap_or(u32::MAX)),
        (TpmPt::CONTEXT_HASH, u32::from(TpmAlgId::SHA512.0)),
        (TpmPt::CONTEXT_SYM, u32::from(TpmAlgId::AES.0)),
        (TpmPt::CONTEXT_SYM_SIZE, 256),
        (TpmPt::ORDERLY_COUNT, MAX_ORDERLY_COUNT),
        (TpmPt::MAX_COMMAND_SIZE, number(limits.command_size)),
        (TpmPt::MAX_RESPONSE_SIZE, number(limits.response_size)),
        (TpmPt::MAX_DIGEST, number(MAX_DIGEST)),
        (TpmPt::MAX_OBJECT_CONTEXT, number(MAX_CONTEXT)),
        (TpmPt::MAX_SESSION_CONTEXT, number(MAX_CONTEXT)),
        (TpmPt::PS_FAMILY_INDICATOR, family),
        (TpmPt::PS_LEVEL, level),
        (TpmPt::PS_REVISION, revision),
        (TpmPt::PS_DAY_OF_YEAR, day),
        (TpmPt::PS_YEAR, year),
        (TpmPt::SPLIT_MAX, Commits::MAX),
        (TpmPt::TOTAL_COMMANDS, commands),
        (TpmPt::LIBRARY_COMMANDS, commands),
        (TpmPt::VENDOR_COMMANDS, 0),
        (TpmPt::NV_BUFFER_MAX, number(MAX_NV_BUFFER)),
        (TpmPt::MODES, 0),
        (TpmPt::MAX_CAP_BUFFER, MAX_CAP_BUFFER),
    ]
}

fn variable_properties<P: Platform>(tpm: &Tpm<P>) -> [(TpmPt, u32); 21] {
    let state = &tpm.state;
    let (nv, sessions, objects, da) = (&state.nv, &state.sessions, &state.objects, &state.da_parameters);
    [
        (TpmPt::PERMANENT, permanent(tpm).0),
        (TpmPt::STARTUP_CLEAR, startup_clear(tpm).0),
        (TpmPt::HR_NV_INDEX, number(nv.count())),
        (TpmPt::HR_LOADED, number(sessions.loaded_count())),
        (TpmPt::HR_LOADED_AVAIL, number(sessions.loaded_free())),
        (TpmPt::HR_ACTIVE, number(sessions.active_count())),
        (TpmPt::HR_ACTIVE_AVAIL, number(sessions.active_free())),
        (TpmPt::HR_TRANSIENT_AVAIL, number(objects.transient_free())),
        (TpmPt::HR_PERSISTENT, number(objects.persistent_count())),
        (TpmPt::HR_PERSISTENT_AVAIL, number(objects.persistent_free())),
        (TpmPt::NV_COUNTERS, number(nv.counters())),
        (TpmPt::NV_COUNTERS_AVAIL, number(nv.free_places())),
        (TpmPt::ALGORITHM_SET, state.algorithm_set),
        (TpmPt::LOADED_CURVES, curves(tpm)),
        (TpmPt::LOCKOUT_COUNTER, tpm.da.failed_tries()),
        (TpmPt::MAX_AUTH_FAIL, da.max_tries),
        (TpmPt::LOCKOUT_INTERVAL, da.recovery_seconds),
        (TpmPt::LOCKOUT_RECOVERY, da.lockout_recovery_seconds),
        (TpmPt::NV_WRITE_RECOVERY, 0),
        (TpmPt::AUDIT_COUNTER_0, high(state.command_audit.counter())),
        (TpmPt::AUDIT_COUNTER_1, low(state.command_audit.counter())),
    ]
}

fn permanent<P: Platform>(tpm: &Tpm<P>) -> TpmaPermanent {
    let hierarchies = &tpm.state.hierarchies;
    let auth_set = |hierarchy| !hierarchies.of(hierarchy).auth.is_empty();
    // "TPM_GENERATED_EPS: the EPS was created by the TPM", as always here
    TpmaPermanent::TPM_GENERATED_EPS
        .assign(TpmaPermanent::OWNER_AUTH_SET, auth_set(Hierarchy::Owner))
        .assign(TpmaPermanent::ENDORSEMENT_AUTH_SET, auth_set(Hierarchy::Endorsement))
        .assign(TpmaPermanent::LOCKOUT_AUTH_SET, !hierarchies.lockout_auth.is_empty())
        .assign(TpmaPermanent::DISABLE_CLEAR, hierarchies.clear_disabled)
        .assign(TpmaPermanent::IN_LOCKOUT, tpm.da.in_lockout(&tpm.state.da_parameters))
}

fn startup_clear<P: Platform>(tpm: &Tpm<P>) -> TpmaStartupClear {
    let hierarchies = &tpm.state.hierarchies;
    TpmaStartupClear::NONE
        .assign(TpmaStartupClear::PH_ENABLE, hierarchies.of(Hierarchy::Platform).enabled)
        .assign(TpmaStartupClear::SH_ENABLE, hierarchies.of(Hierarchy::Owner).enabled)
        .assign(TpmaStartupClear::EH_ENABLE, hierarchies.of(Hierarchy::Endorsement).enabled)
        .assign(TpmaStartupClear::PH_ENABLE_NV, hierarchies.platform_nv_enabled)
        .assign(TpmaStartupClear::READ_ONLY, tpm.state.read_only)
        .assign(TpmaStartupClear::ORDERLY, tpm.state.started_orderly)
}

fn curves<P: Platform>(tpm: &Tpm<P>) -> u32 {
    let all = evtpm_tpm_wire::EccCurve::ALL.iter();
    number(all.filter(|curve| tpm.profile.supported.curves.contains(**curve)).count())
}

/// Walks over the PCR properties, in ascending order.
pub(super) fn pcr_properties() -> impl Iterator<Item = TpmsTaggedPcrSelect> {
    PCR_PROPERTIES.iter().map(|(tag, selects)| TpmsTaggedPcrSelect {
        tag: *tag,
        select: rules()
            .filter(|(_, rules)| selects(rules))
            .filter_map(|(pcr, _)| PcrIndex::new(u32::from(pcr)))
            .fold(PcrSelect::NONE, PcrSelect::with),
    })
}

type Selects = fn(&PcrRules) -> bool;

const PCR_PROPERTIES: &[(TpmPt, Selects)] = &[
    (TpmPt::PCR_SAVE, |rules| rules.saved),
    (TpmPt::PCR_EXTEND_L0, |rules| rules.may_extend(Locality::ZERO)),
    (TpmPt::PCR_RESET_L0, |rules| rules.may_reset(Locality::ZERO)),
    (TpmPt::PCR_EXTEND_L1, |rules| rules.may_extend(Locality::ONE)),
    (TpmPt::PCR_RESET_L1, |rules| rules.may_reset(Locality::ONE)),
    (TpmPt::PCR_EXTEND_L2, |rules| rules.may_extend(Locality::TWO)),
    (TpmPt::PCR_RESET_L2, |rules| rules.may_reset(Locality::TWO)),
    (TpmPt::PCR_EXTEND_L3, |rules| rules.may_extend(Locality::THREE)),
    (TpmPt::PCR_RESET_L3, |rules| rules.may_reset(Locality::THREE)),
    (TpmPt::PCR_EXTEND_L4, |rules| rules.may_extend(Locality::FOUR)),
    (TpmPt::PCR_RESET_L4, |rules| rules.may_reset(Locality::FOUR)),
    (TpmPt::PCR_NO_INCREMENT, |rules| rules.uncounted),
    (TpmPt::PCR_DRTM_RESET, |rules| rules.dynamic),
    (TpmPt::PCR_POLICY, |rules| rules.grouped),
    (TpmPt::PCR_AUTH, |rules| rules.grouped),
];

fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(u32::MAX)
}

fn low(number: u64) -> u32 {
    u32::try_from(number & 0xFFFF_FFFF).unwrap_or(u32::MAX)
}

/// Counts are small; one that is not is reported as the largest number.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
