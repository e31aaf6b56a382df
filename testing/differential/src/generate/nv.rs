// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Non-volatile Storage": all types of index, with and without policies.

use evtpm_tpm_wire::{Cc, Handle, NvType, TpmaNv};

use crate::dice::Dice;
use crate::model::{Assertion, Model, Nv};

use super::{Plan, hash, id, new_auth, signing, templates};

/// Few indices, so that commands meet those that exist.
const INDICES: [u32; 8] =
    [0x0100_0001, 0x0100_0002, 0x0150_0003, 0x0150_0004, 0x0180_0005, 0x0180_0006, 0x01C0_0007, 0x01D0_0008];

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    if model.nv.is_empty() || dice.percent(18) {
        return Some(define(dice));
    }
    let nv = dice.pick(&model.nv)?;
    let index = if dice.percent(3) { dice.of(INDICES) } else { nv.handle };
    let auth = authority(dice, nv);
    let kind = nv.public.attributes.nv_type();
    Some(match dice.below(100) {
        0..=24 => write(dice, nv, kind, [auth, index]),
        25..=27 => write_policy(dice, model, nv, [auth, index])?,
        28..=44 => Plan::new(Cc::NV_READ, &[auth, index]).with(|out| {
            let (size, offset) = range(dice, nv);
            out.u16(size).u16(offset);
        }),
        45..=54 => Plan::new(Cc::NV_READ_PUBLIC, &[index]),
        55..=62 => other_write(dice, [auth, index]),
        63..=66 => Plan::new(Cc::NV_WRITE_LOCK, &[auth, index]),
        67..=70 => Plan::new(Cc::NV_READ_LOCK, &[auth, index]),
        71..=72 => Plan::new(Cc::NV_GLOBAL_WRITE_LOCK, &[dice.of([Handle::OWNER, Handle::PLATFORM]).0]),
        73..=76 => {
            let auth = new_auth(dice);
            Plan::new(Cc::NV_CHANGE_AUTH, &[index]).with(|out| _ = out.sized(&auth)).auth(&auth)
        }
        77..=88 => {
            let owner =
                if nv.public.attributes.contains(TpmaNv::PLATFORMCREATE) { Handle::PLATFORM } else { Handle::OWNER };
            Plan::new(Cc::NV_UNDEFINE_SPACE, &[owner.0, index])
        }
        89..=90 => {
            let special: Vec<u32> = model
                .nv
                .iter()
                .filter(|nv| nv.public.attributes.contains(TpmaNv::POLICY_DELETE))
                .map(|nv| nv.handle)
                .collect();
            let index = dice.pick(&special).copied().unwrap_or(index);
            Plan::new(Cc::NV_UNDEFINE_SPACE_SPECIAL, &[index, Handle::PLATFORM.0])
        }
        _ => {
            let key = signing::key_or_null(dice, model);
            Plan::new(Cc::NV_CERTIFY, &[key, auth, index]).with(|out| {
                signing::qualifying_data(dice, out);
                signing::scheme(dice, model, key, out);
                let (size, offset) = range(dice, nv);
                out.u16(size).u16(offset);
            })
        }
    })
}

fn authority(dice: &mut Dice, nv: &Nv) -> u32 {
    let platform = if nv.public.attributes.contains(TpmaNv::PPWRITE) { 30 } else { 5 };
    match dice.below(100) {
        x if x < platform => Handle::PLATFORM.0,
        x if x < platform + 25 => Handle::OWNER.0,
        _ => nv.handle,
    }
}

fn range(dice: &mut Dice, nv: &Nv) -> (u16, u16) {
    let all = nv.public.data_size;
    if dice.percent(60) {
        return (all, 0);
    }
    (crate::both::small(dice.below(usize::from(all) + 2)), crate::both::small(dice.below(usize::from(all) + 2)))
}

fn write(dice: &mut Dice, nv: &Nv, kind: Option<NvType>, handles: [u32; 2]) -> Plan {
    match kind {
        Some(NvType::Counter) => Plan::new(Cc::NV_INCREMENT, &handles),
        Some(NvType::Bits) => Plan::new(Cc::NV_SET_BITS, &handles).with(|out| _ = out.u64(1 << dice.below(64))),
        Some(NvType::Extend) => extend(dice, &handles),
        Some(NvType::PinFail | NvType::PinPass) if dice.percent(80) => Plan::new(Cc::NV_WRITE, &handles)
            .with(|out| _ = out.sized(&[0, 0, 0, dice.of([0, 1]), 0, 0, 0, dice.of([0, 2, 5])]).u16(0)),
        _ => Plan::new(Cc::NV_WRITE, &handles).with(|out| {
            let (size, offset) = range(dice, nv);
            out.sized(&dice.bytes(usize::from(size))).u16(offset);
        }),
    }
}

