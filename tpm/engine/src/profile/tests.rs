// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens at each limit of a profile, and what each profile promises.

use super::{Limits, Profile};
use crate::Execution;
use crate::testing::{Start, TestPlatform, TestTpm, command_bytes, marshal};
use crate::{Locality, Tpm};
use evtpm_crypto::Offer;
use evtpm_protocol::templates::storage_root_key;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, Cc, Handle, HashAlg, MAX_CONTEXT, Rc, Subject, Supported, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bDigest,
    Tpm2bEncryptedSecretIn, Tpm2bNonce, TpmAlgId, TpmSe, TpmSu, TpmaMlParameterSet, TpmaNv, TpmiDhContext,
    TpmiDhObject, TpmiDhPersistent, TpmiRhHierarchy, TpmiRhNvAuth, TpmiRhNvIndex, TpmiRhNvLegacyIndex, TpmiRhProvision,
    TpmlPcrSelection, TpmsContext, TpmsContextIn, TpmsNvPublic, TpmsSensitiveCreate,
};

const UNBOUND: StartAuthSessionHandles = StartAuthSessionHandles { tpm_key: None, bind: None };

fn started(profile: Profile) -> TestTpm {
    let mut tpm = Tpm::manufacture(TestPlatform::new(), profile).unwrap();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    tpm
}

fn limited(limit: impl FnOnce(&mut Limits)) -> TestTpm {
    let mut profile = Profile::svsm();
    limit(&mut profile.limits);
    started(profile)
}

fn primary(tpm: &mut TestTpm) -> Result<Handle, Rc> {
    let command = CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate::default()),
        in_public: Tpm2b(storage_root_key()),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    let handles = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner };
    tpm.send(&command, handles).map(|response| response.object_handle)
}

fn sequence(tpm: &mut TestTpm) -> Result<(), Rc> {
    let command = HashSequenceStart { auth: Tpm2bAuth::EMPTY, hash_alg: Some(HashAlg::Sha256) };
    tpm.send(&command, ()).map(|_| ())
}

