// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM of its own for each case, whose every response gets a second opinion, and what cases are made of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use evtpm_client::{Auth, Client, ClientError, Object, Session, SessionOptions, Transport, TransportError};
use evtpm_crypto::{Crypto as _, EntropyError, Rng, RustCrypto};
use evtpm_engine::{Execution, Locality, Pending, Profile, Tpm};
use evtpm_testing_foreign::second_opinion::objection;
use evtpm_testing_support::{Noise, TestPlatform};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::*;

/// One way to make a command succeed.
pub(crate) struct Case {
    /// The command, for the message if it did not.
    pub(crate) code: Cc,
    /// Makes it succeed at least once, with parameters by the dice.
    pub(crate) play: fn(&mut Stage),
}

/// How the commands of a round are authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dress {
    /// By passwords, where they need it.
    Passwords,
    /// By an HMAC session, also where they need none.
    Session,
    /// By an HMAC session that encrypts the first parameters.
    Encryption,
}

/// xorshift64*: the same commands in every run.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        (self.number() >> 33) as usize % sides
    }

    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }
}

impl Rng for Dice {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.iter_mut().for_each(|byte| *byte = self.number() as u8);
        Ok(())
    }
}

/// What went over the wire: successes by command, and each command that succeeded.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) without_sessions: BTreeMap<Cc, usize>,
    pub(crate) with_sessions: BTreeMap<Cc, usize>,
    pub(crate) commands: Vec<Vec<u8>>,
    /// What the second opinion did not share, each with an example.
    pub(crate) objections: BTreeMap<String, String>,
    /// The last response whose first parameter was encrypted.
    encrypted: Vec<u8>,
}

impl Heard {
    /// Asks for the second opinion.
    fn note(&mut self, code: Cc, response: &[u8]) {
        if let Some(objection) = objection(code, response) {
            let objection = format!("{code}: {objection:?}");
            self.objections.entry(objection).or_insert_with(|| format!("{response:02x?}"));
        }
    }
}

/// Says whether a command has a session that encrypts the response, if there is something to encrypt in it.
fn is_encrypted(command: &[u8]) -> bool {
    let code = Cc(u32::from_be_bytes(command[6..10].try_into().unwrap()));
    let Some(spec) = ALL_SPECS.iter().find(|spec| spec.code == code && spec.encrypt) else { return false };
    let mut reader = Reader::permissive(&command[10 + 4 * spec.handles()..]);
    if command[..2] != [0x80, 0x02] {
        return false;
    }
    let size: u32 = reader.read().unwrap();
    let mut area = Reader::permissive(reader.take(size as usize).unwrap());
    std::iter::from_fn(|| area.read::<TpmsAuthCommand>().ok())
        .any(|auth| auth.session_attributes.contains(TpmaSession::ENCRYPT))
}

/// The TPM, and a listener in front of it.
pub(crate) struct Ear {
    tpm: Tpm<TestPlatform>,
    heard: Rc<RefCell<Heard>>,
}

impl Transport for Ear {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        response.resize(8192, 0);
        match self.tpm.execute(Locality::ZERO, &mut command.to_vec(), response) {
            Execution::Response(length) => response.truncate(length),
            Execution::Pending(Pending::EkCertificate { .. }) => panic!("nobody defined a certificate index"),
        }
        let code = Cc(u32::from_be_bytes(command[6..10].try_into().unwrap()));
        let mut heard = self.heard.borrow_mut();
        if is_encrypted(command) {
            // Only the client can read it; see `Stage::attempt`.
            heard.encrypted.clone_from(response);
        } else {
            heard.note(code, response);
        }
        if response[6..10] == [0; 4] {
            let has_sessions = command[..2] == [0x80, 0x02];
            let counts = if has_sessions { &mut heard.with_sessions } else { &mut heard.without_sessions };
            *counts.entry(code).or_default() += 1;
            heard.commands.push(command.to_vec());
        }
        Ok(())
    }
}

/// Where a case is played.
pub(crate) struct Stage {
    pub(crate) tpm: Client<Ear, Dice>,
    pub(crate) dice: Dice,
    dress: Dress,
    heard: Rc<RefCell<Heard>>,
}

impl Stage {
    /// A TPM that was started up.
    pub(crate) fn new(seed: u64, dress: Dress, heard: &Rc<RefCell<Heard>>) -> Self {
        // The same noise in every run: what goes over the wire, and is bent, is the same too.
        let platform = TestPlatform { physical_presence: true, ..TestPlatform::new(Noise::Good(seed)) };
        let tpm = Tpm::manufacture(platform, Profile::pc_client()).unwrap();
        let mut tpm = Client::new(Ear { tpm, heard: Rc::clone(heard) }, Dice::new(seed ^ 0xC11E));
        tpm.startup(TpmSu::Clear).unwrap();
        Stage { tpm, dice: Dice::new(seed), dress, heard: Rc::clone(heard) }
    }

