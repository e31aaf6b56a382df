// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The SVSM attestation protocol (SVSM specification, "Attestation Protocol"): report, manifest and certificates on request.

use evtpm_crypto::{Crypto, HashAlg};
use evtpm_engine::{Ek, Platform};
use evtpm_snp::{CertTable, Report};
use evtpm_svsm_abi::attest::{
    self, MAX_CERTIFICATES, NONCE_SIZE, Operation, ServicesOperation, SingleServiceOperation,
};
use evtpm_svsm_abi::manifest::{self, VTPM_SERVICE};
use evtpm_svsm_abi::{Call, Registers, ResultCode};

use crate::memory::GuestMemory;
use crate::processor::SecureProcessor;
use crate::report::{REPORT_DATA_SIZE, ReportError, report};
use crate::service::Svsm;

/// The largest manifest: version 0 with its table, or version 1 with two elliptic-curve keys.
pub(crate) const MAX_MANIFEST: usize = 1024;

/// What a request asks to be attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// Every service: a table, with the vTPM's manifest of version 0 in it.
    Services,
    /// The vTPM alone, with the manifest of this version.
    Vtpm(u32),
}

/// Sizes that a caller learns, whether its buffers were large enough or not.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    manifest: usize,
    certificates: usize,
}

impl<P: Platform, S: SecureProcessor> Svsm<P, S> {
    /// Answers a call of the attestation protocol.
    pub(crate) fn attest_call<M: GuestMemory>(
        &mut self,
        call: Call,
        registers: &mut Registers,
        memory: &mut M,
    ) -> ResultCode {
        let (operation, subject) = match parse(call, registers.rcx, memory) {
            Ok(parsed) => parsed,
            Err(code) => return code,
        };
        match self.attest(&operation, subject, registers, memory) {
            Ok(()) => ResultCode::SUCCESS,
            Err(code) => code,
        }
    }

    fn attest<M: GuestMemory>(
        &mut self,
        operation: &Operation,
        subject: Subject,
        registers: &mut Registers,
        memory: &mut M,
    ) -> Result<(), ResultCode> {
        let mut nonce = [0; NONCE_SIZE];
        memory.read(operation.nonce_gpa, &mut nonce).map_err(|_| ResultCode::INVALID_ADDRESS)?;
        let mut manifest = [0; MAX_MANIFEST];
        let length = self.write_manifest(subject, &mut manifest)?;
        let manifest = manifest.get(..length).ok_or(ResultCode::INVALID_REQUEST)?;

        let wants_certificates = operation.certificates.is_some();
        let mut sizes =
            Sizes { manifest: manifest.len(), certificates: if wants_certificates { MAX_CERTIFICATES } else { 0 } };
        check_buffers(operation, &sizes, registers, memory)?;

        let report_data = self.sha512(&[&nonce, manifest]);
        let report = self
            .certified_report(&report_data, wants_certificates)
            .map_err(|error| if error.is_busy() { ResultCode::BUSY } else { ResultCode::INVALID_REQUEST })?;
        sizes.certificates = if wants_certificates { table_length(&self.certificates) } else { 0 };

        // Checked above, so that nothing is half written; a guest that unmapped a page meanwhile hurts only itself.
        let failed = |_| ResultCode::INVALID_ADDRESS;
        memory.write(operation.report.gpa(), report.as_bytes()).map_err(failed)?;
        memory.write(operation.manifest.gpa(), manifest).map_err(failed)?;
        if let (Some(buffer), Some(table)) = (operation.certificates, self.certificates.get(..sizes.certificates)) {
            memory.write(buffer.gpa(), table).map_err(failed)?;
        }
        set_sizes(registers, &sizes);
        Ok(())
    }

    fn certified_report(
        &mut self,
        report_data: &[u8; REPORT_DATA_SIZE],
        certificates: bool,
    ) -> Result<Report, ReportError> {
        self.certificates.fill(0);
        let buffer = certificates.then_some(self.certificates.as_mut_slice());
        report(&mut self.channel, &mut self.processor, report_data, buffer)
    }

