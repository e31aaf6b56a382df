// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of sessions from their start to their last HMAC.

use crate::state::{PolicyLimit, PolicyProof, SessionKind};
use crate::testing::{SessionUse, Start, TestSession, TestTpm, Use, started};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Handle, HashAlg, Rc, Subject, Tpm2bAuth, Tpm2bEncryptedSecretIn, Tpm2bNonce, TpmSe, TpmaObject, TpmaSession,
    TpmiDhEntity, TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy, TpmiRhLockout, TpmtPublic, TpmtSymDef, TpmtSymDefObject,
};

const CONTINUE: TpmaSession = TpmaSession::CONTINUE_SESSION;
const OWNER: HierarchyChangeAuthHandles = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Owner };
const CIPHERS: [TpmtSymDef; 3] = [
    TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB),
    TpmtSymDef::Cipher(TpmtSymDefObject::AES_256_CFB),
    TpmtSymDef::Xor(HashAlg::Sha256),
];

fn change_auth(new: &[u8]) -> HierarchyChangeAuth {
    HierarchyChangeAuth { new_auth: Tpm2bAuth::new(new).unwrap() }
}

fn with(attributes: TpmaSession, auth: &[u8]) -> SessionUse<'_> {
    SessionUse { attributes, auth, entity_auth: auth, plain: None }
}

fn start_command(nonce: usize, symmetric: Option<TpmtSymDef>) -> StartAuthSession<'static> {
    StartAuthSession {
        nonce_caller: Tpm2bNonce::zeros(nonce).unwrap(),
        encrypted_salt: Tpm2bEncryptedSecretIn::default(),
        session_type: TpmSe::Hmac,
        symmetric,
        auth_hash: HashAlg::Sha256,
    }
}

const UNBOUND: StartAuthSessionHandles = StartAuthSessionHandles { tpm_key: None, bind: None };

#[test]
fn a_nonce_shorter_than_16_or_longer_than_the_digest_is_a_size_error() {
    let mut tpm = started();
    for size in [0, 15, 33] {
        assert_eq!(tpm.send(&start_command(size, None), UNBOUND), Err(Rc::SIZE.at(Subject::Parameter(1))));
    }
    for size in [16, 32] {
        assert_eq!(tpm.send(&start_command(size, None), UNBOUND).unwrap().nonce_tpm.len(), size);
    }
}

#[test]
fn a_cipher_in_another_mode_than_cfb_is_a_mode_error() {
    let mode = Some(evtpm_tpm_wire::SymMode::Ctr);
    let ctr = TpmtSymDef::Cipher(TpmtSymDefObject { mode, ..TpmtSymDefObject::AES_128_CFB });
    assert_eq!(started().send(&start_command(16, Some(ctr)), UNBOUND), Err(Rc::MODE.at(Subject::Parameter(4))));
}

#[test]
fn a_salt_without_a_key_is_a_value_error() {
    let command =
        StartAuthSession { encrypted_salt: Tpm2bEncryptedSecretIn::new(&[1, 2]).unwrap(), ..start_command(16, None) };
    assert_eq!(started().send(&command, UNBOUND), Err(Rc::VALUE.at(Subject::Parameter(2))));
}

#[test]
fn an_hmac_session_authorizes_as_often_as_it_continues() {
    let mut tpm = started();
    tpm.send(&change_auth(b"first"), OWNER).unwrap();
    let mut session = tpm.start_session(Start::HMAC);
    let use_once = |tpm: &mut TestTpm, session: &mut TestSession, attributes| {
        let mut uses = [Use::Session(session, with(attributes, b"first"))];
        tpm.send_with(&change_auth(b"first"), OWNER, &mut uses)
    };
    use_once(&mut tpm, &mut session, CONTINUE).unwrap();
    use_once(&mut tpm, &mut session, CONTINUE).unwrap();
    use_once(&mut tpm, &mut session, TpmaSession::NONE).unwrap();
    assert_eq!(use_once(&mut tpm, &mut session, CONTINUE), Err(Rc::REFERENCE_S0));
}

