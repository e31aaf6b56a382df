// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation protocol: what a well formed request gets, and what a malformed one does not.

use evtpm_snp::{PAGE_SIZE, U16, U32, U64};
use evtpm_sp_sim::Misbehaviour;
use evtpm_svsm_abi::attest::{self, ServicesOperation, SingleServiceOperation};
use evtpm_svsm_abi::manifest::{self, ServicesManifest, VtpmManifestV1};
use evtpm_svsm_abi::{Call, Guid, Protocol, Registers, ResultCode};
use evtpm_testing_support::{CANARY, GuestRam, RAM_SIZE, SVSM_PAGE};

use super::*;

/// Where a request's structures are in guest memory.
pub(crate) const OPERATION: u64 = 0x1000;
const NONCE: u64 = 0x2040;
const REPORT: u64 = 0x4000;
const MANIFEST: u64 = 0x5000;
const CERTIFICATES: u64 = 0x9000;

const NONCE_BYTES: [u8; 64] = [0x5a; 64];

/// A request of a guest.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    call: u32,
    operation: SingleServiceOperation,
}

impl Ask {
    fn new(call: u32, service: Guid, version: u32) -> Self {
        let services = ServicesOperation {
            report_gpa: U64::new(REPORT),
            report_size: U32::new(PAGE_SIZE as u32),
            nonce_gpa: U64::new(NONCE),
            nonce_size: U16::new(64),
            manifest_gpa: U64::new(MANIFEST),
            manifest_size: U32::new(PAGE_SIZE as u32),
            ..ServicesOperation::zeroed()
        };
        let operation = SingleServiceOperation {
            services,
            service,
            manifest_version: U32::new(version),
            ..SingleServiceOperation::zeroed()
        };
        Self { call, operation }
    }

    pub(crate) fn services() -> Self {
        Self::new(attest::CALL_SERVICES, manifest::SERVICES_TABLE, 0)
    }

    pub(crate) fn vtpm(version: u32) -> Self {
        Self::new(attest::CALL_SINGLE_SERVICE, manifest::VTPM_SERVICE, version)
    }

    /// Changes the fields that both calls have.
    fn with(mut self, change: impl FnOnce(&mut ServicesOperation)) -> Self {
        change(&mut self.operation.services);
        self
    }

    fn with_certificates(self) -> Self {
        self.with(|operation| {
            operation.certificate_gpa = U64::new(CERTIFICATES);
            operation.certificate_size = U32::new(0x4000);
        })
    }

    pub(crate) fn rax(&self) -> u64 {
        Call { protocol: Protocol::ATTEST, number: self.call }.to_rax()
    }

    pub(crate) fn store(&self, memory: &mut GuestRam) {
        memory.store(NONCE, &NONCE_BYTES);
        let length = if self.call == attest::CALL_SERVICES { 0x40 } else { 0x58 };
        memory.store(OPERATION, &self.operation.as_bytes()[..length]);
    }
}

/// What came back.
struct Answer {
    code: ResultCode,
    registers: Registers,
    memory: GuestRam,
    /// The memory before the call.
    before: GuestRam,
}

impl Answer {
    fn manifest(&self) -> &[u8] {
        self.memory.at(MANIFEST, self.registers.rcx as usize)
    }

    fn report(&self) -> Report {
        assert_eq!(self.registers.r8, 0x4a0);
        Report::parse(self.memory.at(REPORT, 0x4a0)).unwrap()
    }

    /// Checks that the report answers the nonce and covers the manifest.
    fn assert_bound(&self) {
        assert_eq!(self.code, ResultCode::SUCCESS);
        let report = self.report();
        assert_eq!(*report.report_data(), sha512(&[&NONCE_BYTES, self.manifest()]));
        assert_eq!(report.vmpl(), 0);
    }

    fn assert_refused(&self, code: ResultCode) {
        assert_eq!(self.code, code);
        assert_eq!(self.memory.snapshot(), self.before.snapshot(), "a refusal writes nothing");
    }
}

fn call(machine: &mut Machine, ask: &Ask) -> Answer {
    call_at(machine, ask, OPERATION)
}

fn call_at(machine: &mut Machine, ask: &Ask, gpa: u64) -> Answer {
    let mut memory = GuestRam::new();
    ask.store(&mut memory);
    let before = memory.clone();
    // As Linux does, to see whether the SVSM filled them in.
    let mut registers = Registers { rax: ask.rax(), rcx: gpa, rdx: u64::MAX, r8: u64::MAX, r9: 0 };
    machine.call(&mut registers, &mut memory);
    memory.assert_fetched_once();
    assert_eq!(memory.at(SVSM_PAGE, PAGE_SIZE), [CANARY; PAGE_SIZE]);
    Answer { code: ResultCode(registers.rax), registers, memory, before }
}

#[test]
fn all_services_are_a_table_with_the_rsa_key_in_it() {
    let mut machine = started();
    let answer = call(&mut machine, &Ask::services());
    answer.assert_bound();
    let manifest = ServicesManifest::parse(answer.manifest()).unwrap();
    let key = tpmt(&ek(&mut machine, EkTemplate::L1));
    let entries: Vec<_> = manifest.iter().collect();
    assert_eq!(entries, [(manifest::VTPM_SERVICE, key.as_slice())]);
    assert_eq!(answer.registers.rdx, 0, "no certificates were asked for");
}

