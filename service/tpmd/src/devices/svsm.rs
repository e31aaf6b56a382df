// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An e-vTPM: the engine inside the SVSM's services, bound to a secure processor, made anew at each guest reset.

use evtpm_engine::Profile;
use evtpm_svsm::{GuestChannel, SecureProcessor, Svsm};

use super::engine::describe;
use super::platform::HostedPlatform;
use crate::device::{Description, Device, DeviceError};
use crate::machine::{COMMAND_SIZE, FAILURE};

/// A TPM inside an SVSM.
pub struct SvsmDevice<S: SecureProcessor> {
    /// Missing only after a reset for which there was no memory.
    svsm: Option<Box<Svsm<HostedPlatform, S>>>,
    description: Description,
    powered_before: bool,
    physical_presence: bool,
}

impl<S: SecureProcessor> std::fmt::Debug for SvsmDevice<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SvsmDevice").field("description", &self.description).finish_non_exhaustive()
    }
}

impl<S: SecureProcessor> SvsmDevice<S> {
    /// Manufactures a TPM and has its keys vouched for over `channel`.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(profile: Profile, processor: S, channel: GuestChannel) -> Result<Self, DeviceError> {
        let description = describe(&profile);
        let svsm = Svsm::manufacture(HostedPlatform::new(), profile, processor, channel)
            .map_err(|_| DeviceError("there is not enough memory for a TPM".into()))?;
        Ok(SvsmDevice { svsm: Some(Box::new(svsm)), description, powered_before: false, physical_presence: false })
    }

    fn svsm(&mut self) -> Result<&mut Svsm<HostedPlatform, S>, DeviceError> {
        self.svsm.as_deref_mut().ok_or_else(|| DeviceError("the TPM could not be made anew".into()))
    }
}

impl<S: SecureProcessor + Send> Device for SvsmDevice<S> {
    fn power_on(&mut self) -> Result<(), DeviceError> {
        if !std::mem::replace(&mut self.powered_before, true) {
            return Ok(());
        }
        // "A guest reset gives a new TPM": nothing of the last boot is left.
        if let Some(svsm) = self.svsm.take() {
            let reset = svsm.reset().map_err(|_| DeviceError("there is not enough memory for a new TPM".into()))?;
            self.svsm = Some(Box::new(reset));
        }
        let asserted = self.physical_presence;
        self.svsm()?.tpm().platform_mut().set_physical_presence(asserted);
        Ok(())
    }

    fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8> {
        let Ok(svsm) = self.svsm() else { return FAILURE.to_vec() };
        match svsm.tpm_command(super::locality(locality), command) {
            [] => COMMAND_SIZE.to_vec(),
            response => response.to_vec(),
        }
    }

    fn hash_start(&mut self) -> Result<(), DeviceError> {
        self.svsm()?.tpm().hash_start();
        Ok(())
    }

    fn hash_data(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.svsm()?.tpm().hash_data(data);
        Ok(())
    }

    fn hash_end(&mut self) -> Result<(), DeviceError> {
        self.svsm()?.tpm().hash_end();
        Ok(())
    }

    fn set_physical_presence(&mut self, asserted: bool) {
        self.physical_presence = asserted;
        if let Ok(svsm) = self.svsm() {
            svsm.tpm().platform_mut().set_physical_presence(asserted);
        }
    }

    fn countdown_signaled(&mut self, handle: u32) -> bool {
        self.svsm().is_ok_and(|svsm| svsm.tpm().countdown_signaled(handle))
    }

    fn description(&self) -> Description {
        self.description.clone()
    }
}
