// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `nitro`: attestation documents of AWS Nitro enclaves, and the root that they end in.

use anyhow::Result;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_evidence::nitro::Document;
use evtpm_verify::UnixTime;
use evtpm_verify::nitro::{made, verify};
use evtpm_verify::x509::Certificate;
use serde::Deserialize;

use super::{DAY, moment, shown};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    signature: Option<String>,
    chain: Option<bool>,
    root_is_aws_g1: Option<bool>,
    timestamp: Option<String>,
    leaf_validity: Option<(String, String)>,
    pcr0: Option<String>,
    debug: Option<bool>,
    user_data_len: Option<usize>,
    nonce_len: Option<usize>,
    public_key_len: Option<usize>,
    sha256: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    if let Some(expected) = &expect.sha256 {
        check_root(expected, store, findings)?;
    }
    let Some(bytes) = store.files().find(|(name, _)| !name.ends_with(".pem")).map(|(_, bytes)| bytes) else {
        return Ok(());
    };
    let Some(document) =
        findings.read("document", expect.signature.as_deref().unwrap_or("valid"), Document::parse(bytes))
    else {
        return Ok(());
    };
    compare(&document, &expect, findings)?;

    let at = made(&document);
    let good = expect.chain.unwrap_or(true) && expect.root_is_aws_g1.unwrap_or(true);
    let expected = if good { expect.signature.as_deref().unwrap_or("valid") } else { "INVALID" };
    findings.verdict("signature up to AWS's root, when it was made", expected, verify(&document, at));
    findings.refused("signature a day later", verify(&document, UnixTime(at.0 + DAY)));
    Ok(())
}

fn compare(document: &Document<'_>, expect: &Expect, findings: &mut Findings) -> Result<()> {
    if let Some(expected) = &expect.timestamp {
        findings.equal("time", &moment(expected)?, &made(document));
    }
    let (from, until) = Certificate::from_der(document.certificate)?.validity();
    findings.equal_if("validity of the signer", expect.leaf_validity.as_ref(), &(shown(from), shown(until)));
    let root = document.cabundle.first().map(|root| RustCrypto::hash(HashAlg::Sha256, &[root]));
    let is_pinned = root.is_some_and(|root| root.as_bytes() == evtpm_roots::AWS_NITRO_G1.sha256);
    findings.equal_if("root", expect.root_is_aws_g1.as_ref(), &is_pinned);
    findings.equal_if("PCR 0", expect.pcr0.as_ref(), &document.pcr(0).map(hex).unwrap_or_default());
    findings.equal_if("debug", expect.debug.as_ref(), &document.is_debug());
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    findings.equal_if("user data", expect.user_data_len.as_ref(), &length(document.user_data));
    findings.equal_if("nonce", expect.nonce_len.as_ref(), &length(document.nonce));
    findings.equal_if("public key", expect.public_key_len.as_ref(), &length(document.public_key));
    Ok(())
}

fn check_root(expected: &str, store: &Store, findings: &mut Findings) -> Result<()> {
    for (name, bytes) in store.files().filter(|(name, _)| name.ends_with(".pem")) {
        for certificate in Certificate::all_from(bytes)? {
            let fingerprint = RustCrypto::hash(HashAlg::Sha256, &[certificate.der()]);
            findings.equal(name, expected, hex(fingerprint.as_bytes()).as_str());
            findings.holds("root is pinned", fingerprint.as_bytes() == evtpm_roots::AWS_NITRO_G1.sha256);
            findings.accepted("root signs itself", certificate.check_signed_by(&certificate));
        }
    }
    Ok(())
}