    /// Runs a command whose handles have empty authValues, dressed for the round.
    pub(crate) fn run<K: Command>(&mut self, handles: K::Handles, command: &K) -> K::Response {
        self.run_as(handles, command, &[])
    }

    /// As [`Stage::run`], with the authValues of the handles.
    pub(crate) fn run_as<K: Command>(&mut self, handles: K::Handles, command: &K, values: &[&[u8]]) -> K::Response {
        let code = K::SPEC.code;
        self.attempt(handles, command, values).unwrap_or_else(|error| panic!("{code}, {:?}: {error}", self.dress))
    }

    /// As [`Stage::run_as`], for a command that may fail.
    pub(crate) fn attempt<K: Command>(
        &mut self,
        handles: K::Handles,
        command: &K,
        values: &[&[u8]],
    ) -> Result<K::Response, ClientError> {
        let value = |position: usize| values.get(position).copied().unwrap_or_default();
        let mut auths: Vec<Auth<'_>> =
            (0..K::SPEC.authorizations()).map(|position| Auth::Password(value(position))).collect();
        let mut session = None;
        if self.dress != Dress::Passwords && !K::SPEC.flags.contains(Flags::NO_SESSIONS) {
            let session = session.insert(self.session());
            let encrypts = session.attributes.contains(TpmaSession::ENCRYPT) && (K::SPEC.decrypt || K::SPEC.encrypt);
            if auths.is_empty() && !encrypts {
                // A session has to be good for something.
                session.attributes = session.attributes | TpmaSession::AUDIT;
            }
            let auth = Auth::session_with(session, value(0));
            match auths.first_mut() {
                Some(first) => *first = auth,
                None => auths.push(auth),
            }
        }
        let answer = self.tpm.run(handles, command, &mut auths);
        drop(auths);
        let was_encrypted = session.is_some() && self.dress == Dress::Encryption && K::SPEC.encrypt;
        if let (Ok(response), true) = (&answer, was_encrypted) {
            self.note_decrypted::<K>(response);
        }
        if let Some(session) = session {
            self.tpm.end_session(session).unwrap();
        }
        answer
    }

    /// Asks for the second opinion on the last response as the client decrypted it.
    fn note_decrypted<K: Command>(&mut self, response: &K::Response) {
        let mut heard = self.heard.borrow_mut();
        let mut plain = std::mem::take(&mut heard.encrypted);
        let mut room = vec![0; plain.len()];
        let mut writer = Writer::new(&mut room);
        response.marshal_parameters(&mut writer).unwrap();
        let parameters = writer.into_written();
        let start = 14 + if K::SPEC.returns_handle { 4 } else { 0 };
        plain[start..start + parameters.len()].copy_from_slice(parameters);
        heard.note(K::SPEC.code, &plain);
    }

