// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What may happen to a TPM in these tests: commands of every kind of state, ticks, host sequences and power cycles.

use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_tpm_wire::commands::{
    ContextSave, CreatePrimary, EncryptDecrypt2, EventSequenceComplete, HashSequenceStart, Hmac, HmacStart,
    NvDefineSpace, PolicyCommandCode, PolicyPcr, SequenceComplete, SequenceUpdate, SetPrimaryPolicy, StartAuthSession,
};
use evtpm_tpm_wire::{
    Cc, Handle, HashAlg, NvType, PcrIndex, PcrSelect, PublicBody, Supported, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bDigest,
    Tpm2bEncryptedSecretIn, Tpm2bIv, Tpm2bMaxBuffer, Tpm2bNonce, Tpm2bSensitiveData, TpmSe, TpmaNv, TpmaObject,
    TpmiRhHierarchy, TpmiRhNvLegacyIndex, TpmlPcrSelection, TpmsNvPublic, TpmsPcrSelection, TpmsSensitiveCreate,
    TpmtKeyedhashScheme, TpmtPublic, TpmtSymDef, TpmtSymDefObject,
};

use crate::machine::{Auth, EMPTY, TestTpm, command, marshal, rc, send};

const OWNER: u32 = Handle::OWNER.0;
const PASSWORD: &[u8] = b"secret";

/// One thing that happens, with two small numbers that decide the details.
pub(crate) type Move = (u8, u8, u8);

/// Moves whose outcome depends on the state alone, and after them those that draw random numbers.
pub(crate) const DETERMINISTIC: u8 = 25;
pub(crate) const ALL: u8 = 31;

/// Contexts that were saved, for any TPM to load.
pub(crate) type Contexts = Vec<Vec<u8>>;

