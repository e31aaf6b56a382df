// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the hierarchy commands.

use crate::Locality;
use crate::state::Hierarchy;
use crate::testing::TestCrypto;
use crate::testing::objects::{OWN, keyed_hash};
use crate::testing::{TestTpm, started};
use evtpm_crypto::{Crypto, RsaKey};
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, PublicBody, Rc, SensitiveBody, Subject, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bDigest,
    Tpm2bSensitiveData, TpmaObject, TpmiRhBaseHierarchy, TpmiRhClear, TpmiRhEnables, TpmiRhHierarchy,
    TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy, TpmlPcrSelection, TpmsSensitiveCreate, TpmtKeyedhashScheme, TpmtPublic,
    TpmtRsaScheme, YesNo,
};

fn command(template: TpmtPublic) -> CreatePrimary {
    CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate::default()),
        in_public: Tpm2b(template),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    }
}

fn create(tpm: &mut TestTpm, hierarchy: TpmiRhHierarchy, template: TpmtPublic) -> Result<CreatePrimaryResponse, Rc> {
    tpm.send(&command(template), CreatePrimaryHandles { primary_handle: hierarchy })
}

const OWNER: TpmiRhHierarchy = TpmiRhHierarchy::Owner;

#[test]
fn the_same_template_gives_the_same_key_until_the_seed_changes() {
    let mut tpm = started();
    let first = create(&mut tpm, OWNER, attestation_key()).unwrap();
    assert_eq!(create(&mut tpm, OWNER, attestation_key()).unwrap().out_public, first.out_public);
    let platform = create(&mut tpm, TpmiRhHierarchy::Platform, attestation_key()).unwrap();
    assert_ne!(platform.out_public, first.out_public);
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Platform }).unwrap();
    assert_ne!(create(&mut tpm, OWNER, attestation_key()).unwrap().out_public, first.out_public);
}

#[test]
fn a_clear_keeps_an_endorsement_key_and_ends_what_was_under_it() {
    let mut tpm = started();
    let endorsed = |tpm: &mut TestTpm| create(tpm, TpmiRhHierarchy::Endorsement, storage_root_key()).unwrap();
    let before = endorsed(&mut tpm);
    let child = tpm.create(before.object_handle, attestation_key(), &[], &[]).unwrap();
    let again = endorsed(&mut tpm);
    tpm.load(again.object_handle, &child.out_private, &child.out_public.0).unwrap();

    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Platform }).unwrap();
    let after = endorsed(&mut tpm);
    assert_eq!(after.out_public, before.out_public);
    let refused = tpm.load(after.object_handle, &child.out_private, &child.out_public.0).map(drop);
    assert_eq!(refused, Err(Rc::INTEGRITY.at(Subject::Parameter(1))));
}

#[test]
fn the_unique_field_of_the_template_makes_another_key() {
    let mut tpm = started();
    let mut other = attestation_key();
    if let PublicBody::Ecc { unique, .. } = &mut other.body {
        unique.x = evtpm_tpm_wire::Tpm2bEccParameter::new(&[1]).unwrap();
    }
    let first = create(&mut tpm, OWNER, attestation_key()).unwrap();
    assert_ne!(create(&mut tpm, OWNER, other).unwrap().name, first.name);
}

#[test]
fn what_the_caller_gives_makes_another_key_too() {
    let mut tpm = started();
    let mut with_data = command(attestation_key());
    with_data.in_sensitive.0.data = Tpm2bSensitiveData::new(b"more").unwrap();
    let handles = CreatePrimaryHandles { primary_handle: OWNER };
    let other = tpm.send(&with_data, handles).unwrap();
    assert_ne!(other.name, create(&mut tpm, OWNER, attestation_key()).unwrap().name);
}

#[test]
fn data_beside_a_key_that_the_tpm_makes_goes_into_it_and_is_not_it() {
    let mut tpm = started();
    let key_with = |tpm: &mut TestTpm, data: &[u8]| {
        let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
        let mut with_data = command(keyed_hash(OWN | TpmaObject::SIGN, scheme));
        with_data.in_sensitive.0.data = Tpm2bSensitiveData::new(data).unwrap();
        let made = tpm.send(&with_data, CreatePrimaryHandles { primary_handle: OWNER }).unwrap();
        match &tpm.object(made.object_handle).unwrap().sensitive.as_ref().unwrap().body {
            SensitiveBody::KeyedHash(key) => key.clone(),
            other => panic!("no HMAC key: {other:?}"),
        }
    };
    let (with, without) = (key_with(&mut tpm, &[7; 32]), key_with(&mut tpm, b""));
    assert!(with != without && with.as_bytes() != [7; 32]);
    assert!(with == key_with(&mut tpm, &[7; 32]));
}

