// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Session Commands": salted, bound, encrypting, or none of it.

use evtpm_crypto::RustCrypto;
use evtpm_protocol::secret::{Label, share};
use evtpm_tpm_wire::{Cc, Handle, PublicBody, TpmaObject, TpmtPublic};

use crate::both::Both;
use crate::dice::Dice;
use crate::model::{Model, Object};

use super::{NULL_ALG, Plan, hash, id, keys, object, object_that};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    // Few sessions fit, so that most of the time one must go before another comes.
    if model.sessions.len() >= 3 && dice.percent(60) {
        let session = dice.pick(&model.sessions)?.handle;
        return Some(Plan::new(Cc::FLUSH_CONTEXT, &[]).with(|out| _ = out.u32(session)));
    }
    Some(start(dice, model))
}

fn can_salt(object: &Object) -> bool {
    let asymmetric = |object: &Object| {
        object.ours().is_some_and(|public| matches!(public.body, PublicBody::Rsa { .. } | PublicBody::Ecc { .. }))
    };
    object.has(TpmaObject::DECRYPT) && asymmetric(object)
}

/// A salt and how it is told to the key: each side has its own, where each has its own key.
fn salt_for(dice: &mut Dice, public: &TpmtPublic) -> (Vec<u8>, Vec<u8>) {
    share::<RustCrypto>(public, Label::Secret, &mut keys::repeatable(dice))
        .map_or_else(|_| Default::default(), |(salt, told)| (salt.as_bytes().to_vec(), told.as_bytes().to_vec()))
}

fn start(dice: &mut Dice, model: &Model) -> Plan {
    let mut salt_key = Handle::NULL.0;
    let (mut salt, mut encrypted) = (Both::default(), Both::default());
    if dice.percent(25)
        && let Some(handle) = object_that(dice, model, can_salt)
        && let Some(public) = model.object(handle).and_then(|object| object.public.as_ref())
    {
        salt_key = handle;
        let made = public.map(|public| salt_for(&mut dice.clone(), public));
        salt = made.map(|(salt, _)| salt.clone());
        encrypted = made.map(|(_, told)| told.clone());
    }
    let bind = match dice.below(10) {
        0 => dice.of([Handle::OWNER, Handle::ENDORSEMENT, Handle::PLATFORM, Handle::LOCKOUT]).0,
        1 => object(dice, model).unwrap_or(Handle::NULL.0),
        2 => dice.pick(&model.nv).map_or(Handle::NULL.0, |nv| nv.handle),
        _ => Handle::NULL.0,
    };
    let auth_hash = hash(dice);
    let size = if dice.percent(5) { dice.below(66) } else { 16 + dice.below(auth_hash.digest_size() - 15) };
    let kind = dice.of([0, 0, 1, 1, 3]);
    let mut plan = Plan::new(Cc::START_AUTH_SESSION, &[salt_key, bind]).with(|out| {
        out.sized(&dice.bytes(size)).each_sized(&encrypted).u8(kind);
        match dice.below(10) {
            0..=4 => out.u16(NULL_ALG),
            5..=7 => out.u16(0x0006).u16(dice.of([128, 256])).u16(0x0043),
            _ => out.u16(0x000A).u16(id(hash(dice))),
        };
        out.u16(id(auth_hash));
    });
    plan.note.salt = salt;
    plan
}
