// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of saved contexts and persistent objects.

use crate::host::Ek;
use crate::state::{BankHashers, Hierarchy, Loaded, Running, Safety, Sequence, SequenceKind};
use crate::testing::TestCrypto;
use crate::testing::{SessionUse, Start, TestTpm, Use, command_bytes, marshal, started};
use evtpm_crypto::{Cmac, HashAlg, Hmac, RustHasher, StreamingHash};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, Cc, Handle, Rc, Subject, Supported, Tpm2b, Tpm2bData, TpmSu, TpmaObject, TpmaSession, TpmiDhContext,
    TpmiDhObject, TpmiDhPersistent, TpmiRhBaseHierarchy, TpmiRhClear, TpmiRhEnables, TpmiRhHierarchy, TpmiRhProvision,
    TpmlPcrSelection, TpmsContext, TpmsContextIn, TpmsSensitiveCreate, YesNo,
};

fn key(tpm: &mut TestTpm, hierarchy: TpmiRhHierarchy, attributes: TpmaObject) -> Handle {
    let mut template = evtpm_protocol::templates::attestation_key();
    template.object_attributes = template.object_attributes.with(attributes);
    assert_ne!(Ek::EccP256.template(), template);
    let command = CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate::default()),
        in_public: Tpm2b(template),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    tpm.send(&command, CreatePrimaryHandles { primary_handle: hierarchy }).unwrap().object_handle
}

fn owner_key(tpm: &mut TestTpm) -> Handle {
    key(tpm, TpmiRhHierarchy::Owner, TpmaObject::NONE)
}

fn save(tpm: &mut TestTpm, handle: Handle) -> TpmsContext {
    let save_handle = TpmiDhContext::new(handle, &Supported::ALL).unwrap();
    tpm.send(&ContextSave {}, ContextSaveHandles { save_handle }).unwrap().context
}

fn load(tpm: &mut TestTpm, context: &TpmsContext) -> Result<Handle, Rc> {
    let context = TpmsContextIn {
        sequence: context.sequence,
        saved_handle: context.saved_handle,
        hierarchy: context.hierarchy,
        context_blob: Bytes::new(context.context_blob.as_bytes()).unwrap(),
    };
    tpm.send(&ContextLoad { context }, ()).map(|response| response.loaded_handle)
}

fn at_context<T>(rc: Rc) -> Result<T, Rc> {
    Err(rc.at(Subject::Parameter(1)))
}

#[test]
fn an_object_comes_back_as_it_was_as_often_as_one_likes() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let object = tpm.object(handle).unwrap().clone();
    let context = save(&mut tpm, handle);
    for _ in 0..2 {
        let copy = load(&mut tpm, &context).unwrap();
        assert_eq!(*tpm.object(copy).unwrap(), object);
    }
}

#[test]
fn no_octet_of_a_context_may_be_changed() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let context = save(&mut tpm, handle);
    for position in (0..context.context_blob.len()).step_by(7) {
        let mut changed = context.clone();
        changed.context_blob.as_mut_bytes()[position] ^= 1;
        let before = tpm.state.clone();
        let rc = load(&mut tpm, &changed).unwrap_err();
        assert!([Rc::INTEGRITY, Rc::SIZE, Rc::INSUFFICIENT].contains(&rc.base()), "{position}: {rc}");
        assert!(tpm.state == before);
    }
    let other = TpmsContext { sequence: context.sequence + 1, ..context.clone() };
    assert_eq!(load(&mut tpm, &other), at_context(Rc::INTEGRITY));
    let other = TpmsContext { hierarchy: TpmiRhHierarchy::Platform, ..context };
    assert_eq!(load(&mut tpm, &other), at_context(Rc::INTEGRITY));
}

#[test]
fn a_session_context_loads_once() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let context = save(&mut tpm, session.handle);
    assert_eq!(tpm.state.sessions.loaded_count(), 0);
    assert_eq!(load(&mut tpm, &context), Ok(session.handle));
    let audit = SessionUse { attributes: TpmaSession::CONTINUE_SESSION | TpmaSession::AUDIT, ..SessionUse::default() };
    tpm.send_with(&GetRandom { bytes_requested: 1 }, (), &mut [Use::Session(&mut session, audit)]).unwrap();
    save(&mut tpm, session.handle);
    assert_eq!(load(&mut tpm, &context), at_context(Rc::HANDLE));
}

