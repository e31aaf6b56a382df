// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel's documents beside a quote: collateral as `dcap-qvl` stores it, and answers of the service with their chains.

use anyhow::{Context, Result};
use evtpm_evidence::pcs::{Answer, Facts};
use evtpm_evidence::quote::Quote;
use evtpm_verify::UnixTime;
use evtpm_verify::dcap::{self, Collateral, SignedDocument, TcbStatus};
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

/// Returns a moment inside of the window of the item's documents: an hour after the last of them was made.
pub(super) fn moment_of(store: &Store) -> Result<Option<UnixTime>> {
    let mut dates = Vec::new();
    if let Some(collateral) = stored(store)? {
        dates.push(collateral.tcb_info.facts()?.issue_date);
        dates.push(collateral.qe_identity.facts()?.issue_date);
    }
    for (name, bytes) in answers(store) {
        let answer = Answer::parse(std::str::from_utf8(bytes)?).with_context(|| name.to_owned())?;
        dates.push(Facts::parse(answer.document)?.issue_date);
    }
    let moments = dates.iter().map(|date| moment(date)).collect::<Result<Vec<_>>>()?;
    Ok(moments.into_iter().max().map(|last| UnixTime(last.0 + 3600)))
}

pub(super) fn check_collateral(
    quote: &Quote<'_>,
    expect: Option<&ExpectedCollateral>,
    notes: Option<&str>,
    store: &Store,
    findings: &mut Findings,
) -> Result<()> {
    let (Some(collateral), Some(at)) = (stored(store)?, moment_of(store)?) else {
        findings.holds("no collateral is expected", expect.is_none());
        return Ok(());
    };
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

/// Answers of the service: JSON with a document and a signature.
fn answers(store: &Store) -> impl Iterator<Item = (&str, &[u8])> {
    store.files().filter(|(name, _)| {
        name.ends_with(".json") && (name.starts_with("tcb_info") || name.starts_with("qe_identity"))
    })
}

/// Checks answers against every chain of a signing key beside them; a chain whose name says so is a bad one.
pub(in super::super) fn check_answers(store: &Store, at: Option<UnixTime>, findings: &mut Findings) -> Result<()> {
    let chains: Vec<(&str, &str)> = store
        .files()
        .filter(|(name, _)| name.ends_with("certs.pem") || name.contains("certs_"))
        .filter_map(|(name, bytes)| Some((name, std::str::from_utf8(bytes).ok()?)))
        .collect();
    for (name, bytes) in answers(store) {
        let text = std::str::from_utf8(bytes)?;
        let Some(answer) = findings.accepted(name, Answer::parse(text)) else { continue };
        let facts = Facts::parse(answer.document);
        findings.accepted(&format!("facts of {name}"), facts);
        if chains.is_empty() {
            findings.not_checkable(&format!("{name}: the certificate of its signer is not in the item"));
        }
        for (chain, pem) in &chains {
            let document = SignedDocument {
                text: answer.document.to_owned(),
                signature: hex::decode(&answer.signature)?,
                issuer_chain: (*pem).to_owned(),
            };
            let verdict = document.check(at.unwrap_or(UnixTime(0)));
            let what = format!("{name} by {chain}");
            if is_bad(chain) {
                findings.refused(&what, verdict);
            } else {
                findings.accepted(&what, verdict);
            }
        }
    }
    Ok(())
}
