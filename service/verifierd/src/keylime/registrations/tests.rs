// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registrations by a TPM in software.

use evtpm_crypto::{EccCurve, EccPrivate};
use evtpm_protocol::secret::PrivateKey;
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_tpm_wire::{PublicBody, Reader, Supported, Tpm2bEccParameter, TpmsEccPoint, TpmtPublic, Unmarshal as _};

use super::*;
use crate::app::testing::TestApp;
use crate::hex::hex;
use evtpm_sp_sim::{Authority, Host, Platform, Product, Role};
use evtpm_testing_support::{Noise, TestPlatform, boot_on, client, host};
use evtpm_tpm_wire::{Handle, TpmSu, TpmiRhHierarchy};
use evtpm_verify::snp::Anchors;

/// A key pair by its private scalar.
fn key(template: TpmtPublic, scalar: u8) -> (TpmtPublic, EccPrivate) {
    let private = EccPrivate::new(EccCurve::P256, &[scalar; 32]).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    let coordinate = |bytes| Tpm2bEccParameter::new(bytes).unwrap();
    let mut public = template;
    if let PublicBody::Ecc { unique, .. } = &mut public.body {
        *unique = TpmsEccPoint { x: coordinate(point.x()), y: coordinate(point.y()) };
    }
    (public, private)
}

