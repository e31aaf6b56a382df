// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Load` (Part 3, "TPM2_Load").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_public};
use crate::object::load::{Blame, check_halves};
use crate::object::private::unwrap;
use crate::state::{Loaded, Object};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Load, LoadHandles, LoadResponse};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b, TpmaObject};

impl Execute for Load<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: LoadHandles) -> Result<LoadResponse, Rc> {
        let Tpm2b(public) = self.in_public;
        tpm.state.objects.room()?;
        // "If inPrivate.size is zero, the load will fail."
        if self.in_private.is_empty() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let parent = tpm.storage_parent(handles.parent_handle.handle(), 1)?;
        let name = name::of_object::<P::Crypto>(&public);
        // "The integrity value shall be checked before the private area is decrypted and unmarshalled."
        let sensitive = unwrap::<P::Crypto>(parent, &name, self.in_private.as_bytes(), &tpm.profile.supported)
            .map_err(|rc| rc.at(Subject::Parameter(1)))?;
        check_public(Parent::Key(parent), &public).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        let seed_is_ours = parent.has(TpmaObject::FIXED_TPM);
        let object = Object::child_of::<P::Crypto>(parent, public, sensitive);
        if seed_is_ours {
            check_halves::<P::Crypto>(&object.public, object.sensitive.as_ref(), Blame::LOAD)?;
        } else {
            tpm.check_keys(&object.public, object.sensitive.as_ref(), Blame::LOAD)?;
        }

        let object_handle = tpm.state.objects.load(Loaded::Object(object))?;
        Ok(LoadResponse { object_handle, name })
    }
}
