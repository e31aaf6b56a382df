// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Public areas to create, as bytes, so that they can also be wrong.

use evtpm_crypto::RustCrypto;
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::{Cc, HashAlg};

use crate::both::Mixed;
use crate::dice::Dice;
use crate::model::Assertion;

use super::{NULL_ALG, hash, id, keys};

const FIXED_TPM: u32 = 1 << 1;
const ST_CLEAR: u32 = 1 << 2;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const USER_WITH_AUTH: u32 = 1 << 6;
const ADMIN_WITH_POLICY: u32 = 1 << 7;
const NO_DA: u32 = 1 << 10;
const ENCRYPTED_DUPLICATION: u32 = 1 << 11;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Storage,
    Sealed,
    Hmac,
    Xor,
    Cipher,
    Signing,
    Attestation,
    Agreement,
    Derivation,
}

const USES: [Use; 16] = [
    Use::Storage,
    Use::Storage,
    Use::Storage,
    Use::Sealed,
    Use::Sealed,
    Use::Hmac,
    Use::Hmac,
    Use::Xor,
    Use::Cipher,
    Use::Cipher,
    Use::Signing,
    Use::Signing,
    Use::Attestation,
    Use::Agreement,
    Use::Agreement,
    Use::Derivation,
];

/// The policies that the generator knows how to satisfy.
pub(super) const RECIPES: [&[Assertion]; 8] = [
    &[],
    &[Assertion::AuthValue],
    &[Assertion::Password],
    &[Assertion::Command(Cc::DUPLICATE)],
    &[Assertion::Command(Cc::NV_CHANGE_AUTH)],
    &[Assertion::Command(Cc::NV_UNDEFINE_SPACE_SPECIAL)],
    &[Assertion::Command(Cc::ACTIVATE_CREDENTIAL)],
    &[Assertion::AuthValue, Assertion::Command(Cc::CERTIFY)],
];

/// The digest of a recipe.
pub(crate) fn policy_of(recipe: &[Assertion], hash: HashAlg) -> Vec<u8> {
    if recipe.is_empty() {
        return Vec::new();
    }
    let mut policy = PolicyDigest::new(hash).unwrap();
    for assertion in recipe {
        match assertion {
            Assertion::AuthValue | Assertion::Password => policy = policy.auth_value::<RustCrypto>(),
            Assertion::Command(code) => policy = policy.command_code::<RustCrypto>(*code),
            Assertion::Other => {}
        }
    }
    policy.as_bytes().to_vec()
}

/// A use, mostly of keys that are made quickly.
pub(super) fn any_use(dice: &mut Dice) -> Use {
    dice.of(USES)
}

fn attributes(dice: &mut Dice, purpose: Use, own_data: bool) -> u32 {
    let kind = match purpose {
        Use::Storage | Use::Derivation => RESTRICTED | DECRYPT,
        Use::Sealed => 0,
        Use::Hmac | Use::Signing => SIGN,
        Use::Xor | Use::Agreement => DECRYPT,
        Use::Cipher => SIGN | DECRYPT,
        Use::Attestation => RESTRICTED | SIGN,
    };
    let place = if dice.percent(70) { FIXED_TPM | FIXED_PARENT } else { 0 };
    let origin = if own_data { 0 } else { SENSITIVE_DATA_ORIGIN };
    let mut attributes = kind | place | origin;
    for (attribute, percent) in
        [(USER_WITH_AUTH, 85), (ADMIN_WITH_POLICY, 15), (NO_DA, 85), (ST_CLEAR, 5), (ENCRYPTED_DUPLICATION, 5)]
    {
        if dice.percent(percent) {
            attributes |= attribute;
        }
    }
    if dice.percent(6) {
        attributes ^= 1 << dice.below(20);
    }
    attributes
}

