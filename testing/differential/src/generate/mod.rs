// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The typed generator: for each chapter of Part 3 a file with commands that make sense in the model's state, mostly.

mod capability;
mod context;
mod crypto;
mod ephemeral;
mod hierarchy;
pub mod keys;
mod nv;
mod objects;
mod pcr;
mod plot;
mod policy;
mod session;
mod signing;
pub(crate) mod templates;

use evtpm_tpm_wire::{Cc, Handle, HashAlg};

use crate::both::{Both, Mixed};
use crate::dice::Dice;
use crate::model::{Assertion, Model};

/// What a command will have been for, where the response does not tell.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// The authValue of what it makes.
    pub auth: Vec<u8>,
    /// The salt of the session that it starts.
    pub salt: Both<Vec<u8>>,
    /// The policy assertion that it makes.
    pub assertion: Option<Assertion>,
}

/// A command before it is authorized.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The command code.
    pub code: Cc,
    /// The handles.
    pub handles: Vec<u32>,
    /// The parameters.
    pub parameters: Mixed,
    /// Where it comes from.
    pub locality: u8,
    /// What to remember.
    pub note: Note,
}

impl Plan {
    fn new(code: Cc, handles: &[u32]) -> Self {
        let parameters = Mixed::default();
        Self { code, handles: handles.to_vec(), parameters, locality: 0, note: Note::default() }
    }

    fn with(mut self, write: impl FnOnce(&mut Mixed)) -> Self {
        write(&mut self.parameters);
        self
    }

    fn auth(mut self, auth: &[u8]) -> Self {
        self.note.auth = auth.to_vec();
        self
    }
}

/// Thinks of a command, if there is something that it could be for.
type Idea = fn(&mut Dice, &Model) -> Option<Plan>;

/// How often each file is asked, for a sum of a hundred.
const CHAPTERS: &[(usize, Idea)] = &[
    (16, objects::idea),
    (10, policy::idea),
    (10, session::idea),
    (14, nv::idea),
    (10, pcr::idea),
    (10, crypto::idea),
    (2, ephemeral::idea),
    (8, signing::idea),
    (7, context::idea),
    (5, hierarchy::idea),
    (8, capability::idea),
];

/// Thinks of the next command.
pub fn next(dice: &mut Dice, model: &Model) -> Plan {
    if dice.percent(30)
        && let Some(plan) = plot::idea(dice, model)
    {
        return plan;
    }
    loop {
        let mut left = dice.below(100);
        for (share, idea) in CHAPTERS {
            if left < *share {
                if let Some(mut plan) = idea(dice, model) {
                    if dice.percent(4) {
                        plan.locality = dice.of([1, 2, 3, 4]);
                    }
                    return plan;
                }
                break;
            }
            left -= share;
        }
    }
}

const HASHES: [HashAlg; 4] = [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512];
const NULL_ALG: u16 = 0x0010;

/// A hash that both have, mostly SHA-256.
fn hash(dice: &mut Dice) -> HashAlg {
    if dice.percent(60) { HashAlg::Sha256 } else { dice.of(HASHES) }
}

/// The number of a hash.
fn id(hash: HashAlg) -> u16 {
    hash.id().0
}

/// A hash or `TPM_ALG_NULL`.
fn hash_or_null(dice: &mut Dice) -> u16 {
    if dice.percent(40) { NULL_ALG } else { id(hash(dice)) }
}

/// A hierarchy.
fn any_hierarchy(dice: &mut Dice) -> u32 {
    dice.of([Handle::OWNER, Handle::OWNER, Handle::ENDORSEMENT, Handle::PLATFORM, Handle::NULL]).0
}

/// A handle of an object, sometimes one that is not there.
fn object(dice: &mut Dice, model: &Model) -> Option<u32> {
    if dice.percent(3) {
        return Some(dice.of([0x8000_0000, 0x8000_0002, 0x8000_0005, 0x8100_0000, 0x8180_0001]));
    }
    dice.pick(&model.objects).map(|object| object.handle)
}

/// A handle of an object of which something is true, mostly.
fn object_that(dice: &mut Dice, model: &Model, wanted: impl Fn(&crate::model::Object) -> bool) -> Option<u32> {
    if dice.percent(10) {
        return object(dice, model);
    }
    let fitting: Vec<u32> = model.objects.iter().filter(|object| wanted(object)).map(|object| object.handle).collect();
    dice.pick(&fitting).copied()
}

/// An authValue, mostly empty.
fn new_auth(dice: &mut Dice) -> Vec<u8> {
    if dice.percent(65) {
        return Vec::new();
    }
    let size = 1 + dice.below(20);
    let mut auth = dice.bytes(size);
    if dice.percent(20) {
        // "The TPM shall remove trailing zeros": both must.
        auth.extend([0, 0]);
    }
    auth
}

/// `TPML_PCR_SELECTION`.
fn pcr_selection(dice: &mut Dice, out: &mut Mixed) {
    let count = dice.of([0, 1, 1, 1, 2, 3]);
    out.u32(count);
    for _ in 0..count {
        let select = match dice.below(3) {
            0 => vec![0, 0, 0],
            1 => vec![1 << dice.below(8), 0, 0],
            _ => dice.bytes(3),
        };
        out.u16(id(hash(dice))).u8(3).raw(&select);
    }
}

/// A ticket that is none: a tag, a hierarchy, nothing.
fn null_ticket(tag: u16, out: &mut Mixed) {
    out.u16(tag).u32(Handle::NULL.0).sized(&[]);
}

/// A digest of the size of a hash, sometimes of another.
fn digest(dice: &mut Dice, hash: HashAlg) -> Vec<u8> {
    let size = if dice.percent(8) { dice.below(65) } else { hash.digest_size() };
    dice.bytes(size)
}

/// The same bytes for both.
fn same(bytes: &[u8]) -> Both<Vec<u8>> {
    Both::same(bytes.to_vec())
}
