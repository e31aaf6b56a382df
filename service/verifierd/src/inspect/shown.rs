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

/// What is kept of a boot's logs, as far as this process knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogsThere {
    /// The digest of logs that came whole.
    digest: Option<[u8; 32]>,
    /// The bytes of the IMA list.
    ima: Option<u64>,
}

impl LogsThere {
    /// Whether somebody has to look into the store before a part of the list is added.
    pub(crate) fn is_unknown_to(self, evidence: &RuntimeEvidence) -> bool {
        self.ima.is_none() && !evidence.whole && !evidence.ima_log.is_empty()
    }

    /// What the store has: so many bytes of the IMA list.
    pub(crate) const fn found(ima: u64) -> Self {
        LogsThere { digest: None, ima: Some(ima) }
    }
}

/// Decides what is kept of the logs that a believed quote came with, each of at most `limit` bytes, and says what is there
/// then.
///
/// A machine that failed sends its whole logs in every round: the digest of what was kept last tells whether they are there
/// already.
pub(crate) fn logs_of_round(evidence: &RuntimeEvidence, before: LogsThere, limit: u64) -> (LogsOfRound, LogsThere) {
    if !evidence.whole {
        let ima = before.ima.unwrap_or(limit).saturating_add(size(&evidence.ima_log));
        if evidence.ima_log.is_empty() || ima > limit {
            return (LogsOfRound::Nothing, before);
        }
        let grown = LogsOfRound::Grown { first: evidence.ima_from, ima_log: evidence.ima_log.0.clone(), limit };
        return (grown, LogsThere { digest: None, ima: Some(ima) });
    }
    let keep = |log: &Bytes| (!log.is_empty() && size(log) <= limit).then(|| log.0.clone());
    let boundary = size(&evidence.event_log).to_be_bytes();
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&boundary, &evidence.event_log, &evidence.ima_log]);
    let digest = digest.as_bytes().try_into().ok();
    if digest.is_some() && digest == before.digest {
        return (LogsOfRound::Nothing, before);
    }
    let whole = LogsOfRound::Whole { event_log: keep(&evidence.event_log), ima_log: keep(&evidence.ima_log) };
    // Of a list whose beginning is left out, nothing is added.
    (whole, LogsThere { digest, ima: Some(size(&evidence.ima_log).min(limit)) })
}

fn size(log: &[u8]) -> u64 {
    u64::try_from(log.len()).unwrap_or(u64::MAX)
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
        let (logs, there) = logs_of_round(&evidence, LogsThere::default(), 5);
        assert_eq!(logs, LogsOfRound::Whole { event_log: Some(b"boot".to_vec()), ima_log: None });
        assert_eq!(logs_of_round(&evidence, there, 5), (LogsOfRound::Nothing, there));
        let grown = self::evidence(false, b"", b"more");
        assert_eq!(logs_of_round(&grown, there, 5).0, LogsOfRound::Nothing, "its beginning is not there");
    }

    #[test]
    fn of_a_grown_list_what_is_new_is_kept() {
        let there = LogsThere::found(2);
        let new = evidence(false, b"", b"new");
        assert!(LogsThere::default().is_unknown_to(&new) && !there.is_unknown_to(&new));
        let (grown, full) = logs_of_round(&new, there, 5);
        assert_eq!(grown, LogsOfRound::Grown { first: 3, ima_log: b"new".to_vec(), limit: 5 });
        assert_eq!(logs_of_round(&new, full, 5), (LogsOfRound::Nothing, full), "no more than the limit");
        assert_eq!(logs_of_round(&evidence(false, b"", b""), there, 5), (LogsOfRound::Nothing, there));
    }
}