#[test]
fn the_response_is_authenticated_with_the_new_auth_value() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    // The caller's key is empty in the command and "new" in the response, which the check of the response expects.
    let bytes = tpm.authorized(&change_auth(b"new"), OWNER, &mut [Use::Session(&mut session, with(CONTINUE, b""))]);
    let response = tpm.raw(bytes);
    let hmac = &response[response.len() - 32..];
    let nonces = evtpm_protocol::session::Nonces { newer: &response[16..32], older: session.nonce_caller.as_bytes() };
    let hash = evtpm_protocol::rp_hash::<crate::testing::TestCrypto>(
        HashAlg::Sha256,
        Rc::SUCCESS,
        Cc::HIERARCHY_CHANGE_AUTH,
        &[],
    );
    let expected = evtpm_protocol::session::hmac::<crate::testing::TestCrypto>(
        HashAlg::Sha256,
        b"new",
        &hash.unwrap(),
        nonces,
        [&[], &[]],
        CONTINUE,
    );
    assert_eq!(hmac, expected.unwrap().as_bytes());
}

#[test]
fn a_replayed_command_fails_because_the_nonce_rolled() {
    let mut tpm = started();
    tpm.send(&change_auth(b"own"), OWNER).unwrap();
    let mut session = tpm.start_session(Start::HMAC);
    let bytes = tpm.authorized(&change_auth(b"own"), OWNER, &mut [Use::Session(&mut session, with(CONTINUE, b"own"))]);
    assert_eq!(tpm.rc(bytes.clone()), Rc::SUCCESS);
    assert_eq!(tpm.rc(bytes), Rc::BAD_AUTH.at(Subject::Session(1)));
}

#[test]
fn a_bound_session_authorizes_its_entity_without_the_auth_value() {
    let mut tpm = started();
    tpm.send(&change_auth(b"own"), OWNER).unwrap();
    let bind = Some((Handle::OWNER, &b"own"[..]));
    let mut session = tpm.start_session(Start { bind, ..Start::HMAC });
    let mut uses = [Use::Session(&mut session, with(CONTINUE, b""))];
    tpm.send_with(&change_auth(b"own"), OWNER, &mut uses).unwrap();
}

