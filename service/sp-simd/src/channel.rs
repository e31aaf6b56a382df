// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way from an SVSM to its simulated processor: one guest's messages over a host in this process or over a socket.

use evtpm_snp::GuestMessage;
use evtpm_sp_sim::{GuestHandle, Refusal};
use evtpm_svsm::{HostError, SecureProcessor};

use crate::error::Error;
use crate::firmware::Firmware;

/// The code with which an SVSM learns that the host itself cannot be reached any more.
pub const LOST_CONNECTION: u32 = u32::MAX;

/// What carries one guest's messages.
#[derive(Debug)]
pub struct Channel<F> {
    firmware: F,
    guest: GuestHandle,
}

impl<F: Firmware> Channel<F> {
    /// Returns the way from this guest to the processor.
    pub const fn new(firmware: F, guest: GuestHandle) -> Self {
        Self { firmware, guest }
    }

    /// Returns what is at the other end.
    pub fn firmware(&mut self) -> &mut F {
        &mut self.firmware
    }
}

impl<F: Firmware> SecureProcessor for Channel<F> {
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), HostError> {
        self.firmware.guest_request(self.guest, request, response, certificates).map_err(|error| match error {
            Error::Refused(Refusal::Busy) => HostError::Busy,
            Error::Refused(Refusal::CertificateBufferTooSmall { pages }) => HostError::BufferTooSmall { pages },
            Error::Refused(Refusal::Firmware(status)) => HostError::Firmware(status),
            _ => HostError::Other(LOST_CONNECTION),
        })
    }
}
