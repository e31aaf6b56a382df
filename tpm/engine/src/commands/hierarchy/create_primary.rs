// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_CreatePrimary` (Part 3, "TPM2_CreatePrimary").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_template};
use crate::object::create::{CreateError, create, primary_generator};
use crate::object::creation_data::Origin;
use crate::state::{Loaded, Object};
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{CreatePrimary, CreatePrimaryHandles, CreatePrimaryResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2b};

impl Execute for CreatePrimary {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: CreatePrimaryHandles) -> Result<CreatePrimaryResponse, Rc> {
        let (Tpm2b(sensitive), Tpm2b(mut public)) = (self.in_sensitive, self.in_public);
        let hierarchy = ticket::hierarchy(handles.primary_handle);
        check_template(Parent::Seed, &public, sensitive.data.len()).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        tpm.state.objects.room()?;

        let name_alg = public.name_alg.ok_or(Rc::HASH.at(Subject::Parameter(2)))?;
        let seed = tpm.state.hierarchies.of(hierarchy).seed.as_bytes();
        let work = &mut tpm.work;
        let made = primary_generator::<P::Crypto>(seed, &public, sensitive.data.as_bytes())
            .and_then(|mut rng| create::<P::Crypto>(&mut public, sensitive.user_auth, &sensitive.data, &mut rng, work));
        let sensitive = made.map_err(|error| tpm.refuse_creation(error))?;
        let name = name::of_object::<P::Crypto>(&public);
        let handle = handles.primary_handle.handle();
        let (creation_data, creation_hash) =
            tpm.creation_data(name_alg, &Origin::Hierarchy(handle), &self.creation_pcr, self.outside_info)?;
        let creation_ticket = tpm.creation_ticket(hierarchy, name.as_bytes(), creation_hash.as_bytes());
        let copy = public.copy().map_err(|Overflow| Rc::MEMORY)?;
        let object = Object::primary_of::<P::Crypto>(hierarchy, copy, sensitive);

        let object_handle = tpm.state.objects.load(Loaded::Object(object))?;
        Ok(CreatePrimaryResponse {
            object_handle,
            out_public: Tpm2b(public),
            creation_data: Tpm2b(creation_data),
            creation_hash,
            creation_ticket,
            name,
        })
    }
}

impl<P: Platform> Tpm<P> {
    /// Translates why no key was made, for the commands whose template is the second parameter.
    pub(crate) fn refuse_creation(&mut self, error: CreateError) -> Rc {
        match error {
            CreateError::Refused(Rc::YIELDED) => Rc::YIELDED,
            CreateError::Refused(Rc::SIZE) => Rc::SIZE.at(Subject::Parameter(1)),
            // The size of the key is in one parameter and the key in another.
            CreateError::Refused(Rc::KEY_SIZE) => Rc::KEY_SIZE,
            CreateError::Refused(rc) => rc.at(Subject::Parameter(2)),
            // "TPM_RC_RANGE: the exponent is not supported"
            CreateError::Crypto(evtpm_crypto::CryptoError::RsaExponent { .. }) => Rc::RANGE.at(Subject::Parameter(2)),
            CreateError::Crypto(error) => self.refuse(error, Rc::VALUE.at(Subject::Parameter(2))),
        }
    }
}