#[test]
fn an_rsa_key_has_the_modulus_of_its_private_prime() {
    let mut tpm = started();
    let mut template = crate::Ek::Rsa2048.template();
    if let PublicBody::Rsa { parms, .. } = &mut template.body {
        parms.key_bits = evtpm_tpm_wire::TpmiRsaKeyBits(1024);
    }
    let response = create(&mut tpm, OWNER, template).unwrap();
    let object = tpm.object(response.object_handle).unwrap();
    let PublicBody::Rsa { unique, .. } = &object.public.body else { panic!() };
    let prime = object.sensitive.as_ref().unwrap().body.as_bytes();
    let key = RsaKey { modulus: unique.as_bytes(), exponent: 65_537, prime };
    assert_eq!(TestCrypto::rsa_check(key, &mut Default::default()), Ok(()));
}

#[test]
fn creation_data_ticket_and_name_belong_to_the_key() {
    let mut tpm = started();
    let response = create(&mut tpm, OWNER, attestation_key()).unwrap();
    let mut buffer = [0; 512];
    let data = response.creation_data.0.to_bytes(&mut buffer).unwrap();
    let hash = TestCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[data]);
    assert_eq!(response.creation_hash.as_bytes(), hash.as_bytes());
    assert_eq!(response.creation_data.0.parent_name.as_bytes(), 0x4000_0001u32.to_be_bytes());
    assert_eq!(response.creation_data.0.parent_name_alg, None);
    let ticket = tpm.creation_ticket(Hierarchy::Owner, response.name.as_bytes(), hash.as_bytes());
    assert_eq!(response.creation_ticket, ticket);
    let object = tpm.object(response.object_handle).unwrap();
    assert_eq!(object.name, response.name);
    assert!(!object.qualified_name.is_empty() && object.qualified_name != object.name);
}

#[test]
fn wrong_templates_name_their_fault() {
    type Change = fn(&mut TpmtPublic);
    let cases: [(Change, Rc); 9] = [
        (|public| clear(public, TpmaObject::SENSITIVE_DATA_ORIGIN), Rc::ATTRIBUTES),
        (|public| clear(public, TpmaObject::FIXED_PARENT), Rc::ATTRIBUTES),
        (|public| add(public, TpmaObject::ENCRYPTED_DUPLICATION), Rc::ATTRIBUTES),
        (|public| clear(public, TpmaObject::DECRYPT), Rc::ATTRIBUTES),
        (|public| add(public, TpmaObject::SIGN), Rc::ATTRIBUTES),
        (|public| add(public, TpmaObject::SVN_LIMITED), Rc::ATTRIBUTES),
        (|public| public.auth_policy = Tpm2bDigest::new(&[1; 20]).unwrap(), Rc::SIZE),
        (|public| scheme(public), Rc::SCHEME),
        (|public| no_cipher(public), Rc::SYMMETRIC),
    ];
    let mut tpm = started();
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut template = crate::Ek::Rsa2048.template();
        change(&mut template);
        let result = create(&mut tpm, OWNER, template).map(|_| ());
        assert_eq!(result, Err(expected.at(Subject::Parameter(2))), "case {number}");
    }
}

fn clear(public: &mut TpmtPublic, attribute: TpmaObject) {
    public.object_attributes = public.object_attributes.without(attribute);
}

fn add(public: &mut TpmtPublic, attribute: TpmaObject) {
    public.object_attributes = public.object_attributes.with(attribute);
}

fn scheme(public: &mut TpmtPublic) {
    if let PublicBody::Rsa { parms, .. } = &mut public.body {
        parms.scheme = Some(TpmtRsaScheme::Oaep(evtpm_tpm_wire::HashAlg::Sha256));
    }
}

fn no_cipher(public: &mut TpmtPublic) {
    if let PublicBody::Rsa { parms, .. } = &mut public.body {
        parms.symmetric = None;
    }
}

#[test]
fn an_auth_longer_than_a_digest_is_refused() {
    let mut tpm = started();
    let handles = CreatePrimaryHandles { primary_handle: OWNER };
    let mut with_auth = command(storage_root_key());
    with_auth.in_sensitive.0.user_auth = Tpm2bAuth::new(&[1; 33]).unwrap();
    assert_eq!(tpm.send(&with_auth, handles), Err(Rc::SIZE.at(Subject::Parameter(1))));
}

