// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetCapability` (Part 3, "TPM2_GetCapability").

use super::algorithms::algorithms;
use super::properties::{pcr_properties, tpm_properties};
use crate::algorithm;
use crate::commands::{Execute, table};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{GetCapability, GetCapabilityResponse};
use evtpm_tpm_wire::{
    EccCurve, Handle, HandleType, List, PcrIndex, Rc, Subject, TpmCap, TpmlPcrSelection, TpmsActData,
    TpmsCapabilityData, TpmsPcrSelection, TpmsTaggedPolicy, TpmtHa, YesNo,
};

/// `PT_GROUP`: "the number of properties in each group".
const GROUP: u32 = 0x100;

impl Execute for GetCapability {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<GetCapabilityResponse, Rc> {
        let (from, count) = (self.property, usize::try_from(self.property_count).unwrap_or(usize::MAX));
        let (more, capability_data) = match self.capability {
            TpmCap::Algs => {
                let items = algorithms(&tpm.profile.supported).filter(|item| u32::from(item.alg.0) >= from);
                page(count, items, TpmsCapabilityData::Algs)
            }
            TpmCap::Handles => page(count, handles(tpm, Handle(from))?, TpmsCapabilityData::Handles),
            TpmCap::Commands => {
                let items = table::<P>().iter().filter(|row| row.spec.code.0 >= from).map(|row| row.spec.attributes());
                page(count, items, TpmsCapabilityData::Commands)
            }
            TpmCap::PpCommands => {
                let listed = table::<P>().iter().filter(|row| tpm.needs_physical_presence(&row.spec));
                let items = listed.map(|row| row.spec.code).filter(|code| code.0 >= from);
                page(count, items, TpmsCapabilityData::PpCommands)
            }
            TpmCap::AuditCommands => {
                let items = tpm.audited_commands().filter(|code| code.0 >= from);
                page(count, items, TpmsCapabilityData::AuditCommands)
            }
            TpmCap::Pcrs if from == 0 => (false, TpmsCapabilityData::Pcrs(banks(tpm)?)),
            TpmCap::TpmProperties => {
                // "The TPM will only return values in the same group as the property parameter in the command."; below the
                // first group there is none.
                let from = from.max(GROUP);
                let items = tpm_properties(tpm);
                let items = items.filter(|item| item.property.0 >= from && item.property.0 / GROUP == from / GROUP);
                page(count, items, TpmsCapabilityData::TpmProperties)
            }
            TpmCap::PcrProperties => {
                let items = pcr_properties().filter(|item| item.tag.0 >= from);
                page(count, items, TpmsCapabilityData::PcrProperties)
            }
            TpmCap::EccCurves => {
                let curves = EccCurve::ALL.iter().filter(|curve| tpm.profile.supported.curves.contains(**curve));
                let items = curves.map(|curve| curve.id()).filter(|id| u32::from(*id) >= from);
                page(count, items, TpmsCapabilityData::EccCurves)
            }
            // "The TPM will return TPM_RC_VALUE if the handle does not reference the range for permanent handles."
            TpmCap::AuthPolicies if Handle(from).kind() == Some(HandleType::Permanent) => {
                page(count, policies(tpm, Handle(from)), TpmsCapabilityData::AuthPolicies)
            }
            TpmCap::Act if (Handle::ACT_0.0..=Handle::ACT_F.0).contains(&from) => {
                let items = countdowns(tpm).filter(|item| item.handle.0 >= from);
                page(count, items, TpmsCapabilityData::Act)
            }
            TpmCap::Pcrs | TpmCap::AuthPolicies | TpmCap::Act => return Err(Rc::VALUE.at(Subject::Parameter(2))),
            TpmCap::PubKeys | TpmCap::SpdmSessionInfo | TpmCap::VendorProperty => {
                return Err(Rc::VALUE.at(Subject::Parameter(1)));
            }
        };
        Ok(GetCapabilityResponse { more_data: YesNo::from(more), capability_data })
    }
}

/// Takes at most `count` items, and no more than fit, and tells whether there are more.
fn page<T: Copy + Default, const N: usize>(
    count: usize,
    mut items: impl Iterator<Item = T>,
    data: impl FnOnce(List<T, N>) -> TpmsCapabilityData,
) -> (bool, TpmsCapabilityData) {
    let mut list = List::new();
    for item in items.by_ref().take(count.min(N)) {
        // Cannot overflow: not more than N are taken.
        let _ = list.push(item);
    }
    (items.next().is_some(), data(list))
}

