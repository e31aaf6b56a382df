// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Hierarchy Commands" and "Dictionary Attack Functions": rarely, because they undo what the others built.

use evtpm_tpm_wire::{Cc, Handle};

use crate::dice::Dice;
use crate::model::Model;

use super::{Plan, hash, id, new_auth, templates};

pub(super) fn idea(dice: &mut Dice, _: &Model) -> Option<Plan> {
    let hierarchy = dice.of([Handle::OWNER, Handle::ENDORSEMENT, Handle::PLATFORM, Handle::LOCKOUT]).0;
    Some(match dice.below(100) {
        0..=29 => {
            let auth = new_auth(dice);
            Plan::new(Cc::HIERARCHY_CHANGE_AUTH, &[hierarchy]).with(|out| _ = out.sized(&auth)).auth(&auth)
        }
        30..=39 => {
            let enable = dice.of([Handle::OWNER, Handle::ENDORSEMENT, Handle::PLATFORM, Handle::PLATFORM_NV]).0;
            let state = dice.of([0, 1, 1, 1]);
            let authority = if dice.percent(70) { Handle::PLATFORM.0 } else { hierarchy };
            Plan::new(Cc::HIERARCHY_CONTROL, &[authority]).with(|out| _ = out.u32(enable).u8(state))
        }
        40..=54 => {
            let alg = hash(dice);
            let policy = templates::policy_of(dice.of(templates::RECIPES), alg);
            let alg = if policy.is_empty() && dice.percent(80) { super::NULL_ALG } else { id(alg) };
            Plan::new(Cc::SET_PRIMARY_POLICY, &[hierarchy]).with(|out| _ = out.sized(&policy).u16(alg))
        }
        55..=58 => Plan::new(Cc::CLEAR, &[dice.of([Handle::LOCKOUT, Handle::PLATFORM]).0]),
        59..=64 => {
            let disable = dice.of([0, 0, 1]);
            Plan::new(Cc::CLEAR_CONTROL, &[dice.of([Handle::LOCKOUT, Handle::PLATFORM]).0])
                .with(|out| _ = out.u8(disable))
        }
        65..=66 => Plan::new(Cc::CHANGE_EPS, &[Handle::PLATFORM.0]),
        67..=68 => Plan::new(Cc::CHANGE_PPS, &[Handle::PLATFORM.0]),
        69..=84 => Plan::new(Cc::DICTIONARY_ATTACK_LOCK_RESET, &[Handle::LOCKOUT.0]),
        85..=94 => Plan::new(Cc::DICTIONARY_ATTACK_PARAMETERS, &[Handle::LOCKOUT.0]).with(|out| {
            // Times that no test lives to see.
            out.u32(dice.of([0, 1, 3, 32])).u32(dice.of([0, 1000, 86_400])).u32(dice.of([0, 1000, 86_400]));
        }),
        95..=96 => Plan::new(Cc::SET_ALGORITHM_SET, &[Handle::PLATFORM.0]).with(|out| _ = out.u32(dice.of([0, 1]))),
        97 => Plan::new(Cc::PP_COMMANDS, &[Handle::PLATFORM.0]).with(|out| {
            // TPM2_ClearControl and TPM2_ChangeEPS may want somebody's presence; TPM2_GetRandom may not.
            for _ in 0..2 {
                match dice.below(2) {
                    0 => out.u32(0),
                    _ => out.u32(1).u32(dice.of([0x127, 0x124, 0x17B])),
                };
            }
        }),
        _ => Plan::new(Cc::SET_COMMAND_CODE_AUDIT_STATUS, &[dice.of([Handle::OWNER, Handle::PLATFORM]).0])
            .with(|out| _ = out.u16(super::NULL_ALG).u32(1).u32(dice.of([0x17E, 0x144, 0x140])).u32(0)),
    })
}
