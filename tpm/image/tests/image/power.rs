// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the permanent part keeps: after a loss of power, after each kind of shutdown, and against whom.

use evtpm_engine::snapshot::Invalid;
use evtpm_engine::{Phase, Profile};
use evtpm_image::{Error, Part, State, restore};
use evtpm_tpm_wire::{Cc, Handle, Rc, Subject};

use crate::machine::{
    Auth, EMPTY, STARTUP_CLEAR, STARTUP_STATE, TestTpm, command, machine, manufactured, rc, send, started,
};
use crate::moves::{Contexts, play};

const OWNER: u32 = Handle::OWNER.0;

/// The TPM after its power was cut, as another process finds it.
fn after_power_loss(tpm: &mut TestTpm) -> TestTpm {
    let permanent = State::permanent(tpm).unwrap();
    let tpm = restore(machine(8), Profile::pc_client(), &permanent, None).unwrap();
    assert_eq!(tpm.phase(), Phase::Initialized);
    tpm
}

fn ask(tpm: &mut TestTpm, code: Cc, handles: &[u32], auths: &[Auth<'_>], parameters: &[u8]) -> Vec<u8> {
    send(tpm, &command(code, handles, auths, parameters))
}

fn startup(tpm: &mut TestTpm, kind: [u8; 2]) -> Rc {
    Rc::from_raw(rc(&ask(tpm, Cc::STARTUP, &[], &[], &kind)))
}

fn happen(tpm: &mut TestTpm, moves: &[(u8, u8, u8)]) -> Contexts {
    let mut contexts = Contexts::new();
    for step in moves {
        let response = play(tpm, &mut contexts, *step);
        assert!(response.is_empty() || rc(&response) == 0, "{step:?}: {response:02x?}");
    }
    contexts
}

fn clock(tpm: &mut TestTpm) -> u64 {
    let response = ask(tpm, Cc::READ_CLOCK, &[], &[], &[]);
    u64::from_be_bytes(response[18..26].try_into().unwrap())
}

fn pcr_5(tpm: &mut TestTpm) -> Vec<u8> {
    ask(tpm, Cc::PCR_READ, &[], &[], &[0, 0, 0, 1, 0, 0x0B, 3, 0x20, 0, 0])[14..].to_vec()
}

#[test]
fn power_loss_keeps_what_is_permanent_and_nothing_else() {
    let mut tpm = started(7);
    // A primary key, its persistent copy, an index that is written, and an extended PCR.
    happen(&mut tpm, &[(0, 0, 0), (23, 0, 0), (11, 0, 0), (12, 1, 0), (18, 9, 5)]);
    let primary = play(&mut tpm, &mut Contexts::new(), (2, 0, 0));
    let zeros = pcr_5(&mut started(7));
    let mut later = after_power_loss(&mut tpm);
    assert_eq!(startup(&mut later, STARTUP_STATE), Rc::VALUE.at(Subject::Parameter(1)));
    assert_eq!(startup(&mut later, STARTUP_CLEAR), Rc::SUCCESS);
    let public = |tpm: &mut TestTpm, handle: u32| ask(tpm, Cc::READ_PUBLIC, &[handle], &[], &[]);
    assert_eq!(public(&mut later, 0x8100_0000), public(&mut tpm, 0x8100_0000));
    assert_eq!(rc(&public(&mut later, 0x8000_0000)), Rc::REFERENCE_H0.raw());
    let read = |tpm: &mut TestTpm| ask(tpm, Cc::NV_READ, &[OWNER, 0x0180_0000], &[EMPTY], &[0, 8, 0, 0]);
    assert_eq!(read(&mut later), read(&mut tpm));
    assert_eq!(pcr_5(&mut later)[8..], zeros[8..], "PCRs begin anew");
    // The same seed makes the same key; only its handle differs.
    let again = play(&mut later, &mut Contexts::new(), (2, 0, 0));
    assert_eq!(again[14..], primary[14..]);
}

#[test]
fn an_orderly_shutdown_resumes_with_pcrs_and_saved_sessions() {
    let mut tpm = started(7);
    let contexts = happen(&mut tpm, &[(18, 9, 5), (25, 1, 0), (20, 0, 0), (21, 2, 0)]);
    let before = pcr_5(&mut tpm);
    assert_eq!(rc(&ask(&mut tpm, Cc::SHUTDOWN, &[], &[], &STARTUP_STATE)), 0);
    let mut later = after_power_loss(&mut tpm);
    assert_eq!(startup(&mut later, STARTUP_STATE), Rc::SUCCESS);
    assert_eq!(pcr_5(&mut later)[4..], before[4..]);
    assert_eq!(rc(&ask(&mut later, Cc::CONTEXT_LOAD, &[], &[], &contexts[0])), 0);
}

#[test]
fn a_command_after_the_shutdown_ends_its_effect() {
    let mut tpm = started(7);
    assert_eq!(rc(&ask(&mut tpm, Cc::SHUTDOWN, &[], &[], &STARTUP_STATE)), 0);
    ask(&mut tpm, Cc::READ_CLOCK, &[], &[], &[]);
    let mut later = after_power_loss(&mut tpm);
    assert_eq!(startup(&mut later, STARTUP_STATE), Rc::VALUE.at(Subject::Parameter(1)));
}

#[test]
fn cutting_the_power_forgives_no_failure() {
    let mut tpm = started(7);
    happen(&mut tpm, &[(11, 0, 0), (12, 0, 0)]);
    let guess =
        |tpm: &mut TestTpm| rc(&ask(tpm, Cc::NV_READ, &[0x0180_0000; 2], &[Auth::Password(b"guess")], &[0, 1, 0, 0]));
    for _ in 0..31 {
        guess(&mut tpm);
    }
    let mut later = after_power_loss(&mut tpm);
    assert_eq!(startup(&mut later, STARTUP_CLEAR), Rc::SUCCESS);
    assert_eq!(guess(&mut later), Rc::AUTH_FAIL.at(Subject::Session(1)).raw());
    assert_eq!(guess(&mut later), Rc::LOCKOUT.raw());
}

#[test]
fn clock_never_steps_back_over_a_loss_of_power() {
    let mut tpm = started(7);
    for _ in 0..5 {
        tpm.platform_mut().now_ms += 40_000;
        let before = clock(&mut tpm);
        tpm.platform_mut().now_ms += 10_000;
        let last = clock(&mut tpm);
        assert_eq!(last, before + 10_000);
        tpm = after_power_loss(&mut tpm);
        assert_eq!(startup(&mut tpm, STARTUP_CLEAR), Rc::SUCCESS);
        assert!(clock(&mut tpm) >= last);
    }
}

#[test]
fn time_between_commands_and_images_counts() {
    let mut tpm = started(7);
    let at_first = clock(&mut tpm);
    tpm.platform_mut().now_ms += 1_000;
    let permanent = State::permanent(&mut tpm).unwrap();
    tpm.platform_mut().now_ms += 200;
    let volatile = State::volatile(&mut tpm).unwrap();
    let mut other = restore(machine(8), Profile::pc_client(), &permanent, Some(&volatile)).unwrap();
    other.platform_mut().now_ms += 30;
    assert_eq!(clock(&mut other), at_first + 1_230);
    assert_eq!(clock(&mut tpm), at_first + 1_200);
}

#[test]
fn the_volatile_part_goes_only_with_its_own_permanent_part() {
    let (mut tpm, mut other) = (started(7), started(8));
    let [permanent, foreign] = [&mut tpm, &mut other].map(|tpm| State::permanent(tpm).unwrap());
    let volatile = State::volatile(&mut tpm).unwrap();
    let make = |permanent: &State, volatile: &State| {
        restore(machine(9), Profile::pc_client(), permanent, Some(volatile)).map(|_| ())
    };
    assert_eq!(make(&permanent, &volatile), Ok(()));
    assert_eq!(make(&foreign, &volatile), Err(Error::State(Invalid::Unrelated)));
    assert_eq!(make(&volatile, &volatile), Err(Error::Part { expected: Part::Permanent, actual: Part::Volatile }));
    assert_eq!(make(&permanent, &permanent), Err(Error::Part { expected: Part::Volatile, actual: Part::Permanent }));
    // Another boot of the same TPM is another one, too.
    tpm.power_on();
    let rebooted = State::permanent(&mut tpm).unwrap();
    assert_eq!(make(&rebooted, &volatile), Err(Error::State(Invalid::Unrelated)));
}

#[test]
fn a_smaller_profile_has_no_room_for_more_objects_than_it_has_slots() {
    let mut tpm = started(7);
    happen(&mut tpm, &[(4, 0, 1), (4, 0, 1), (4, 0, 1), (4, 0, 1)]);
    let (permanent, volatile) = (State::permanent(&mut tpm).unwrap(), State::volatile(&mut tpm).unwrap());
    let made = restore(machine(9), Profile::svsm(), &permanent, Some(&volatile));
    assert_eq!(made.map(|_| ()), Err(Error::State(Invalid::NoRoom)));
}

#[test]
fn another_set_of_banks_is_another_tpm() {
    let permanent = State::permanent(&mut started(7)).unwrap();
    let mut profile = Profile::pc_client();
    profile.banks = &profile.banks[1..];
    let made = restore(machine(9), profile, &permanent, None);
    assert_eq!(made.map(|_| ()), Err(Error::State(Invalid::Banks)));
}

#[test]
fn a_failed_tpm_is_not_saved() {
    let mut tpm = manufactured(7);
    tpm.enter_failure_mode();
    assert_eq!(State::permanent(&mut tpm), Err(Error::State(Invalid::Failed)));
    assert_eq!(State::volatile(&mut tpm), Err(Error::State(Invalid::Failed)));
}
