// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client against a TPM that others wrote: what it computes must be what `swtpm` accepts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
use evtpm_client::{Auth, Bind, Client, ClientError, Object, Session, SessionAuth, SessionOptions, Transport};
use evtpm_crypto::{Crypto, Rng, RustCrypto};
use evtpm_protocol::credential::{self, Credential};
use evtpm_protocol::templates::{self, EkTemplate};
use evtpm_protocol::{PolicyDigest, pcr_digest, qualified_name, verify_signature};
use evtpm_tpm_wire::commands::{
    Create, CreateHandles, GetRandom, HierarchyChangeAuth, HierarchyChangeAuthHandles, Unseal, UnsealHandles,
};
use evtpm_tpm_wire::{
    Cc, Handle, HashAlg, PcrIndex, PcrSelect, PublicBody, Rc, Subject, Supported, Tpm2b, Tpm2bAuth, Tpm2bData,
    Tpm2bDigest, Tpm2bNvPublic, Tpm2bSensitiveData, TpmPt, TpmaNv, TpmaObject, TpmaSession, TpmiDhObject,
    TpmiRhHierarchy, TpmiRhHierarchyAuth, TpmiRhNvLegacyIndex, TpmlPcrSelection, TpmsAttest, TpmsNvPublic,
    TpmsPcrSelection, TpmsSensitiveCreate, TpmtHa, TpmtPublic, TpmtSymDef, TpmuAttest, from_bytes,
};

mod support;
use support::{TestRng, client};

fn storage_key(tpm: &mut Client<impl Transport, impl Rng>) -> Object {
    tpm.create_primary(TpmiRhHierarchy::Owner, &[], &templates::storage_root_key()).unwrap()
}

fn attestation_key(tpm: &mut Client<impl Transport, impl Rng>) -> Object {
    let parent = storage_key(tpm);
    let (private, public) = tpm.create(&parent, &[], &templates::attestation_key()).unwrap();
    let key = tpm.load(&parent, &[], &private, &public).unwrap();
    tpm.flush(parent.handle).unwrap();
    key
}

fn sha256_pcrs(pcrs: &[PcrIndex]) -> TpmlPcrSelection {
    let bank = TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(pcrs) };
    TpmlPcrSelection::from_slice(&[bank]).unwrap()
}

fn object(handle: Handle) -> TpmiDhObject {
    TpmiDhObject::new(handle, &Supported::ALL).unwrap()
}

#[test]
fn a_quote_verifies_and_says_what_was_read() {
    let Some(mut tpm) = client() else { return };
    let event = TpmtHa::new(HashAlg::Sha256, &[7; 32]).unwrap();
    tpm.pcr_extend(PcrIndex::Pcr10, &[event]).unwrap();
    let pcrs = sha256_pcrs(&[PcrIndex::Pcr0, PcrIndex::Pcr10]);
    let key = attestation_key(&mut tpm);
    let quote = tpm.quote(&key, &[], b"a fresh nonce", &pcrs).unwrap();

    let digest = RustCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[quote.attest.as_bytes()]);
    verify_signature::<RustCrypto>(&key.public, digest.as_bytes(), &quote.signature).unwrap();
    let attest: TpmsAttest<'_> = from_bytes(quote.attest.as_bytes(), &Supported::ALL).unwrap();
    assert_eq!(attest.extra_data.as_bytes(), b"a fresh nonce");
    let TpmuAttest::Quote(info) = attest.attested else { panic!("{attest:?} is no quote") };
    let extended = RustCrypto::hash(evtpm_crypto::HashAlg::Sha256, &[&[0; 32], &[7; 32]]);
    let value = |_, pcr| Some(if pcr == PcrIndex::Pcr10 { extended.as_bytes() } else { &[0; 32][..] });
    let expected = pcr_digest::<RustCrypto>(HashAlg::Sha256, &pcrs, value).unwrap();
    assert_eq!((info.pcr_select, info.pcr_digest.as_bytes()), (pcrs, expected.as_bytes()));
}

#[test]
fn qualified_names_are_the_ones_that_the_tpm_computes() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let (private, public) = tpm.create(&parent, &[], &templates::attestation_key()).unwrap();
    let key = tpm.load(&parent, &[], &private, &public).unwrap();
    let quote = tpm.quote(&key, &[], &[], &sha256_pcrs(&[])).unwrap();
    let attest: TpmsAttest<'_> = from_bytes(quote.attest.as_bytes(), &Supported::ALL).unwrap();
    let hierarchy = evtpm_protocol::handle_name(Handle::OWNER);
    let of_parent = qualified_name::<RustCrypto>(&hierarchy, parent.public.name_alg, &parent.name).unwrap();
    let of_key = qualified_name::<RustCrypto>(&of_parent, key.public.name_alg, &key.name).unwrap();
    assert_eq!(attest.qualified_signer, of_key);
}

