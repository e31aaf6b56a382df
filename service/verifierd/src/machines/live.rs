// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots whose attestation keys are believed, in memory; what is not there is made again from the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use evtpm_verify::logs::Progress;
use evtpm_verify::tpm::{ClockWitness, TrustedAk};
use tokio::sync::Mutex;

use crate::inspect::LogsThere;
use crate::store::{Standing, StoredClock};

/// A boot that is believed.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) attester: String,
    pub(crate) machine: String,
    pub(crate) key: TrustedAk,
    /// Held during a round: the rounds of one boot follow one another.
    pub(crate) kept: Mutex<Kept>,
}

/// What one round leaves to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) clock: Option<ClockWitness>,
    /// The last verdict's word: listeners hear of changes.
    pub(crate) verdict: Option<String>,
    /// The policy that gave it; `None` if that was before this process began.
    pub(crate) judged_by: Option<String>,
    /// Where the logs stand, and the policy that found nothing against what they said so far.
    pub(crate) progress: Option<(String, Progress)>,
    /// What is kept of the logs to be looked at.
    pub(crate) logs: LogsThere,
}

impl Kept {
    /// Reads what the store kept of the last round.
    pub(crate) fn of(standing: Option<Standing>) -> Self {
        let Some(standing) = standing else { return Kept::default() };
        let progress = standing.progress.and_then(|(policy, bytes)| Some((policy, Progress::from_bytes(&bytes)?)));
        Kept {
            verdict: Some(standing.verdict),
            judged_by: None,
            clock: standing.clock.map(|StoredClock(clock)| ClockWitness::first(clock)),
            progress,
            logs: LogsThere::default(),
        }
    }

    /// Returns where the logs stand, if `policy` judged them so far.
    pub(crate) fn progress_under(&self, policy: &str) -> Option<&Progress> {
        self.progress.as_ref().filter(|(by, _)| by == policy).map(|(_, progress)| progress)
    }
}

/// The boots in memory, by attester.
#[derive(Debug, Default)]
pub(crate) struct LiveBoots(RwLock<HashMap<String, Arc<Live>>>);

impl LiveBoots {
    pub(crate) fn get(&self, attester: &str) -> Option<Arc<Live>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(attester).cloned()
    }

    /// Keeps a boot; if another request was faster, its value stays and is returned.
    pub(crate) fn insert(&self, live: Live) -> Arc<Live> {
        let mut boots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        boots.entry(live.attester.clone()).or_insert_with(|| Arc::new(live)).clone()
    }

    pub(crate) fn remove(&self, attester: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(attester);
    }

    /// Removes the boots of a machine that the operator removed.
    pub(crate) fn remove_machine(&self, machine: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, live| live.machine != machine);
    }
}
