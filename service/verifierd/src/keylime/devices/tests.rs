// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Devices whose TPM is our engine.

use evtpm_client::{Client, Object};
use evtpm_engine::{Profile, Tpm};
use evtpm_keylime::registrar::DeviceKeys;
use evtpm_protocol::templates::device::DeviceTemplate;
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_testing_support::{Direct, Noise, TestPlatform, TpmVendor};
use evtpm_tpm_wire::{Marshal, TpmSu, TpmiRhHierarchy, TpmtPublic};
use rcgen::KeyUsagePurpose;

use super::*;
use crate::app::testing::TestApp;
use crate::keylime::registrations;

const AGENT: &str = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";

/// A machine whose TPM has the keys that its maker certified.
struct Device {
    tpm: Client<Direct, Noise>,
    maker: TpmVendor,
    template: DeviceTemplate,
}

impl Device {
    fn new(template: DeviceTemplate) -> Self {
        Self::with_seeds(template, 11)
    }

    fn with_seeds(template: DeviceTemplate, noise: u64) -> Self {
        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(noise)), Profile::pc_client()).unwrap();
        let mut tpm = Client::new(Direct(tpm), Noise::Good(2));
        tpm.startup(TpmSu::Clear).unwrap();
        Device { tpm, maker: TpmVendor::new("Maker Root"), template }
    }

    fn make(&mut self, template: &TpmtPublic) -> Object {
        self.tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], template).unwrap()
    }

    /// What an agent says that has its IAK sign `data`.
    fn registration(&mut self, data: &[u8]) -> Registration {
        let idevid = self.make(&self.template.identity());
        self.tpm.flush(idevid.handle).unwrap();
        let ek = self.make(&EkTemplate::L2.public());
        self.tpm.flush(ek.handle).unwrap();
        let (iak, ak) = (self.make(&self.template.attestation_key()), self.make(&attestation_key()));
        let certified = self.tpm.certify(&ak, &iak, data).unwrap();
        self.tpm.flush(iak.handle).unwrap();
        self.tpm.flush(ak.handle).unwrap();
        let certificate = |key: &Object| {
            Some(STANDARD.encode(self.maker.certify(&key.public, |params| {
                params.extended_key_usages.clear();
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            })))
        };
        Registration {
            ek_tpm: tpm2b(&ek.public),
            aik_tpm: tpm2b(&ak.public),
            device: DeviceKeys {
                iak_tpm: Some(tpm2b(&iak.public)),
                iak_cert: certificate(&iak),
                idevid_tpm: Some(tpm2b(&idevid.public)),
                idevid_cert: certificate(&idevid),
                iak_attest: Some(STANDARD.encode(certified.attest.as_bytes())),
                iak_sign: Some(STANDARD.encode(certified.signature.to_bytes(&mut [0; 512]).unwrap())),
            },
            ..Registration::default()
        }
    }

    fn believed(&self) -> Devices {
        let mut authorities = CertificateStore::new();
        authorities.add("maker.der", &self.maker.root());
        Devices::new(authorities, true)
    }
}

fn tpm2b(public: &TpmtPublic) -> String {
    let mut buffer = [0; 512];
    let area = public.to_bytes(&mut buffer).unwrap();
    STANDARD.encode([&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat())
}

fn digest() -> Vec<u8> {
    RustCrypto::hash(HashAlg::Sha256, &[AGENT.as_bytes()]).as_bytes().to_vec()
}

#[test]
fn a_device_vouches_for_its_agent_by_the_digest_of_its_name_or_by_the_name_itself() {
    for template in [DeviceTemplate::H1, DeviceTemplate::H2] {
        let mut device = Device::new(template);
        for data in [digest(), AGENT.as_bytes().to_vec()] {
            let registration = device.registration(&data);
            let said = device.believed().check(AGENT, &registration).unwrap();
            assert_eq!(said, "the device `TPM of a test` of Maker Root", "{template:?}");
        }
    }
}

#[test]
fn another_agent_another_key_and_another_maker_are_refused() {
    let mut device = Device::new(DeviceTemplate::H2);
    let registration = device.registration(&digest());
    let refused = |devices: &Devices, agent: &str, registration: &Registration| {
        devices.check(agent, registration).unwrap_err().message().to_owned()
    };
    let devices = device.believed();
    assert!(refused(&devices, "another-agent", &registration).contains("does not vouch"));

    let mut other = Device::with_seeds(DeviceTemplate::H2, 12);
    let stolen = Registration { aik_tpm: other.registration(&digest()).aik_tpm, ..registration.clone() };
    assert_ne!(stolen.aik_tpm, registration.aik_tpm);
    assert!(refused(&devices, AGENT, &stolen).contains("does not vouch"));

    let untrusted = other.believed();
    assert!(!refused(&untrusted, AGENT, &registration).is_empty());
    assert!(refused(&Devices::default(), AGENT, &registration).contains("no certificate of its issuer"));
}

#[test]
fn a_part_alone_is_refused_whichever_is_missing() {
    let mut device = Device::new(DeviceTemplate::H2);
    let whole = device.registration(&digest());
    let takes: [fn(&mut DeviceKeys) -> &mut Option<String>; 6] = [
        |keys| &mut keys.iak_tpm,
        |keys| &mut keys.iak_cert,
        |keys| &mut keys.idevid_tpm,
        |keys| &mut keys.idevid_cert,
        |keys| &mut keys.iak_attest,
        |keys| &mut keys.iak_sign,
    ];
    for take in takes {
        let mut registration = whole.clone();
        *take(&mut registration.device) = None;
        let refused = device.believed().check(AGENT, &registration).unwrap_err();
        assert!(refused.message().contains("too"), "{}", refused.message());
    }
}

#[tokio::test]
async fn where_all_need_a_device_an_agent_without_is_given_no_credential() {
    let mut device = Device::new(DeviceTemplate::H2);
    let app = TestApp::changed("keylime-devices", |app| app.keylime.devices = device.believed());
    let registration = device.registration(&digest());
    let bare = Registration { device: DeviceKeys::default(), ..registration.clone() };
    let refused = registrations::begin(&app, AGENT, bare).await.unwrap_err();
    assert!(refused.message().contains("IAK and IDevID"), "{}", refused.message());
    registrations::begin(&app, AGENT, registration.clone()).await.unwrap();
    assert!(registrations::begin(&app, "another-agent", registration).await.is_err());
}
