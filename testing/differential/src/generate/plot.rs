// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that need others before them: each idea looks at what there is and does the next step towards one of them.

use evtpm_tpm_wire::{Cc, Handle, PublicAlg, TpmaNv, TpmaObject};

use crate::both::Mixed;
use crate::dice::Dice;
use crate::model::{Assertion, Model, Object, Session, is_object};

use super::{Plan, keys, objects, templates};

const SHA256: u16 = 0x000B;
/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt.
const PARENT: u32 = 0x0003_0472;
/// sensitiveDataOrigin, userWithAuth, noDA, and sign: a key that may leave its parent.
const MOVABLE: u32 = 0x0004_0460;

pub(super) fn idea(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let Some(parent) = model.objects.iter().find(|object| is_good_parent(object)).map(|object| object.handle) else {
        return Some(make_room(model).unwrap_or_else(create_parent));
    };
    match dice.below(12) {
        0 | 1 => Some(create_child(dice, parent)),
        2 | 3 => load(dice, model),
        4 => Some(credential(model, parent)),
        5 => objects::activate_credential(dice, model),
        6 => change_auth(dice, model),
        7 | 8 => policy(dice, model),
        9 => duplicate(dice, model, parent),
        10 => special_index(dice, model),
        _ => anonymous(dice, model),
    }
}

fn is_good_parent(object: &Object) -> bool {
    let needs = TpmaObject::RESTRICTED | TpmaObject::DECRYPT | TpmaObject::USER_WITH_AUTH;
    object.has(needs)
        && !object.has(TpmaObject::ADMIN_WITH_POLICY)
        && object.ours().is_some_and(|public| public.kind() != PublicAlg::KeyedHash)
}

/// Flushes an object that is no parent, if three are loaded.
fn make_room(model: &Model) -> Option<Plan> {
    let loaded: Vec<&Object> =
        model.objects.iter().filter(|object| object.handle < Handle::PERSISTENT_FIRST.0).collect();
    let victim = loaded.iter().find(|object| !is_good_parent(object)).or(loaded.first())?.handle;
    (loaded.len() >= 3).then(|| Plan::new(Cc::FLUSH_CONTEXT, &[]).with(|out| _ = out.u32(victim)))
}

fn public(kind: u16, attributes: u32, policy: &[u8], write: impl FnOnce(&mut Mixed)) -> Mixed {
    let mut public = Mixed::default();
    public.u16(kind).u16(SHA256).u32(attributes).sized(policy);
    write(&mut public);
    public
}

fn create(code: Cc, parent: u32, public: &Mixed) -> Plan {
    Plan::new(code, &[parent]).with(|out| {
        let mut sensitive = Mixed::default();
        sensitive.sized(&[]).sized(&[]);
        out.append_sized(&sensitive).append_sized(public).sized(&[]).u32(0);
    })
}

fn create_parent() -> Plan {
    let public = public(0x0023, PARENT, &[], |out| {
        out.u16(0x0006).u16(128).u16(0x0043).u16(super::NULL_ALG).u16(3).u16(super::NULL_ALG).sized(&[]).sized(&[]);
    });
    create(Cc::CREATE_PRIMARY, Handle::OWNER.0, &public)
}

/// An HMAC key or a key of P-256 that may be duplicated.
fn create_child(dice: &mut Dice, parent: u32) -> Plan {
    let policy = templates::policy_of(&[Assertion::Command(Cc::DUPLICATE)], evtpm_tpm_wire::HashAlg::Sha256);
    let public = if dice.percent(50) {
        public(0x0008, MOVABLE, &policy, |out| _ = out.u16(0x0005).u16(SHA256).sized(&[]))
    } else {
        public(0x0023, MOVABLE, &policy, |out| {
            out.u16(super::NULL_ALG).u16(0x0018).u16(SHA256).u16(3).u16(super::NULL_ALG).sized(&[]).sized(&[]);
        })
    };
    create(Cc::CREATE, parent, &public)
}

fn load(dice: &mut Dice, model: &Model) -> Option<Plan> {
    make_room(model).or_else(|| objects::load(dice, model))
}

/// A credential of the parent for the object that was loaded last.
fn credential(model: &Model, parent: u32) -> Plan {
    let name = model.objects.last().map(|object| object.name.clone()).unwrap_or_default();
    Plan::new(Cc::MAKE_CREDENTIAL, &[parent]).with(|out| _ = out.sized(b"credential").each_sized(&name))
}

/// A new authValue of a child whose parent is here.
fn change_auth(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let pairs: Vec<[u32; 2]> = model
        .created
        .iter()
        .filter_map(|created| {
            let name = Object::of_public(0, created.public.clone(), &[], false).name;
            let find = |name: &[u8]| model.objects.iter().find(|object| object.name.ours == name);
            Some([find(&name.ours)?.handle, find(&created.parent)?.handle])
        })
        .collect();
    let pair = dice.pick(&pairs)?;
    Some(Plan::new(Cc::OBJECT_CHANGE_AUTH, pair).with(|out| _ = out.sized(b"new")).auth(b"new"))
}

