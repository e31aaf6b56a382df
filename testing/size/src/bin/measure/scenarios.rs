// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest, its firmware and its tools do with a TPM: together they execute a command of every kind with real keys.

use anyhow::{Context, Result};
use evtpm_client::{Auth, Client, Object, SessionOptions};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::credential::{self, Credential};
use evtpm_protocol::templates::{EkTemplate, attestation_key, storage_root_key};
use evtpm_testing_support::Noise;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Bytes, Cc, CipherMode, EccCurve, Handle, HashAlg, Marshal, NvType, PcrIndex, PcrSelect, PublicBody, Supported,
    Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bDigest, Tpm2bEncryptedSecretIn, Tpm2bIv, Tpm2bMaxBuffer, Tpm2bPrivateIn,
    Tpm2bPublicKeyRsa, Tpm2bSensitive, Tpm2bSensitiveData, TpmSu, TpmaNv, TpmaObject, TpmiDhContext, TpmiDhObject,
    TpmiDhParent, TpmiRhClear, TpmiRhEndorsement, TpmiRhHierarchy, TpmiRhNvAuth, TpmiRhNvIndex, TpmiRhNvLegacyIndex,
    TpmiRsaKeyBits, TpmlPcrSelection, TpmsContextIn, TpmsEccParms, TpmsEccPoint, TpmsNvPublic, TpmsPcrSelection,
    TpmsRsaParms, TpmsSensitiveCreate, TpmtHa, TpmtPublic, TpmtPublicPlus, TpmtRsaDecrypt, TpmtSymDefObject,
    TpmtTkHashcheck, YesNo,
};

use crate::hosted::InProcess;

/// The client of a scenario.
pub(crate) type Guest = Client<InProcess, Noise>;

/// Something that is done with a TPM that was just powered on.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The commands whose stack is measured; all of them when there are none.
    pub(crate) measured: &'static [Cc],
    pub(crate) play: fn(&mut Guest) -> Result<()>,
}

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "boot and measurement", measured: &[], play: boot },
    Scenario { name: "self-test", measured: &[], play: self_test },
    Scenario { name: "attestation on P-256", measured: &[], play: |tpm| attestation(tpm, EkTemplate::L2) },
    Scenario { name: "attestation on P-384", measured: &[], play: |tpm| attestation(tpm, EkTemplate::H3) },
    Scenario { name: "attestation with RSA-2048", measured: &[], play: |tpm| attestation(tpm, EkTemplate::L1) },
    Scenario { name: "keys on P-521", measured: &[], play: |tpm| curve(tpm, EccCurve::NistP521) },
    Scenario { name: "keys on P-256", measured: &[], play: |tpm| curve(tpm, EccCurve::NistP256) },
    Scenario { name: "RSA-2048", measured: &[], play: |tpm| rsa(tpm, 2048) },
    Scenario { name: "RSA-4096", measured: LARGE_RSA, play: |tpm| rsa(tpm, 4096) },
    Scenario { name: "sealing and duplication", measured: &[], play: sealing },
    Scenario { name: "NV memory", measured: &[], play: nv },
    Scenario { name: "hashes, MACs and ciphers", measured: &[], play: symmetric },
];

/// A key of 4096 bits takes long to find, and each probe finds it anew: only what computes with it is looked at.
const LARGE_RSA: &[Cc] = &[Cc::CREATE_PRIMARY, Cc::QUOTE, Cc::RSA_DECRYPT];

fn boot(tpm: &mut Guest) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    tpm.algorithms()?;
    tpm.commands()?;
    tpm.run((), &StirRandom { in_data: evtpm_tpm_wire::Tpm2bSensitiveData::EMPTY }, &mut [])?;
    tpm.random(&mut [0; 32])?;
    let digests = [HashAlg::Sha256, HashAlg::Sha384].map(|hash| TpmtHa::new(hash, &[7; 64][..hash.digest_size()]));
    let digests = digests.into_iter().collect::<Option<Vec<_>>>().context("digests")?;
    tpm.pcr_extend(PcrIndex::Pcr4, &digests)?;
    let handles = PcrEventHandles { pcr_handle: Some(PcrIndex::Pcr5) };
    tpm.run(handles, &PcrEvent { event_data: Bytes::new(&[7; 1024]).map_err(|_| too_long())? }, &mut [Auth::EMPTY])?;
    tpm.pcr_read(&pcrs()?)?;
    tpm.pcr_reset(PcrIndex::Pcr23)?;
    tpm.run((), &ReadClock {}, &mut [])?;
    tpm.shutdown(TpmSu::State)?;
    Ok(())
}

