// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_CreateLoaded` (Part 3, "TPM2_CreateLoaded"; Part 1, "Object Derivation").

use crate::commands::Execute;
use crate::object::attributes::{Parent, check_public, check_template};
use crate::object::create::create;
use crate::object::derivation::Derivation;
use crate::state::{Hierarchy, Loaded, Object};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{CreateLoaded, CreateLoadedHandles, CreateLoadedResponse};
use evtpm_tpm_wire::{
    DerivedTemplate, Handle, Overflow, PublicBody, Rc, Reader, Subject, Tpm2b, Tpm2bPrivate, Tpm2bSensitiveData,
    TpmaObject, TpmsDerive, TpmsSensitiveCreate, TpmtPublic, TpmtPublicParms, TpmtSensitive, from_bytes,
};

impl Execute for CreateLoaded<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: CreateLoadedHandles) -> Result<CreateLoadedResponse, Rc> {
        let Tpm2b(sensitive) = &self.in_sensitive;
        let template = self.in_public.as_bytes();
        let handle = handles.parent_handle.handle();
        let origin = Origin::find(tpm, handle)?;
        tpm.state.objects.room()?;

        let (public, sensitive) = match origin {
            Origin::Seed(hierarchy) => tpm.make_from_seed(hierarchy, template, sensitive)?,
            Origin::Parent => tpm.make_child(handle, template, sensitive)?,
            Origin::Derivation => tpm.derive(handle, template, sensitive)?,
        };

        tpm.load_made(origin, handle, public, sensitive)
    }
}

/// What an object is made under.
#[derive(Clone, Copy)]
enum Origin {
    Seed(Hierarchy),
    Parent,
    Derivation,
}

impl Origin {
    fn find<P: Platform>(tpm: &Tpm<P>, handle: Handle) -> Result<Self, Rc> {
        if let Some(hierarchy) = Hierarchy::from_handle(handle.0) {
            return Ok(Self::Seed(hierarchy));
        }
        // A sequence object is no object, and no parent.
        let parent = tpm.object(handle).filter(|object| object.is_parent()).ok_or(Rc::TYPE.at(Subject::Handle(1)))?;
        Ok(if parent.public.body.symmetric().is_some() { Self::Parent } else { Self::Derivation })
    }
}

/// The parameter that every creation refuses when the template is wrong.
const TEMPLATE: Subject = Subject::Parameter(2);

type Made = Result<(TpmtPublic, TpmtSensitive), Rc>;

impl<P: Platform> Tpm<P> {
    /// "the same Primary Object is created by both TPM2_CreatePrimary() and TPM2_CreateLoaded()"
    #[inline(never)] // One of the three ways is on the stack.
    fn make_from_seed(&mut self, hierarchy: Hierarchy, template: &[u8], sensitive: &TpmsSensitiveCreate) -> Made {
        let mut public: TpmtPublic = from_bytes(template, &self.profile.supported).map_err(|rc| rc.at(TEMPLATE))?;
        check_template(Parent::Seed, &public, sensitive.data.len()).map_err(|rc| rc.at(TEMPLATE))?;
        let sensitive = self.make_primary(hierarchy, &mut public, sensitive)?;
        Ok((public, sensitive))
    }

    #[inline(never)] // See above.
    fn make_child(&mut self, parent: Handle, template: &[u8], sensitive: &TpmsSensitiveCreate) -> Made {
        let mut public: TpmtPublic = from_bytes(template, &self.profile.supported).map_err(|rc| rc.at(TEMPLATE))?;
        let (state, mut rng, work) = self.split();
        let parent = state.objects.object(parent).ok_or(Rc::TYPE)?;
        check_template(Parent::Key(parent), &public, sensitive.data.len()).map_err(|rc| rc.at(TEMPLATE))?;
        match create(&mut public, sensitive.user_auth.clone(), &sensitive.data, &mut rng, &[], work) {
            Ok(sensitive) => Ok((public, sensitive)),
            Err(error) => Err(self.refuse_creation(error)),
        }
    }

