// SPDX-License-Identifier: Apache-2.0 OR MIT
//! That no secret of a TPM stays in memory that it has given back, or that it has been told to forget (Part 1, "Protection
//! of Secrets"): every block that the TPM allocates is looked at when it is freed, and while it lives.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use evtpm_client::{Auth, Client, Transport, TransportError};
use evtpm_crypto::drbg::RandomGenerator;
use evtpm_crypto::{Crypto, Rng, RustCrypto};
use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_heap::watching::{Watching, is_held, left_behind, look_for, watch};
use evtpm_protocol::session::session_key;
use evtpm_testing_support::{Noise, TestPlatform};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, Handle, HashAlg, PublicBody, SensitiveBody, Supported, Tpm2b, Tpm2bAuth, Tpm2bDigest, Tpm2bNonce,
    Tpm2bPrivateKeyRsa, Tpm2bPublicKeyRsa, Tpm2bSensitive, Tpm2bSensitiveData, TpmSe, TpmSu, TpmaNv, TpmaObject,
    TpmiDhEntity, TpmiDhObject, TpmiRhClear, TpmiRhHierarchy, TpmiRhHierarchyAuth, TpmiRhNvAuth, TpmiRhNvIndex,
    TpmiRhNvLegacyIndex, TpmiRsaKeyBits, TpmlPcrSelection, TpmsNvPublic, TpmsRsaParms, TpmsSensitiveCreate, TpmtPublic,
    TpmtPublicPlus, TpmtRsaScheme, TpmtSensitive, TpmtTkHashcheck,
};

#[global_allocator]
static HEAP: Watching = Watching;

/// The state of everybody's noise.
const NOISE: Noise = Noise::Good(0x7e57);

const OWNER_AUTH: &[u8; 32] = b"the owner's password, of 32 byte";
const INDEX_AUTH: &[u8; 32] = b"the index's password, of 32 byte";
const INDEX_DATA: &[u8; 32] = b"what the index holds: 32 octets.";
const SEALED_AUTH: &[u8; 32] = b"the sealed object's own password";
const SEALED_DATA: &[u8; 32] = b"what was sealed; thirty-two byte";

/// A TPM whose every allocation is watched.
struct Watched(Box<Tpm<TestPlatform>>);

impl Transport for Watched {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let mut command = command.to_vec();
        response.clear();
        response.resize(4096, 0);
        let execution = watch(|| self.0.execute(Locality::ZERO, &mut command, response));
        let Execution::Response(size) = execution else { return Err(TransportError::new("nothing can be pending")) };
        response.truncate(size);
        Ok(())
    }
}

type Guest = Client<Watched, Noise>;

fn started() -> Guest {
    // Filled in where it lies, so that it is on the heap with everything that it holds in itself.
    let tpm = watch(|| Box::new(Tpm::manufacture(TestPlatform::new(NOISE), Profile::svsm()).unwrap()));
    let mut guest = Client::new(Watched(tpm), Noise::Good(1));
    guest.startup(TpmSu::Clear).unwrap();
    guest
}

/// The Primary Seed and the proof of the storage hierarchy, which are the first that a new TPM draws.
fn owner_secrets() -> [[u8; 64]; 2] {
    let mut generator = RandomGenerator::<RustCrypto>::start(&mut NOISE.clone(), b"evtpm ephemeral TPM").unwrap();
    let mut secrets = [[0; 64]; 2];
    secrets.iter_mut().for_each(|secret| generator.fill(secret).unwrap());
    secrets
}

fn object(handle: Handle) -> TpmiDhObject {
    TpmiDhObject::new(handle, &Supported::ALL).unwrap()
}

fn public(object_attributes: TpmaObject, body: PublicBody) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes, auth_policy: Tpm2bDigest::EMPTY, body }
}

fn change_owner_auth(tpm: &mut Guest, new_auth: &[u8]) {
    let command = HierarchyChangeAuth { new_auth: Tpm2bAuth::new(new_auth).unwrap() };
    tpm.run(HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Owner }, &command, &mut [Auth::EMPTY])
        .unwrap();
}

fn define_index(tpm: &mut Guest) {
    let handle = Handle(0x0180_0000);
    let index = TpmsNvPublic {
        nv_index: TpmiRhNvLegacyIndex::new(handle, &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: TpmaNv::OWNERREAD | TpmaNv::OWNERWRITE | TpmaNv::NO_DA,
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: 32,
    };
    tpm.nv_define(&index, &[], INDEX_AUTH).unwrap();
    let auth_handle = TpmiRhNvAuth::new(Handle::OWNER, &Supported::ALL).unwrap();
    let handles = NvWriteHandles { auth_handle, nv_index: TpmiRhNvIndex::new(handle, &Supported::ALL).unwrap() };
    let command = NvWrite { data: Bytes::new(INDEX_DATA).unwrap(), offset: 0 };
    tpm.run(handles, &command, &mut [Auth::EMPTY]).unwrap();
}

fn seal(tpm: &mut Guest) -> Handle {
    let attributes = TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT | TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA;
    let body = PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY };
    let command = CreatePrimary {
        in_sensitive: Tpm2b(TpmsSensitiveCreate {
            user_auth: Tpm2bAuth::new(SEALED_AUTH).unwrap(),
            data: Tpm2bSensitiveData::new(SEALED_DATA).unwrap(),
        }),
        in_public: Tpm2b(public(attributes, body)),
        outside_info: Default::default(),
        creation_pcr: TpmlPcrSelection::new(),
    };
    let handles = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner };
    tpm.run(handles, &command, &mut [Auth::EMPTY]).unwrap().object_handle
}