/// Writes what `TPM2_PolicyAuthorizeNV` compares with: the policy that a session has, as `TPMT_HA`.
fn write_policy(dice: &mut Dice, model: &Model, nv: &Nv, handles: [u32; 2]) -> Option<Plan> {
    let policies: Vec<_> = model.sessions.iter().filter(|session| !session.recipe.is_empty()).collect();
    let session = dice.pick(&policies)?;
    let policy = templates::policy_of(&session.recipe, session.hash);
    if usize::from(nv.public.data_size) < 2 + policy.len() {
        return None;
    }
    let policy = [&id(session.hash).to_be_bytes()[..], &policy].concat();
    Some(Plan::new(Cc::NV_WRITE, &handles).with(|out| _ = out.sized(&policy).u16(0)))
}

fn extend(dice: &mut Dice, handles: &[u32]) -> Plan {
    let size = dice.below(80);
    Plan::new(Cc::NV_EXTEND, handles).with(|out| _ = out.sized(&dice.bytes(size)))
}

/// A write that does not fit the type of the index, mostly.
fn other_write(dice: &mut Dice, handles: [u32; 2]) -> Plan {
    match dice.below(4) {
        0 => Plan::new(Cc::NV_INCREMENT, &handles),
        1 => Plan::new(Cc::NV_SET_BITS, &handles).with(|out| _ = out.u64(dice.number())),
        2 => extend(dice, &handles),
        _ => Plan::new(Cc::NV_WRITE, &handles).with(|out| _ = out.sized(&dice.bytes(8)).u16(0)),
    }
}

fn define(dice: &mut Dice) -> Plan {
    let platform = dice.percent(30);
    let name_alg = hash(dice);
    let kind = dice.of([0, 0, 0, 1, 2, 4, 8, 9, 3]);
    let mut attributes: u32 = kind << 4;
    for (attribute, percent) in [
        (TpmaNv::OWNERWRITE, 60),
        (TpmaNv::OWNERREAD, 60),
        (TpmaNv::AUTHWRITE, 70),
        (TpmaNv::AUTHREAD, 85),
        (TpmaNv::PPWRITE, 20),
        (TpmaNv::PPREAD, 20),
        (TpmaNv::POLICYWRITE, 15),
        (TpmaNv::POLICYREAD, 15),
        (TpmaNv::WRITEALL, 10),
        (TpmaNv::WRITEDEFINE, 10),
        (TpmaNv::WRITE_STCLEAR, 10),
        (TpmaNv::READ_STCLEAR, 15),
        (TpmaNv::GLOBALLOCK, 10),
        (TpmaNv::NO_DA, 85),
        (TpmaNv::ORDERLY, 12),
        (TpmaNv::CLEAR_STCLEAR, 10),
        (TpmaNv::POLICY_DELETE, if platform { 15 } else { 2 }),
        (TpmaNv::PLATFORMCREATE, if platform { 97 } else { 2 }),
    ] {
        if dice.percent(percent) {
            attributes |= attribute.0;
        }
    }
    // A PIN index wants these ("if TPM_NT is PIN Fail then NO_DA shall be SET", "AUTHWRITE shall be CLEAR").
    if kind >= 8 && dice.percent(85) {
        attributes =
            (attributes | TpmaNv::NO_DA.0) & !(TpmaNv::AUTHWRITE.0 | TpmaNv::GLOBALLOCK.0 | TpmaNv::WRITEDEFINE.0);
    }
    let size = match kind {
        1 | 2 | 8 | 9 if dice.percent(95) => 8,
        4 if dice.percent(95) => crate::both::small(name_alg.digest_size()),
        _ => dice.of([0, 1, 8, 34, 66, 100, 600, 2048, 2049]),
    };
    let auth = new_auth(dice);
    let recipe = if attributes & TpmaNv::POLICY_DELETE.0 == 0 || dice.percent(20) {
        dice.of(templates::RECIPES)
    } else {
        &[Assertion::Command(Cc::NV_UNDEFINE_SPACE_SPECIAL)]
    };
    let policy = templates::policy_of(recipe, name_alg);
    let owner = if platform { Handle::PLATFORM } else { Handle::OWNER };
    let mut public = crate::both::Mixed::default();
    public.u32(dice.of(INDICES)).u16(id(name_alg)).u32(attributes).sized(&policy).u16(size);
    Plan::new(Cc::NV_DEFINE_SPACE, &[owner.0]).with(|out| _ = out.sized(&auth).append_sized(&public)).auth(&auth)
}