fn tpm2b(public: &TpmtPublic) -> String {
    let mut buffer = [0; 512];
    let area = public.to_bytes(&mut buffer).unwrap();
    STANDARD.encode([&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat())
}

fn registration(ek: u8, ak: u8) -> Registration {
    Registration {
        ek_tpm: tpm2b(&key(EkTemplate::L2.public(), ek).0),
        aik_tpm: tpm2b(&key(attestation_key(), ak).0),
        ..Registration::default()
    }
}

/// What the agent's TPM reads out of the blob, and the tag that the agent makes of it.
fn answer(agent: &str, blob: &RegistrationBlob, ek: u8, ak: u8) -> String {
    let blob = STANDARD.decode(&blob.blob).unwrap();
    let mut reader = Reader::new(&blob[8..], &Supported::ALL);
    let id_object = Tpm2bIdObject::unmarshal(&mut reader).unwrap();
    let secret: Tpm2bEncryptedSecret = Tpm2bEncryptedSecret::unmarshal(&mut reader).unwrap();
    let (public, private) = key(EkTemplate::L2.public(), ek);
    let mut area = [0; 512];
    let area = key(attestation_key(), ak).0.to_bytes(&mut area).unwrap().to_vec();
    let name = Tpm2bName::new(AkPublic::from_tpmt(&area).unwrap().name()).unwrap();
    let private = PrivateKey::<RustCrypto>::Ecc(&private);
    let opened = credential::activate(&public, private, &name, &id_object, secret.as_bytes(), &mut SystemRng).unwrap();
    let key = STANDARD.encode(opened.as_bytes());
    hex(RustCrypto::hmac(HashAlg::Sha384, key.as_bytes(), &[agent.as_bytes()]).as_bytes())
}

#[tokio::test]
async fn an_agent_is_active_once_its_tpm_opened_the_credential() {
    let app = TestApp::new("keylime-active");
    let blob = begin(&app, "a", registration(7, 9)).await.unwrap();
    assert!(blob.blob.starts_with("utzA3g"), "the magic word of tpm2-tools");
    assert_eq!(active(&app, "a").await.unwrap(), None);
    let tag = answer("a", &blob, 7, 9);
    assert_eq!(prove(&app, "a", &tag).await.unwrap().regcount, 1);
    assert_eq!(active(&app, "a").await.unwrap().unwrap().registration, registration(7, 9));
    assert!(prove(&app, "a", &tag).await.is_err(), "a proof counts once");
    assert_eq!(list(&app).await.unwrap(), ["a"]);
    assert!(remove(&app, "a", "test").await.unwrap());
    assert_eq!(list(&app).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_wrong_tag_uses_the_credential_up_and_leaves_who_was_registered() {
    let app = TestApp::new("keylime-tag");
    let blob = begin(&app, "a", registration(7, 9)).await.unwrap();
    prove(&app, "a", &answer("a", &blob, 7, 9)).await.unwrap();
    let blob = begin(&app, "a", registration(7, 11)).await.unwrap();
    assert!(prove(&app, "a", &answer("b", &blob, 7, 11)).await.is_err());
    assert!(prove(&app, "a", &answer("a", &blob, 7, 11)).await.is_err());
    assert_eq!(active(&app, "a").await.unwrap().unwrap().registration, registration(7, 9));
}

#[tokio::test]
async fn a_new_attestation_key_of_the_same_tpm_is_taken_and_another_tpm_is_not() {
    let app = TestApp::new("keylime-anew");
    let blob = begin(&app, "a", registration(7, 9)).await.unwrap();
    prove(&app, "a", &answer("a", &blob, 7, 9)).await.unwrap();
    let blob = begin(&app, "a", registration(7, 11)).await.unwrap();
    assert_eq!(prove(&app, "a", &answer("a", &blob, 7, 11)).await.unwrap().regcount, 2);
    let refused = begin(&app, "a", registration(8, 9)).await.unwrap_err();
    assert!(refused.message().contains("another TPM"), "{}", refused.message());
}

#[tokio::test]
async fn a_key_that_could_sign_anything_is_no_attestation_key() {
    let app = TestApp::new("keylime-key");
    let mut weak = attestation_key();
    // Without `restricted` it would sign a forged TPMS_ATTEST.
    weak.object_attributes.0 &= !0x0001_0000;
    let aik_tpm = tpm2b(&key(weak, 9).0);
    let refused = begin(&app, "a", Registration { aik_tpm, ..registration(7, 9) }).await.unwrap_err();
    assert!(refused.message().contains("attributes"), "{}", refused.message());
}

/// An agent on the e-vTPM of one boot: the endorsement key follows from the boot's noise, its report is in the certificate.
fn evtpm(host: Host, noise: u64) -> Registration {
    let mut machine = boot_on(host, TestPlatform::new(Noise::Good(noise)));
    let mut tpm = client(&mut machine);
    tpm.startup(TpmSu::Clear).unwrap();
    let report = tpm.nv_read(Handle(EkTemplate::L2.certificate_index()), &[]).unwrap();
    let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
    let PublicBody::Ecc { unique, .. } = &ek.public.body else { panic!("L-2 is P-256") };
    let [x, y] = [unique.x.as_bytes(), unique.y.as_bytes()].map(|number| number.try_into().unwrap());
    let certificate = EkCertificate::of_p256(x, y, &report).to_der().unwrap();
    Registration { ek_tpm: tpm2b(&ek.public), ekcert: Some(STANDARD.encode(certificate)), ..registration(7, 9) }
}

fn chip(number: u8) -> Host {
    host(Platform::new(Product::Milan, [number; 32]))
}

/// An app that believes in the simulated chips, and knows an agent of one of them.
async fn app_that_knows(name: &str, registration: Registration) -> TestApp {
    let app = TestApp::changed(name, |app| {
        let root = Authority::new(Product::Milan).certificate(Role::Ark).unwrap();
        app.anchors = Anchors::none().and_simulated("SIMULATED ARK-Milan", &root).unwrap();
        for number in [9, 10] {
            app.collateral.add_table(&chip(number).processor().certificate_table().unwrap()).unwrap();
        }
    });
    let agent = RegisteredAgent { agent_id: "a".into(), registration, regcount: 1 };
    let item = Item { name: "a".into(), body: json(&agent).unwrap(), version: 0, due_at: None };
    app.store.put_item(ACTIVE, item, None).await.unwrap();
    app
}

#[tokio::test]
async fn a_reboot_with_another_endorsement_key_needs_no_hand_if_a_report_shows_the_same_launch() {
    let (before, after) = (evtpm(chip(9), 7), evtpm(chip(9), 8));
    assert_ne!(before.ek_tpm, after.ek_tpm);
    let app = app_that_knows("keylime-reboot", before).await;
    begin(&app, "a", after).await.unwrap();
}

#[tokio::test]
async fn another_chip_and_a_key_that_the_report_does_not_bind_are_another_tpm() {
    let app = app_that_knows("keylime-chip", evtpm(chip(9), 7)).await;
    let refused = begin(&app, "a", evtpm(chip(10), 8)).await.unwrap_err();
    assert!(refused.message().contains("another chip"), "{}", refused.message());
    let stolen = Registration { ekcert: evtpm(chip(9), 8).ekcert, ..registration(8, 9) };
    let refused = begin(&app, "a", stolen).await.unwrap_err();
    assert!(refused.message().contains("another TPM"), "{}", refused.message());
}

#[tokio::test]
async fn without_an_anchor_for_the_chip_a_report_vouches_for_nothing() {
    let app = app_that_knows("keylime-anchor", evtpm(chip(9), 7)).await;
    let other = TestApp::new("keylime-no-anchor");
    for item in app.store.items(ACTIVE).await.unwrap() {
        other.store.put_item(ACTIVE, Item { version: 0, ..item }, None).await.unwrap();
    }
    assert!(begin(&other, "a", evtpm(chip(9), 8)).await.is_err());
}
