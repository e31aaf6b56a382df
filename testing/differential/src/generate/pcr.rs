// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Integrity Collection (PCR)" and the sequences that end in one.

use evtpm_tpm_wire::{Cc, Handle};

use crate::dice::Dice;
use crate::model::Model;

use super::{Plan, digest, hash, id, pcr_selection};

pub(super) fn idea(dice: &mut Dice, _: &Model) -> Option<Plan> {
    let pcr = if dice.percent(10) { dice.of([Handle::NULL.0, 24, 31]) } else { u32::from(dice.bytes(1)[0] % 24) };
    Some(match dice.below(100) {
        0..=39 => extend(dice, pcr),
        40..=69 => Plan::new(Cc::PCR_READ, &[]).with(|out| pcr_selection(dice, out)),
        70..=84 => {
            let size = dice.below(200);
            Plan::new(Cc::PCR_EVENT, &[pcr]).with(|out| _ = out.sized(&dice.bytes(size)))
        }
        85..=94 => Plan::new(Cc::PCR_RESET, &[pcr]),
        95..=96 => Plan::new(Cc::PCR_ALLOCATE, &[Handle::PLATFORM.0]).with(|out| pcr_selection(dice, out)),
        97 => Plan::new(Cc::PCR_SET_AUTH_VALUE, &[pcr]).with(|out| _ = out.sized(&[1, 2, 3])),
        _ => Plan::new(Cc::PCR_SET_AUTH_POLICY, &[Handle::PLATFORM.0]).with(|out| {
            out.sized(&dice.bytes(32)).u16(0x000B).u32(pcr);
        }),
    })
}

fn extend(dice: &mut Dice, pcr: u32) -> Plan {
    Plan::new(Cc::PCR_EXTEND, &[pcr]).with(|out| {
        let count = dice.of([0, 1, 1, 1, 2, 4]);
        out.u32(count);
        for _ in 0..count {
            let hash = hash(dice);
            let digest = if dice.percent(97) { dice.bytes(hash.digest_size()) } else { digest(dice, hash) };
            out.u16(id(hash)).raw(&digest);
        }
    })
}
