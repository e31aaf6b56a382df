// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Verified evidence against a policy, put into words and signed.

use evtpm_api::{ApiFinding, Verdict};
use evtpm_appraise::{Appraisal, Claims, Explanation, Finding, Layer, Severity, appraise};
use evtpm_logs::{PcrIndex, PcrSet};
use evtpm_result::{Context, Ear};
use evtpm_verify::UnixTime;
use evtpm_verify::logs::{MeasuredBoot, MeasuredRuntime, Progress, RuntimeRules};
use evtpm_verify::tpm::{Endorsement, Quote, TrustedAk};

use crate::policies::Compiled;
use crate::refusal::Refusal;
use crate::results::ResultSigner;

/// IMA's register (`CONFIG_IMA_MEASURE_PCR_IDX`): its log goes on after the firmware's.
const IMA_PCR: u32 = 10;

/// Seconds that a result is worth something.
const LIFETIME: u64 = 300;

/// Whether a violation fails the machine is the policy's to say, with a finding of its own.
const RULES: RuntimeRules = RuntimeRules { allow_violations: true };

/// The logs behind a quote.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogEvidence<'a> {
    /// All of them, from the start.
    Whole { event_log: &'a [u8], ima_log: &'a [u8] },
    /// What the IMA list grew by since the progress was made.
    Grown { since: &'a Progress, ima_log: &'a [u8] },
}

/// What came of a quote, and where its logs stand, if the next one may go on from there.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) appraisal: Appraisal,
    pub(crate) progress: Option<Progress>,
}

/// Asks whether this machine may register at all: one that is not what the policy names gets no credential. What is no report
/// of an e-vTPM has to be asked for by its name.
pub(crate) fn admit(policy: &Compiled, ek: &Endorsement) -> Result<(), Refusal> {
    let by_name = |is_named, what| if is_named { Ok(()) } else { Err(not_named(what)) };
    let claims = match ek {
        Endorsement::Report(ek) => Claims::new().with_report(ek.report()),
        Endorsement::Certificate(_) => {
            let bindings = policy.policy.tpm.iter().flat_map(|tpm| &tpm.bindings);
            let is_named = bindings.into_iter().any(|binding| binding == "ek-certificate");
            by_name(is_named, "EK certificates: it has no bindings = [\"ek-certificate\"] in [tpm]")?;
            Claims::new()
        }
        Endorsement::Paravisor(ek) => {
            by_name(policy.policy.azure.is_some(), "Azure's paravisor: it has no section [azure]")?;
            Claims::new().with_key(ek.attestation_key())
        }
    };
    let appraisal = appraise(&policy.launch, &claims).map_err(Refusal::internal)?;
    let failures: Vec<String> = findings(&appraisal)
        .into_iter()
        .filter(|finding| finding.severity == "failure")
        .map(|finding| format!("{}: {}", finding.check, finding.message))
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(Refusal::evidence(failures.join("; "))) }
}

fn not_named(what: &str) -> Refusal {
    Refusal::evidence(format!("the policy does not speak of {what}"))
}

/// Judges a quote that verified, with the logs behind it.
///
/// A log that does not verify is noted as such, and what was proven before it still counts as known. Only where a grown
/// list does not follow, nothing is said: the whole logs may tell why.
pub(crate) fn runtime(
    policy: &Compiled,
    key: &TrustedAk,
    quote: Quote,
    logs: LogEvidence<'_>,
    at: UnixTime,
) -> Result<Judged, Refusal> {
    let claims = Claims::new().with_key(key).with_time(at);
    let (claims, progress) = match logs {
        LogEvidence::Whole { event_log, ima_log } => whole(policy, claims, quote, event_log, ima_log)?,
        LogEvidence::Grown { since, ima_log } => {
            let later = since.follow(quote, ima_log, RULES).map_err(Refusal::resend)?;
            let claims = claims.with_continued(&later, &policy.keyring).map_err(Refusal::internal)?;
            (claims, Some(later.progress().clone()))
        }
    };
    let appraisal = appraise(&policy.policy, &claims).map_err(Refusal::internal)?;
    let progress = progress.filter(|_| appraisal.may_continue());
    Ok(Judged { appraisal, progress })
}

