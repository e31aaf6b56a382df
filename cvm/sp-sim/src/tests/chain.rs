// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports and chains satisfy the `sev` crate where it can judge them, and have the quirks of the real ones.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;
use std::format;

use super::{image, launch};
use crate::{Authority, LaunchFinish, Platform, Processor, Product, RevocationList, Role, UnixTime};
use evtpm_snp::cert_table::{self, CertTable};
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::{MessageType, Report, ReportVersion, SigningKey, StatedGeneration, Tcb};
use sev::certs::snp::{Certificate, Chain, Verifiable as _};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;
use x509_cert::der::{Decode as _, Encode as _};

fn report_of(platform: Platform) -> (Processor, Report) {
    let mut processor = Processor::new(platform, &[5; 32]).unwrap();
    let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let report = guest.report(&mut processor, [0x5a; 64]);
    (processor, report)
}

fn platforms() -> Vec<Platform> {
    let mut platforms = Vec::new();
    for product in Product::ALL {
        for version in product.report_versions() {
            platforms.push(Platform::new(product, [3; 32]).with_report_version(*version));
        }
    }
    platforms
}

#[test]
fn the_sev_crate_verifies_every_kind_of_report_against_its_chain() {
    for platform in platforms() {
        let (processor, report) = report_of(platform.clone());
        let authority = Authority::new(platform.product);
        let chain = Chain::from_der(
            &authority.certificate(Role::Ark).unwrap(),
            &authority.certificate(Role::Ask).unwrap(),
            &processor.endorsement_certificate(SigningKey::Vcek).unwrap(),
        )
        .unwrap();
        let theirs = AttestationReport::from_bytes(report.as_bytes()).unwrap();
        (&chain, &theirs).verify().unwrap();
        assert_eq!(theirs.version, platform.report_version.number());
        assert_eq!(theirs.measurement, report.measurement().0);
    }
}

#[test]
fn the_sev_crate_refuses_a_report_with_a_flipped_bit_and_one_of_another_chip() {
    let (processor, report) = report_of(Platform::new(Product::Genoa, [3; 32]));
    let (other, _) = report_of(Platform::new(Product::Genoa, [4; 32]));
    let authority = Authority::new(Product::Genoa);
    let chain = |processor: &Processor| {
        let (ark, ask) = (authority.certificate(Role::Ark).unwrap(), authority.certificate(Role::Ask).unwrap());
        Chain::from_der(&ark, &ask, &processor.endorsement_certificate(SigningKey::Vcek).unwrap()).unwrap()
    };
    let mut bytes = *report.as_bytes();
    let theirs = AttestationReport::from_bytes(&bytes).unwrap();
    assert!((&chain(&other), &theirs).verify().is_err());
    bytes[0x90] ^= 1;
    assert!((&chain(&processor), &AttestationReport::from_bytes(&bytes).unwrap()).verify().is_err());
}

#[test]
fn the_chain_of_one_product_does_not_verify_another() {
    let milan = Authority::new(Product::Milan);
    let genoa = Authority::new(Product::Genoa);
    let certificate =
        |authority: &Authority, role| Certificate::from_der(&authority.certificate(role).unwrap()).unwrap();
    (&certificate(&milan, Role::Ark), &certificate(&milan, Role::Asvk)).verify().unwrap();
    assert!((&certificate(&milan, Role::Ark), &certificate(&genoa, Role::Ask)).verify().is_err());
}

#[test]
fn a_report_says_what_the_platform_is() {
    for platform in platforms() {
        let generation = platform.product.generation();
        let (_, report) = report_of(platform.clone());
        assert_eq!(report.version(), platform.report_version);
        assert_eq!(report.reported_tcb_of(generation), platform.reported_tcb);
        assert_eq!(report.launch_tcb().decode(generation), platform.current_tcb);
        assert_eq!(report.current_firmware(), platform.current_firmware);
        assert_eq!(report.platform_info(), platform.platform_info);
        assert_eq!(report.report_data(), &[0x5a; 64]);
        assert_eq!(report.report_id_ma(), &[0xff; 32]);
        assert!(report.signature().reserved_is_zero());
        let stated = match platform.report_version {
            ReportVersion::V2 => StatedGeneration::NotStated,
            _ => StatedGeneration::Known(generation),
        };
        assert_eq!(report.generation(), stated);
    }
}