#[test]
fn a_disabled_hierarchy_creates_nothing_and_loses_its_objects() {
    let mut tpm = started();
    let handle = create(&mut tpm, OWNER, attestation_key()).unwrap().object_handle;
    let owner = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Owner };
    let control = |state| HierarchyControl { enable: TpmiRhEnables::Owner, state };
    tpm.send(&control(YesNo::No), owner).unwrap();
    assert!(tpm.object(handle).is_none());
    assert_eq!(create(&mut tpm, OWNER, attestation_key()), Err(Rc::HIERARCHY.at(Subject::Handle(1))));
    let platform = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
    tpm.send(&control(YesNo::Yes), platform).unwrap();
    create(&mut tpm, OWNER, attestation_key()).unwrap();
    assert_eq!(tpm.send(&control(YesNo::Yes), owner), Err(Rc::AUTH_TYPE));
    let endorsement = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Endorsement };
    assert_eq!(tpm.send(&control(YesNo::No), endorsement), Err(Rc::AUTH_TYPE));
}

#[test]
fn clear_can_be_disabled_by_lockout_and_enabled_only_by_the_platform() {
    let mut tpm = started();
    let control = |tpm: &mut TestTpm, auth, disable| tpm.send(&ClearControl { disable }, ClearControlHandles { auth });
    control(&mut tpm, TpmiRhClear::Lockout, YesNo::Yes).unwrap();
    for auth_handle in [TpmiRhClear::Lockout, TpmiRhClear::Platform] {
        assert_eq!(tpm.send(&Clear {}, ClearHandles { auth_handle }), Err(Rc::DISABLED));
    }
    assert_eq!(control(&mut tpm, TpmiRhClear::Lockout, YesNo::No), Err(Rc::AUTH_FAIL));
    control(&mut tpm, TpmiRhClear::Platform, YesNo::No).unwrap();
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Lockout }).unwrap();
}

#[test]
fn clear_empties_authorizations_and_counters_and_keeps_the_platforms() {
    let mut tpm = started();
    let new_auth = || Tpm2bAuth::new(b"x").unwrap();
    for auth_handle in [
        TpmiRhHierarchyAuth::Owner,
        TpmiRhHierarchyAuth::Endorsement,
        TpmiRhHierarchyAuth::Lockout,
        TpmiRhHierarchyAuth::Platform,
    ] {
        tpm.send(&HierarchyChangeAuth { new_auth: new_auth() }, HierarchyChangeAuthHandles { auth_handle }).unwrap();
    }
    let platform = ClearHandles { auth_handle: TpmiRhClear::Platform };
    tpm.send_at(Locality::ZERO, &Clear {}, platform, &[b"x"]).unwrap();
    for handle in [Handle::OWNER, Handle::ENDORSEMENT, Handle::LOCKOUT] {
        assert!(tpm.entity_auth(handle).unwrap().is_empty());
    }
    assert_eq!(tpm.entity_auth(Handle::PLATFORM).unwrap().as_bytes(), b"x");
    assert_eq!((tpm.state.reset_count, tpm.clock.clock()), (0, 0));
}

/// Part 1, "Dictionary Attack Protection": a new owner begins with the default maxTries.
#[test]
fn a_new_owner_begins_with_the_default_tries_and_times() {
    let mut tpm = started();
    let parameters = DictionaryAttackParameters { new_max_tries: 1, new_recovery_time: 2, lockout_recovery: 3 };
    let lock_handle = evtpm_tpm_wire::TpmiRhLockout::Lockout;
    tpm.send(&parameters, DictionaryAttackParametersHandles { lock_handle }).unwrap();
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Lockout }).unwrap();
    assert_eq!(tpm.state.da_parameters, tpm.profile.dictionary_attack);
}

#[test]
fn a_policy_has_the_size_of_its_algorithm() {
    let mut tpm = started();
    let handles =
        SetPrimaryPolicyHandles { auth_handle: TpmiRhHierarchyPolicy::Hierarchy(TpmiRhHierarchyAuth::Lockout) };
    let mut set = |size: usize, hash_alg| {
        tpm.send(&SetPrimaryPolicy { auth_policy: Tpm2bDigest::zeros(size).unwrap(), hash_alg }, handles)
    };
    let sha256 = Some(evtpm_tpm_wire::HashAlg::Sha256);
    assert_eq!(set(20, sha256), Err(Rc::SIZE.at(Subject::Parameter(1))));
    assert_eq!(set(32, None), Err(Rc::SIZE.at(Subject::Parameter(1))));
    assert_eq!(set(32, sha256), Ok(()));
    assert_eq!(set(0, None), Ok(()));
}