/// Follows the logs as far as they hold.
fn whole(
    policy: &Compiled,
    claims: Claims,
    quote: Quote,
    event_log: &[u8],
    ima_log: &[u8],
) -> Result<(Claims, Option<Progress>), Refusal> {
    let with_quote = claims.clone().with_quote(&quote).map_err(Refusal::internal)?;
    let continued: PcrSet = PcrIndex::new(IMA_PCR).into_iter().collect();
    let boot = match MeasuredBoot::verify(quote, event_log, continued) {
        Ok(boot) => boot,
        Err(error) => return Ok((with_quote.with_refusal(Layer::Boot, &error), None)),
    };
    let with_boot = claims.clone().with_boot(&boot).map_err(Refusal::internal)?;
    if policy.policy.ima.is_none() {
        return Ok((with_boot, Some(boot.progress())));
    }
    match MeasuredRuntime::verify(boot, ima_log, RULES) {
        Ok(runtime) => {
            let claims = claims.with_runtime(&runtime, &policy.keyring).map_err(Refusal::internal)?;
            Ok((claims, Some(runtime.progress())))
        }
        Err(error) => Ok((with_boot.with_refusal(Layer::Runtime, &error), None)),
    }
}

/// Judges evidence that did not verify: the attester is untrusted, and the verdict says why.
pub(crate) fn refused(
    policy: &Compiled,
    key: &TrustedAk,
    error: &dyn std::fmt::Display,
    at: UnixTime,
) -> Result<Judged, Refusal> {
    let claims = Claims::new().with_key(key).with_time(at).with_refusal(Layer::Tpm, error);
    let appraisal = appraise(&policy.policy, &claims).map_err(Refusal::internal)?;
    Ok(Judged { appraisal, progress: None })
}

/// Puts an appraisal into words, and signs it where there is a key.
pub(crate) fn verdict(
    signer: Option<&ResultSigner>,
    policy_id: &str,
    appraisal: &Appraisal,
    at: UnixTime,
) -> Result<Verdict, Refusal> {
    let ear = signer.map(|signer| result(signer, policy_id, appraisal, at)).transpose()?;
    Ok(Verdict { verdict: appraisal.verdict().name().to_owned(), findings: findings(appraisal), ear })
}

/// Signs the result of an appraisal.
pub(crate) fn result(
    signer: &ResultSigner,
    policy_id: &str,
    appraisal: &Appraisal,
    at: UnixTime,
) -> Result<String, Refusal> {
    let build = concat!("evtpm-verifier ", env!("CARGO_PKG_VERSION"));
    let context = Context { issued: at, lifetime: Some(LIFETIME), policy_id, nonce: None, build };
    signer.sign(&Ear::new(appraisal, &context)).map_err(Refusal::internal)
}

/// All findings, worst first.
pub(crate) fn findings(appraisal: &Appraisal) -> Vec<ApiFinding> {
    explained(appraisal)
        .into_iter()
        .map(|finding| ApiFinding {
            check: finding.code,
            layer: finding.layer.name().to_owned(),
            severity: severity(finding.severity).to_owned(),
            message: finding.sentence,
            expected: finding.expected,
            actual: finding.actual,
            suggestion: finding.suggestion,
        })
        .collect()
}

/// What stands between the evidence and trust, in sentences, worst first.
pub(crate) fn objections(appraisal: &Appraisal) -> impl Iterator<Item = String> {
    let objections = explained(appraisal).into_iter().filter(|finding| finding.severity > Severity::Warning);
    objections.map(|finding| finding.sentence)
}

fn explained(appraisal: &Appraisal) -> Vec<Explanation> {
    let mut explained: Vec<_> = appraisal.findings().map(Finding::explain).collect();
    explained.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    explained
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Stale => "stale",
        Severity::Missing => "missing",
        Severity::Failure => "failure",
    }
}
