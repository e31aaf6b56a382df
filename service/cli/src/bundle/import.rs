// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bundle import`: what another project's tool wrote, as the parts that it is made of.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use evtpm_evidence::go_tpm_tools::{Attestation, Quote};
use evtpm_logs::HashId;

use super::material::{Given, Source};
use super::role::{GOOGLE_ENDORSEMENT, MANIFESTS, Role};
use crate::output::hex;

/// Banks in the order in which one is chosen: a bundle has one quote.
const BANKS: [HashId; 4] = [HashId::SHA256, HashId::SHA384, HashId::SHA512, HashId::SHA1];

/// Takes an attestation of go-tpm-tools apart.
pub(super) fn go_tpm_tools(bytes: &[u8]) -> Result<Vec<Given>> {
    let attestation = Attestation::parse(bytes)?;
    let mut parts = Vec::new();
    let mut add = |role, media, bytes: &[u8]| parts.push(Given { role, media, source: Source::Bytes(bytes.to_vec()) });
    add(Role::Ak, None, attestation.ak);
    let quote = BANKS.iter().find_map(|bank| find(&attestation.quotes, *bank));
    let (bank, quote) = quote.context("it has no quote of a bank that is known")?;
    add(Role::Quote, None, quote.message);
    add(Role::Signature, None, quote.signature);
    add(Role::Pcrs, None, values(bank, quote)?.as_bytes());
    if let Some(log) = attestation.event_log {
        add(Role::EventLog, None, log);
    }
    if let Some(log) = attestation.canonical_log.filter(|log| !log.is_empty()) {
        add(Role::UserspaceLog, None, log);
    }
    if let Some(report) = &attestation.report {
        add(Role::Report, None, report);
    }
    for certificate in attestation.certificates {
        add(Role::Certificates, None, certificate);
    }
    if let Some(endorsement) = attestation.launch_endorsement.filter(|_| attestation.report.is_some()) {
        add(Role::Endorsement, Some(GOOGLE_ENDORSEMENT), endorsement);
    }
    for certificate in attestation.ak_certificates {
        add(Role::AkCertificate, None, certificate);
    }
    if let Some(quote) = &attestation.dcap_quote {
        add(Role::DcapQuote, None, quote);
    }
    if let Some((manifest, version)) = attestation.manifest {
        let media = match version {
            "" | "0" => MANIFESTS[0],
            "1" => MANIFESTS[1],
            other => bail!("manifest of version {other}"),
        };
        add(Role::Manifest, Some(media), manifest);
    }
    Ok(parts)
}

fn find<'q, 'a>(quotes: &'q [Quote<'a>], bank: HashId) -> Option<(HashId, &'q Quote<'a>)> {
    quotes.iter().find(|quote| quote.hash == u64::from(bank.0)).map(|quote| (bank, quote))
}

/// The values in lines, as `--pcrs` takes them.
fn values(bank: HashId, quote: &Quote<'_>) -> Result<String> {
    let mut text = String::new();
    for (pcr, value) in &quote.values {
        writeln!(text, "{bank}:{pcr}={}", hex(value))?;
    }
    Ok(text)
}
