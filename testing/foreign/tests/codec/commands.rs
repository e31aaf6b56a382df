// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that succeeded, and bent forms of them: both crates take the same, and what they take they write the same.

use std::collections::BTreeMap;

use evtpm_testing_foreign::packet::rewrite_parameters;
use evtpm_testing_foreign::second_opinion::command_parameters;
use evtpm_tpm_wire::commands::ALL_SPECS;
use evtpm_tpm_wire::{Cc, Rc};

use crate::stage::{Dice, Dress};

/// How often each command is bent.
const BENDS: usize = 40;

/// What we refuse and the other crate leaves to whoever executes the command: values, never a layout.
const LEFT_TO_THE_TPM: &[(Rc, &str)] = &[
    (Rc::VALUE, "handles of another kind, key sizes that no cipher has: to it they are numbers"),
    (Rc::HASH, "any algorithm passes for a hash"),
    (Rc::CURVE, "curves that nobody defined"),
    (Rc::MODE, "any algorithm passes for a mode"),
    (Rc::KDF, "any algorithm passes for a key derivation"),
    (Rc::SCHEME, "any algorithm passes for a scheme"),
    (Rc::RESERVED_BITS, "bits that Part 2 wants to be zero"),
    (Rc::TAG, "a ticket of another kind"),
];

/// What the other crate refuses and we take: command, complaint (empty for any), and why that is no mistake of ours.
const REFUSED_ELSEWHERE: &[(Cc, &str, &str)] = &[
    (Cc::CREATE_LOADED, "", "a TPM2B_TEMPLATE is bytes until the parent is known; it reads a TPM2B_PUBLIC at once"),
    (Cc::CREATE_PRIMARY, "variant not available", "it knows no ECDAA among the schemes of a key"),
    (Cc::GET_CAPABILITY, "variant not available", "the capabilities that version 184 added"),
    (Cc::INCREMENTAL_SELF_TEST, "variant not available", "a TPML_ALG holds any number until the command looks at it"),
    (Cc::LOAD_EXTERNAL, "unexpected end", "it has no TPM2B_SENSITIVE of size zero, with which a public key is loaded"),
    (Cc::NV_WRITE, "too many bytes", "it holds 1024 bytes; MAX_NV_BUFFER is the TPM's choice"),
    (Cc::POLICY_CAPABILITY, "", "its parameters stand in another order than in Part 3"),
    (Cc::POLICY_COMMAND_CODE, "variant not available", "a TPM_CC is any number until the command looks at it"),
    (Cc::PP_COMMANDS, "variant not available", "as with TPM2_PolicyCommandCode"),
    (Cc::SET_COMMAND_CODE_AUDIT_STATUS, "variant not available", "as with TPM2_PolicyCommandCode"),
    (Cc::START_AUTH_SESSION, "unexpected end", "it reads a TPMT_SYM_DEF_OBJECT, which has no XOR without a mode"),
];

/// The parameters of a command, behind its handles and its authorizations.
fn parameters(command: &[u8]) -> (Cc, &[u8]) {
    let word = |at: usize| u32::from_be_bytes(command[at..at + 4].try_into().unwrap());
    let code = Cc(word(6));
    let spec = ALL_SPECS.iter().find(|spec| spec.code == code).unwrap();
    let behind_handles = 10 + 4 * spec.handles();
    let behind_sessions = match command[1] {
        1 => behind_handles,
        _ => behind_handles + 4 + word(behind_handles) as usize,
    };
    (code, &command[behind_sessions..])
}

/// Bends bytes in one place: a flipped bit, another length, another number, more or fewer bytes.
fn bent(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bent = bytes.to_vec();
    let place = dice.below(bent.len().max(1));
    match dice.below(6) {
        0 => bent.truncate(place),
        1 => bent.push(dice.number() as u8),
        2 if place + 1 < bent.len() => {
            bent[place..place + 2].copy_from_slice(&dice.pick(&[[0, 0], [0, 0x10], [0xFF; 2]]))
        }
        3 if !bent.is_empty() => drop(bent.remove(place)),
        4 => bent.insert(place, 0),
        _ if !bent.is_empty() => bent[place] ^= 1 << dice.below(8),
        _ => bent.push(0),
    }
    bent
}

fn is_refused_elsewhere(code: Cc, complaint: &str) -> bool {
    REFUSED_ELSEWHERE.iter().any(|(known, words, _)| *known == code && complaint.contains(words))
}

#[test]
fn both_crates_take_the_same_commands() {
    let heard = super::play(Dress::Passwords);
    let mut dice = Dice::new(0xBE27);
    let mut differences: BTreeMap<String, usize> = BTreeMap::new();
    let (mut taken, mut refused) = (0, 0);
    for command in &heard.commands {
        let (code, genuine) = parameters(command);
        for attempt in 0..=BENDS {
            let bytes = if attempt == 0 { genuine.to_vec() } else { bent(genuine, &mut dice) };
            let Some(theirs) = command_parameters(code, &bytes) else { break };
            let ours = rewrite_parameters(code, &bytes).unwrap();
            let difference = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => {
                    taken += 1;
                    assert_eq!((ours, theirs), (&bytes, &bytes), "{code}: {bytes:02x?}");
                    continue;
                }
                (Err(_), Err(_)) => {
                    refused += 1;
                    continue;
                }
                (Err(rc), Ok(_)) if LEFT_TO_THE_TPM.iter().any(|(left, _)| *left == rc.base()) => continue,
                (Ok(_), Err(complaint)) if is_refused_elsewhere(code, complaint) => continue,
                (ours, theirs) => format!("{code}: we {:?}, they {:?}", ours.as_ref().err(), theirs.as_ref().err()),
            };
            *differences.entry(difference).or_default() += 1;
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
}
