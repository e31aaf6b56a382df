// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every command of the engine's table is made to succeed, with and without sessions, and the second opinion reads and
//! rewrites every response.
//!
//! A command that was added to the table wants a [`Case`] in the file of its chapter; until it has one, the test fails.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    reason = "a harness that cannot do its work fails the test that uses it"
)]

mod attestation;
mod commands;
mod cryptography;
mod hierarchy;
mod nv;
mod object;
mod pcr;
mod policy;
mod stage;
mod start_up;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use evtpm_testing_foreign::second_opinion::is_unknown;
use evtpm_tpm_wire::commands::ALL_SPECS;
use evtpm_tpm_wire::{Cc, Flags};

use stage::{Case, Dress, Heard, Stage};

const CHAPTERS: &[&[Case]] = &[
    start_up::CASES,
    object::CASES,
    cryptography::CASES,
    attestation::CASES,
    pcr::CASES,
    policy::CASES,
    hierarchy::CASES,
    nv::CASES,
];

/// How often each case is played, with other dice each time.
const ROUNDS: u64 = 3;

/// Plays every case in one dress.
fn play(dress: Dress) -> Heard {
    let heard = Rc::new(RefCell::new(Heard::default()));
    for (number, case) in (1..).zip(CHAPTERS.iter().copied().flatten()) {
        for round in 0..ROUNDS {
            let mut stage = Stage::new(number << 16 | round << 8 | dress as u64, dress, &heard);
            (case.play)(&mut stage);
            let heard = heard.borrow();
            let is_heard =
                [&heard.without_sessions, &heard.with_sessions].iter().any(|heard| heard.contains_key(&case.code));
            assert!(is_heard, "{} did not succeed in its own case", case.code);
        }
    }
    let heard = Rc::into_inner(heard).unwrap().into_inner();
    assert!(heard.objections.is_empty(), "{:#?}", heard.objections);
    heard
}

/// The commands that the engine says it has, as far as the other crate knows them.
fn implemented() -> BTreeSet<Cc> {
    let mut stage = Stage::new(1, Dress::Passwords, &Rc::default());
    let commands = stage.tpm.commands().unwrap();
    commands.iter().map(|command| Cc(command.command_index())).filter(|code| !is_unknown(*code)).collect()
}

#[test]
fn every_command_has_a_case_and_every_case_a_command() {
    let cases: BTreeSet<Cc> = CHAPTERS.iter().copied().flatten().map(|case| case.code).collect();
    let implemented = implemented();
    let missing: Vec<_> = implemented.difference(&cases).collect();
    assert!(missing.is_empty(), "commands of the table without a case in testing/foreign/tests/codec: {missing:?}");
    let unknown: Vec<_> = cases.difference(&implemented).collect();
    assert!(unknown.is_empty(), "cases of commands that the engine does not have: {unknown:?}");
}

#[test]
fn every_response_without_sessions_reads_the_same() {
    let heard = play(Dress::Passwords);
    let missing: Vec<_> = implemented()
        .into_iter()
        .filter(|code| !heard.without_sessions.contains_key(code) && !heard.with_sessions.contains_key(code))
        .collect();
    assert!(missing.is_empty(), "never succeeded: {missing:?}");
}

#[test]
fn every_response_with_a_session_reads_the_same() {
    check_sessions(&play(Dress::Session));
}

#[test]
fn every_response_with_an_encrypting_session_reads_the_same() {
    check_sessions(&play(Dress::Encryption));
}

/// Checks that all commands that may have sessions had them.
fn check_sessions(heard: &Heard) {
    let forbidden =
        |code: &Cc| ALL_SPECS.iter().any(|spec| spec.code == *code && spec.flags.contains(Flags::NO_SESSIONS));
    let missing: Vec<_> =
        implemented().into_iter().filter(|code| !forbidden(code) && !heard.with_sessions.contains_key(code)).collect();
    assert!(missing.is_empty(), "never succeeded with a session: {missing:?}");
}
