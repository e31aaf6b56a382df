// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The second river from its spring to its mouth: a simulated machine's report, keys and quote become a signed result.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built fails the test that wants it")]

use evtpm_appraise::{
    Claims, ClaimsError, LaunchIdentity, Layer, Policy, Severity, UnixTime, Verdict, appraise, policy::SnpPolicy,
};
use evtpm_client::{Client, Object};
use evtpm_crypto::{EntropyError, Rng};
use evtpm_logs::{HashId, PcrSet};
use evtpm_protocol::templates::{EkTemplate, attestation_key};
use evtpm_result::{Algorithm, Context, Ear, SigningKey};
use evtpm_sp_sim::{Authority, Host, Platform, Product, RevocationList, Role};
use evtpm_testing_support::{Driver, Noise, TestPlatform, boot, boot_on, chip, client, host, predicted_measurement};
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, PcrSelect, Supported, Tpm2b, Tpm2bIdObject, TpmSu, TpmiRhHierarchy, TpmtPublic,
    from_bytes,
};
use evtpm_verify::{
    Error, Verified,
    evtpm::{Binding, bind},
    snp::{self, Anchors, Collateral, Signer, SnpClaims},
    tpm::{AkPublic, Credential, Issued, Nonce, QuoteEvidence, Selection, TrustedAk},
    x509::{Certificate, Revocation},
};

/// A day after the simulated certificates are issued.
const NOW: UnixTime = UnixTime(1_767_312_000);
const LATER: UnixTime = UnixTime(NOW.0 + 60);
const EK_CERTIFICATE: Handle = Handle(0x01c0_000a);

struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(73).wrapping_add(41);
            *byte = self.0;
        }
        Ok(())
    }
}

fn root_name(product: Product) -> String {
    format!("SIMULATED ARK-{}", product.name())
}

fn anchors(product: Product) -> Anchors {
    let certificate = Authority::new(product).certificate(Role::Ark).unwrap();
    Anchors::none().and_simulated(&root_name(product), &certificate).unwrap()
}

fn collateral(host: &mut Host) -> Collateral {
    let mut collateral = Collateral::new();
    collateral.add_table(&host.processor().certificate_table().unwrap()).unwrap();
    collateral
}

fn sized(public: &TpmtPublic) -> Vec<u8> {
    Tpm2b(public.clone()).to_bytes(&mut [0; 1024]).unwrap().to_vec()
}

/// The machine's end of the story: a started TPM with its keys, and the report that it found.
struct Attester<'m> {
    tpm: Client<Driver<'m>, Noise>,
    report: Vec<u8>,
    ek: Object,
    ak: Object,
}

impl<'m> Attester<'m> {
    fn start(mut tpm: Client<Driver<'m>, Noise>) -> Self {
        tpm.startup(TpmSu::Clear).unwrap();
        let report = tpm.nv_read(EK_CERTIFICATE, &[]).unwrap();
        let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &EkTemplate::L2.public()).unwrap();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key()).unwrap();
        Self { tpm, report, ek, ak }
    }

    /// Proves to a verifier that the attestation key lives beside the endorsement key that the report binds.
    fn trusted_ak(&mut self, report: Verified<SnpClaims>) -> TrustedAk {
        let ek = bind(report, Binding::NvReport { ek: &sized(&self.ek.public) }, NOW).unwrap();
        let ak = AkPublic::from_tpm2b(&sized(&self.ak.public)).unwrap();
        let (challenge, credential) = Credential::make(ek, ak, &mut Counter(1), LATER).unwrap();
        let blob: Tpm2bIdObject = from_bytes(&challenge.credential, &Supported::ALL).unwrap();
        let opened = self.tpm.activate_credential(&self.ak, &self.ek, &[], &blob, &challenge.secret[2..]).unwrap();
        credential.prove(opened.as_bytes(), NOW).unwrap()
    }

    fn quote(&mut self, key: &TrustedAk) -> evtpm_verify::tpm::Quote {
        let nonce = Issued::<Nonce>::issue(&mut Counter(2), LATER).unwrap();
        let challenge = *nonce.challenge();
        let select = PcrSelect::from_bits([0xff, 0, 0]);
        let pcrs = Client::<Driver<'_>, Noise>::selection(&[HashAlg::Sha256], select).unwrap();
        let quote = self.tpm.quote(&self.ak, &[], &challenge, &pcrs).unwrap();
        let values = self.tpm.pcr_read(&pcrs).unwrap();
        let values: Vec<&[u8]> = values.iter().map(|value| value.digest.as_bytes()).collect();
        let signature = quote.signature.to_bytes(&mut [0; 1024]).unwrap().to_vec();
        let evidence = QuoteEvidence { message: quote.attest.as_bytes(), signature: &signature, values: &values };
        let asked = Selection::new().with(HashId::SHA256, PcrSet::from_mask(0xff).unwrap()).unwrap();
        key.verify(evidence, nonce.plain(), &asked, NOW).unwrap()
    }
}

