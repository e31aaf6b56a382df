// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's TPM driver: a client whose commands go through the SVSM's vTPM protocol, one page of guest memory each.

use evtpm_client::{Client, Transport, TransportError};
use evtpm_snp::PAGE_SIZE;
use evtpm_svsm_abi::vtpm::{self, SendCommand};
use evtpm_svsm_abi::{Call, Protocol, Registers, ResultCode};

use crate::{GuestRam, Machine, Noise};

/// Where the driver's page is.
const PAGE: u64 = 0x3000;

/// A driver.
#[derive(Debug)]
pub struct Driver<'m> {
    machine: &'m mut Machine,
    memory: GuestRam,
}

/// Returns a client of a machine's e-vTPM.
pub fn client(machine: &mut Machine) -> Client<Driver<'_>, Noise> {
    Client::new(Driver { machine, memory: GuestRam::new() }, Noise::Good(0xc11e))
}

impl Driver<'_> {
    /// Borrows the machine, to make something happen to it between two commands.
    pub fn machine(&mut self) -> &mut Machine {
        self.machine
    }
}

impl Transport for Driver<'_> {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let mut page = [0; PAGE_SIZE];
        SendCommand { locality: 0, tpm_command: command }.write(&mut page).map_err(TransportError::new)?;
        self.memory.store(PAGE, &page);
        let call = Call { protocol: Protocol::VTPM, number: vtpm::CALL_CMD };
        let mut registers = Registers { rax: call.to_rax(), rcx: PAGE, ..Registers::default() };
        self.machine.call(&mut registers, &mut self.memory);
        if registers.rax != ResultCode::SUCCESS.0 {
            return Err(TransportError::new(ResultCode(registers.rax).to_string()));
        }
        let answer = vtpm::parse_response(self.memory.at(PAGE, PAGE_SIZE)).map_err(TransportError::new)?;
        response.clear();
        response.extend_from_slice(answer);
        Ok(())
    }
}
