// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Rewrap` (Part 3, "TPM2_Rewrap").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Rewrap, RewrapHandles, RewrapResponse};
use evtpm_tpm_wire::{Handle, Overflow, Rc, Subject, Tpm2bEncryptedSecret, Tpm2bPrivate};

impl Execute for Rewrap<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: RewrapHandles) -> Result<RewrapResponse, Rc> {
        // "If inSymSeed has a zero length, then oldParent is required to be TPM_RH_NULL": and the other way round
        if self.in_sym_seed.is_empty() != handles.old_parent.is_none() {
            return Err(Rc::HANDLE.at(Subject::Handle(1)));
        }
        let old_parent = handles.old_parent.map(Handle::from);
        if let Some(handle) = old_parent {
            tpm.storage_parent(handle, 1)?;
        }
        let new_parent = handles.new_parent.map(Handle::from);
        let new_parent = new_parent.map(|handle| tpm.asymmetric_parent(handle, 2).map(|_| handle)).transpose()?;

        let name = self.name.as_bytes();
        let content = match old_parent {
            Some(parent) => {
                let (seed, duplicate) = ((self.in_sym_seed.as_bytes(), 3), (self.in_duplicate.as_bytes(), 1));
                tpm.unwrap_with(parent, seed, name, duplicate)?
            }
            None => Tpm2bPrivate::new(self.in_duplicate.as_bytes())
                .map_err(|Overflow| Rc::SIZE.at(Subject::Parameter(1)))?,
        };
        let (out_duplicate, out_sym_seed) = match new_parent {
            Some(parent) => tpm.wrap_for(parent, name, content.as_bytes())?,
            // "If newParent is TPM_RH_NULL, then no encryption is performed on outDuplicate."
            None => (content, Tpm2bEncryptedSecret::EMPTY),
        };

        Ok(RewrapResponse { out_duplicate, out_sym_seed })
    }
}
