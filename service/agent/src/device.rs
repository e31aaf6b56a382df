// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ways to the TPM from inside a guest.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use evtpm_client::{Transport, TransportError};

/// The largest response that the kernel's driver hands out (`TPM_BUFSIZE`).
const MAX_RESPONSE: usize = 4096;

/// The kernel's TPM device: `/dev/tpmrm0`, where every user has objects and sessions of its own.
#[derive(Debug)]
pub struct TpmDevice(File);

impl TpmDevice {
    /// Opens the device.
    ///
    /// # Errors
    /// When there is none, or this process may not use it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map(TpmDevice).with_context(|| format!("opening the TPM {}", path.display()))
    }
}

impl Transport for TpmDevice {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        self.0.write_all(command).map_err(TransportError::new)?;
        response.resize(MAX_RESPONSE, 0);
        // The driver gives one whole response to one read.
        let length = self.0.read(response).map_err(TransportError::new)?;
        response.truncate(length);
        Ok(())
    }
}