fn self_test(tpm: &mut Guest) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    tpm.run((), &SelfTest { full_test: YesNo::Yes }, &mut [])?;
    Ok(())
}

/// What the agent does: an endorsement key, an attestation key, a credential, quotes and certifications.
fn attestation(tpm: &mut Guest, template: EkTemplate) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let endorsement = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public())?;
    let parent = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())?;
    let (private, public) = tpm.create(&parent, &[], &attestation_key())?;
    let key = tpm.load(&parent, &[], &private, &public)?;
    tpm.flush(parent.handle)?;
    let secret = Credential::new(&[9; 32])?;
    let (blob, encrypted) =
        credential::make::<RustCrypto>(&endorsement.public, &secret, &key.name, &mut Noise::Good(9))?;
    let options = SessionOptions { salt: Some(&endorsement), ..SessionOptions::HMAC.encrypting() };
    let mut salted = tpm.start_session(options)?;
    tpm.run((), &GetRandom { bytes_requested: 32 }, &mut [Auth::session(&mut salted)])?;
    tpm.end_session(salted)?;
    if template.is_low() {
        tpm.activate_credential(&key, &endorsement, &[], &blob, encrypted.as_bytes())?;
    }
    let wanted =
        MakeCredential { credential: Tpm2bDigest::new(&[9; 32]).map_err(|_| too_long())?, object_name: key.name };
    tpm.run(MakeCredentialHandles { handle: object(&endorsement)? }, &wanted, &mut [])?;
    tpm.quote(&key, &[], b"a fresh nonce", &pcrs()?)?;
    let certify = Certify { qualifying_data: Tpm2bData::EMPTY, in_scheme: None };
    let handles = CertifyHandles { object_handle: object(&key)?, sign_handle: Some(object(&key)?) };
    tpm.run(handles, &certify, &mut [Auth::EMPTY, Auth::EMPTY])?;
    tpm.flush(endorsement.handle)?;
    let kept = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())?;
    tpm.make_persistent(&kept, &[], Handle(0x8100_0001))?;
    swap(tpm, &key)
}

/// Saves an object and loads it again, as a resource manager does.
fn swap(tpm: &mut Guest, object: &Object) -> Result<()> {
    let save_handle = TpmiDhContext::new(object.handle, &Supported::ALL).context("a handle")?;
    let saved = tpm.run(ContextSaveHandles { save_handle }, &ContextSave {}, &mut [])?.context;
    tpm.flush(object.handle)?;
    let context = TpmsContextIn {
        sequence: saved.sequence,
        saved_handle: saved.saved_handle,
        hierarchy: saved.hierarchy,
        context_blob: Bytes::new(saved.context_blob.as_bytes()).map_err(|_| too_long())?,
    };
    let loaded = tpm.run((), &ContextLoad { context }, &mut [])?.loaded_handle;
    tpm.flush(loaded)?;
    Ok(())
}

const OWN: TpmaObject = TpmaObject::FIXED_TPM
    .with(TpmaObject::FIXED_PARENT)
    .with(TpmaObject::SENSITIVE_DATA_ORIGIN)
    .with(TpmaObject::USER_WITH_AUTH)
    .with(TpmaObject::NO_DA);

fn template(object_attributes: TpmaObject, body: PublicBody) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes, auth_policy: Tpm2bDigest::EMPTY, body }
}

