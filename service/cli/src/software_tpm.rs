// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM in this process that no secure processor vouches for: what a guest could run as a program of its own.

use anyhow::Result;
use evtpm_client::{Transport, TransportError};
use evtpm_engine::Profile;
use evtpm_tpmd::device::Device;
use evtpm_tpmd::devices::engine::EngineDevice;

/// The engine as our servers have it, without one around it.
pub(crate) struct SoftwareTpm(EngineDevice);

impl SoftwareTpm {
    /// Manufactures a TPM and gives it power.
    pub(crate) fn new() -> Result<Self> {
        let mut device = EngineDevice::new(Profile::svsm())?;
        device.power_on()?;
        Ok(SoftwareTpm(device))
    }
}

impl Transport for SoftwareTpm {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        *response = self.0.execute(0, command);
        Ok(())
    }
}
