// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of objects that move to another parent.

use crate::testing::TestCrypto;
use crate::testing::objects::{object, public, rsa, sealed};
use crate::testing::{SessionUse, Start, TestTpm, Use, started};
use evtpm_protocol::PolicyDigest;
use evtpm_protocol::duplication::InnerWrapper;
use evtpm_protocol::templates::storage_root_key;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, Cc, Handle, HashAlg, PublicBody, Rc, Subject, Supported, SymMode, Tpm2b, Tpm2bData, Tpm2bDigest,
    Tpm2bPrivate, TpmaObject, TpmaSession, TpmiDhObject, TpmiRhHierarchy, TpmiShPolicy, TpmtPublic, TpmtRsaScheme,
    TpmtSymDefObject,
};

const CIPHER: Option<TpmtSymDefObject> = Some(TpmtSymDefObject::AES_128_CFB);

/// A sealed object that a policy lets go.
fn movable(extra: TpmaObject) -> TpmtPublic {
    let policy = PolicyDigest::new(HashAlg::Sha256).unwrap().command_code::<TestCrypto>(Cc::DUPLICATE);
    let attributes = TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA | extra;
    TpmtPublic { object_attributes: attributes, auth_policy: policy.to_wire(), ..sealed() }
}

struct World {
    tpm: TestTpm,
    old: Handle,
    new: Handle,
    item: Handle,
    public: TpmtPublic,
}

fn world(extra: TpmaObject) -> World {
    let mut tpm = started();
    let old = tpm.storage_root();
    let new = tpm.primary(TpmiRhHierarchy::Endorsement, storage_root_key()).object_handle;
    let made = tpm.create(old, movable(extra), b"door", b"treasure").unwrap();
    let item = tpm.load(old, &made.out_private, &made.out_public.0).unwrap().object_handle;
    World { tpm, old, new, item, public: made.out_public.0 }
}

impl World {
    fn duplicate(
        &mut self,
        new_parent: Option<Handle>,
        symmetric_alg: Option<TpmtSymDefObject>,
        key: &[u8],
    ) -> Result<DuplicateResponse, Rc> {
        let mut session = self.tpm.start_session(Start::POLICY);
        let policy_session = TpmiShPolicy::new(session.handle, &Supported::ALL).unwrap();
        let code = PolicyCommandCode { code: Cc::DUPLICATE };
        self.tpm.send(&code, PolicyCommandCodeHandles { policy_session }).unwrap();
        let command = Duplicate { encryption_key_in: Tpm2bData::new(key).unwrap(), symmetric_alg };
        let handles = DuplicateHandles { object_handle: object(self.item), new_parent_handle: new_parent.map(object) };
        let attributes = TpmaSession::NONE;
        let uses = &mut [Use::Session(&mut session, SessionUse { attributes, ..SessionUse::default() })];
        let result = self.tpm.send_with(&command, handles, uses);
        let _ = self.tpm.state.sessions.flush(session.handle.0);
        result
    }

    fn import(
        &mut self,
        duplicate: &DuplicateResponse,
        symmetric_alg: Option<TpmtSymDefObject>,
        key: &[u8],
    ) -> Result<ImportResponse, Rc> {
        let command = Import {
            encryption_key: Tpm2bData::new(key).unwrap(),
            object_public: Tpm2b(self.public.clone()),
            duplicate: Bytes::new(duplicate.duplicate.as_bytes()).unwrap(),
            in_sym_seed: Bytes::new(duplicate.out_sym_seed.as_bytes()).unwrap(),
            symmetric_alg,
        };
        self.tpm.send(&command, ImportHandles { parent_handle: object(self.new) })
    }

    fn unseal(&mut self, private: &Tpm2bPrivate) -> std::vec::Vec<u8> {
        let public = self.public.clone();
        let item = self.tpm.load(self.new, private, &public).unwrap().object_handle;
        let handles = UnsealHandles { item_handle: object(item) };
        let opened = self.tpm.send_at(crate::Locality::ZERO, &Unseal {}, handles, &[b"door"]).unwrap();
        opened.out_data.as_bytes().to_vec()
    }

    fn rewrap(
        &mut self,
        (old, new): (Option<TpmiDhObject>, Option<TpmiDhObject>),
        duplicate: &DuplicateResponse,
    ) -> Result<RewrapResponse, Rc> {
        let name = self.tpm.entity_name(self.item);
        let command = Rewrap {
            in_duplicate: Bytes::new(duplicate.duplicate.as_bytes()).unwrap(),
            name,
            in_sym_seed: Bytes::new(duplicate.out_sym_seed.as_bytes()).unwrap(),
        };
        self.tpm.send(&command, RewrapHandles { old_parent: old, new_parent: new })
    }
}

