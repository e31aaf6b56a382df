// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Create` (Part 3, "TPM2_Create").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_template};
use crate::object::create::create;
use crate::object::creation_data::Origin;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Create, CreateHandles, CreateResponse};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b};

impl Execute for Create {
    fn run<P: Platform>(mut self, tpm: &mut Tpm<P>, handles: CreateHandles) -> Result<CreateResponse, Rc> {
        let (Tpm2b(sensitive), Tpm2b(public)) = (&self.in_sensitive, &mut self.in_public);
        // "The parentHandle parameter shall reference a loaded decryption key that has both the public and sensitive area"
        let parent_handle = handles.parent_handle.handle();
        let parent = tpm.storage_parent(parent_handle, 1)?;
        check_template(Parent::Key(parent), public, sensitive.data.len()).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        let name_alg = public.name_alg.ok_or(Rc::HASH.at(Subject::Parameter(2)))?;

        let (_, mut rng, work) = tpm.split();
        let made = create(public, sensitive.user_auth.clone(), &sensitive.data, &mut rng, &[], work);
        let sensitive = made.map_err(|error| tpm.refuse_creation(error))?;
        let name = name::of_object::<P::Crypto>(public);
        let parent = tpm.storage_parent(parent_handle, 1)?;
        let (creation_data, creation_hash) =
            tpm.creation_data(name_alg, &Origin::Parent(parent), &self.creation_pcr, self.outside_info)?;
        let creation_ticket = tpm.creation_ticket(parent.hierarchy, name.as_bytes(), creation_hash.as_bytes());
        let out_private = tpm.wrap(parent_handle, &name, &sensitive)?;

        // Nothing stays in the TPM.
        Ok(CreateResponse {
            out_private,
            out_public: self.in_public,
            creation_data: Tpm2b(creation_data),
            creation_hash,
            creation_ticket,
        })
    }
}
