// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a handle references: whether it is there, its Name, authValue, authPolicy and dictionary-attack protection.

use crate::name::{self, Name};
use crate::state::{Auth, AuthPolicy, Countdown, DaBound, Hierarchy, NvIndex, Object, Sequence, rule};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, Digest};
use evtpm_tpm_wire::{Cc, Handle, HandleType, PcrIndex, Rc, Subject, TpmaNv, TpmaObject};

static NO_AUTH: Auth = Auth::EMPTY;

impl<P: Platform> Tpm<P> {
    /// Finds an object whose hierarchy is enabled.
    pub(crate) fn object(&self, handle: Handle) -> Option<&Object> {
        self.state.objects.object(handle)
    }

    /// Finds a sequence.
    pub(crate) fn sequence(&self, handle: Handle) -> Option<&Sequence<<P::Crypto as Crypto>::Hasher>> {
        self.state.objects.sequence(handle)
    }

    /// Finds an authenticated countdown timer.
    pub(crate) fn countdown(&self, handle: Handle) -> Option<&Countdown> {
        self.state.countdowns.at(handle)
    }

    /// Finds an NV index whose hierarchy is enabled.
    pub(crate) fn nv_index(&self, handle: Handle) -> Option<&NvIndex> {
        let index = self.state.nv.index(handle)?;
        let enabled = if index.has(TpmaNv::PLATFORMCREATE) {
            self.state.hierarchies.platform_nv_enabled
        } else {
            self.state.hierarchies.of(Hierarchy::Owner).enabled
        };
        enabled.then_some(index)
    }

    /// "For all handles in the handle area of the command, the TPM will validate that the referenced entity is present."
    pub(crate) fn check_present(&self, code: Cc, handle: Handle, number: u8) -> Result<(), Rc> {
        let absent = || Err(Rc::HANDLE.at(Subject::Handle(number)));
        match handle.kind() {
            Some(HandleType::Transient) if self.state.objects.loaded(handle).is_none() => Err(not_loaded(number)),
            Some(HandleType::HmacSession | HandleType::PolicySession) => {
                if self.state.sessions.loaded(handle.0).is_some() {
                    Ok(())
                } else if self.state.sessions.is_of_other_type(handle.0) {
                    absent()
                } else {
                    Err(not_loaded(number))
                }
            }
            Some(HandleType::Persistent) => {
                if self.persistent_is_accessible(code, handle) {
                    Ok(())
                } else {
                    absent()
                }
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => {
                if self.nv_index(handle).is_some() {
                    Ok(())
                } else {
                    absent()
                }
            }
            Some(HandleType::Permanent) => match Hierarchy::from_handle(handle.0) {
                Some(hierarchy) if !self.state.hierarchies.of(hierarchy).enabled => {
                    Err(Rc::HIERARCHY.at(Subject::Handle(number)))
                }
                // Vendor-specific authorizations are allowed by the type, and this TPM has none; of the timers it has a few.
                None if (Handle::AUTH_00..=Handle::ACT_F).contains(&handle) && self.countdown(handle).is_none() => {
                    Err(Rc::VALUE.at(Subject::Handle(number)))
                }
                _ => Ok(()),
            },
            Some(HandleType::Transient | HandleType::Pcr) => Ok(()),
            Some(HandleType::PermanentNv | HandleType::AttachedComponent) | None => absent(),
        }
    }

    /// A persistent object needs its own hierarchy and that of its handle's range; phEnableNV is for indices alone. It can be
    /// evicted without its own, or the owner could not make room for others.
    fn persistent_is_accessible(&self, code: Cc, handle: Handle) -> bool {
        let Some(object) = self.object(handle) else { return false };
        let range = if handle >= Handle::PLATFORM_PERSISTENT { Hierarchy::Platform } else { Hierarchy::Owner };
        let is_enabled = |hierarchy| self.state.hierarchies.of(hierarchy).enabled;
        is_enabled(range) && (code == Cc::EVICT_CONTROL || is_enabled(object.hierarchy))
    }

    /// Tells the Name of an entity; a sequence has none.
    pub(crate) fn entity_name(&self, handle: Handle) -> Name {
        match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                self.object(handle).map_or(Name::EMPTY, |object| object.name)
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => {
                self.state.nv.index(handle).map_or(Name::EMPTY, |index| name::of_nv_index::<P::Crypto>(&index.public))
            }
            _ => name::of_handle(handle),
        }
    }

    /// Finds the authValue of an entity that is still there; entities that need none have an empty one.
    pub(crate) fn entity_auth(&self, handle: Handle) -> Option<&Auth> {
        match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                if let Some(sequence) = self.sequence(handle) {
                    return Some(&sequence.auth);
                }
                let object = self.object(handle)?;
                Some(object.sensitive.as_ref().map_or(&NO_AUTH, |sensitive| &sensitive.auth_value))
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => self.state.nv.index(handle).map(|index| &index.auth),
            Some(HandleType::Pcr) => Some(if is_grouped(handle) { &self.state.pcrs.auth } else { &NO_AUTH }),
            _ if handle == Handle::LOCKOUT => Some(&self.state.hierarchies.lockout_auth),
            // "The authValue is the same as the current platformAuth"
            _ if self.countdown(handle).is_some() => Some(&self.state.hierarchies.of(Hierarchy::Platform).auth),
            _ => Some(Hierarchy::from_handle(handle.0).map_or(&NO_AUTH, |h| &self.state.hierarchies.of(h).auth)),
        }
    }

    /// Tells the authPolicy of an entity and the algorithm it was computed with.
    pub(crate) fn entity_policy(&self, handle: Handle) -> AuthPolicy {
        match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                let object = self.object(handle)?;
                Some((object.public.name_alg?, Digest::from_slice(object.public.auth_policy.as_bytes())?))
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => {
                let public = &self.state.nv.index(handle)?.public;
                Some((public.name_alg, Digest::from_slice(public.auth_policy.as_bytes())?))
            }
            Some(HandleType::Pcr) => self.state.pcrs.policy.filter(|_| is_grouped(handle)),
            _ if handle == Handle::LOCKOUT => self.state.hierarchies.lockout_policy,
            _ if self.countdown(handle).is_some() => self.countdown(handle)?.policy,
            _ => self.state.hierarchies.of(Hierarchy::from_handle(handle.0)?).policy,
        }
    }

    /// Tells what kind of dictionary-attack protection an entity's authValue has.
    pub(crate) fn entity_da(&self, handle: Handle) -> DaBound {
        let protected = match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                self.object(handle).is_some_and(|object| !object.has(TpmaObject::NO_DA))
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => {
                self.state.nv.index(handle).is_some_and(|index| !index.has(TpmaNv::NO_DA))
            }
            _ if handle == Handle::LOCKOUT => return DaBound::Lockout,
            _ => false,
        };
        if protected { DaBound::Entity } else { DaBound::No }
    }
}

/// Tells whether a handle is a PCR whose authorization its group shares.
pub(crate) fn is_grouped(handle: Handle) -> bool {
    PcrIndex::new(handle.0).is_some_and(|pcr| rule(pcr).grouped)
}

/// "TPM_RC_REFERENCE_H0 + N where N is the number of the handle in the command".
const fn not_loaded(number: u8) -> Rc {
    match number {
        1 => Rc::REFERENCE_H0,
        2 => Rc::REFERENCE_H1,
        _ => Rc::REFERENCE_H2,
    }
}
