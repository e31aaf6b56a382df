// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A set of command codes, one bit each (Part 1, "Persistent NV Data": `ppList` and `auditCommands`).

use crate::snapshot::Archive;
use evtpm_tpm_wire::Cc;

/// The first command code of Part 2.
const FIRST: u32 = Cc::NV_UNDEFINE_SPACE_SPECIAL.0;
const WORDS: usize = 3;

/// Some of the commands of Part 2; a code behind them is in no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandSet([u64; WORDS]);

impl CommandSet {
    /// No command.
    pub(crate) const EMPTY: Self = Self([0; WORDS]);

    /// Passes every bit.
    pub(crate) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        self.0.iter_mut().try_for_each(|word| archive.pass(word))
    }

    /// Tells whether a command is in the set.
    pub(crate) fn contains(&self, code: Cc) -> bool {
        place(code).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }

    /// Puts a command into the set or takes it out.
    pub(crate) fn assign(&mut self, code: Cc, member: bool) {
        let Some((word, bit)) = place(code) else { return };
        if let Some(word) = self.0.get_mut(word) {
            *word = if member { *word | bit } else { *word & !bit };
        }
    }
}

fn place(code: Cc) -> Option<(usize, u64)> {
    let number = code.0.checked_sub(FIRST)?;
    Some((usize::try_from(number >> 6).ok()?, 1 << (number & 63)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evtpm_tpm_wire::ALL_COMMAND_CODES;

    #[test]
    fn each_command_of_the_specification_has_its_own_bit() {
        let mut set = CommandSet::EMPTY;
        for code in ALL_COMMAND_CODES {
            assert!(!set.contains(*code), "{code}");
            set.assign(*code, true);
            assert!(set.contains(*code), "{code}");
        }
        ALL_COMMAND_CODES.iter().for_each(|code| set.assign(*code, false));
        assert_eq!(set, CommandSet::EMPTY);
    }

    #[test]
    fn a_code_outside_the_specification_is_in_no_set() {
        for code in [0, FIRST - 1, FIRST + 192, 0x2000_0001] {
            let mut set = CommandSet::EMPTY;
            set.assign(Cc(code), true);
            assert_eq!(set, CommandSet::EMPTY, "{code:#x}");
        }
    }
}