fn curve(tpm: &mut Guest, curve_id: EccCurve) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let parms = TpmsEccParms { symmetric: None, scheme: None, curve_id, kdf: None };
    let body = PublicBody::Ecc { parms, unique: TpmsEccPoint::default() };
    let attributes = OWN | TpmaObject::SIGN | TpmaObject::DECRYPT;
    let key = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &template(attributes, body))?;
    tpm.run((), &EccParameters { curve_id }, &mut [])?;
    let made = tpm.run(EcdhKeyGenHandles { key_handle: object(&key)? }, &EcdhKeyGen {}, &mut [])?;
    let command = EcdhZGen { in_point: made.pub_point };
    tpm.run(EcdhZGenHandles { key_handle: object(&key)? }, &command, &mut [Auth::EMPTY])?;
    sign(tpm, &key, evtpm_tpm_wire::TpmtSigScheme::Ecdsa(HashAlg::Sha256))?;
    load_public(tpm, &key)?;
    create_loaded(tpm, &key.public)?;
    certify(tpm, &key, evtpm_tpm_wire::TpmtSigScheme::Ecdsa(HashAlg::Sha256))
}

fn rsa(tpm: &mut Guest, bits: u16) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let parms = TpmsRsaParms { symmetric: None, scheme: None, key_bits: TpmiRsaKeyBits(bits), exponent: 0 };
    let body = PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY };
    let attributes = OWN | TpmaObject::SIGN | TpmaObject::DECRYPT;
    let key = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &template(attributes, body))?;
    sign(tpm, &key, evtpm_tpm_wire::TpmtSigScheme::Rsapss(HashAlg::Sha256))?;
    let in_scheme = Some(TpmtRsaDecrypt::Oaep(HashAlg::Sha256));
    let message = Bytes::new(&[7; 32]).map_err(|_| too_long())?;
    let encrypt = RsaEncrypt { message, in_scheme, label: Tpm2bData::EMPTY };
    let encrypted = tpm.run(RsaEncryptHandles { key_handle: object(&key)? }, &encrypt, &mut [])?.out_data;
    let cipher_text = Bytes::new(encrypted.as_bytes()).map_err(|_| too_long())?;
    let decrypt = RsaDecrypt { cipher_text, in_scheme, label: Tpm2bData::EMPTY };
    tpm.run(RsaDecryptHandles { key_handle: object(&key)? }, &decrypt, &mut [Auth::EMPTY])?;
    load_public(tpm, &key)?;
    swap(tpm, &key)
}

fn sign(tpm: &mut Guest, key: &Object, scheme: evtpm_tpm_wire::TpmtSigScheme) -> Result<()> {
    let digest = Tpm2bDigest::new(&[7; 32]).map_err(|_| too_long())?;
    let command = Sign { digest, in_scheme: Some(scheme), validation: TpmtTkHashcheck::NULL };
    let signature = tpm.run(SignHandles { key_handle: object(key)? }, &command, &mut [Auth::EMPTY])?.signature;
    let verify = VerifySignature { digest, signature };
    tpm.run(VerifySignatureHandles { key_handle: object(key)? }, &verify, &mut [])?;
    let quote = Quote { qualifying_data: Tpm2bData::EMPTY, in_scheme: Some(scheme), pcr_select: pcrs()? };
    tpm.run(QuoteHandles { sign_handle: Some(object(key)?) }, &quote, &mut [Auth::EMPTY])?;
    Ok(())
}

/// Attests everything that there is to attest.
fn certify(tpm: &mut Guest, key: &Object, scheme: evtpm_tpm_wire::TpmtSigScheme) -> Result<()> {
    let (sign_handle, in_scheme, qualifying_data) = (Some(object(key)?), Some(scheme), Tpm2bData::EMPTY);
    let handles = CertifyHandles { object_handle: object(key)?, sign_handle };
    tpm.run(handles, &Certify { qualifying_data, in_scheme }, &mut [Auth::EMPTY, Auth::EMPTY])?;
    let privacy_admin_handle = TpmiRhEndorsement::Endorsement;
    let handles = GetTimeHandles { privacy_admin_handle, sign_handle };
    tpm.run(handles, &GetTime { qualifying_data, in_scheme }, &mut [Auth::EMPTY, Auth::EMPTY])?;
    let handles = GetCommandAuditDigestHandles { privacy_handle: privacy_admin_handle, sign_handle };
    tpm.run(handles, &GetCommandAuditDigest { qualifying_data, in_scheme }, &mut [Auth::EMPTY, Auth::EMPTY])?;
    Ok(())
}