#[test]
fn a_binding_ends_when_the_auth_value_changes() {
    let mut tpm = started();
    tpm.send(&change_auth(b"own"), OWNER).unwrap();
    let bind = Some((Handle::OWNER, &b"own"[..]));
    let mut session = tpm.start_session(Start { bind, ..Start::HMAC });
    tpm.send_at(crate::Locality::ZERO, &change_auth(b"other"), OWNER, &[b"own"]).unwrap();
    let unbound = tpm.send_with(&change_auth(b"other"), OWNER, &mut [Use::Session(&mut session, with(CONTINUE, b""))]);
    assert_eq!(unbound, Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    let mut uses = [Use::Session(&mut session, with(CONTINUE, b"other"))];
    tpm.send_with(&change_auth(b"other"), OWNER, &mut uses).unwrap();
}

#[test]
fn every_cipher_encrypts_the_parameter_of_a_command() {
    for cipher in CIPHERS {
        let mut tpm = started();
        tpm.send(&change_auth(b"own"), OWNER).unwrap();
        let mut session = tpm.start_session(Start { symmetric: Some(cipher), ..Start::HMAC });
        let attributes = CONTINUE | TpmaSession::DECRYPT;
        let used = SessionUse { attributes, auth: b"own", entity_auth: b"own", plain: None };
        tpm.send_with(&change_auth(b"own"), OWNER, &mut [Use::Session(&mut session, used)]).unwrap();
        let wrong = SessionUse { entity_auth: b"not", ..used };
        let bytes = tpm.authorized(&change_auth(b"own"), OWNER, &mut [Use::Session(&mut session, wrong)]);
        assert_eq!(tpm.rc(bytes), Rc::SUCCESS, "the HMAC covers the encrypted parameter");
        assert_ne!(tpm.state.hierarchies.of(crate::state::Hierarchy::Owner).auth.as_bytes(), b"own");
    }
}

#[test]
fn every_cipher_encrypts_the_parameter_of_a_response() {
    // Two TPMs with the same noise draw the same random bytes.
    let random = |cipher, attributes| {
        let mut tpm = started();
        let bind = Some((Handle::OWNER, &b""[..]));
        let mut session = tpm.start_session(Start { symmetric: Some(cipher), bind, ..Start::HMAC });
        let mut uses = [Use::Session(&mut session, with(CONTINUE | attributes, b""))];
        tpm.send_with(&GetRandom { bytes_requested: 20 }, (), &mut uses).unwrap()
    };
    for cipher in CIPHERS {
        assert_eq!(random(cipher, TpmaSession::ENCRYPT), random(cipher, TpmaSession::AUDIT));
    }
}

#[test]
fn a_session_for_encryption_alone_stands_beside_the_authorization() {
    let mut tpm = started();
    tpm.send(&change_auth(b"own"), OWNER).unwrap();
    let mut authorizing = tpm.start_session(Start::HMAC);
    let bind = Some((Handle::OWNER, &b"own"[..]));
    let mut encrypting = tpm.start_session(Start { symmetric: Some(CIPHERS[0]), bind, ..Start::HMAC });
    let mut uses = [
        Use::Session(&mut authorizing, with(CONTINUE, b"own")),
        Use::Session(&mut encrypting, with(CONTINUE | TpmaSession::DECRYPT, b"")),
    ];
    tpm.send_with(&change_auth(b"own"), OWNER, &mut uses).unwrap();
}

#[test]
fn encryption_without_a_cipher_or_where_nothing_can_be_encrypted_is_refused() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let decrypt = SessionUse { attributes: CONTINUE | TpmaSession::DECRYPT, ..SessionUse::default() };
    let mut bytes = tpm.authorized(
        &change_auth(b"x"),
        OWNER,
        &mut [Use::Session(&mut session, SessionUse { attributes: CONTINUE, ..decrypt })],
    );
    // The attributes stand behind handle (4), area size (4), session (4) and nonce (2 + 16) after 10 octets of header.
    let attributes = 10 + 4 + 4 + 4 + 18;
    bytes[attributes] = decrypt.attributes.0;
    assert_eq!(tpm.rc(bytes), Rc::SYMMETRIC.at(Subject::Session(1)));

    let mut session = tpm.start_session(Start { symmetric: Some(CIPHERS[0]), ..Start::HMAC });
    let uses = &mut [Use::Session(&mut session, SessionUse { attributes: CONTINUE | TpmaSession::ENCRYPT, ..decrypt })];
    let bytes = tpm.authorized(&change_auth(b"x"), OWNER, uses);
    assert_eq!(tpm.rc(bytes), Rc::ATTRIBUTES.at(Subject::Session(1)));
}

/// CVE-2023-1017 and -1018: the size of an encrypted parameter reaches behind the end of the command.
#[test]
fn an_encrypted_parameter_that_ends_early_is_the_fault_of_its_session() {
    let cases = [
        (&[][..], Rc::INSUFFICIENT),
        (&[0], Rc::INSUFFICIENT),
        (&[0, 5, 1], Rc::SIZE),
        (&[0xFF, 0xFF, 1, 2], Rc::SIZE),
    ];
    for (parameters, code) in cases {
        let mut tpm = started();
        let mut session = tpm.start_session(Start { symmetric: Some(CIPHERS[0]), ..Start::HMAC });
        let attributes = CONTINUE | TpmaSession::DECRYPT;
        let before = tpm.state.clone();
        let mut area = crate::testing::marshal(&session.handle);
        area.extend([0, 0, attributes.0, 0, 0]);
        let handle = crate::testing::marshal(&Handle::OWNER);
        let bytes = crate::testing::command_bytes(Cc::HIERARCHY_CHANGE_AUTH, &handle, &area, parameters);
        assert_eq!(tpm.rc(bytes), code.at(Subject::Session(1)), "{parameters:?}");
        assert!(tpm.state == before);
        session.nonce_caller = Tpm2bNonce::EMPTY;
    }
}

