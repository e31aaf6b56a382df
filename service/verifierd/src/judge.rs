// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Verified evidence against the policy, put into words and signed.

use evtpm_api::{ApiFinding, RuntimeEvidence, Verdict};
use evtpm_appraise::policy::Mode;
use evtpm_appraise::{Appraisal, Claims, Layer, Policy, Severity, appraise};
use evtpm_logs::{PcrIndex, PcrSet};
use evtpm_result::{Context, Ear, SigningKey};
use evtpm_verify::UnixTime;
use evtpm_verify::evtpm::BoundEk;
use evtpm_verify::logs::{Keyring, MeasuredBoot, MeasuredRuntime, RuntimeRules};
use evtpm_verify::tpm::{Quote, TrustedAk};

use crate::random::SystemRng;
use crate::refusal::Refusal;

/// IMA's register (`CONFIG_IMA_MEASURE_PCR_IDX`): its log goes on after the firmware's.
const IMA_PCR: u32 = 10;

/// Seconds that a result is worth something.
const LIFETIME: u64 = 300;

/// The policy, and the key that signs what it leads to.
#[derive(Debug)]
pub(crate) struct Judge {
    policy: Policy,
    policy_id: String,
    launch_policy: Policy,
    keyring: Keyring,
    key: SigningKey,
}

impl Judge {
    pub(crate) fn new(policy: Policy, key: SigningKey) -> anyhow::Result<Self> {
        let keyring = match &policy.ima {
            Some(ima) => ima.keyring()?,
            None => Keyring::new(),
        };
        // What is judged at registration: no quote was asked for yet.
        let launch_policy = Policy { tpm: None, boot: None, ima: None, mode: Mode::Enforce, ..policy.clone() };
        Ok(Judge { policy_id: policy.id()?, launch_policy, policy, keyring, key })
    }

    /// Asks whether this launch may register at all: a machine that is not what the policy names gets no credential.
    pub(crate) fn admit(&self, ek: &BoundEk) -> Result<(), Refusal> {
        let appraisal = appraise(&self.launch_policy, &Claims::new().with_report(ek.report()));
        let failures: Vec<String> = findings(&appraisal)
            .into_iter()
            .filter(|finding| finding.severity == "failure")
            .map(|finding| format!("{}: {}", finding.check, finding.message))
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(Refusal::evidence(failures.join("; "))) }
    }

    /// Judges a quote that verified, with the logs behind it.
    pub(crate) fn runtime(
        &self,
        key: &TrustedAk,
        quote: Quote,
        evidence: &RuntimeEvidence,
        at: UnixTime,
    ) -> Result<Verdict, Refusal> {
        let claims = self.claims(key, quote, evidence)?.with_time(at);
        self.verdict(&claims, at)
    }

    /// Follows the logs as far as they hold. A log that does not verify is noted as such, and what was proven before
    /// it still counts as known.
    fn claims(&self, key: &TrustedAk, quote: Quote, evidence: &RuntimeEvidence) -> Result<Claims, Refusal> {
        let claims = Claims::new().with_key(key);
        let with_quote = claims.clone().with_quote(&quote).map_err(Refusal::internal)?;
        let continued: PcrSet = PcrIndex::new(IMA_PCR).into_iter().collect();
        let boot = match MeasuredBoot::verify(quote, &evidence.event_log, continued) {
            Ok(boot) => boot,
            Err(error) => return Ok(with_quote.with_refusal(Layer::Boot, &error)),
        };
        if self.policy.ima.is_none() {
            return claims.with_boot(&boot).map_err(Refusal::internal);
        }
        let with_boot = claims.clone().with_boot(&boot).map_err(Refusal::internal)?;
        // Whether a violation fails the machine is the policy's to say, with a finding of its own.
        let rules = RuntimeRules { allow_violations: true };
        match MeasuredRuntime::verify(boot, &evidence.ima_log, rules) {
            Ok(runtime) => claims.with_runtime(&runtime, &self.keyring).map_err(Refusal::internal),
            Err(error) => Ok(with_boot.with_refusal(Layer::Runtime, &error)),
        }
    }

    /// Judges evidence that did not verify: the attester is untrusted, and the verdict says why.
    pub(crate) fn refused(
        &self,
        key: &TrustedAk,
        error: &dyn std::fmt::Display,
        at: UnixTime,
    ) -> Result<Verdict, Refusal> {
        self.verdict(&Claims::new().with_key(key).with_refusal(Layer::Tpm, error), at)
    }

    fn verdict(&self, claims: &Claims, at: UnixTime) -> Result<Verdict, Refusal> {
        let appraisal = appraise(&self.policy, claims);
        let context = Context {
            issued: at,
            lifetime: Some(LIFETIME),
            policy_id: &self.policy_id,
            nonce: None,
            build: concat!("evtpm-verifier ", env!("CARGO_PKG_VERSION")),
        };
        let ear = Ear::new(&appraisal, &context).sign(&self.key, &mut SystemRng).map_err(Refusal::internal)?;
        Ok(Verdict { verdict: appraisal.verdict().name().to_owned(), findings: findings(&appraisal), ear })
    }
}

/// All findings, worst first.
fn findings(appraisal: &Appraisal) -> Vec<ApiFinding> {
    let mut explained: Vec<_> = appraisal.findings().map(evtpm_appraise::Finding::explain).collect();
    explained.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    explained
        .into_iter()
        .map(|finding| ApiFinding {
            check: finding.code,
            severity: severity(finding.severity).to_owned(),
            message: finding.sentence,
            expected: finding.expected,
            actual: finding.actual,
            suggestion: finding.suggestion,
        })
        .collect()
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