    #[inline(never)] // See above.
    fn derive(&mut self, parent: Handle, template: &[u8], sensitive: &TpmsSensitiveCreate) -> Made {
        let supported = self.profile.supported;
        let (state, _, work) = self.split();
        let parent = state.objects.object(parent).ok_or(Rc::TYPE)?;
        let template: DerivedTemplate = from_bytes(template, &supported).map_err(|rc| rc.at(TEMPLATE))?;
        let mut public = public_of(&template);
        check_derived(parent, &public).map_err(|rc| rc.at(TEMPLATE))?;
        let derive = label_and_context(&template.unique, &sensitive.data).map_err(|rc| rc.at(Subject::Parameter(1)))?;
        let mut rng = Derivation::start::<P::Crypto>(parent, &derive).map_err(|rc| rc.at(Subject::Handle(1)))?;
        // "the caller provides values that influence the derivation process, but ... does not explicitly set the sensitive"
        match create(&mut public, sensitive.user_auth.clone(), &Tpm2bSensitiveData::EMPTY, &mut rng, &[], work) {
            Ok(sensitive) => Ok((public, sensitive)),
            Err(error) => Err(self.refuse_creation(error)),
        }
    }

    /// Loads the object when nothing of its making is on the stack.
    #[inline(never)]
    fn load_made(
        &mut self,
        origin: Origin,
        parent: Handle,
        public: TpmtPublic,
        sensitive: TpmtSensitive,
    ) -> Result<CreateLoadedResponse, Rc> {
        let out_public = public.copy().map_err(|Overflow| Rc::MEMORY)?;
        let object = match origin {
            Origin::Seed(hierarchy) => Object::primary_of::<P::Crypto>(hierarchy, public, sensitive),
            Origin::Parent | Origin::Derivation => {
                Object::child_of::<P::Crypto>(self.object(parent).ok_or(Rc::TYPE)?, public, sensitive)
            }
        };
        let name = object.name;
        // "If parentHandle references a Derivation Parent or a Primary Seed, then outPrivate will be an Empty Buffer."
        let out_private = match (origin, &object.sensitive) {
            (Origin::Parent, Some(sensitive)) => self.wrap(parent, &name, sensitive)?,
            _ => Tpm2bPrivate::EMPTY,
        };

        let object_handle = self.state.objects.load(Loaded::Object(object))?;
        Ok(CreateLoadedResponse { object_handle, out_private, out_public: Tpm2b(out_public), name })
    }
}

/// "If provided in the unique field, the corresponding value in the inSensitive.data field is ignored."
fn label_and_context(unique: &TpmsDerive, data: &Tpm2bSensitiveData) -> Result<TpmsDerive, Rc> {
    if data.is_empty() {
        return Ok(*unique);
    }
    let mut reader = Reader::permissive(data.as_bytes());
    let given: TpmsDerive = reader.read()?;
    reader.finish()?;
    Ok(TpmsDerive {
        label: if unique.label.is_empty() { given.label } else { unique.label },
        context: if unique.context.is_empty() { given.context } else { unique.context },
    })
}

fn check_derived(parent: &Object, public: &TpmtPublic) -> Result<(), Rc> {
    // "the TPM may return TPM_RC_TYPE if the key type to be generated is an RSA key": primes have no end in 1024 bytes
    if matches!(public.body, PublicBody::Rsa { .. }) {
        return Err(Rc::TYPE);
    }
    // "sensitiveDataOrigin in inPublic is required to be CLEAR"
    if public.object_attributes.contains(TpmaObject::SENSITIVE_DATA_ORIGIN) {
        return Err(Rc::ATTRIBUTES);
    }
    // Nothing but its parent can make a derived object again, so it is as fixed as that.
    let same_tpm = public.object_attributes.contains(TpmaObject::FIXED_TPM) == parent.has(TpmaObject::FIXED_TPM);
    if !same_tpm || !public.object_attributes.contains(TpmaObject::FIXED_PARENT) {
        return Err(Rc::ATTRIBUTES);
    }
    check_public(Parent::Key(parent), public)
}

