// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key broker: named storage keys that outlive the boots of a machine, released to a boot that was found good, and
//! leased for as long as it stays so (rule 16).

pub(crate) mod leases;
pub(crate) mod named;
pub(crate) mod release;
mod vault;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evtpm_verify::tpm::{Issued, Nonce};

use crate::pending::Pending;

pub(crate) use vault::Vault;

/// Challenges for certificates that may be unanswered at once.
const CHALLENGES: usize = 10_000;

/// How long a client may take to certify its key.
const STEP: Duration = Duration::from_secs(120);

/// What the broker keeps in memory.
#[derive(Debug)]
pub(crate) struct Broker {
    vault: Vault,
    challenges: Mutex<Pending<Challenge>>,
}

/// A challenge that was given out.
#[derive(Debug)]
struct Challenge {
    attester: String,
    key: String,
    nonce: Issued<Nonce>,
}

impl Broker {
    pub(crate) fn new(vault: Vault) -> Self {
        Broker { vault, challenges: Mutex::new(Pending::new(CHALLENGES, STEP)) }
    }

    /// What encrypts secrets in the store.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// A thread that panicked while it held the lock left the map whole: every change is one call.
    fn challenges(&self) -> MutexGuard<'_, Pending<Challenge>> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
