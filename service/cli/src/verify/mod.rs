// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm verify`: evidence in files or in a bundle, offline; the same files, policy and moment always give the same answer.

pub(crate) mod args;
mod canonical;
pub(crate) mod chain;
mod ear;
mod facts;
mod hardware;
pub(crate) mod moment;
pub(crate) mod pcrs;
mod record;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use evtpm_appraise::policy::Mode;
use evtpm_appraise::{Policy, Verdict, appraise};
use evtpm_result::{Context, Ear};
use evtpm_verify::logs::Keyring;

use crate::{Outcome, policy};
use args::EvidenceArgs;
use ear::EarArgs;
use record::{Conclusion, Record};

/// Verify evidence in files or in a bundle, offline: an SEV-SNP report, and what a TPM quoted and logged.
///
/// Says what was verified, up to which root and at which moment, and what was not. Verification alone finds evidence to be
/// whole and of genuine hardware; whether the machine is a good one is for a policy to say.
///
/// Exit codes: 0 a policy was given and the verdict is trusted; 1 the verdict is another, or evidence was refused;
/// 2 the command line is wrong; 3 a file cannot be read, or is no certificate, policy or bundle;
/// 4 the evidence was verified, but without a policy nothing was appraised;
/// 5 the policy is only tried out (--audit, or mode = "audit" in it): findings are reported, and nothing is decided.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// What the machine has to be: a policy document, TOML or (by the ending .json) JSON.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A Rego module for what the policy's sections have no rule for (docs/POLICY.md); the policy may carry one itself instead.
    #[arg(long, value_name = "FILE", requires = "policy")]
    rego: Option<PathBuf>,
    /// Try the policy out: report its findings, and decide nothing (exit code 5).
    #[arg(long, requires = "policy")]
    audit: bool,
    /// Print the verified claims as JSON, for other policy engines, and judge nothing.
    #[arg(long, conflicts_with_all = ["policy", "json"])]
    claims: bool,
    /// Print JSON, with the attestation result (EAR) where there was a policy.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ear: EarArgs,
}

pub(crate) fn run(command: &Verify) -> Result<Outcome> {
    let mut policy = command.policy.as_deref().map(policy::read).transpose()?;
    if let (Some(policy), Some(path)) = (&mut policy, &command.rego) {
        policy::add_rego(policy, path)?;
    }
    let evidence = command.evidence.read()?;
    let at = evidence.at;
    let keyring = match policy.as_ref().and_then(|policy| policy.ima.as_ref()) {
        Some(ima) => ima.keyring()?,
        None => Keyring::new(),
    };
    let verification = chain::verify(evidence, &keyring);
    if command.claims {
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&verification.claims.to_json())?)?;
        return Ok(Outcome::NotAppraised);
    }
    let conclusion = conclude(policy.as_ref(), command, &verification, at)?;
    if let Conclusion::Appraised { ear, .. } = &conclusion {
        command.ear.write(ear)?;
    }
    let record = Record::new(&verification, &conclusion, at);
    let mut out = std::io::stdout().lock();
    if command.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&record)?)?;
    } else {
        record.show(&mut out)?;
    }
    Ok(conclusion.outcome())
}

/// Appraises by the policy, if there is one.
fn conclude(
    policy: Option<&Policy>,
    command: &Verify,
    verification: &chain::Verification,
    at: evtpm_verify::UnixTime,
) -> Result<Conclusion> {
    let Some(policy) = policy else {
        return Ok(if verification.is_refused() { Conclusion::Refused } else { Conclusion::NotAppraised });
    };
    let policy_id = policy.id()?;
    let mode = if command.audit { Mode::Audit } else { policy.mode };
    let appraisal = appraise(&Policy { mode, ..policy.clone() }, &verification.claims)?;
    let context = Context {
        issued: at,
        lifetime: command.ear.lifetime(),
        policy_id: &policy_id,
        nonce: command.ear.nonce(),
        build: concat!("evtpm ", env!("CARGO_PKG_VERSION")),
    };
    let ear = Ear::new(&appraisal, &context);
    Ok(Conclusion::Appraised { appraisal: Box::new(appraisal), policy_id, ear: Box::new(ear) })
}

impl Conclusion {
    /// Trusted is what a policy called so, and nothing else.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Appraised { appraisal, .. } if appraisal.verdict() == Verdict::Trusted => Outcome::Good,
            Self::Appraised { appraisal, .. } if appraisal.verdict() == Verdict::Audit => Outcome::Audited,
            Self::Appraised { .. } | Self::Refused => Outcome::NotTrusted,
            Self::NotAppraised => Outcome::NotAppraised,
        }
    }
}
