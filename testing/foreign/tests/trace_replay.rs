// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whole boots that were recorded with swtpm, played to our TPM through the same channels: the same response codes, and
//! equal answers where they do not depend on what is random. docs/foreign/trace-replay.md explains each difference.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;

use evtpm_engine::Profile;
use evtpm_testing_foreign::host::Host;
use evtpm_testing_foreign::packet::{Answer, Request};
use evtpm_testing_foreign::recording::{Exchange, Recording, recordings};
use evtpm_testing_foreign::replay::{Replay, Twin};
use evtpm_testing_foreign::second_opinion::{Opinion, opinion};
use evtpm_tpm_wire::{Cc, Rc};
use evtpm_tpmd::devices::engine::EngineDevice;

/// Commands that ours is not asked, because their caller asked again until it got the answer that counts.
const ASKED_AGAIN: &[(Cc, Rc, &str)] =
    &[(Cc::ACTIVATE_CREDENTIAL, Rc::RETRY, FIRST_USE), (Cc::QUOTE, Rc::RETRY, FIRST_USE)];

const FIRST_USE: &str =
    "libtpms tests an algorithm at its first use and lets the caller ask again; our answer comes at once";

/// Control requests that are answered otherwise than by swtpm, with our answer and the reason.
const CONTROL_DIFFERENCES: &[(&[u8], &[u8], &str)] = &[(
    &[0, 0, 0, 1],
    &[0, 0, 0, 0, 0, 0, 0xfc, 0xbf],
    "CMD_GET_CAPABILITY: state never leaves an ephemeral TPM, so STORE_VOLATILE, GET_STATEBLOB and SET_STATEBLOB are absent",
)];

/// How bytes that are no command of TPM 2.0 are answered: firmware asks so whether the TPM is one of version 1.2.
/// libtpms says TPM_RC_VALUE; Part 2, "Command and Response Headers": "If the TPM does not have compatibility with TPM
/// 1.2, the TPM shall return TPM_ST_NO_SESSION and a response code of TPM_RC_TAG".
const NO_COMMAND: (&[u8], &[u8]) = (&[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0x84], &[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0x97]);

#[derive(Debug, Default)]
struct Counts {
    control: usize,
    equal: BTreeMap<Cc, usize>,
    refused_alike: BTreeMap<(Cc, u32), usize>,
    asked_again: BTreeMap<(Cc, u32), usize>,
    no_command: usize,
}

impl Counts {
    fn commands(&self) -> usize {
        let sum = |counts: &BTreeMap<_, usize>| counts.values().sum::<usize>();
        self.equal.values().sum::<usize>() + sum(&self.refused_alike) + sum(&self.asked_again) + self.no_command
    }
}

fn play(recording: &Recording, counts: &mut Counts) {
    let mut host = Host::serving(Box::new(EngineDevice::new(Profile::pc_client()).unwrap()));
    let mut replay = Replay::default();
    for (number, exchange) in recording.exchanges.iter().enumerate() {
        let place = format!("{} line {}", recording.name, number + 1);
        match exchange {
            Exchange::Control { request, answer } => {
                let ours = host.control(request);
                let difference = CONTROL_DIFFERENCES.iter().find(|(known, ..)| known == request);
                assert_eq!(ours, difference.map_or(answer.as_slice(), |(_, ours, _)| ours), "{place}: {request:02x?}");
                counts.control += 1;
            }
            Exchange::Tpm { command, response } => step(&place, &mut host, &mut replay, (command, response), counts),
        }
    }
}

fn step(place: &str, host: &mut Host, replay: &mut Replay, recorded: (&[u8], &[u8]), counts: &mut Counts) {
    let (command, response) = recorded;
    let Ok(request) = Request::parse(command) else {
        assert_eq!((response, host.execute(command).as_slice()), NO_COMMAND, "{place}: {command:02x?}");
        counts.no_command += 1;
        return;
    };
    let code = request.code();
    let recorded = Answer::parse(Some(request.spec), response).unwrap();
    if ASKED_AGAIN.iter().any(|(command, rc, _)| *command == code && *rc == recorded.code) {
        *counts.asked_again.entry((code, recorded.code.raw())).or_default() += 1;
        return;
    }

    let answer = host.execute(&replay.translate(&request, &recorded));
    assert_eq!(opinion(code, &answer), Opinion::Same, "{place}: {code} {answer:02x?}");
    let ours = Answer::parse(Some(request.spec), &answer).unwrap();
    assert_eq!(ours.code, recorded.code, "{place}: {code} {command:02x?}");
    if recorded.code.is_success() {
        let answers = Twin { recorded, ours };
        replay.follow(&request, &answers).unwrap_or_else(|error| panic!("{place}: {code}: {error}"));
        *counts.equal.entry(code).or_default() += 1;
    } else {
        *counts.refused_alike.entry((code, recorded.code.raw())).or_default() += 1;
    }
}

#[test]
fn recorded_boots_are_answered_as_they_were() {
    let traces = recordings();
    if traces.is_empty() {
        eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
        return;
    }
    let mut counts = Counts::default();
    for trace in &traces {
        play(&Recording::read(trace), &mut counts);
    }
    eprintln!(
        "{} boots, {} control requests, {} commands: {counts:#?}",
        traces.len(),
        counts.control,
        counts.commands()
    );
    for (command, rc, reason) in ASKED_AGAIN {
        assert!(counts.asked_again.contains_key(&(*command, rc.raw())), "{command} {rc} is not met: {reason}");
    }
    // The kernel's resource manager saves sessions that are already gone.
    let saved_twice = Rc::REFERENCE_H0;
    assert!(counts.refused_alike.contains_key(&(Cc::CONTEXT_SAVE, saved_twice.raw())), "{counts:?}");
    assert!(counts.commands() > 1000 * traces.len());
}
