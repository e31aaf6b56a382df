// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel's documents beside a quote: collateral as `dcap-qvl` stores it, and answers of the service with their chains.

use anyhow::Result;
use evtpm_evidence::pcs::{Answer, Facts};
use evtpm_evidence::quote::Quote;
use evtpm_verify::UnixTime;
use evtpm_verify::dcap::{self, Collateral, SignedDocument, TcbStatus};
use evtpm_verify::x509::Certificate;
use serde::Deserialize;

use crate::evidence::checks::{DAY, moment};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Store, is_bad};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedCollateral {
    tcb_info: Option<ExpectedDocument>,
    qe_identity: Option<ExpectedDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedDocument {
    signature: bool,
    chain: bool,
    issue: String,
    next: String,
    eval: u32,
    id: String,
    fmspc: Option<String>,
}

fn stored(store: &Store) -> Result<Option<Collateral>> {
    store.find("collateral.json").map(crate::collateral::parse).transpose()
}

/// Returns a moment inside of the window of the collateral: an hour after the later of its documents was made.
fn moment_of(collateral: &Collateral) -> Result<UnixTime> {
    let moments = [collateral.tcb_info.facts()?.issue_date, collateral.qe_identity.facts()?.issue_date];
    let [tcb_info, qe_identity] = moments.map(|date| moment(&date));
    Ok(UnixTime(tcb_info?.0.max(qe_identity?.0) + 3600))
}

pub(super) fn check_collateral(
    quote: &Quote<'_>,
    expect: Option<&ExpectedCollateral>,
    notes: Option<&str>,
    store: &Store,
    findings: &mut Findings,
) -> Result<()> {
    let Some(collateral) = stored(store)? else {
        findings.holds("no collateral is expected", expect.is_none());
        return Ok(());
    };
    let at = moment_of(&collateral)?;
    if let Some(expect) = expect {
        compare("tcb info", &collateral.tcb_info, expect.tcb_info.as_ref(), at, findings)?;
        compare("qe identity", &collateral.qe_identity, expect.qe_identity.as_ref(), at, findings)?;
    }
    let verdict = dcap::verify_with_collateral(quote, &collateral, at);
    let Some(verified) = findings.accepted("quote with collateral", verdict) else { return Ok(()) };
    let status = match &verified.tcb {
        TcbStatus::Judged { status, .. } => status.as_str(),
        TcbStatus::BelowEveryLevel => "OutOfDate",
        TcbStatus::Unchecked => "Unchecked",
    };
    // The index has the origin's status in words: "expects TCB status UpToDate with no advisories".
    match notes.and_then(|notes| notes.split_once("TCB status ")) {
        Some((_, rest)) => {
            let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            findings.equal("tcb status", word, status);
        }
        None => findings.pass(&format!("tcb status {status}")),
    }
    let late = UnixTime(at.0 + 90 * DAY);
    findings.refused("quote with stale collateral", dcap::verify_with_collateral(quote, &collateral, late));
    Ok(())
}

fn compare(
    what: &str,
    document: &SignedDocument,
    expect: Option<&ExpectedDocument>,
    at: UnixTime,
    findings: &mut Findings,
) -> Result<()> {
    let Some(expect) = expect else { return Ok(()) };
    let facts = document.facts()?;
    findings.equal(&format!("{what}: signature"), &(expect.signature && expect.chain), &document.check(at).is_ok());
    findings.equal(&format!("{what}: issue"), &expect.issue, &facts.issue_date);
    findings.equal(&format!("{what}: next"), &expect.next, &facts.next_update);
    findings.equal(&format!("{what}: number"), &expect.eval, &facts.evaluation_data_number);
    findings.equal(&format!("{what}: id"), &expect.id, &facts.id);
    let fmspc = facts.fmspc.map(|fmspc| fmspc.to_ascii_lowercase());
    findings.equal(&format!("{what}: fmspc"), &expect.fmspc.as_ref().map(|fmspc| fmspc.to_ascii_lowercase()), &fmspc);
    Ok(())
}

/// Answers of the service: JSON with a document and a signature, by name or by what is in it.
fn answers(store: &Store) -> impl Iterator<Item = (&str, &[u8])> {
    store.files().filter(|(name, bytes)| {
        let is_named = name.starts_with("tcb_info") || name.starts_with("qe_identity");
        let is_answer = || str::from_utf8(bytes).is_ok_and(|text| Answer::parse(text).is_ok());
        name.ends_with(".json") && (is_named || is_answer())
    })
}

/// Chains of the key that signs answers: by name, or by whose certificate stands first.
fn signing_chains(store: &Store) -> Vec<(&str, &str)> {
    let is_chain = |name: &str, pem: &str| {
        let is_named = name.ends_with("certs.pem") || name.contains("certs_");
        let leads = || Certificate::all_from(pem.as_bytes()).is_ok_and(|chain| chain.first().is_some_and(is_signer));
        is_named || pem.contains("-----BEGIN CERTIFICATE-----") && leads()
    };
    let texts = store.files().filter_map(|(name, bytes)| Some((name, str::from_utf8(bytes).ok()?)));
    texts.filter(|(name, text)| is_chain(name, text)).collect()
}

/// Intel calls the key "Intel SGX TCB Signing".
fn is_signer(certificate: &Certificate) -> bool {
    certificate.common_name().ends_with("TCB Signing")
}

/// Checks answers against the chains of a signing key beside them, an hour after each was made: one of them has to lead
/// to its signer, and one whose name says that it is bad must not.
pub(in super::super) fn check_answers(store: &Store, findings: &mut Findings) -> Result<()> {
    let (bad, good): (Vec<_>, Vec<_>) = signing_chains(store).into_iter().partition(|(name, _)| is_bad(name));
    for (name, bytes) in answers(store) {
        let text = str::from_utf8(bytes)?;
        let Some(answer) = findings.accepted(name, Answer::parse(text)) else { continue };
        let facts = Facts::parse(answer.document);
        let Some(facts) = findings.accepted(&format!("facts of {name}"), facts) else { continue };
        let at = UnixTime(moment(&facts.issue_date)?.0 + 3600);
        let signature = hex::decode(&answer.signature)?;
        let check = |pem: &str| {
            let (text, signature) = (answer.document.to_owned(), signature.clone());
            SignedDocument { text, signature, issuer_chain: pem.to_owned() }.check(at)
        };
        for (chain, pem) in &bad {
            findings.refused(&format!("{name} by {chain}"), check(pem));
        }
        let verdicts = good.iter().map(|(chain, pem)| (chain, check(pem)));
        match verdicts.min_by_key(|(_, verdict)| verdict.is_err()) {
            Some((chain, verdict)) => {
                findings.accepted(&format!("{name} by {chain}"), verdict);
            }
            None => findings.not_checkable(&format!("{name}: the certificate of its signer is not in the item")),
        }
    }
    Ok(())
}
