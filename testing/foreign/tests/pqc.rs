// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `pqc` profile over the simulator's protocol, against implementations that are not ours: an ML-KEM endorsement key
//! activates a credential that the fips203 crate encapsulated, and fips204 verifies the quote of an ML-DSA attestation key.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::io::{Read, Write};
use std::net::TcpStream;

use evtpm_client::{Client, Object, Transport, TransportError};
use evtpm_crypto::{EntropyError, HashAlg as Hash, Rng, RustCrypto, kdfa};
use evtpm_engine::Profile;
use evtpm_protocol::templates::pqc::{attestation_key, endorsement_key};
use evtpm_protocol::wrap::Wrapper;
use evtpm_testing_foreign::server::unheard_mssim;
use evtpm_tpm_wire::{
    HashAlg, PcrIndex, PcrSelect, PublicBody, Supported, Tpm2bDigest, Tpm2bIdObject, Tpm2bName, TpmSu, TpmaObject,
    TpmiMldsaParms, TpmiMlkemParms, TpmiRhHierarchy, TpmlPcrSelection, TpmsAttest, TpmsMlkemParms, TpmsPcrSelection,
    TpmtPublic, TpmtSignature, TpmuAttest, Writer, from_bytes,
};
use evtpm_tpmd::devices::engine::EngineDevice;
use fips203::ml_kem_768;
use fips203::traits::{Encaps as _, SerDes as _};
use fips204::traits::{SerDes as _, Verifier as _};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};
use sha2::{Digest as _, Sha384};

/// A client of the simulator's protocol.
struct Simulator {
    commands: TcpStream,
    _platform: TcpStream,
}

impl Simulator {
    fn connect(tcti: &str) -> Self {
        let port: u16 = tcti.rsplit_once("port=").unwrap().1.parse().unwrap();
        let mut platform = TcpStream::connect(("127.0.0.1", port + 1)).unwrap();
        // POWER_ON, and its acknowledgement.
        platform.write_all(&1u32.to_be_bytes()).unwrap();
        platform.read_exact(&mut [0; 4]).unwrap();
        Self { commands: TcpStream::connect(("127.0.0.1", port)).unwrap(), _platform: platform }
    }

    fn exchange(&mut self, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut request = 8u32.to_be_bytes().to_vec();
        request.push(0);
        request.extend(u32::try_from(command.len()).unwrap().to_be_bytes());
        request.extend(command);
        self.commands.write_all(&request)?;
        let mut size = [0; 4];
        self.commands.read_exact(&mut size)?;
        let mut response = vec![0; u32::from_be_bytes(size) as usize];
        self.commands.read_exact(&mut response)?;
        self.commands.read_exact(&mut size)?;
        Ok(response)
    }
}

impl Transport for Simulator {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        *response = self.exchange(command).map_err(TransportError::new)?;
        Ok(())
    }
}

/// Nonces of the client's sessions, which need not be secret here.
struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

fn client() -> Client<Simulator, Counter> {
    let tcti = unheard_mssim(Box::new(EngineDevice::new(Profile::pqc()).unwrap()));
    let mut client = Client::new(Simulator::connect(&tcti), Counter(0));
    client.startup(TpmSu::Clear).unwrap();
    client
}

/// Makes a credential for the object called `name`, of ML-KEM-768 alone and with nothing of ours but KDFa and the wrapper.
fn make_credential(key: &TpmtPublic, credential: &[u8], name: &Tpm2bName) -> (Tpm2bIdObject, Vec<u8>) {
    let PublicBody::Mlkem { unique, .. } = &key.body else { panic!("an ML-KEM key") };
    let public = unique.as_bytes().try_into().unwrap();
    let (shared, ciphertext) = ml_kem_768::EncapsKey::try_from_bytes(public).unwrap().encaps_from_seed(&[0x5A; 32]);
    let (shared, ciphertext) = (shared.into_bytes(), ciphertext.into_bytes());
    let mut seed = [0; 48];
    kdfa::<RustCrypto>(Hash::Sha384, &shared, b"IDENTITY", &ciphertext, unique.as_bytes(), 384, &mut seed).unwrap();
    let cipher = key.body.symmetric().unwrap();
    let wrapper = Wrapper { hash: HashAlg::Sha384, cipher, seed: &seed, name: name.as_bytes() };
    let mut data = [&u16::try_from(credential.len()).unwrap().to_be_bytes(), credential].concat();
    let integrity = wrapper.seal::<RustCrypto>(&[], &mut data).unwrap();
    let mut blob = [0; 132];
    let mut writer = Writer::new(&mut blob);
    writer.write(&Tpm2bDigest::new(integrity.as_bytes()).unwrap()).unwrap();
    writer.bytes(&data).unwrap();
    (Tpm2bIdObject::new(writer.into_written()).unwrap(), ciphertext.to_vec())
}

fn mldsa_public(key: &Object) -> &[u8] {
    match &key.public.body {
        PublicBody::Mldsa { unique, .. } => unique.as_bytes(),
        other => panic!("no ML-DSA key: {other:?}"),
    }
}

