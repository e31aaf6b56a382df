// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Symmetric Primitives", "Hash/HMAC/Event Sequences", "Asymmetric Primitives".

use evtpm_tpm_wire::{Cc, Handle, PublicAlg, PublicBody, TpmaObject};

use crate::dice::Dice;
use crate::model::{Model, Object};

use super::{NULL_ALG, Plan, any_hierarchy, hash, hash_or_null, id, keys, new_auth, object_that};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    match dice.below(100) {
        0..=11 => Some(hash_command(dice)),
        12..=21 => {
            let key = object_that(dice, model, of_kind(PublicAlg::KeyedHash))?;
            Some(Plan::new(Cc::HMAC, &[key]).with(|out| {
                buffer(dice, out);
                out.u16(hash_or_null(dice));
            }))
        }
        22..=33 => encrypt_decrypt(dice, model),
        34..=40 => {
            let auth = new_auth(dice);
            let alg = hash_or_null(dice);
            Some(Plan::new(Cc::HASH_SEQUENCE_START, &[]).with(|out| _ = out.sized(&auth).u16(alg)).auth(&auth))
        }
        41..=46 => {
            let key = object_that(dice, model, of_kind(PublicAlg::KeyedHash))?;
            let auth = new_auth(dice);
            let alg = hash_or_null(dice);
            Some(Plan::new(Cc::HMAC_START, &[key]).with(|out| _ = out.sized(&auth).u16(alg)).auth(&auth))
        }
        47..=58 => sequence(dice, model),
        59..=68 => rsa_encrypt(dice, model),
        69..=78 => rsa_decrypt(dice, model),
        79..=90 => z_gen(dice, model),
        _ => Some(Plan::new(Cc::ECDH_KEY_GEN, &[object_that(dice, model, of_kind(PublicAlg::Ecc))?])),
    }
}

fn of_kind(kind: PublicAlg) -> impl Fn(&Object) -> bool {
    move |object| object.ours().is_some_and(|public| public.kind() == kind)
}

fn buffer(dice: &mut Dice, out: &mut crate::both::Mixed) {
    let size = if dice.percent(90) { dice.below(200) } else { dice.of([0, 1023, 1024, 1025]) };
    out.sized(&dice.bytes(size));
}

fn hash_command(dice: &mut Dice) -> Plan {
    Plan::new(Cc::HASH, &[]).with(|out| {
        buffer(dice, out);
        out.u16(id(hash(dice))).u32(any_hierarchy(dice));
    })
}

fn encrypt_decrypt(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, of_kind(PublicAlg::SymCipher))?;
    let second = dice.percent(50);
    let mode = if dice.percent(70) { NULL_ALG } else { dice.of([0x0040, 0x0041, 0x0042, 0x0043, 0x0044]) };
    let size = if dice.percent(70) { 16 * dice.below(8) } else { dice.below(130) };
    let iv = if dice.percent(90) { dice.bytes(16) } else { dice.some_bytes(17) };
    let decrypt = dice.of([0, 1]);
    let data = dice.bytes(size);
    let code = if second { Cc::ENCRYPT_DECRYPT2 } else { Cc::ENCRYPT_DECRYPT };
    Some(Plan::new(code, &[key]).with(|out| {
        if second {
            out.sized(&data).u8(decrypt).u16(mode).sized(&iv);
        } else {
            out.u8(decrypt).u16(mode).sized(&iv).sized(&data);
        }
    }))
}

fn sequence(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let sequence = object_that(dice, model, |object| object.public.is_none())?;
    Some(match dice.below(10) {
        0..=4 => Plan::new(Cc::SEQUENCE_UPDATE, &[sequence]).with(|out| buffer(dice, out)),
        5..=7 => Plan::new(Cc::SEQUENCE_COMPLETE, &[sequence]).with(|out| {
            buffer(dice, out);
            out.u32(any_hierarchy(dice));
        }),
        _ => {
            let pcr = dice.of([0, 10, 16, 17, 23, Handle::NULL.0]);
            Plan::new(Cc::EVENT_SEQUENCE_COMPLETE, &[pcr, sequence]).with(|out| buffer(dice, out))
        }
    })
}

fn rsa_scheme(dice: &mut Dice, out: &mut crate::both::Mixed) {
    match dice.below(4) {
        0 => out.u16(NULL_ALG),
        1 => out.u16(0x0015),
        _ => out.u16(0x0017).u16(id(hash(dice))),
    };
}

fn label(dice: &mut Dice, out: &mut crate::both::Mixed) {
    match dice.below(4) {
        0 => out.sized(b"label\0"),
        1 => out.sized(b"no zero"),
        _ => out.sized(&[]),
    };
}

fn rsa_encrypt(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, of_kind(PublicAlg::Rsa))?;
    Some(Plan::new(Cc::RSA_ENCRYPT, &[key]).with(|out| {
        let size = if dice.percent(80) { dice.below(60) } else { dice.of([0, 190, 245, 256, 257]) };
        out.sized(&dice.bytes(size));
        rsa_scheme(dice, out);
        label(dice, out);
    }))
}

fn rsa_decrypt(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, of_kind(PublicAlg::Rsa))?;
    Some(Plan::new(Cc::RSA_DECRYPT, &[key]).with(|out| {
        // Below the modulus, mostly; what comes out without padding is the same on both sides.
        let mut cipher = dice.bytes(256);
        cipher[0] = dice.of([0, 1, 0x40, 0xFF]);
        if dice.percent(5) {
            cipher.pop();
        }
        out.sized(&cipher);
        rsa_scheme(dice, out);
        label(dice, out);
    }))
}

fn z_gen(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, |object| of_kind(PublicAlg::Ecc)(object) && object.has(TpmaObject::DECRYPT))?;
    let curve = match model.object(key).and_then(Object::ours).map(|public| &public.body) {
        Some(PublicBody::Ecc { parms, .. }) => parms.curve_id.id(),
        _ => 3,
    };
    Some(Plan::new(Cc::ECDH_ZGEN, &[key]).with(|out| _ = out.append_sized(&keys::point(dice, curve))))
}
