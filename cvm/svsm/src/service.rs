// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One e-vTPM: an engine manufactured afresh, its endorsement keys vouched for by the chip, and the calls that reach it.

use core::fmt;

use evtpm_engine::{Ek, Execution, Locality, OutOfMemory, Pending, Platform, Profile, Step, Tpm};
use evtpm_snp::Report;
use evtpm_svsm_abi::attest::MAX_CERTIFICATES;
use evtpm_svsm_abi::{Call, PAGE_SIZE, Protocol, Registers, ResultCode, core_protocol};
use evtpm_tpm_wire::{Marshal, TpmtPublic, Writer};
use zeroize::Zeroize;

use crate::channel::GuestChannel;
use crate::memory::GuestMemory;
use crate::processor::SecureProcessor;
use crate::report::{ReportError, report};

/// The endorsement keys and the NV index of each one's certificate, which holds the report here
/// (TCG EK Credential Profile, "EK Templates": L-2, H-3, L-1).
pub const EK_CERTIFICATES: [(Ek, u32); 3] =
    [(Ek::EccP256, 0x01c0_000a), (Ek::EccP384, 0x01c0_0016), (Ek::Rsa2048, 0x01c0_0002)];

/// Endorsement keys made at boot; the others wait until somebody asks, since an RSA key takes long to find.
const EAGER: usize = 2;

/// The versions of the attestation and vTPM protocols that are answered.
const PROTOCOL_VERSION: u32 = 1;

/// A response without sessions that says `TPM_RC_FAILURE`.
const FAILURE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];

/// An e-vTPM inside an SVSM.
pub struct Svsm<P: Platform, S: SecureProcessor> {
    tpm: Tpm<P>,
    patience: u32,
    pub(crate) channel: GuestChannel,
    pub(crate) processor: S,
    pub(crate) certificates: [u8; MAX_CERTIFICATES],
    pub(crate) command: [u8; PAGE_SIZE],
    pub(crate) response: [u8; PAGE_SIZE],
}

