// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Object Commands", "Duplication Commands", and the primary objects.

use evtpm_tpm_wire::{Cc, Handle, TpmaObject};

use crate::both::Mixed;
use crate::dice::Dice;
use crate::model::{Model, Object};

use super::{Plan, any_hierarchy, keys, new_auth, object, object_that, pcr_selection, same, templates};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    match dice.below(100) {
        0..=9 => Some(create_primary(dice)),
        10..=31 => Some(load_external(dice)),
        32..=45 => create(dice, model),
        46..=57 => load(dice, model),
        58..=62 => create_loaded(dice, model),
        63..=72 => Some(Plan::new(Cc::READ_PUBLIC, &[object(dice, model)?])),
        73..=78 => Some(Plan::new(Cc::UNSEAL, &[object_that(dice, model, is_sealed)?])),
        79..=82 => object_change_auth(dice, model),
        83..=87 => make_credential(dice, model),
        88..=91 => activate_credential(dice, model),
        92..=94 => duplicate(dice, model),
        95 | 96 => rewrap(dice, model),
        97 | 98 if !model.duplicates.is_empty() => import_duplicate(dice, model),
        _ => import(dice, model),
    }
}

fn is_parent(object: &Object) -> bool {
    object.has(TpmaObject::RESTRICTED | TpmaObject::DECRYPT)
}

fn is_sealed(object: &Object) -> bool {
    object.ours().is_some() && !object.has(TpmaObject::SIGN) && !object.has(TpmaObject::DECRYPT)
}

fn creation(dice: &mut Dice, out: &mut Mixed) {
    let size = dice.below(20);
    out.sized(&dice.bytes(size));
    pcr_selection(dice, out);
}

fn template(dice: &mut Dice, out: &mut Mixed) -> Vec<u8> {
    let purpose = templates::any_use(dice);
    let own_data = match purpose {
        templates::Use::Sealed => dice.percent(95),
        templates::Use::Hmac | templates::Use::Cipher => dice.percent(50),
        _ => dice.percent(2),
    };
    let auth = templates::sensitive(dice, purpose, own_data, out);
    let mut public = Mixed::default();
    templates::public(dice, purpose, own_data, &mut public);
    out.append_sized(&public);
    auth
}

fn create_primary(dice: &mut Dice) -> Plan {
    let plan = Plan::new(Cc::CREATE_PRIMARY, &[any_hierarchy(dice)]);
    let mut auth = Vec::new();
    plan.with(|out| {
        auth = template(dice, out);
        creation(dice, out);
    })
    .auth(&auth)
}

fn create(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let mut auth = Vec::new();
    let plan = Plan::new(Cc::CREATE, &[object_that(dice, model, is_parent)?]).with(|out| {
        auth = template(dice, out);
        creation(dice, out);
    });
    Some(plan.auth(&auth))
}

fn create_loaded(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let parent = if dice.percent(30) { any_hierarchy(dice) } else { object_that(dice, model, is_parent)? };
    let mut auth = Vec::new();
    Some(Plan::new(Cc::CREATE_LOADED, &[parent]).with(|out| auth = template(dice, out)).auth(&auth))
}

fn load_external(dice: &mut Dice) -> Plan {
    let mut auth = Vec::new();
    Plan::new(Cc::LOAD_EXTERNAL, &[]).with(|out| auth = keys::external(dice, out)).auth(&auth)
}

pub(super) fn load(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let created = dice.pick(&model.created)?;
    let parent = model.objects.iter().find(|object| object.name.ours == created.parent).map(|object| object.handle);
    let parent = match parent {
        Some(parent) if dice.percent(90) => parent,
        _ => object_that(dice, model, is_parent)?,
    };
    let plan = Plan::new(Cc::LOAD, &[parent]).with(|out| {
        let public = created.public.map(evtpm_testing_foreign::packet::marshal);
        out.each_sized(&created.private).each_sized(&public);
    });
    Some(plan.auth(&created.auth))
}

fn object_change_auth(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let handle = object_that(dice, model, |object| object.handle < Handle::PERSISTENT_FIRST.0)?;
    let name = &model.object(handle)?.name.ours;
    // The parent of a loaded object is whoever made it.
    let parent = model.created.iter().find(|created| {
        let names = super::super::model::Object::of_public(0, created.public.clone(), &[], false).name;
        names.ours == *name
    });
    let parent = parent.and_then(|created| model.objects.iter().find(|object| object.name.ours == created.parent));
    let parent = match parent {
        Some(parent) => parent.handle,
        None => object(dice, model)?,
    };
    let auth = new_auth(dice);
    Some(Plan::new(Cc::OBJECT_CHANGE_AUTH, &[handle, parent]).with(|out| _ = out.sized(&auth)).auth(&auth))
}