#[test]
fn an_object_moves_with_each_combination_of_wrappers() {
    let mut world = world(TpmaObject::NONE);
    let new = world.new;
    for (parent, cipher, key) in [
        (None, None, &[][..]),
        (Some(new), None, &[]),
        (None, CIPHER, &[7; 16]),
        (Some(new), CIPHER, &[7; 16]),
        (Some(new), Some(TpmtSymDefObject::AES_256_CFB), &[]),
    ] {
        let duplicate = world.duplicate(parent, cipher, key).unwrap();
        let own_key = duplicate.encryption_key_out;
        assert_eq!(own_key.is_empty(), cipher.is_none() || !key.is_empty(), "a key is returned if none was given");
        let key = if key.is_empty() { own_key.as_bytes() } else { key };
        let imported = world.import(&duplicate, cipher, key).unwrap();
        assert_eq!(world.unseal(&imported.out_private), b"treasure");
        world.tpm.state.objects.flush(Handle(world.item.0 + 1));
    }
}

#[test]
fn a_changed_duplicate_is_an_integrity_error() {
    let mut world = world(TpmaObject::NONE);
    let integrity = Err(Rc::INTEGRITY.at(Subject::Parameter(3)));
    let new = world.new;
    for (parent, cipher, key) in [(Some(new), None, &[][..]), (None, CIPHER, &[7; 16])] {
        let mut duplicate = world.duplicate(parent, cipher, key).unwrap();
        let last = duplicate.duplicate.len() - 1;
        duplicate.duplicate.as_mut_bytes()[last] ^= 1;
        assert_eq!(world.import(&duplicate, cipher, key), integrity);
    }
    let duplicate = world.duplicate(None, CIPHER, &[7; 16]).unwrap();
    assert_eq!(world.import(&duplicate, CIPHER, &[8; 16]), integrity);
}

#[test]
fn a_plain_duplicate_must_still_fit_its_public_area() {
    let mut world = world(TpmaObject::NONE);
    let mut duplicate = world.duplicate(None, None, &[]).unwrap();
    let last = duplicate.duplicate.len() - 1;
    duplicate.duplicate.as_mut_bytes()[last] ^= 1;
    assert_eq!(world.import(&duplicate, None, &[]), Err(Rc::BINDING));
}

/// The digest of the inner wrapper is right; what it protects is no sensitive area behind its size.
#[test]
fn the_size_in_a_duplicate_is_that_of_all_that_follows() {
    let mut world = world(TpmaObject::NONE);
    let name = world.tpm.entity_name(world.item);
    let plain = world.duplicate(None, None, &[]).unwrap();
    let [size_high, size_low, rest @ ..] = plain.duplicate.as_bytes() else { panic!("a duplicate has a size") };
    let key = [7; 16];
    let inner =
        InnerWrapper { hash: HashAlg::Sha256, name: name.as_bytes(), cipher: TpmtSymDefObject::AES_128_CFB, key: &key };
    let with_size = |low: u8| [&[*size_high, low], rest].concat();
    let behind_it = [&with_size(*size_low)[..], &[0]].concat();
    for (content, rc) in [
        (with_size(size_low - 1), Rc::SIZE),
        (with_size(size_low + 1), Rc::SIZE),
        (behind_it, Rc::SIZE),
        (std::vec![0], Rc::INSUFFICIENT),
        (std::vec![], Rc::INSUFFICIENT),
    ] {
        let refused = Err(rc.at(Subject::Parameter(3)));
        let duplicate = DuplicateResponse { duplicate: Tpm2bPrivate::new(&content).unwrap(), ..plain.clone() };
        assert_eq!(world.import(&duplicate, None, &[]), refused, "plain, {} bytes", content.len());
        let duplicate = DuplicateResponse { duplicate: inner.seal::<TestCrypto>(&content).unwrap(), ..plain.clone() };
        assert_eq!(world.import(&duplicate, CIPHER, &key), refused, "wrapped, {} bytes", content.len());
    }
}

#[test]
fn an_object_fixed_to_its_parent_does_not_move() {
    let mut world = world(TpmaObject::FIXED_PARENT | TpmaObject::FIXED_TPM);
    let new = world.new;
    assert_eq!(world.duplicate(Some(new), None, &[]), Err(Rc::ATTRIBUTES.at(Subject::Handle(1))));
    let fixed = DuplicateResponse {
        encryption_key_out: Tpm2bData::EMPTY,
        duplicate: Tpm2bPrivate::EMPTY,
        out_sym_seed: Default::default(),
    };
    assert_eq!(world.import(&fixed, None, &[]), Err(Rc::ATTRIBUTES.at(Subject::Parameter(2))));
}

#[test]
fn duplication_needs_a_policy() {
    let mut world = world(TpmaObject::NONE);
    let command = Duplicate { encryption_key_in: Tpm2bData::EMPTY, symmetric_alg: None };
    let handles = DuplicateHandles { object_handle: object(world.item), new_parent_handle: None };
    let refused = world.tpm.send_at(crate::Locality::ZERO, &command, handles, &[b"door"]);
    assert_eq!(refused, Err(Rc::AUTH_TYPE));
}

