// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_CreatePrimary` (Part 3, "TPM2_CreatePrimary").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_template};
use crate::object::create::{CreateError, create, primary_generator};
use crate::object::creation_data::Origin;
use crate::state::{Hierarchy, Loaded, Object};
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{CreatePrimary, CreatePrimaryHandles, CreatePrimaryResponse};
use evtpm_tpm_wire::{Handle, Overflow, Rc, Subject, Tpm2b, TpmsSensitiveCreate, TpmtPublic, TpmtSensitive};

impl Execute for CreatePrimary {
    fn run<P: Platform>(
        mut self,
        tpm: &mut Tpm<P>,
        handles: CreatePrimaryHandles,
    ) -> Result<CreatePrimaryResponse, Rc> {
        let (Tpm2b(sensitive), Tpm2b(public)) = (&self.in_sensitive, &mut self.in_public);
        let hierarchy = ticket::hierarchy(handles.primary_handle);
        check_template(Parent::Seed, public, sensitive.data.len()).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        tpm.state.objects.room()?;

        let name_alg = public.name_alg.ok_or(Rc::HASH.at(Subject::Parameter(2)))?;
        let sensitive = tpm.make_primary(hierarchy, public, sensitive)?;
        let name = name::of_object::<P::Crypto>(public);
        let handle = handles.primary_handle.handle();
        let (creation_data, creation_hash) =
            tpm.creation_data(name_alg, &Origin::Hierarchy(handle), &self.creation_pcr, self.outside_info)?;
        let creation_ticket = tpm.creation_ticket(hierarchy, name.as_bytes(), creation_hash.as_bytes());

        let object_handle = tpm.load_primary(hierarchy, public, sensitive)?;
        Ok(CreatePrimaryResponse {
            object_handle,
            out_public: self.in_public,
            creation_data: Tpm2b(creation_data),
            creation_hash,
            creation_ticket,
            name,
        })
    }
}

impl<P: Platform> Tpm<P> {
    /// Makes the sensitive area of a primary object, and completes its public area.
    pub(crate) fn make_primary(
        &mut self,
        hierarchy: Hierarchy,
        public: &mut TpmtPublic,
        sensitive: &TpmsSensitiveCreate,
    ) -> Result<TpmtSensitive, Rc> {
        let secrets = self.state.hierarchies.of(hierarchy);
        // "Inclusion of ehProof in the protection of Ordinary Objects in the Endorsement Hierarchy ensures that those Objects
        // will be deleted when the Owner changes": TPM2_Clear changes it, and not the seed. The other proofs change with theirs.
        let (seed, proof) = (secrets.seed.as_bytes(), secrets.proof.as_bytes());
        let work = &mut self.work;
        primary_generator::<P::Crypto>(seed, public, sensitive.data.as_bytes())
            .and_then(|mut rng| create(public, sensitive.user_auth.clone(), &sensitive.data, &mut rng, proof, work))
            .map_err(|error| self.refuse_creation(error))
    }

    #[inline(never)] // The object is on the stack when nothing of its creation is.
    fn load_primary(
        &mut self,
        hierarchy: Hierarchy,
        public: &TpmtPublic,
        sensitive: TpmtSensitive,
    ) -> Result<Handle, Rc> {
        let public = public.copy().map_err(|Overflow| Rc::MEMORY)?;
        let object = Object::primary_of::<P::Crypto>(hierarchy, public, sensitive);
        self.state.objects.load(Loaded::Object(object))
    }

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