#[test]
fn two_guests_have_two_report_ids() {
    let mut processor = super::processor(Product::Turin);
    let (mut first, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let (mut second, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let (first, second) = (first.report(&mut processor, [0; 64]), second.report(&mut processor, [0; 64]));
    assert_ne!(first.report_id(), second.report_id());
    assert_eq!(first.measurement(), second.measurement());
}

#[test]
fn a_provider_signs_with_its_vlek_and_hides_the_chip() {
    let platform = Platform::new(Product::Milan, [3; 32]).with_vlek("CN=simulated-region.example");
    let (processor, report) = report_of(platform);
    assert_eq!(report.key_info().signing_key(), SigningKey::Vlek);
    assert!(report.chip_id_is_masked());
    let authority = Authority::new(Product::Milan);
    let chain = Chain::from_der(
        &authority.certificate(Role::Ark).unwrap(),
        &authority.certificate(Role::Asvk).unwrap(),
        &processor.endorsement_certificate(SigningKey::Vlek).unwrap(),
    )
    .unwrap();
    (&chain, &AttestationReport::from_bytes(report.as_bytes()).unwrap()).verify().unwrap();

    let table = processor.certificate_table().unwrap();
    let table = CertTable::parse(&table).unwrap();
    assert!(table.get(cert_table::VLEK).is_some() && table.get(cert_table::VCEK).is_none());
}

#[test]
fn a_masked_chip_key_signs_with_zeros() {
    let platform = Platform { mask_chip_key: true, ..Platform::new(Product::Genoa, [3; 32]) };
    let (_, report) = report_of(platform);
    assert!(report.key_info().mask_chip_key() && report.signature().is_absent());
    assert_eq!(report.key_info().signing_key(), SigningKey::None);
}

#[test]
fn a_key_that_is_not_installed_cannot_be_selected() {
    let mut processor = super::processor(Product::Milan);
    let (mut guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    let request = ReportRequest::new([0; 64], 0, KeySelect::Vlek);
    let answer = guest.ask(&mut processor, MessageType::ReportRequest, 1, request.as_bytes()).unwrap();
    assert_eq!(ReportResponse::parse(&answer).unwrap(), Err(evtpm_snp::Status::INVALID_KEY));
}

fn parsed(der: &[u8]) -> x509_cert::Certificate {
    let parsed = x509_cert::Certificate::from_der(der).unwrap();
    assert_eq!(parsed.to_der().unwrap(), der, "an independent encoder gives the same bytes");
    parsed
}

fn extension(certificate: &x509_cert::Certificate, id: &str) -> Option<Vec<u8>> {
    let extensions = certificate.tbs_certificate().extensions().unwrap();
    extensions.iter().find(|found| found.extn_id.to_string() == id).map(|found| found.extn_value.as_bytes().to_vec())
}

const AMD: &str = "1.3.6.1.4.1.3704.1";

#[test]
fn extensions_have_the_encodings_of_the_real_certificates() {
    let milan = Platform::new(Product::Milan, [3; 32]);
    let (processor, report) = report_of(milan);
    let vcek = parsed(&processor.endorsement_certificate(SigningKey::Vcek).unwrap());
    let value = |suffix: &str| extension(&vcek, &format!("{AMD}{suffix}"));
    assert_eq!(value(".1"), Some(vec![2, 1, 0]));
    assert_eq!(value(".2"), Some(b"\x16\x08Milan-B0".to_vec()));
    assert_eq!(value(".3.1"), Some(vec![2, 1, 4]));
    assert_eq!(value(".3.8"), Some(vec![2, 2, 0, 219]), "from 80h on an INTEGER takes two bytes");
    assert_eq!(value(".3.4"), Some(vec![2, 1, 0]));
    assert_eq!(value(".4"), Some(report.chip_id().to_vec()), "the raw octets");
    assert_eq!((value(".3.9"), value(".5")), (None, None));

    let (processor, report) = report_of(Platform::new(Product::Turin, [3; 32]));
    let vcek = parsed(&processor.endorsement_certificate(SigningKey::Vcek).unwrap());
    let value = |suffix: &str| extension(&vcek, &format!("{AMD}{suffix}"));
    assert_eq!(value(".1"), Some(vec![2, 1, 1]));
    assert_eq!(value(".3.9"), Some(vec![2, 1, 1]));
    assert_eq!(value(".3.4"), None);
    assert_eq!(value(".4"), Some(report.chip_id()[..8].to_vec()));

    let platform = Platform::new(Product::Genoa, [3; 32]).with_vlek("CN=simulated");
    let vlek = parsed(&report_of(platform).0.endorsement_certificate(SigningKey::Vlek).unwrap());
    assert_eq!(extension(&vlek, &format!("{AMD}.5")), Some(b"\x16\x0cCN=simulated".to_vec()));
    assert_eq!(extension(&vlek, &format!("{AMD}.4")), None);
}

#[test]
fn every_subject_says_simulated_and_every_serial_number_is_the_real_ones() {
    for (product, serials) in [
        (Product::Milan, [0x1_0000, 0x1_0001, 0x1_0101]),
        (Product::Genoa, [0x2_0000, 0x2_0002, 0x2_0101]),
        (Product::Turin, [0x3_0000, 0x3_0001, 0x3_0101]),
    ] {
        for (role, serial) in [Role::Ark, Role::Ask, Role::Asvk].into_iter().zip(serials) {
            let der = Authority::new(product).certificate(role).unwrap();
            let certificate = parsed(&der);
            let subject = certificate.tbs_certificate().subject().to_string();
            assert!(subject.contains("CN=SIMULATED ") && subject.contains("O=SIMULATED - not AMD"), "{subject}");
            let number =
                certificate.tbs_certificate().serial_number().as_bytes().iter().fold(0, |n, b| n << 8 | u32::from(*b));
            assert_eq!(number, serial, "{subject}");
            assert_eq!(Authority::new(product).certificate(role).unwrap(), der, "deterministic");
        }
    }
    let (processor, _) = report_of(Platform::new(Product::Milan, [3; 32]));
    let vcek = parsed(&processor.endorsement_certificate(SigningKey::Vcek).unwrap());
    assert_eq!(vcek.tbs_certificate().serial_number().as_bytes(), [0]);
    assert!(vcek.tbs_certificate().subject().to_string().contains("CN=SIMULATED SEV-VCEK"));
}

#[test]
fn endorsement_certificates_live_seven_years_or_one() {
    let issued = UnixTime(1_770_253_473);
    let platform = Platform::new(Product::Milan, [3; 32]).with_vlek("CN=simulated").with_issued(issued);
    let (processor, _) = report_of(platform);
    for (key, years) in [(SigningKey::Vcek, 7), (SigningKey::Vlek, 1)] {
        let certificate = parsed(&processor.endorsement_certificate(key).unwrap());
        let validity = certificate.tbs_certificate().validity();
        assert_eq!(validity.not_before.to_unix_duration().as_secs(), issued.0);
        assert_eq!(validity.not_after.to_unix_duration().as_secs(), issued.plus_years(years).0);
    }
}

#[test]
fn only_older_certificates_spell_out_the_trailer_field() {
    let parameters = |der: &[u8]| parsed(der).signature_algorithm().parameters.as_ref().unwrap().to_der().unwrap();
    let spelled_out = |der: &[u8]| parameters(der).ends_with(&[0xa3, 3, 2, 1, 1]);
    for product in Product::ALL {
        assert!(spelled_out(&Authority::new(product).certificate(Role::Ask).unwrap()));
        let (processor, _) = report_of(Platform::new(product, [3; 32]));
        let vcek = processor.endorsement_certificate(SigningKey::Vcek).unwrap();
        assert_eq!(spelled_out(&vcek), product == Product::Milan);
    }
}

#[test]
fn the_certificate_follows_the_reported_tcb() {
    let current = Platform::new(Product::Milan, [3; 32]);
    let reported_tcb = Tcb { microcode: 0x73, ..current.current_tcb };
    let lagging = Platform { reported_tcb, ..current.clone() };
    let microcode = |platform: Platform| {
        let (processor, _) = report_of(platform);
        let vcek = parsed(&processor.endorsement_certificate(SigningKey::Vcek).unwrap());
        extension(&vcek, &format!("{AMD}.3.8"))
    };
    assert_eq!(microcode(lagging), Some(vec![2, 1, 0x73]));
    assert_eq!(microcode(current), Some(vec![2, 2, 0, 219]));
}

#[test]
fn the_table_of_certificates_has_the_chain_in_order() {
    let (processor, _) = report_of(Platform::new(Product::Turin, [3; 32]));
    let bytes = processor.certificate_table().unwrap();
    let table = CertTable::parse(&bytes).unwrap();
    let guids: Vec<_> = table.iter().map(|(guid, _)| guid).collect();
    assert_eq!(guids, [cert_table::VCEK, cert_table::ASK, cert_table::ARK]);
    let ark = Authority::new(Product::Turin).certificate(Role::Ark).unwrap();
    assert_eq!(table.get(cert_table::ARK), Some(ark.as_slice()));
}

#[test]
fn a_revocation_list_names_its_serial_numbers() {
    let authority = Authority::new(Product::Genoa);
    let list = RevocationList {
        number: 4,
        this_update: UnixTime(1_770_000_000),
        next_update: UnixTime(1_780_000_000),
        revoked: vec![(authority.serial_number(Role::Ask), UnixTime(1_769_000_000))],
    };
    let der = list.sign(&authority).unwrap();
    let parsed = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).unwrap();
    assert_eq!(parsed.to_der().unwrap(), der);
    let revoked = parsed.tbs_cert_list.revoked_certificates.unwrap();
    assert_eq!(revoked[0].serial_number.as_bytes(), [2, 0, 2]);
    assert!(parsed.tbs_cert_list.issuer.to_string().contains("SIMULATED ARK-Genoa"));

    let empty = RevocationList { revoked: Vec::new(), ..list };
    let der = empty.sign(&authority).unwrap();
    let parsed = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).unwrap();
    assert_eq!(parsed.tbs_cert_list.revoked_certificates, None);
}