#[test]
fn manifest_version_0_is_the_rsa_key() {
    let mut machine = started();
    let answer = call(&mut machine, &Ask::vtpm(0));
    answer.assert_bound();
    assert_eq!(answer.manifest(), tpmt(&ek(&mut machine, EkTemplate::L1)));
}

#[test]
fn manifest_version_1_lists_the_elliptic_keys() {
    let mut machine = started();
    let answer = call(&mut machine, &Ask::vtpm(1));
    answer.assert_bound();
    let manifest = VtpmManifestV1::parse(answer.manifest()).unwrap();
    let keys = [EkTemplate::L2, EkTemplate::H3].map(|template| tpm2b(&ek(&mut machine, template)));
    assert_eq!(manifest.keys().collect::<Vec<_>>(), keys);
}

#[test]
fn only_answers_are_written() {
    let mut machine = started();
    let answer = call(&mut machine, &Ask::vtpm(1).with_certificates());
    let answers = [(REPORT, 0x4a0), (MANIFEST, answer.registers.rcx), (CERTIFICATES, answer.registers.rdx)];
    assert_eq!(answer.memory.writes(), answers.map(|(gpa, length)| gpa..gpa + length));
    let mut expected = answer.before.clone();
    for (gpa, length) in answers {
        expected.store(gpa, answer.memory.at(gpa, length as usize));
    }
    assert_eq!(answer.memory.snapshot(), expected.snapshot());
}

#[test]
fn another_nonce_is_another_report() {
    let mut machine = started();
    let first = call(&mut machine, &Ask::vtpm(1)).report();
    let mut memory = GuestRam::new();
    let ask = Ask::vtpm(1);
    ask.store(&mut memory);
    memory.store(NONCE, &[0; 64]);
    let mut registers = Registers { rax: ask.rax(), rcx: OPERATION, ..Registers::default() };
    machine.call(&mut registers, &mut memory);
    let second = Report::parse(memory.at(REPORT, 0x4a0)).unwrap();
    let manifest = memory.at(MANIFEST, registers.rcx as usize);
    assert_eq!(*second.report_data(), sha512(&[&[0; 64], manifest]));
    assert_ne!(second.report_data(), first.report_data());
}

#[test]
fn certificates_are_the_hosts_table_unchanged() {
    let mut machine = started();
    let table = machine.processor().host().processor().certificate_table().unwrap();
    let answer = call(&mut machine, &Ask::services().with_certificates());
    answer.assert_bound();
    assert_eq!(answer.registers.rdx as usize, table.len());
    assert_eq!(answer.memory.at(CERTIFICATES, table.len()), table);
}

#[test]
fn a_host_that_gives_no_table_or_no_fitting_one_still_lets_the_chip_report() {
    for table in [vec![], vec![0; 24], vec![0xff; 0x1000], vec![1; 0x5000]] {
        let mut machine = started();
        machine.processor().host().install_certificates(table);
        let answer = call(&mut machine, &Ask::vtpm(1).with_certificates());
        answer.assert_bound();
        assert!(answer.registers.rdx <= 24, "{}", answer.registers.rdx);
    }
}

#[test]
fn too_small_a_buffer_is_told_what_it_takes() {
    let mut machine = started();
    let needed = call(&mut machine, &Ask::vtpm(1)).registers.rcx;
    let before = delivered(&mut machine);
    type Shrink = fn(&mut ServicesOperation, u32);
    let shrinks: [(Shrink, u32); 3] = [
        (|operation, size| operation.report_size = U32::new(size), 0x49f),
        (|operation, size| operation.manifest_size = U32::new(size), needed as u32 - 1),
        (|operation, size| operation.certificate_size = U32::new(size), 0x3fff),
    ];
    for (shrink, size) in shrinks {
        for size in [1, size] {
            let answer =
                call(&mut machine, &Ask::vtpm(1).with_certificates().with(|operation| shrink(operation, size)));
            answer.assert_refused(ResultCode::INVALID_PARAMETER);
            let Registers { rcx, rdx, r8, .. } = answer.registers;
            assert_eq!((rcx, rdx, r8), (needed, 0x4000, 0x4a0));
        }
    }
    assert_eq!(delivered(&mut machine), before, "the chip is not asked for what has no room");
    // With room for exactly that much the same request succeeds.
    let exact = Ask::vtpm(1).with(|operation| {
        operation.report_size = U32::new(0x4a0);
        operation.manifest_size = U32::new(needed as u32);
    });
    call(&mut machine, &exact).assert_bound();
}

