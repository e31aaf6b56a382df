// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_LoadExternal` (Part 3, "TPM2_LoadExternal").

use crate::commands::Execute;
use crate::name;
use crate::object::attributes::{Parent, check_protection, check_public, check_scheme};
use crate::object::load::Blame;
use crate::state::{Hierarchy, Loaded, Object};
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{LoadExternal, LoadExternalResponse};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b, Tpm2bSensitive, TpmaObject, TpmtPublic, TpmtPublicPlus, TpmtSensitive};

impl Execute for LoadExternal {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<LoadExternalResponse, Rc> {
        let (Tpm2bSensitive(sensitive), Tpm2b(TpmtPublicPlus(public))) = (self.in_private, self.in_public);
        let hierarchy = ticket::hierarchy(self.hierarchy);
        tpm.state.objects.room()?;
        // "If the public and sensitive portions of the object are loaded, hierarchy is required to be TPM_RH_NULL."
        let needs_null = sensitive.is_some() && hierarchy != Hierarchy::Null;
        if needs_null || !tpm.state.hierarchies.of(hierarchy).enabled {
            return Err(Rc::HIERARCHY.at(Subject::Parameter(3)));
        }
        check_external(&public, sensitive.as_ref()).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        tpm.check_keys(&public, sensitive.as_ref(), Blame::LOAD)?;

        let name = name::of_object::<P::Crypto>(&public);
        let object = Object {
            st_clear: public.object_attributes.contains(TpmaObject::ST_CLEAR),
            public,
            sensitive: sensitive.map(without_trailing_zeros),
            name,
            // "The Qualified Name for the object will be the same as its Name."
            qualified_name: name,
            hierarchy,
            primary: false,
            external: true,
        };

        let object_handle = tpm.state.objects.load(Loaded::Object(object))?;
        Ok(LoadExternalResponse { object_handle, name })
    }
}

/// A public area alone may look like that of any key; with a sensitive area it must not look as if a TPM protected it.
fn check_external(public: &TpmtPublic, sensitive: Option<&TpmtSensitive>) -> Result<(), Rc> {
    // "The TPM will validate that the authPolicy is either the size of the digest produced by nameAlg or the Empty Buffer."
    let policy_size = public.auth_policy.len();
    if policy_size != 0 && public.name_alg.map(|alg| alg.digest_size()) != Some(policy_size) {
        return Err(Rc::SIZE);
    }
    if sensitive.is_none() {
        // "For a restricted decryption key, shall be set to a supported symmetric algorithm": of a public area alone, too
        return check_scheme(public).and_then(|()| check_protection(Parent::None, public));
    }
    // "fixedTPM, fixedParent, and restricted shall be CLEAR if inPrivate is not the Empty Buffer"
    let protected = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT | TpmaObject::RESTRICTED;
    if public.object_attributes.intersects(protected) {
        return Err(Rc::ATTRIBUTES);
    }
    if public.name_alg.is_none() { check_scheme(public) } else { check_public(Parent::None, public) }
}

/// An authValue is kept as it is compared.
fn without_trailing_zeros(sensitive: TpmtSensitive) -> TpmtSensitive {
    TpmtSensitive { auth_value: sensitive.auth_value.without_trailing_zeros(), ..sensitive }
}
