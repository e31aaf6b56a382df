// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which PCRs of which banks, as asked for and as signed (verification rule 1).

use core::fmt;

use evtpm_logs::{HashId, PcrSet};

/// PCRs of one or several banks, each bank once, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection(Vec<(HashId, PcrSet)>);

impl Selection {
    /// Makes an empty selection.
    #[must_use]
    pub const fn new() -> Self {
        Selection(Vec::new())
    }

    /// Adds a bank; `None` if it is already there, or if no PCR is selected.
    #[must_use]
    pub fn with(mut self, bank: HashId, pcrs: PcrSet) -> Option<Self> {
        if pcrs.is_empty() || self.find(bank).is_some() {
            return None;
        }
        self.0.push((bank, pcrs));
        Some(self)
    }

    /// Returns the PCRs of a bank.
    #[must_use]
    pub fn find(&self, bank: HashId) -> Option<PcrSet> {
        self.iter().find(|(found, _)| *found == bank).map(|(_, pcrs)| pcrs)
    }

    /// Returns the banks with their PCRs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (HashId, PcrSet)> {
        self.0.iter().copied()
    }

    /// Returns the number of PCR values.
    #[must_use]
    pub fn values(&self) -> usize {
        self.iter().flat_map(|(_, pcrs)| pcrs.iter()).count()
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        self.iter().enumerate().try_for_each(|(n, (bank, pcrs))| {
            let plus = if n == 0 { "" } else { "+" };
            write!(f, "{plus}{bank}:{pcrs}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_twice_and_a_bank_without_pcr_are_no_selection() {
        let pcrs = PcrSet::from_mask(0x401).unwrap();
        let one = Selection::new().with(HashId::SHA256, pcrs).unwrap();
        assert_eq!(one.to_string(), "sha256:0,10");
        assert_eq!(one.values(), 2);
        assert_eq!(one.clone().with(HashId::SHA256, pcrs), None);
        assert_eq!(one.with(HashId::SHA1, PcrSet::EMPTY), None);
    }
}