#[test]
fn every_reserved_byte_has_to_be_zero() {
    let mut machine = started();
    let reserved = [0x0c..0x10, 0x1a..0x20, 0x2c..0x30, 0x3c..0x40, 0x54..0x58];
    for offset in reserved.into_iter().flatten() {
        let mut bytes = *Ask::vtpm(1).operation.as_bytes();
        bytes[offset] = 1;
        let operation = *SingleServiceOperation::view(&bytes).unwrap();
        let single = Ask { operation, ..Ask::vtpm(1) };
        call(&mut machine, &single).assert_refused(ResultCode::INVALID_PARAMETER);
        if offset < 0x40 {
            let services = Ask { operation, ..Ask::services() };
            call(&mut machine, &services).assert_refused(ResultCode::INVALID_PARAMETER);
        }
    }
}

#[test]
fn unknown_services_versions_and_calls_are_refused() {
    let mut machine = started();
    for version in [2, 0x0100_0000, u32::MAX] {
        call(&mut machine, &Ask::vtpm(version)).assert_refused(ResultCode::INVALID_PARAMETER);
    }
    for service in [manifest::UEFI_MM_SERVICE, manifest::SERVICES_TABLE] {
        let ask = Ask::new(attest::CALL_SINGLE_SERVICE, service, 0);
        call(&mut machine, &ask).assert_refused(ResultCode::INVALID_PARAMETER);
    }
    for number in [2, 3, u32::MAX] {
        let ask = Ask { call: number, ..Ask::vtpm(1) };
        call(&mut machine, &ask).assert_refused(ResultCode::UNSUPPORTED_CALL);
    }
}

#[test]
fn a_nonce_is_64_bytes_in_one_page_and_buffers_are_aligned() {
    let mut machine = started();
    let changes: [fn(&mut ServicesOperation); 6] = [
        |operation| operation.nonce_size = U16::new(63),
        |operation| operation.nonce_size = U16::new(65),
        |operation| operation.nonce_gpa = U64::new(0x2fc1),
        |operation| operation.report_gpa = U64::new(REPORT + 1),
        |operation| operation.manifest_gpa = U64::new(MANIFEST + 8),
        |operation| operation.manifest_gpa = U64::new(!0xfff),
    ];
    for change in changes {
        let answer = call(&mut machine, &Ask::vtpm(1).with(change));
        assert!(matches!(answer.code, ResultCode::INVALID_PARAMETER | ResultCode::INVALID_ADDRESS));
        answer.assert_refused(answer.code);
    }
}

#[test]
fn no_byte_of_the_svsm_is_read_or_written_for_a_guest() {
    let mut machine = started();
    let before = delivered(&mut machine);
    let outside = RAM_SIZE as u64;
    for address in [SVSM_PAGE, outside, !0xfff] {
        let changes: [fn(&mut ServicesOperation, u64); 4] = [
            |operation, gpa| operation.nonce_gpa = U64::new(gpa),
            |operation, gpa| operation.report_gpa = U64::new(gpa),
            |operation, gpa| operation.manifest_gpa = U64::new(gpa),
            |operation, gpa| operation.certificate_gpa = U64::new(gpa),
        ];
        for change in changes {
            let ask = Ask::vtpm(1).with_certificates().with(|operation| change(operation, address));
            let answer = call(&mut machine, &ask);
            assert!(matches!(answer.code, ResultCode::INVALID_ADDRESS | ResultCode::INVALID_PARAMETER), "{address:#x}");
            answer.assert_refused(answer.code);
        }
    }
    // The operation itself, wholly or partly in the SVSM's page, or beyond the end of everything.
    for gpa in [SVSM_PAGE, SVSM_PAGE - 0x57, SVSM_PAGE + 0xfff, outside - 1, u64::MAX - 3, u64::MAX] {
        call_at(&mut machine, &Ask::vtpm(1), gpa).assert_refused(ResultCode::INVALID_ADDRESS);
    }
    // Buffers that begin in the guest's memory and reach into the SVSM's.
    for (size, gpa) in [(0x2000, SVSM_PAGE - 0x1000), (0x1001, SVSM_PAGE - 0x1000), (u32::MAX, REPORT)] {
        let ask = Ask::vtpm(1).with(|operation| {
            operation.report_gpa = U64::new(gpa);
            operation.report_size = U32::new(size);
        });
        call(&mut machine, &ask).assert_refused(ResultCode::INVALID_ADDRESS);
    }
    assert_eq!(delivered(&mut machine), before);
}

#[test]
fn a_busy_chip_is_said_and_the_same_call_succeeds_later() {
    let mut machine = started();
    for ask in [Ask::services().with_certificates(), Ask::vtpm(0), Ask::vtpm(1)] {
        machine.processor().host().misbehave([Misbehaviour::Busy, Misbehaviour::Busy]);
        for _ in 0..2 {
            call(&mut machine, &ask).assert_refused(ResultCode::BUSY);
        }
        call(&mut machine, &ask).assert_bound();
    }
    machine.processor().assert_no_iv_reuse();
}

#[test]
fn a_guest_that_gives_up_a_busy_call_for_another_one_gets_that_one() {
    let mut machine = started();
    machine.processor().host().misbehave([Misbehaviour::Busy]);
    call(&mut machine, &Ask::vtpm(0)).assert_refused(ResultCode::BUSY);
    call(&mut machine, &Ask::vtpm(1)).assert_bound();
    machine.processor().assert_no_iv_reuse();
}