impl<P: Platform, S: SecureProcessor> fmt::Debug for Svsm<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svsm").field("tpm", &self.tpm).field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl<P: Platform, S: SecureProcessor> Svsm<P, S> {
    /// Manufactures a TPM and asks the chip to vouch for its elliptic-curve endorsement keys.
    ///
    /// A secure processor that does not answer now is asked again when somebody reads a certificate. A platform whose
    /// noise fails gives a TPM in failure mode, without an endorsement key.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn manufacture(
        platform: P,
        profile: Profile,
        processor: S,
        channel: GuestChannel,
    ) -> Result<Self, OutOfMemory> {
        let tpm = Tpm::manufacture(platform, profile)?;
        let mut svsm = Svsm {
            tpm,
            patience: u32::MAX,
            channel,
            processor,
            certificates: [0; MAX_CERTIFICATES],
            command: [0; PAGE_SIZE],
            response: [0; PAGE_SIZE],
        };
        svsm.bind();
        Ok(svsm)
    }

    /// Answers a guest reset with a new TPM: new seeds, new keys, new reports, empty PCRs. The channel to the chip goes on,
    /// since its sequence numbers must never repeat.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the TPM is gone then.
    pub fn reset(self) -> Result<Self, OutOfMemory> {
        let profile = self.tpm.profile().clone();
        Self::manufacture(self.tpm.into_platform(), profile, self.processor, self.channel)
    }

    /// Returns to the guest in the middle of a search for RSA primes, after so many steps of at most one modular power each:
    /// the command answers `TPM_RC_YIELDED`, "forward progress was made and the command may be retried", and goes on when the
    /// guest sends it again. By default it is searched to the end, since not every driver sends again.
    pub fn set_patience(&mut self, steps: u32) {
        self.patience = steps;
    }

    /// Borrows the TPM.
    pub fn tpm(&mut self) -> &mut Tpm<P> {
        &mut self.tpm
    }

    /// Borrows the way to the secure processor.
    pub fn processor(&mut self) -> &mut S {
        &mut self.processor
    }

    /// Defines the locked indices before any firmware runs, and fills those of the keys that are made at boot.
    fn bind(&mut self) {
        for (ek, index) in EK_CERTIFICATES {
            // In failure mode there is no endorsement key and nothing to define.
            if self.tpm.host().define_ek_certificate(index, ek, Report::SIZE).is_err() {
                return;
            }
        }
        for (ek, index) in EK_CERTIFICATES.into_iter().take(EAGER) {
            // Without an answer the index stays pending: the report is fetched when the index is first touched.
            let Ok(report) = self.report_on(ek) else { continue };
            if self.tpm.host().set_ek_certificate(index, report.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Gets the chip's report on an endorsement key, as in the paper: REPORT_DATA = SHA-512(TPM2B_PUBLIC).
    fn report_on(&mut self, ek: Ek) -> Result<Report, ReportError> {
        let mut public = [0; 512];
        let length = self.ek_2b(ek, &mut public).ok_or(ReportError::Malformed)?;
        let report_data = self.sha512(&[public.get(..length).unwrap_or_default()]);
        report(&mut self.channel, &mut self.processor, &report_data, None)
    }

    /// Answers a certificate that the engine waits for: the report, or that there is none now.
    fn resolve(&mut self, index: u32) {
        let ek = EK_CERTIFICATES.into_iter().find(|(_, known)| *known == index).map(|(ek, _)| ek);
        let report = ek.ok_or(ReportError::Malformed).and_then(|ek| self.report_on(ek));
        let mut host = self.tpm.host();
        let is_set = report.is_ok_and(|report| host.set_ek_certificate(index, report.as_bytes()).is_ok());
        // The guest's command goes on without: reading the index answers TPM_RC_RETRY and a later read asks again.
        // Only a TPM in failure mode refuses to hear that, and it does not wait either.
        let _is_heard = is_set || host.decline_ek_certificate(index).is_ok();
    }

    /// Runs the command in the first `length` bytes of the command buffer; returns the response's length.
    pub(crate) fn execute(&mut self, locality: Locality, length: usize) -> usize {
        let mut answered = None;
        // Each index can be pending once a command, and a command touches one: the bound is never reached.
        for _ in 0..=EK_CERTIFICATES.len() {
            let command = self.command.get_mut(..length).unwrap_or_default();
            match self.tpm.step(locality, command, &mut self.response, self.patience) {
                // The response says TPM_RC_YIELDED.
                Step::Working => {
                    answered = Some(FAILURE.len());
                    break;
                }
                Step::Done(Execution::Response(length)) => {
                    answered = Some(length);
                    break;
                }
                Step::Done(Execution::Pending(Pending::EkCertificate { index })) => self.resolve(index),
            }
        }
        // Passwords were in it.
        self.command.get_mut(..length).unwrap_or_default().zeroize();
        answered.unwrap_or_else(|| {
            self.response.iter_mut().zip(FAILURE).for_each(|(to, from)| *to = from);
            FAILURE.len()
        })
    }

    /// Runs one TPM command at a locality, for a host that serves this TPM to something else than a guest's SVSM call.
    ///
    /// The response is empty if the command is longer than a page.
    pub fn tpm_command(&mut self, locality: Locality, command: &[u8]) -> &[u8] {
        let Some(buffer) = self.command.get_mut(..command.len()) else {
            return &[];
        };
        buffer.iter_mut().zip(command).for_each(|(to, from)| *to = *from);
        let length = self.execute(locality, command.len());
        self.response.get(..length).unwrap_or_default()
    }

    /// Answers a guest's call: RAX names it, the other registers carry its arguments and results.
    pub fn call<M: GuestMemory>(&mut self, registers: &mut Registers, memory: &mut M) {
        let call = Call::from_rax(registers.rax);
        let code = match call.protocol {
            Protocol::CORE => core_call(call, registers),
            Protocol::ATTEST => self.attest_call(call, registers, memory),
            Protocol::VTPM => self.vtpm_call(call, registers, memory),
            _ => ResultCode::UNSUPPORTED_PROTOCOL,
        };
        registers.rax = code.0;
    }

    /// Writes an endorsement key's TPMT_PUBLIC, whatever the guest did to hierarchies, authorisations or slots.
    pub(crate) fn ek_area(&mut self, ek: Ek, out: &mut [u8]) -> Option<usize> {
        let public = self.ek_public(ek)?;
        Some(public.to_bytes(out).ok()?.len())
    }

    /// Writes an endorsement key's TPM2B_PUBLIC.
    pub(crate) fn ek_2b(&mut self, ek: Ek, out: &mut [u8]) -> Option<usize> {
        let public = self.ek_public(ek)?;
        let mut writer = Writer::new(out);
        writer.sized(&public).ok()?;
        Some(writer.into_written().len())
    }

    fn ek_public(&mut self, ek: Ek) -> Option<TpmtPublic> {
        self.tpm.host().ek_public(ek).ok()
    }
}

/// The core protocol belongs to the SVSM around us; what it asks of this service is which protocols there are.
fn core_call(call: Call, registers: &mut Registers) -> ResultCode {
    if call.number != core_protocol::CALL_QUERY_PROTOCOL {
        return ResultCode::UNSUPPORTED_CALL;
    }
    let query = core_protocol::ProtocolQuery::from_rcx(registers.rcx);
    let is_known = matches!(query.protocol, Protocol::CORE | Protocol::ATTEST | Protocol::VTPM);
    registers.rcx = if is_known { query.answer(PROTOCOL_VERSION, PROTOCOL_VERSION) } else { 0 };
    ResultCode::SUCCESS
}
