// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ContextSave` (Part 3, "TPM2_ContextSave").

use super::encoding::{encode_object, encode_sequence, encode_session};
use super::protection::{CLEAR_OBJECT, ContextKeys, OBJECT, SEQUENCE};
use crate::commands::Execute;
use crate::state::{Hierarchy, Loaded, Session};
use crate::{Platform, Tpm, ticket};
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_tpm_wire::commands::{ContextSave, ContextSaveHandles, ContextSaveResponse};
use evtpm_tpm_wire::{Handle, HandleType, Overflow, Rc, Subject, TpmiDhSaved, TpmsContext, Writer};

impl Execute for ContextSave {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ContextSaveHandles) -> Result<ContextSaveResponse, Rc> {
        let handle = handles.save_handle.handle();
        let is_object = handle.kind() == Some(HandleType::Transient);
        let (saved, hierarchy, sequence) = if is_object {
            let sequence = tpm.state.object_context.checked_add(1).ok_or(Rc::TOO_MANY_CONTEXTS)?;
            match tpm.state.objects.loaded(handle).ok_or(Rc::REFERENCE_H0)? {
                Loaded::Object(object) => {
                    (if object.st_clear { CLEAR_OBJECT } else { OBJECT }, object.hierarchy, sequence)
                }
                Loaded::Sequence(_) => (SEQUENCE, Hierarchy::Null, sequence),
            }
        } else {
            (handle, Hierarchy::Null, tpm.state.sessions.next_context())
        };
        let content = tpm.content(handle)?;

        let keys = ContextKeys::derive(tpm, hierarchy, sequence, saved)?;
        let context_blob = keys.protect::<P::Crypto>(sequence, |writer| content.encode(writer))?;
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

/// What is saved.
enum Content<'a, H: StreamingHash> {
    Loaded(&'a Loaded<H>),
    Session(&'a Session),
}

impl<H: StreamingHash> Content<'_, H> {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        match self {
            Self::Loaded(Loaded::Object(object)) => encode_object(object, writer),
            Self::Loaded(Loaded::Sequence(sequence)) => encode_sequence(sequence, writer),
            Self::Session(session) => encode_session(session, writer),
        }
    }
}

impl<P: Platform> Tpm<P> {
    fn content(&self, handle: Handle) -> Result<Content<'_, <P::Crypto as Crypto>::Hasher>, Rc> {
        if handle.kind() == Some(HandleType::Transient) {
            return self.state.objects.loaded(handle).map(Content::Loaded).ok_or(Rc::REFERENCE_H0);
        }
        self.state.sessions.loaded(handle.0).map(Content::Session).ok_or(Rc::REFERENCE_H0)
    }
}