    /// Starts a session for one command.
    fn session(&mut self) -> Session {
        let plain = SessionOptions { hash: self.hash(), ..SessionOptions::HMAC };
        let ciphers = [
            TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB),
            TpmtSymDef::Cipher(TpmtSymDefObject::AES_256_CFB),
            TpmtSymDef::Xor(HashAlg::Sha256),
        ];
        let symmetric = (self.dress == Dress::Encryption).then(|| self.dice.pick(&ciphers));
        self.tpm.start_session(SessionOptions { symmetric, ..plain }).unwrap()
    }

    /// Starts a policy or a trial session.
    pub(crate) fn policy(&mut self) -> (Session, TpmiShPolicy) {
        let options = self.dice.pick(&[SessionOptions::POLICY, SessionOptions::TRIAL]);
        self.policy_session(options)
    }

    /// Starts a policy session of one kind.
    pub(crate) fn policy_session(&mut self, options: SessionOptions<'_>) -> (Session, TpmiShPolicy) {
        let session = self.tpm.start_session(options).unwrap();
        let handle = TpmiShPolicy::new(session.handle(), &Supported::ALL).unwrap();
        (session, handle)
    }

    /// One of the hash algorithms that everybody has.
    pub(crate) fn hash(&mut self) -> HashAlg {
        self.dice.pick(&[HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512])
    }

    /// A digest of nothing in particular.
    pub(crate) fn digest(&mut self, hash: HashAlg) -> Tpm2bDigest {
        Tpm2bDigest::new(&self.dice.bytes(hash.digest_size())).unwrap()
    }

    /// Bytes of at most `limit`, as a buffer.
    pub(crate) fn some<const N: usize>(&mut self, limit: usize) -> Buf<N> {
        let length = self.dice.below(limit + 1);
        Buf::new(&self.dice.bytes(length)).unwrap()
    }

    /// Makes a primary object of the owner.
    pub(crate) fn primary(&mut self, template: &TpmtPublic) -> Object {
        self.tpm.create_primary(TpmiRhHierarchy::Owner, &[], template).unwrap()
    }

    /// Makes a primary object with sensitive data of the caller's.
    pub(crate) fn primary_with(&mut self, template: TpmtPublic, auth: &[u8], data: &[u8]) -> CreatePrimaryResponse {
        let command = CreatePrimary {
            in_sensitive: sensitive(auth, data),
            in_public: Tpm2b(template),
            outside_info: self.some(32),
            creation_pcr: self.selection(),
        };
        self.run(CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner }, &command)
    }

    /// A storage key.
    pub(crate) fn storage(&mut self) -> Object {
        self.primary(&evtpm_protocol::templates::storage_root_key())
    }

    /// A key that signs what others hashed, with its scheme.
    pub(crate) fn signer(&mut self) -> (Object, TpmtSigScheme) {
        let (template, scheme) = match self.dice.below(6) {
            0 => (rsa(SIGNER, Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256))), TpmtSigScheme::Rsassa(HashAlg::Sha256)),
            1 => (rsa(SIGNER, Some(TpmtRsaScheme::Rsapss(HashAlg::Sha384))), TpmtSigScheme::Rsapss(HashAlg::Sha384)),
            2 => {
                let scheme = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha384));
                (ecc(SIGNER, EccCurve::NistP384, scheme), TpmtSigScheme::Ecdsa(HashAlg::Sha384))
            }
            3 => {
                let scheme = Some(TpmtKeyedhashScheme::Hmac(HashAlg::Sha256));
                (keyed_hash(SIGNER, scheme), TpmtSigScheme::Hmac(HashAlg::Sha256))
            }
            _ => {
                let scheme = Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256));
                (ecc(SIGNER, EccCurve::NistP256, scheme), TpmtSigScheme::Ecdsa(HashAlg::Sha256))
            }
        };
        (self.primary(&template), scheme)
    }

    /// A key to sign an attestation with, or none; and the scheme, which a key brings and nobody does not.
    pub(crate) fn attester(&mut self) -> (Option<TpmiDhObject>, Option<TpmtSigScheme>) {
        match self.dice.below(5) {
            0 => (None, Some(TpmtSigScheme::Ecdsa(HashAlg::Sha256))),
            1 => (Some(object(self.primary(&evtpm_protocol::templates::attestation_key()).handle)), None),
            _ => {
                let (key, scheme) = self.signer();
                (Some(object(key.handle)), self.dice.pick(&[None, Some(scheme)]))
            }
        }
    }

    /// Some PCRs of some banks.
    pub(crate) fn selection(&mut self) -> TpmlPcrSelection {
        let mut selection = TpmlPcrSelection::new();
        for hash in [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512] {
            if self.dice.below(2) == 0 {
                let bytes = self.dice.bytes(3);
                let select = PcrSelect::from_bits([bytes[0], bytes[1], bytes[2]]);
                selection.push(TpmsPcrSelection { hash, select }).unwrap();
            }
        }
        selection
    }

    /// Defines an NV index that its own empty authValue and the owner's open; one to extend is as long as a digest.
    pub(crate) fn index(&mut self, kind: NvType, more: TpmaNv, size: u16) -> TpmiRhNvIndex {
        let name_alg = self.dice.pick(&[HashAlg::Sha256, HashAlg::Sha384]);
        let attributes = TpmaNv::of_type(kind).with(READ_AND_WRITE).with(more);
        let data_size = if kind == NvType::Extend { name_alg.digest_size() as u16 } else { size };
        self.define(TpmiRhProvision::Owner, name_alg, attributes, Tpm2bDigest::EMPTY, data_size)
    }

    /// Defines an NV index.
    pub(crate) fn define(
        &mut self,
        auth_handle: TpmiRhProvision,
        name_alg: HashAlg,
        attributes: TpmaNv,
        auth_policy: Tpm2bDigest,
        data_size: u16,
    ) -> TpmiRhNvIndex {
        let handle = Handle(0x0150_0000 + self.dice.below(0x1_0000) as u32);
        let nv_index = TpmiRhNvLegacyIndex::new(handle, &Supported::ALL).unwrap();
        let public_info = Tpm2b(TpmsNvPublic { nv_index, name_alg, attributes, auth_policy, data_size });
        let command = NvDefineSpace { auth: Tpm2bAuth::EMPTY, public_info };
        self.run(NvDefineSpaceHandles { auth_handle }, &command);
        TpmiRhNvIndex::new(handle, &Supported::ALL).unwrap()
    }

    /// Who authorizes the use of an index: the index itself, or the owner.
    pub(crate) fn nv_auth(&mut self, index: TpmiRhNvIndex) -> TpmiRhNvAuth {
        let handle = self.dice.pick(&[index.handle(), Handle::OWNER]);
        TpmiRhNvAuth::new(handle, &Supported::ALL).unwrap()
    }

    /// Writes all of an index.
    pub(crate) fn fill(&mut self, index: TpmiRhNvIndex, data: &[u8]) {
        let data = Tpm2bMaxNvBuffer::new(data).unwrap();
        let auth_handle = self.nv_auth(index);
        self.run(NvWriteHandles { auth_handle, nv_index: index }, &NvWrite { data, offset: 0 });
    }
}

