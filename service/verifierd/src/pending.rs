// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Things that wait for a client's next request: single use, expiring, bounded in number.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// A map of unguessable names to values that are taken once.
///
/// When it is full the oldest value goes: a flood of new registrations costs the flooder's own first ones,
/// and memory stays bounded (rule 15).
#[derive(Debug)]
pub(crate) struct Pending<T> {
    lifetime: Duration,
    capacity: usize,
    values: BTreeMap<String, (Instant, T)>,
    order: VecDeque<(Instant, String)>,
}

impl<T> Pending<T> {
    pub(crate) fn new(capacity: usize, lifetime: Duration) -> Self {
        Pending { lifetime, capacity, values: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Keeps a value under `name` until it is taken or expires.
    pub(crate) fn insert(&mut self, name: String, value: T, now: Instant) {
        self.expire(now);
        while self.values.len() >= self.capacity
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back((now, name.clone()));
        self.values.insert(name, (now, value));
    }

    /// Takes the value: the next call with this name finds nothing.
    pub(crate) fn take(&mut self, name: &str, now: Instant) -> Option<T> {
        self.expire(now);
        self.values.remove(name).map(|(_, value)| value)
    }

    /// Looks at the value, which stays where it is.
    pub(crate) fn get(&mut self, name: &str, now: Instant) -> Option<&T> {
        self.expire(now);
        self.values.get(name).map(|(_, value)| value)
    }

    fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.lifetime) {
            if let Some((at, name)) = self.order.pop_front()
                && self.values.get(&name).is_some_and(|(inserted, _)| *inserted == at)
            {
                self.values.remove(&name);
            }
        }
        // Names of values that were taken: without this, taking would leave the queue to grow until they expire.
        if self.order.len() > 2 * self.capacity {
            let values = &self.values;
            self.order.retain(|(_, name)| values.contains_key(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    #[test]
    fn a_value_is_taken_once() {
        let (mut pending, now) = (Pending::new(4, LIFE), Instant::now());
        pending.insert("a".into(), 1, now);
        assert_eq!(pending.take("a", now), Some(1));
        assert_eq!(pending.take("a", now), None);
    }

    #[test]
    fn a_value_expires() {
        let (mut pending, now) = (Pending::new(4, LIFE), Instant::now());
        pending.insert("a".into(), 1, now);
        assert_eq!(pending.take("a", now + LIFE), None);
    }

    #[test]
    fn a_flood_pushes_out_the_oldest_and_memory_stays_bounded() {
        let (mut pending, now) = (Pending::new(2, LIFE), Instant::now());
        for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
            pending.insert(name.into(), value, now);
        }
        assert_eq!(pending.take("a", now), None);
        assert_eq!(pending.take("c", now), Some(3));
        for number in 0..1000 {
            pending.insert(number.to_string(), number, now);
            pending.take(&number.to_string(), now);
        }
        assert!(pending.order.len() <= 5);
    }
}
