// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policies that machines are judged by: each read once and shared, changed while the verifier runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use evtpm_appraise::Policy;
use evtpm_appraise::policy::Mode;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_verify::logs::Keyring;
use evtpm_verify::tpm::Selection;

/// The name of the policy of machines that have none of their own.
pub(crate) const DEFAULT: &str = "default";

/// A policy with everything that is made of it once.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) policy: Policy,
    /// What is judged at registration: no quote was asked for yet.
    pub(crate) launch: Policy,
    /// Identifies the policy in results, and in what is kept of a boot that it judged.
    pub(crate) id: String,
    pub(crate) keyring: Keyring,
    pub(crate) selection: Selection,
}

impl Compiled {
    pub(crate) fn new(policy: Policy) -> Result<Self> {
        let keyring = match &policy.ima {
            Some(ima) => ima.keyring()?,
            None => Keyring::new(),
        };
        let launch = Policy { tpm: None, boot: None, ima: None, rego: None, mode: Mode::Enforce, ..policy.clone() };
        Ok(Compiled { id: policy.id()?, selection: selection(&policy)?, launch, keyring, policy })
    }
}

/// Firmware, boot loader, kernel and IMA (PCR 0 to 14), in the banks that the policy names, SHA-256 unless it does.
fn selection(policy: &Policy) -> Result<Selection> {
    let banks: Vec<HashId> = policy.tpm.iter().flat_map(|tpm| tpm.banks.iter().map(|bank| bank.0)).collect();
    let banks = if banks.is_empty() { vec![HashId::SHA256] } else { banks };
    let pcrs: PcrSet = PcrIndex::all().filter(|pcr| pcr.value() <= 14).collect();
    banks.into_iter().try_fold(Selection::new(), |selection, bank| {
        selection.with(bank, pcrs).with_context(|| format!("the policy names the bank {bank} twice"))
    })
}

/// All policies, and which machine has which.
#[derive(Debug, Default)]
pub(crate) struct Policies(RwLock<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    named: HashMap<String, Arc<Compiled>>,
    of_machines: HashMap<String, String>,
}

impl Policies {
    /// Puts a policy on the shelf; machines that have it are judged by it from their next challenge on.
    pub(crate) fn put(&self, name: &str, policy: Compiled) {
        self.write(|shelf| drop(shelf.named.insert(name.to_owned(), Arc::new(policy))));
    }

    /// Changes the whole shelf at once.
    pub(crate) fn replace(&self, named: Vec<(String, Compiled)>, of_machines: Vec<(String, String)>) {
        let named = named.into_iter().map(|(name, policy)| (name, Arc::new(policy))).collect();
        let of_machines = of_machines.into_iter().collect();
        self.write(|shelf| *shelf = Shelf { named, of_machines });
    }

    /// Takes a policy off the shelf.
    pub(crate) fn remove(&self, name: &str) {
        self.write(|shelf| drop(shelf.named.remove(name)));
    }

    /// Says which policy a machine has; `None` for the default one.
    pub(crate) fn assign(&self, machine: &str, policy: Option<&str>) {
        self.write(|shelf| match policy {
            Some(policy) => drop(shelf.of_machines.insert(machine.to_owned(), policy.to_owned())),
            None => drop(shelf.of_machines.remove(machine)),
        });
    }

    /// Names the policy that judges a machine.
    pub(crate) fn name_of(&self, machine: &str) -> String {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shelf.of_machines.get(machine).map_or(DEFAULT, String::as_str).to_owned()
    }

    /// Finds a policy by its name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Compiled>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).named.get(name).cloned()
    }

    /// Finds the policy of a machine; `None` if there is no default policy and it has none of its own.
    pub(crate) fn of(&self, machine: &str) -> Option<Arc<Compiled>> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let name = shelf.of_machines.get(machine).map_or(DEFAULT, String::as_str);
        shelf.named.get(name).cloned()
    }

    /// A thread that panicked while it held the lock left the shelf whole: every change is one call.
    fn write(&self, change: impl FnOnce(&mut Shelf)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> Compiled {
        let text = format!("version = 1\nname = \"{name}\"\nhardware = \"none\"\n[ima]\n");
        Compiled::new(Policy::from_toml(&text).unwrap()).unwrap()
    }

    #[test]
    fn a_machine_has_its_own_policy_or_the_default_one() {
        let policies = Policies::default();
        let name = |machine: &str| policies.of(machine).map(|policy| policy.policy.name.clone());
        assert_eq!(name("vm"), None);
        policies.put(DEFAULT, policy("all"));
        policies.put("web", policy("web servers"));
        policies.assign("vm", Some("web"));
        assert_eq!((name("vm").as_deref(), name("other").as_deref()), (Some("web servers"), Some("all")));
        policies.assign("vm", None);
        assert_eq!(name("vm").as_deref(), Some("all"));
    }

    #[test]
    fn a_changed_policy_is_another_one_for_those_who_look_again() {
        let policies = Policies::default();
        policies.put(DEFAULT, policy("old"));
        let before = policies.of("vm").unwrap();
        policies.put(DEFAULT, policy("new"));
        assert_eq!(before.policy.name, "old");
        assert_ne!(policies.of("vm").unwrap().id, before.id);
    }
}