/// Plays a move and gives what can be seen of it.
pub(crate) fn play(tpm: &mut TestTpm, contexts: &mut Contexts, (kind, a, b): Move) -> Vec<u8> {
    let (object, session) = (0x8000_0000 + u32::from(a % 6), 0x0200_0000 + u32::from(b % 3));
    let (policy, persistent) = (0x0300_0000 + u32::from(b % 3), 0x8100_0000 + u32::from(b % 3));
    let index = 0x0180_0000 + u32::from(b % 6);
    let data = [b; 200];
    let mut ask = |code, handles: &[u32], auths: &[Auth<'_>], parameters: &[u8]| {
        send(tpm, &command(code, handles, auths, parameters))
    };
    match kind {
        0 => ask(Cc::CREATE_PRIMARY, &[OWNER], &[EMPTY], &primary(storage_root_key(), &[])),
        1 => ask(Cc::CREATE_PRIMARY, &[Handle::NULL.0], &[EMPTY], &primary(attestation_key(), &[])),
        2 => ask(Cc::CREATE_PRIMARY, &[OWNER], &[EMPTY], &primary(mac_key(), b"key of a MAC")),
        3 => ask(Cc::CREATE_PRIMARY, &[OWNER], &[EMPTY], &primary(cipher_key(), &[])),
        4 => {
            let hash_alg =
                [None, Some(HashAlg::Sha1), Some(HashAlg::Sha256), Some(HashAlg::Sha512)][usize::from(b % 4)];
            ask(Cc::HASH_SEQUENCE_START, &[], &[], &marshal(&HashSequenceStart { auth: Tpm2bAuth::EMPTY, hash_alg }))
        }
        5 => {
            let buffer = Tpm2bMaxBuffer::new(&data[..usize::from(b % 200)]).unwrap();
            ask(Cc::SEQUENCE_UPDATE, &[object], &[EMPTY], &marshal(&SequenceUpdate { buffer }))
        }
        6 => {
            let end = SequenceComplete { buffer: Tpm2bMaxBuffer::default(), hierarchy: TpmiRhHierarchy::Owner };
            ask(Cc::SEQUENCE_COMPLETE, &[object], &[EMPTY], &marshal(&end))
        }
        7 => {
            let end = EventSequenceComplete { buffer: Tpm2bMaxBuffer::default() };
            ask(Cc::EVENT_SEQUENCE_COMPLETE, &[5, object], &[EMPTY, EMPTY], &marshal(&end))
        }
        8 => {
            let start = HmacStart { auth: Tpm2bAuth::EMPTY, hash_alg: Some(HashAlg::Sha256) };
            ask(Cc::HMAC_START, &[object], &[EMPTY], &marshal(&start))
        }
        9 => {
            let hmac = Hmac { buffer: Tpm2bMaxBuffer::new(&data[..9]).unwrap(), hash_alg: Some(HashAlg::Sha256) };
            ask(Cc::HMAC, &[object], &[EMPTY], &marshal(&hmac))
        }
        10 => ask(Cc::FLUSH_CONTEXT, &[], &[], &[object, session][usize::from(b % 5 == 0)].to_be_bytes()),
        11 => ask(Cc::NV_DEFINE_SPACE, &[OWNER], &[EMPTY], &definition(index)),
        12 => ask(Cc::NV_WRITE, &[OWNER, index], &[EMPTY], &[&[0, 3], &[a, b, 7][..], &[0, 1]].concat()),
        13 => ask(Cc::NV_INCREMENT, &[OWNER, index], &[EMPTY], &[]),
        14 => ask(Cc::NV_EXTEND, &[OWNER, index], &[EMPTY], &[0, 2, a, b]),
        15 => ask(Cc::NV_SET_BITS, &[OWNER, index], &[EMPTY], &(1u64 << (a % 64)).to_be_bytes()),
        16 => ask(Cc::NV_READ, &[OWNER, index], &[EMPTY], &[0, 8, 0, 0]),
        // A wrong password counts against the dictionary attack, a right one does not.
        17 => {
            let password = if a % 3 == 0 { b"wrong" } else { PASSWORD };
            ask(Cc::NV_READ, &[index, index], &[Auth::Password(password)], &[0, 4, 0, 0])
        }
        18 => {
            let digests = [&[0, 0, 0, 1, 0, 0x0B][..], &[a; 32]].concat();
            ask(Cc::PCR_EXTEND, &[u32::from(b % 24)], &[EMPTY], &digests)
        }
        19 => {
            let selection = [0, 0, 0, 1, 0, 0x0B, 3, a, b, 0xFF];
            ask(Cc::PCR_READ, &[], &[], &selection)
        }
        20 => policy_step(tpm, policy, a),
        21 => {
            let handle = [object, session, policy][usize::from(a % 3)];
            let response = ask(Cc::CONTEXT_SAVE, &[handle], &[], &marshal(&ContextSave {}));
            if rc(&response) == 0 {
                contexts.push(response[10..].to_vec());
            }
            response
        }
        22 => match contexts.get(usize::from(b) % contexts.len().max(1)) {
            Some(context) => ask(Cc::CONTEXT_LOAD, &[], &[], context),
            None => Vec::new(),
        },
        23 => ask(Cc::EVICT_CONTROL, &[OWNER, object], &[EMPTY], &persistent.to_be_bytes()),
        24 => settled(tpm, object, persistent, (a, b)),
        25 => {
            let start = StartAuthSession {
                nonce_caller: Tpm2bNonce::zeros(16).unwrap(),
                encrypted_salt: Tpm2bEncryptedSecretIn::default(),
                session_type: [TpmSe::Hmac, TpmSe::Policy][usize::from(a % 2)],
                symmetric: Some(TpmtSymDef::Xor(HashAlg::Sha256)),
                auth_hash: HashAlg::Sha256,
            };
            ask(Cc::START_AUTH_SESSION, &[Handle::NULL.0, Handle::NULL.0], &[], &marshal(&start))
        }
        26 => ask(Cc::GET_RANDOM, &[], &[], &[0, 16]),
        27 => ask(Cc::PCR_EXTEND, &[3], &[Auth::Session(session)], &[&[0, 0, 0, 1, 0, 0x0B][..], &[a; 32]].concat()),
        28 => {
            let sealed =
                [&marshal(&sensitive(b"sealed data"))[..], &marshal(&Tpm2b(sealed())), &[0, 0], &[0; 4]].concat();
            ask(Cc::CREATE, &[object], &[EMPTY], &sealed)
        }
        29 => ask(Cc::CLEAR, &[[Handle::LOCKOUT, Handle::PLATFORM][usize::from(a % 2)].0], &[EMPTY], &[]),
        _ => cycle(tpm, a, b),
    }
}

/// An assertion of a policy session, or its digest.
fn policy_step(tpm: &mut TestTpm, policy: u32, a: u8) -> Vec<u8> {
    let mut ask = |code, parameters: &[u8]| send(tpm, &command(code, &[policy], &[], parameters));
    match a % 3 {
        0 => {
            let code = PolicyCommandCode { code: [Cc::QUOTE, Cc::NV_READ][usize::from(a % 2)] };
            ask(Cc::POLICY_COMMAND_CODE, &marshal(&code))
        }
        1 => {
            let mut pcrs = TpmlPcrSelection::new();
            pcrs.push(TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr5]) }).unwrap();
            ask(Cc::POLICY_PCR, &marshal(&PolicyPcr { pcr_digest: Tpm2bDigest::EMPTY, pcrs }))
        }
        _ => ask(Cc::POLICY_GET_DIGEST, &[]),
    }
}

