// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm quote check` on what our own TPM attests.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::fs;
use std::path::PathBuf;

use evtpm_client::{Auth, Client, Object};
use evtpm_engine::{Profile, Tpm};
use evtpm_protocol::templates::{attestation_key, storage_root_key};
use evtpm_testing_support::{Direct, Noise, TestPlatform};
use evtpm_tpm_wire::commands::{
    CertifyCreation, CertifyCreationHandles, CreatePrimary, CreatePrimaryHandles, NvCertify, NvCertifyHandles,
    NvReadPublic, NvReadPublicHandles,
};
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, Supported, Tpm2b, Tpm2bAttest, Tpm2bAuth, Tpm2bData, Tpm2bDigest, Tpm2bSensitiveData,
    TpmSu, TpmaNv, TpmiDhObject, TpmiRhHierarchy, TpmiRhNvAuth, TpmiRhNvIndex, TpmiRhNvLegacyIndex, TpmlPcrSelection,
    TpmsNvPublic, TpmsSensitiveCreate, TpmtSignature,
};
use serde_json::Value;
use support::{Evtpm, FAILED, NOT_TRUSTED, Scratch, TRUSTED, USAGE};

const NONCE: &[u8] = b"a nonce of a test";
const INDEX: Handle = Handle(0x0180_0001);

/// A TPM with an attestation key, and the folder where its words go.
struct Attester {
    tpm: Client<Direct, Noise>,
    ak: Object,
    scratch: Scratch,
}

fn object(handle: Handle) -> TpmiDhObject {
    TpmiDhObject::new(handle, &Supported::ALL).unwrap()
}

fn bytes_of(value: &impl Marshal) -> Vec<u8> {
    value.to_bytes(&mut [0; 4096]).unwrap().to_vec()
}

