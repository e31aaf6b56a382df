// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policies from the caller's side: their digests, what they refuse, and what they authorize.

use super::testing::{authorized, digest, policy, start, started_policy, started_trial};
use crate::Locality;
use crate::commands::nv::testing::{INDEX, define, nv, nv_auth, public, write};
use crate::testing::TestCrypto;
use crate::testing::TestTpm;
use evtpm_crypto::{Crypto, HashAlg as Hash};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;
use std::vec::Vec;

const POLICY_A: &str = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const POLICY_B: &str = "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0";
const WELL_KNOWN_AUTH_VALUE: &str = "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e";
const START_MS: u64 = 1_000;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn entity(handle: Handle) -> TpmiDhEntity {
    TpmiDhEntity::new(handle, &Supported::ALL).unwrap()
}

fn digest_2b(bytes: &[u8]) -> Tpm2bDigest {
    Tpm2bDigest::new(bytes).unwrap()
}

/// PolicySecret of an entity with a password.
fn secret(
    tpm: &mut TestTpm,
    session: Handle,
    of: Handle,
    password: &[u8],
    expiration: i32,
) -> Result<PolicySecretResponse, Rc> {
    let command = PolicySecret {
        nonce_tpm: Tpm2bNonce::EMPTY,
        cp_hash_a: Tpm2bDigest::EMPTY,
        policy_ref: Tpm2bNonce::EMPTY,
        expiration,
    };
    let handles = PolicySecretHandles { auth_handle: entity(of), policy_session: policy(session) };
    tpm.send_at(Locality::ZERO, &command, handles, &[password])
}

fn auth_value(tpm: &mut TestTpm, session: Handle) {
    tpm.send(&PolicyAuthValue {}, PolicyAuthValueHandles { policy_session: policy(session) }).unwrap();
}

fn command_code(tpm: &mut TestTpm, session: Handle, code: Cc) -> Result<(), Rc> {
    tpm.send(&PolicyCommandCode { code }, PolicyCommandCodeHandles { policy_session: policy(session) })
}

fn or(tpm: &mut TestTpm, session: Handle, branches: &[&[u8]]) -> Result<(), Rc> {
    let mut p_hash_list = TpmlDigest::new();
    branches.iter().for_each(|branch| p_hash_list.push(digest_2b(branch)).unwrap());
    tpm.send(&PolicyOr { p_hash_list }, PolicyOrHandles { policy_session: policy(session) })
}

fn cp_hash(tpm: &mut TestTpm, session: Handle, hash: &[u8]) -> Result<(), Rc> {
    let handles = PolicyCpHashHandles { policy_session: policy(session) };
    tpm.send(&PolicyCpHash { cp_hash_a: digest_2b(hash) }, handles)
}

fn name_hash(tpm: &mut TestTpm, session: Handle, hash: &[u8]) -> Result<(), Rc> {
    let handles = PolicyNameHashHandles { policy_session: policy(session) };
    tpm.send(&PolicyNameHash { name_hash: digest_2b(hash) }, handles)
}

fn pcr(tpm: &mut TestTpm, session: Handle, pcr_digest: &[u8]) -> Result<(), Rc> {
    let select = PcrSelect::of(&[PcrIndex::Pcr7]);
    let pcrs = TpmlPcrSelection::from_slice(&[TpmsPcrSelection { hash: HashAlg::Sha256, select }]).unwrap();
    let handles = PolicyPcrHandles { policy_session: policy(session) };
    tpm.send(&PolicyPcr { pcr_digest: digest_2b(pcr_digest), pcrs }, handles)
}

fn extend_pcr_7(tpm: &mut TestTpm) {
    let digests = TpmlDigestValues::from_slice(&[TpmtHa::new(HashAlg::Sha256, &[9; 32]).unwrap()]).unwrap();
    tpm.send(&PcrExtend { digests: digests.borrowed() }, PcrExtendHandles { pcr_handle: Some(PcrIndex::Pcr7) })
        .unwrap();
}

fn timer(tpm: &mut TestTpm, session: Handle, operand: &[u8], offset: u16, operation: TpmEo) -> Result<(), Rc> {
    let command = PolicyCounterTimer { operand_b: Tpm2bOperand::new(operand).unwrap(), offset, operation };
    tpm.send(&command, PolicyCounterTimerHandles { policy_session: policy(session) })
}

/// Defines and writes an index that the session's policy, as it is now, may read.
fn guard(tpm: &mut TestTpm, session: Handle, password: &[u8]) {
    let mut public = public(TpmaNv::OWNERWRITE | TpmaNv::POLICYREAD | TpmaNv::NO_DA, 8);
    public.auth_policy = digest_2b(&digest(tpm, session));
    define(tpm, public, password);
    write(tpm, Handle::OWNER, b"", b"guarded!", 0).unwrap();
}