/// Makes another primary key of the same kind.
fn create_loaded(tpm: &mut Guest, template: &TpmtPublic) -> Result<()> {
    let mut buffer = [0; 1024];
    let template = template.to_bytes(&mut buffer).map_err(|_| too_long())?;
    let command = CreateLoaded {
        in_sensitive: Tpm2b(TpmsSensitiveCreate { user_auth: Tpm2bAuth::EMPTY, data: Tpm2bSensitiveData::EMPTY }),
        in_public: Bytes::new(template).map_err(|_| too_long())?,
    };
    let parent_handle = TpmiDhParent::new(Handle::OWNER, &Supported::ALL).context("a parent")?;
    let handles = CreateLoadedHandles { parent_handle };
    let made = tpm.run(handles, &command, &mut [Auth::EMPTY])?;
    tpm.flush(made.object_handle)?;
    Ok(())
}

fn load_public(tpm: &mut Guest, key: &Object) -> Result<()> {
    let mut public = key.public.clone();
    public.object_attributes = TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA | TpmaObject::SIGN | TpmaObject::DECRYPT;
    let command = LoadExternal {
        in_private: Tpm2bSensitive(None),
        in_public: Tpm2b(TpmtPublicPlus(public)),
        hierarchy: TpmiRhHierarchy::Null,
    };
    let loaded = tpm.run((), &command, &mut [])?.object_handle;
    tpm.flush(loaded)?;
    Ok(())
}

/// A secret under a PCR policy; and a key that goes to another parent and comes back.
fn sealing(tpm: &mut Guest) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let parent = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())?;
    let trial = tpm.start_session(SessionOptions::TRIAL)?;
    tpm.policy_pcr(&trial, &pcrs()?, &[])?;
    let policy = tpm.policy_digest(&trial)?;
    tpm.policy_or(&trial, &[policy.as_bytes(), &[7; 32]])?;
    tpm.end_session(trial)?;
    let sealed = TpmtPublic {
        auth_policy: policy,
        ..template(
            TpmaObject::FIXED_TPM | TpmaObject::FIXED_PARENT | TpmaObject::NO_DA,
            PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY },
        )
    };
    let command = Create {
        in_sensitive: Tpm2b(TpmsSensitiveCreate {
            user_auth: Tpm2bAuth::EMPTY,
            data: Tpm2bSensitiveData::new(&[7; 64]).map_err(|_| too_long())?,
        }),
        in_public: Tpm2b(sealed),
        outside_info: Tpm2bData::EMPTY,
        creation_pcr: TpmlPcrSelection::new(),
    };
    let made = tpm.run(CreateHandles { parent_handle: object(&parent)? }, &command, &mut [Auth::EMPTY])?;
    let item = tpm.load(&parent, &[], &made.out_private, &made.out_public.0)?;
    let mut session = tpm.start_session(SessionOptions::POLICY.encrypting())?;
    tpm.policy_pcr(&session, &pcrs()?, &[])?;
    let handles = UnsealHandles { item_handle: object(&item)? };
    tpm.run(handles, &Unseal {}, &mut [Auth::session(&mut session)])?;
    tpm.end_session(session)?;
    tpm.flush(item.handle)?;
    duplicate(tpm, &parent)?;
    let clear = ClearHandles { auth_handle: TpmiRhClear::Lockout };
    tpm.run(clear, &Clear {}, &mut [Auth::EMPTY])?;
    Ok(())
}

