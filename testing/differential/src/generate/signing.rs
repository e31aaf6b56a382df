// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Signing and Signature Verification" and "Attestation Commands".

use evtpm_crypto::{Crypto, HashAlg as Hash, RustCrypto};
use evtpm_tpm_wire::{Cc, Handle, PublicAlg, TpmaObject};

use crate::both::Mixed;
use crate::dice::Dice;
use crate::model::{Model, Object};

use super::{
    NULL_ALG, Plan, any_hierarchy, digest, hash, id, keys, null_ticket, object, object_that, pcr_selection, templates,
};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    match dice.below(100) {
        0..=24 => sign(dice, model),
        25..=44 => verify(dice, model),
        45..=62 => Some(quote(dice, model)),
        63..=77 => certify(dice, model),
        78..=85 => certify_creation(dice, model),
        86..=90 => Some(get_time(dice, model)),
        91 | 92 => Some(command_audit(dice, model)),
        93..=96 => certify_x509(dice, model),
        _ => session_audit(dice, model),
    }
}

/// A signing key, or none.
pub(super) fn key_or_null(dice: &mut Dice, model: &Model) -> u32 {
    if dice.percent(35) {
        return Handle::NULL.0;
    }
    object_that(dice, model, |object| object.has(TpmaObject::SIGN)).unwrap_or(Handle::NULL.0)
}

/// Writes `qualifyingData`.
pub(super) fn qualifying_data(dice: &mut Dice, out: &mut Mixed) {
    let data = dice.some_bytes(32);
    out.sized(&data);
}

/// Writes a scheme that the key can have, mostly.
pub(super) fn scheme(dice: &mut Dice, model: &Model, key: u32, out: &mut Mixed) {
    let kind = model.object(key).and_then(Object::ours).map(evtpm_tpm_wire::TpmtPublic::kind);
    let scheme = match kind {
        _ if dice.percent(35) => NULL_ALG,
        _ if dice.percent(5) => dice.of([0x0005, 0x0014, 0x0016, 0x0018]),
        Some(PublicAlg::Rsa) => dice.of([0x0014, 0x0016]),
        Some(PublicAlg::Ecc) => dice.of([0x0018, 0x0018, keys::ECDAA, 0x001C]),
        Some(PublicAlg::KeyedHash) => 0x0005,
        _ => NULL_ALG,
    };
    out.u16(scheme);
    match scheme {
        NULL_ALG => {}
        keys::ECDAA => _ = out.u16(id(hash(dice))).u16(model.counter),
        _ => _ = out.u16(id(hash(dice))),
    }
}

fn sign(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, |object| object.has(TpmaObject::SIGN))?;
    let hashed: Vec<_> =
        model.tickets.iter().filter(|ticket| matches!(ticket.code, Cc::HASH | Cc::SEQUENCE_COMPLETE)).collect();
    let ticket = if dice.percent(35) { dice.pick(&hashed) } else { None };
    Some(Plan::new(Cc::SIGN, &[key]).with(|out| match ticket {
        Some(ticket) => {
            out.sized(&ticket.digest);
            scheme(dice, model, key, out);
            out.each(&ticket.ticket);
        }
        None => {
            let alg = hash(dice);
            let digest = digest(dice, alg);
            out.sized(&digest);
            scheme(dice, model, key, out);
            null_ticket(0x8024, out);
        }
    }))
}

/// An HMAC of the known key, right or wrong, or an asymmetric signature that is wrong.
fn verify(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, |object| object.has(TpmaObject::SIGN))?;
    let kind = model.object(key).and_then(Object::ours).map(evtpm_tpm_wire::TpmtPublic::kind);
    let digest = to_be_verified(dice, model);
    Some(Plan::new(Cc::VERIFY_SIGNATURE, &[key]).with(|out| {
        out.sized(&digest);
        match kind {
            Some(PublicAlg::KeyedHash) => {
                let mut mac = RustCrypto::hmac(Hash::Sha256, &keys::HMAC, &[&digest]).as_bytes().to_vec();
                if dice.percent(20) {
                    mac[3] ^= 1;
                }
                out.u16(0x0005).u16(0x000B).raw(&mac);
            }
            Some(PublicAlg::Rsa) => {
                let mut signature = dice.bytes(256);
                signature[0] = dice.of([0, 0xFF]);
                out.u16(dice.of([0x0014, 0x0016])).u16(0x000B).sized(&signature);
            }
            _ => ecdsa(dice, &digest, out),
        }
    }))
}

/// Any digest, or what `TPM2_PolicyAuthorize` wants a ticket for: "aHash ≔ HaHashAlg(approvedPolicy || policyRef)".
fn to_be_verified(dice: &mut Dice, model: &Model) -> Vec<u8> {
    let policies = || model.sessions.iter().filter(|session| session.kind != 0 && !session.recipe.is_empty());
    match policies().next() {
        Some(session) if dice.percent(60) => {
            let approved = templates::policy_of(&session.recipe, session.hash);
            RustCrypto::hash(Hash::Sha256, &[&approved]).as_bytes().to_vec()
        }
        _ => dice.bytes(32),
    }
}