/// An unrestricted key that the TPM makes and keeps.
const OWN: TpmaObject = TpmaObject::FIXED_TPM
    .with(TpmaObject::FIXED_PARENT)
    .with(TpmaObject::SENSITIVE_DATA_ORIGIN)
    .with(TpmaObject::USER_WITH_AUTH)
    .with(TpmaObject::NO_DA);
/// An index that its own authValue and the owner's open.
pub(crate) const READ_AND_WRITE: TpmaNv =
    TpmaNv::AUTHREAD.with(TpmaNv::AUTHWRITE).with(TpmaNv::OWNERREAD).with(TpmaNv::OWNERWRITE).with(TpmaNv::NO_DA);
/// A key that signs.
pub(crate) const SIGNER: TpmaObject = OWN.with(TpmaObject::SIGN);
/// A key that decrypts.
pub(crate) const DECRYPTER: TpmaObject = OWN.with(TpmaObject::DECRYPT);
/// Data of the caller's.
pub(crate) const SEALED: TpmaObject = OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN);

pub(crate) fn public(object_attributes: TpmaObject, body: PublicBody) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes, auth_policy: Tpm2bDigest::EMPTY, body }
}

pub(crate) fn rsa(attributes: TpmaObject, scheme: Option<TpmtRsaScheme>) -> TpmtPublic {
    let parms = TpmsRsaParms { symmetric: None, scheme, key_bits: TpmiRsaKeyBits(2048), exponent: 0 };
    public(attributes, PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY })
}

pub(crate) fn ecc(attributes: TpmaObject, curve_id: EccCurve, scheme: Option<TpmtEccScheme>) -> TpmtPublic {
    let parms = TpmsEccParms { symmetric: None, scheme, curve_id, kdf: None };
    public(attributes, PublicBody::Ecc { parms, unique: TpmsEccPoint::default() })
}

pub(crate) fn keyed_hash(attributes: TpmaObject, scheme: Option<TpmtKeyedhashScheme>) -> TpmtPublic {
    public(attributes, PublicBody::KeyedHash { scheme, unique: Tpm2bDigest::EMPTY })
}

/// An AES key in one mode, or in whichever its user says.
pub(crate) fn cipher(key_bits: u16, mode: Option<SymMode>) -> TpmtPublic {
    let parms = TpmtSymDefObject { algorithm: SymObjectAlg::Aes, key_bits, mode };
    public(DECRYPTER.with(TpmaObject::SIGN), PublicBody::SymCipher { parms, unique: Tpm2bDigest::EMPTY })
}

pub(crate) fn sensitive(auth: &[u8], data: &[u8]) -> Tpm2bSensitiveCreate {
    let (user_auth, data) = (Tpm2bAuth::new(auth).unwrap(), Tpm2bSensitiveData::new(data).unwrap());
    Tpm2b(TpmsSensitiveCreate { user_auth, data })
}

pub(crate) fn object(handle: Handle) -> TpmiDhObject {
    TpmiDhObject::new(handle, &Supported::ALL).unwrap()
}

pub(crate) fn context(handle: Handle) -> TpmiDhContext {
    TpmiDhContext::new(handle, &Supported::ALL).unwrap()
}

/// Hashes, for what the caller of a TPM has to hash.
pub(crate) fn hashed(hash: HashAlg, parts: &[&[u8]]) -> Tpm2bDigest {
    let hash = match hash {
        HashAlg::Sha1 => evtpm_crypto::HashAlg::Sha1,
        HashAlg::Sha384 => evtpm_crypto::HashAlg::Sha384,
        HashAlg::Sha512 => evtpm_crypto::HashAlg::Sha512,
        _ => evtpm_crypto::HashAlg::Sha256,
    };
    Tpm2bDigest::new(RustCrypto::hash(hash, parts).as_bytes()).unwrap()
}
