// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How often sessions may be opened: they are opened by whoever comes, before anything is known of him.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window in which openings are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Openings from one address in a window, and of one agent from one address (Keylime's defaults).
const OF_ADDRESS: u32 = 50;
const OF_AGENT: u32 = 15;
/// How long whoever opened too many is turned away.
const BLOCK: Duration = Duration::from_secs(60);
/// Counts that are kept; the oldest go first.
const COUNTS: usize = 20_000;

/// Counts openings.
///
/// Keylime counts those of one agent wherever they come from, so that anybody can lock an agent out by its name; here
/// they are counted for each address. It also doubles each block, up to an hour; here an agent that came before its tenant
/// ordered to watch it is let in a minute later.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<HashMap<(IpAddr, Option<String>), Count>>);

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    openings: u32,
    blocked_until: Option<Instant>,
}

impl Limits {
    /// Counts an opening. An error is the number of seconds after which the next may be tried.
    pub(crate) fn count(&self, address: IpAddr, agent: &str, now: Instant) -> Result<(), u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut counts, now);
        step(counts.entry((address, None)), OF_ADDRESS, now)?;
        step(counts.entry((address, Some(agent.to_owned()))), OF_AGENT, now)
    }
}

type Entry<'a> = std::collections::hash_map::Entry<'a, (IpAddr, Option<String>), Count>;

fn step(entry: Entry<'_>, limit: u32, now: Instant) -> Result<(), u64> {
    let count = entry.or_insert(Count { since: now, openings: 0, blocked_until: None });
    if let Some(until) = count.blocked_until.filter(|until| now < *until) {
        return Err(seconds(until.saturating_duration_since(now)));
    }
    if now.saturating_duration_since(count.since) >= WINDOW {
        (count.since, count.openings) = (now, 0);
    }
    if count.openings < limit {
        count.openings += 1;
        return Ok(());
    }
    count.blocked_until = Some(now + BLOCK);
    Err(seconds(BLOCK))
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

/// Forgets counts that say nothing any more; if that is not enough, all that are not of an address as a whole.
fn make_room(counts: &mut HashMap<(IpAddr, Option<String>), Count>, now: Instant) {
    if counts.len() < COUNTS {
        return;
    }
    counts.retain(|_, count| {
        let end = count.blocked_until.unwrap_or(count.since + WINDOW);
        now < end
    });
    if counts.len() >= COUNTS {
        counts.retain(|(_, agent), _| agent.is_none());
    }
    if counts.len() >= COUNTS {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn one_agent_s_name_is_blocked_for_an_address_and_for_no_other() {
        let (limits, now) = (Limits::default(), Instant::now());
        for _ in 0..OF_AGENT {
            assert_eq!(limits.count(ADDRESS, "a", now), Ok(()));
        }
        assert_eq!(limits.count(ADDRESS, "a", now), Err(60));
        assert_eq!(limits.count(ADDRESS, "a", now + Duration::from_secs(10)), Err(50));
        assert_eq!(limits.count(ADDRESS, "b", now), Ok(()));
        assert_eq!(limits.count(IpAddr::from([10, 0, 0, 2]), "a", now), Ok(()));
    }

    #[test]
    fn an_address_is_blocked_whatever_names_it_gives_and_let_in_again_a_minute_later() {
        let (limits, now) = (Limits::default(), Instant::now());
        let fill = |now| (0..60).find_map(|agent| limits.count(ADDRESS, &agent.to_string(), now).err());
        assert_eq!(fill(now), Some(60));
        assert_eq!(limits.count(ADDRESS, "a", now + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_flood_of_names_does_not_grow_without_bound() {
        let (limits, now) = (Limits::default(), Instant::now());
        for address in 0..30_000_u32 {
            assert_eq!(limits.count(IpAddr::from(address.to_be_bytes()), "a", now), Ok(()));
        }
        assert!(limits.0.lock().unwrap().len() <= COUNTS + 2);
    }
}
