// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines whose TPM outlives their boots: one that its vendor certified, and one as Azure's paravisor makes it.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evtpm_agent::NvSource;
use evtpm_agent::attester::Attester;
use evtpm_agent::random::SystemRng;
use evtpm_api::{CredentialChallenge, LaunchEvidence, MachineChain, RegistrationOpened, RegistrationRequest};
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{AzurePolicy, HardwareRule};
use evtpm_client::{Client, Object, Transport, TransportError};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_engine::Profile;
use evtpm_protocol::templates::{ATTESTATION_KEY_ATTRIBUTES, EkTemplate};
use evtpm_snp::MessageType;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_sp_sim::Product;
use evtpm_testing_support::TpmVendor;
use evtpm_tpm_wire::{
    Handle, HashAlg as WireHash, PublicBody, Supported, Tpm2bDigest, Tpm2bPublicKeyRsa, TpmaNv, TpmiRhHierarchy,
    TpmiRhNvLegacyIndex, TpmiRsaKeyBits, TpmsNvPublic, TpmsRsaParms, TpmtPublic, TpmtRsaScheme,
};
use evtpm_tpmd::device::Device as _;
use evtpm_tpmd::devices::engine::EngineDevice;
use hyper::Method;
use serde_json::json;

use super::continuous_tests::{Machine, Restartable, refusal, unchanged};
use super::world::World;
use crate::launch::{self, Image};

/// A TPM that keeps its seeds over resets.
#[derive(Clone)]
struct Lasting(Arc<Mutex<EngineDevice>>);

impl Transport for Lasting {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        *response = self.0.lock().unwrap().execute(0, command);
        Ok(())
    }
}

impl Lasting {
    /// Makes a TPM, and boots the world's system on it.
    fn boot(world: &World) -> Self {
        // A paravisor's report is longer than an index of an e-vTPM.
        let mut profile = Profile::svsm();
        profile.limits.nv_index_bytes = 4096;
        profile.supported.nv_index_size = 4096;
        let tpm = Lasting(Arc::new(Mutex::new(EngineDevice::new(profile).unwrap())));
        tpm.reboot(world);
        tpm
    }

    fn reboot(&self, world: &World) {
        self.0.lock().unwrap().power_on().unwrap();
        world.play(self.clone(), &world.boot).unwrap();
    }

    fn client(&self) -> Client<Self, SystemRng> {
        Client::new(self.clone(), SystemRng)
    }

    /// Writes what its manufacturer, or a paravisor, leaves in NV memory; the index is a little larger.
    fn put(&self, index: u32, content: &[u8]) {
        let public = TpmsNvPublic {
            nv_index: TpmiRhNvLegacyIndex::new(Handle(index), &Supported::ALL).unwrap(),
            name_alg: WireHash::Sha256,
            attributes: TpmaNv::OWNERWRITE.with(TpmaNv::AUTHREAD).with(TpmaNv::OWNERREAD).with(TpmaNv::NO_DA),
            auth_policy: Tpm2bDigest::EMPTY,
            data_size: u16::try_from(content.len() + 8).unwrap(),
        };
        let mut client = self.client();
        client.nv_define(&public, &[], &[]).unwrap();
        let content = [content, &[0; 8]].concat();
        client.nv_write(Handle(index), Handle::OWNER, &[], &content).unwrap();
    }

    fn endorsement_key(&self, template: EkTemplate) -> TpmtPublic {
        let mut client = self.client();
        let ek = client.create_primary(TpmiRhHierarchy::Endorsement, &[], &template.public()).unwrap();
        client.flush(ek.handle).unwrap();
        ek.public
    }
}

/// Registers `machine` as its agent does that looks everywhere.
fn attester(tpm: &Lasting) -> Attester<Lasting, SystemRng> {
    Attester::with_nv(tpm.clone(), SystemRng, NvSource::Any).unwrap()
}

/// What the demonstration's policy asks for, of a machine that no report speaks of.
fn by_certificate(policy: &mut Policy) {
    policy.snp = None;
    policy.hardware = HardwareRule::None;
    policy.tpm.as_mut().unwrap().bindings = vec!["ek-certificate".into()];
}

/// A vendor's machine, whose certificate lies where the profile has it.
fn certified(world: &World, vendor: &TpmVendor, template: EkTemplate) -> Lasting {
    let tpm = Lasting::boot(world);
    tpm.put(template.certificate_index(), &vendor.certify(&tpm.endorsement_key(template), |_| {}));
    tpm
}

