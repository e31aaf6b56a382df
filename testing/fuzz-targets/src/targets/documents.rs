// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What vendors publish and agents wrap: Hygon's evidence, NVIDIA's manifests, Intel's documents, keys as JSON, kernels.

use evtpm_crypto::HashAlg;
use evtpm_evidence::csv::{AuthorityCertificate, Evidence, PlatformCertificate, Report, Version};
use evtpm_evidence::go_tpm_tools::{Attestation, CertifiedBlob, LaunchEndorsement};
use evtpm_evidence::jwk::Jwk;
use evtpm_evidence::pcs::{Facts, Levels};
use evtpm_evidence::rim::Manifest;
use evtpm_logs::ima::{BinaryList, Entry, Stream};
use evtpm_measure::boot::authenticode;
use evtpm_verify::gce::Instance;

use crate::seeds::evidence;

/// Reads Hygon's structures, and what the agent's JSON has of them.
pub(super) fn csv_report(input: &[u8]) -> bool {
    if let Ok(evidence) = Evidence::parse(input) {
        return csv_report(&evidence.page) | csv_report(&evidence.platform);
    }
    let certificates = [AuthorityCertificate::parse(input).is_ok(), PlatformCertificate::parse(input).is_ok()];
    let reports = [Version::V1, Version::V2].map(|version| {
        let Ok(report) = Report::parse(version, input) else { return false };
        let platform = report.platform_certificate();
        let verdict = PlatformCertificate::parse(&platform)
            .map(|platform| evtpm_verify::csv::check_signature(&report, &platform).is_ok());
        // Nobody signs what a fuzzer makes; the recorded report is a seed, and its signature is good.
        verdict.is_ok() && report.measurement().len() == 32 && report.serial_number().len() <= 64
    });
    certificates.contains(&true) || reports.contains(&true)
}

pub(super) fn csv_report_seeds() -> Vec<Vec<u8>> {
    let mut certificate = vec![0; PlatformCertificate::SIZE];
    certificate[0] = 1;
    certificate[8..20].copy_from_slice(&[2, 0x10, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0]);
    let report = [vec![0; 0x150], certificate.clone(), vec![0; 128]].concat();
    let mut seeds = vec![certificate, report];
    seeds.extend(evidence("csv", ".json"));
    seeds
}

/// Reads a manifest and checks what it says of itself.
pub(super) fn rim(input: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(input) else { return false };
    let _verdict = evtpm_verify::rim::check_signature(&manifest);
    true
}

pub(super) fn rim_seeds() -> Vec<Vec<u8>> {
    let algorithm = |name: &str, uri: &str| format!("<{name} Algorithm=\"{uri}\"/>");
    let c14n = "http://www.w3.org/2006/12/xml-c14n11";
    let signed = [
        algorithm("CanonicalizationMethod", c14n),
        algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"),
        "<Reference URI=\"\"><Transforms>".to_owned(),
        algorithm("Transform", "http://www.w3.org/2000/09/xmldsig#enveloped-signature"),
        algorithm("Transform", c14n),
        "</Transforms>".to_owned(),
        algorithm("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#sha384"),
        "<DigestValue>AAAA</DigestValue></Reference>".to_owned(),
    ]
    .concat();
    let resource = "<Resource type=\"Measurement\" index=\"0\" active=\"True\" alternatives=\"1\" \
                    h:Hash0=\"00ff\" xmlns:h=\"http://www.w3.org/2001/04/xmlenc#sha384\"/>";
    let text = format!(
        "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" name=\"a &amp; b\">\
         <Meta colloquialVersion=\"1\"/><Payload>{resource}</Payload>\
         <Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo>{signed}</SignedInfo>\
         <SignatureValue>AAAA</SignatureValue><KeyInfo><X509Data/></KeyInfo></Signature></SoftwareIdentity>"
    );
    let mut seeds = vec![text.into_bytes()];
    seeds.extend(evidence("nvidia-rim", ".xml"));
    seeds
}

/// Reads Intel's documents.
pub(super) fn intel_document(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    [Facts::parse(text).is_ok(), Levels::parse(text).is_ok()].contains(&true)
}

pub(super) fn intel_document_seeds() -> Vec<Vec<u8>> {
    let facts = r#"{"id":"QE","issueDate":"2026-01-01T00:00:00Z","nextUpdate":"2026-02-01T00:00:00Z","tcbEvaluationDataNumber":17}"#;
    let mut seeds = vec![facts.as_bytes().to_vec()];
    seeds.extend(evidence("dcap-collateral", ".json"));
    seeds
}

/// Reads a key.
pub(super) fn jwk(input: &[u8]) -> bool {
    Jwk::parse(input).is_ok_and(|key| key.key().is_ok())
}

