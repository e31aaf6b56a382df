// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The SVSM vTPM protocol (SVSM specification, "vTPM Protocol"): a TPM command in a page of the guest, answered in place.

use evtpm_engine::{Locality, Platform};
use evtpm_svsm_abi::vtpm::{self, RequestHeader, SendCommand};
use evtpm_svsm_abi::{Call, PAGE_SIZE, Registers, ResultCode};
use zeroize::Zeroize;

use crate::memory::GuestMemory;
use crate::processor::SecureProcessor;
use crate::service::Svsm;

impl<P: Platform, S: SecureProcessor> Svsm<P, S> {
    /// Answers a call of the vTPM protocol.
    pub(crate) fn vtpm_call<M: GuestMemory>(
        &mut self,
        call: Call,
        registers: &mut Registers,
        memory: &mut M,
    ) -> ResultCode {
        match call.number {
            vtpm::CALL_QUERY => {
                registers.rcx = vtpm::SUPPORTED_COMMANDS;
                registers.rdx = vtpm::SUPPORTED_FEATURES;
                ResultCode::SUCCESS
            }
            vtpm::CALL_CMD => self.vtpm_command_at(registers.rcx, memory),
            _ => ResultCode::UNSUPPORTED_CALL,
        }
    }

    fn vtpm_command_at<M: GuestMemory>(&mut self, gpa: u64, memory: &mut M) -> ResultCode {
        let mut page = [0; PAGE_SIZE];
        // The request is copied once; a guest that changes it meanwhile changes nothing (no double fetch).
        if memory.read(gpa, &mut page).is_err() || !memory.is_writable(gpa, PAGE_SIZE as u64) {
            return ResultCode::INVALID_ADDRESS;
        }
        let asked = SendCommand::parse(&page).map_or(0, |request| request.tpm_command.len());
        let answered = self.vtpm_command(&mut page);
        let written = answered.and_then(|length| {
            // Only what was answered goes back: the rest of the guest's page stays as it was.
            let answer = page.get(..length).unwrap_or_default();
            memory.write(gpa, answer).map_err(|_| ResultCode::INVALID_ADDRESS)
        });
        // What passed through may be secret to the guest; behind it is only what its page held anyway.
        let passed = asked.saturating_add(RequestHeader::SIZE).max(answered.unwrap_or_default());
        page.get_mut(..passed).unwrap_or_default().zeroize();
        written.map_or_else(|code| code, |()| ResultCode::SUCCESS)
    }

    /// Answers a request in a buffer in place and returns the answer's length, header included.
    ///
    /// # Errors
    /// INVALID_PARAMETER for a request that is not TPM_SEND_COMMAND at locality 0, or is longer than the buffer.
    pub fn vtpm_command(&mut self, buffer: &mut [u8; PAGE_SIZE]) -> Result<usize, ResultCode> {
        let request = SendCommand::parse(buffer).map_err(|_| ResultCode::INVALID_PARAMETER)?;
        // "locality (must be 0)"
        if request.locality != 0 {
            return Err(ResultCode::INVALID_PARAMETER);
        }
        let length = request.tpm_command.len();
        self.command.iter_mut().zip(request.tpm_command).for_each(|(to, from)| *to = *from);
        let answered = self.execute(Locality::ZERO, length);
        let response = self.response.get(..answered).unwrap_or_default();
        vtpm::write_response(response, buffer).map_err(|_| ResultCode::INVALID_REQUEST)
    }
}