/// "the type of the context is required to match the type of the handle"
#[test]
fn a_session_is_not_found_under_the_other_type() {
    let mut tpm = started();
    let policy = tpm.start_session(Start::POLICY);
    let other = Handle(policy.handle.0 & 0x00FF_FFFF | 0x0200_0000);
    let missing = Handle(other.0 + 1);
    for (session, in_area, in_handles) in [
        (other, Rc::HANDLE.at(Subject::Session(1)), Rc::HANDLE.at(Subject::Handle(1))),
        (missing, Rc::REFERENCE_S0, Rc::REFERENCE_H0),
    ] {
        let handle = crate::testing::marshal(&session);
        let area = [&handle[..], &[0, 0, CONTINUE.0, 0, 0]].concat();
        let owner = crate::testing::marshal(&Handle::OWNER);
        let bytes = crate::testing::command_bytes(Cc::HIERARCHY_CHANGE_AUTH, &owner, &area, &[0, 0]);
        assert_eq!(tpm.rc(bytes), in_area);
        let save = [&[0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x62][..], &handle].concat();
        assert_eq!(tpm.rc(save), in_handles);
    }
}

/// "The TPM shall return TPM_RC_VALUE if: ... encryptedSalt does not contain a TPMS_ECC_POINT"
#[test]
fn a_salt_that_is_no_point_is_a_value_error_and_a_full_table_comes_after_it() {
    let mut tpm = started();
    let key = tpm.storage_root();
    let handles = StartAuthSessionHandles { tpm_key: Some(crate::testing::objects::object(key)), bind: None };
    let command =
        StartAuthSession { encrypted_salt: Tpm2bEncryptedSecretIn::new(&[1, 2]).unwrap(), ..start_command(16, None) };
    let refused = Err(Rc::VALUE.at(Subject::Parameter(2)));
    assert_eq!(tpm.send(&command, handles), refused);
    while tpm.state.sessions.loaded_free() > 0 {
        tpm.start_session(Start::HMAC);
    }
    assert_eq!(tpm.send(&command, handles), refused);
    assert_eq!(tpm.send(&start_command(16, None), UNBOUND), Err(Rc::SESSION_MEMORY));
}

#[test]
fn a_session_used_twice_in_one_command_is_refused() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let mut twin = session.clone();
    let audit = SessionUse { attributes: CONTINUE | TpmaSession::AUDIT, ..SessionUse::default() };
    let mut uses = [Use::Session(&mut session, with(CONTINUE, b"")), Use::Session(&mut twin, audit)];
    let bytes = tpm.authorized(&change_auth(b""), OWNER, &mut uses);
    assert_eq!(tpm.rc(bytes), Rc::HANDLE.at(Subject::Session(2)));
}

#[test]
fn an_audit_session_is_exclusive_until_another_command_comes() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let audit = SessionUse { attributes: CONTINUE | TpmaSession::AUDIT, ..SessionUse::default() };
    let exclusive = SessionUse { attributes: audit.attributes | TpmaSession::AUDIT_EXCLUSIVE, ..audit };
    let random = GetRandom { bytes_requested: 4 };
    tpm.send_with(&random, (), &mut [Use::Session(&mut session, audit)]).unwrap();
    tpm.send_with(&random, (), &mut [Use::Session(&mut session, exclusive)]).unwrap();
    tpm.send(&random, ()).unwrap();
    let lost = tpm.send_with(&random, (), &mut [Use::Session(&mut session, exclusive)]);
    assert_eq!(lost, Err(Rc::EXCLUSIVE));
}

