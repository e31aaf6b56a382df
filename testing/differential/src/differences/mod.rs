// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The one list of differences between libtpms 0.9.2 and our TPM that are not our faults, each with its reason.
//!
//! libtpms 0.9.2 follows version 1.59 of the library specification, ours version 185. What stands between quotation marks
//! was compared with the text of Part 3 in version 1.59, or with others' quotations of the later one; the rest is our words.

use evtpm_tpm_wire::{TpmAlgId, TpmPt};

use crate::story::Case;

mod capability;
mod certificates;
mod cryptography;
mod format;
mod hierarchy;
mod nv;
mod objects;
mod policy;
mod sessions;

/// A difference that is explained.
#[derive(Debug)]
pub struct Known {
    /// Its name in reports.
    pub name: &'static str,
    /// Whether this case is one of it.
    pub is: fn(&Case) -> bool,
    /// Why it is right.
    pub reason: &'static str,
}

/// Every known difference, by what it is about.
pub const ALL: [&[Known]; 9] = [
    format::KNOWN,
    sessions::KNOWN,
    capability::KNOWN,
    hierarchy::KNOWN,
    objects::KNOWN,
    nv::KNOWN,
    policy::KNOWN,
    cryptography::KNOWN,
    certificates::KNOWN,
];

/// Finds what explains a case.
#[must_use]
pub fn explain(case: &Case) -> Option<&'static Known> {
    ALL.into_iter().flatten().find(|known| (known.is)(case))
}

/// Commands and algorithms that one of both lacks.
#[must_use]
pub fn command(code: u32) -> bool {
    evtpm_testing_foreign::replay::compare::COMMANDS.iter().any(|(known, _)| known.0 & 0xFFFF == code & 0xFFFF)
        || (0x198..0x1C0).contains(&(code & 0xFFFF))
}

/// Algorithms that one of both lacks.
#[must_use]
pub fn algorithm(id: TpmAlgId) -> bool {
    evtpm_testing_foreign::replay::compare::ALGORITHMS.iter().any(|(known, _)| *known == id)
}

/// Properties in which one maker's TPM differs from another's.
#[must_use]
pub fn property(property: TpmPt) -> bool {
    // Version and date of the specifications, numbers of commands, sizes of buffers and of what is split.
    // How often the clock is stored, and how many more persistent objects, counters and curves there is room for.
    matches!(property.0, 0x102..=0x104 | 0x10F | 0x119 | 0x121..=0x12E | 0x209 | 0x20B | 0x20D)
        || evtpm_testing_foreign::replay::compare::PROPERTIES.iter().any(|(known, _)| *known == property)
}