/// Moves that always succeed, or look at one thing.
fn settled(tpm: &mut TestTpm, object: u32, persistent: u32, (a, b): (u8, u8)) -> Vec<u8> {
    let mut ask = |code, handles: &[u32], auths: &[Auth<'_>], parameters: &[u8]| {
        send(tpm, &command(code, handles, auths, parameters))
    };
    match a % 11 {
        0 => ask(Cc::READ_PUBLIC, &[object], &[], &[]),
        1 => ask(Cc::READ_PUBLIC, &[persistent], &[], &[]),
        2 => ask(Cc::GET_CAPABILITY, &[], &[], &[0, 0, 0, 6, 0, 0, 2, 0, 0, 0, 0, 64]),
        3 => ask(Cc::GET_CAPABILITY, &[], &[], &[0, 0, 0, 1, b % 4, 0, 0, 0, 0, 0, 0, 64]),
        4 => ask(Cc::READ_CLOCK, &[], &[], &[]),
        5 => ask(Cc::CLOCK_SET, &[OWNER], &[EMPTY], &(u64::from(b) << 20).to_be_bytes()),
        6 => {
            let policy = Tpm2bDigest::new(&[b; 32]).unwrap();
            let set = SetPrimaryPolicy { auth_policy: policy, hash_alg: Some(HashAlg::Sha256) };
            ask(Cc::SET_PRIMARY_POLICY, &[Handle::ENDORSEMENT.0], &[EMPTY], &marshal(&set))
        }
        7 => {
            let data = [b; 20];
            let data = Tpm2bMaxBuffer::new(&data).unwrap();
            let iv_in = Tpm2bIv::new(&[0; 16]).unwrap();
            let encrypt = EncryptDecrypt2 { in_data: data, decrypt: evtpm_tpm_wire::YesNo::No, mode: None, iv_in };
            ask(Cc::ENCRYPT_DECRYPT2, &[object], &[EMPTY], &marshal(&encrypt))
        }
        8 => ask(Cc::DICTIONARY_ATTACK_LOCK_RESET, &[Handle::LOCKOUT.0], &[EMPTY], &[]),
        9 => {
            tpm.platform_mut().now_ms += u64::from(b) * 1_000;
            Vec::new()
        }
        _ => {
            match b % 3 {
                0 => tpm.hash_start(),
                1 => tpm.hash_data(&[b; 5]),
                _ => tpm.hash_end(),
            }
            Vec::new()
        }
    }
}

/// A shutdown or none, a power cycle, and a startup that may be refused before one that is not.
fn cycle(tpm: &mut TestTpm, a: u8, b: u8) -> Vec<u8> {
    let mut seen = Vec::new();
    if !a.is_multiple_of(3) {
        seen.extend(send(tpm, &command(Cc::SHUTDOWN, &[], &[], &[0, a % 2])));
    }
    tpm.power_on();
    seen.extend(send(tpm, &command(Cc::STARTUP, &[], &[], &[0, b % 2])));
    seen.extend(send(tpm, &command(Cc::STARTUP, &[], &[], &[0, 0])));
    seen
}

fn sensitive(data: &[u8]) -> Tpm2b<TpmsSensitiveCreate> {
    Tpm2b(TpmsSensitiveCreate { user_auth: Tpm2bAuth::EMPTY, data: Tpm2bSensitiveData::new(data).unwrap() })
}

pub(crate) fn primary(template: TpmtPublic, data: &[u8]) -> Vec<u8> {
    marshal(&CreatePrimary {
        in_sensitive: sensitive(data),
        in_public: Tpm2b(template),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    })
}

const OWN: TpmaObject =
    TpmaObject::FIXED_TPM.with(TpmaObject::FIXED_PARENT).with(TpmaObject::USER_WITH_AUTH).with(TpmaObject::NO_DA);

fn public(object_attributes: TpmaObject, body: PublicBody) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes, auth_policy: Tpm2bDigest::EMPTY, body }
}

fn mac_key() -> TpmtPublic {
    let scheme: Option<TpmtKeyedhashScheme> = None;
    public(OWN | TpmaObject::SIGN, PublicBody::KeyedHash { scheme, unique: Tpm2bDigest::EMPTY })
}

fn sealed() -> TpmtPublic {
    public(OWN, PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY })
}

fn cipher_key() -> TpmtPublic {
    let body = PublicBody::SymCipher { parms: TpmtSymDefObject::AES_128_CFB, unique: Tpm2bDigest::EMPTY };
    public(OWN | TpmaObject::SENSITIVE_DATA_ORIGIN | TpmaObject::SIGN | TpmaObject::DECRYPT, body)
}

/// Each index has its own type.
fn definition(index: u32) -> Vec<u8> {
    let kinds = [NvType::Ordinary, NvType::Counter, NvType::Bits, NvType::Extend, NvType::PinFail, NvType::Ordinary];
    let kind = kinds[(index & 7) as usize % kinds.len()];
    let usual = TpmaNv::OWNERREAD | TpmaNv::OWNERWRITE | TpmaNv::AUTHREAD;
    let no_da = if kind == NvType::PinFail { TpmaNv::NO_DA } else { TpmaNv::NONE };
    let public = TpmsNvPublic {
        nv_index: TpmiRhNvLegacyIndex::new(Handle(index), &Supported::ALL).unwrap(),
        name_alg: HashAlg::Sha256,
        attributes: usual | no_da | TpmaNv::of_type(kind),
        auth_policy: Tpm2bDigest::EMPTY,
        data_size: if kind == NvType::Extend { 32 } else { 8 },
    };
    marshal(&NvDefineSpace { auth: Tpm2bAuth::new(PASSWORD).unwrap(), public_info: Tpm2b(public) })
}