fn read_at(tpm: &mut TestTpm, session: Handle, password: &[u8]) -> Result<(), Rc> {
    let handles = NvReadHandles { auth_handle: nv_auth(INDEX), nv_index: nv(INDEX) };
    authorized(tpm, session, password, &NvRead { size: 8, offset: 0 }, handles).map(|_| ())
}

fn read(tpm: &mut TestTpm, session: Handle) -> Result<(), Rc> {
    read_at(tpm, session, b"")
}

#[test]
fn policy_a_is_the_endorsement_secret() {
    for (mut tpm, session) in [started_policy(), started_trial()] {
        secret(&mut tpm, session, Handle::ENDORSEMENT, b"", 0).unwrap();
        assert_eq!(digest(&mut tpm, session), unhex(POLICY_A));
    }
}

#[test]
fn policy_b_accepts_what_the_profiles_index_approves() {
    let (mut tpm, session) = started_policy();
    let handle = Handle(0x01C0_7F01);
    let profile = TpmsNvPublic {
        nv_index: crate::commands::nv::testing::index(handle.0),
        name_alg: HashAlg::Sha256,
        attributes: TpmaNv(0x220F_1008).without(TpmaNv::WRITTEN),
        auth_policy: digest_2b(&unhex(POLICY_A)),
        data_size: 34,
    };
    define(&mut tpm, profile, b"");
    // PolicyA writes the index; what it approves is PolicyAuthValue.
    secret(&mut tpm, session, Handle::ENDORSEMENT, b"", 0).unwrap();
    let approved = [&[0, 0x0B][..], &unhex(WELL_KNOWN_AUTH_VALUE)].concat();
    let data = Bytes::new(&approved).unwrap();
    let handles = NvWriteHandles { auth_handle: nv_auth(handle), nv_index: nv(handle) };
    authorized(&mut tpm, session, b"", &NvWrite { data, offset: 0 }, handles).unwrap();

    let authorize = |tpm: &mut TestTpm| {
        let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(handle));
        let handles = PolicyAuthorizeNvHandles { auth_handle, nv_index, policy_session: policy(session) };
        tpm.send(&PolicyAuthorizeNv {}, handles)
    };
    assert_eq!(authorize(&mut tpm), Err(Rc::VALUE));
    auth_value(&mut tpm, session);
    authorize(&mut tpm).unwrap();
    let policy_c = digest(&mut tpm, session);
    or(&mut tpm, session, &[&unhex(POLICY_A), &policy_c]).unwrap();
    assert_eq!(digest(&mut tpm, session), unhex(POLICY_B));
}

#[test]
fn an_index_approves_only_in_the_sessions_algorithm() {
    let (mut tpm, session) = started_policy();
    define(&mut tpm, public(crate::commands::nv::testing::OWNER, 34), b"");
    let authorize = |tpm: &mut TestTpm| {
        let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(INDEX));
        let handles = PolicyAuthorizeNvHandles { auth_handle, nv_index, policy_session: policy(session) };
        tpm.send(&PolicyAuthorizeNv {}, handles)
    };
    assert_eq!(authorize(&mut tpm), Err(Rc::NV_UNINITIALIZED));
    for (alg, rc) in [([0, 0x04], Rc::HASH), ([0, 0x10], Rc::HASH), ([0, 0x0C], Rc::INSUFFICIENT)] {
        write(&mut tpm, Handle::OWNER, b"", &alg, 0).unwrap();
        assert_eq!(authorize(&mut tpm), Err(rc), "{alg:?}");
    }
}

#[test]
fn an_index_that_is_locked_for_reading_approves_nothing() {
    let (mut tpm, session) = started_policy();
    define(&mut tpm, public(crate::commands::nv::testing::OWNER | TpmaNv::READ_STCLEAR, 34), b"");
    write(&mut tpm, Handle::OWNER, b"", &[&[0, 0x0B][..], &[0; 32]].concat(), 0).unwrap();
    let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(INDEX));
    let handles = PolicyAuthorizeNvHandles { auth_handle, nv_index, policy_session: policy(session) };
    tpm.send(&NvReadLock {}, NvReadLockHandles { auth_handle, nv_index }).unwrap();
    assert_eq!(tpm.send(&PolicyAuthorizeNv {}, handles), Err(Rc::NV_LOCKED));
}