fn policy(product: Product) -> Policy {
    let mut snp = SnpPolicy::new(predicted_measurement().0);
    snp.simulated.push(root_name(product));
    let mut policy = Policy::new(snp);
    policy.tpm = Some(evtpm_appraise::policy::TpmPolicy::default());
    policy
}

/// Everything that one boot of a machine of `product` proves.
fn claims(product: Product) -> Claims {
    let collateral = collateral(&mut chip(product));
    let mut machine = boot(chip(product));
    let mut attester = Attester::start(client(&mut machine));
    let report = snp::verify(&attester.report, &collateral, &anchors(product), NOW).unwrap();
    let key = attester.trusted_ak(report);
    Claims::new().with_key(&key).with_quote(&attester.quote(&key)).unwrap()
}

#[test]
fn a_simulated_machine_is_trusted_by_the_policy_that_names_its_root() {
    let (policy, claims) = (policy(Product::Milan), claims(Product::Milan));
    let appraisal = appraise(&policy, &claims).unwrap();
    let weighty: Vec<String> =
        appraisal.findings().filter(|found| found.severity() > Severity::Warning).map(ToString::to_string).collect();
    assert_eq!((appraisal.verdict(), weighty), (Verdict::Trusted, vec![]));

    let key = SigningKey::new(Algorithm::Es384, &[5; 48]).unwrap();
    let policy_id = policy.id().unwrap();
    let context = Context { issued: NOW, lifetime: Some(60), policy_id: &policy_id, nonce: None, build: "test" };
    let token = Ear::new(&appraisal, &context).sign(&key, &mut Counter(3)).unwrap();
    let result = Ear::check(token.as_bytes(), key.verifying_key(), None, NOW).unwrap();
    assert_eq!(result.simulated_root(), Some("SIMULATED ARK-Milan"));
    assert_eq!(result.submods["snp"].status, evtpm_appraise::Tier::Warning);
    assert_eq!(result.submods["tpm"].status, evtpm_appraise::Tier::Affirming);
    assert!(result.submods["snp"].findings.iter().any(|finding| finding.sentence.contains("SIMULATED")));
}

#[test]
fn the_same_machine_is_untrusted_by_a_policy_that_does_not_name_its_root() {
    let mut policy = policy(Product::Milan);
    policy.snp.as_mut().unwrap().simulated.clear();
    let appraisal = appraise(&policy, &claims(Product::Milan)).unwrap();
    assert_eq!(appraisal.verdict(), Verdict::Untrusted);
    assert!(appraisal.findings().any(|finding| finding.code() == "snp.root"));
}

#[test]
fn another_image_has_another_measurement() {
    let mut policy = policy(Product::Genoa);
    policy.snp.as_mut().unwrap().measurements = vec![evtpm_appraise::policy::Bytes([0; 48])];
    let appraisal = appraise(&policy, &claims(Product::Genoa)).unwrap();
    assert_eq!(appraisal.verdict(), Verdict::Untrusted);
    assert!(appraisal.findings().any(|finding| finding.code() == "snp.measurement"));
}

#[test]
fn a_software_tpm_beside_the_real_report_is_refused() {
    let mut machine = boot(chip(Product::Milan));
    let attester = Attester::start(client(&mut machine));
    let collateral = collateral(&mut chip(Product::Milan));
    let report = snp::verify(&attester.report, &collateral, &anchors(Product::Milan), NOW).unwrap();

    // The attacker's key has an endorsement key's attributes and a valid point, but it is not the one of the report.
    let mut other = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(8)));
    let fake = Attester::start(client(&mut other)).ek;
    let refusal = bind(report, Binding::NvReport { ek: &sized(&fake.public) }, NOW).unwrap_err();
    assert!(matches!(refusal, Error::Mismatch { what: evtpm_verify::Claim::ReportData, .. }), "{refusal}");

    let claims = claims(Product::Milan).with_refusal(Layer::Tpm, &refusal);
    assert_eq!(appraise(&policy(Product::Milan), &claims).unwrap().verdict(), Verdict::Untrusted);
}

#[test]
fn a_report_of_an_earlier_boot_does_not_bind_the_key_of_this_one() {
    let mut earlier = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(8)));
    let replayed = Attester::start(client(&mut earlier)).report;
    let collateral = collateral(&mut chip(Product::Milan));
    let report = snp::verify(&replayed, &collateral, &anchors(Product::Milan), NOW).unwrap();
    let mut machine = boot(chip(Product::Milan));
    let ek = Attester::start(client(&mut machine)).ek;
    let refusal = bind(report, Binding::NvReport { ek: &sized(&ek.public) }, NOW).unwrap_err();
    assert!(matches!(refusal, Error::Mismatch { what: evtpm_verify::Claim::ReportData, .. }), "{refusal}");
}