#[test]
fn an_mlkem_endorsement_key_activates_a_credential_for_an_mldsa_attestation_key() {
    let mut tpm = client();
    let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, b"", &endorsement_key(TpmiMlkemParms::MlKem768)).unwrap();
    let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, b"", &attestation_key(TpmiMldsaParms::MlDsa65)).unwrap();
    let (blob, secret) = make_credential(&ek.public, b"a credential of a verifier", &ak.name);
    let opened = tpm.activate_credential(&ak, &ek, b"", &blob, &secret).unwrap();
    assert_eq!(opened.as_bytes(), b"a credential of a verifier");
    // For another object it does not open.
    let other = tpm.create_primary(TpmiRhHierarchy::Owner, b"", &attestation_key(TpmiMldsaParms::MlDsa44)).unwrap();
    assert!(tpm.activate_credential(&other, &ek, b"", &blob, &secret).is_err());
}

#[test]
fn fips204_verifies_the_quotes_of_mldsa_attestation_keys() {
    for parms in [TpmiMldsaParms::MlDsa44, TpmiMldsaParms::MlDsa65, TpmiMldsaParms::MlDsa87] {
        let mut tpm = client();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, b"", &attestation_key(parms)).unwrap();
        let banks =
            [TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr0, PcrIndex::Pcr7]) }];
        let pcrs = TpmlPcrSelection::from_slice(&banks).unwrap();
        let quote = tpm.quote(&ak, b"", b"a fresh nonce", &pcrs).unwrap();
        let attest: TpmsAttest<'_> = from_bytes(quote.attest.as_bytes(), &Supported::ALL).unwrap();
        assert_eq!(attest.extra_data.as_bytes(), b"a fresh nonce");
        let TpmuAttest::Quote(info) = &attest.attested else { panic!("a quote") };
        assert_eq!(info.pcr_digest.as_bytes(), Sha384::digest([0; 64]).as_slice());
        let TpmtSignature::Mldsa(signature) = &quote.signature else { panic!("a signature of ML-DSA") };
        let (message, signature) = (quote.attest.as_bytes(), signature.as_bytes());
        let public = mldsa_public(&ak);
        let verify = |message: &[u8]| match parms {
            TpmiMldsaParms::MlDsa44 => ml_dsa_44::PublicKey::try_from_bytes(public.try_into().unwrap())
                .unwrap()
                .verify(message, signature.try_into().unwrap(), &[]),
            TpmiMldsaParms::MlDsa65 => ml_dsa_65::PublicKey::try_from_bytes(public.try_into().unwrap())
                .unwrap()
                .verify(message, signature.try_into().unwrap(), &[]),
            TpmiMldsaParms::MlDsa87 => ml_dsa_87::PublicKey::try_from_bytes(public.try_into().unwrap())
                .unwrap()
                .verify(message, signature.try_into().unwrap(), &[]),
        };
        assert!(verify(message));
        let mut changed = message.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert!(!verify(&changed));
    }
}

#[test]
fn a_message_of_many_pieces_is_signed_as_one() {
    let mut tpm = client();
    let mut template = attestation_key(TpmiMldsaParms::MlDsa65);
    template.object_attributes = template.object_attributes.without(TpmaObject::RESTRICTED);
    let key = tpm.create_primary(TpmiRhHierarchy::Owner, b"", &template).unwrap();
    let public = ml_dsa_65::PublicKey::try_from_bytes(mldsa_public(&key).try_into().unwrap()).unwrap();
    for size in [0, 1, 1023, 1024, 1025, 5000] {
        let message = vec![7; size];
        let signature = tpm.sign_message(&key, b"", b"context", &message).unwrap();
        let TpmtSignature::Mldsa(signature) = signature else { panic!("a signature of ML-DSA") };
        assert!(public.verify(&message, signature.as_bytes().try_into().unwrap(), b"context"), "{size}");
    }
}

#[test]
fn fips203_and_the_tpm_share_a_secret() {
    let mut tpm = client();
    let mut template = endorsement_key(TpmiMlkemParms::MlKem768);
    template.object_attributes = template.object_attributes.without(TpmaObject::RESTRICTED);
    template.body = PublicBody::Mlkem {
        parms: TpmsMlkemParms { symmetric: None, parameter_set: TpmiMlkemParms::MlKem768 },
        unique: Default::default(),
    };
    let key = tpm.create_primary(TpmiRhHierarchy::Owner, b"", &template).unwrap();
    let PublicBody::Mlkem { unique, .. } = &key.public.body else { panic!("an ML-KEM key") };
    let public = ml_kem_768::EncapsKey::try_from_bytes(unique.as_bytes().try_into().unwrap()).unwrap();
    let (shared, ciphertext) = public.encaps_from_seed(&[7; 32]);
    let recovered = tpm.decapsulate(&key, b"", &ciphertext.into_bytes()).unwrap();
    assert_eq!(recovered.as_bytes(), shared.into_bytes());
    let (shared, ciphertext) = tpm.encapsulate(&key).unwrap();
    assert_eq!(tpm.decapsulate(&key, b"", ciphertext.as_bytes()).unwrap(), shared);
}

#[test]
fn the_greatest_messages_pass_and_greater_ones_do_not() {
    let mut simulator = client().into_transport();
    // No command has the code 0x11E: TPM_RC_COMMAND_CODE says that 8,192 bytes were read as a command.
    let mut command = vec![0x80, 1, 0, 0, 0x20, 0, 0, 0, 1, 0x1E];
    command.resize(8192, 0);
    let response = simulator.exchange(&command).unwrap();
    assert_eq!(response, [0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x43]);
    // As with the simulator, one octet more is read to its end and is no command (TPM_RC_COMMAND_SIZE).
    command.push(0);
    assert_eq!(simulator.exchange(&command).unwrap(), [0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x42]);
}