#[test]
fn a_machine_with_a_vendors_certificate_attests_over_boots_and_restarts() {
    let vendor = TpmVendor::new("Vendor Root");
    let mut world = World::new(Product::Milan).unwrap();
    by_certificate(&mut world.beliefs.policy);
    world.beliefs.ek_authorities = vec![("vendor.der".into(), vendor.root())];
    for (template, name) in [(EkTemplate::L2, "certified-ecc"), (EkTemplate::L1, "certified-rsa")] {
        let mut verifier = Restartable::new(&world, name);
        let tpm = certified(&world, &vendor, template);
        let mut machine = Machine::with(&world, attester(&tpm));
        let registered = machine.register(&verifier, "vm").unwrap();
        assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "trusted");
        let details = verifier.details("vm").machine;
        assert_eq!((details.identity.as_deref(), details.measurement), (Some("ek-certificate"), None));
        assert_eq!(links(&verifier), ["root", "ek-certificate", "ek", "ak", "quote", "boot-log", "ima"]);

        verifier.stop();
        verifier.start(None);
        assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "trusted");

        // A boot with the same keys is the same attester; what was known of the logs before is not.
        tpm.reboot(&world);
        let mut machine = Machine::with(&world, attester(&tpm));
        assert_eq!(machine.register(&verifier, "vm").unwrap(), registered);
        assert_eq!(refusal(machine.attest(&verifier, &registered, unchanged).unwrap_err()), "resend-logs");
        let (challenge, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
        assert_eq!((challenge.event_log, verdict.verdict.as_str()), (true, "trusted"));
        assert!(!verifier.details("vm").machine.clone_alarm);
    }
}

#[test]
fn a_certificate_counts_only_where_policy_and_operator_name_it() {
    let vendor = TpmVendor::new("Vendor Root");
    let mut world = World::new(Product::Milan).unwrap();
    let tpm = certified(&world, &vendor, EkTemplate::L2);
    world.beliefs.ek_authorities = vec![("vendor.der".into(), vendor.root())];
    let refused = |world: &World, name| {
        // What an attester before has loaded stays in the TPM's three places.
        tpm.reboot(world);
        let verifier = Restartable::new(world, name);
        let error = Machine::with(world, attester(&tpm)).register(&verifier, "vm").unwrap_err();
        format!("{error:#}")
    };
    // The policy of machines with a report; then one that asks for no hardware, and names no certificates either.
    assert!(refused(&world, "unnamed").contains("does not speak of EK certificates"));
    by_certificate(&mut world.beliefs.policy);
    world.beliefs.policy.tpm.as_mut().unwrap().bindings.clear();
    assert!(refused(&world, "unnamed-binding").contains("does not speak of EK certificates"));
    by_certificate(&mut world.beliefs.policy);
    world.beliefs.ek_authorities = vec![("other.der".into(), TpmVendor::new("Other Root").root())];
    assert!(refused(&world, "stranger").contains("no certificate of its issuer Vendor Root"));
}

#[test]
fn a_machine_of_azure_attests_by_its_paravisors_report() {
    let mut world = World::new(Product::Milan).unwrap();
    on_azure(&mut world.beliefs.policy);
    let mut verifier = Restartable::new(&world, "azure");
    let tpm = Lasting::boot(&world);
    paravise(&world, &tpm);
    let mut machine = Machine::with(&world, attester(&tpm));
    let registered = machine.register(&verifier, "vm").unwrap();
    assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "trusted");
    let details = verifier.details("vm").machine;
    assert_eq!(details.identity.as_deref(), Some("azure-hcl"));
    assert_eq!(details.measurement, Some(crate::output::hex(&world.measurement)));
    let expected = ["root", "vcek", "report", "paravisor", "ek", "ak", "quote", "boot-log", "ima"];
    assert_eq!(links(&verifier), expected);

    verifier.stop();
    verifier.start(None);
    tpm.reboot(&world);
    let mut machine = Machine::with(&world, attester(&tpm));
    assert_eq!(machine.register(&verifier, "vm").unwrap(), registered);
    assert_eq!(refusal(machine.attest(&verifier, &registered, unchanged).unwrap_err()), "resend-logs");
    assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "trusted");
}

#[test]
fn a_paravisors_report_counts_only_where_the_policy_speaks_of_it() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "azure-unnamed");
    let tpm = Lasting::boot(&world);
    paravise(&world, &tpm);
    let error = Machine::with(&world, attester(&tpm)).register(&verifier, "vm").unwrap_err();
    assert!(format!("{error:#}").contains("it has no section [azure]"), "{error:#}");
}