fn duplicate(tpm: &mut Guest, parent: &Object) -> Result<()> {
    let trial = tpm.start_session(SessionOptions::TRIAL)?;
    tpm.policy_command_code(&trial, Cc::DUPLICATE)?;
    let policy = tpm.policy_digest(&trial)?;
    tpm.end_session(trial)?;
    let parms = TpmsEccParms { symmetric: None, scheme: None, curve_id: EccCurve::NistP256, kdf: None };
    let body = PublicBody::Ecc { parms, unique: TpmsEccPoint::default() };
    let attributes =
        TpmaObject::SENSITIVE_DATA_ORIGIN | TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA | TpmaObject::SIGN;
    let movable = TpmtPublic { auth_policy: policy, ..template(attributes, body) };
    let (private, public) = tpm.create(parent, &[], &movable)?;
    let key = tpm.load(parent, &[], &private, &public)?;
    let mut session = tpm.start_session(SessionOptions::POLICY)?;
    tpm.policy_command_code(&session, Cc::DUPLICATE)?;
    let symmetric_alg = Some(TpmtSymDefObject::AES_128_CFB);
    let command = Duplicate { encryption_key_in: Tpm2bData::EMPTY, symmetric_alg };
    let handles = DuplicateHandles { object_handle: object(&key)?, new_parent_handle: Some(object(parent)?) };
    let moved = tpm.run(handles, &command, &mut [Auth::session(&mut session)])?;
    tpm.end_session(session)?;
    let command = Import {
        encryption_key: moved.encryption_key_out,
        object_public: Tpm2b(public),
        duplicate: Tpm2bPrivateIn::new(moved.duplicate.as_bytes()).map_err(|_| too_long())?,
        in_sym_seed: Tpm2bEncryptedSecretIn::new(moved.out_sym_seed.as_bytes()).map_err(|_| too_long())?,
        symmetric_alg,
    };
    tpm.run(ImportHandles { parent_handle: object(parent)? }, &command, &mut [Auth::EMPTY])?;
    let change = ObjectChangeAuth { new_auth: Tpm2bAuth::new(b"new").map_err(|_| too_long())? };
    let handles = ObjectChangeAuthHandles { object_handle: object(&key)?, parent_handle: object(parent)? };
    // The key's policy admits duplication alone: what the refusal takes is measured.
    let _ = tpm.run(handles, &change, &mut [Auth::EMPTY]);
    tpm.flush(key.handle)?;
    Ok(())
}

fn nv(tpm: &mut Guest) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let key = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &attestation_key())?;
    let kinds = [NvType::Ordinary, NvType::Counter, NvType::Bits, NvType::Extend];
    for (number, kind) in (0u32..).zip(kinds) {
        let handle = Handle(0x0180_0000 + number);
        let public = TpmsNvPublic {
            nv_index: TpmiRhNvLegacyIndex::new(handle, &Supported::ALL).context("an index")?,
            name_alg: HashAlg::Sha256,
            attributes: TpmaNv::OWNERREAD | TpmaNv::OWNERWRITE | TpmaNv::NO_DA | TpmaNv::of_type(kind),
            auth_policy: Tpm2bDigest::EMPTY,
            data_size: match kind {
                NvType::Ordinary => 2048,
                NvType::Extend => 32,
                _ => 8,
            },
        };
        tpm.nv_define(&public, &[], &[])?;
        let auth_handle = TpmiRhNvAuth::new(Handle::OWNER, &Supported::ALL).context("an authorization")?;
        let nv_index = TpmiRhNvIndex::new(handle, &Supported::ALL).context("an index")?;
        let mut auths = [Auth::EMPTY];
        match kind {
            NvType::Ordinary => {
                let data = Bytes::new(&[7; 2048]).map_err(|_| too_long())?;
                tpm.run(NvWriteHandles { auth_handle, nv_index }, &NvWrite { data, offset: 0 }, &mut auths)?;
            }
            NvType::Counter => tpm.run(NvIncrementHandles { auth_handle, nv_index }, &NvIncrement {}, &mut auths)?,
            NvType::Bits => tpm.run(NvSetBitsHandles { auth_handle, nv_index }, &NvSetBits { bits: 1 }, &mut auths)?,
            _ => {
                let data = Bytes::new(&[7; 32]).map_err(|_| too_long())?;
                tpm.run(NvExtendHandles { auth_handle, nv_index }, &NvExtend { data }, &mut auths)?;
            }
        }
        let size = public.data_size;
        tpm.run(NvReadHandles { auth_handle, nv_index }, &NvRead { size, offset: 0 }, &mut [Auth::EMPTY])?;
        let handles = NvCertifyHandles { sign_handle: Some(object(&key)?), auth_handle, nv_index };
        let command = NvCertify { qualifying_data: Tpm2bData::EMPTY, in_scheme: None, size: size.min(1024), offset: 0 };
        tpm.run(handles, &command, &mut [Auth::EMPTY, Auth::EMPTY])?;
        tpm.nv_undefine(handle, &[])?;
    }
    let command = HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"new").map_err(|_| too_long())? };
    let handles = HierarchyChangeAuthHandles { auth_handle: evtpm_tpm_wire::TpmiRhHierarchyAuth::Owner };
    tpm.run(handles, &command, &mut [Auth::EMPTY])?;
    Ok(())
}

