// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that records what it was asked, for tests of the fronts; and folders that go away.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_engine::Profile;
use evtpm_image::{Part, State};

use crate::device::{Description, Device, DeviceError};
use crate::devices::engine::EngineDevice;
use crate::machine::Machine;

/// What was executed, at which locality.
pub(crate) type Commands = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

/// The handle of the only timer that has signaled.
pub(crate) const SIGNALED: u32 = 0x4000_0110;

/// A folder for one test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evtpm-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[derive(Default)]
pub(crate) struct RecordingDevice {
    pub(crate) commands: Commands,
    pub(crate) power_ons: Arc<Mutex<u32>>,
    /// Has no state to give, as a TPM in failure mode.
    pub(crate) has_failed: bool,
    pub(crate) hashing: bool,
}

impl Device for RecordingDevice {
    fn power_on(&mut self) -> Result<(), DeviceError> {
        *self.power_ons.lock().unwrap() += 1;
        Ok(())
    }

    fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8> {
        self.commands.lock().unwrap().push((locality, command.to_vec()));
        vec![0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0]
    }

    fn hash_start(&mut self) -> Result<(), DeviceError> {
        self.hashing = true;
        Ok(())
    }

    fn hash_data(&mut self, _: &[u8]) -> Result<(), DeviceError> {
        if self.hashing { Ok(()) } else { Err(DeviceError("no sequence".into())) }
    }

    fn hash_end(&mut self) -> Result<(), DeviceError> {
        if std::mem::take(&mut self.hashing) { Ok(()) } else { Err(DeviceError("no sequence".into())) }
    }

    fn set_physical_presence(&mut self, _: bool) {}

    fn countdown_signaled(&mut self, handle: u32) -> bool {
        handle == SIGNALED
    }

    fn save(&mut self, part: Part) -> Result<Option<State>, DeviceError> {
        if self.has_failed { Ok(None) } else { Err(DeviceError(format!("no {part:?} state"))) }
    }

    fn restore(&mut self, _: &State, _: Option<&State>) -> Result<(), DeviceError> {
        Ok(())
    }

    fn description(&self) -> Description {
        Description { manufacturer: "TEST".into(), model: "recorder".into(), revision: 184, rsa_key_bits: vec![2048] }
    }
}

/// `TPM2_Startup(CLEAR)`.
pub(crate) const STARTUP: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];

/// A machine around the engine, without power.
pub(crate) fn engine_machine() -> Machine {
    Machine::new(Box::new(EngineDevice::new(Profile::pc_client()).unwrap()))
}

/// Reads a PCR of the SHA-256 bank.
pub(crate) fn pcr(machine: &mut Machine, number: u8) -> Vec<u8> {
    let mut read = vec![0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 0];
    read[17 + usize::from(number / 8)] = 1 << (number % 8);
    let response = machine.execute(0, &read);
    response[response.len() - 32..].to_vec()
}

/// Computes what a measurement of `data` makes of a PCR whose last byte is `start` and whose others are zeros.
pub(crate) fn measured(start: u8, data: &[u8]) -> Vec<u8> {
    let mut initial = [0; 32];
    initial[31] = start;
    let digest = RustCrypto::hash(HashAlg::Sha256, &[data]);
    RustCrypto::hash(HashAlg::Sha256, &[&initial, digest.as_bytes()]).as_bytes().to_vec()
}
