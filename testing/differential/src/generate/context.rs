// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Context Management".

use evtpm_tpm_wire::{Cc, Handle};

use crate::dice::Dice;
use crate::model::Model;

use super::{Plan, object};

const PERSISTENT: [u32; 4] = [0x8100_0001, 0x8100_0002, 0x8180_0001, 0x8180_0002];

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    Some(match dice.below(100) {
        0..=24 => {
            let handle = if dice.percent(70) { object(dice, model)? } else { dice.pick(&model.sessions)?.handle };
            Plan::new(Cc::CONTEXT_SAVE, &[handle])
        }
        25..=49 => {
            let saved = dice.pick(&model.saved)?;
            Plan::new(Cc::CONTEXT_LOAD, &[]).with(|out| _ = out.each(&saved.context))
        }
        50..=84 => {
            let handle = if dice.percent(90) { object(dice, model)? } else { dice.pick(&model.sessions)?.handle };
            Plan::new(Cc::FLUSH_CONTEXT, &[]).with(|out| _ = out.u32(handle))
        }
        _ => {
            let handle = object(dice, model)?;
            let persistent = if handle >= Handle::PERSISTENT_FIRST.0 { handle } else { dice.of(PERSISTENT) };
            let owner = if persistent >= Handle::PLATFORM_PERSISTENT.0 { Handle::PLATFORM } else { Handle::OWNER };
            Plan::new(Cc::EVICT_CONTROL, &[owner.0, handle]).with(|out| _ = out.u32(persistent))
        }
    })
}