/// The next step towards a policy that an object or index has: a session, or the assertion.
fn policy(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let policies = model.objects.iter().map(|object| model.policy(object.handle));
    let policies: Vec<Vec<u8>> =
        policies.chain(model.nv.iter().map(|nv| model.policy(nv.handle))).filter(|policy| policy.len() == 32).collect();
    let wanted = dice.pick(&policies)?;
    let sha256 = evtpm_tpm_wire::HashAlg::Sha256;
    let recipe = templates::RECIPES.iter().find(|recipe| templates::policy_of(recipe, sha256) == *wanted)?;
    let fits = |session: &&Session| session.kind == 1 && session.hash == sha256 && session.known;
    if let Some(session) = model.sessions.iter().filter(fits).find(|session| session.recipe.is_empty()) {
        return Some(super::policy::plain(session.handle, *recipe.first()?));
    }
    if model.sessions.len() >= 3 {
        let session = model.sessions.first()?.handle;
        return Some(Plan::new(Cc::FLUSH_CONTEXT, &[]).with(|out| _ = out.u32(session)));
    }
    let start = Plan::new(Cc::START_AUTH_SESSION, &[Handle::NULL.0, Handle::NULL.0]);
    Some(start.with(|out| _ = out.sized(&dice.bytes(16)).sized(&[]).u8(1).u16(super::NULL_ALG).u16(SHA256)))
}

fn has_session_for(model: &Model, handle: u32) -> bool {
    let policy = model.policy(handle);
    let fits = |session: &Session| {
        session.kind == 1 && session.known && templates::policy_of(&session.recipe, session.hash) == policy
    };
    !policy.is_empty() && model.sessions.iter().any(fits)
}

/// A duplicate for the parent or for anybody, and what can be done with it.
fn duplicate(dice: &mut Dice, model: &Model, parent: u32) -> Option<Plan> {
    if !model.duplicates.is_empty() && dice.percent(50) {
        return if dice.percent(40) { objects::rewrap(dice, model) } else { objects::import_duplicate(dice, model) };
    }
    let movable: Vec<u32> = model
        .objects
        .iter()
        .filter(|object| !object.has(TpmaObject::FIXED_PARENT) && has_session_for(model, object.handle))
        .map(|object| object.handle)
        .collect();
    let object = dice.pick(&movable).copied()?;
    let new_parent = if dice.percent(60) { parent } else { Handle::NULL.0 };
    Some(Plan::new(Cc::DUPLICATE, &[object, new_parent]).with(|out| objects::inner_wrap(dice, out)))
}

/// An index whose policy is of one command, and that command.
fn special_index(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let ready: Vec<u32> =
        model.nv.iter().map(|nv| nv.handle).filter(|handle| has_session_for(model, *handle)).collect();
    if let Some(index) = dice.pick(&ready).copied() {
        let deletes = model.index(index).is_some_and(|nv| nv.public.attributes.contains(TpmaNv::POLICY_DELETE));
        return Some(if deletes {
            Plan::new(Cc::NV_UNDEFINE_SPACE_SPECIAL, &[index, Handle::PLATFORM.0])
        } else {
            Plan::new(Cc::NV_CHANGE_AUTH, &[index]).with(|out| _ = out.sized(b"new")).auth(b"new")
        });
    }
    let deletes = dice.percent(50);
    let code = if deletes { Cc::NV_UNDEFINE_SPACE_SPECIAL } else { Cc::NV_CHANGE_AUTH };
    let policy = templates::policy_of(&[Assertion::Command(code)], evtpm_tpm_wire::HashAlg::Sha256);
    let ordinary = TpmaNv::AUTHREAD | TpmaNv::AUTHWRITE | TpmaNv::NO_DA;
    let attributes = if deletes { ordinary | TpmaNv::PLATFORMCREATE | TpmaNv::POLICY_DELETE } else { ordinary };
    let [owner, handle] = if deletes { [Handle::PLATFORM.0, 0x01C0_0100] } else { [Handle::OWNER.0, 0x0180_0100] };
    let mut public = Mixed::default();
    public.u32(handle).u16(SHA256).u32(attributes.0).sized(&policy).u16(8);
    Some(Plan::new(Cc::NV_DEFINE_SPACE, &[owner]).with(|out| _ = out.sized(&[]).append_sized(&public)))
}

/// A commitment, and the signature that it is the first half of.
fn anonymous(dice: &mut Dice, model: &Model) -> Option<Plan> {
    let is_anonymous = |object: &&Object| is_object(object.handle) && super::ephemeral::is_anonymous(object);
    let Some(key) = model.objects.iter().find(is_anonymous).map(|object| object.handle) else {
        let mut auth = Vec::new();
        let plan = Plan::new(Cc::LOAD_EXTERNAL, &[]).with(|out| auth = keys::anonymous(dice, out));
        return Some(make_room(model).unwrap_or_else(|| plan.auth(&auth)));
    };
    Some(if dice.percent(50) {
        let mut point = Mixed::default();
        point.sized(&[]).sized(&[]);
        Plan::new(Cc::COMMIT, &[key]).with(|out| _ = out.append_sized(&point).sized(&[]).sized(&[]))
    } else {
        let digest = dice.bytes(32);
        Plan::new(Cc::SIGN, &[key]).with(|out| {
            out.sized(&digest).u16(keys::ECDAA).u16(SHA256).u16(model.counter);
            super::null_ticket(0x8024, out);
        })
    })
}