pub(super) fn jwk_seeds() -> Vec<Vec<u8>> {
    let number = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";
    let elliptic = format!(r#"{{"kty":"EC","crv":"P-256","x":"{number}","y":"{number}"}}"#);
    vec![elliptic.into_bytes(), format!(r#"{{"kty":"RSA","n":"{number}","e":"AQAB"}}"#).into_bytes()]
}

/// Hashes an image as firmware does.
pub(super) fn pe_image(input: &[u8]) -> bool {
    authenticode(input, HashAlg::Sha256).is_ok()
}

/// The smallest image: headers, one section, no certificates.
pub(super) fn pe_image_seeds() -> Vec<Vec<u8>> {
    let mut image = vec![0; 0x400];
    image[..2].copy_from_slice(b"MZ");
    image[0x3C] = 0x40;
    image[0x40..0x44].copy_from_slice(b"PE\0\0");
    // One section, optional header of 240 bytes, PE32+, headers of 512 bytes, 16 directories.
    image[0x46] = 1;
    image[0x54] = 240;
    image[0x58..0x5A].copy_from_slice(&[0x0B, 0x02]);
    image[0x58 + 60..0x58 + 64].copy_from_slice(&[0, 2, 0, 0]);
    image[0x58 + 108] = 16;
    let section = 0x58 + 240;
    image[section + 16..section + 24].copy_from_slice(&[0, 2, 0, 0, 0, 2, 0, 0]);
    vec![image]
}

/// A list that comes in pieces is read like the whole.
pub(super) fn ima_stream(input: &[u8]) -> bool {
    let Some((step, list)) = input.split_first() else { return false };
    let seen = |entry: &Entry<'_>| (entry.pcr, entry.fields().map(|(_, field)| field.to_vec()).collect::<Vec<_>>());
    let whole: Vec<_> = BinaryList::new(list).map_while(Result::ok).map(|entry| seen(&entry)).collect();
    let (mut stream, mut streamed) = (Stream::new(), Vec::new());
    let is_good = list.chunks(usize::from(*step).max(1)).try_for_each(|piece| {
        stream.feed(piece, |entry| {
            streamed.push(seen(entry));
            Ok(())
        })
    });
    assert_eq!(streamed, whole);
    is_good.is_ok() && stream.finish().is_ok() && !whole.is_empty()
}

pub(super) fn ima_stream_seeds() -> Vec<Vec<u8>> {
    super::logs::ima_binary_seeds().into_iter().map(|list| [vec![7], list].concat()).collect()
}

/// Takes an attestation of go-tpm-tools apart, or another of its messages.
pub(super) fn go_tpm_tools(input: &[u8]) -> bool {
    let is_other = CertifiedBlob::parse(input).is_ok() || LaunchEndorsement::parse(input).is_ok();
    let Ok(attestation) = Attestation::parse(input) else { return is_other };
    let values: usize = attestation.quotes.iter().flat_map(|quote| &quote.values).map(|(_, value)| value.len()).sum();
    assert!(values <= input.len());
    true
}

/// A key, a quote with one value, and a report whose fields have their sizes.
pub(super) fn go_tpm_tools_seeds() -> Vec<Vec<u8>> {
    let field = |number: usize, bytes: &[u8]| {
        let [tag, length] = [number << 3 | 2, bytes.len()].map(|n| [(n & 0x7F | 0x80) as u8, (n >> 7) as u8]);
        [tag.as_slice(), &length, bytes].concat()
    };
    let registers = [[8, 11].as_slice(), &field(2, &field(2, &[0xAA; 32]))].concat();
    let quote = [field(1, b"attest"), field(2, b"signature"), field(3, &registers)].concat();
    let attestation = [field(1, &[0, 0x23, 0, 0x0B]), field(2, &quote), field(3, b"log")].concat();
    let sizes =
        [(4, 16), (5, 16), (11, 64), (12, 48), (13, 32), (14, 48), (15, 48), (16, 32), (17, 32), (19, 64), (28, 512)];
    let report: Vec<u8> = sizes.iter().flat_map(|(number, size)| field(*number, &vec![7; *size])).collect();
    let hardware = field(1, &[[8, 2].as_slice(), &report].concat());
    let around = [field(1, &attestation), field(2, &hardware), field(3, b"manifest"), field(4, b"0")].concat();
    let td = [attestation.clone(), field(9, &td_quote(&field))].concat();
    let endorsement = include_bytes!("../../../vectors/gce-endorsement/endorsement.bin").to_vec();
    let certified = [field(1, b"public"), field(2, b"attest"), field(3, b"signature")].concat();
    vec![attestation, around, td, endorsement, certified]
}

/// A TD's quote whose fields have their sizes.
fn td_quote(field: &impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let members = |sizes: &[(usize, usize)]| -> Vec<u8> {
        sizes.iter().flat_map(|(number, size)| field(*number, &vec![7; *size])).collect()
    };
    let header = members(&[(4, 2), (5, 2), (6, 16), (7, 20)]);
    let (front, registers) = ([(1, 16), (2, 48), (3, 48), (4, 8), (5, 8), (6, 8)], [(11, 48); 4]);
    let body = [members(&front), members(&[(7, 48), (8, 48), (9, 48), (10, 48)]), members(&registers)].concat();
    let body = [body, members(&[(12, 64)])].concat();
    let report = members(&[(1, 16), (3, 28), (4, 16), (5, 32), (6, 32), (7, 32), (8, 96), (11, 60), (12, 64)]);
    let quoting = [field(1, &report), members(&[(2, 64)]), field(3, b""), field(4, b"")].concat();
    let signed = [members(&[(1, 64), (2, 64)]), field(3, &field(3, &quoting))].concat();
    [field(1, &header), field(2, &body), field(4, &signed)].concat()
}

/// Reads the instance in a certificate of Google's.
pub(super) fn gce_instance(input: &[u8]) -> bool {
    let Ok(instance) = Instance::parse(input) else { return false };
    assert!(instance.zone.len() + instance.project_id.len() + instance.instance_name.len() < input.len());
    true
}

/// Zone, project, instance, and something behind them.
pub(super) fn gce_instance_seeds() -> Vec<Vec<u8>> {
    vec![b"\x30\x10\x0c\x01z\x02\x01\x05\x0c\x01p\x02\x01\x07\x0c\x01n\xa0".to_vec()]
}
