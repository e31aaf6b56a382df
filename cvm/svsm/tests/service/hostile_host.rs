// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host that drops, replays, reorders, truncates, corrupts and lies: no IV twice, no false report, no end of service.

use evtpm_snp::Status;
use evtpm_sp_sim::{Misbehaviour, Product};
use evtpm_testing_support::{Machine, boot, chip, client};
use proptest::prelude::*;

use super::*;

/// What a host can do without the processor's answer being lost, so that the channel survives it.
fn harmless() -> Vec<Misbehaviour> {
    vec![
        Misbehaviour::Busy,
        Misbehaviour::DropRequest,
        Misbehaviour::ReplayResponse,
        Misbehaviour::ReplayRequest,
        Misbehaviour::CorruptRequest { offset: 0x00, mask: 1 },
        Misbehaviour::CorruptRequest { offset: 0x20, mask: 2 },
        Misbehaviour::CorruptRequest { offset: 0x30, mask: 0x80 },
        Misbehaviour::CorruptRequest { offset: 0x36, mask: 1 },
        Misbehaviour::CorruptRequest { offset: 0x60, mask: 0xff },
        Misbehaviour::Firmware(Status::INVALID_PARAM),
        Misbehaviour::Firmware(Status::AEAD_OFLOW),
    ]
}

/// What takes an answer away that the processor gives only once.
fn fatal() -> Vec<Misbehaviour> {
    vec![
        Misbehaviour::DropResponse,
        Misbehaviour::Reorder,
        Misbehaviour::TruncateResponse(0),
        Misbehaviour::TruncateResponse(0x60),
        Misbehaviour::TruncateResponse(0x100),
        Misbehaviour::CorruptResponse { offset: 0x00, mask: 1 },
        Misbehaviour::CorruptResponse { offset: 0x20, mask: 1 },
        Misbehaviour::CorruptResponse { offset: 0x32, mask: 4 },
        Misbehaviour::CorruptResponse { offset: 0x36, mask: 1 },
        Misbehaviour::CorruptResponse { offset: 0x90, mask: 0x10 },
    ]
}

/// Reads a report, however the host behaves: it is the right one, or `TPM_RC_RETRY`.
fn read_or_retry(machine: &mut Machine, template: EkTemplate) -> Option<Report> {
    match read(machine, template) {
        Ok(report) => {
            assert!(vouches(&report, &ek(machine, template)));
            Some(report)
        }
        error => {
            assert_eq!(refusal(error), Rc::RETRY);
            None
        }
    }
}

/// The TPM itself needs no host.
fn assert_serves(machine: &mut Machine) {
    let mut tpm = client(machine);
    tpm.random(&mut [0; 32]).unwrap();
    tpm.create_primary(TpmiRhHierarchy::Owner, &[], &EkTemplate::L2.public()).unwrap();
}

#[test]
fn what_loses_no_answer_is_survived() {
    for misbehaviour in harmless() {
        let mut machine = started();
        machine.processor().host().misbehave([misbehaviour.clone(), misbehaviour.clone()]);
        while read_or_retry(&mut machine, EkTemplate::L1).is_none() {}
        machine.processor().assert_no_iv_reuse();
        assert_serves(&mut machine);
    }
}

#[test]
fn a_lost_answer_ends_the_channel_and_not_the_tpm() {
    for misbehaviour in fatal() {
        let mut machine = started();
        machine.processor().host().misbehave([misbehaviour.clone()]);
        for _ in 0..20 {
            assert!(read_or_retry(&mut machine, EkTemplate::L1).is_none(), "{misbehaviour:?}");
        }
        let sent = machine.processor().sent().len();
        assert!(sent < 20, "{misbehaviour:?}: {sent} messages");
        machine.processor().assert_no_iv_reuse();
        assert_serves(&mut machine);
        // What was vouched for before stays so.
        assert!(read_or_retry(&mut machine, EkTemplate::L2).is_some());
    }
}

#[test]
fn a_storm_of_busy_answers_costs_a_bounded_number_of_messages_each() {
    let mut machine = started();
    machine.processor().host().misbehave_always(Some(Misbehaviour::Busy));
    let before = machine.processor().sent().len();
    let mut memory = evtpm_testing_support::GuestRam::new();
    let ask = crate::attestation::Ask::vtpm(0);
    ask.store(&mut memory);
    for _ in 0..50 {
        let rcx = crate::attestation::OPERATION;
        let mut registers = evtpm_svsm_abi::Registers { rax: ask.rax(), rcx, ..Default::default() };
        machine.call(&mut registers, &mut memory);
        assert_eq!(evtpm_svsm_abi::ResultCode(registers.rax), evtpm_svsm_abi::ResultCode::BUSY);
    }
    assert_eq!(machine.processor().sent().len() - before, 50, "one message a call: the guest does the waiting");

    machine.processor().host().misbehave_always(None);
    assert!(read_or_retry(&mut machine, EkTemplate::L1).is_some());
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn a_host_that_never_delivers_cannot_keep_the_machine_from_booting() {
    for misbehaviour in harmless().into_iter().chain(fatal()) {
        let mut host = chip(Product::Turin);
        host.misbehave_always(Some(misbehaviour.clone()));
        let mut machine = boot(host);
        client(&mut machine).startup(TpmSu::Clear).unwrap();
        // When a message is sent again, the message before is that same one: its replay is a delivery.
        let delivers = misbehaviour == Misbehaviour::ReplayRequest;
        assert_eq!(read_or_retry(&mut machine, EkTemplate::L2).is_some(), delivers, "{misbehaviour:?}");
        assert_serves(&mut machine);
        machine.processor().assert_no_iv_reuse();
    }
}

fn misbehaviour() -> impl Strategy<Value = Misbehaviour> {
    let known: Vec<_> = harmless().into_iter().chain(fatal()).collect();
    prop_oneof![
        proptest::sample::select(known),
        (0..4096usize, 1..=255u8).prop_map(|(offset, mask)| Misbehaviour::CorruptRequest { offset, mask }),
        (0..4096usize, 1..=255u8).prop_map(|(offset, mask)| Misbehaviour::CorruptResponse { offset, mask }),
        (0..4096usize).prop_map(Misbehaviour::TruncateResponse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_plan_of_a_host_reuses_an_iv_or_forges_a_report(plan in proptest::collection::vec(misbehaviour(), 0..24)) {
        let mut host = chip(Product::Milan);
        host.misbehave(plan);
        let mut machine = boot(host);
        client(&mut machine).startup(TpmSu::Clear).unwrap();
        for _ in 0..4 {
            for template in [EkTemplate::L2, EkTemplate::H3] {
                read_or_retry(&mut machine, template);
            }
        }
        machine.processor().assert_no_iv_reuse();
        assert_serves(&mut machine);
    }
}
