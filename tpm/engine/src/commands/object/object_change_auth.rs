// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ObjectChangeAuth` (Part 3, "TPM2_ObjectChangeAuth").

use crate::commands::Execute;
use crate::name;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ObjectChangeAuth, ObjectChangeAuthHandles, ObjectChangeAuthResponse};
use evtpm_tpm_wire::{Rc, Subject, TpmtSensitive};

impl Execute for ObjectChangeAuth {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: ObjectChangeAuthHandles,
    ) -> Result<ObjectChangeAuthResponse, Rc> {
        // A sequence keeps the authValue that it was started with.
        let object = tpm.object(handles.object_handle.handle()).ok_or(Rc::TYPE.at(Subject::Handle(1)))?;
        let new_auth = self.new_auth.without_trailing_zeros();
        if object.public.name_alg.is_some_and(|alg| new_auth.len() > alg.digest_size()) {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        // "This command may not be used to change the authorization value for ... a Primary Object": none has a parent key
        let parent = tpm.storage_parent(handles.parent_handle.handle(), 2)?;
        let expected = name::qualified::<P::Crypto>(&parent.qualified_name, object.public.name_alg, &object.name);
        if object.external || object.primary || expected != object.qualified_name {
            return Err(Rc::TYPE.at(Subject::Handle(2)));
        }

        let old = object.sensitive.as_ref().ok_or(Rc::AUTH_UNAVAILABLE)?;
        let sensitive =
            TpmtSensitive { auth_value: new_auth, seed_value: old.seed_value.clone(), body: old.body.clone() };
        let name = object.name;
        let out_private = tpm.wrap(handles.parent_handle.handle(), &name, &sensitive)?;

        // "This command does not change the authorization of the TPM-resident object on which it operates."
        Ok(ObjectChangeAuthResponse { out_private })
    }
}
