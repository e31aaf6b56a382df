// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key broker protocol of Confidential Containers: guests that are attested by their report alone fetch resources,
//! which are encrypted to a key that the report covers.

mod handshake;
mod jwe;
pub(crate) mod resources;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evtpm_api::kbs::TeeKey;
use evtpm_verify::Verified;
use evtpm_verify::snp::SnpClaims;

use crate::pending::Pending;

pub(crate) use handshake::{attest, open, resource};

/// Sessions at each step that are kept at once.
const SESSIONS: usize = 10_000;

/// How long a guest may take for its evidence, and for how long what it showed counts.
const LIFETIME: Duration = Duration::from_secs(300);

/// The sessions.
#[derive(Debug)]
pub(crate) struct Kbs {
    /// Those that were given a nonce.
    opened: Mutex<Pending<String>>,
    /// Those whose evidence was verified.
    attested: Mutex<Pending<Arc<Guest>>>,
}

/// A guest whose report was verified.
#[derive(Debug)]
struct Guest {
    report: Verified<SnpClaims>,
    key: TeeKey,
}

impl Default for Kbs {
    fn default() -> Self {
        Kbs {
            opened: Mutex::new(Pending::new(SESSIONS, LIFETIME)),
            attested: Mutex::new(Pending::new(SESSIONS, LIFETIME)),
        }
    }
}

impl Kbs {
    fn opened(&self) -> MutexGuard<'_, Pending<String>> {
        lock(&self.opened)
    }

    fn attested(&self) -> MutexGuard<'_, Pending<Arc<Guest>>> {
        lock(&self.attested)
    }
}

/// A thread that panicked while it held a lock left the value whole: every change to it is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