    /// Writes the manifest that the subject names and returns its length.
    fn write_manifest(&mut self, subject: Subject, out: &mut [u8; MAX_MANIFEST]) -> Result<usize, ResultCode> {
        let failed = ResultCode::INVALID_REQUEST;
        match subject {
            Subject::Vtpm(manifest::VTPM_V0) => self.ek_area(Ek::Rsa2048, out).ok_or(failed),
            Subject::Vtpm(manifest::VTPM_V1) => {
                let (mut p256, mut p384) = ([0; 256], [0; 256]);
                let p256_length = self.ek_2b(Ek::EccP256, &mut p256).ok_or(failed)?;
                let p384_length = self.ek_2b(Ek::EccP384, &mut p384).ok_or(failed)?;
                let keys = [p256.get(..p256_length).ok_or(failed)?, p384.get(..p384_length).ok_or(failed)?];
                manifest::write_vtpm_v1(&keys, out).map_err(|_| failed)
            }
            // "manifest version": one that we do not know is the caller's mistake.
            Subject::Vtpm(_) => Err(ResultCode::INVALID_PARAMETER),
            Subject::Services => {
                let mut area = [0; 512];
                let length = self.ek_area(Ek::Rsa2048, &mut area).ok_or(failed)?;
                let area = area.get(..length).ok_or(failed)?;
                manifest::write_services(&[(VTPM_SERVICE, area)], out).map_err(|_| failed)
            }
        }
    }

    /// Hashes for REPORT_DATA.
    pub(crate) fn sha512(&self, parts: &[&[u8]]) -> [u8; REPORT_DATA_SIZE] {
        let digest = P::Crypto::hash(HashAlg::Sha512, parts);
        let mut out = [0; REPORT_DATA_SIZE];
        out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

/// Copies the operation structure from guest memory and parses the copy.
fn parse<M: GuestMemory>(call: Call, gpa: u64, memory: &M) -> Result<(Operation, Subject), ResultCode> {
    let address = |_| ResultCode::INVALID_ADDRESS;
    match call.number {
        attest::CALL_SERVICES => {
            let mut bytes = [0; ServicesOperation::SIZE];
            memory.read(gpa, &mut bytes).map_err(address)?;
            let operation = Operation::parse_services(&bytes).map_err(|_| ResultCode::INVALID_PARAMETER)?;
            Ok((operation, Subject::Services))
        }
        attest::CALL_SINGLE_SERVICE => {
            let mut bytes = [0; SingleServiceOperation::SIZE];
            memory.read(gpa, &mut bytes).map_err(address)?;
            let (operation, service, version) =
                Operation::parse_single_service(&bytes).map_err(|_| ResultCode::INVALID_PARAMETER)?;
            if service != VTPM_SERVICE {
                return Err(ResultCode::INVALID_PARAMETER);
            }
            Ok((operation, Subject::Vtpm(version)))
        }
        _ => Err(ResultCode::UNSUPPORTED_CALL),
    }
}

/// Too small a buffer is told with the sizes needed; a buffer that is not the guest's is told at once.
fn check_buffers<M: GuestMemory>(
    operation: &Operation,
    sizes: &Sizes,
    registers: &mut Registers,
    memory: &M,
) -> Result<(), ResultCode> {
    let certificate_room = operation.certificates.map_or(0, |buffer| buffer.size() as usize);
    let is_short = (operation.report.size() as usize) < Report::SIZE
        || (operation.manifest.size() as usize) < sizes.manifest
        || certificate_room < sizes.certificates;
    if is_short {
        set_sizes(registers, sizes);
        return Err(ResultCode::INVALID_PARAMETER);
    }
    let buffers = [Some(operation.report), Some(operation.manifest), operation.certificates];
    let all_writable =
        buffers.iter().flatten().all(|buffer| memory.is_writable(buffer.gpa(), u64::from(buffer.size())));
    if all_writable { Ok(()) } else { Err(ResultCode::INVALID_ADDRESS) }
}

/// "RCX manifest size, RDX certificate size, R8 report size"
fn set_sizes(registers: &mut Registers, sizes: &Sizes) {
    registers.rcx = sizes.manifest as u64;
    registers.rdx = sizes.certificates as u64;
    registers.r8 = Report::SIZE as u64;
}

/// Returns the bytes that the host's table really takes; none, if what the host wrote is no table.
fn table_length(buffer: &[u8]) -> usize {
    CertTable::parse(buffer).map_or(0, |table| table.extent())
}
