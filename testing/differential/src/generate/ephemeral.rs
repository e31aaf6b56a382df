// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Ephemeral EC Keys", and the key exchange in two phases that uses them.

use evtpm_tpm_wire::{Cc, PublicBody, TpmaObject, TpmtEccScheme};

use crate::both::Mixed;
use crate::dice::Dice;
use crate::model::{Model, Object};

use super::{Plan, keys, object_that};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    match dice.below(10) {
        0..=2 => Some(Plan::new(Cc::EC_EPHEMERAL, &[]).with(|out| _ = out.u16(dice.of([3, 3, 3, 4, 5, 6])))),
        3..=6 => commit(dice, model),
        _ => z_gen_2_phase(dice, model),
    }
}

fn curve(model: &Model, key: u32) -> u16 {
    match model.object(key).and_then(Object::ours).map(|public| &public.body) {
        Some(PublicBody::Ecc { parms, .. }) => parms.curve_id.id(),
        _ => 3,
    }
}

pub(super) fn is_anonymous(object: &Object) -> bool {
    let body = object.ours().map(|public| &public.body);
    matches!(body, Some(PublicBody::Ecc { parms, .. }) if matches!(parms.scheme, Some(TpmtEccScheme::Ecdaa(_))))
}

/// A point, `s2` and `y2`, or less of it: what is absent is not computed with.
fn commit(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, is_anonymous)?;
    let mut point = Mixed::default();
    if dice.percent(50) {
        point = keys::point(dice, curve(model, key));
    } else {
        point.sized(&[]).sized(&[]);
    }
    let second = dice.some_bytes(40);
    let coordinate = dice.some_bytes(32);
    Some(Plan::new(Cc::COMMIT, &[key]).with(|out| _ = out.append_sized(&point).sized(&second).sized(&coordinate)))
}

/// Completes an exchange with the counter of the last ephemeral key, mostly.
fn z_gen_2_phase(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, |object| {
        let is_ecc = object.ours().is_some_and(|public| matches!(public.body, PublicBody::Ecc { .. }));
        is_ecc && object.has(TpmaObject::DECRYPT) && !object.has(TpmaObject::RESTRICTED)
    })?;
    let points = [0, 1].map(|_| keys::point(dice, curve(model, key)));
    let scheme = if dice.percent(90) { 0x0019 } else { dice.of([super::NULL_ALG, 0x0018, keys::ECDAA]) };
    let counter = if dice.percent(80) { model.counter } else { dice.of([0, 1, 2, 0xFFFF]) };
    Some(Plan::new(Cc::ZGEN_2PHASE, &[key]).with(|out| {
        out.append_sized(&points[0]).append_sized(&points[1]).u16(scheme).u16(counter);
    }))
}
