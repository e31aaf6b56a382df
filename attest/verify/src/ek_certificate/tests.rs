// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates of a vendor that a test founds, good and bad.

use evtpm_crypto::{Crypto, EccPrivate, RustCrypto};
use evtpm_protocol::templates::EkTemplate;
use evtpm_testing_support::TpmVendor;
use evtpm_tpm_wire::{Marshal, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmsEccPoint};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, date_time_ymd};

use super::*;

const NOW: UnixTime = UnixTime(1_790_000_000);

/// The L-2 endorsement key with the private key `seed`.
fn ecc(seed: u8) -> TpmtPublic {
    let private = EccPrivate::new(evtpm_crypto::EccCurve::P256, &[seed; 32]).unwrap();
    let point = RustCrypto::ecc_public(&private).unwrap();
    let mut public = EkTemplate::L2.public();
    let coordinate = |bytes| Tpm2bEccParameter::new(bytes).unwrap();
    if let PublicBody::Ecc { unique, .. } = &mut public.body {
        *unique = TpmsEccPoint { x: coordinate(point.x()), y: coordinate(point.y()) };
    }
    public
}

/// An L-1 key; nobody decrypts with it here.
fn rsa() -> TpmtPublic {
    let mut public = EkTemplate::L1.public();
    if let PublicBody::Rsa { unique, .. } = &mut public.body {
        *unique = Tpm2bPublicKeyRsa::new(&[0xC5; 256]).unwrap();
    }
    public
}

fn tpm2b(public: &TpmtPublic) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let area = public.to_bytes(&mut buffer).unwrap();
    [&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat()
}

fn trusting(vendor: &TpmVendor) -> CertificateStore {
    let mut store = CertificateStore::new();
    store.add("root.der", &vendor.root());
    store
}

fn verify(public: &TpmtPublic, change: impl FnOnce(&mut CertificateParams)) -> Result<CertifiedEk, Error> {
    let vendor = TpmVendor::new("Vendor Root");
    CertifiedEk::verify(&vendor.certify(public, change), &tpm2b(public), &trusting(&vendor), NOW)
}

#[test]
fn the_certificate_of_a_trusted_vendor_vouches_for_its_key() {
    for public in [ecc(7), rsa()] {
        let vendor = TpmVendor::new("Vendor Root");
        let certificate = vendor.certify(&public, |_| {});
        let ek = CertifiedEk::verify(&certificate, &tpm2b(&public), &trusting(&vendor), NOW).unwrap();
        assert_eq!(ek.root(), "Vendor Root");
        assert_eq!(ek.ek().public(), &public);
    }
}

#[test]
fn the_certificate_of_another_key_is_refused() {
    let vendor = TpmVendor::new("Vendor Root");
    let certificate = vendor.certify(&ecc(7), |_| {});
    for other in [ecc(8), rsa()] {
        let verdict = CertifiedEk::verify(&certificate, &tpm2b(&other), &trusting(&vendor), NOW);
        assert!(matches!(verdict, Err(Error::Mismatch { what: Claim::EndorsementKey, .. })), "{verdict:?}");
    }
}

#[test]
fn a_vendor_that_nobody_named_is_not_believed_whatever_its_name() {
    let vendor = TpmVendor::new("Vendor Root");
    let certificate = vendor.certify(&ecc(7), |_| {});
    let verdict = CertifiedEk::verify(&certificate, &tpm2b(&ecc(7)), &CertificateStore::new(), NOW);
    assert!(matches!(verdict, Err(Error::MissingIssuer { .. })), "{verdict:?}");
    let namesake = trusting(&TpmVendor::new("Vendor Root"));
    let verdict = CertifiedEk::verify(&certificate, &tpm2b(&ecc(7)), &namesake, NOW);
    assert!(matches!(verdict, Err(Error::BadSignature { .. })), "{verdict:?}");
}

#[test]
fn a_certificate_that_is_over_is_refused() {
    let verdict = verify(&ecc(7), |certificate| certificate.not_after = date_time_ymd(2020, 1, 1));
    assert!(matches!(verdict, Err(Error::Expired { .. })), "{verdict:?}");
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let for_servers = verify(&ecc(7), |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert!(matches!(for_servers, Err(Error::Mismatch { what: Claim::KeyUsage, .. })), "{for_servers:?}");
    let to_sign = verify(&ecc(7), |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert!(matches!(to_sign, Err(Error::Mismatch { what: Claim::KeyUsage, .. })), "{to_sign:?}");
    assert!(verify(&ecc(7), |params| (params.key_usages, params.extended_key_usages) = Default::default()).is_ok());
}

#[test]
fn a_certified_key_that_is_no_endorsement_key_is_refused() {
    // A signing key of the same TPM could be certified by mistake.
    let mut public = ecc(7);
    public.object_attributes = evtpm_protocol::templates::ATTESTATION_KEY_ATTRIBUTES;
    assert!(matches!(verify(&public, |_| {}), Err(Error::EndorsementKey(_))));
}

#[test]
fn a_changed_certificate_is_refused_wherever_it_was_changed() {
    let vendor = TpmVendor::new("Vendor Root");
    let (certificate, ek, store) = (vendor.certify(&ecc(7), |_| {}), tpm2b(&ecc(7)), trusting(&vendor));
    for byte in 0..certificate.len() {
        let mut changed = certificate.clone();
        changed[byte] ^= 1;
        assert!(CertifiedEk::verify(&changed, &ek, &store, NOW).is_err(), "byte {byte}");
    }
    for length in 0..certificate.len() {
        assert!(CertifiedEk::verify(&certificate[..length], &ek, &store, NOW).is_err(), "{length} bytes");
    }
}
