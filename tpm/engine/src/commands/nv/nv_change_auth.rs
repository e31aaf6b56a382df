// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_ChangeAuth` (Part 3, "TPM2_NV_ChangeAuth").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvChangeAuth, NvChangeAuthHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for NvChangeAuth {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvChangeAuthHandles) -> Result<(), Rc> {
        let auth = self.new_auth.without_trailing_zeros();
        let handle = handles.nv_index.handle();
        let index = tpm.state.nv.index_mut(handle).ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;
        // "no larger than the size of the digest produced by the nameAlg of the NV Index"
        if auth.len() > index.public.name_alg.digest_size() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }

        index.auth = auth;
        Ok(())
    }
}
