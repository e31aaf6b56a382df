// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tamper sweeps over the world's evidence: a thousand single-bit changes of what is signed, none of them believed; and
//! truncations, none of which panics.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use evtpm_crypto::{EccCurve, EccPoint};
use evtpm_evidence::hcl::{HardwareReport, HclReport};
use evtpm_evidence::jwk::{Jwk, JwkKey};
use evtpm_evidence::{cca, cose, nitro, psa, quote, spdm, uvm};
use evtpm_logs::{HashId, PcrSet};

use crate::recorded::evidence;
use crate::snp::{self, Anchors, Collateral, EndorsementKey};
use crate::tpm::{Issued, QuoteEvidence, Selection, TrustedAk};
use crate::x509::{Certificate, PublicKey};
use crate::{UnixTime, azure, dcap, endorsement};

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
    sweep_part(name, original, 0..bytes, accepted);
}

/// The same for a part of the bytes.
fn sweep_part(name: &str, original: &[u8], part: Range<usize>, accepted: impl Fn(&[u8]) -> bool) {
    assert!(accepted(original), "{name}: the original is refused");
    for n in 0..CHANGES {
        let bit = part.start * 8 + n * 7919 % (part.len() * 8);
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

/// The keys that an item has for its token: JWKs, alone or in a list of platforms.
fn jwks(kind: &str, item: &str) -> Vec<PublicKey> {
    #[derive(serde::Deserialize)]
    struct Named {
        pkey: Jwk,
    }
    let Some(folder) = evidence().map(|root| root.join(kind).join(item)) else { return Vec::new() };
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let keys = files.flat_map(|json| match serde_json::from_slice::<Vec<Named>>(&json) {
        Ok(list) => list.into_iter().map(|named| named.pkey).collect(),
        Err(_) => serde_json::from_slice::<Jwk>(&json).into_iter().collect::<Vec<_>>(),
    });
    let public = |key: Jwk| match key.key() {
        Ok(JwkKey::Ecc { curve, x, y }) => {
            let curve = if curve == "P-256" { EccCurve::P256 } else { EccCurve::P384 };
            Some(EccPoint::new(curve, &x, &y).unwrap())
        }
        _ => None,
    };
    keys.filter_map(public).map(PublicKey::Ecc).collect()
}

#[test]
fn no_token_of_a_realm_survives_a_flipped_bit() {
    let (mut platforms, mut realms) = (0, 0);
    for (name, bytes) in files("arm-cca", "token.cbor") {
        let mut keys = jwks("arm-cca", &name);
        keys.extend(key("arm-cca", &name, "cca_platform_pub.pem"));
        let token = cca::Token::parse(&bytes).unwrap();
        // A list may name keys that did not sign.
        let signed = |key: &&PublicKey| crate::cca::verify_platform(&token, key, "key").is_ok();
        let key = keys.iter().find(signed).unwrap_or_else(|| panic!("{name}: no key of it"));
        let verified = |bytes: &[u8], with_realm: bool| {
            let Ok(token) = cca::Token::parse(bytes) else { return false };
            crate::cca::verify_platform(&token, key, "key")
                .is_ok_and(|platform| !with_realm || crate::cca::verify_realm(&token, &platform).is_ok())
        };
        if verified(&bytes, true) {
            sweep(&name, &bytes, bytes.len(), |bytes| verified(bytes, true));
            realms += 1;
        }
        // The platform's token alone: where it lies in the whole.
        let signed = token.platform.envelope.signature();
        let end = position(&bytes, signed) + signed.len();
        let payload = token.platform.envelope.payload();
        let start = position(&bytes, payload);
        sweep_part(&name, &bytes, start..end, |bytes| verified(bytes, false));
        platforms += 1;
    }
    assert!(platforms == 0 || (platforms >= 4 && realms >= 3), "{platforms} platforms, {realms} realms");
}

fn position(whole: &[u8], part: &[u8]) -> usize {
    whole.windows(part.len()).position(|window| window == part).unwrap()
}

/// An item of Azure with an SEV-SNP report that its VCEK vouches for.
struct Azure {
    name: String,
    hcl: Vec<u8>,
    vcek: Certificate,
    collateral: Collateral,
    at: UnixTime,
}

fn azure_items() -> Vec<Azure> {
    let vceks: Vec<_> = files("az-vtpm", "vcek.pem").into_iter().chain(files("az-vtpm", "vcek.der")).collect();
    let items = files("az-vtpm", "hcl-report.bin").into_iter().filter_map(|(name, hcl)| {
        let (_, vcek) = vceks.iter().find(|(item, _)| *item == name)?;
        let mut collateral = Collateral::new();
        collateral.add_certificates(vcek).unwrap();
        let at = UnixTime(collateral.endorsement_keys_begin().unwrap().0 + 24 * 60 * 60);
        let vcek = Certificate::all_from(vcek).unwrap().into_iter().find(|it| it.common_name() == "SEV-VCEK")?;
        Some(Azure { name, hcl, vcek, collateral, at })
    });
    // One item has the certificate of another chip.
    items.filter(|item| item.key(&item.hcl, &item.endorsement_key()).is_some()).collect()
}

impl Azure {
    /// Verifies the chip's certificate, which the sweeps leave alone.
    fn endorsement_key(&self) -> EndorsementKey {
        EndorsementKey::verify(&self.vcek, &self.collateral, &Anchors::amd().unwrap(), self.at).unwrap()
    }

    /// Follows the chain: report, claims, key.
    fn key(&self, hcl: &[u8], vcek: &EndorsementKey) -> Option<TrustedAk> {
        let hcl = HclReport::parse(hcl).ok()?;
        let HardwareReport::Snp(report) = hcl.report else { return None };
        azure::bind_snp(&hcl, snp::verify_with(report, vcek, self.at).ok()?).ok()
    }
}

#[test]
fn no_report_and_no_claim_of_azures_paravisor_survives_a_flipped_bit() {
    let mut verified = 0;
    for item in azure_items() {
        let hcl = HclReport::parse(&item.hcl).unwrap();
        let HardwareReport::Snp(report) = hcl.report else { continue };
        let vcek = item.endorsement_key();
        let (report, claims) = (position(&item.hcl, report), position(&item.hcl, hcl.runtime_claims));
        let claims = claims..claims + hcl.runtime_claims.len();
        // What the chip signs, and r and s; the rest of the signature's field has to be zeros.
        sweep_part(&item.name, &item.hcl, report..report + 0x2a0 + 512, |bytes| item.key(bytes, &vcek).is_some());
        sweep_part(&item.name, &item.hcl, claims, |bytes| item.key(bytes, &vcek).is_some());
        verified += 1;
    }
    assert!(verified == 0 || verified >= 3, "{verified}");
}

#[test]
fn no_quote_by_azures_key_survives_a_flipped_bit() {
    #[derive(serde::Deserialize)]
    struct Stored {
        message: String,
        signature: String,
        pcrs_sha256: Vec<String>,
    }
    let mut verified = 0;
    let quotes = files("az-vtpm", "tpm-quote.json");
    for item in azure_items() {
        let Some((_, quote)) = quotes.iter().find(|(name, _)| *name == item.name) else { continue };
        let quote: Stored = serde_json::from_slice(quote).unwrap();
        let key = item.key(&item.hcl, &item.endorsement_key()).unwrap();
        let bytes = |text: &String| hex::decode(text).unwrap();
        let (message, signature) = (bytes(&quote.message), bytes(&quote.signature));
        let values: Vec<_> = quote.pcrs_sha256.iter().map(bytes).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let signature = [&[0, 0x14, 0, 0x0b], (signature.len() as u16).to_be_bytes().as_slice(), &signature].concat();
        // TPMS_ATTEST: magic, type, the signer's name, then the qualifying data; each with its length.
        let signer = usize::from(message[7]);
        let nonce = &message[10 + signer..10 + signer + usize::from(message[9 + signer])];
        let asked = Selection::new().with(HashId::SHA256, PcrSet::from_mask(0x00FF_FFFF).unwrap()).unwrap();
        let accepted = |message: &[u8], signature: &[u8]| {
            let evidence = QuoteEvidence { message, signature, values: &values };
            key.verify(evidence, Issued::recorded(nonce), &asked, item.at).is_ok()
        };
        sweep(&item.name, &message, message.len(), |message| accepted(message, &signature));
        sweep(&item.name, &signature, signature.len(), |signature| accepted(&message, signature));
        verified += 1;
    }
    assert!(verified == 0 || verified >= 2, "{verified}");
}

#[test]
fn no_claim_below_a_quote_of_azures_survives_a_flipped_bit() {
    for (name, hcl) in files("az-vtpm", "hcl-report.bin") {
        let Some((_, quote)) = files("az-vtpm", "td-quote.bin").into_iter().find(|(item, _)| *item == name) else {
            continue;
        };
        let (quote, _) = quote::Quote::parse_prefix(&quote).unwrap();
        let at = begin(&dcap::pck_chain(&quote).unwrap());
        let quote = dcap::verify(&quote, &[], at).unwrap();
        let parsed = HclReport::parse(&hcl).unwrap();
        let start = position(&hcl, parsed.runtime_claims);
        sweep_part(&name, &hcl, start..start + parsed.runtime_claims.len(), |bytes| {
            HclReport::parse(bytes).is_ok_and(|hcl| azure::bind_tdx(&hcl, quote.clone()).is_ok())
        });
    }
}

#[test]
fn no_endorsement_of_a_launch_survives_a_flipped_bit() {
    for (name, bytes) in files("snp", "uvm_reference_info.cose") {
        let parsed = uvm::Endorsement::parse(&bytes).unwrap();
        let chain = parsed.envelope.x5chain().unwrap();
        let leaf = Certificate::from_der(chain[0]).unwrap();
        let (issuer, at) = (parsed.issuer.to_owned(), UnixTime(leaf.validity().0.0 + 24 * 60 * 60));
        endorsement::verify(&parsed, &issuer, at).unwrap();
        // The chain was verified above; the sweep costs one signature for each change.
        let key = leaf.public_key().unwrap();
        let accepted = |bytes: &[u8]| {
            uvm::Endorsement::parse(bytes)
                .is_ok_and(|parsed| crate::cose::check("endorsement", &parsed.envelope, &key, "leaf").is_ok())
        };
        let payload = position(&bytes, parsed.envelope.payload());
        sweep_part(&name, &bytes, payload..payload + parsed.envelope.payload().len(), accepted);
        let signature = position(&bytes, parsed.envelope.signature());
        sweep_part(&name, &bytes, signature..signature + parsed.envelope.signature().len(), accepted);
        // The protected header has the chain; behind it stands what is not signed, and not looked at.
        let last = chain.last().unwrap();
        sweep_part(&name, &bytes, 8..position(&bytes, last) + last.len(), accepted);
    }
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
    let cases: [(&str, &str, Parses); 6] = [
        ("dcap", "quote.bin", |bytes| quote::Quote::parse(bytes).is_ok()),
        ("nitro", "document.cbor", |bytes| nitro::Document::parse(bytes).is_ok()),
        ("nvidia", "spdm-report.bin", |bytes| spdm::Report::parse(bytes).is_ok()),
        ("arm-cca", "token.cbor", |bytes| cca::Token::parse(bytes).is_ok()),
        ("arm-psa", "token.cbor", |bytes| psa::Token::parse(bytes).is_ok()),
        ("snp", "uvm_reference_info.cose", |bytes| uvm::Endorsement::parse(bytes).is_ok()),
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

#[test]
fn a_paravisors_report_that_was_cut_says_nothing_else_than_the_whole() {
    for (name, bytes) in files("az-vtpm", "hcl-report.bin") {
        let whole = HclReport::parse(&bytes).unwrap().runtime_claims;
        for length in 0..bytes.len() {
            let cut = HclReport::parse(&bytes[..length]);
            // What follows the claims is padding, of which any part may be missing.
            assert!(cut.is_err() || cut.unwrap().runtime_claims == whole, "{name}: {length}");
        }
    }
}
