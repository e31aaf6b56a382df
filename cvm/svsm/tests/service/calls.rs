// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vTPM protocol, protocol queries and everything that is no call at all.

use evtpm_engine::Locality;
use evtpm_snp::PAGE_SIZE;
use evtpm_svsm_abi::vtpm::{self, SendCommand};
use evtpm_svsm_abi::{Call, Protocol, Registers, ResultCode, core_protocol};
use evtpm_testing_support::{CANARY, GuestRam, RAM_SIZE, SVSM_PAGE};
use proptest::prelude::*;

use super::*;

const PAGE: u64 = 0x3000;

/// TPM2_GetRandom of four bytes: a response of 16.
const GET_RANDOM: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 4];

fn call(machine: &mut Machine, memory: &mut GuestRam, protocol: Protocol, number: u32, rcx: u64) -> Registers {
    let mut registers = Registers { rax: Call { protocol, number }.to_rax(), rcx, rdx: 7, r8: 8, r9: 9 };
    machine.call(&mut registers, memory);
    memory.assert_fetched_once();
    assert_eq!(memory.at(SVSM_PAGE, PAGE_SIZE), [CANARY; PAGE_SIZE]);
    registers
}

/// Sends a request at an address; returns the code and the memory before and after.
fn send(machine: &mut Machine, gpa: u64, request: &[u8]) -> (ResultCode, GuestRam, GuestRam) {
    let mut memory = GuestRam::new();
    if (gpa as usize) + request.len() <= RAM_SIZE && !(SVSM_PAGE..SVSM_PAGE + 0x1000).contains(&gpa) {
        memory.store(gpa, request);
    }
    let before = memory.clone();
    let registers = call(machine, &mut memory, Protocol::VTPM, vtpm::CALL_CMD, gpa);
    (ResultCode(registers.rax), before, memory)
}

fn request(locality: u8, tpm_command: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 9 + tpm_command.len()];
    SendCommand { locality, tpm_command }.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_query_names_the_one_command_and_no_feature() {
    let registers = call(&mut started(), &mut GuestRam::new(), Protocol::VTPM, vtpm::CALL_QUERY, 0xdead);
    assert_eq!((registers.rax, registers.rcx, registers.rdx), (0, 1 << 8, 0));
    assert_eq!((registers.r8, registers.r9), (8, 9), "what carries no result stays");
}

#[test]
fn a_command_is_answered_in_place_and_the_rest_of_the_page_stays() {
    let mut machine = started();
    for gpa in [PAGE, PAGE + 0x123, SVSM_PAGE - 0x1000, SVSM_PAGE + 0x1000] {
        let (code, before, after) = send(&mut machine, gpa, &request(0, &GET_RANDOM));
        assert_eq!(code, ResultCode::SUCCESS);
        let answer = vtpm::parse_response(after.at(gpa, PAGE_SIZE)).unwrap();
        assert_eq!((answer.len(), &answer[..10]), (16, &[0x80, 0x01, 0, 0, 0, 16, 0, 0, 0, 0][..]));
        let mut expected = before;
        expected.store(gpa, after.at(gpa, 4 + 16));
        assert_eq!(after.snapshot(), expected.snapshot());
        assert_eq!(after.writes(), std::slice::from_ref(&(gpa..gpa + 20)));
    }
}

#[test]
fn only_tpm_commands_at_locality_0_are_sent() {
    let mut machine = started();
    for locality in [1, 2, 3, 4, 32, 255] {
        let (code, before, after) = send(&mut machine, PAGE, &request(locality, &GET_RANDOM));
        assert_eq!(code, ResultCode::INVALID_PARAMETER, "locality {locality}");
        assert_eq!(after.snapshot(), before.snapshot());
    }
    for platform_command in [0, 1, 2, 9, 20, 0x0100_0008, u32::MAX] {
        let mut bytes = request(0, &GET_RANDOM);
        bytes[..4].copy_from_slice(&u32::to_le_bytes(platform_command));
        let (code, before, after) = send(&mut machine, PAGE, &bytes);
        assert_eq!(code, ResultCode::INVALID_PARAMETER, "platform command {platform_command}");
        assert_eq!(after.snapshot(), before.snapshot());
    }
}