/// Writes `TPMT_PUBLIC` of an object to be made.
pub(super) fn public(dice: &mut Dice, purpose: Use, own_data: bool, out: &mut Mixed) {
    let asymmetric = matches!(purpose, Use::Signing | Use::Attestation | Use::Agreement) || purpose == Use::Storage;
    // Each RSA key costs as much as a thousand other commands.
    let rsa = asymmetric && dice.below(1000) < 2;
    let kind = match purpose {
        Use::Sealed | Use::Hmac | Use::Xor | Use::Derivation => 0x0008,
        Use::Cipher => 0x0025,
        Use::Storage if dice.percent(40) => 0x0025,
        _ if rsa => 0x0001,
        _ => 0x0023,
    };
    let name_alg = hash(dice);
    let recipe = dice.of(RECIPES);
    out.u16(kind).u16(id(name_alg)).u32(attributes(dice, purpose, own_data));
    let policy = if dice.percent(3) { dice.bytes(7) } else { policy_of(recipe, name_alg) };
    out.sized(&policy);
    match kind {
        0x0008 => keyed_hash(dice, purpose, out),
        0x0025 => {
            symmetric(dice, purpose == Use::Storage, out);
            out.sized(&[]);
        }
        0x0001 => rsa_parameters(dice, purpose, out),
        _ => ecc_parameters(dice, purpose, out),
    }
}

fn keyed_hash(dice: &mut Dice, purpose: Use, out: &mut Mixed) {
    match purpose {
        Use::Hmac if dice.percent(70) => out.u16(0x0005).u16(id(hash(dice))),
        Use::Xor | Use::Derivation => out.u16(0x000A).u16(id(hash(dice))).u16(0x0022),
        _ => out.u16(NULL_ALG),
    };
    out.sized(&[]);
}

fn symmetric(dice: &mut Dice, storage: bool, out: &mut Mixed) {
    let mode = if storage || dice.percent(40) { 0x0043 } else { dice.of([0x0040, 0x0041, 0x0042, 0x0044, NULL_ALG]) };
    out.u16(0x0006).u16(dice.of([128, 128, 192, 256])).u16(mode);
}

fn scheme(dice: &mut Dice, purpose: Use, rsa: bool, out: &mut Mixed) {
    let [signing, other_signing, decryption] = if rsa { [0x0014, 0x0016, 0x0017] } else { [0x0018, 0x0018, 0x0019] };
    match purpose {
        Use::Attestation => out.u16(dice.of([signing, other_signing])).u16(id(hash(dice))),
        Use::Signing if dice.percent(60) => out.u16(dice.of([signing, other_signing])).u16(id(hash(dice))),
        Use::Agreement if dice.percent(40) => out.u16(decryption).u16(id(hash(dice))),
        _ => out.u16(NULL_ALG),
    };
}

fn rsa_parameters(dice: &mut Dice, purpose: Use, out: &mut Mixed) {
    inner_symmetric(dice, purpose, out);
    scheme(dice, purpose, true, out);
    out.u16(2048).u32(dice.of([0, 0, 0x1_0001])).sized(&[]);
}

fn ecc_parameters(dice: &mut Dice, purpose: Use, out: &mut Mixed) {
    inner_symmetric(dice, purpose, out);
    scheme(dice, purpose, false, out);
    let curve = if dice.percent(85) { 0x0003 } else { dice.of([0x0004, 0x0005]) };
    out.u16(curve).u16(NULL_ALG).sized(&[]).sized(&[]);
}

fn inner_symmetric(dice: &mut Dice, purpose: Use, out: &mut Mixed) {
    match purpose {
        Use::Storage => symmetric(dice, true, out),
        _ => _ = out.u16(NULL_ALG),
    }
}

/// Writes `TPMS_SENSITIVE_CREATE` and returns the authValue.
pub(super) fn sensitive(dice: &mut Dice, purpose: Use, own_data: bool, out: &mut Mixed) -> Vec<u8> {
    let auth = super::new_auth(dice);
    let data = match (own_data, purpose) {
        (false, _) => Vec::new(),
        (true, Use::Cipher) => keys::AES.to_vec(),
        (true, _) => {
            let size = 1 + dice.below(100);
            dice.bytes(size)
        }
    };
    let mut sensitive = Mixed::default();
    sensitive.sized(&auth).sized(&data);
    out.append_sized(&sensitive);
    auth
}
