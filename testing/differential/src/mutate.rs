// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes commands wrong: before they are authorized, so that the error is met behind the authorization, or after.

use evtpm_tpm_wire::commands::ALL_SPECS;

use crate::both::Mixed;
use crate::dice::Dice;
use crate::generate::Plan;
use crate::seal::write_size;

/// Numbers at the edges of sizes, counts and selectors, and numbers that mean something somewhere.
const EDGES: [u32; 20] = [
    0,
    1,
    2,
    3,
    0x10,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x0b,
    0x14,
    0x18,
    0x4000_0007,
    0x4000_0009,
    0x8000_0000,
    0x7fff_ffff,
    0xffff_ffff,
];

/// Handles of every kind.
const HANDLES: [u32; 20] = [
    0,
    16,
    23,
    24,
    0x0100_0001,
    0x0180_0005,
    0x0200_0000,
    0x0200_0001,
    0x0300_0000,
    0x0300_0001,
    0x4000_0001,
    0x4000_0007,
    0x4000_0009,
    0x4000_000A,
    0x4000_000B,
    0x4000_000C,
    0x4000_0010,
    0x8000_0000,
    0x8000_0001,
    0x8100_0001,
];

/// What was done to a command, for the report.
pub type Change = &'static str;

/// Changes the plan, now and then.
pub fn before(dice: &mut Dice, plan: &mut Plan) -> Option<Change> {
    match dice.below(100) {
        0..=11 if plan.parameters.changeable() > 0 => {
            some_bytes(dice, &mut plan.parameters);
            Some("parameters")
        }
        12..=16 if !plan.handles.is_empty() => {
            let number = dice.below(plan.handles.len());
            plan.handles[number] = dice.of(HANDLES);
            Some("handle")
        }
        17 => {
            plan.code = dice.pick(ALL_SPECS)?.code;
            Some("code")
        }
        _ => None,
    }
}

/// Changes the bytes of a command, now and then; its size is set right again, mostly.
pub fn after(dice: &mut Dice, command: &mut Mixed) -> Option<Change> {
    let change = match dice.below(100) {
        0..=6 => {
            some_bytes(dice, command);
            "bytes"
        }
        7 | 8 => {
            let at = dice.below(command.changeable());
            command.truncate(at);
            "truncated"
        }
        9 => {
            let size = 1 + dice.below(5);
            command.raw(&dice.bytes(size));
            "appended"
        }
        _ => return None,
    };
    if dice.percent(80) {
        write_size(command);
    }
    Some(change)
}

fn some_bytes(dice: &mut Dice, bytes: &mut Mixed) {
    for _ in 0..=dice.below(2) {
        let at = dice.below(bytes.changeable());
        match dice.below(4) {
            0 => {
                let bit = 1 << dice.below(8);
                bytes.change(at, |byte| byte ^ bit);
            }
            1 => {
                let value = dice.bytes(1)[0];
                bytes.change(at, |_| value);
            }
            2 => {
                let number = dice.of(EDGES).to_be_bytes();
                let size = dice.of([1, 2, 4]);
                for (offset, value) in number[4 - size..].iter().enumerate() {
                    bytes.change(at + offset, |_| *value);
                }
            }
            _ => bytes.change(at, |byte| byte.wrapping_add(1)),
        }
    }
}
