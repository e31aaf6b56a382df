// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The chain through the audit log: each line's hash covers the line and the hash before it, so that a line that was
//! changed, inserted or removed shows.
//!
//! Only the end can be cut off unseen; whoever notes the last hash now and then sees that too.

use evtpm_api::AuditLine;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};

use crate::hex::unhex;
use crate::store::{AuditEntry, Store, StoreError};

/// Lines that are read at once.
const PAGE: u32 = 4_096;

/// The hash before the first line.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// What the hash of a line covers besides the hash before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) id: u64,
    pub(crate) at: u64,
    pub(crate) machine: Option<&'a str>,
    pub(crate) event: &'a str,
    pub(crate) detail: &'a str,
}

/// Computes the hash of a line: SHA-256 over a label, the hash before, number, time, and the texts each with its length.
pub(crate) fn link(previous: &[u8], line: Line<'_>) -> [u8; 32] {
    let (id, at) = (line.id.to_be_bytes(), line.at.to_be_bytes());
    let texts = [line.machine.unwrap_or_default(), line.event, line.detail];
    let sizes = texts.map(|text| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    let [machine, event, detail] = texts.map(str::as_bytes);
    let [machine_size, event_size, detail_size] = &sizes;
    let has_machine = [u8::from(line.machine.is_some())];
    let parts: [&[u8]; 11] = [
        b"evtpm audit v1\0",
        previous,
        &id,
        &at,
        &has_machine,
        machine_size,
        machine,
        event_size,
        event,
        detail_size,
        detail,
    ];
    RustCrypto::hash(HashAlg::Sha256, &parts).as_bytes().try_into().unwrap_or(GENESIS)
}

/// Where a walk along the chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The number of lines that hold.
    pub lines: u64,
    /// The number of the last of them.
    pub last: u64,
    /// Its hash.
    pub head: [u8; 32],
}

/// A line that does not follow from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The line's number.
    pub id: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the audit log: {}", self.id, self.what)
    }
}

impl std::error::Error for Broken {}

impl Default for Chain {
    fn default() -> Self {
        Chain { lines: 0, last: 0, head: GENESIS }
    }
}

impl Chain {
    /// Goes on over one line, as the API gives it.
    ///
    /// # Errors
    /// Names the line that does not follow.
    pub fn follow_line(&mut self, line: &AuditLine) -> Result<(), Broken> {
        let AuditLine { id, at, machine, event, detail, hash } = line.clone();
        let hash = unhex(&hash).unwrap_or_default();
        self.follow(&AuditEntry { id, at, machine, event, detail, hash })
    }

    /// Goes on over one line.
    pub(crate) fn follow(&mut self, entry: &AuditEntry) -> Result<(), Broken> {
        let broken = |what| Err(Broken { id: entry.id, what });
        if entry.id != self.last.saturating_add(1) {
            return broken("its number does not follow the one before: lines are missing or were inserted");
        }
        let AuditEntry { id, at, machine, event, detail, hash } = entry;
        let line = Line { id: *id, at: *at, machine: machine.as_deref(), event, detail };
        let expected = link(&self.head, line);
        if hash.as_slice() != expected {
            return broken(
                "its hash is not that of its content after the line before: it or a line before was changed",
            );
        }
        *self = Chain { lines: self.lines.saturating_add(1), last: *id, head: expected };
        Ok(())
    }
}

/// Follows the whole log of a store; ends at the first line that does not hold.
pub(crate) async fn walk(store: &dyn Store) -> Result<(Chain, Option<Broken>), StoreError> {
    let mut chain = Chain::default();
    loop {
        let page = store.audit(chain.last, PAGE).await?;
        if page.is_empty() {
            return Ok((chain, None));
        }
        for entry in &page {
            if let Err(broken) = chain.follow(entry) {
                return Ok((chain, Some(broken)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(details: &[&str]) -> Vec<AuditEntry> {
        let mut head = GENESIS;
        let line = |(index, detail): (usize, &&str)| {
            let (id, machine, event) = (index as u64 + 1, Some("vm".to_owned()), "verdict".to_owned());
            head = link(&head, Line { id, at: 7, machine: machine.as_deref(), event: &event, detail });
            AuditEntry { id, at: 7, machine, event, detail: (*detail).to_owned(), hash: head.to_vec() }
        };
        details.iter().enumerate().map(line).collect()
    }

    fn walk(entries: &[AuditEntry]) -> Result<Chain, Broken> {
        let mut chain = Chain::default();
        entries.iter().try_for_each(|entry| chain.follow(entry))?;
        Ok(chain)
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        assert_eq!(walk(&chain(&["a", "b", "c"])).map(|chain| chain.lines), Ok(3));
    }

    #[test]
    fn a_changed_removed_moved_or_inserted_line_shows() {
        let whole = chain(&["a", "b", "c"]);
        let changed = |change: fn(&mut Vec<AuditEntry>)| {
            let mut entries = whole.clone();
            change(&mut entries);
            walk(&entries).map_err(|broken| broken.id)
        };
        assert_eq!(changed(|entries| entries[1].detail = "x".into()), Err(2));
        assert_eq!(changed(|entries| entries[1].at = 8), Err(2));
        assert_eq!(changed(|entries| entries[1].machine = None), Err(2));
        assert_eq!(changed(|entries| drop(entries.remove(1))), Err(3));
        assert_eq!(changed(|entries| entries.swap(0, 1)), Err(2));
        assert_eq!(changed(|entries| entries.insert(1, entries[0].clone())), Err(1));
    }

    #[test]
    fn a_word_moved_from_one_field_to_the_next_is_another_line() {
        let line = |event, detail| link(&GENESIS, Line { id: 1, at: 1, machine: None, event, detail });
        assert_ne!(line("ab", "c"), line("a", "bc"));
    }
}