#[test]
fn a_size_beyond_the_page_is_refused_and_the_longest_that_fits_reaches_the_tpm() {
    let mut machine = started();
    for size in [4088, 4096, 0x1_0000, u32::MAX] {
        let mut bytes = request(0, &GET_RANDOM);
        bytes[5..9].copy_from_slice(&u32::to_le_bytes(size));
        let (code, before, after) = send(&mut machine, PAGE, &bytes);
        assert_eq!(code, ResultCode::INVALID_PARAMETER, "size {size}");
        assert_eq!(after.snapshot(), before.snapshot());
    }
    for length in [0, 9, 4087] {
        let (code, _, after) = send(&mut machine, PAGE, &request(0, &vec![0; length]));
        assert_eq!(code, ResultCode::SUCCESS);
        let answer = vtpm::parse_response(after.at(PAGE, PAGE_SIZE)).unwrap();
        assert_eq!(answer.len(), 10, "a malformed TPM command is the TPM's to refuse");
    }
}

#[test]
fn a_request_that_is_not_wholly_the_guests_is_an_invalid_address() {
    let mut machine = started();
    let outside = RAM_SIZE as u64;
    for gpa in [SVSM_PAGE, SVSM_PAGE - 1, SVSM_PAGE - 0xfff, SVSM_PAGE + 0xfff, outside - 0xfff, outside, u64::MAX] {
        let mut memory = GuestRam::new();
        let registers = call(&mut machine, &mut memory, Protocol::VTPM, vtpm::CALL_CMD, gpa);
        assert_eq!(ResultCode(registers.rax), ResultCode::INVALID_ADDRESS, "{gpa:#x}");
        assert_eq!(memory.snapshot(), GuestRam::new().snapshot());
    }
}

#[test]
fn unknown_protocols_and_calls_are_named_as_such() {
    let mut machine = started();
    let mut memory = GuestRam::new();
    for protocol in [Protocol::APIC, Protocol::UEFI_MM, Protocol(5), Protocol(u32::MAX)] {
        let registers = call(&mut machine, &mut memory, protocol, 0, PAGE);
        assert_eq!(ResultCode(registers.rax), ResultCode::UNSUPPORTED_PROTOCOL);
    }
    for (protocol, number) in
        [(Protocol::VTPM, 2), (Protocol::VTPM, u32::MAX), (Protocol::CORE, 0), (Protocol::CORE, 8)]
    {
        let registers = call(&mut machine, &mut memory, protocol, number, PAGE);
        assert_eq!(ResultCode(registers.rax), ResultCode::UNSUPPORTED_CALL, "{protocol:?} {number}");
    }
    assert_eq!(memory.snapshot(), GuestRam::new().snapshot());
}

#[test]
fn a_protocol_query_answers_with_the_versions_or_zero() {
    let mut machine = started();
    for (protocol, version, expected) in [
        (Protocol::CORE, 1, 0x1_0000_0001),
        (Protocol::ATTEST, 1, 0x1_0000_0001),
        (Protocol::VTPM, 1, 0x1_0000_0001),
        (Protocol::VTPM, 0, 0),
        (Protocol::ATTEST, 2, 0),
        (Protocol::APIC, 1, 0),
        (Protocol(77), 1, 0),
    ] {
        let rcx = core_protocol::ProtocolQuery { protocol, version }.to_rcx();
        let number = core_protocol::CALL_QUERY_PROTOCOL;
        let registers = call(&mut machine, &mut GuestRam::new(), Protocol::CORE, number, rcx);
        assert_eq!((registers.rax, registers.rcx), (0, expected), "{protocol:?} {version}");
    }
}

