// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_FlushContext` (Part 3, "TPM2_FlushContext").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::FlushContext;
use evtpm_tpm_wire::{HandleType, Rc, Subject};

impl Execute for FlushContext {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        let handle = self.flush_handle.handle();
        // Both refuse by themselves, and have changed nothing then.
        let flushed = match handle.kind() {
            Some(HandleType::Transient) => tpm.state.objects.flush(handle),
            _ => tpm.state.sessions.flush(handle.0),
        };
        flushed.ok_or(Rc::HANDLE.at(Subject::Parameter(1)))
    }
}