fn ecdsa(dice: &mut Dice, digest: &[u8], out: &mut Mixed) {
    let private = keys::ecc(evtpm_crypto::EccCurve::P256);
    let signature = RustCrypto::ecdsa_sign(&private, digest, &mut keys::repeatable(dice)).unwrap();
    let mut r = signature.r().to_vec();
    if dice.percent(20) {
        r[3] ^= 1;
    }
    if dice.percent(5) {
        r = vec![0; 32];
    }
    out.u16(0x0018).u16(0x000B).sized(&r).sized(signature.s());
}

fn quote(dice: &mut Dice, model: &Model) -> Plan {
    let key = key_or_null(dice, model);
    Plan::new(Cc::QUOTE, &[key]).with(|out| {
        qualifying_data(dice, out);
        scheme(dice, model, key, out);
        pcr_selection(dice, out);
    })
}

fn certify(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = key_or_null(dice, model);
    Some(Plan::new(Cc::CERTIFY, &[object(dice, model)?, key]).with(|out| {
        qualifying_data(dice, out);
        scheme(dice, model, key, out);
    }))
}

fn certify_creation(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = key_or_null(dice, model);
    let created = dice.pick(&model.created)?;
    let (hash, ticket) = created.creation.clone()?;
    let name = Object::of_public(0, created.public.clone(), &[], false).name;
    let loaded = model.objects.iter().find(|object| object.name == name).map(|object| object.handle);
    let handle = match loaded {
        Some(loaded) => loaded,
        None => object(dice, model)?,
    };
    Some(Plan::new(Cc::CERTIFY_CREATION, &[key, handle]).with(|out| {
        qualifying_data(dice, out);
        out.each_sized(&hash);
        scheme(dice, model, key, out);
        out.each(&ticket);
    }))
}

fn get_time(dice: &mut Dice, model: &Model) -> Plan {
    let key = key_or_null(dice, model);
    let privacy = if dice.percent(90) { Handle::ENDORSEMENT.0 } else { any_hierarchy(dice) };
    Plan::new(Cc::GET_TIME, &[privacy, key]).with(|out| {
        qualifying_data(dice, out);
        scheme(dice, model, key, out);
    })
}

fn session_audit(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = key_or_null(dice, model);
    let session = dice.pick(&model.sessions)?.handle;
    let handles = [Handle::ENDORSEMENT.0, key, session];
    Some(Plan::new(Cc::GET_SESSION_AUDIT_DIGEST, &handles).with(|out| {
        qualifying_data(dice, out);
        scheme(dice, model, key, out);
    }))
}

fn command_audit(dice: &mut Dice, model: &Model) -> Plan {
    let key = key_or_null(dice, model);
    Plan::new(Cc::GET_COMMAND_AUDIT_DIGEST, &[Handle::ENDORSEMENT.0, key]).with(|out| {
        qualifying_data(dice, out);
        scheme(dice, model, key, out);
    })
}

/// Issuer, validity and subject that nobody looks into, and a use of the key that it has, mostly.
fn certify_x509(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, |object| object.has(TpmaObject::SIGN))?;
    let subject = if dice.percent(50) { key } else { object(dice, model)? };
    let mut elements = Vec::new();
    for _ in 0..dice.of([2, 3, 3, 3, 3, 4, 5]) {
        elements.extend([0x30, 2, 5, 0]);
    }
    // digitalSignature, keyEncipherment, keyCertSign, and one that needs a restricted key.
    let usage = dice.of([0x80, 0x80, 0x20, 0x04, 0x10]);
    let mut extensions = vec![0x30, 14, 6, 3, 0x55, 0x1D, 0x0F, 1, 1, 0xFF, 4, 4, 3, 2, 2, usage];
    if dice.percent(30) {
        let attributes = model.object(subject).and_then(Object::ours).map_or(0, |public| public.object_attributes.0);
        extensions.extend([0x30, 18, 6, 7, 0x67, 0x81, 5, 10, 1, 1, 1, 4, 7, 3, 5, 0]);
        extensions.extend(attributes.to_be_bytes());
    }
    let list = [&[0x30, u8::try_from(extensions.len()).unwrap_or(0)][..], &extensions].concat();
    elements.extend([0xA3, u8::try_from(list.len()).unwrap_or(0)]);
    elements.extend(list);
    let certificate = [&[0x30, u8::try_from(elements.len()).unwrap_or(0)][..], &elements].concat();
    Some(Plan::new(Cc::CERTIFY_X509, &[subject, key]).with(|out| {
        out.sized(&[]);
        scheme(dice, model, key, out);
        out.sized(&certificate);
    }))
}