/// Calls that come near to real ones, with memory that comes near to real requests.
fn near_misses() -> impl Strategy<Value = (Registers, Vec<u8>)> {
    let rax = prop_oneof![(0u64..6, 0u64..8).prop_map(|(protocol, number)| protocol << 32 | number), any::<u64>(),];
    let gpa = prop_oneof![
        Just(PAGE),
        (0..RAM_SIZE as u64),
        (0..16u64).prop_map(|page| page << 12),
        (SVSM_PAGE - 0x60..SVSM_PAGE + 0x60),
        any::<u64>(),
    ];
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0x80),
        // Whole TPM commands with a random body.
        (
            proptest::sample::select(evtpm_tpm_wire::commands::ALL_SPECS),
            any::<bool>(),
            prop::collection::vec(any::<u8>(), 0..200)
        )
            .prop_map(|(spec, sessions, body)| {
                let mut command = vec![0x80, if sessions { 2 } else { 1 }];
                command.extend((body.len() as u32 + 10).to_be_bytes());
                command.extend(spec.code.0.to_be_bytes());
                command.extend(body);
                request(0, &command)
            }),
        // Operation structures with one byte changed.
        (0usize..0x58, any::<u8>()).prop_map(|(offset, value)| {
            let mut memory = GuestRam::new();
            crate::attestation::Ask::vtpm(1).store(&mut memory);
            let mut bytes = memory.at(crate::attestation::OPERATION, 0x58).to_vec();
            bytes[offset] = value;
            bytes
        }),
    ];
    (rax, gpa, any::<[u64; 3]>(), bytes)
        .prop_map(|(rax, rcx, [rdx, r8, r9], bytes)| (Registers { rax, rcx, rdx, r8, r9 }, bytes))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4) })]

    #[test]
    fn no_call_panics_or_touches_the_svsms_page(calls in proptest::collection::vec(near_misses(), 400)) {
        let mut machine = started();
        for (mut registers, bytes) in calls {
            let mut memory = GuestRam::new();
            let fits = registers.rcx < RAM_SIZE as u64 - 0x100
                && !(SVSM_PAGE - 0x100..SVSM_PAGE + 0x1000).contains(&registers.rcx);
            if fits {
                memory.store(registers.rcx, &bytes);
            }
            machine.call(&mut registers, &mut memory);
            prop_assert!(ResultCode(registers.rax).name().is_some(), "{:#x}", registers.rax);
            prop_assert_eq!(memory.at(SVSM_PAGE, PAGE_SIZE), [CANARY; PAGE_SIZE]);
        }
        machine.processor().assert_no_iv_reuse();
    }

    #[test]
    fn no_length_of_a_command_buffer_panics(command in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let mut machine = started();
        let answer = machine.tpm_command(evtpm_engine::Locality::ZERO, &command);
        prop_assert_eq!(answer.is_empty(), command.len() > PAGE_SIZE);
    }
}

#[test]
fn a_guest_gets_its_processor_back_in_the_middle_of_a_search_for_primes() {
    // An RSA-2048 storage key in the owner's hierarchy, whose template is no endorsement key's.
    let mut command = vec![0x80, 2, 0, 0, 0, 0, 0, 0, 0x01, 0x31, 0x40, 0, 0, 1];
    command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    command
        .extend([0, 26, 0, 1, 0, 0x0b, 0, 3, 0x04, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 0]);
    command.extend([0, 0, 0, 0, 0, 0]);
    let size = u32::try_from(command.len()).unwrap().to_be_bytes();
    command[2..6].copy_from_slice(&size);
    let run = |patience: Option<u32>| {
        let mut machine = boot(chip(Product::Milan));
        machine.tpm_command(Locality::ZERO, &[0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0]);
        if let Some(steps) = patience {
            machine.set_patience(steps);
        }
        for calls in 1.. {
            let response = machine.tpm_command(Locality::ZERO, &command).to_vec();
            // TPM_RC_YIELDED
            if response[6..10] != [0, 0, 0x09, 0x08] {
                return (response, calls);
            }
        }
        unreachable!()
    };
    let (at_once, one) = run(None);
    let (in_pieces, many) = run(Some(5));
    assert_eq!(at_once[6..10], [0; 4]);
    assert_eq!(in_pieces, at_once);
    assert!(one == 1 && many > 3, "{many}");
}