/// go-tpm's `TestUnseal` asks for it; swtpm 0.7.1 answers each of these as we do.
#[test]
fn an_audit_that_begins_is_exclusive_whatever_came_before() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let mut other = tpm.start_session(Start::HMAC);
    let exclusive = TpmaSession::AUDIT | TpmaSession::AUDIT_EXCLUSIVE;
    let used = |tpm: &mut TestTpm, session: &mut _, attributes| {
        let attributes = CONTINUE | attributes;
        let uses = &mut [Use::Session(session, SessionUse { attributes, ..SessionUse::default() })];
        tpm.send_with(&GetTestResult {}, (), uses).map(drop)
    };
    assert_eq!(used(&mut tpm, &mut other, exclusive), Ok(()), "its first command");
    assert_eq!(used(&mut tpm, &mut other, exclusive), Ok(()));
    assert_eq!(used(&mut tpm, &mut session, exclusive), Ok(()), "another one's first command");
    assert_eq!(used(&mut tpm, &mut other, exclusive), Err(Rc::EXCLUSIVE));
    assert_eq!(used(&mut tpm, &mut other, TpmaSession::AUDIT), Ok(()), "not exclusively, and not exclusive");
    assert_eq!(used(&mut tpm, &mut other, exclusive), Err(Rc::EXCLUSIVE));
    assert_eq!(used(&mut tpm, &mut other, exclusive | TpmaSession::AUDIT_RESET), Ok(()), "it begins anew");
    assert_eq!(used(&mut tpm, &mut other, exclusive), Ok(()));
}

#[test]
fn a_bound_session_that_audits_loses_its_binding() {
    let mut tpm = started();
    tpm.send(&change_auth(b"own"), OWNER).unwrap();
    let bind = Some((Handle::OWNER, &b"own"[..]));
    let mut session = tpm.start_session(Start { bind, ..Start::HMAC });
    let mut used = |tpm: &mut TestTpm, attributes, auth| {
        tpm.send_with(&change_auth(b"own"), OWNER, &mut [Use::Session(&mut session, with(attributes, auth))])
    };
    used(&mut tpm, CONTINUE | TpmaSession::AUDIT, b"").unwrap();
    assert_eq!(used(&mut tpm, CONTINUE, b""), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
    assert_eq!(used(&mut tpm, CONTINUE, b"own"), Ok(()));
}

/// The audited command has no parameters and always the same response, so that equal audits have equal digests.
#[test]
fn audit_reset_begins_a_new_digest_and_makes_the_session_exclusive_again() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start::HMAC);
    let mut used = |tpm: &mut TestTpm, attributes| {
        let attributes = CONTINUE | TpmaSession::AUDIT | attributes;
        let uses = &mut [Use::Session(&mut session, SessionUse { attributes, ..SessionUse::default() })];
        tpm.send_with(&GetTestResult {}, (), uses).map(|_| digest_of(tpm))
    };
    let first = used(&mut tpm, TpmaSession::NONE).unwrap();
    assert_ne!(used(&mut tpm, TpmaSession::NONE).unwrap(), first);
    tpm.send(&GetTestResult {}, ()).unwrap();
    assert_eq!(used(&mut tpm, TpmaSession::AUDIT_EXCLUSIVE), Err(Rc::EXCLUSIVE));
    assert_eq!(used(&mut tpm, TpmaSession::AUDIT_RESET).unwrap(), first);
    assert!(used(&mut tpm, TpmaSession::AUDIT_EXCLUSIVE).is_ok());
}

fn digest_of(tpm: &TestTpm) -> Option<Digest> {
    match &tpm.state.sessions.loaded(0x0200_0000).unwrap().kind {
        SessionKind::Hmac(hmac) => hmac.audit,
        SessionKind::Policy(_) => None,
    }
}

#[test]
fn a_session_bound_to_a_protected_entity_is_locked_out_with_it() {
    let mut tpm = started();
    let parent = tpm.storage_root();
    let sealed = crate::testing::objects::sealed();
    let attributes = sealed.object_attributes.without(TpmaObject::NO_DA);
    let template = TpmtPublic { object_attributes: attributes, ..sealed };
    let made = tpm.create(parent, template, b"pin", b"data").unwrap();
    let object = tpm.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle;
    let mut session = tpm.start_session(Start { bind: Some((object, b"pin")), ..Start::HMAC });
    let mut owner = |tpm: &mut TestTpm| {
        tpm.send_with(&change_auth(b""), OWNER, &mut [Use::Session(&mut session, with(CONTINUE, b""))])
    };
    assert_eq!(owner(&mut tpm), Ok(()));
    let unseal = UnsealHandles { item_handle: crate::testing::objects::object(object) };
    while tpm.send_at(crate::Locality::ZERO, &Unseal {}, unseal, &[b"no"]) != Err(Rc::LOCKOUT) {}
    assert_eq!(owner(&mut tpm), Err(Rc::LOCKOUT));
}