fn symmetric(tpm: &mut Guest) -> Result<()> {
    tpm.startup(TpmSu::Clear)?;
    let data = Tpm2bMaxBuffer::new(&[7; 1024]).map_err(|_| too_long())?;
    tpm.run((), &Hash { data, hash_alg: HashAlg::Sha512, hierarchy: TpmiRhHierarchy::Owner }, &mut [])?;
    let body = PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY };
    let mac = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &template(OWN | TpmaObject::SIGN, body))?;
    let command = Hmac { buffer: data, hash_alg: Some(HashAlg::Sha512) };
    tpm.run(HmacHandles { handle: object(&mac)? }, &command, &mut [Auth::EMPTY])?;
    let command = HmacStart { auth: Tpm2bAuth::EMPTY, hash_alg: Some(HashAlg::Sha512) };
    let sequence = tpm.run(HmacStartHandles { handle: object(&mac)? }, &command, &mut [Auth::EMPTY])?.sequence_handle;
    finish(tpm, sequence)?;
    let command = HashSequenceStart { auth: Tpm2bAuth::EMPTY, hash_alg: None };
    let sequence = tpm.run((), &command, &mut [])?.sequence_handle;
    let sequence_handle = TpmiDhObject::new(sequence, &Supported::ALL).context("a sequence")?;
    let handles = EventSequenceCompleteHandles { pcr_handle: Some(PcrIndex::Pcr5), sequence_handle };
    tpm.run(handles, &EventSequenceComplete { buffer: data }, &mut [Auth::EMPTY, Auth::EMPTY])?;
    let body = PublicBody::SymCipher { parms: TpmtSymDefObject::AES_256_CFB, unique: Tpm2bDigest::EMPTY };
    let attributes = OWN | TpmaObject::SIGN | TpmaObject::DECRYPT;
    let cipher = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &template(attributes, body))?;
    let iv_in = Tpm2bIv::new(&[0; 16]).map_err(|_| too_long())?;
    let command = EncryptDecrypt2 { in_data: data, decrypt: YesNo::No, mode: Some(CipherMode::Cfb), iv_in };
    tpm.run(EncryptDecrypt2Handles { key_handle: object(&cipher)? }, &command, &mut [Auth::EMPTY])?;
    Ok(())
}

fn finish(tpm: &mut Guest, sequence: Handle) -> Result<()> {
    let sequence_handle = TpmiDhObject::new(sequence, &Supported::ALL).context("a sequence")?;
    let buffer = Tpm2bMaxBuffer::new(&[7; 1024]).map_err(|_| too_long())?;
    tpm.run(SequenceUpdateHandles { sequence_handle }, &SequenceUpdate { buffer }, &mut [Auth::EMPTY])?;
    let command = SequenceComplete { buffer, hierarchy: TpmiRhHierarchy::Null };
    tpm.run(SequenceCompleteHandles { sequence_handle }, &command, &mut [Auth::EMPTY])?;
    Ok(())
}

fn pcrs() -> Result<TpmlPcrSelection> {
    let bank = TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr4, PcrIndex::Pcr5]) };
    TpmlPcrSelection::from_slice(&[bank]).map_err(|_| too_long())
}

fn object(object: &Object) -> Result<TpmiDhObject> {
    TpmiDhObject::new(object.handle, &Supported::ALL).context("an object")
}

fn too_long() -> anyhow::Error {
    anyhow::anyhow!("a constant of this program is too long")
}
