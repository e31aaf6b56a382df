// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ContextLoad` (Part 3, "TPM2_ContextLoad").

use super::encoding::{decode_object, decode_sequence, decode_session};
use super::protection::{CONTENT_AT, ContextKeys, SEQUENCE};
use crate::commands::Execute;
use crate::failure::Failure;
use crate::state::Loaded;
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{ContextLoad, ContextLoadResponse};
use evtpm_tpm_wire::{HandleType, Rc, Reader, Subject};

impl Execute for ContextLoad<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<ContextLoadResponse, Rc> {
        let context = self.context;
        let (saved, hierarchy) = (context.saved_handle.handle(), ticket::hierarchy(context.hierarchy));
        let at_context = |rc: Rc| rc.at(Subject::Parameter(1));
        let keys = ContextKeys::derive(tpm, hierarchy, context.sequence, saved)?;
        let (sequence, content) = keys.open::<P::Crypto>(context.context_blob.as_bytes()).map_err(at_context)?;
        // "If the values are not the same, then the TPM will enter failure mode as this is symptomatic of ... power analysis"
        if sequence != context.sequence {
            return Err(tpm.fail(Failure::Context));
        }
        // "The TPM will return TPM_RC_HIERARCHY if the context is associated with a hierarchy that is disabled."
        if !tpm.state.hierarchies.of(hierarchy).enabled {
            return Err(at_context(Rc::HIERARCHY));
        }
        let is_object = saved.kind() == Some(HandleType::Transient);
        if is_object {
            tpm.state.objects.room()?;
        } else {
            tpm.state.sessions.may_load(saved.0, sequence).map_err(at_context)?;
        }

        let mut reader = Reader::permissive(content.as_bytes().get(CONTENT_AT..).unwrap_or_default());
        let loaded_handle = if !is_object {
            let session = decode_session(&mut reader).map_err(|_| at_context(Rc::INTEGRITY))?;
            tpm.state.sessions.load(saved.0, session)?;
            saved
        } else {
            let loaded = if saved == SEQUENCE {
                decode_sequence(&mut reader).map(Loaded::Sequence)
            } else {
                decode_object::<P::Crypto>(&mut reader).map(Loaded::Object)
            };
            tpm.state.objects.load(loaded.map_err(|_| at_context(Rc::INTEGRITY))?)?
        };
        Ok(ContextLoadResponse { loaded_handle })
    }
}
