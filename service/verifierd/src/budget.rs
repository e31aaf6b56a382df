// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much of the verifier one client may hold (verification rule 15).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the connections of each address, up to a limit.
#[derive(Debug, Clone)]
pub(crate) struct Budgets {
    limit: usize,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Budgets {
    /// Starts with nothing held.
    pub(crate) fn new(limit: usize) -> Self {
        Budgets { limit, held: Arc::default() }
    }

    /// Takes one connection out of an address's budget; `None` when it is used up.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Share> {
        let mut held = self.lock();
        let count = held.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Share { budgets: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of an address; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budgets: Budgets,
    address: IpAddr,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.budgets.lock();
        if let Some(count) = held.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                // An address that holds nothing costs no memory.
                held.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_holds_its_budget_gets_no_more_and_the_next_client_does() {
        let budgets = Budgets::new(2);
        let (greedy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (first, _second) = (budgets.take(greedy), budgets.take(greedy));
        assert!(budgets.take(greedy).is_none());
        assert!(budgets.take(other).is_some());
        drop(first);
        assert!(budgets.take(greedy).is_some());
    }

    #[test]
    fn an_address_that_holds_nothing_is_forgotten() {
        let budgets = Budgets::new(1);
        drop(budgets.take(IpAddr::from([10, 0, 0, 1])));
        assert!(budgets.lock().is_empty());
    }
}