fn activates(template: EkTemplate) {
    let Some(mut tpm) = client() else { return };
    let endorsement_key = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).unwrap();
    let key = attestation_key(&mut tpm);
    let credential = Credential::new(b"a credential of 32 bytes, or so.").unwrap();
    let rng = &mut TestRng(9);
    let (blob, secret) = credential::make::<RustCrypto>(&endorsement_key.public, &credential, &key.name, rng).unwrap();
    let opened = tpm.activate_credential(&key, &endorsement_key, &[], &blob, secret.as_bytes()).unwrap();
    assert_eq!(opened, credential);

    let other = endorsement_key.name;
    let (blob, secret) = credential::make::<RustCrypto>(&endorsement_key.public, &credential, &other, rng).unwrap();
    let refused = tpm.activate_credential(&key, &endorsement_key, &[], &blob, secret.as_bytes()).unwrap_err();
    assert_eq!(refused.response_code(), Some(Rc::INTEGRITY.at(Subject::Parameter(1))));
}

#[test]
fn a_credential_for_the_l2_key_opens_for_its_object_alone() {
    activates(EkTemplate::L2);
}

#[test]
fn a_credential_for_the_h3_key_opens_for_its_object_alone() {
    activates(EkTemplate::H3);
}

#[test]
fn a_credential_for_the_l1_key_opens_for_its_object_alone() {
    activates(EkTemplate::L1);
}

/// A sealed object; without a policy its authValue is enough.
fn sealed(auth_policy: Tpm2bDigest) -> TpmtPublic {
    let with_auth = if auth_policy.is_empty() { TpmaObject::USER_WITH_AUTH } else { TpmaObject::NONE };
    TpmtPublic {
        name_alg: Some(HashAlg::Sha256),
        object_attributes: with_auth | TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT | TpmaObject::NO_DA,
        auth_policy,
        body: PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY },
    }
}

const AUTH: &[u8] = b"an authValue\0\0";

fn seal(
    tpm: &mut Client<impl Transport, impl Rng>,
    parent: &Object,
    session: &mut Session,
    policy: Tpm2bDigest,
) -> Object {
    let command = Create {
        in_sensitive: Tpm2b(TpmsSensitiveCreate {
            user_auth: Tpm2bAuth::new(AUTH).unwrap(),
            data: Tpm2bSensitiveData::new(b"sealed data").unwrap(),
        }),
        in_public: Tpm2b(sealed(policy)),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    let handles = CreateHandles { parent_handle: object(parent.handle) };
    let created = tpm.run(handles, &command, &mut [Auth::session(session)]).unwrap();
    tpm.load(parent, &[], &created.out_private, &created.out_public.0).unwrap()
}

fn unseal(tpm: &mut Client<impl Transport, impl Rng>, handle: Handle, auths: &mut [Auth<'_>]) -> Result<Vec<u8>, Rc> {
    match tpm.run(UnsealHandles { item_handle: object(handle) }, &Unseal {}, auths) {
        Ok(unsealed) => Ok(unsealed.out_data.as_bytes().to_vec()),
        Err(ClientError::Refused { command: Cc::UNSEAL, code }) => Err(code),
        Err(error) => panic!("{error}"),
    }
}

fn round_trip(options: SessionOptions<'_>, salted: bool) {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let salt = salted.then_some(&parent);
    let mut session = tpm.start_session(SessionOptions { salt, ..options }).unwrap();
    let item = seal(&mut tpm, &parent, &mut session, Tpm2bDigest::EMPTY);
    // Twice, so that the nonces roll.
    for _ in 0..2 {
        let opened = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut session, AUTH)]);
        assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));
    }
    let wrong = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut session, b"wrong")]);
    assert_eq!(wrong, Err(Rc::BAD_AUTH.at(Subject::Session(1))));
}

#[test]
fn a_plain_hmac_session_authorizes() {
    round_trip(SessionOptions::HMAC, false);
}

#[test]
fn a_salted_session_encrypts_with_aes() {
    round_trip(SessionOptions::HMAC.encrypting(), true);
}

#[test]
fn a_salted_session_encrypts_with_xor() {
    let symmetric = Some(TpmtSymDef::Xor(HashAlg::Sha256));
    round_trip(SessionOptions { symmetric, ..SessionOptions::HMAC }, true);
}