#[test]
fn everything_that_a_policy_session_knows_is_saved() {
    let mut tpm = started();
    let session = tpm.start_session(Start::POLICY);
    let policy = tpm.state.sessions.loaded_mut(session.handle.0).unwrap().policy_mut().unwrap();
    policy.timeout = Some(99);
    policy.command_code = Some(Cc::QUOTE);
    policy.locality = 3;
    policy.pcr_counter = Some(7);
    policy.limit = crate::state::PolicyLimit::NameHash(evtpm_crypto::Digest::from_slice(&[5; 32]).unwrap());
    policy.proof = crate::state::PolicyProof::Password;
    policy.physical_presence = true;
    policy.nv_written = Some(false);
    let before = tpm.state.sessions.loaded(session.handle.0).unwrap().clone();
    let context = save(&mut tpm, session.handle);
    load(&mut tpm, &context).unwrap();
    assert_eq!(*tpm.state.sessions.loaded(session.handle.0).unwrap(), before);
}

#[test]
fn a_reset_ends_every_context_and_a_restart_only_those_of_st_clear_objects() {
    let cycle = |tpm: &mut TestTpm, shutdown_type| {
        tpm.send(&Shutdown { shutdown_type }, ()).unwrap();
        tpm.power_on();
        tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    };
    let mut tpm = started();
    let (lasting, clearing) = (owner_key(&mut tpm), key(&mut tpm, TpmiRhHierarchy::Owner, TpmaObject::ST_CLEAR));
    let (lasting, clearing) = (save(&mut tpm, lasting), save(&mut tpm, clearing));
    let session = tpm.start_session(Start::HMAC);
    let session = save(&mut tpm, session.handle);
    cycle(&mut tpm, TpmSu::State);
    load(&mut tpm, &lasting).unwrap();
    assert_eq!(load(&mut tpm, &clearing), at_context(Rc::INTEGRITY));
    let handle = load(&mut tpm, &session).unwrap();
    let session = save(&mut tpm, handle);
    cycle(&mut tpm, TpmSu::Clear);
    assert_eq!(load(&mut tpm, &lasting), at_context(Rc::INTEGRITY));
    assert_eq!(load(&mut tpm, &session), at_context(Rc::INTEGRITY));
}

#[test]
fn clear_ends_the_contexts_of_the_owner() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let context = save(&mut tpm, handle);
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Lockout }).unwrap();
    assert!(tpm.object(handle).is_none());
    assert_eq!(load(&mut tpm, &context), at_context(Rc::INTEGRITY));
}

/// "The TPM will return TPM_RC_HIERARCHY if the context is associated with a hierarchy that is disabled."
#[test]
fn a_context_of_a_disabled_hierarchy_waits_until_it_is_enabled() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let context = save(&mut tpm, handle);
    let platform = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
    let control = |state| HierarchyControl { enable: TpmiRhEnables::Owner, state };
    tpm.send(&control(YesNo::No), platform).unwrap();
    assert_eq!(load(&mut tpm, &context), at_context(Rc::HIERARCHY));
    tpm.send(&control(YesNo::Yes), platform).unwrap();
    load(&mut tpm, &context).unwrap();
}

#[test]
fn a_flushed_handle_is_gone_and_flushing_it_again_is_a_handle_error() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let flush = FlushContext { flush_handle: TpmiDhContext::new(handle, &Supported::ALL).unwrap() };
    tpm.send(&flush, ()).unwrap();
    assert_eq!(tpm.send(&flush, ()), Err(Rc::HANDLE.at(Subject::Parameter(1))));
    assert_eq!(tpm.rc(command_bytes(Cc::CONTEXT_SAVE, &marshal(&handle), &[], &[])), Rc::REFERENCE_H0);
}

fn evict(tpm: &mut TestTpm, auth: TpmiRhProvision, object: Handle, persistent: u32) -> Result<(), Rc> {
    let object_handle = TpmiDhObject::new(object, &Supported::ALL).unwrap();
    let persistent_handle = TpmiDhPersistent::new(Handle(persistent), &Supported::ALL).unwrap();
    tpm.send(&EvictControl { persistent_handle }, EvictControlHandles { auth, object_handle })
}

#[test]
fn a_persistent_object_survives_a_reset_until_it_is_evicted() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let name = tpm.entity_name(handle);
    evict(&mut tpm, TpmiRhProvision::Owner, handle, 0x8100_0001).unwrap();
    assert_eq!(evict(&mut tpm, TpmiRhProvision::Owner, handle, 0x8100_0001), Err(Rc::NV_DEFINED));
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    assert_eq!(tpm.entity_name(Handle(0x8100_0001)), name);
    evict(&mut tpm, TpmiRhProvision::Owner, Handle(0x8100_0001), 0x8100_0001).unwrap();
    assert!(tpm.object(Handle(0x8100_0001)).is_none());
}

