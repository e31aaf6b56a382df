// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules 7 to 9 of verification: what binds an endorsement key, and what must not.

use evtpm_crypto::{EccCurve, EccPrivate, EntropyError};
use evtpm_svsm_abi::manifest::{UEFI_MM_SERVICE, write_services, write_vtpm_v1};

use super::*;
use crate::{
    snp::testing::{NOW, World},
    tpm::{self, KeyRule},
};

const LATER: UnixTime = UnixTime(NOW.0 + 60);

struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

fn nonce() -> SvsmNonce {
    SvsmNonce::issue(&mut Counter(0), LATER).unwrap()
}

/// The TPMT_PUBLIC of a P-256 endorsement key (TCG EK Credential Profile, "Template L-2").
fn area() -> Vec<u8> {
    let private = EccPrivate::new(EccCurve::P256, &[7; 32]).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    let policy = hex::decode("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa").unwrap();
    [
        &[0x00, 0x23, 0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2, 0x00, 0x20][..],
        &policy,
        &[0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, 0x00, 0x03, 0x00, 0x10],
        &[0x00, 0x20],
        point.x(),
        &[0x00, 0x20],
        point.y(),
    ]
    .concat()
}

fn with_size(area: &[u8]) -> Vec<u8> {
    [&(area.len() as u16).to_be_bytes(), area].concat()
}

/// A verified report whose REPORT_DATA is the SHA-512 of the parts.
fn report_over(parts: &[&[u8]]) -> Verified<SnpClaims> {
    let mut world = World::new();
    world.report[0x50..0x90].copy_from_slice(RustCrypto::hash(HashAlg::Sha512, parts).as_bytes());
    world.verify().unwrap()
}

fn is_mismatch(result: Result<BoundEk, Error>, claim: Claim) -> bool {
    matches!(result, Err(Error::Mismatch { what, .. }) if what == claim)
}

#[test]
fn the_papers_binding_is_the_digest_of_the_sized_public_area() {
    let ek = with_size(&area());
    let bound = bind(report_over(&[&ek]), Binding::NvReport { ek: &ek }, NOW).unwrap();
    assert_eq!(bound.public_area(), area());
    assert_eq!((bound.profile(), bound.freshness()), (BindingProfile::NvReport, BindingFreshness::Boot));
    assert!(bound.root().is_simulated());
}

#[test]
fn a_manifest_of_version_0_is_bound_with_the_nonce() {
    let manifest = area();
    let report = report_over(&[nonce().challenge(), &manifest]);
    let bound = bind(report, Binding::ManifestV0 { nonce: nonce(), manifest: &manifest }, NOW).unwrap();
    assert_eq!(bound.public_area(), area());
    assert_eq!(bound.freshness(), BindingFreshness::Challenged);
}

fn manifest_v1(keys: &[&[u8]]) -> Vec<u8> {
    let mut manifest = vec![0; 1024];
    let size = write_vtpm_v1(keys, &mut manifest).unwrap();
    manifest.truncate(size);
    manifest
}

#[test]
fn a_manifest_of_version_1_binds_a_key_that_it_lists() {
    let ek = with_size(&area());
    let manifest = manifest_v1(&[&[0, 1, 9], &ek]);
    let report = report_over(&[nonce().challenge(), &manifest]);
    let binding = Binding::ManifestV1 { nonce: nonce(), manifest: &manifest, ek: &ek };
    assert_eq!(bind(report, binding, NOW).unwrap().profile(), BindingProfile::SvsmManifestV1);
}

#[test]
fn a_key_that_the_manifest_does_not_list_is_refused() {
    let manifest = manifest_v1(&[&[0, 1, 9], &[0, 1, 8]]);
    let report = report_over(&[nonce().challenge(), &manifest]);
    let ek = with_size(&area());
    let binding = Binding::ManifestV1 { nonce: nonce(), manifest: &manifest, ek: &ek };
    assert!(is_mismatch(bind(report, binding, NOW), Claim::EndorsementKey));
}

#[test]
fn the_services_manifest_binds_its_vtpm_entry() {
    let mut manifest = vec![0; 1024];
    let size = write_services(&[(UEFI_MM_SERVICE, &[1, 0, 0, 0]), (VTPM_SERVICE, &area())], &mut manifest).unwrap();
    manifest.truncate(size);
    let report = report_over(&[nonce().challenge(), &manifest]);
    let bound = bind(report, Binding::Services { nonce: nonce(), manifest: &manifest }, NOW).unwrap();
    assert_eq!(bound.public_area(), area());
}

#[test]
fn a_services_manifest_without_a_vtpm_binds_nothing() {
    let mut manifest = vec![0; 1024];
    let size = write_services(&[(UEFI_MM_SERVICE, &[1, 0, 0, 0])], &mut manifest).unwrap();
    manifest.truncate(size);
    let report = report_over(&[nonce().challenge(), &manifest]);
    let result = bind(report, Binding::Services { nonce: nonce(), manifest: &manifest }, NOW);
    assert!(is_mismatch(result, Claim::EndorsementKey));
}

#[test]
fn a_report_above_vmpl_0_binds_nothing() {
    let ek = with_size(&area());
    for vmpl in [1, 2, 3, u32::MAX] {
        let mut world = World::new();
        world.report[0x30..0x34].copy_from_slice(&vmpl.to_le_bytes());
        world.report[0x50..0x90].copy_from_slice(RustCrypto::hash(HashAlg::Sha512, &[&ek]).as_bytes());
        assert!(is_mismatch(bind(world.verify().unwrap(), Binding::NvReport { ek: &ek }, NOW), Claim::Vmpl));
    }
}

