// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_EvictControl` (Part 3, "TPM2_EvictControl").

use crate::commands::Execute;
use crate::state::{Hierarchy, Object};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{EvictControl, EvictControlHandles};
use evtpm_tpm_wire::{Handle, HandleType, Rc, Subject, TpmiRhProvision};

impl Execute for EvictControl {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EvictControlHandles) -> Result<(), Rc> {
        let (object_handle, persistent) = (handles.object_handle.handle(), self.persistent_handle.handle());
        let at_object = |rc: Rc| rc.at(Subject::Handle(2));
        let is_platform = handles.auth == TpmiRhProvision::Platform;
        // A sequence object is in the NULL hierarchy.
        let object = tpm.object(object_handle).ok_or(at_object(Rc::ATTRIBUTES))?;
        if object_handle.kind() == Some(HandleType::Persistent) {
            if !is_platform && object_handle >= Handle::PLATFORM_PERSISTENT {
                return Err(at_object(Rc::RANGE));
            }
            // "If objectHandle is not the same value as persistentHandle, return TPM_RC_HANDLE."
            if object_handle != persistent {
                return Err(at_object(Rc::HANDLE));
            }
            tpm.state.objects.evict(object_handle);
            return Ok(());
        }
        check_transient(object, is_platform).map_err(at_object)?;
        if is_platform != (persistent >= Handle::PLATFORM_PERSISTENT) {
            return Err(Rc::RANGE.at(Subject::Parameter(1)));
        }
        if tpm.object(persistent).is_some() {
            return Err(Rc::NV_DEFINED);
        }
        if !tpm.state.objects.persistent_room() {
            return Err(Rc::NV_SPACE);
        }

        let object = object.clone();
        tpm.state.objects.persist(persistent, object).map_err(|_| Rc::NV_SPACE)
    }
}

fn check_transient(object: &Object, is_platform: bool) -> Result<(), Rc> {
    // "it is in the hierarchy of TPM_RH_NULL", "the stClear is SET in the object or in an ancestor key". "Support for
    // persisting public-only objects was added in version 185", so that external ones may be too.
    if object.hierarchy == Hierarchy::Null || object.st_clear {
        return Err(Rc::ATTRIBUTES);
    }
    // "If auth is TPM_RH_PLATFORM, the proper hierarchy is the Platform hierarchy."
    if is_platform == (object.hierarchy == Hierarchy::Platform) { Ok(()) } else { Err(Rc::HIERARCHY) }
}