#[test]
fn a_trial_session_does_not_even_encrypt() {
    let mut tpm = started();
    let mut session = tpm.start_session(Start { symmetric: Some(CIPHERS[0]), kind: TpmSe::Trial, ..Start::HMAC });
    let attributes = CONTINUE | TpmaSession::ENCRYPT;
    let uses = &mut [Use::Session(&mut session, SessionUse { attributes, ..SessionUse::default() })];
    let refused = tpm.send_with(&GetRandom { bytes_requested: 8 }, (), uses);
    assert_eq!(refused, Err(Rc::ATTRIBUTES.at(Subject::Session(1))));
}

/// Gives the owner the policy digest that the session will have.
fn owner_policy(tpm: &mut TestTpm, digest: Digest) {
    let handles = SetPrimaryPolicyHandles { auth_handle: TpmiRhHierarchyPolicy::Hierarchy(TpmiRhHierarchyAuth::Owner) };
    let auth_policy = evtpm_tpm_wire::Tpm2bDigest::new(digest.as_bytes()).unwrap();
    tpm.send(&SetPrimaryPolicy { auth_policy, hash_alg: Some(HashAlg::Sha256) }, handles).unwrap();
}

fn policy(tpm: &mut TestTpm, change: impl FnOnce(&mut crate::state::PolicyState)) -> TestSession {
    let session = tpm.start_session(Start::POLICY);
    change(tpm.state.sessions.loaded_mut(session.handle.0).unwrap().policy_mut().unwrap());
    session
}

fn authorize(tpm: &mut TestTpm, session: &mut TestSession, used: SessionUse<'_>) -> Result<(), Rc> {
    let bytes = tpm.authorized(&change_auth(b""), OWNER, &mut [Use::Session(session, used)]);
    match tpm.rc(bytes) {
        Rc::SUCCESS => Ok(()),
        rc => Err(rc),
    }
}

#[test]
fn a_policy_session_authorizes_what_has_its_digest() {
    let digest = Digest::from_slice(&[7; 32]).unwrap();
    let plain = SessionUse { attributes: CONTINUE, ..SessionUse::default() };
    let fail = |rc: Rc| Err(rc.at(Subject::Session(1)));
    let mut tpm = started();
    let mut session = policy(&mut tpm, |policy| policy.digest = digest);
    assert_eq!(authorize(&mut tpm, &mut session, plain), fail(Rc::AUTH_UNAVAILABLE), "the owner has no policy");
    owner_policy(&mut tpm, digest);
    assert_eq!(authorize(&mut tpm, &mut session, plain), Ok(()));
    let mut session = policy(&mut tpm, |policy| policy.digest = Digest::from_slice(&[8; 32]).unwrap());
    assert_eq!(authorize(&mut tpm, &mut session, plain), fail(Rc::POLICY_FAIL));
}

#[test]
fn a_used_policy_session_begins_anew() {
    let digest = Digest::from_slice(&[7; 32]).unwrap();
    let plain = SessionUse { attributes: CONTINUE, ..SessionUse::default() };
    let mut tpm = started();
    owner_policy(&mut tpm, digest);
    let mut session = policy(&mut tpm, |policy| policy.digest = digest);
    authorize(&mut tpm, &mut session, plain).unwrap();
    assert_eq!(authorize(&mut tpm, &mut session, plain), Err(Rc::POLICY_FAIL.at(Subject::Session(1))));
}