#[test]
fn a_session_of_sha384_authorizes() {
    round_trip(SessionOptions { hash: HashAlg::Sha384, ..SessionOptions::HMAC.encrypting() }, true);
}

#[test]
fn a_bound_session_authorizes_its_entity_without_the_auth_value() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let mut plain = tpm.start_session(SessionOptions::HMAC).unwrap();
    let item = seal(&mut tpm, &parent, &mut plain, Tpm2bDigest::EMPTY);
    let bind = Some(Bind { handle: item.handle, auth_value: AUTH });
    let mut bound = tpm.start_session(SessionOptions { bind, ..SessionOptions::HMAC.encrypting() }).unwrap();
    let opened = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut bound, AUTH)]);
    assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));
    // The same session on another entity needs that one's authValue.
    let other = seal(&mut tpm, &parent, &mut bound, Tpm2bDigest::EMPTY);
    assert_ne!(other.name, item.name);
    let opened = unseal(&mut tpm, other.handle, &mut [Auth::session_with(&mut bound, AUTH)]);
    assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));
}

#[test]
fn a_separate_session_encrypts_what_a_password_authorizes() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let salted = SessionOptions { salt: Some(&parent), ..SessionOptions::HMAC.encrypting() };
    let mut session = tpm.start_session(salted).unwrap();
    let item = seal(&mut tpm, &parent, &mut session, Tpm2bDigest::EMPTY);
    let opened = unseal(&mut tpm, item.handle, &mut [Auth::Password(AUTH), Auth::session(&mut session)]);
    assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));
}

#[test]
fn the_first_session_vouches_for_the_nonce_of_an_encrypting_second_one() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let mut first = tpm.start_session(SessionOptions::HMAC).unwrap();
    let item = seal(&mut tpm, &parent, &mut first, Tpm2bDigest::EMPTY);
    let salted = SessionOptions { salt: Some(&parent), ..SessionOptions::HMAC.encrypting() };
    let mut second = tpm.start_session(salted).unwrap();
    let auths = &mut [Auth::session_with(&mut first, AUTH), Auth::session(&mut second)];
    assert_eq!(unseal(&mut tpm, item.handle, auths).as_deref(), Ok(&b"sealed data"[..]));
}

#[test]
fn policies_of_the_auth_value_authorize_by_hmac_and_by_password() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let policy = PolicyDigest::new(HashAlg::Sha256).unwrap().auth_value::<RustCrypto>();
    let mut plain = tpm.start_session(SessionOptions::HMAC).unwrap();
    let item = seal(&mut tpm, &parent, &mut plain, policy.to_wire());
    let mut session = tpm.start_session(SessionOptions::POLICY.encrypting()).unwrap();

    tpm.policy_auth_value(&mut session).unwrap();
    assert_eq!(tpm.policy_digest(&session).unwrap(), policy.to_wire());
    let opened = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut session, AUTH)]);
    assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));

    tpm.policy_password(&mut session).unwrap();
    let opened = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut session, AUTH)]);
    assert_eq!(opened.as_deref(), Ok(&b"sealed data"[..]));

    // The TPM has reset the policy with its use.
    let refused = unseal(&mut tpm, item.handle, &mut [Auth::session_with(&mut session, AUTH)]);
    assert_eq!(refused, Err(Rc::POLICY_FAIL.at(Subject::Session(1))));
}

#[test]
fn a_policy_of_pcrs_opens_until_a_pcr_changes() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let pcrs = sha256_pcrs(&[PcrIndex::Pcr16]);
    let digest = pcr_digest::<RustCrypto>(HashAlg::Sha256, &pcrs, |_, _| Some(&[0; 32])).unwrap();
    let policy = PolicyDigest::new(HashAlg::Sha256).unwrap();
    let policy = policy.pcr::<RustCrypto>(&pcrs, digest.as_bytes()).unwrap().command_code::<RustCrypto>(Cc::UNSEAL);
    let mut plain = tpm.start_session(SessionOptions::HMAC).unwrap();
    let item = seal(&mut tpm, &parent, &mut plain, policy.to_wire());

    let mut session = tpm.start_session(SessionOptions::POLICY).unwrap();
    tpm.policy_pcr(&session, &pcrs, &[]).unwrap();
    tpm.policy_command_code(&session, Cc::UNSEAL).unwrap();
    assert!(unseal(&mut tpm, item.handle, &mut [Auth::session(&mut session)]).is_ok());

    tpm.pcr_extend(PcrIndex::Pcr16, &[TpmtHa::new(HashAlg::Sha256, &[1; 32]).unwrap()]).unwrap();
    tpm.policy_pcr(&session, &pcrs, &[]).unwrap();
    tpm.policy_command_code(&session, Cc::UNSEAL).unwrap();
    let refused = unseal(&mut tpm, item.handle, &mut [Auth::session(&mut session)]);
    assert_eq!(refused, Err(Rc::POLICY_FAIL.at(Subject::Session(1))));
}