#[test]
fn a_paravisors_report_is_of_no_use_to_another_tpm() {
    let mut world = World::new(Product::Milan).unwrap();
    on_azure(&mut world.beliefs.policy);
    let verifier = Restartable::new(&world, "azure-replayed");
    let [tpm, thief] = [(); 2].map(|()| Lasting::boot(&world));
    paravise(&world, &tpm);
    paravise(&world, &thief);
    let mut thief = attester(&thief);
    let nonce = [0; 64];
    let stolen = attester(&tpm).launch_evidence(&nonce).unwrap();
    let own = thief.launch_evidence(&nonce).unwrap();

    let with_own_ek = LaunchEvidence { ek_public: own.ek_public.clone(), ..stolen.clone() };
    assert!(challenge(&world, &verifier, &with_own_ek).unwrap_err().contains("endorsement key"));
    let with_own_ak = LaunchEvidence { ak_public: own.ak_public, ..stolen.clone() };
    assert!(challenge(&world, &verifier, &with_own_ak).unwrap_err().contains("claims name"));
    // The report is genuine, and so are both keys; but they are not here.
    let credential = challenge(&world, &verifier, &stolen).unwrap();
    assert!(thief.open_credential(&credential).is_err());
}

/// Opens a registration and shows evidence.
fn challenge(
    world: &World,
    verifier: &Restartable<'_>,
    evidence: &LaunchEvidence,
) -> Result<CredentialChallenge, String> {
    let mut connection = verifier.connect();
    let request = RegistrationRequest { machine: "vm".into() };
    let answer: anyhow::Result<CredentialChallenge> = world.runtime.block_on(async {
        let opened: RegistrationOpened = connection.request(Method::POST, "/registrations", &request).await?;
        connection.request(Method::PUT, &format!("/registrations/{}/evidence", opened.registration), evidence).await
    });
    answer.map_err(|error| format!("{error:#}"))
}

fn links(verifier: &Restartable<'_>) -> Vec<String> {
    let chain: MachineChain = verifier.by_token().ask(Method::GET, "/machines/vm/chain", None).unwrap();
    chain.links.into_iter().map(|link| link.id).collect()
}

/// What the demonstration's policy asks for, of a machine whose paravisor is the demonstration's executable.
fn on_azure(policy: &mut Policy) {
    policy.azure = Some(AzurePolicy { allow_console: true, allow_persisted_tpm: true, ..AzurePolicy::default() });
    policy.tpm.as_mut().unwrap().bindings = vec!["azure-runtime-claims".into()];
}

/// Plays Azure's paravisor: a persistent attestation key, and a report over claims that name it and the endorsement key.
fn paravise(world: &World, tpm: &Lasting) {
    let mut client = tpm.client();
    let parms = TpmsRsaParms {
        symmetric: None,
        scheme: Some(TpmtRsaScheme::Rsassa(WireHash::Sha256)),
        key_bits: TpmiRsaKeyBits(2048),
        exponent: 0,
    };
    let template = TpmtPublic {
        name_alg: Some(WireHash::Sha256),
        object_attributes: ATTESTATION_KEY_ATTRIBUTES,
        auth_policy: Tpm2bDigest::EMPTY,
        body: PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY },
    };
    let ak: Object = client.create_primary(TpmiRhHierarchy::Owner, &[], &template).unwrap();
    client.make_persistent(&ak, &[], Handle(0x8100_0003)).unwrap();
    client.flush(ak.handle).unwrap();
    let ek = tpm.endorsement_key(EkTemplate::L1);
    let key = |kid: &str, public: &TpmtPublic| {
        let PublicBody::Rsa { unique, .. } = &public.body else { panic!("RSA") };
        json!({ "kid": kid, "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(unique.as_bytes()) })
    };
    let claims = json!({
        "keys": [key("HCLAkPub", &ak.public), key("HCLEkPub", &ek)],
        "vm-configuration": {
            "console-enabled": true, "secure-boot": true, "tpm-enabled": true, "tpm-persisted": true,
            "vmUniqueId": "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC",
        },
    })
    .to_string();
    tpm.put(0x0140_0001, &hcl_report(world, claims.as_bytes()));
}

/// The paravisor's report (OpenHCL, "attestation report").
fn hcl_report(world: &World, claims: &[u8]) -> Vec<u8> {
    let mut report_data = [0; 64];
    report_data[..32].copy_from_slice(RustCrypto::hash(HashAlg::Sha256, &[claims]).as_bytes());
    let (mut channel, mut way) = launch::launch(world.host().unwrap(), &Image::new(&world.executable)).unwrap();
    let request = ReportRequest::new(report_data, 0, KeySelect::Auto);
    let answer = channel.request(&mut way, MessageType::ReportRequest, request.as_bytes(), None).unwrap();
    let report = ReportResponse::parse(answer).unwrap().unwrap().as_bytes().to_vec();

    let mut bytes = [b"HCLA\x02".as_slice(), &[0; 27], &report].concat();
    let length = u32::try_from(claims.len()).unwrap();
    for number in [length + 20, 1, 2, 1, length] {
        bytes.extend(number.to_le_bytes());
    }
    [&bytes, claims].concat()
}
