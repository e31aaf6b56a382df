// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hierarchies, dictionary attack, PCR and Clock.

use evtpm_tpm_wire::{Cc, Rc, Subject};

use super::Known;
use crate::both::Both;
use crate::shape::{self, only_in_lockout};

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "hierarchy that enables itself",
        is: |case| {
            case.code == Cc::HIERARCHY_CONTROL && case.codes.theirs.is_success() && case.codes.ours == Rc::AUTH_TYPE
        },
        reason: "Part 3, HierarchyControl: the enables of owner and endorsement are SET with Platform Authorization alone \
                 (TPM_RC_AUTH_TYPE); libtpms lets a hierarchy that is enabled say so again.",
    },
    Known {
        name: "dictionary attack with no tries",
        is: |case| {
            let locked = |values: &Both<Vec<u8>>| only_in_lockout(&values.theirs, &values.ours);
            case.codes.theirs == Rc::LOCKOUT
                || case.no_tries && case.field.as_ref().is_some_and(|(_, values)| locked(values))
        },
        reason: "Part 3, DictionaryAttackParameters, of newRecoveryTime: \"A value of zero indicates that DA protection is \
                 disabled.\" libtpms looks at newMaxTries alone, and at the authorization after the lockout.",
    },
    Known {
        name: "PCR that locality 4 resets",
        is: |case| {
            case.field.as_ref().is_some_and(|(_, values)| values.ours.starts_with(b"PcrProperties"))
                || case.code == Cc::PCR_RESET && case.locality == 4 && case.codes.theirs == Rc::LOCALITY
        },
        reason: "PC Client Platform TPM Profile, PCR attributes: locality 4 resets PCR 16 and PCR 20 to 23 like those below it \
                 that may; libtpms lets it reset none with TPM2_PCR_Reset.",
    },
    Known {
        name: "Clock between two clocks",
        is: |case| {
            let is_past = |rc| rc == Rc::VALUE.at(Subject::Parameter(1));
            case.code == Cc::CLOCK_SET
                && is_past(case.codes.theirs) != is_past(case.codes.ours)
                && shape::new_time(case).is_some_and(|time| time <= u64::from(shape::A_STORY) * 1000)
        },
        reason: "Part 3, ClockSet: \"If the value of newTime is less than the current value of Clock, ... then the TPM shall return \
                 TPM_RC_VALUE\". Clock of libtpms goes on by this machine's time, ours by five milliseconds with each command.",
    },
];
