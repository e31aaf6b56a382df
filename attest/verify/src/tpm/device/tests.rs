// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Devices of a maker that a test founds, honest and not.

use evtpm_crypto::{EccCurve, HashAlg};
use evtpm_testing_support::TpmVendor;
use rcgen::{CertificateParams, KeyUsagePurpose, date_time_ymd};

use super::*;
use crate::recorded::NOW;
use crate::tpm::soft_tpm::{SoftAk, certify_message};

/// The attributes of the profile's IAK and IDevID.
const IAK: u32 = 0x0005_00F2;
const IDEVID: u32 = 0x0004_00F2;
const ID: &[u8] = b"digest of an agent's name";

/// Keys with certificates, as they travel.
struct Device {
    maker: TpmVendor,
    iak: SoftAk,
    iak_certificate: Vec<u8>,
    idevid: Vec<u8>,
    idevid_certificate: Vec<u8>,
}

impl Device {
    fn new() -> Self {
        Self::with(IAK, IDEVID, |_| {})
    }

    fn with(iak: u32, idevid: u32, change: fn(&mut CertificateParams)) -> Self {
        let maker = TpmVendor::new("Maker Root");
        let (iak, idevid) = (key(iak), key(idevid).area);
        let certificate = |area: &[u8]| {
            maker.certify(&parse(area).unwrap(), |params| {
                params.extended_key_usages.clear();
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                change(params);
            })
        };
        let (iak_certificate, idevid_certificate) = (certificate(&iak.area), certificate(&idevid));
        Device { maker, iak, iak_certificate, idevid, idevid_certificate }
    }

    fn verify(&self) -> Result<DeviceIdentity, crate::Error> {
        self.verify_by(&trusting(&self.maker))
    }

    fn verify_by(&self, authorities: &CertificateStore) -> Result<DeviceIdentity, crate::Error> {
        let (iak, idevid) = (sized(&self.iak.area), sized(&self.idevid));
        let iak = CertifiedKey { public: &iak, certificate: &self.iak_certificate };
        let idevid = CertifiedKey { public: &idevid, certificate: &self.idevid_certificate };
        DeviceIdentity::verify(iak, idevid, authorities, NOW)
    }

    /// What this device's IAK says of an attestation key.
    fn certifies(&self, ak: &SoftAk, message: &[u8]) -> Result<Freshness, Error> {
        let public = AkPublic::from_tpmt(&ak.area).unwrap();
        self.verify().unwrap().certifies(&public, message, &self.iak.sign(message), Issued::recorded(ID), NOW)
    }
}

fn key(attributes: u32) -> SoftAk {
    SoftAk::with(EccCurve::P256, HashAlg::Sha256, attributes)
}

fn sized(area: &[u8]) -> Vec<u8> {
    [&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat()
}

fn trusting(maker: &TpmVendor) -> CertificateStore {
    let mut store = CertificateStore::new();
    store.add("root.der", &maker.root());
    store
}

#[test]
fn a_device_is_known_by_the_certificates_of_its_maker() {
    let device = Device::new().verify().unwrap();
    assert_eq!((device.device(), device.root()), ("TPM of a test", "Maker Root"));
}

#[test]
fn a_maker_that_nobody_named_is_not_believed_whatever_its_name() {
    let device = Device::new();
    let nobody = device.verify_by(&CertificateStore::new()).unwrap_err();
    assert!(matches!(nobody, crate::Error::MissingIssuer { .. }), "{nobody:?}");
    let namesake = device.verify_by(&trusting(&TpmVendor::new("Maker Root"))).unwrap_err();
    assert!(matches!(namesake, crate::Error::BadSignature { .. }), "{namesake:?}");
}

#[test]
fn certificates_of_other_keys_are_refused() {
    // One key, two public areas: the certificate of either is good for both. Those of a key of another curve are not.
    let other = SoftAk::with(EccCurve::P384, HashAlg::Sha384, IAK);
    for device in [
        Device { iak: other, ..Device::new() },
        Device { idevid: SoftAk::with(EccCurve::P384, HashAlg::Sha384, IDEVID).area, ..Device::new() },
    ] {
        let refused = device.verify().unwrap_err();
        assert!(matches!(refused, crate::Error::Mismatch { what: Claim::DeviceKey, .. }), "{refused:?}");
    }
}

#[test]
fn a_certificate_that_is_over_or_for_something_else_is_refused() {
    let over = Device::with(IAK, IDEVID, |params| params.not_after = date_time_ymd(2020, 1, 1)).verify();
    assert!(matches!(over, Err(crate::Error::Expired { .. })), "{over:?}");
    let to_agree = Device::with(IAK, IDEVID, |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    let refused = to_agree.verify();
    assert!(matches!(refused, Err(crate::Error::Mismatch { what: Claim::KeyUsage, .. })), "{refused:?}");
    assert!(Device::with(IAK, IDEVID, |params| params.key_usages.clear()).verify().is_ok());
}

#[test]
fn a_key_of_another_kind_is_neither_iak_nor_idevid() {
    // An IAK that is not restricted would certify what it is given; an IDevID is not, and neither may leave its TPM.
    for (iak, idevid) in
        [(IDEVID, IDEVID), (IAK, IAK), (IAK & !0x10, IDEVID), (IAK, IDEVID & !0x10), (IAK, IDEVID & !2)]
    {
        let refused = Device::with(iak, idevid, |_| {}).verify();
        assert!(matches!(refused, Err(crate::Error::AttestationKey(Error::Key { .. }))), "{refused:?}");
    }
}

#[test]
fn an_attestation_key_is_of_the_device_once_its_iak_certified_it() {
    let (device, ak) = (Device::new(), key(0x0005_0072));
    let message = certify_message(0x8017, &sized(&ak.area), ID);
    assert_eq!(device.certifies(&ak, &message), Ok(Freshness::Recorded));

    let other = key(0x0005_0472);
    assert!(matches!(device.certifies(&other, &message), Err(Error::CertifiedName { .. })));
    let of_another_agent = certify_message(0x8017, &sized(&ak.area), b"digest of another one");
    assert_eq!(device.certifies(&ak, &of_another_agent), Err(Error::Nonce));
    let quote = certify_message(0x8018, &sized(&ak.area), ID);
    assert!(matches!(device.certifies(&ak, &quote), Err(Error::AttestationType { .. })));
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    let signature = device.iak.sign(&message);
    let public = AkPublic::from_tpmt(&ak.area).unwrap();
    let verdict = device.verify().unwrap().certifies(&public, &forged, &signature, Issued::recorded(ID), NOW);
    assert!(matches!(verdict, Err(Error::Signature(_))), "{verdict:?}");
}

#[test]
fn a_changed_certificate_is_refused_wherever_it_was_changed() {
    let mut device = Device::new();
    let authorities = trusting(&device.maker);
    for byte in 0..device.idevid_certificate.len() {
        device.idevid_certificate[byte] ^= 1;
        assert!(device.verify_by(&authorities).is_err(), "byte {byte}");
        device.idevid_certificate[byte] ^= 1;
    }
    assert!(device.verify_by(&authorities).is_ok());
}
