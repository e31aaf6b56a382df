// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's registrar and verifier: agents that register, orders to watch them, rounds by schedule, evidence that is pushed.

pub(crate) mod boot;
mod client;
pub(crate) mod devices;
pub(crate) mod dsse;
pub(crate) mod evidence;
pub(crate) mod push;
#[cfg(test)]
mod recorded;
pub(crate) mod registrations;
pub(crate) mod revocation;
pub(crate) mod rounds;
pub(crate) mod rules;
pub(crate) mod summaries;
#[cfg(test)]
mod testing;
pub(crate) mod watches;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use boot::BootPolicy;
pub(crate) use client::AgentTls;
use devices::Devices;
use push::Limits;
use revocation::Revoked;
use rules::RuntimeRules;

/// What Keylime's side keeps in memory.
#[derive(Debug, Default)]
pub(crate) struct Keylime {
    /// How often sessions were opened, by whom.
    pub(crate) openings: Limits,
    /// How measured boot is judged, where an order asks for it.
    pub(crate) boot: BootPolicy,
    /// Whose word counts for the devices that agents register.
    pub(crate) devices: Devices,
    /// Agents that failed, told to whoever notifies others.
    pub(crate) revoked: Revoked,
    /// Runtime policies, read once for each version of each.
    rules: Mutex<HashMap<String, (u64, Arc<RuntimeRules>)>>,
}

impl Keylime {
    /// Returns a policy that was read before, or reads it.
    pub(crate) fn rules(
        &self,
        name: &str,
        version: u64,
        read: impl FnOnce() -> Result<RuntimeRules, String>,
    ) -> Result<Arc<RuntimeRules>, String> {
        let known = self.lock().get(name).filter(|(known, _)| *known == version).map(|(_, rules)| rules.clone());
        if let Some(rules) = known {
            return Ok(rules);
        }
        let rules = Arc::new(read()?);
        self.lock().insert(name.to_owned(), (version, rules.clone()));
        Ok(rules)
    }

    /// A thread that panicked while it held the lock left the map whole: every change is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Arc<RuntimeRules>)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