/// The public area that a derivation template describes, its unique field still to be computed.
fn public_of(template: &DerivedTemplate) -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(template.name_alg),
        object_attributes: template.object_attributes,
        auth_policy: template.auth_policy,
        body: match template.parms {
            TpmtPublicParms::KeyedHash(scheme) => PublicBody::KeyedHash { scheme, unique: Default::default() },
            TpmtPublicParms::SymCipher(parms) => PublicBody::SymCipher { parms, unique: Default::default() },
            TpmtPublicParms::Rsa(parms) => PublicBody::Rsa { parms, unique: Default::default() },
            TpmtPublicParms::Ecc(parms) => PublicBody::Ecc { parms, unique: Default::default() },
            TpmtPublicParms::Mldsa(parms) => PublicBody::Mldsa { parms, unique: Default::default() },
            TpmtPublicParms::HashMldsa(parms) => PublicBody::HashMldsa { parms, unique: Default::default() },
            TpmtPublicParms::Mlkem(parms) => PublicBody::Mlkem { parms, unique: Default::default() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::objects::{OWN, ecc, keyed_hash, object, rsa, sealed, sensitive};
    use crate::testing::{TestTpm, marshal, started};
    use evtpm_protocol::templates::{attestation_key, storage_root_key};
    use evtpm_tpm_wire::commands::{
        EcdhKeyGen, EcdhKeyGenHandles, EcdhZGen, EcdhZGenHandles, ReadPublic, ReadPublicHandles, Unseal, UnsealHandles,
    };
    use evtpm_tpm_wire::{
        EccCurve, Handle, HashAlg, KdfAlg, Supported, Tpm2bLabel, TpmiDhParent, TpmiRhHierarchy, TpmsSchemeXor,
        TpmtKeyedhashScheme,
    };

    fn create_loaded(
        tpm: &mut TestTpm,
        parent: Handle,
        template: &[u8],
        data: &[u8],
    ) -> Result<CreateLoadedResponse, Rc> {
        let in_public = evtpm_tpm_wire::Tpm2bTemplate::new(template).unwrap();
        let command = CreateLoaded { in_sensitive: sensitive(&[], data), in_public };
        tpm.send(&command, CreateLoadedHandles { parent_handle: TpmiDhParent::new(parent, &Supported::ALL).unwrap() })
    }

    #[test]
    fn a_primary_key_is_the_same_by_both_commands() {
        let mut tpm = started();
        let primary = tpm.primary(TpmiRhHierarchy::Endorsement, storage_root_key());
        let loaded = create_loaded(&mut tpm, Handle::ENDORSEMENT, &marshal(&storage_root_key()), &[]).unwrap();
        assert_eq!((loaded.out_public, loaded.name), (primary.out_public, primary.name));
        assert!(loaded.out_private.is_empty());
        let mut names = |handle| {
            tpm.send(&ReadPublic {}, ReadPublicHandles { object_handle: object(handle) }).unwrap().qualified_name
        };
        assert_eq!(names(loaded.object_handle), names(primary.object_handle));
    }

    #[test]
    fn a_child_is_loaded_and_can_be_loaded_again() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let made = create_loaded(&mut tpm, parent, &marshal(&sealed()), b"treasure").unwrap();
        let again = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap();
        for handle in [made.object_handle, again.object_handle] {
            let opened = tpm.send(&Unseal {}, UnsealHandles { item_handle: object(handle) }).unwrap();
            assert_eq!(opened.out_data.as_bytes(), b"treasure");
        }
    }

    #[test]
    fn a_wrong_template_is_the_second_parameter() {
        let mut tpm = started();
        let parent = tpm.storage_root();
        let mut template = marshal(&attestation_key());
        template.push(0);
        let refused = create_loaded(&mut tpm, parent, &template, &[]).unwrap_err();
        assert_eq!(refused, Rc::SIZE.at(TEMPLATE));
        let refused = create_loaded(&mut tpm, Handle::OWNER, &marshal(&sealed()), &[]).unwrap_err();
        assert_eq!(refused, Rc::ATTRIBUTES.at(TEMPLATE));
        let key = tpm.child(parent, attestation_key(), &[]);
        let refused = create_loaded(&mut tpm, key, &marshal(&sealed()), b"x").unwrap_err();
        assert_eq!(refused, Rc::TYPE.at(Subject::Handle(1)));
    }

    fn derivation_parent(tpm: &mut TestTpm) -> Handle {
        let parent = tpm.storage_root();
        let xor = TpmsSchemeXor { hash_alg: HashAlg::Sha256, kdf: Some(KdfAlg::Kdf1Sp800_108) };
        let attributes = OWN | TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
        tpm.child(parent, keyed_hash(attributes, Some(TpmtKeyedhashScheme::Xor(xor))), &[])
    }

    fn derived(public: &TpmtPublic, label: &[u8], context: &[u8]) -> std::vec::Vec<u8> {
        let (label, context) = (Tpm2bLabel::new(label).unwrap(), Tpm2bLabel::new(context).unwrap());
        marshal(&DerivedTemplate {
            name_alg: public.name_alg.unwrap(),
            object_attributes: public.object_attributes,
            auth_policy: public.auth_policy,
            parms: public.body.parms(),
            unique: TpmsDerive { label, context },
        })
    }

    const DERIVED: TpmaObject = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN);

    #[test]
    fn label_and_context_decide_the_derived_key_and_its_attributes_do_not() {
        let mut tpm = started();
        let parent = derivation_parent(&mut tpm);
        let signer = ecc(DERIVED | TpmaObject::SIGN, EccCurve::NistP256, None);
        let decrypter = ecc(DERIVED | TpmaObject::DECRYPT, EccCurve::NistP256, None);
        let mut unique = |template: &[u8], data: &[u8]| {
            let made = create_loaded(&mut tpm, parent, template, data).unwrap();
            assert!(made.out_private.is_empty());
            made.out_public.0.body
        };
        let first = unique(&derived(&signer, b"label", b"context"), &[]);
        assert_eq!(first, unique(&derived(&decrypter, b"label", b"context"), &[]));
        assert_ne!(first, unique(&derived(&signer, b"label", b"other"), &[]));
        assert_ne!(first, unique(&derived(&signer, b"other", b"context"), &[]));
        // The sensitive parameter may carry what the template leaves out, and nothing else.
        let label = Tpm2bLabel::new(b"label").unwrap();
        let given = marshal(&TpmsDerive { label, context: Tpm2bLabel::new(b"ignored").unwrap() });
        assert_eq!(first, unique(&derived(&signer, b"", b"context"), &given));
    }

    #[test]
    fn a_derived_key_works() {
        let mut tpm = started();
        let parent = derivation_parent(&mut tpm);
        let template = derived(&ecc(DERIVED | TpmaObject::DECRYPT, EccCurve::NistP384, None), b"label", b"");
        let key = object(create_loaded(&mut tpm, parent, &template, &[]).unwrap().object_handle);
        let made = tpm.send(&EcdhKeyGen {}, EcdhKeyGenHandles { key_handle: key }).unwrap();
        let agreed = tpm.send(&EcdhZGen { in_point: made.pub_point }, EcdhZGenHandles { key_handle: key }).unwrap();
        assert_eq!(agreed.out_point, made.z_point);
    }

    #[test]
    fn a_derived_object_is_as_fixed_as_its_parent_and_no_rsa_key() {
        let mut tpm = started();
        let parent = derivation_parent(&mut tpm);
        let sign = DERIVED | TpmaObject::SIGN;
        let p256 = EccCurve::NistP256;
        let fixed = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT;
        let cases = [
            (ecc(OWN | TpmaObject::SIGN, p256, None), Rc::ATTRIBUTES),
            (ecc(sign.without(fixed), p256, None), Rc::ATTRIBUTES),
            (ecc(sign.without(TpmaObject::FIXED_TPM), p256, None), Rc::ATTRIBUTES),
            (rsa(sign, None), Rc::TYPE),
        ];
        for (template, expected) in cases {
            // Also when there is something wrong with label and context, which are read when the template is right.
            for data in [&b""[..], b"x"] {
                let refused = create_loaded(&mut tpm, parent, &derived(&template, b"l", b"c"), data).unwrap_err();
                assert_eq!(refused, expected.at(TEMPLATE));
            }
        }
        let refused = create_loaded(&mut tpm, parent, &derived(&ecc(sign, p256, None), b"l", b"c"), b"x");
        assert_eq!(refused.unwrap_err(), Rc::INSUFFICIENT.at(Subject::Parameter(1)));
    }
}