#[test]
fn the_owner_evicts_a_key_of_a_disabled_endorsement_hierarchy() {
    let mut tpm = started();
    let handle = key(&mut tpm, TpmiRhHierarchy::Endorsement, TpmaObject::NONE);
    let persistent = Handle(0x8100_0001);
    evict(&mut tpm, TpmiRhProvision::Owner, handle, persistent.0).unwrap();
    tpm.state.hierarchies.of_mut(Hierarchy::Endorsement).enabled = false;
    let read = command_bytes(Cc::READ_PUBLIC, &marshal(&persistent), &[], &[]);
    assert_eq!(tpm.rc(read), Rc::HANDLE.at(Subject::Handle(1)));
    evict(&mut tpm, TpmiRhProvision::Owner, persistent, persistent.0).unwrap();
    assert!(tpm.object(persistent).is_none());
}

#[test]
fn only_the_right_hierarchy_and_range_make_an_object_persistent() {
    let mut tpm = started();
    let owner = owner_key(&mut tpm);
    let null = key(&mut tpm, TpmiRhHierarchy::Null, TpmaObject::NONE);
    let clearing = key(&mut tpm, TpmiRhHierarchy::Owner, TpmaObject::ST_CLEAR);
    let platform = key(&mut tpm, TpmiRhHierarchy::Platform, TpmaObject::NONE);
    let at_object = |rc: Rc| Err(rc.at(Subject::Handle(2)));
    let at_persistent = |rc: Rc| Err(rc.at(Subject::Parameter(1)));
    for (auth, object, persistent, expected) in [
        (TpmiRhProvision::Owner, null, 0x8100_0000, at_object(Rc::ATTRIBUTES)),
        (TpmiRhProvision::Owner, clearing, 0x8100_0000, at_object(Rc::ATTRIBUTES)),
        (TpmiRhProvision::Owner, platform, 0x8100_0000, at_object(Rc::HIERARCHY)),
        (TpmiRhProvision::Platform, owner, 0x8180_0000, at_object(Rc::HIERARCHY)),
        (TpmiRhProvision::Owner, owner, 0x8180_0000, at_persistent(Rc::RANGE)),
        (TpmiRhProvision::Platform, platform, 0x8100_0000, at_persistent(Rc::RANGE)),
        (TpmiRhProvision::Platform, platform, 0x8180_0000, Ok(())),
        (TpmiRhProvision::Owner, Handle(0x8180_0000), 0x8180_0000, at_object(Rc::RANGE)),
        (TpmiRhProvision::Platform, Handle(0x8180_0000), 0x8180_0001, at_object(Rc::HANDLE)),
    ] {
        assert_eq!(evict(&mut tpm, auth, object, persistent), expected, "{auth:?} {object:?} {persistent:#x}");
    }
}

#[test]
fn a_full_table_of_objects_refuses_another() {
    let mut tpm = started();
    let handle = owner_key(&mut tpm);
    let context = save(&mut tpm, handle);
    while load(&mut tpm, &context).is_ok() {}
    assert_eq!(load(&mut tpm, &context), Err(Rc::OBJECT_MEMORY));
}

#[test]
fn sequences_of_every_kind_come_back_in_the_middle_of_their_data() {
    let mut tpm = started();
    let mut hasher = RustHasher::new(HashAlg::Sha384);
    hasher.update(b"half");
    let mac = Hmac::new(HashAlg::Sha256, b"key").chain(b"half");
    let mut cmac = Cmac::new(&[7; 24]).unwrap();
    cmac.update::<TestCrypto>(b"half and a block and more").unwrap();
    let mut event = BankHashers::start(4, tpm.state.pcrs.banks().map(|bank| bank.alg)).unwrap();
    event.update(b"half");
    for kind in [
        SequenceKind::Hash { hasher: Running(hasher), safety: Safety::Safe },
        SequenceKind::Hmac(mac),
        SequenceKind::Cmac(cmac),
        SequenceKind::Event(event),
    ] {
        let auth = evtpm_tpm_wire::Tpm2bAuth::new(b"secret").unwrap();
        let handle = tpm.state.objects.load(Loaded::Sequence(Sequence { auth, kind })).unwrap();
        let sequence = tpm.sequence(handle).unwrap().clone();
        let context = save(&mut tpm, handle);
        assert_eq!(context.saved_handle.handle(), Handle(0x8000_0001));
        let copy = load(&mut tpm, &context).unwrap();
        assert!(*tpm.sequence(copy).unwrap() == sequence);
    }
}