/// Walks over the handles from `from` on that are of the same kind.
fn handles<P: Platform>(tpm: &Tpm<P>, from: Handle) -> Result<impl Iterator<Item = Handle>, Rc> {
    let kind = from.kind().ok_or(Rc::HANDLE.at(Subject::Parameter(2)))?;
    let supported = matches!(
        kind,
        HandleType::Pcr
            | HandleType::NvIndex
            | HandleType::ExternalNv
            | HandleType::HmacSession
            | HandleType::PolicySession
            | HandleType::Permanent
            | HandleType::Transient
            | HandleType::Persistent
    );
    if !supported {
        return Err(Rc::HANDLE.at(Subject::Parameter(2)));
    }
    let of = move |wanted: HandleType| wanted == kind;
    let pcrs = PcrIndex::ALL.into_iter().map(Handle::from).filter(move |_| of(HandleType::Pcr));
    let indices = ascending(from, |next| tpm.state.nv.next_handle(next)).filter(move |next| next.kind() == Some(kind));
    // "TPM_HT_LOADED_SESSION" and "TPM_HT_SAVED_SESSION" are the numbers of HMAC and policy sessions.
    let loaded = tpm.state.sessions.loaded_handles().map(Handle).filter(move |_| of(HandleType::HmacSession));
    let loaded = loaded.filter(move |handle| handle.index() >= from.index());
    let saved = tpm.state.sessions.saved_handles().map(Handle).filter(move |_| of(HandleType::PolicySession));
    let saved = saved.filter(move |handle| handle.index() >= from.index());
    let permanent = PERMANENT.into_iter().chain(tpm.state.countdowns.iter().map(|(handle, _)| handle));
    let permanent = permanent.filter(move |_| of(HandleType::Permanent));
    let transient = tpm.state.objects.transient_handles().filter(move |_| of(HandleType::Transient));
    let persistent = ascending(from, |next| tpm.state.objects.next_persistent(next));
    let persistent = persistent.filter(move |_| of(HandleType::Persistent));
    let others = pcrs.chain(indices).chain(permanent).chain(transient).chain(persistent);
    Ok(loaded.chain(saved).chain(others.filter(move |handle| *handle >= from)))
}

/// The permanent handles below those of the timers, in ascending order.
const PERMANENT: [Handle; 7] = [
    Handle::OWNER,
    Handle::NULL,
    Handle::PASSWORD,
    Handle::LOCKOUT,
    Handle::ENDORSEMENT,
    Handle::PLATFORM,
    Handle::PLATFORM_NV,
];

/// Walks upwards with a function that finds the next handle.
fn ascending(from: Handle, next: impl Fn(Handle) -> Option<Handle>) -> impl Iterator<Item = Handle> {
    core::iter::successors(next(from), move |handle| next(Handle(handle.0.checked_add(1)?)))
}

/// "TPM_CAP_PCRS: Returns the current allocation of PCR": every implemented bank, also an empty one.
fn banks<P: Platform>(tpm: &Tpm<P>) -> Result<TpmlPcrSelection, Rc> {
    let mut list = TpmlPcrSelection::new();
    for bank in tpm.state.pcrs.banks() {
        let item = TpmsPcrSelection { hash: algorithm::wire_hash(bank.alg), select: bank.allocated() };
        list.push(item).map_err(|_| Rc::FAILURE)?;
    }
    Ok(list)
}

/// "TPM_CAP_AUTH_POLICIES: Returns a list of TPM handles and their policies".
fn policies<P: Platform>(tpm: &Tpm<P>, from: Handle) -> impl Iterator<Item = TpmsTaggedPolicy> {
    let hierarchies = [Handle::OWNER, Handle::LOCKOUT, Handle::ENDORSEMENT, Handle::PLATFORM];
    let handles = hierarchies.into_iter().chain(tpm.state.countdowns.iter().map(|(handle, _)| handle));
    handles.filter(move |handle| *handle >= from).map(|handle| {
        let policy_hash = tpm.entity_policy(handle).and_then(|(alg, digest)| TpmtHa::new(alg, digest.as_bytes()));
        TpmsTaggedPolicy { handle, policy_hash }
    })
}

/// "TPM_CAP_ACT - Returns a list of TPMS_ACT_DATA".
fn countdowns<P: Platform>(tpm: &Tpm<P>) -> impl Iterator<Item = TpmsActData> {
    let time = tpm.clock.time();
    tpm.state.countdowns.iter().map(move |(handle, timer)| TpmsActData {
        handle,
        timeout: timer.timeout(time),
        attributes: timer.attributes(time),
    })
}