#[test]
fn a_quote_by_another_key_does_not_join_the_report() {
    let collateral = collateral(&mut chip(Product::Milan));
    let mut machine = boot(chip(Product::Milan));
    let mut attester = Attester::start(client(&mut machine));
    let report = snp::verify(&attester.report, &collateral, &anchors(Product::Milan), NOW).unwrap();
    let key = attester.trusted_ak(report);

    let mut other = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(8)));
    let mut other = Attester::start(client(&mut other));
    let named = TrustedAk::named(AkPublic::from_tpm2b(&sized(&other.ak.public)).unwrap());
    let foreign = other.quote(&named);
    assert_eq!(Claims::new().with_key(&key).with_quote(&foreign).unwrap_err(), ClaimsError::ForeignQuote);
}

#[test]
fn a_new_boot_is_the_same_attester_with_another_key() {
    let identity = |noise| {
        let collateral = collateral(&mut chip(Product::Milan));
        let mut machine = boot_on(chip(Product::Milan), TestPlatform::new(Noise::Good(noise)));
        let attester = Attester::start(client(&mut machine));
        let report = snp::verify(&attester.report, &collateral, &anchors(Product::Milan), NOW).unwrap();
        (LaunchIdentity::of(&report).digest(), sized(&attester.ek.public))
    };
    let (first, second) = (identity(7), identity(8));
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[test]
fn reports_of_every_product_and_version_verify_and_keep_their_key() {
    for product in Product::ALL {
        for version in product.report_versions() {
            for vlek in [false, true] {
                let platform = Platform::new(product, [9; 32]).with_report_version(*version);
                let platform = if vlek { platform.with_vlek("a cloud") } else { platform };
                let name = format!("{} {version:?} VLEK: {vlek}", product.name());
                let collateral = collateral(&mut host(platform.clone()));
                let mut machine = boot(host(platform));
                let attester = Attester::start(client(&mut machine));
                let report = snp::verify(&attester.report, &collateral, &anchors(product), NOW)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(matches!(report.signer, Signer::Provider { .. }), vlek, "{name}");
                assert_eq!(report.generation.name(), product.name());
                assert_eq!(report.report.measurement(), predicted_measurement(), "{name}");
            }
        }
    }
}

#[test]
fn the_chain_of_one_product_does_not_vouch_for_another() {
    let mut machine = boot(chip(Product::Milan));
    let attester = Attester::start(client(&mut machine));
    let collateral = collateral(&mut chip(Product::Milan));
    let refusal = snp::verify(&attester.report, &collateral, &anchors(Product::Genoa), NOW).unwrap_err();
    assert!(matches!(refusal, Error::UntrustedRoot { .. }), "{refusal}");
    let refusal = snp::verify(&attester.report, &collateral, &Anchors::amd().unwrap(), NOW).unwrap_err();
    assert!(matches!(refusal, Error::UntrustedRoot { .. }), "{refusal}");
}

#[test]
fn a_list_of_the_root_revokes_the_intermediate_it_names() {
    let at = |seconds| evtpm_sp_sim::UnixTime(seconds);
    let verdict = |serial| {
        let revoked = vec![(serial, at(NOW.0))];
        let list = RevocationList { number: 4, this_update: at(NOW.0), next_update: at(NOW.0 + 60), revoked };
        let mut collateral = collateral(&mut chip(Product::Milan));
        collateral.add_revocation_lists(&list.sign(&Authority::new(Product::Milan)).unwrap()).unwrap();
        let mut machine = boot(chip(Product::Milan));
        let attester = Attester::start(client(&mut machine));
        snp::verify(&attester.report, &collateral, &anchors(Product::Milan), NOW)
    };
    let certificate = Authority::new(Product::Milan).certificate(Role::Ask).unwrap();
    let ask = Certificate::from_der(&certificate).unwrap();
    let serial = ask.serial().iter().fold(0, |serial, byte| serial << 8 | u32::from(*byte));
    assert!(matches!(verdict(serial), Err(Error::Revoked { .. })));
    let next_update = Some(UnixTime(NOW.0 + 60));
    assert_eq!(verdict(serial + 1).unwrap().revocation, Revocation::Checked { next_update });
}

#[test]
fn a_report_of_another_chip_is_refused() {
    let collateral = collateral(&mut host(Platform::new(Product::Turin, [8; 32])));
    let mut machine = boot(chip(Product::Turin));
    let attester = Attester::start(client(&mut machine));
    let refusal = snp::verify(&attester.report, &collateral, &anchors(Product::Turin), NOW).unwrap_err();
    assert!(matches!(refusal, Error::Mismatch { what: evtpm_verify::Claim::ChipId, .. }), "{refusal}");
}
