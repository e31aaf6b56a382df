// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of NVIDIA's devices and their manifests, documents of AWS Nitro, and Hygon's CSV.

use std::sync::Arc;

use evtpm_evidence::csv::{Evidence, PlatformCertificate, Report as CsvReport};
use evtpm_evidence::rim::Manifest;
use evtpm_evidence::{cose, nitro as documents, spdm};

use super::{Item, Subject, begin, certificates};
use crate::x509::Certificate;
use crate::{csv as hygon, rim};

pub(super) fn nitro(item: &Item) -> Vec<Subject> {
    let Some(bytes) = item.file("document.cbor") else { return certificates::of_item(item) };
    let document = documents::Document::parse(bytes).unwrap();
    crate::nitro::verify(&document, crate::nitro::made(&document)).unwrap();
    // The chain was verified above; the sweep costs one signature for each change.
    let key = Certificate::from_der(document.certificate).unwrap().public_key().unwrap();
    vec![Subject::new(item.part("document.cbor"), bytes.to_vec(), move |bytes| {
        cose::Sign1::parse(bytes).is_ok_and(|message| crate::cose::check("document", &message, &key, "leaf").is_ok())
    })]
}

pub(super) fn nvidia(item: &Item) -> Vec<Subject> {
    let chain = Certificate::all_from(item.file("cert-chain.pem").unwrap()).unwrap();
    let bytes = item.file("spdm-report.bin").unwrap();
    let (report, rest) = spdm::Report::parse_prefix(bytes).unwrap();
    if crate::nvidia::verify(&report, &chain, begin(&chain)).is_err() {
        return Vec::new();
    }
    let leaf = chain[0].clone();
    let report = bytes[..bytes.len() - rest.len()].to_vec();
    let report = Subject::new(item.part("spdm-report.bin"), report, move |bytes| {
        spdm::Report::parse(bytes).is_ok_and(|report| crate::nvidia::check_signature(&report, &leaf).is_ok())
    });
    [report].into_iter().chain(certificates::below(item, &chain[..1], &chain)).collect()
}

/// All before the certificates, whose Base64 has room for changes that change nothing, and the signer's certificate.
///
/// White space between attributes, and inside of Base64, is no part of the canonical form.
pub(super) fn manifests(item: &Item) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (name, bytes) in &item.files {
        let original = Manifest::parse(bytes).unwrap();
        let Ok(chain) = rim::check_signature(&original) else { continue };
        if rim::check_chain(&chain, begin(&chain)).is_err() {
            continue;
        }
        let end = super::position(bytes, b"<ds:X509Data").start;
        let original = Arc::new(original);
        let believes =
            |bytes: &[u8]| Manifest::parse(bytes).is_ok_and(|manifest| rim::check_signature(&manifest).is_ok());
        let is_same = move |bytes: &[u8]| Manifest::parse(bytes).is_ok_and(|manifest| manifest == *original);
        let subject = Subject::new(item.part(name), bytes.clone(), believes).in_part(0..end);
        subjects.push(Subject { is_same: Some(Box::new(is_same)), ..subject });
        subjects.extend(certificates::below(item, &chain[..1], &chain));
    }
    subjects
}

/// The report by the key beside it: the item lacks what is above that key.
pub(super) fn csv(item: &Item) -> Vec<Subject> {
    let evidence = Evidence::parse(item.file("evidence.json").unwrap()).unwrap();
    let (page, version, platform) = (evidence.page.clone(), evidence.version, evidence.platform.clone());
    vec![
        Subject::new(item.part("report"), page, move |bytes| {
            let Ok(report) = CsvReport::parse(version, bytes) else { return false };
            hygon::check_signature(&report, &PlatformCertificate::parse(&platform).unwrap()).is_ok()
        })
        // What is signed, and r and s in the two fields behind it.
        .in_parts([0..0xB4, 0xC0..0xC0 + 144]),
    ]
}