fn make_credential(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let key = object_that(dice, model, is_parent)?;
    let name = model.object(object(dice, model)?)?.name.clone();
    let size = dice.below(33);
    let credential = dice.bytes(size);
    Some(Plan::new(Cc::MAKE_CREDENTIAL, &[key]).with(|out| _ = out.sized(&credential).each_sized(&name)))
}

pub(super) fn activate_credential(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let credential = dice.pick(&model.credentials)?;
    let [object, key] = match credential.names.each_ref().map(|name| named(model, name)) {
        [Some(object), Some(key)] if dice.percent(80) => [object, key],
        _ => [object(dice, model)?, object_that(dice, model, is_parent)?],
    };
    Some(Plan::new(Cc::ACTIVATE_CREDENTIAL, &[object, key]).with(|out| _ = out.each(&credential.parameters)))
}

pub(super) fn inner_wrap(dice: &mut Dice, out: &mut Mixed) {
    if dice.percent(60) {
        out.sized(&[]).u16(super::NULL_ALG);
    } else {
        let key = if dice.percent(50) { dice.bytes(16) } else { Vec::new() };
        out.sized(&key).u16(0x0006).u16(128).u16(0x0043);
    }
}

fn duplicate(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let handle = object_that(dice, model, |object| {
        object.ours().is_some_and(|public| !public.auth_policy.is_empty()) && !object.has(TpmaObject::FIXED_PARENT)
    })?;
    let parent = if dice.percent(40) { Handle::NULL.0 } else { object_that(dice, model, is_parent)? };
    Some(Plan::new(Cc::DUPLICATE, &[handle, parent]).with(|out| inner_wrap(dice, out)))
}

/// Finds the object with this Name of ours.
fn named(model: &Model, name: &[u8]) -> Option<u32> {
    model.objects.iter().find(|object| object.name.ours == name).map(|object| object.handle)
}

pub(super) fn rewrap(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let duplicate = dice.pick(&model.duplicates)?;
    let old = named(model, &duplicate.parent).unwrap_or(Handle::NULL.0);
    let new = if dice.percent(20) { Handle::NULL.0 } else { object_that(dice, model, is_parent)? };
    let name = Object::of_public(0, duplicate.public.clone(), &[], false).name;
    Some(Plan::new(Cc::REWRAP, &[old, new]).with(|out| {
        out.each_sized(&duplicate.private).each_sized(&name).each_sized(&duplicate.seed);
    }))
}

pub(super) fn import_duplicate(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let duplicate = dice.pick(&model.duplicates)?;
    let parent = match named(model, &duplicate.parent) {
        Some(parent) if dice.percent(90) => parent,
        _ => object_that(dice, model, is_parent)?,
    };
    let public = duplicate.public.map(evtpm_testing_foreign::packet::marshal);
    let plan = Plan::new(Cc::IMPORT, &[parent]).with(|out| {
        out.each_sized(&duplicate.key).each_sized(&public).each_sized(&duplicate.private).each_sized(&duplicate.seed);
        out.raw(&duplicate.symmetric);
    });
    Some(plan.auth(&duplicate.auth))
}

/// Imports a plaintext sensitive area of a known symmetric key: the integrity of all others is random.
fn import(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let parent = object_that(dice, model, is_parent)?;
    let auth = new_auth(dice);
    let mut sensitive = Mixed::default();
    let mut inner = Mixed::default();
    inner.u16(0x0008).sized(&auth).sized(&[0x36; 32]).sized(&keys::HMAC);
    sensitive.append_sized(&inner);
    let unique = <evtpm_crypto::RustCrypto as evtpm_crypto::Crypto>::hash(
        evtpm_crypto::HashAlg::Sha256,
        &[&[0x36; 32], &keys::HMAC],
    );
    let mut public = Mixed::default();
    public.u16(0x0008).u16(0x000B).u32(0x0004_0040).sized(&[]).u16(0x0005).u16(0x000B).sized(unique.as_bytes());
    let plan = Plan::new(Cc::IMPORT, &[parent]).with(|out| {
        out.sized(&[]).append_sized(&public).append_sized(&sensitive).each_sized(&same(&[])).u16(super::NULL_ALG);
    });
    Some(plan.auth(&auth))
}
