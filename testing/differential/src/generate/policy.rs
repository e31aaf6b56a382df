// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Enhanced Authorization (EA) Commands": recipes that objects were made with, and everything else.

use evtpm_crypto::RustCrypto;
use evtpm_crypto::{Crypto, HashAlg as Hash};
use evtpm_tpm_wire::{Cc, Handle};

use crate::both::Both;
use crate::dice::Dice;
use crate::model::{Assertion, Model, Session, Ticket};

use super::{Plan, digest, keys, object, object_that, pcr_selection, templates};

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let sessions: Vec<&Session> = model.sessions.iter().filter(|session| session.kind != 0).collect();
    let session = match dice.pick(&sessions) {
        Some(session) if !dice.percent(3) => *session,
        _ => dice.pick(&model.sessions)?,
    };
    if dice.percent(35)
        && let Some(assertion) = next_of_recipe(dice, session)
    {
        return Some(plain(session.handle, assertion));
    }
    other(dice, model, session)
}

/// The next step towards a policy that objects may have.
fn next_of_recipe(dice: &mut Dice, session: &Session) -> Option<Assertion> {
    let made = &session.recipe;
    let recipe = dice.of(templates::RECIPES);
    (recipe.len() > made.len() && recipe.starts_with(made)).then(|| recipe[made.len()])
}

pub(super) fn plain(session: u32, assertion: Assertion) -> Plan {
    let mut plan = match assertion {
        Assertion::AuthValue | Assertion::Other => Plan::new(Cc::POLICY_AUTH_VALUE, &[session]),
        Assertion::Password => Plan::new(Cc::POLICY_PASSWORD, &[session]),
        Assertion::Command(code) => Plan::new(Cc::POLICY_COMMAND_CODE, &[session]).with(|out| _ = out.u32(code.0)),
    };
    plan.note.assertion = Some(assertion);
    plan
}

fn other(dice: &mut Dice, model: &Model, session: &Session) -> Option<Plan> {
    let handle = session.handle;
    let mut plan = match dice.below(22) {
        0 | 1 => return Some(Plan::new(Cc::POLICY_GET_DIGEST, &[handle])),
        2 => return Some(Plan::new(Cc::POLICY_RESTART, &[handle])),
        3 => {
            return Some(plain(
                handle,
                Assertion::Command(dice.of([Cc::CERTIFY, Cc::DUPLICATE, Cc::NV_WRITE, Cc(0x999)])),
            ));
        }
        4 => policy_secret(dice, model, handle),
        5 | 6 => policy_signed(dice, model, session)?,
        7 => policy_or(dice, session),
        8 | 9 => Plan::new(Cc::POLICY_PCR, &[handle]).with(|out| {
            let digest = if dice.percent(70) { Vec::new() } else { digest(dice, session.hash) };
            out.sized(&digest);
            pcr_selection(dice, out);
        }),
        10 => Plan::new(Cc::POLICY_LOCALITY, &[handle]).with(|out| _ = out.u8(dice.of([0, 1, 2, 3, 0x1F, 0x20, 0x80]))),
        11 | 12 => policy_nv(dice, model, handle)?,
        13 => Plan::new(Cc::POLICY_COUNTER_TIMER, &[handle]).with(|out| {
            // resetCount, restartCount and safe are the same on both sides; time and clock are not.
            let (offset, size) = dice.of([(16, 4), (20, 4), (16, 8), (24, 1), (25, 1), (8, 20)]);
            out.sized(&vec![dice.of([0, 0, 1, 0xFF]); size]).u16(offset).u16(dice.of([0, 1, 2, 4, 6, 9, 0xB, 0xC]));
        }),
        14 => Plan::new(dice.of([Cc::POLICY_CP_HASH, Cc::POLICY_NAME_HASH, Cc::POLICY_TEMPLATE]), &[handle])
            .with(|out| _ = out.sized(&digest(dice, session.hash))),
        15 => policy_duplication_select(dice, model, handle)?,
        16 | 17 => policy_authorize(dice, model, session)?,
        18 => Plan::new(Cc::POLICY_NV_WRITTEN, &[handle]).with(|out| _ = out.u8(dice.of([0, 1, 2]))),
        19 => {
            let nv = dice.pick(&model.nv)?.handle;
            let auth = if dice.percent(60) { nv } else { dice.of([Handle::OWNER, Handle::PLATFORM]).0 };
            Plan::new(Cc::POLICY_AUTHORIZE_NV, &[auth, nv, handle])
        }
        20 => Plan::new(Cc::POLICY_PHYSICAL_PRESENCE, &[handle]),
        _ => policy_ticket(dice, model, handle)?,
    };
    plan.note.assertion = Some(Assertion::Other);
    Some(plan)
}

fn expiration(dice: &mut Dice) -> u32 {
    dice.of([0, 0, 1000, 0xFFFF_FF00, 0x7FFF_FFFF])
}

fn policy_secret(dice: &mut Dice, model: &Model, session: u32) -> Plan {
    let entity = match dice.below(4) {
        0 => object(dice, model),
        1 => dice.pick(&model.nv).map(|nv| nv.handle),
        _ => None,
    };
    let entity =
        entity.unwrap_or_else(|| dice.of([Handle::OWNER, Handle::ENDORSEMENT, Handle::PLATFORM, Handle::NULL]).0);
    let nonce = match model.session(session) {
        Some(session) if dice.percent(30) => session.nonce.clone(),
        _ => Both::default(),
    };
    let policy_ref = dice.some_bytes(20);
    let cp_hash = if dice.percent(85) { Vec::new() } else { dice.bytes(32) };
    Plan::new(Cc::POLICY_SECRET, &[entity, session])
        .with(|out| _ = out.each_sized(&nonce).sized(&cp_hash).sized(&policy_ref).u32(expiration(dice)))
}

