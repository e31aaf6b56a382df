// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device whose every response gets a second opinion before a client sees it.

use evtpm_tpm_wire::Cc;
use evtpm_tpmd::device::{Description, Device, DeviceError};

use crate::second_opinion::objection;

/// A device and the listener in front of it.
pub struct Overheard(pub Box<dyn Device>);

impl std::fmt::Debug for Overheard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Overheard").field(&self.0.description()).finish()
    }
}

impl Device for Overheard {
    fn power_on(&mut self) -> Result<(), DeviceError> {
        self.0.power_on()
    }

    /// Executes a command. A response that the second opinion does not share ends the connection, and so the test.
    fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8> {
        let response = self.0.execute(locality, command);
        if let Some(code) = command.get(6..10).and_then(|code| code.try_into().ok()) {
            let code = Cc(u32::from_be_bytes(code));
            assert_eq!(objection(code, &response), None, "{code}: {command:02x?} {response:02x?}");
        }
        response
    }

    fn hash_start(&mut self) -> Result<(), DeviceError> {
        self.0.hash_start()
    }

    fn hash_data(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.0.hash_data(data)
    }

    fn hash_end(&mut self) -> Result<(), DeviceError> {
        self.0.hash_end()
    }

    fn set_physical_presence(&mut self, asserted: bool) {
        self.0.set_physical_presence(asserted);
    }

    fn countdown_signaled(&mut self, handle: u32) -> bool {
        self.0.countdown_signaled(handle)
    }

    fn description(&self) -> Description {
        self.0.description()
    }
}
