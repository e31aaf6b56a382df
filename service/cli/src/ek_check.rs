// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm ek-check`: what a stock Keylime tenant runs as its `ek_check_script`, so that it accepts an e-vTPM by its report.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use evtpm_appraise::{Finding, Verdict, appraise};
use evtpm_evidence::ek_certificate::EkCertificate;
use evtpm_logs::PcrSet;
use evtpm_verify::UnixTime;
use evtpm_verify::logs::Keyring;
use evtpm_verify::snp::{Anchors, Collateral};

use crate::verify::args::{Evidence, NamedFile, certificate_files, read};
use crate::verify::chain::{self, State};
use crate::verify::moment;
use crate::{Outcome, policy};

/// Check an endorsement key for Keylime: its `ek_check_script` is a script that calls this.
///
/// Keylime says what it knows of the agent in the environment: AGENT_UUID, EK_TPM (the endorsement key), EK_CERT (the
/// certificate, in which an e-vTPM's report travels). The report has to be of genuine hardware and bind this key, and the
/// launch that it speaks of has to be what the policy says: no TPM vendor's certificate is asked for.
///
/// Exit codes: 0 the key is accepted; 1 it is not; 2 the command line is wrong; 3 a file or a variable cannot be read.
#[derive(Debug, Args)]
pub(crate) struct EkCheck {
    /// What the launch has to be: a policy that judges the report alone (`[snp]`), TOML or JSON.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Certificates (PEM, DER) or revocation lists (.crl) of the processors, or a directory of them; may be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    certificates: Vec<PathBuf>,
    /// Trust a SIMULATED root certificate, too, by the name of its subject ("SIMULATED ARK-Milan"). May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    trust_simulated: Vec<NamedFile>,
    /// The moment to verify at: RFC 3339 or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<UnixTime>,
}

/// What Keylime says of an agent.
#[derive(Debug)]
struct Agent {
    uuid: String,
    /// TPM2B_PUBLIC.
    ek: Vec<u8>,
    report: Vec<u8>,
}

pub(crate) fn run(command: &EkCheck) -> Result<Outcome> {
    let policy = policy::read(&command.policy)?;
    let mut anchors = Anchors::amd()?;
    for NamedFile { name, path } in &command.trust_simulated {
        anchors = anchors.and_simulated(name, &read(path)?).with_context(|| path.display().to_string())?;
    }
    let collateral = collateral(&command.certificates)?;
    let mut out = std::io::stdout().lock();
    let agent = match Agent::from_environment(|name| std::env::var(name).ok())? {
        Ok(agent) => agent,
        Err(reason) => {
            writeln!(out, "refused: {reason}")?;
            return Ok(Outcome::NotTrusted);
        }
    };

    let evidence = Evidence {
        report: Some(agent.report),
        ek: Some(agent.ek),
        ..Evidence::empty(command.at.unwrap_or_else(moment::now), anchors, collateral, PcrSet::default())
    };
    let verification = chain::verify(evidence, &Keyring::new());
    for step in verification.steps.iter().filter(|step| step.state == State::Refused) {
        writeln!(out, "refused: {}: {}", step.what, step.detail)?;
    }
    let appraisal = appraise(&policy, &verification.claims)?;
    let verdict = appraisal.verdict();
    for finding in appraisal.findings().map(Finding::explain) {
        writeln!(out, "{}: {}", finding.code, finding.sentence)?;
    }
    // A policy that is only tried out accepts nobody.
    if verification.is_refused() || verdict != Verdict::Trusted {
        writeln!(out, "{}: the endorsement key is not accepted ({verdict})", agent.uuid)?;
        return Ok(Outcome::NotTrusted);
    }
    writeln!(out, "{}: the endorsement key is that of an e-vTPM which the policy accepts", agent.uuid)?;
    Ok(Outcome::Good)
}

fn collateral(paths: &[PathBuf]) -> Result<Collateral> {
    let mut collateral = Collateral::new();
    for path in certificate_files(paths)? {
        let bytes = read(&path)?;
        let is_list = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("crl"));
        let added = if is_list { collateral.add_revocation_lists(&bytes) } else { collateral.add_certificates(&bytes) };
        added.with_context(|| path.display().to_string())?;
    }
    Ok(collateral)
}

impl Agent {
    /// Takes what Keylime says. That a variable is missing is the caller's mistake; what is in them is the agent's word,
    /// and the inner error says why it cannot be believed.
    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Result<Self, String>> {
        let needed = |name| variable(name).with_context(|| format!("{name} is not set: is Keylime's tenant calling?"));
        let (uuid, ek, certificate) = (needed("AGENT_UUID")?, needed("EK_TPM")?, needed("EK_CERT")?);
        ensure!(!uuid.is_empty(), "AGENT_UUID is empty");
        Ok(Self::parse(uuid, &ek, &certificate))
    }

    fn parse(uuid: String, ek: &str, certificate: &str) -> Result<Self, String> {
        let ek = STANDARD.decode(ek).map_err(|_| "EK_TPM is not base64".to_owned())?;
        if certificate.is_empty() {
            return Err("the agent has no certificate, in which a report could be (EK_CERT is empty)".to_owned());
        }
        let der = STANDARD.decode(certificate).map_err(|_| "EK_CERT is not base64".to_owned())?;
        let certificate = EkCertificate::parse(&der).map_err(|error| format!("EK_CERT: {error}"))?;
        Ok(Agent { uuid, ek, report: certificate.report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let error = Agent::from_environment(|name| (name != "EK_TPM").then(String::new)).unwrap_err();
        assert!(error.to_string().contains("EK_TPM"), "{error}");
    }

    #[test]
    fn a_vendors_certificate_or_none_is_a_refusal() {
        let parse = |certificate: &str| Agent::parse("a".into(), "AAA=", certificate).unwrap_err();
        assert!(parse("").contains("no certificate"));
        assert!(parse("MIIB").contains("EK_CERT"));
        assert!(parse("!").contains("base64"));
    }
}
