// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a round leaves to be looked at: how each layer stood, the quote, and the logs behind it.

use evtpm_api::{Bytes, RuntimeEvidence};
use evtpm_appraise::Appraisal;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::{Deserialize, Serialize};

use crate::store::LogsOfRound;

/// The last quote, and how it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// The layers that the appraisal speaks of, by name.
    pub(crate) layers: Vec<String>,
    /// Whether the quote itself was believed.
    pub(crate) quote_verified: bool,
    pub(crate) message: Bytes,
    pub(crate) signature: Bytes,
    pub(crate) pcrs: Vec<Bytes>,
}

impl Shown {
    pub(crate) fn of(evidence: &RuntimeEvidence, appraisal: &Appraisal, quote_verified: bool) -> Self {
        Shown {
            layers: appraisal.layers().iter().map(|layer| layer.layer().name().to_owned()).collect(),
            quote_verified,
            message: evidence.message.clone(),
            signature: evidence.signature.clone(),
            pcrs: evidence.pcrs.clone(),
        }
    }
}

/// Decides what is kept of the logs that a believed quote came with, each of at most `limit` bytes.
///
/// A machine that failed sends its whole logs in every round: `before`, the digest of what was kept last, tells whether they
/// are there already. Returns the digest of what is there now.
pub(crate) fn logs_of_round(
    evidence: &RuntimeEvidence,
    before: Option<[u8; 32]>,
    limit: u64,
) -> (LogsOfRound, Option<[u8; 32]>) {
    let fits = |log: &[u8]| !log.is_empty() && u64::try_from(log.len()).is_ok_and(|size| size <= limit);
    let keep = |log: &Bytes| fits(log).then(|| log.0.clone());
    if !evidence.whole {
        if evidence.ima_log.is_empty() {
            return (LogsOfRound::Nothing, before);
        }
        return (LogsOfRound::Grown { first: evidence.ima_from, ima_log: evidence.ima_log.0.clone(), limit }, None);
    }
    let size = u64::try_from(evidence.event_log.len()).unwrap_or(u64::MAX).to_be_bytes();
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&size, &evidence.event_log, &evidence.ima_log]);
    let digest = digest.as_bytes().try_into().ok();
    if digest.is_some() && digest == before {
        return (LogsOfRound::Nothing, before);
    }
    let whole = LogsOfRound::Whole { event_log: keep(&evidence.event_log), ima_log: keep(&evidence.ima_log) };
    (whole, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(whole: bool, event_log: &[u8], ima_log: &[u8]) -> RuntimeEvidence {
        RuntimeEvidence {
            challenge: String::new(),
            message: Bytes::default(),
            signature: Bytes::default(),
            pcrs: Vec::new(),
            event_log: event_log.into(),
            ima_log: ima_log.into(),
            ima_from: 3,
            whole,
            result: true,
        }
    }

    #[test]
    fn whole_logs_are_kept_once_and_one_that_is_too_large_is_left_out() {
        let evidence = evidence(true, b"boot", b"a long list");
        let (logs, digest) = logs_of_round(&evidence, None, 5);
        assert_eq!(logs, LogsOfRound::Whole { event_log: Some(b"boot".to_vec()), ima_log: None });
        assert_eq!(logs_of_round(&evidence, digest, 5), (LogsOfRound::Nothing, digest));
    }

    #[test]
    fn of_a_grown_list_what_is_new_is_kept() {
        let grown = LogsOfRound::Grown { first: 3, ima_log: b"new".to_vec(), limit: 5 };
        assert_eq!(logs_of_round(&evidence(false, b"", b"new"), Some([1; 32]), 5), (grown, None));
        assert_eq!(logs_of_round(&evidence(false, b"", b""), Some([1; 32]), 5).0, LogsOfRound::Nothing);
    }
}
