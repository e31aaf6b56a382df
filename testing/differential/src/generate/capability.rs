// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Capability Commands", "Random Number Generator", "Testing", "Clocks and Timers".

use evtpm_tpm_wire::{Cc, Handle};

use crate::dice::Dice;
use crate::model::Model;

use super::{NULL_ALG, Plan, hash, id};

pub(super) fn idea(dice: &mut Dice, _: &Model) -> Option<Plan> {
    Some(match dice.below(100) {
        0..=49 => get_capability(dice),
        50..=59 => {
            let size = dice.of([0, 1, 16, 32, 48, 64, 65, 0xFFFF]);
            Plan::new(Cc::GET_RANDOM, &[]).with(|out| _ = out.u16(size))
        }
        60..=64 => {
            let size = dice.below(140);
            Plan::new(Cc::STIR_RANDOM, &[]).with(|out| _ = out.sized(&dice.bytes(size)))
        }
        65..=67 => Plan::new(Cc::SELF_TEST, &[]).with(|out| _ = out.u8(dice.of([0, 0, 0, 2]))),
        68 | 69 => Plan::new(Cc::INCREMENTAL_SELF_TEST, &[]).with(|out| {
            let count = dice.below(3);
            out.u32(u32::try_from(count).unwrap_or(0));
            (0..count).for_each(|_| _ = out.u16(dice.of([0x0004, 0x000B, 0x0001, 0x0006])));
        }),
        70..=74 => Plan::new(Cc::GET_TEST_RESULT, &[]),
        75..=79 => Plan::new(Cc::READ_CLOCK, &[]),
        80..=86 => test_parms(dice),
        87..=91 => Plan::new(Cc::ECC_PARAMETERS, &[]).with(|out| _ = out.u16(dice.of([0, 3, 4, 5, 0x21]))),
        92..=94 => Plan::new(Cc::SHUTDOWN, &[]).with(|out| _ = out.u16(dice.of([0, 1, 1, 2]))),
        95..=96 => Plan::new(Cc::STARTUP, &[]).with(|out| _ = out.u16(dice.of([0, 1]))),
        97 => Plan::new(Cc::CLOCK_RATE_ADJUST, &[Handle::OWNER.0]).with(|out| _ = out.u8(dice.of([0, 1, 0xFF, 4]))),
        _ => Plan::new(Cc::CLOCK_SET, &[dice.of([Handle::OWNER, Handle::PLATFORM]).0]).with(|out| {
            // The clocks of both run, so that only values far from any are comparable.
            out.u64(dice.of([u64::MAX, 0xFFFF_0000_0000_0000]));
        }),
    })
}

fn get_capability(dice: &mut Dice) -> Plan {
    let (capability, property) = match dice.below(10) {
        0 => (0, dice.of([0, 1, 6, 0x14, 0x23, 0x45])),
        1 => {
            (1, dice.of([0, 0x0200_0000, 0x0300_0000, 0x4000_0000, 0x8000_0000, 0x8100_0000, 0x0100_0000, 0x0500_0000]))
        }
        2 => (2, dice.of([0x11F, 0x131, 0x15E, 0x180, 0x193, 0x1A0])),
        3 => (3, 0x11F),
        4 => (4, 0x11F),
        5 => (5, dice.of([0, 1])),
        6 => (6, dice.of([0x100, 0x112, 0x121, 0x200, 0x201, 0x213])),
        7 => (7, dice.of([0, 5, 0x12])),
        8 => (8, dice.of([0, 3])),
        _ => (dice.of([9, 10, 0x100]), 0),
    };
    // Lists that are not equally long cannot be compared page by page.
    let count = if matches!(capability, 0 | 2) { 0xFFFF_FFFF } else { dice.of([0, 1, 2, 8, 64, 0xFFFF_FFFF]) };
    Plan::new(Cc::GET_CAPABILITY, &[]).with(|out| _ = out.u32(capability).u32(property).u32(count))
}

fn test_parms(dice: &mut Dice) -> Plan {
    Plan::new(Cc::TEST_PARMS, &[]).with(|out| match dice.below(4) {
        0 => _ = out.u16(0x0001).u16(NULL_ALG).u16(NULL_ALG).u16(dice.of([1024, 2048, 3072, 4095])).u32(0),
        1 => _ = out.u16(0x0023).u16(NULL_ALG).u16(NULL_ALG).u16(dice.of([3, 4, 5, 6])).u16(NULL_ALG),
        2 => _ = out.u16(0x0025).u16(0x0006).u16(dice.of([64, 128, 192, 256])).u16(0x0043),
        _ => _ = out.u16(0x0008).u16(dice.of([0x0005, 0x000A])).u16(id(hash(dice))),
    })
}
