// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `az-vtpm`: Azure's confidential VMs: a hardware report that commits to the paravisor's claims, the attestation key inside
//! of them, and a quote by that key.

use anyhow::Result;
use evtpm_crypto::HashAlg;
use evtpm_evidence::hcl::{HardwareReport, HclReport, RuntimeClaims};
use evtpm_evidence::quote::Quote as TdQuote;
use evtpm_logs::HashId;
use evtpm_verify::tpm::{SignatureScheme, TrustedAk};
use evtpm_verify::{UnixTime, azure, dcap};
use serde::Deserialize;

use super::tpm_quote::{Clock, Recorded, Said, Selected, every_register, own_nonce, rsassa_sha256};
use super::{DAY, snp as snp_check};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Expectation, Item, Store};
use crate::keys;
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    hcl_type: Option<String>,
    hcl_header_version: Option<u32>,
    runtime_claims_len: Option<usize>,
    keys: Option<Vec<String>>,
    report_data_binds_claims: Option<bool>,
    snp: Option<Expectation<snp_check::Expect>>,
    td_quote: Option<ExpectedTdQuote>,
    tpm_quote: Option<ExpectedQuote>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTdQuote {
    version: u16,
    signature: String,
    fmspc: Option<String>,
    report_data: Option<String>,
    equals_tdreport_reportdata: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedQuote {
    signature: String,
    qualifying_data: Option<String>,
    pcr_selection: Option<Selected>,
    pcr_digest: Option<String>,
    pcr_digest_matches: Option<bool>,
    clock_info: Option<Clock>,
    firmware_version: Option<String>,
}

/// `tpm-quote.json`.
#[derive(Debug, Deserialize)]
struct StoredQuote {
    message: String,
    signature: String,
    pcrs_sha256: Vec<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let Some(hcl) = findings.accepted("HCL report", HclReport::parse(store.stem("hcl-report")?)) else {
        return Ok(());
    };
    compare(&hcl, &expect, store, findings)?;
    let key = match &hcl.report {
        HardwareReport::Snp(report) => check_snp(&hcl, *report, &expect, store, findings)?,
        HardwareReport::Tdx(_) => check_tdx(&hcl, &expect, store, findings)?,
    };
    match (&key, &expect.tpm_quote) {
        (Some(key), Some(expected)) => check_quote(key, expected, store, findings)?,
        (None, Some(expected)) => {
            findings.not_checkable("whose key signed the TPM quote: nothing vouches for the claims here");
            check_quote(&claimed_key(&hcl)?, expected, store, findings)?;
        }
        (_, None) => {}
    }
    if let (Some(key), Some(message)) = (&key, store.find("foreign-quote.msg")) {
        let signature = rsassa_sha256(store.file("foreign-quote.sig")?)?;
        let foreign = recorded(message.to_vec(), signature, Vec::new())?;
        findings.refused("foreign quote", foreign.verify(key));
    }
    Ok(())
}

/// The attestation key that the claims name, which nothing vouches for.
fn claimed_key(hcl: &HclReport<'_>) -> Result<TrustedAk> {
    let claims = RuntimeClaims::parse(hcl.runtime_claims)?;
    let key = keys::public(claims.key("HCLAkPub")?)?;
    Ok(TrustedAk::named_key(&key, SignatureScheme::RsaSsa(HashAlg::Sha256))?)
}

fn compare(hcl: &HclReport<'_>, expect: &Expect, store: &Store, findings: &mut Findings) -> Result<()> {
    let (kind, report_data) = match &hcl.report {
        HardwareReport::Snp(report) => ("SNP", *evtpm_snp::Report::parse(*report)?.report_data()),
        HardwareReport::Tdx(report) => ("TDX", report.report_data()),
    };
    findings.equal_if("type", expect.hcl_type.as_ref(), &kind.to_owned());
    findings.equal_if("header version", expect.hcl_header_version.as_ref(), &hcl.header_version);
    findings.equal_if("length of the claims", expect.runtime_claims_len.as_ref(), &hcl.runtime_claims.len());
    let claims = RuntimeClaims::parse(hcl.runtime_claims)?;
    let kids = claims.keys.iter().filter_map(|key| key.kid.clone()).collect();
    findings.equal_if("keys", expect.keys.as_ref(), &kids);
    let bound = azure::check_claims(hcl, &report_data).is_ok();
    findings.equal_if("report data is the claims' digest", expect.report_data_binds_claims.as_ref(), &bound);
    if let Some(claims) = store.find("runtime-claims.json") {
        findings.holds("claims", claims == hcl.runtime_claims);
    }
    match (&hcl.report, store.find("report.bin"), store.find("tdreport.bin")) {
        (HardwareReport::Snp(report), Some(file), _) => findings.holds("hardware report", report.as_slice() == file),
        (HardwareReport::Tdx(report), _, Some(file)) => findings.holds("hardware report", report.as_bytes() == file),
        _ => {}
    }
    Ok(())
}

fn check_snp(
    hcl: &HclReport<'_>,
    report: &[u8],
    expect: &Expect,
    store: &Store,
    findings: &mut Findings,
) -> Result<Option<TrustedAk>> {
    let nothing = Expectation::default();
    let expected = expect.snp.as_ref().unwrap_or(&nothing);
    expected.note_others("snp.", findings);
    let expected = &expected.known;
    snp_check::check_report(report, expected, store, findings)?;
    let verified = snp_check::verified(report, store)?;
    if !expected.is_valid() {
        findings.refused("key by the report", verified);
        return Ok(None);
    }
    let verified = findings.accepted("report", verified);
    Ok(verified.and_then(|verified| findings.accepted("key by the report", azure::bind_snp(hcl, verified))))
}

fn check_tdx(
    hcl: &HclReport<'_>,
    expect: &Expect,
    store: &Store,
    findings: &mut Findings,
) -> Result<Option<TrustedAk>> {
    let Some(expected) = &expect.td_quote else {
        findings.not_checkable("the TD's report: the index has no quote of it");
        return Ok(None);
    };
    let (quote, _padding) = TdQuote::parse_prefix(store.file("td-quote.bin")?)?;
    findings.equal("quote version", &expected.version, &quote.version);
    findings.equal_if("quote's report data", expected.report_data.as_ref(), &hex(&quote.report_data()));
    if let HardwareReport::Tdx(report) = &hcl.report {
        let same = report.report_data() == quote.report_data();
        findings.equal_if("quote is about the TDREPORT", expected.equals_tdreport_reportdata.as_ref(), &same);
    }
    let chain = dcap::pck_chain(&quote)?;
    let begin = chain.iter().map(|certificate| certificate.validity().0.0).max().unwrap_or(0);
    let verdict = findings.verdict("quote", &expected.signature, dcap::verify(&quote, &[], UnixTime(begin + DAY)));
    let Some(verified) = verdict else { return Ok(None) };
    findings.equal_if("fmspc", expected.fmspc.as_ref(), &hex(&verified.platform.fmspc));
    Ok(findings.accepted("key by the quote", azure::bind_tdx(hcl, verified)))
}

fn recorded(message: Vec<u8>, signature: Vec<u8>, values: Vec<Vec<u8>>) -> Result<Recorded> {
    let nonce = own_nonce(&message)?;
    Ok(Recorded { message, signature, selection: every_register(HashId::SHA256)?, values, nonce })
}

fn check_quote(key: &TrustedAk, expect: &ExpectedQuote, store: &Store, findings: &mut Findings) -> Result<()> {
    let stored: StoredQuote = store.json("tpm-quote.json")?;
    let values = stored.pcrs_sha256.iter().map(::hex::decode).collect::<Result<_, _>>()?;
    let quote = recorded(::hex::decode(&stored.message)?, rsassa_sha256(&::hex::decode(&stored.signature)?)?, values)?;
    findings.equal_if("qualifying data", expect.qualifying_data.as_ref(), &hex(&quote.nonce));
    let Some(verified) = findings.verdict("TPM quote", &expect.signature, quote.verify(key)) else { return Ok(()) };
    quote.check_tampered("TPM quote", key, findings);
    findings.equal_if("pcr digest matches", expect.pcr_digest_matches.as_ref(), &true);
    let said = Said {
        pcr_selection: expect.pcr_selection.as_ref(),
        pcr_digest: expect.pcr_digest.as_ref(),
        clock_info: expect.clock_info.as_ref(),
        firmware_version: expect.firmware_version.as_ref(),
    };
    said.compare(&verified, &quote.message, findings);
    Ok(())
}