#[test]
fn the_key_of_a_software_tpm_is_not_the_one_that_the_report_binds() {
    let ek = with_size(&area());
    let mut fake = ek.clone();
    *fake.last_mut().unwrap() ^= 1;
    assert!(is_mismatch(bind(report_over(&[&ek]), Binding::NvReport { ek: &fake }, NOW), Claim::ReportData));
}

#[test]
fn every_byte_of_report_data_counts() {
    let ek = with_size(&area());
    let digest = RustCrypto::hash(HashAlg::Sha512, &[&ek]);
    for byte in 0..64 {
        let mut world = World::new();
        world.report[0x50..0x90].copy_from_slice(digest.as_bytes());
        world.report[0x50 + byte] ^= 0x80;
        assert!(is_mismatch(bind(world.verify().unwrap(), Binding::NvReport { ek: &ek }, NOW), Claim::ReportData));
    }
}

#[test]
fn a_report_for_another_nonce_is_a_replay() {
    let manifest = area();
    let report = report_over(&[&[0; 64], &manifest]);
    let result = bind(report, Binding::ManifestV0 { nonce: nonce(), manifest: &manifest }, NOW);
    assert!(is_mismatch(result, Claim::ReportData));
}

#[test]
fn one_profile_does_not_pass_for_another() {
    let (area, ek) = (area(), with_size(&area()));
    let report = report_over(&[&ek]);
    let binding = Binding::ManifestV0 { nonce: SvsmNonce::recorded([0; 64]), manifest: &area };
    assert!(is_mismatch(bind(report.clone(), binding, NOW), Claim::ReportData));
    assert!(is_mismatch(bind(report, Binding::NvReport { ek: &area }, NOW), Claim::ReportData));
}

#[test]
fn an_expired_nonce_is_refused() {
    let manifest = area();
    let report = report_over(&[nonce().challenge(), &manifest]);
    let result = bind(report, Binding::ManifestV0 { nonce: nonce(), manifest: &manifest }, LATER);
    assert_eq!(result.unwrap_err(), Error::NonceExpired { expired: LATER, at: LATER });
}

#[test]
fn two_nonces_are_never_equal_and_never_shown() {
    let mut rng = Counter(0);
    let nonces = [(); 2].map(|()| SvsmNonce::issue(&mut rng, LATER).unwrap());
    assert_ne!(nonces[0].challenge(), nonces[1].challenge());
    assert_eq!(format!("{:?}", nonces[0]), "SvsmNonce(..)");
}

#[test]
fn a_nonce_of_recorded_evidence_shows_in_the_freshness() {
    let manifest = area();
    let report = report_over(&[&[3; 64], &manifest]);
    let binding = Binding::ManifestV0 { nonce: SvsmNonce::recorded([3; 64]), manifest: &manifest };
    assert_eq!(bind(report, binding, NOW).unwrap().freshness(), BindingFreshness::Recorded);
}

#[test]
fn a_key_that_could_leave_the_tpm_is_no_endorsement_key() {
    // Attributes at offset 4: without fixedTPM, without restricted, and with sign.
    for attributes in [0x0003_00b0_u32, 0x0002_00b2, 0x0007_00b2] {
        let mut area = area();
        area[4..8].copy_from_slice(&attributes.to_be_bytes());
        let ek = with_size(&area);
        let result = bind(report_over(&[&ek]), Binding::NvReport { ek: &ek }, NOW);
        assert!(
            matches!(
                result,
                Err(Error::EndorsementKey(tpm::Error::Key { rule: KeyRule::Attributes { actual, .. }, .. }))
                    if actual == attributes
            ),
            "{result:?}"
        );
    }
}

#[test]
fn a_key_with_another_policy_is_no_endorsement_key() {
    let mut area = area();
    area[10] ^= 1;
    let ek = with_size(&area);
    let result = bind(report_over(&[&ek]), Binding::NvReport { ek: &ek }, NOW);
    assert!(matches!(result, Err(Error::EndorsementKey(tpm::Error::Key { rule: KeyRule::Policy, .. }))), "{result:?}");
}

#[test]
fn trailing_bytes_of_a_public_area_are_refused() {
    let mut ek = with_size(&area());
    ek.push(0);
    let result = bind(report_over(&[&ek]), Binding::NvReport { ek: &ek }, NOW);
    assert!(matches!(result, Err(Error::Malformed { what: "TPM2B_PUBLIC", .. })), "{result:?}");
}

#[test]
fn azure_claims_fill_half_of_report_data_and_the_rest_is_zero() {
    let claims = br#"{"keys":[]}"#;
    let mut world = World::new();
    world.report[0x50..0x70].copy_from_slice(RustCrypto::hash(HashAlg::Sha256, &[claims]).as_bytes());
    assert_eq!(check_azure_runtime_claims(&world.verify().unwrap(), claims), Ok(()));
    assert!(check_azure_runtime_claims(&world.verify().unwrap(), b"{}").is_err());
    world.report[0x8f] = 1;
    assert!(check_azure_runtime_claims(&world.verify().unwrap(), claims).is_err());
}
