// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ContextSave` (Part 3, "TPM2_ContextSave").

use super::encoding::{encode_object, encode_sequence, encode_session};
use super::protection::{CLEAR_OBJECT, ContextKeys, MAX_CONTENT, OBJECT, SEQUENCE};
use crate::commands::Execute;
use crate::state::{Hierarchy, Loaded};
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{ContextSave, ContextSaveHandles, ContextSaveResponse};
use evtpm_tpm_wire::{Handle, HandleType, Overflow, Rc, Secret, Subject, TpmiDhSaved, TpmsContext, Writer};

impl Execute for ContextSave {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ContextSaveHandles) -> Result<ContextSaveResponse, Rc> {
        let handle = handles.save_handle.handle();
        let mut content = Secret::<MAX_CONTENT>::zeros(MAX_CONTENT).map_err(|Overflow| Rc::FAILURE)?;
        let mut writer = Writer::new(content.as_mut_bytes());
        let is_object = handle.kind() == Some(HandleType::Transient);
        let (saved, hierarchy, sequence) = if is_object {
            let sequence = tpm.state.object_context.checked_add(1).ok_or(Rc::TOO_MANY_CONTEXTS)?;
            match tpm.state.objects.loaded(handle).ok_or(Rc::REFERENCE_H0)? {
                Loaded::Object(object) => {
                    encode_object(object, &mut writer).map_err(|Overflow| Rc::FAILURE)?;
                    (if object.st_clear { CLEAR_OBJECT } else { OBJECT }, object.hierarchy, sequence)
                }
                Loaded::Sequence(loaded) => {
                    encode_sequence(loaded, &mut writer).map_err(|Overflow| Rc::FAILURE)?;
                    (SEQUENCE, Hierarchy::Null, sequence)
                }
            }
        } else {
            let session = tpm.state.sessions.loaded(handle.0).ok_or(Rc::REFERENCE_H0)?;
            encode_session(session, &mut writer).map_err(|Overflow| Rc::FAILURE)?;
            (handle, Hierarchy::Null, tpm.state.sessions.next_context())
        };
        let size = writer.written();
        content.truncate(size);

        let keys = ContextKeys::derive(tpm, hierarchy, sequence, saved)?;
        let context_blob = keys.protect::<P::Crypto>(sequence, &content)?;
        let saved_handle = TpmiDhSaved::new(Handle(saved.0), &tpm.profile.supported);
        let saved_handle = saved_handle.ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;

        if is_object {
            tpm.state.object_context = sequence;
        } else {
            tpm.state.sessions.save(handle.0);
        }
        let hierarchy = ticket::selector(hierarchy);
        Ok(ContextSaveResponse { context: TpmsContext { sequence, saved_handle, hierarchy, context_blob } })
    }
}