#[test]
fn encrypted_duplication_wants_both_wrappers() {
    let mut world = world(TpmaObject::ENCRYPTED_DUPLICATION);
    let new = world.new;
    assert_eq!(world.duplicate(Some(new), None, &[]), Err(Rc::SYMMETRIC.at(Subject::Parameter(2))));
    assert_eq!(world.duplicate(None, CIPHER, &[]), Err(Rc::HIERARCHY.at(Subject::Handle(2))));
    let duplicate = world.duplicate(Some(new), CIPHER, &[7; 16]).unwrap();
    assert_eq!(world.import(&duplicate, None, &[]), Err(Rc::ATTRIBUTES.at(Subject::Parameter(1))));
    let without_seed = DuplicateResponse { out_sym_seed: Default::default(), ..duplicate.clone() };
    assert_eq!(world.import(&without_seed, CIPHER, &[7; 16]), Err(Rc::ATTRIBUTES.at(Subject::Parameter(4))));
    let imported = world.import(&duplicate, CIPHER, &[7; 16]).unwrap();
    assert_eq!(world.unseal(&imported.out_private), b"treasure");
}

#[test]
fn the_inner_key_has_the_size_of_its_cipher() {
    let mut world = world(TpmaObject::NONE);
    let size = Rc::SIZE.at(Subject::Parameter(1));
    assert_eq!(world.duplicate(None, None, &[7; 16]), Err(size));
    assert_eq!(world.duplicate(None, CIPHER, &[7; 15]), Err(size));
    let counter = Some(TpmtSymDefObject { mode: Some(SymMode::Ctr), ..TpmtSymDefObject::AES_128_CFB });
    assert_eq!(world.duplicate(None, counter, &[7; 16]), Err(Rc::MODE.at(Subject::Parameter(2))));
    let duplicate = world.duplicate(None, CIPHER, &[7; 16]).unwrap();
    assert_eq!(world.import(&duplicate, CIPHER, &[]), Err(size));
    assert_eq!(world.import(&duplicate, None, &[7; 16]), Err(size));
}

#[test]
fn only_an_asymmetric_storage_key_becomes_a_parent() {
    let mut world = world(TpmaObject::NONE);
    let (old, item) = (world.old, world.item);
    let signer = world.tpm.child(
        old,
        rsa(crate::testing::objects::OWN | TpmaObject::SIGN, Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256))),
        &[],
    );
    for parent in [item, signer] {
        assert_eq!(world.duplicate(Some(parent), None, &[]), Err(Rc::TYPE.at(Subject::Handle(2))));
    }
}

#[test]
fn a_symmetric_parent_has_no_outer_wrapper_to_take_off() {
    let mut world = world(TpmaObject::NONE);
    let wrapped = world.duplicate(Some(world.new), None, &[]).unwrap();
    let plain = world.duplicate(None, None, &[]).unwrap();
    let attributes = crate::testing::objects::OWN | TpmaObject::RESTRICTED | TpmaObject::DECRYPT;
    let cipher = PublicBody::SymCipher { parms: TpmtSymDefObject::AES_128_CFB, unique: Tpm2bDigest::EMPTY };
    world.new = world.tpm.child(world.old, public(attributes, cipher), &[]);
    assert_eq!(world.import(&wrapped, None, &[]), Err(Rc::TYPE.at(Subject::Handle(1))));
    let imported = world.import(&plain, None, &[]).unwrap();
    assert_eq!(world.unseal(&imported.out_private), b"treasure");
}

#[test]
fn a_duplication_authority_changes_the_outer_wrapper() {
    let mut world = world(TpmaObject::NONE);
    let (old, new) = (object(world.old), object(world.new));
    let duplicate = world.duplicate(Some(old.handle()), CIPHER, &[7; 16]).unwrap();
    let rewrapped = world.rewrap((Some(old), Some(new)), &duplicate).unwrap();
    let moved = DuplicateResponse {
        duplicate: rewrapped.out_duplicate,
        out_sym_seed: rewrapped.out_sym_seed,
        ..duplicate.clone()
    };
    let imported = world.import(&moved, CIPHER, &[7; 16]).unwrap();
    assert_eq!(world.unseal(&imported.out_private), b"treasure");

    let bare = world.rewrap((Some(old), None), &duplicate).unwrap();
    let bare = DuplicateResponse {
        duplicate: bare.out_duplicate,
        out_sym_seed: bare.out_sym_seed,
        encryption_key_out: Tpm2bData::EMPTY,
    };
    assert!(bare.out_sym_seed.is_empty());
    world.rewrap((None, Some(new)), &bare).unwrap();
    assert_eq!(world.rewrap((Some(old), Some(new)), &bare), Err(Rc::HANDLE.at(Subject::Handle(1))));
    assert_eq!(world.rewrap((None, Some(new)), &duplicate), Err(Rc::HANDLE.at(Subject::Handle(1))));
    assert!(matches!(world.rewrap((Some(new), Some(old)), &duplicate), Err(rc) if rc.subject().is_some()));
}
