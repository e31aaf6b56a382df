// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which ephemeral keys wait for the command that uses them up (Part 1, "Commit Random Value", "Recovering the Private
//! Ephemeral Key").

use crate::snapshot::Archive;
use evtpm_tpm_wire::Rc;

/// The commit counter, and a bit for each of its latest values that was given out and not used yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Commits {
    count: u64,
    pending: u128,
}

impl Commits {
    /// How many can wait (`TPM_PT_SPLIT_MAX`).
    pub(crate) const MAX: u32 = u128::BITS;

    /// Passes the counter and who waits.
    pub(super) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let mut pending = self.pending.to_be_bytes();
        archive.pass(&mut self.count)?;
        archive.octets(&mut pending)?;
        self.pending = u128::from_be_bytes(pending);
        Ok(())
    }

    /// Tells the value of the counter that the next ephemeral key is made from.
    pub(crate) const fn next(&self) -> u64 {
        self.count
    }

    /// Gives the value out, in its low-order 16 bits; whichever waited in its place waits no more.
    pub(crate) fn begin(&mut self) -> u16 {
        let counter = low_order(self.count);
        self.pending |= bit(counter);
        self.count = self.count.wrapping_add(1);
        counter
    }

    /// Recovers the whole value: `TPM_RC_RANGE` when it was never given out or so long ago that its place was given to
    /// another, `TPM_RC_VALUE` when it was used ("if A[i] is CLEAR, return TPM_RC_VALUE").
    pub(crate) fn find(&self, counter: u16) -> Result<u64, Rc> {
        let behind = low_order(self.count).wrapping_sub(counter);
        if behind == 0 || u32::from(behind) > Self::MAX {
            return Err(Rc::RANGE);
        }
        let count = self.count.checked_sub(u64::from(behind)).ok_or(Rc::RANGE)?;
        if self.pending & bit(counter) == 0 { Err(Rc::VALUE) } else { Ok(count) }
    }

    /// Marks a value as used: "if the command completes successfully set A[i] := 0".
    pub(crate) fn end(&mut self, counter: u16) {
        self.pending &= !bit(counter);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "\"The low-order 16 bits of commitCount\"")]
const fn low_order(count: u64) -> u16 {
    count as u16
}

fn bit(counter: u16) -> u128 {
    1u128.wrapping_shl(u32::from(counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_used_once() {
        let mut commits = Commits::default();
        assert_eq!(commits.find(0), Err(Rc::RANGE));
        assert_eq!((commits.begin(), commits.begin()), (0, 1));
        assert_eq!(commits.find(1), Ok(1));
        commits.end(1);
        assert_eq!((commits.find(1), commits.find(0), commits.find(2)), (Err(Rc::VALUE), Ok(0), Err(Rc::RANGE)));
        assert_eq!(commits.find(65_535), Err(Rc::RANGE));
    }

    #[test]
    fn as_many_wait_as_there_are_bits() {
        let mut commits = Commits::default();
        for number in 0..128 {
            assert_eq!(commits.begin(), number);
        }
        assert_eq!((commits.find(0), commits.find(127)), (Ok(0), Ok(127)));
        assert_eq!(commits.begin(), 128);
        assert_eq!((commits.find(0), commits.find(1), commits.find(128)), (Err(Rc::RANGE), Ok(1), Ok(128)));
    }

    #[test]
    fn the_counter_goes_on_behind_its_low_order_bits() {
        let mut commits = Commits { count: 0x2_FFFF, pending: 0 };
        assert_eq!((commits.begin(), commits.begin()), (0xFFFF, 0));
        assert_eq!((commits.find(0xFFFF), commits.find(0)), (Ok(0x2_FFFF), Ok(0x3_0000)));
    }
}