fn session(tpm: &mut TestTpm) -> Result<Handle, Rc> {
    let command = StartAuthSession {
        nonce_caller: Tpm2bNonce::zeros(16).unwrap(),
        encrypted_salt: Tpm2bEncryptedSecretIn::default(),
        session_type: TpmSe::Hmac,
        symmetric: None,
        auth_hash: HashAlg::Sha256,
    };
    tpm.send(&command, UNBOUND).map(|response| response.session_handle)
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

fn define(tpm: &mut TestTpm, number: u32, size: u16) -> Result<(), Rc> {
    let public = TpmsNvPublic {
        nv_index: TpmiRhNvLegacyIndex::new(Handle(0x0180_0000 + number), &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: TpmaNv::OWNERWRITE | TpmaNv::OWNERREAD,
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: size,
    };
    let command = NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info: Tpm2b(public) };
    tpm.send(&command, NvDefineSpaceHandles { auth_handle: TpmiRhProvision::Owner })
}

fn persist(tpm: &mut TestTpm, object: Handle, persistent: u32) -> Result<(), Rc> {
    let persistent_handle = TpmiDhPersistent::new(Handle(persistent), &Supported::ALL).unwrap();
    let object_handle = TpmiDhObject::new(object, &Supported::ALL).unwrap();
    let handles = EvictControlHandles { auth: TpmiRhProvision::Owner, object_handle };
    tpm.send(&EvictControl { persistent_handle }, handles)
}

#[test]
fn an_svsm_holds_three_objects_and_a_pc_at_least_sixteen() {
    assert_eq!(Profile::svsm().limits.transient_objects, 3);
    assert!(Profile::pc_client().limits.transient_objects >= 16);
}

#[test]
fn the_last_slot_takes_an_object_and_none_comes_after_it() {
    for profile in [Profile::svsm(), Profile::pc_client()] {
        let slots = profile.limits.transient_objects;
        let mut tpm = started(profile);
        for _ in 0..slots {
            primary(&mut tpm).unwrap();
        }
        assert_eq!(primary(&mut tpm), Err(Rc::OBJECT_MEMORY));
        assert_eq!(sequence(&mut tpm), Err(Rc::OBJECT_MEMORY));
    }
}

#[test]
fn a_resource_manager_swaps_more_objects_than_there_are_slots() {
    let mut tpm = started(Profile::svsm());
    let mut contexts = std::vec::Vec::new();
    for _ in 0..8 {
        let handle = primary(&mut tpm).unwrap();
        contexts.push(save(&mut tpm, handle));
        let flush_handle = TpmiDhContext::new(handle, &Supported::ALL).unwrap();
        tpm.send(&FlushContext { flush_handle }, ()).unwrap();
    }
    for context in &contexts[..3] {
        load(&mut tpm, context).unwrap();
    }
    assert_eq!(load(&mut tpm, &contexts[3]), Err(Rc::OBJECT_MEMORY));
}

#[test]
fn memory_for_sessions_runs_out_before_their_handles() {
    let mut tpm = limited(|limits| (limits.loaded_sessions, limits.active_sessions) = (2, 3));
    let first = session(&mut tpm).unwrap();
    session(&mut tpm).unwrap();
    assert_eq!(session(&mut tpm), Err(Rc::SESSION_MEMORY));
    let saved = save(&mut tpm, first);
    let third = session(&mut tpm).unwrap();
    assert_eq!(load(&mut tpm, &saved), Err(Rc::SESSION_MEMORY));
    save(&mut tpm, third);
    assert_eq!(session(&mut tpm), Err(Rc::SESSION_HANDLES));
}

#[test]
fn at_the_gap_no_session_starts_and_only_the_oldest_context_loads() {
    let mut tpm = limited(|limits| (limits.context_gap, limits.loaded_sessions) = (4, 8));
    let (oldest, newer) = (session(&mut tpm).unwrap(), session(&mut tpm).unwrap());
    let (oldest, newer) = (save(&mut tpm, oldest), save(&mut tpm, newer));
    let mut last = Ok(Handle::NULL);
    for _ in 0..4 {
        last = session(&mut tpm);
    }
    assert_eq!(last, Err(Rc::CONTEXT_GAP));
    assert_eq!(load(&mut tpm, &newer), Err(Rc::CONTEXT_GAP));
    load(&mut tpm, &oldest).unwrap();
    load(&mut tpm, &newer).unwrap();
}

#[test]
fn an_object_whose_context_would_repeat_a_number_is_not_saved() {
    let mut tpm = started(Profile::svsm());
    let handle = primary(&mut tpm).unwrap();
    tpm.state.object_context = u64::MAX;
    let save_handle = TpmiDhContext::new(handle, &Supported::ALL).unwrap();
    assert_eq!(tpm.send(&ContextSave {}, ContextSaveHandles { save_handle }), Err(Rc::TOO_MANY_CONTEXTS));
}

#[test]
fn a_context_fits_the_buffer_of_linux() {
    // sequence, savedHandle, hierarchy and the size of the blob
    const HEADER: usize = 8 + 4 + 4 + 2;
    const { assert!(HEADER + MAX_CONTEXT <= 4096) };
    let mut tpm = started(Profile::pc_client());
    let handle = tpm.primary(TpmiRhHierarchy::Owner, evtpm_protocol::templates::EkTemplate::L1.public()).object_handle;
    assert!(marshal(&save(&mut tpm, handle)).len() <= 4096);
}

#[test]
fn nv_memory_ends_at_the_last_index_and_at_the_last_octet() {
    let mut tpm = limited(|limits| limits.nv_indices = 2);
    define(&mut tpm, 1, 8).unwrap();
    define(&mut tpm, 2, 8).unwrap();
    assert_eq!(define(&mut tpm, 3, 8), Err(Rc::NV_SPACE));
    let mut tpm = limited(|limits| limits.nv_bytes = 100);
    define(&mut tpm, 1, 60).unwrap();
    assert_eq!(define(&mut tpm, 2, 41), Err(Rc::NV_SPACE));
    define(&mut tpm, 2, 40).unwrap();
    assert_eq!(define(&mut tpm, 3, 1), Err(Rc::NV_SPACE));
}

#[test]
fn an_index_larger_than_the_profile_has_is_a_size_error() {
    for profile in [Profile::svsm(), Profile::pc_client()] {
        let most = profile.limits.nv_index_bytes;
        assert!(most >= 2048, "a report and its certificates fit");
        let mut tpm = started(profile);
        assert_eq!(define(&mut tpm, 1, most + 1), Err(Rc::SIZE.at(Subject::Parameter(2))));
        define(&mut tpm, 1, most).unwrap();
    }
}

#[test]
fn a_read_takes_no_more_than_the_buffer() {
    let mut profile = Profile::pc_client();
    profile.limits.nv_index_bytes = 4096;
    profile.supported.nv_index_size = 4096;
    let mut tpm = started(profile);
    define(&mut tpm, 1, 4096).unwrap();
    let auth_handle = TpmiRhNvAuth::new(Handle::OWNER, &Supported::ALL).unwrap();
    let nv_index = TpmiRhNvIndex::new(Handle(0x0180_0001), &Supported::ALL).unwrap();
    let first = NvWrite { data: Bytes::new(&[7]).unwrap(), offset: 0 };
    tpm.send(&first, NvWriteHandles { auth_handle, nv_index }).unwrap();
    let read = |tpm: &mut TestTpm, size| tpm.send(&NvRead { size, offset: 0 }, NvReadHandles { auth_handle, nv_index });
    assert_eq!(read(&mut tpm, 2049), Err(Rc::VALUE.at(Subject::Parameter(1))));
    assert_eq!(read(&mut tpm, 2048).unwrap().data.as_bytes().len(), 2048);
}

#[test]
fn persistent_objects_end_with_nv_space() {
    let mut tpm = limited(|limits| limits.persistent_objects = 1);
    let object = primary(&mut tpm).unwrap();
    persist(&mut tpm, object, 0x8100_0001).unwrap();
    assert_eq!(persist(&mut tpm, object, 0x8100_0002), Err(Rc::NV_SPACE));
}

/// swtpm's own tests fill a TPM with 65 keys; scripts define more indices than 64.
#[test]
fn a_pc_client_has_room_for_65_keys_and_256_indices() {
    let mut tpm = started(Profile::pc_client());
    let object = primary(&mut tpm).unwrap();
    for number in 0..65 {
        persist(&mut tpm, object, 0x8100_0000 + number).unwrap();
    }
    assert_eq!(persist(&mut tpm, object, 0x8100_0041), Err(Rc::NV_SPACE));
    for number in 1..=256 {
        define(&mut tpm, number, 8).unwrap();
    }
    assert_eq!(define(&mut tpm, 257, 8), Err(Rc::NV_SPACE));
}

#[test]
fn a_buffer_too_small_for_every_response_is_refused_before_anything_changes() {
    let mut tpm = started(Profile::svsm());
    let before = tpm.state.clone();
    let mut response = [0; 4095];
    let mut command = command_bytes(Cc::GET_RANDOM, &[], &[], &8u16.to_be_bytes());
    assert_eq!(tpm.execute(Locality::ZERO, &mut command, &mut response), Execution::Response(10));
    assert_eq!(response[6..10], Rc::MEMORY.raw().to_be_bytes());
    assert!(tpm.state == before);
}

#[test]
fn a_policy_session_and_an_hmac_session_share_the_memory() {
    let mut tpm = limited(|limits| limits.loaded_sessions = 2);
    tpm.start_session(Start::HMAC);
    tpm.start_session(Start::POLICY);
    assert_eq!(session(&mut tpm), Err(Rc::SESSION_MEMORY));
}

#[test]
fn what_the_arithmetic_lacks_is_not_announced() {
    let over = Profile::pqc().over(Offer::SMALL).supported;
    assert_eq!(over.ml_parameter_sets, TpmaMlParameterSet::NONE);
    for alg in [TpmAlgId::MLKEM, TpmAlgId::MLDSA, TpmAlgId::HASH_MLDSA, TpmAlgId::EDDSA, TpmAlgId::HASH_EDDSA] {
        assert!(Profile::pqc().supported.algorithms.contains(alg) && !over.algorithms.contains(alg), "{alg:?}");
    }
    let svsm = Profile::svsm();
    assert_eq!(svsm.clone().over(Offer::SMALL).supported, svsm.supported);
}