#[test]
fn every_limit_of_a_policy_session_has_its_own_refusal() {
    type Change = fn(&mut crate::state::PolicyState);
    let cases: [(Change, Rc); 9] = [
        (|policy| policy.trial = true, Rc::ATTRIBUTES),
        (|policy| policy.pcr_counter = Some(0), Rc::PCR_CHANGED),
        (|policy| policy.timeout = Some(0), Rc::EXPIRED),
        (|policy| (policy.epoch, policy.timeout) = (9, Some(u64::MAX)), Rc::EXPIRED),
        (|policy| policy.command_code = Some(Cc::CLEAR), Rc::POLICY_CC),
        (|policy| policy.locality = 0x1E, Rc::LOCALITY),
        (|policy| policy.physical_presence = true, Rc::PP),
        (|policy| policy.limit = PolicyLimit::CpHash(Digest::EMPTY), Rc::POLICY_FAIL),
        (|policy| policy.nv_written = Some(true), Rc::POLICY_FAIL),
    ];
    let digest = Digest::from_slice(&[7; 32]).unwrap();
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut tpm = started();
        owner_policy(&mut tpm, digest);
        tpm.platform_mut().now += 5;
        let mut session = policy(&mut tpm, |policy| policy.digest = digest);
        tpm.platform_mut().now += 5;
        change(tpm.state.sessions.loaded_mut(session.handle.0).unwrap().policy_mut().unwrap());
        let plain = SessionUse { attributes: CONTINUE, ..SessionUse::default() };
        let before = tpm.state.clone();
        assert_eq!(authorize(&mut tpm, &mut session, plain), Err(expected.at(Subject::Session(1))), "case {number}");
        assert!(tpm.state == before, "case {number}");
    }
}

#[test]
fn policy_auth_value_wants_an_hmac_and_policy_password_the_plain_value() {
    let digest = Digest::from_slice(&[7; 32]).unwrap();
    for proof in [PolicyProof::AuthValue, PolicyProof::Password] {
        let mut tpm = started();
        owner_policy(&mut tpm, digest);
        tpm.send(&change_auth(b"own"), OWNER).unwrap();
        let prepare = |policy: &mut crate::state::PolicyState| (policy.digest, policy.proof) = (digest, proof);
        let plain = (proof == PolicyProof::Password).then_some(&b"own"[..]);
        let right = SessionUse { attributes: CONTINUE, auth: b"own", entity_auth: b"own", plain };
        let wrong = SessionUse { auth: b"not", plain: plain.map(|_| &b"not"[..]), ..right };
        let mut session = policy(&mut tpm, prepare);
        assert_eq!(authorize(&mut tpm, &mut session, wrong), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
        let mut uses = [Use::Session(&mut session, right)];
        tpm.send_with(&change_auth(b"own"), OWNER, &mut uses).unwrap();
    }
}

#[test]
fn a_session_bound_to_lockout_disables_lockout_when_its_hmac_is_wrong() {
    let mut tpm = started();
    let bind = Some((Handle::LOCKOUT, &b"wrong guess"[..]));
    tpm.send(&change_auth(b"lock"), HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Lockout }).unwrap();
    let mut session = tpm.start_session(Start { bind, ..Start::HMAC });
    let audit = SessionUse { attributes: CONTINUE | TpmaSession::AUDIT, ..SessionUse::default() };
    let guess = tpm.send_with(&GetRandom { bytes_requested: 1 }, (), &mut [Use::Session(&mut session, audit)]);
    assert_eq!(guess, Err(Rc::AUTH_FAIL.at(Subject::Session(1))));
    let handles = DictionaryAttackLockResetHandles { lock_handle: TpmiRhLockout::Lockout };
    let locked = tpm.send_at(crate::Locality::ZERO, &DictionaryAttackLockReset {}, handles, &[b"lock"]);
    assert_eq!(locked, Err(Rc::LOCKOUT));
}

#[test]
fn a_pcr_can_be_what_a_session_is_bound_to() {
    let mut tpm = started();
    let bind = TpmiDhEntity::new(Handle(16), &tpm.profile().supported);
    tpm.send(&start_command(16, None), StartAuthSessionHandles { tpm_key: None, bind }).unwrap();
}
