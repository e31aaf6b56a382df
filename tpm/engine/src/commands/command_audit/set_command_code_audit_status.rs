// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SetCommandCodeAuditStatus` (Part 3, "TPM2_SetCommandCodeAuditStatus").

use crate::commands::{Execute, spec, table};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{SetCommandCodeAuditStatus, SetCommandCodeAuditStatusHandles};
use evtpm_tpm_wire::{Cc, Rc, Subject};

impl Execute for SetCommandCodeAuditStatus {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: SetCommandCodeAuditStatusHandles) -> Result<(), Rc> {
        let new_alg = self.audit_alg.filter(|alg| *alg != tpm.state.command_audit.alg);
        // "or to set the hash algorithm used for the audit digest, but not both at the same time"
        if new_alg.is_some() && !(self.set_list.is_empty() && self.clear_list.is_empty()) {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }

        let audit = &mut tpm.state.command_audit;
        if let Some(alg) = new_alg {
            audit.change_alg(alg);
        }
        // "It is not an error if a command in setList is already audited or is not implemented.", "setList shall be processed
        // first"
        for (list, audited) in [(&self.set_list, true), (&self.clear_list, false)] {
            let implemented = list.iter().filter(|code| spec::<P>(**code).is_some());
            implemented.for_each(|code| audit.choose(*code, audited));
        }
        Ok(())
    }
}

impl<P: Platform> Tpm<P> {
    /// Walks over the commands that are audited, in ascending order.
    pub(crate) fn audited_commands(&self) -> impl Iterator<Item = Cc> {
        table::<P>().iter().map(|row| row.spec.code).filter(|code| self.state.command_audit.covers(*code))
    }
}