/// Loads an RSA key of the caller's and signs with it; returns its prime.
fn sign_with_own_key(tpm: &mut Guest) -> ([u8; 128], Handle) {
    let (mut modulus, mut prime) = ([0; 256], [0; 128]);
    RustCrypto::rsa_generate(65_537, &mut Noise::Good(2), &mut modulus, &mut prime).unwrap();
    let parms = TpmsRsaParms {
        symmetric: None,
        scheme: Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256)),
        key_bits: TpmiRsaKeyBits(2048),
        exponent: 0,
    };
    let body = PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::new(&modulus).unwrap() };
    let sensitive = TpmtSensitive {
        auth_value: Tpm2bAuth::EMPTY,
        seed_value: Tpm2bAuth::EMPTY,
        body: SensitiveBody::Rsa(Tpm2bPrivateKeyRsa::new(&prime).unwrap()),
    };
    let command = LoadExternal {
        in_private: Tpm2bSensitive(Some(sensitive)),
        in_public: Tpm2b(TpmtPublicPlus(public(
            TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA | TpmaObject::SIGN,
            body,
        ))),
        hierarchy: TpmiRhHierarchy::Null,
    };
    let key = tpm.run((), &command, &mut []).unwrap().object_handle;
    let digest = Tpm2bDigest::new(&[7; 32]).unwrap();
    let command = Sign { digest, in_scheme: None, validation: TpmtTkHashcheck::NULL };
    tpm.run(SignHandles { key_handle: object(key) }, &command, &mut [Auth::EMPTY]).unwrap();
    (prime, key)
}

/// Starts a session that is bound to the sealed object; returns its key.
fn start_bound_session(tpm: &mut Guest, bind: Handle) -> (Vec<u8>, Handle) {
    let nonce = [0x5a; 32];
    let command = StartAuthSession {
        nonce_caller: Tpm2bNonce::new(&nonce).unwrap(),
        encrypted_salt: Bytes::new(&[]).unwrap(),
        session_type: TpmSe::Hmac,
        symmetric: None,
        auth_hash: HashAlg::Sha256,
    };
    let handles = StartAuthSessionHandles { tpm_key: None, bind: TpmiDhEntity::new(bind, &Supported::ALL) };
    let started = tpm.run(handles, &command, &mut []).unwrap();
    let own = started.nonce_tpm.as_bytes();
    let key = session_key::<RustCrypto>(HashAlg::Sha256, SEALED_AUTH, &[], own, &nonce).unwrap();
    (key.as_bytes().to_vec(), started.session_handle)
}

#[test]
fn the_watch_sees_a_secret_that_is_left() {
    look_for(OWNER_AUTH);
    look_for(INDEX_AUTH);
    let block = watch(|| INDEX_AUTH.to_vec());
    assert!(is_held(INDEX_AUTH) && !is_held(OWNER_AUTH));
    drop(block);
    assert!(!is_held(INDEX_AUTH));
    assert_eq!(left_behind(), [1]);
    assert_eq!(left_behind(), [0usize; 0]);
}

#[test]
fn a_tpm_that_ends_leaves_no_secret_behind() {
    let mut tpm = started();
    define_index(&mut tpm);
    let sealed = seal(&mut tpm);
    let (session_key, _) = start_bound_session(&mut tpm, sealed);
    let (prime, _) = sign_with_own_key(&mut tpm);
    change_owner_auth(&mut tpm, OWNER_AUTH);
    let [seed, proof] = owner_secrets();
    let secrets: [&[u8]; 9] =
        [&seed, &proof, OWNER_AUTH, INDEX_AUTH, INDEX_DATA, SEALED_AUTH, SEALED_DATA, &session_key, &prime];
    for (number, secret) in secrets.iter().enumerate() {
        assert!(is_held(secret), "the TPM never held secret {number}");
        look_for(secret);
    }
    drop(tpm);
    assert_eq!(left_behind(), [0usize; 0]);
    assert!(!secrets.iter().any(|secret| is_held(secret)));
}

#[test]
fn what_is_flushed_is_gone_at_once() {
    let mut tpm = started();
    let sealed = seal(&mut tpm);
    let (session_key, session) = start_bound_session(&mut tpm, sealed);
    let (prime, key) = sign_with_own_key(&mut tpm);
    let secrets: [&[u8]; 4] = [SEALED_AUTH, SEALED_DATA, &session_key, &prime];
    secrets.iter().for_each(|secret| assert!(is_held(secret)));
    secrets.iter().for_each(|secret| look_for(secret));
    for handle in [key, session, sealed] {
        tpm.flush(handle).unwrap();
    }
    let held: Vec<usize> = (0..).zip(secrets).filter(|(_, secret)| is_held(secret)).map(|(number, _)| number).collect();
    assert_eq!((held, left_behind()), (vec![], vec![]));
}

#[test]
fn what_is_cleared_is_gone_at_once() {
    let mut tpm = started();
    define_index(&mut tpm);
    seal(&mut tpm);
    change_owner_auth(&mut tpm, OWNER_AUTH);
    let [seed, proof] = owner_secrets();
    let secrets: [&[u8]; 7] = [&seed, &proof, OWNER_AUTH, INDEX_AUTH, INDEX_DATA, SEALED_AUTH, SEALED_DATA];
    secrets.iter().for_each(|secret| assert!(is_held(secret)));
    secrets.iter().for_each(|secret| look_for(secret));
    let handles = ClearHandles { auth_handle: TpmiRhClear::Lockout };
    tpm.run(handles, &Clear {}, &mut [Auth::EMPTY]).unwrap();
    let held: Vec<usize> = (0..).zip(secrets).filter(|(_, secret)| is_held(secret)).map(|(number, _)| number).collect();
    assert_eq!((held, left_behind()), (vec![], vec![]));
}
