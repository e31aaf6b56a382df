// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tamper sweeps over the world's evidence: a thousand single-bit changes of what is signed, none of them believed; and
//! truncations, none of which panics.

use std::fs;
use std::path::{Path, PathBuf};

use evtpm_evidence::{cca, cose, nitro, psa, quote, spdm};

use crate::recorded::evidence;
use crate::x509::{Certificate, PublicKey};
use crate::{UnixTime, dcap};

const CHANGES: usize = 1000;

/// Returns the files of a kind with this name, with the names of their items.
fn files(kind: &str, name: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = evidence() else { return Vec::new() };
    let mut items: Vec<PathBuf> = fs::read_dir(root.join(kind)).unwrap().map(|item| item.unwrap().path()).collect();
    items.sort();
    let item = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    items.iter().filter_map(|path| Some((item(path), fs::read(path.join(name)).ok()?))).collect()
}

/// Changes one bit a thousand times, spread over the first `bytes` bytes, and asks whether any change is accepted.
fn sweep(name: &str, original: &[u8], bytes: usize, accepted: impl Fn(&[u8]) -> bool) {
    assert!(accepted(original), "{name}: the original is refused");
    for n in 0..CHANGES {
        let bit = n * 7919 % (bytes * 8);
        let mut tampered = original.to_vec();
        tampered[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepted(&tampered), "{name}: bit {bit}");
    }
}

fn begin(chain: &[Certificate]) -> UnixTime {
    UnixTime(chain.iter().map(|certificate| certificate.validity().0.0).max().unwrap() + 24 * 60 * 60)
}

#[test]
fn no_quote_survives_a_flipped_bit() {
    let mut verified = 0;
    for (name, bytes) in files("dcap", "quote.bin") {
        let (parsed, _) = quote::Quote::parse_prefix(&bytes).unwrap();
        let Ok(chain) = dcap::pck_chain(&parsed) else { continue };
        let (at, whole) = (begin(&chain), parsed.bytes.len());
        // Everything before the certificates: PEM has room for changes that change nothing.
        let signed = whole - parsed.certification.data.len();
        sweep(&name, &bytes[..whole], signed, |bytes| {
            quote::Quote::parse(bytes).is_ok_and(|quote| dcap::verify(&quote, &[], at).is_ok())
        });
        verified += 1;
    }
    assert!(verified == 0 || verified >= 10, "{verified}");
}

#[test]
fn no_document_of_an_enclave_survives_a_flipped_bit() {
    for (name, bytes) in files("nitro", "document.cbor") {
        let document = nitro::Document::parse(&bytes).unwrap();
        let at = crate::nitro::made(&document);
        let leaf = Certificate::from_der(document.certificate).unwrap();
        crate::nitro::verify(&document, at).unwrap();
        // The chain was verified above; the sweep costs one signature for each change.
        let key = leaf.public_key().unwrap();
        sweep(&name, &bytes, bytes.len(), |bytes| {
            cose::Sign1::parse(bytes)
                .is_ok_and(|message| crate::cose::check("document", &message, &key, "leaf").is_ok())
        });
    }
}

#[test]
fn no_report_of_a_device_survives_a_flipped_bit() {
    for (name, bytes) in files("nvidia", "spdm-report.bin") {
        if name.contains("bad") {
            continue;
        }
        let chain = files("nvidia", "cert-chain.pem").into_iter().find(|(item, _)| *item == name).unwrap().1;
        let chain = Certificate::all_from(&chain).unwrap();
        let (report, rest) = spdm::Report::parse_prefix(&bytes).unwrap();
        crate::nvidia::verify(&report, &chain, begin(&chain)).unwrap();
        let whole = bytes.len() - rest.len();
        sweep(&name, &bytes[..whole], whole, |bytes| {
            spdm::Report::parse(bytes).is_ok_and(|report| crate::nvidia::check_signature(&report, &chain[0]).is_ok())
        });
    }
}

/// The spki of an item's PEM key.
fn key(kind: &str, item: &str, name: &str) -> Option<PublicKey> {
    let pem = fs::read(evidence()?.join(kind).join(item).join(name)).ok()?;
    PublicKey::from_spki(&pem).ok()
}

#[test]
fn no_token_of_a_realm_survives_a_flipped_bit() {
    let Some(key) = key("arm-cca", "tf-rmm", "cca_platform_pub.pem") else { return };
    let (name, bytes) = files("arm-cca", "token.cbor").into_iter().find(|(name, _)| name == "tf-rmm").unwrap();
    sweep(&name, &bytes, bytes.len(), |bytes| {
        let Ok(token) = cca::Token::parse(bytes) else { return false };
        crate::cca::verify_platform(&token, &key, "key")
            .is_ok_and(|platform| crate::cca::verify_realm(&token, &platform).is_ok())
    });
}

#[test]
fn no_psa_token_survives_a_flipped_bit() {
    for (name, bytes) in files("arm-psa", "token.cbor") {
        let key = key("arm-psa", &name, "public.pem").unwrap();
        sweep(&name, &bytes, bytes.len(), |bytes| {
            psa::Token::parse(bytes).is_ok_and(|token| crate::psa::verify(&token, &key, "key").is_ok())
        });
    }
}

#[test]
fn truncations_and_trailing_bytes_are_refused_without_a_panic() {
    type Parses = fn(&[u8]) -> bool;
    let cases: [(&str, &str, Parses); 5] = [
        ("dcap", "quote.bin", |bytes| quote::Quote::parse(bytes).is_ok()),
        ("nitro", "document.cbor", |bytes| nitro::Document::parse(bytes).is_ok()),
        ("nvidia", "spdm-report.bin", |bytes| spdm::Report::parse(bytes).is_ok()),
        ("arm-cca", "token.cbor", |bytes| cca::Token::parse(bytes).is_ok()),
        ("arm-psa", "token.cbor", |bytes| psa::Token::parse(bytes).is_ok()),
    ];
    for (kind, name, parses) in cases {
        for (item, bytes) in files(kind, name) {
            let whole = (0..=bytes.len()).rev().find(|length| parses(&bytes[..*length]));
            let whole = whole.unwrap_or_else(|| panic!("{kind}/{item}: no prefix parses"));
            assert!((0..whole).all(|length| !parses(&bytes[..length])), "{kind}/{item}: two prefixes parse");
            assert!(!parses(&[&bytes[..whole], &[0]].concat()), "{kind}/{item}: a trailing byte is accepted");
        }
    }
}