/// Signed with the known HMAC key, over the session's own nonce or over none.
fn policy_signed(dice: &mut Dice, model: &Model, session: &Session) -> Option<Plan> {
    let is_hmac = |object: &crate::model::Object| {
        object.same_secret && object.ours().is_some_and(|public| public.kind() == evtpm_tpm_wire::PublicAlg::KeyedHash)
    };
    let key = object_that(dice, model, is_hmac)?;
    let nonce = if dice.percent(50) { session.nonce.clone() } else { Both::default() };
    let expiration = expiration(dice);
    let policy_ref = dice.some_bytes(20);
    let cp_hash: Vec<u8> = if dice.percent(85) { Vec::new() } else { dice.bytes(32) };
    let signature = nonce.map(|nonce| {
        let hashed = [nonce.as_slice(), &expiration.to_be_bytes(), &cp_hash, &policy_ref];
        let hash = RustCrypto::hash(Hash::Sha256, &hashed);
        RustCrypto::hmac(Hash::Sha256, &keys::HMAC, &[hash.as_bytes()]).as_bytes().to_vec()
    });
    let plan = Plan::new(Cc::POLICY_SIGNED, &[key, session.handle]).with(|out| {
        out.each_sized(&nonce).sized(&cp_hash).sized(&policy_ref).u32(expiration);
        out.u16(0x0005).u16(0x000B).each(&signature);
    });
    Some(plan)
}

fn policy_or(dice: &mut Dice, session: &Session) -> Plan {
    Plan::new(Cc::POLICY_OR, &[session.handle]).with(|out| {
        let count = dice.of([1, 2, 2, 3, 8, 9]);
        out.u32(count);
        let known = templates::policy_of(&session.recipe, session.hash);
        for number in 0..count {
            let digest =
                if number == 1 && !known.is_empty() { known.clone() } else { dice.bytes(session.hash.digest_size()) };
            out.sized(&digest);
        }
    })
}

fn policy_nv(dice: &mut Dice, model: &Model, session: u32) -> Option<Plan> {
    let nv = dice.pick(&model.nv)?.handle;
    let auth = if dice.percent(60) { nv } else { dice.of([Handle::OWNER, Handle::PLATFORM]).0 };
    let size = dice.of([0, 1, 2, 8, 16]);
    let operand = if dice.percent(50) { vec![0; size] } else { dice.bytes(size) };
    let offset = dice.of([0, 0, 1, 7]);
    let operation = u16::from(dice.bytes(1)[0] % 13);
    Some(Plan::new(Cc::POLICY_NV, &[auth, nv, session]).with(|out| _ = out.sized(&operand).u16(offset).u16(operation)))
}

fn policy_duplication_select(dice: &mut Dice, model: &Model, session: u32) -> Option<Plan> {
    let names = [object(dice, model)?, object(dice, model)?].map(|handle| model.name(handle));
    let include = dice.of([0, 1]);
    Some(
        Plan::new(Cc::POLICY_DUPLICATION_SELECT, &[session])
            .with(|out| _ = out.each_sized(&names[0]).each_sized(&names[1]).u8(include)),
    )
}

/// With a ticket for the policy that the session has, or with one that is none.
fn policy_authorize(dice: &mut Dice, model: &Model, session: &Session) -> Option<Plan> {
    let approved = templates::policy_of(&session.recipe, session.hash);
    let hashed = RustCrypto::hash(Hash::Sha256, &[&approved]);
    let is_for_it = |ticket: &&Ticket| ticket.code == Cc::VERIFY_SIGNATURE && ticket.digest == hashed.as_bytes();
    if let Some(ticket) = model.tickets.iter().find(is_for_it)
        && dice.percent(70)
    {
        return Some(Plan::new(Cc::POLICY_AUTHORIZE, &[session.handle]).with(|out| {
            out.sized(&approved).sized(&[]).each_sized(&ticket.name).each(&ticket.ticket);
        }));
    }
    let key = model.name(object(dice, model)?);
    let verified: Vec<_> = model.tickets.iter().filter(|ticket| ticket.code == Cc::VERIFY_SIGNATURE).collect();
    let ticket = dice.pick(&verified);
    let approved = digest(dice, session.hash);
    Some(Plan::new(Cc::POLICY_AUTHORIZE, &[session.handle]).with(|out| {
        out.sized(&approved).sized(&[]).each_sized(&key);
        match ticket {
            Some(ticket) => out.each(&ticket.ticket),
            None => out.u16(0x8022).u32(Handle::OWNER.0).sized(&dice.bytes(32)),
        };
    }))
}

fn policy_ticket(dice: &mut Dice, model: &Model, session: u32) -> Option<Plan> {
    let tickets: Vec<_> =
        model.tickets.iter().filter(|ticket| matches!(ticket.code, Cc::POLICY_SIGNED | Cc::POLICY_SECRET)).collect();
    let ticket = dice.pick(&tickets)?;
    let is_right = dice.percent(80);
    let name = if is_right { ticket.name.clone() } else { model.name(object(dice, model)?) };
    // The ticket's own timeout stands before it.
    let plan = Plan::new(Cc::POLICY_TICKET, &[session]).with(|out| {
        let timeout = ticket.ticket.map(|bytes| bytes.get(..10).unwrap_or_default().to_vec());
        let rest = ticket.ticket.map(|bytes| bytes.get(10..).unwrap_or_default().to_vec());
        out.each(&timeout);
        if is_right {
            out.raw(&ticket.digest)
        } else {
            out.sized(&[]).sized(&[])
        };
        out.each_sized(&name).each(&rest);
    });
    Some(plan)
}