#[test]
fn a_changed_auth_value_authenticates_the_response() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let salted = SessionOptions { salt: Some(&parent), ..SessionOptions::HMAC.encrypting() };
    let mut session = tpm.start_session(salted).unwrap();
    let handles = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Owner };
    let command = HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"new").unwrap() };
    let auth = SessionAuth { session: &mut session, auth_value: &[], new_auth_value: Some(b"new") };
    tpm.run(handles, &command, &mut [Auth::Session(auth)]).unwrap();
    assert!(tpm.create_primary(TpmiRhHierarchy::Owner, b"new", &templates::storage_root_key()).is_ok());
    let refused = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &templates::storage_root_key()).unwrap_err();
    assert_eq!(refused.response_code(), Some(Rc::BAD_AUTH.at(Subject::Session(1))));
    assert_eq!(refused.to_string(), "TPM2_CreatePrimary: the TPM refused: TPM_RC_BAD_AUTH (session 1) (0x9a2)");
}

#[test]
fn a_response_that_was_changed_on_its_way_is_refused() {
    let Some(mut tpm) = client() else { return };
    let parent = storage_key(&mut tpm);
    let salted = SessionOptions { salt: Some(&parent), ..SessionOptions::HMAC.encrypting() };
    let mut session = tpm.start_session(salted).unwrap();
    let mut transport = tpm.into_transport();
    // Behind the 16 random bytes stand: nonce (2 + 32), attributes (1), HMAC (2 + 32).
    for position in [1, 32, 35, 36, 67, 70, 85] {
        transport.flip_from_end = Some(position);
        let mut tpm = Client::new(&mut transport, TestRng(3));
        let result = tpm.run((), &GetRandom { bytes_requested: 16 }, &mut [Auth::session(&mut session)]);
        assert!(
            matches!(result, Err(ClientError::ResponseHmac { command: Cc::GET_RANDOM })),
            "position {position}: {result:?}"
        );
        transport.flip_from_end = None;
        let mut tpm = Client::new(&mut transport, TestRng(4));
        tpm.flush(session.handle()).unwrap();
        session = tpm.start_session(salted).unwrap();
    }
}

#[test]
fn a_session_without_continue_ends_with_its_use() {
    let Some(mut tpm) = client() else { return };
    let mut session = tpm.start_session(SessionOptions::HMAC).unwrap();
    session.attributes = TpmaSession::AUDIT;
    tpm.run((), &GetRandom { bytes_requested: 8 }, &mut [Auth::session(&mut session)]).unwrap();
    assert!(session.has_ended());
    let gone = tpm.flush(session.handle()).unwrap_err();
    assert_eq!(gone.response_code(), Some(Rc::HANDLE.at(Subject::Parameter(1))));
    tpm.end_session(session).unwrap();
}