impl Attester {
    fn new(name: &str) -> Self {
        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(4)), Profile::pc_client()).unwrap();
        let mut tpm = Client::new(Direct(tpm), Noise::Good(1));
        tpm.startup(TpmSu::Clear).unwrap();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key()).unwrap();
        let attester = Self { tpm, ak, scratch: Scratch::new(name) };
        attester.scratch.file("ak.pub", bytes_of(&Tpm2b(attester.ak.public.clone())));
        attester
    }

    /// Writes an attestation, and the command that checks it.
    fn wrote(&self, attest: &Tpm2bAttest, signature: Option<TpmtSignature>) -> Evtpm {
        let message = self.scratch.file("attest", attest.as_bytes());
        let signature = self.scratch.file("signature", bytes_of(&signature.unwrap()));
        Evtpm::new("quote check").word(message).with("--signature", signature).with("--ak", self.path("ak.pub"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    fn certify(&mut self, key: &Object) -> Evtpm {
        let certificate = self.tpm.certify(key, &self.ak.clone(), NONCE).unwrap();
        self.scratch.file("object.pub", bytes_of(&Tpm2b(key.public.clone())));
        self.wrote(&certificate.attest, Some(certificate.signature)).with("--object", self.path("object.pub"))
    }

    /// Defines an index, writes eight bytes, and certifies all of them or a part.
    fn certify_index(&mut self, size: u16, offset: u16) -> Evtpm {
        let public = TpmsNvPublic {
            nv_index: TpmiRhNvLegacyIndex::new(INDEX, &Supported::ALL).unwrap(),
            name_alg: HashAlg::Sha256,
            attributes: TpmaNv::OWNERREAD | TpmaNv::OWNERWRITE,
            auth_policy: Tpm2bDigest::EMPTY,
            data_size: 8,
        };
        self.tpm.nv_define(&public, &[], &[]).unwrap();
        self.tpm.nv_write(INDEX, Handle::OWNER, &[], b"contents").unwrap();
        let nv_index = TpmiRhNvIndex::new(INDEX, &Supported::ALL).unwrap();
        let read = self.tpm.run(NvReadPublicHandles { nv_index }, &NvReadPublic {}, &mut []).unwrap();
        self.scratch.file("nv.pub", bytes_of(&read.nv_public));
        let auth_handle = TpmiRhNvAuth::new(Handle::OWNER, &Supported::ALL).unwrap();
        let handles = NvCertifyHandles { sign_handle: Some(object(self.ak.handle)), auth_handle, nv_index };
        let qualifying_data = Tpm2bData::new(NONCE).unwrap();
        let command = NvCertify { qualifying_data, in_scheme: None, size, offset };
        let certified = self.tpm.run(handles, &command, &mut [Auth::EMPTY, Auth::EMPTY]).unwrap();
        self.wrote(&certified.certify_info, certified.signature).with("--nv-public", self.path("nv.pub"))
    }

    /// Makes a key and certifies how it was made.
    fn certify_creation(&mut self) -> Evtpm {
        let user = TpmsSensitiveCreate { user_auth: Tpm2bAuth::EMPTY, data: Tpm2bSensitiveData::EMPTY };
        let command = CreatePrimary {
            in_sensitive: Tpm2b(user),
            in_public: Tpm2b(storage_root_key()),
            outside_info: Tpm2bData::new(b"outside").unwrap(),
            creation_pcr: TpmlPcrSelection::new(),
        };
        let handles = CreatePrimaryHandles { primary_handle: TpmiRhHierarchy::Owner };
        let made = self.tpm.run(handles, &command, &mut [Auth::EMPTY]).unwrap();
        self.scratch.file("object.pub", bytes_of(&made.out_public));
        self.scratch.file("creation", bytes_of(&made.creation_data));
        let handles = CertifyCreationHandles {
            sign_handle: Some(object(self.ak.handle)),
            object_handle: object(made.object_handle),
        };
        let command = CertifyCreation {
            qualifying_data: Tpm2bData::new(NONCE).unwrap(),
            creation_hash: made.creation_hash,
            in_scheme: None,
            creation_ticket: made.creation_ticket,
        };
        let certified = self.tpm.run(handles, &command, &mut [Auth::EMPTY]).unwrap();
        self.wrote(&certified.certify_info, certified.signature)
            .with("--object", self.path("object.pub"))
            .with("--creation-data", self.path("creation"))
    }
}

fn asked(command: Evtpm) -> Evtpm {
    command.with("--nonce", hex::encode(NONCE))
}

fn refused(command: &Evtpm, why: &str) {
    let said = command.json(NOT_TRUSTED);
    assert_eq!(said["verified"], Value::Bool(false));
    assert!(said["reason"].as_str().unwrap().contains(why), "{said:#}");
}

#[test]
fn certified_contents_of_an_index_are_shown_and_written_and_other_contents_are_refused() {
    let mut attester = Attester::new("check-nv");
    let command = attester.certify_index(8, 0);
    let contents = attester.path("contents");
    let said = asked(command.clone()).with("--contents", &contents).json(TRUSTED);
    assert_eq!((&said["verified"], &said["certified"]), (&true.into(), &"the contents of an NV index".into()));
    assert_eq!((&said["nv_index"], &said["contents"]), (&"0x01800001".into(), &hex::encode("contents").into()));
    assert_eq!(fs::read(contents).unwrap(), b"contents");
    let (text, _) = asked(command.clone()).expect(TRUSTED);
    assert!(text.contains("by the attestation key that you named"), "{text}");

    refused(&command, "another nonce");
    let mut public = fs::read(attester.path("nv.pub")).unwrap();
    // The attributes are part of the Name.
    public[9] ^= 2;
    attester.scratch.file("nv.pub", public);
    refused(&asked(command), "Name");
}

#[test]
fn a_part_of_an_index_is_called_one() {
    let mut attester = Attester::new("check-part");
    let command = asked(attester.certify_index(3, 2));
    let (text, _) = command.expect(TRUSTED);
    assert!(text.contains("a part of 8 bytes"), "{text}");
    let said = command.json(TRUSTED);
    assert_eq!((&said["offset"], &said["contents"]), (&2.into(), &hex::encode("nte").into()));
}

#[test]
fn a_certified_creation_is_that_with_these_data_alone() {
    let mut attester = Attester::new("check-creation");
    let command = asked(attester.certify_creation());
    let said = command.json(TRUSTED);
    assert_eq!(said["certified"], "a creation in its TPM");
    let mut data = fs::read(attester.path("creation")).unwrap();
    let last = data.len() - 1;
    data[last] ^= 1;
    attester.scratch.file("creation", data);
    refused(&command, "creation data");
}

#[test]
fn a_storage_key_and_the_attestation_key_itself_are_certified_and_another_key_is_not() {
    let mut attester = Attester::new("check-key");
    let root = attester.tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key()).unwrap();
    let command = asked(attester.certify(&root));
    assert_eq!(command.json(TRUSTED)["certified"], "a storage key of its TPM");
    attester.scratch.file("object.pub", fs::read(attester.path("ak.pub")).unwrap());
    refused(&command, "Name");
    let own = attester.ak.clone();
    let command = asked(attester.certify(&own));
    assert_eq!(command.json(TRUSTED)["certified"], "the attestation key itself");
    // Another kind of attestation than the one that is asked for.
    refused(&command.with("--creation-data", attester.path("ak.pub")), "attestation of type");
}

#[test]
fn a_command_line_without_a_subject_and_a_file_that_is_no_key_are_the_callers_mistakes() {
    let mut attester = Attester::new("check-usage");
    let own = attester.ak.clone();
    let command = attester.certify(&own);
    attester.scratch.file("ak.pub", "no key");
    command.expect(FAILED);
    Evtpm::new("quote check attest --signature s --ak a").expect(USAGE);
}