#[test]
fn a_password_and_an_hmac_have_one_digest() {
    let (mut tpm, session) = started_policy();
    auth_value(&mut tpm, session);
    assert_eq!(digest(&mut tpm, session), unhex(WELL_KNOWN_AUTH_VALUE));
    let (mut tpm, session) = started_policy();
    tpm.send(&PolicyPassword {}, PolicyPasswordHandles { policy_session: policy(session) }).unwrap();
    assert_eq!(digest(&mut tpm, session), unhex(WELL_KNOWN_AUTH_VALUE));
}

#[test]
fn a_policy_password_is_the_entitys() {
    let (mut tpm, session) = started_policy();
    let handles = PolicyPasswordHandles { policy_session: policy(session) };
    tpm.send(&PolicyPassword {}, handles).unwrap();
    guard(&mut tpm, session, b"pw");
    assert_eq!(read_at(&mut tpm, session, b"no"), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    read_at(&mut tpm, session, b"pw").unwrap();
}

#[test]
fn a_branch_must_be_where_the_session_stands() {
    let (mut tpm, session) = started_policy();
    let before = tpm.state.clone();
    assert_eq!(or(&mut tpm, session, &[&[1; 32], &[2; 32]]), Err(Rc::VALUE.at(Subject::Parameter(1))));
    assert_eq!(or(&mut tpm, session, &[&[0; 32]]), Err(Rc::SIZE.at(Subject::Parameter(1))));
    assert!(tpm.state == before);
    or(&mut tpm, session, &[&[1; 32], &[0; 32]]).unwrap();
    let expected = TestCrypto::hash(Hash::Sha256, &[&[0; 32], &[0, 0, 1, 0x71], &[1; 32], &[0; 32]]);
    assert_eq!(digest(&mut tpm, session), expected.as_bytes());
}

#[test]
fn pcr_values_are_checked_when_told_and_when_used() {
    let (mut tpm, session) = started_policy();
    let at_digest = Rc::VALUE.at(Subject::Parameter(1));
    assert_eq!(pcr(&mut tpm, session, &[1; 32]), Err(at_digest));
    let values = TestCrypto::hash(Hash::Sha256, &[&[0; 32]]);
    pcr(&mut tpm, session, values.as_bytes()).unwrap();
    let selection = [0, 0, 0, 1, 0, 0x0B, 3, 0x80, 0, 0];
    let parts: [&[u8]; 4] = [&[0; 32], &[0, 0, 1, 0x7F], &selection, values.as_bytes()];
    assert_eq!(digest(&mut tpm, session), TestCrypto::hash(Hash::Sha256, &parts).as_bytes());
    guard(&mut tpm, session, b"");
    extend_pcr_7(&mut tpm);
    assert_eq!(pcr(&mut tpm, session, b""), Err(Rc::PCR_CHANGED));
    assert_eq!(read(&mut tpm, session), Err(Rc::PCR_CHANGED));
}

#[test]
fn a_trial_takes_pcr_values_as_told() {
    let (mut tpm, session) = started_trial();
    pcr(&mut tpm, session, &[1; 32]).unwrap();
    extend_pcr_7(&mut tpm);
    pcr(&mut tpm, session, &[2; 32]).unwrap();
}

#[test]
fn a_locality_is_checked_when_used() {
    let (mut tpm, session) = started_policy();
    let handles = PolicyLocalityHandles { policy_session: policy(session) };
    tpm.send(&PolicyLocality { locality: TpmaLocality::ONE }, handles).unwrap();
    guard(&mut tpm, session, b"");
    assert_eq!(read(&mut tpm, session), Err(Rc::LOCALITY));
}

#[test]
fn physical_presence_is_checked_when_used() {
    let (mut tpm, session) = started_policy();
    let handles = PolicyPhysicalPresenceHandles { policy_session: policy(session) };
    tpm.send(&PolicyPhysicalPresence {}, handles).unwrap();
    guard(&mut tpm, session, b"");
    assert_eq!(read(&mut tpm, session), Err(Rc::PP.at(Subject::Session(1))));
    tpm.platform.present = true;
    read(&mut tpm, session).unwrap();
}

#[test]
fn a_policy_for_one_command_is_for_no_other() {
    let (mut tpm, session) = started_policy();
    let at_code = Subject::Parameter(1);
    assert_eq!(command_code(&mut tpm, session, Cc::FIRMWARE_READ), Err(Rc::POLICY_CC.at(at_code)));
    command_code(&mut tpm, session, Cc::NV_CHANGE_AUTH).unwrap();
    command_code(&mut tpm, session, Cc::NV_CHANGE_AUTH).unwrap();
    assert_eq!(command_code(&mut tpm, session, Cc::NV_READ), Err(Rc::VALUE.at(at_code)));
    guard(&mut tpm, session, b"");
    assert_eq!(read(&mut tpm, session), Err(Rc::POLICY_CC.at(Subject::Session(1))));
}

#[test]
fn an_index_changes_its_authorization_value_by_policy() {
    let (mut tpm, session) = started_policy();
    command_code(&mut tpm, session, Cc::NV_CHANGE_AUTH).unwrap();
    guard(&mut tpm, session, b"old");
    let handles = NvChangeAuthHandles { nv_index: nv(INDEX) };
    let change = |new: &[u8]| NvChangeAuth { new_auth: Tpm2bAuth::new(new).unwrap() };
    assert_eq!(tpm.send(&change(b"new"), handles), Err(Rc::AUTH_TYPE));
    let too_long = authorized(&mut tpm, session, b"", &change(&[1; 33]), handles);
    assert_eq!(too_long, Err(Rc::SIZE.at(Subject::Parameter(1))));
    authorized(&mut tpm, session, b"", &change(b"new\0"), handles).unwrap();
    assert_eq!(tpm.state.nv.index(INDEX).unwrap().auth.as_bytes(), b"new");
}

#[test]
fn a_policy_deletes_what_nothing_else_deletes() {
    let (mut tpm, session) = started_policy();
    command_code(&mut tpm, session, Cc::NV_UNDEFINE_SPACE_SPECIAL).unwrap();
    let attributes = TpmaNv::PPWRITE | TpmaNv::PPREAD | TpmaNv::PLATFORMCREATE | TpmaNv::POLICY_DELETE;
    let mut special = public(attributes, 8);
    special.auth_policy = digest_2b(&digest(&mut tpm, session));
    define(&mut tpm, special, b"");
    let nv_index = TpmiRhNvDefinedIndex::new(INDEX, &Supported::ALL).unwrap();
    let handles = NvUndefineSpaceSpecialHandles { nv_index, platform: TpmiRhPlatform::Platform };
    authorized(&mut tpm, session, b"", &NvUndefineSpaceSpecial {}, handles).unwrap();
    assert!(tpm.state.nv.index(INDEX).is_none());
}

#[test]
fn a_command_is_bound_by_its_parameters() {
    let (mut tpm, session) = started_policy();
    guard(&mut tpm, session, b"");
    let name = tpm.entity_name(INDEX);
    let parts: [&[u8]; 4] = [&[0, 0, 1, 0x4E], name.as_bytes(), name.as_bytes(), &[0, 8, 0, 0]];
    let right = TestCrypto::hash(Hash::Sha256, &parts);
    for (hash, result) in [(&[1; 32][..], Err(Rc::POLICY_FAIL.at(Subject::Session(1)))), (right.as_bytes(), Ok(()))] {
        let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
        cp_hash(&mut tpm, session, hash).unwrap();
        // The Name holds the policy, so that only an approved policy can name the command: here the test approves.
        let approved = evtpm_crypto::Digest::zero(Hash::Sha256);
        tpm.state.sessions.loaded_mut(session.0).unwrap().policy_mut().unwrap().digest = approved;
        assert_eq!(read(&mut tpm, session), result);
    }
}

#[test]
fn what_a_policy_is_bound_to_is_decided_once() {
    let (mut tpm, session) = started_policy();
    assert_eq!(cp_hash(&mut tpm, session, &[1; 31]), Err(Rc::SIZE.at(Subject::Parameter(1))));
    assert_eq!(name_hash(&mut tpm, session, &[1; 48]), Err(Rc::SIZE.at(Subject::Parameter(1))));
    cp_hash(&mut tpm, session, &[1; 32]).unwrap();
    cp_hash(&mut tpm, session, &[1; 32]).unwrap();
    assert_eq!(cp_hash(&mut tpm, session, &[2; 32]), Err(Rc::CPHASH));
    assert_eq!(name_hash(&mut tpm, session, &[1; 32]), Err(Rc::CPHASH));
    let template = |byte| PolicyTemplate { template_hash: digest_2b(&[byte; 32]) };
    let handles = PolicyTemplateHandles { policy_session: policy(session) };
    assert_eq!(tpm.send(&template(1), handles), Err(Rc::CPHASH));

    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    let handles = PolicyTemplateHandles { policy_session: policy(session) };
    tpm.send(&template(1), handles).unwrap();
    tpm.send(&template(1), handles).unwrap();
    assert_eq!(tpm.send(&template(2), handles), Err(Rc::VALUE.at(Subject::Parameter(1))));
    assert_eq!(cp_hash(&mut tpm, session, &[1; 32]), Err(Rc::CPHASH));
}

#[test]
fn a_duplication_is_for_one_object_and_one_parent() {
    let select = |include: bool| PolicyDuplicationSelect {
        object_name: Tpm2bName::new(b"object").unwrap(),
        new_parent_name: Tpm2bName::new(b"parent").unwrap(),
        include_object: YesNo::from(include),
    };
    for (include, tail) in [(true, &b"objectparent\x01"[..]), (false, b"parent\x00")] {
        let (mut tpm, session) = started_policy();
        let handles = PolicyDuplicationSelectHandles { policy_session: policy(session) };
        tpm.send(&select(include), handles).unwrap();
        let expected = TestCrypto::hash(Hash::Sha256, &[&[0; 32], &[0, 0, 1, 0x88], tail]);
        assert_eq!(digest(&mut tpm, session), expected.as_bytes());
        let state = tpm.state.sessions.loaded(session.0).unwrap().policy().unwrap();
        let names = TestCrypto::hash(Hash::Sha256, &[b"objectparent"]);
        assert_eq!(state.limit, crate::state::PolicyLimit::NameHash(names));
        assert_eq!(state.command_code, Some(Cc::DUPLICATE));
        assert_eq!(tpm.send(&select(include), handles), Err(Rc::CPHASH));
    }
    let (mut tpm, session) = started_policy();
    command_code(&mut tpm, session, Cc::NV_READ).unwrap();
    let handles = PolicyDuplicationSelectHandles { policy_session: policy(session) };
    assert_eq!(tpm.send(&select(true), handles), Err(Rc::POLICY_CC));
}

#[test]
fn written_and_unwritten_exclude_each_other() {
    let (mut tpm, session) = started_policy();
    let handles = PolicyNvWrittenHandles { policy_session: policy(session) };
    tpm.send(&PolicyNvWritten { written_set: YesNo::No }, handles).unwrap();
    let opposite = tpm.send(&PolicyNvWritten { written_set: YesNo::Yes }, handles);
    assert_eq!(opposite, Err(Rc::VALUE.at(Subject::Parameter(1))));
    guard(&mut tpm, session, b"");
    assert_eq!(read(&mut tpm, session), Err(Rc::POLICY_FAIL.at(Subject::Session(1))));
}

#[test]
fn an_authority_replaces_the_policy_it_approved() {
    let (mut tpm, session) = started_policy();
    auth_value(&mut tpm, session);
    let approved_policy = digest_2b(&digest(&mut tpm, session));
    let key_sign = Tpm2bName::new(&[&[0, 0x0B][..], &[7; 32]].concat()).unwrap();
    let policy_ref = Tpm2bNonce::new(b"ref").unwrap();
    let signed = TestCrypto::hash(Hash::Sha256, &[approved_policy.as_bytes(), b"ref"]);
    let owner = crate::state::Hierarchy::Owner;
    let check_ticket = tpm.verified_ticket(owner, signed.as_bytes(), key_sign.as_bytes());
    let right = PolicyAuthorize { approved_policy, policy_ref, key_sign, check_ticket };
    let handles = PolicyAuthorizeHandles { policy_session: policy(session) };
    let name = |bytes: &[u8]| Tpm2bName::new(bytes).unwrap();
    let wrong = [
        (
            PolicyAuthorize { approved_policy: digest_2b(&[1; 32]), ..right.clone() },
            Rc::VALUE.at(Subject::Parameter(1)),
        ),
        (PolicyAuthorize { policy_ref: Tpm2bNonce::EMPTY, ..right.clone() }, Rc::POLICY),
        (PolicyAuthorize { check_ticket: TpmtTkVerified::NULL, ..right.clone() }, Rc::POLICY),
        (PolicyAuthorize { key_sign: name(&[0x40, 0, 0, 1]), ..right.clone() }, Rc::HASH.at(Subject::Parameter(3))),
        (PolicyAuthorize { key_sign: name(b""), ..right.clone() }, Rc::HASH.at(Subject::Parameter(3))),
        (PolicyAuthorize { key_sign: name(&[0, 0x0B, 1]), ..right.clone() }, Rc::SIZE.at(Subject::Parameter(3))),
    ];
    for (command, rc) in wrong {
        assert_eq!(tpm.send(&command, handles), Err(rc));
    }
    tpm.send(&right, handles).unwrap();
    let first = TestCrypto::hash(Hash::Sha256, &[&[0; 32], &[0, 0, 1, 0x6A], right.key_sign.as_bytes()]);
    let expected = TestCrypto::hash(Hash::Sha256, &[first.as_bytes(), b"ref"]);
    assert_eq!(digest(&mut tpm, session), expected.as_bytes());
}

#[test]
fn nv_data_is_compared_where_it_stands() {
    let (mut tpm, session) = started_policy();
    let compare = |tpm: &mut TestTpm, operand: &[u8], offset, operation| {
        let operand_b = Tpm2bOperand::new(operand).unwrap();
        let (auth_handle, nv_index) = (nv_auth(Handle::OWNER), nv(INDEX));
        let handles = PolicyNvHandles { auth_handle, nv_index, policy_session: policy(session) };
        tpm.send(&PolicyNv { operand_b, offset, operation }, handles)
    };
    define(&mut tpm, public(crate::commands::nv::testing::OWNER | TpmaNv::READ_STCLEAR, 8), b"");
    assert_eq!(compare(&mut tpm, b"x", 0, TpmEo::Eq), Err(Rc::NV_UNINITIALIZED));
    write(&mut tpm, Handle::OWNER, b"", &[0xFE, 1, 2, 3], 0).unwrap();
    assert_eq!(compare(&mut tpm, &[1, 3], 1, TpmEo::Eq), Err(Rc::POLICY));
    assert_eq!(compare(&mut tpm, &[0; 8], 1, TpmEo::Neq), Err(Rc::NV_RANGE));
    compare(&mut tpm, &[1, 3], 1, TpmEo::UnsignedLt).unwrap();
    let name = tpm.entity_name(INDEX);
    let arguments = TestCrypto::hash(Hash::Sha256, &[&[1, 3], &[0, 1], &[0, 5]]);
    let parts: [&[u8]; 4] = [&[0; 32], &[0, 0, 1, 0x49], arguments.as_bytes(), name.as_bytes()];
    assert_eq!(digest(&mut tpm, session), TestCrypto::hash(Hash::Sha256, &parts).as_bytes());
    // -2 < -1, in two's complement
    compare(&mut tpm, &[0xFF], 0, TpmEo::SignedLt).unwrap();
    let lock = NvReadLockHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
    tpm.send(&NvReadLock {}, lock).unwrap();
    assert_eq!(compare(&mut tpm, &[1], 1, TpmEo::Eq), Err(Rc::NV_LOCKED));
}

#[test]
fn the_clock_is_compared_where_it_stands() {
    let (mut tpm, session) = started_policy();
    tpm.platform.now = START_MS + 5_000;
    let clock = 8;
    timer(&mut tpm, session, &4_999u64.to_be_bytes(), clock, TpmEo::UnsignedGt).unwrap();
    assert_eq!(timer(&mut tpm, session, &5_000u64.to_be_bytes(), clock, TpmEo::UnsignedGt), Err(Rc::POLICY));
    assert_eq!(timer(&mut tpm, session, &[0], 26, TpmEo::Eq), Err(Rc::VALUE.at(Subject::Parameter(2))));
    assert_eq!(timer(&mut tpm, session, &[0, 0], 24, TpmEo::Eq), Err(Rc::RANGE));
    timer(&mut tpm, session, &[1], 24, TpmEo::Eq).unwrap();
}

#[test]
fn less_than_time_is_an_expiration_in_seconds() {
    let (mut tpm, session) = started_policy();
    // Of two limits the earlier one holds, and none is too late.
    let limit = |tpm: &mut TestTpm, session| {
        for seconds in [5, u64::MAX] {
            timer(tpm, session, &seconds.to_be_bytes(), 0, TpmEo::UnsignedLt).unwrap();
        }
    };
    limit(&mut tpm, session);
    guard(&mut tpm, session, b"");
    tpm.platform.now = START_MS + 5_001;
    assert_eq!(read(&mut tpm, session), Err(Rc::EXPIRED.at(Subject::Session(1))));
    tpm.platform.now = START_MS;
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    limit(&mut tpm, session);
    read(&mut tpm, session).unwrap();
}

/// What stands for the PolicySecret of an entity that gave this answer.
fn ticket_for(entity: Handle, response: PolicySecretResponse) -> PolicyTicket {
    PolicyTicket {
        timeout: response.timeout,
        cp_hash_a: Tpm2bDigest::EMPTY,
        policy_ref: Tpm2bNonce::EMPTY,
        auth_name: Tpm2bName::new(&entity.0.to_be_bytes()).unwrap(),
        ticket: response.policy_ticket,
    }
}

#[test]
fn a_ticket_stands_for_the_secret_until_it_expires() {
    let (mut tpm, session) = started_policy();
    let response = secret(&mut tpm, session, Handle::ENDORSEMENT, b"", -10).unwrap();
    assert_eq!(response.policy_ticket.hierarchy, TpmiRhHierarchy::Endorsement);
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    let handles = PolicyTicketHandles { policy_session: policy(session) };
    let right = ticket_for(Handle::ENDORSEMENT, response);
    let later = Tpm2bTimeout::new(&(0x8000_0000_0000_0000u64 | 11_000).to_be_bytes()).unwrap();
    let wrong = [
        (PolicyTicket { timeout: later, ..right.clone() }, Rc::TICKET.at(Subject::Parameter(5))),
        (PolicyTicket { timeout: Tpm2bTimeout::EMPTY, ..right.clone() }, Rc::SIZE.at(Subject::Parameter(1))),
        (
            PolicyTicket { policy_ref: Tpm2bNonce::new(b"x").unwrap(), ..right.clone() },
            Rc::TICKET.at(Subject::Parameter(5)),
        ),
        (PolicyTicket { cp_hash_a: digest_2b(&[1; 32]), ..right.clone() }, Rc::TICKET.at(Subject::Parameter(5))),
        (
            PolicyTicket { ticket: TpmtTkAuth::null(AuthTag::Secret), ..right.clone() },
            Rc::TICKET.at(Subject::Parameter(5)),
        ),
    ];
    for (command, rc) in wrong {
        let before = tpm.state.clone();
        assert_eq!(tpm.send(&command, handles), Err(rc));
        assert!(tpm.state == before);
    }
    tpm.send(&right, handles).unwrap();
    assert_eq!(digest(&mut tpm, session), unhex(POLICY_A));
    tpm.platform.now = START_MS + 10_001;
    assert_eq!(tpm.send(&right, handles), Err(Rc::EXPIRED.at(Subject::Parameter(1))));
    // After a reset Time is small again, but it is another epoch's.
    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    let handles = PolicyTicketHandles { policy_session: policy(session) };
    assert_eq!(tpm.send(&right, handles), Err(Rc::TICKET.at(Subject::Parameter(5))));
}

#[test]
fn a_ticket_of_the_platform_outlives_clear_and_ends_with_a_reset() {
    let (mut tpm, session) = started_policy();
    let response = secret(&mut tpm, session, Handle::PLATFORM, b"", -10).unwrap();
    let ticket = ticket_for(Handle::PLATFORM, response);
    tpm.send(&Clear {}, ClearHandles { auth_handle: TpmiRhClear::Platform }).unwrap();
    tpm.send(&ticket, PolicyTicketHandles { policy_session: policy(session) }).unwrap();

    tpm.power_on();
    tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
    // resetCount is now what it was when the ticket was made.
    assert_eq!(tpm.state.reset_count, 1);
    let session = start(&mut tpm, TpmSe::Policy, HashAlg::Sha256).session_handle;
    let result = tpm.send(&ticket, PolicyTicketHandles { policy_session: policy(session) });
    assert_eq!(result, Err(Rc::TICKET.at(Subject::Parameter(5))));
}

#[test]
fn a_secret_without_negative_expiration_gives_no_ticket() {
    for expiration in [0, 10] {
        let (mut tpm, session) = started_policy();
        let response = secret(&mut tpm, session, Handle::OWNER, b"", expiration).unwrap();
        assert_eq!(
            (response.timeout, response.policy_ticket),
            (Tpm2bTimeout::EMPTY, TpmtTkAuth::null(AuthTag::Secret))
        );
    }
    let (mut tpm, session) = started_trial();
    let response = secret(&mut tpm, session, Handle::OWNER, b"", -10).unwrap();
    assert_eq!(response.policy_ticket, TpmtTkAuth::null(AuthTag::Secret));
}

#[test]
fn an_expired_authorization_is_refused_and_the_earliest_timeout_counts() {
    let (mut tpm, session) = started_policy();
    tpm.platform.now = START_MS + 3_000;
    // Without nonceTPM the expiration is Time itself.
    let result = secret(&mut tpm, session, Handle::OWNER, b"", 2);
    assert_eq!(result.unwrap_err(), Rc::EXPIRED.at(Subject::Parameter(4)));
    secret(&mut tpm, session, Handle::OWNER, b"", 4).unwrap();
    secret(&mut tpm, session, Handle::OWNER, b"", 9).unwrap();
    guard(&mut tpm, session, b"");
    tpm.platform.now = START_MS + 4_001;
    assert_eq!(read(&mut tpm, session), Err(Rc::EXPIRED.at(Subject::Session(1))));
}

#[test]
fn a_wrong_secret_is_refused_in_a_trial_too() {
    for (mut tpm, session) in [started_policy(), started_trial()] {
        let result = secret(&mut tpm, session, Handle::OWNER, b"wrong", 0);
        assert_eq!(result.unwrap_err(), Rc::BAD_AUTH.at(Subject::Session(1)));
    }
}

/// "The keySign parameter is required to be a valid object Name using nameAlg other than TPM_ALG_NULL."
#[test]
fn a_trial_authorizes_by_a_name_alone() {
    let (mut tpm, session) = started_trial();
    let handles = PolicyAuthorizeHandles { policy_session: policy(session) };
    let by = |key_sign: &[u8]| PolicyAuthorize {
        approved_policy: digest_2b(&[]),
        policy_ref: Tpm2bNonce::EMPTY,
        key_sign: Tpm2bName::new(key_sign).unwrap(),
        check_ticket: TpmtTkVerified::NULL,
    };
    assert_eq!(tpm.send(&by(&[0x40, 0, 0, 1]), handles), Err(Rc::HASH.at(Subject::Parameter(3))));
    assert_eq!(tpm.send(&by(&[0, 0x0B, 1]), handles), Err(Rc::SIZE.at(Subject::Parameter(3))));
    tpm.send(&by(&[&[0, 0x0B][..], &[1; 32]].concat()), handles).unwrap();
}

#[test]
fn a_trial_session_passes_where_a_policy_would_fail() {
    let (mut tpm, session) = started_trial();
    or(&mut tpm, session, &[&[1; 32], &[2; 32]]).unwrap();
    cp_hash(&mut tpm, session, &[1; 32]).unwrap();
    cp_hash(&mut tpm, session, &[2; 32]).unwrap();
    command_code(&mut tpm, session, Cc::NV_READ).unwrap();
    command_code(&mut tpm, session, Cc::NV_WRITE).unwrap();
    timer(&mut tpm, session, &[1; 8], 8, TpmEo::Eq).unwrap();
    guard(&mut tpm, session, b"");
    assert_eq!(read(&mut tpm, session), Err(Rc::ATTRIBUTES.at(Subject::Session(1))));
}

#[test]
fn a_command_is_bound_by_its_parameters_alone() {
    let (mut tpm, session) = started_policy();
    let p_hash = TestCrypto::hash(Hash::Sha256, &[&[0, 0, 1, 0x4E], &[0, 8, 0, 0]]);
    let handles = PolicyParametersHandles { policy_session: policy(session) };
    let command = |hash: &[u8]| PolicyParameters { p_hash: digest_2b(hash) };
    assert_eq!(tpm.send(&command(&[1; 20]), handles), Err(Rc::SIZE.at(Subject::Parameter(1))));
    tpm.send(&command(p_hash.as_bytes()), handles).unwrap();
    assert_eq!(tpm.send(&command(p_hash.as_bytes()), handles), Err(Rc::CPHASH));
    guard(&mut tpm, session, b"");
    let nv_read = NvReadHandles { auth_handle: nv_auth(INDEX), nv_index: nv(INDEX) };
    let shorter = authorized(&mut tpm, session, b"", &NvRead { size: 7, offset: 0 }, nv_read);
    assert_eq!(shorter.unwrap_err(), Rc::POLICY_FAIL.at(Subject::Session(1)));
    read(&mut tpm, session).unwrap();
}

#[test]
fn a_creation_is_bound_by_its_template() {
    let (mut tpm, session) = started_policy();
    let template = crate::testing::objects::sealed();
    let hash = TestCrypto::hash(Hash::Sha256, &[&crate::testing::marshal(&template)]);
    let handles = PolicyTemplateHandles { policy_session: policy(session) };
    tpm.send(&PolicyTemplate { template_hash: digest_2b(hash.as_bytes()) }, handles).unwrap();
    let policy = evtpm_crypto::Digest::from_slice(&digest(&mut tpm, session));
    let owner = tpm.state.hierarchies.of_mut(crate::state::Hierarchy::Owner);
    owner.policy = policy.map(|policy| (HashAlg::Sha256, policy));
    let create = |template: &TpmtPublic| CreatePrimary {
        in_sensitive: crate::testing::objects::sensitive(b"", b"data"),
        in_public: Tpm2b(template.clone()),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    let primary = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner };
    let mut other = template.clone();
    other.object_attributes = other.object_attributes.without(TpmaObject::NO_DA);
    let refused = authorized(&mut tpm, session, b"", &create(&other), primary);
    assert_eq!(refused.unwrap_err(), Rc::POLICY_FAIL.at(Subject::Session(1)));
    authorized(&mut tpm, session, b"", &create(&template), primary).unwrap();
}