fn index(attributes: TpmaNv, data_size: u16) -> TpmsNvPublic {
    TpmsNvPublic {
        nv_index: TpmiRhNvLegacyIndex::new(Handle(0x0150_0001), &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: attributes | TpmaNv::NO_DA,
        auth_policy: Tpm2bDigest::EMPTY,
        data_size,
    }
}

#[test]
fn an_index_greater_than_one_command_is_read_in_pieces() {
    let Some(mut tpm) = client() else { return };
    let public = index(TpmaNv::OWNERWRITE | TpmaNv::AUTHREAD | TpmaNv::OWNERREAD, 2048);
    tpm.nv_define(&public, &[], b"index").unwrap();
    let Tpm2b(read): Tpm2bNvPublic =
        tpm.nv_public(evtpm_tpm_wire::TpmiRhNvIndex::new(Handle(0x0150_0001), &Supported::ALL).unwrap()).unwrap();
    assert_eq!(read, public);
    let content: Vec<u8> = (0..2048u16).map(|byte| byte.to_be_bytes()[1] ^ byte.to_be_bytes()[0]).collect();
    tpm.nv_write(Handle(0x0150_0001), Handle::OWNER, &[], &content).unwrap();
    assert_eq!(tpm.nv_read(Handle(0x0150_0001), b"index").unwrap(), content);
    let refused = tpm.nv_read(Handle(0x0150_0001), b"wrong").unwrap_err();
    assert_eq!(refused.response_code(), Some(Rc::BAD_AUTH.at(Subject::Session(1))));

    tpm.nv_undefine(Handle(0x0150_0001), &[]).unwrap();
    let gone = tpm.nv_read(Handle(0x0150_0001), &[]).unwrap_err();
    assert_eq!(gone.response_code(), Some(Rc::HANDLE.at(Subject::Handle(1))));
}

#[test]
fn an_index_for_its_policy_alone_is_not_readable() {
    let Some(mut tpm) = client() else { return };
    let public = index(TpmaNv::OWNERWRITE | TpmaNv::POLICYREAD, 8);
    tpm.nv_define(&public, &[], &[]).unwrap();
    let result = tpm.nv_read(Handle(0x0150_0001), &[]);
    assert!(matches!(result, Err(ClientError::NotReadable { index: Handle(0x0150_0001) })), "{result:?}");
}

#[test]
fn all_pcrs_of_all_banks_are_read_at_once() {
    let Some(mut tpm) = client() else { return };
    let banks = tpm.pcr_banks().unwrap();
    let values = tpm.pcr_read(&banks).unwrap();
    let expected: usize = banks.iter().map(|bank| bank.select.iter().count()).sum();
    assert_eq!(values.len(), expected);
    assert!(expected >= 24);
    for value in values.iter().filter(|value| value.pcr <= PcrIndex::Pcr16) {
        assert_eq!(value.digest.as_bytes(), vec![0; value.hash.digest_size()], "{value:?}");
    }
    tpm.pcr_extend(PcrIndex::Pcr23, &[TpmtHa::new(HashAlg::Sha256, &[5; 32]).unwrap()]).unwrap();
    tpm.pcr_reset(PcrIndex::Pcr23).unwrap();
    let [value] = tpm.pcr_read(&sha256_pcrs(&[PcrIndex::Pcr23])).unwrap()[..] else { panic!("one PCR was asked for") };
    assert_eq!(value.digest.as_bytes(), [0; 32]);
}

#[test]
fn capabilities_list_what_the_tpm_holds() {
    let Some(mut tpm) = client() else { return };
    let properties = tpm.properties(TpmPt::FAMILY_INDICATOR).unwrap();
    let family = properties.iter().find(|tagged| tagged.property == TpmPt::FAMILY_INDICATOR).unwrap();
    assert_eq!(family.value.to_be_bytes(), *b"2.0\0");
    let commands = tpm.commands().unwrap();
    assert_eq!(tpm.property(TpmPt::TOTAL_COMMANDS).unwrap(), u32::try_from(commands.len()).ok());
    assert!(tpm.algorithms().unwrap().iter().any(|alg| alg.alg == HashAlg::Sha256.id()));
    let key = storage_key(&mut tpm);
    assert_eq!(tpm.handles(Handle::TRANSIENT_FIRST).unwrap(), [key.handle]);
    assert_eq!(tpm.object(key.handle).unwrap(), key);
    let persistent = tpm.make_persistent(&key, &[], Handle(0x8100_0001)).unwrap();
    tpm.flush(key.handle).unwrap();
    assert_eq!(tpm.handles(Handle::PERSISTENT_FIRST).unwrap(), [persistent.handle]);
    assert_eq!(tpm.handles(Handle::TRANSIENT_FIRST).unwrap(), []);
    assert_eq!(tpm.object(persistent.handle).unwrap(), persistent);
}

#[test]
fn random_bytes_come_in_any_number() {
    let Some(mut tpm) = client() else { return };
    let mut bytes = [0; 100];
    tpm.random(&mut bytes).unwrap();
    assert!(bytes.chunks(20).all(|chunk| chunk != [0; 20]));
}

#[test]
fn a_missing_authorization_is_noticed_before_the_tpm_is_asked() {
    let Some(mut tpm) = client() else { return };
    let result = tpm.run(UnsealHandles { item_handle: object(Handle(0x8000_0000)) }, &Unseal {}, &mut []);
    assert!(
        matches!(result, Err(ClientError::Authorizations { command: Cc::UNSEAL, expected: 1, actual: 0 })),
        "{result:?}"
    );
}

#[test]
fn the_attributes_that_part_3_gives_a_command_are_the_ones_that_the_tpm_reports() {
    let Some(mut tpm) = client() else { return };
    let specs = evtpm_tpm_wire::commands::ALL_SPECS;
    let mut compared = 0;
    for reported in tpm.commands().unwrap() {
        if let Some(spec) = specs.iter().find(|spec| spec.code.0 == reported.command_index()) {
            compared += 1;
            assert_eq!(spec.attributes(), reported, "{}", spec.code);
        }
    }
    assert!(compared > 80, "{compared}");
}
