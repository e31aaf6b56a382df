// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One TPM with the host-side state that its fronts share: power, locality, buffer size.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::{Device, DeviceError};

/// The whole answer of a TPM that cannot work: `TPM_RC_FAILURE`.
pub(crate) const FAILURE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];

/// The whole answer to a command that is longer than the TPM takes: `TPM_RC_COMMAND_SIZE`.
pub(crate) const COMMAND_SIZE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42];

/// `TPM2_Shutdown(STATE)`.
const SHUTDOWN_STATE: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 1];

/// Code of `TPM2_Shutdown` in bytes 6..10 of a command.
const SHUTDOWN_CODE: [u8; 4] = [0, 0, 0x01, 0x45];

/// The smallest command buffer that a host may ask for, and the largest.
pub const BUFFER_SIZES: std::ops::RangeInclusive<u32> = 2_808..=4_096;

/// A device and what the host has set on it.
pub struct Machine {
    device: Box<dyn Device>,
    powered: bool,
    locality: u8,
    buffer_size: u32,
    established: bool,
    was_shut_down: bool,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("device", &self.device.description())
            .field("powered", &self.powered)
            .field("locality", &self.locality)
            .field("buffer_size", &self.buffer_size)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// Takes a device that is not powered yet.
    #[must_use]
    pub fn new(device: Box<dyn Device>) -> Self {
        Machine {
            device,
            powered: false,
            locality: 0,
            buffer_size: *BUFFER_SIZES.end(),
            established: false,
            was_shut_down: true,
        }
    }

    /// Says whether commands are answered.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Powers on or resets.
    ///
    /// # Errors
    /// When the device cannot be made; it is then off.
    pub fn power_on(&mut self) -> Result<(), DeviceError> {
        self.powered = false;
        self.device.power_on()?;
        self.powered = true;
        self.locality = 0;
        self.established = false;
        self.was_shut_down = false;
        Ok(())
    }

    /// Powers off. With `orderly`, a guest that forgot `TPM2_Shutdown` gets one, as swtpm does.
    pub fn power_off(&mut self, orderly: bool) {
        if orderly && self.powered && !self.was_shut_down {
            self.execute(0, &SHUTDOWN_STATE);
        }
        self.powered = false;
    }

    /// Answers a command at the locality that the host set last.
    pub fn execute_at_set_locality(&mut self, command: &[u8]) -> Vec<u8> {
        self.execute(self.locality, command)
    }

    /// Answers a command at `locality`.
    pub fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8> {
        if !self.powered {
            return FAILURE.to_vec();
        }
        if command.len() > self.buffer_size as usize {
            return COMMAND_SIZE.to_vec();
        }
        let response = self.device.execute(locality, command);
        self.was_shut_down =
            command.get(6..10) == Some(&SHUTDOWN_CODE) && response.get(6..10).is_some_and(|code| code == [0; 4]);
        response
    }

    /// Sets the locality of the commands that follow.
    ///
    /// Returns false for one that does not exist ("Locality 0–4 and 32–255", Part 2, TPMA_LOCALITY).
    pub fn set_locality(&mut self, locality: u8) -> bool {
        let exists = locality <= 4 || locality >= 32;
        if exists {
            self.locality = locality;
        }
        exists
    }

    /// Returns the largest command that is taken, in bytes.
    #[must_use]
    pub fn buffer_size(&self) -> u32 {
        self.buffer_size
    }

    /// Sets the largest command, clamped to what the TPM can do.
    pub fn set_buffer_size(&mut self, size: u32) {
        self.buffer_size = size.clamp(*BUFFER_SIZES.start(), *BUFFER_SIZES.end());
    }

    /// Says whether a dynamic root of trust ran (`TPM_ACCESS_x.tpmEstablishment`).
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.established
    }

    /// Clears the establishment bit. Returns false where the locality may not: only 3 and 4 may (PC Client profile).
    pub fn reset_established(&mut self, locality: u8) -> bool {
        let may = matches!(locality, 3 | 4);
        if may {
            self.established = false;
        }
        may
    }

    /// Starts the host's event sequence and, after Startup, sets the establishment bit.
    ///
    /// # Errors
    /// As [`Device::hash_start`], and when the TPM is off.
    pub fn hash_start(&mut self) -> Result<(), DeviceError> {
        self.on()?.hash_start()?;
        self.established = true;
        Ok(())
    }

    /// Adds to the host's event sequence.
    ///
    /// # Errors
    /// As [`Device::hash_data`], and when the TPM is off.
    pub fn hash_data(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.on()?.hash_data(data)
    }

    /// Ends the host's event sequence.
    ///
    /// # Errors
    /// As [`Device::hash_end`], and when the TPM is off.
    pub fn hash_end(&mut self) -> Result<(), DeviceError> {
        self.on()?.hash_end()
    }

    /// The device itself.
    pub fn device(&mut self) -> &mut dyn Device {
        &mut *self.device
    }

    fn on(&mut self) -> Result<&mut dyn Device, DeviceError> {
        if self.powered { Ok(&mut *self.device) } else { Err(DeviceError("the TPM is off".into())) }
    }
}

/// A machine that several connections share.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Machine>>);

impl Shared {
    /// Wraps a machine.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Shared(Arc::new(Mutex::new(machine)))
    }

    /// Waits for the machine. A thread that panicked while it held it does not take the TPM away from the others.
    pub fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
