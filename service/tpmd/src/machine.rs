// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One TPM with the host-side state that its fronts share: power, locality, buffer size.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use evtpm_image::{Key, Part, State};

use crate::device::{Cancellation, Device, DeviceError};
use crate::store::{Store, protection};

/// The whole answer of a TPM that cannot work: `TPM_RC_FAILURE`.
pub(crate) const FAILURE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];

/// The whole answer to a command that is longer than the TPM takes: `TPM_RC_COMMAND_SIZE`.
pub(crate) const COMMAND_SIZE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42];

/// `TPM2_Shutdown(STATE)`.
const SHUTDOWN_STATE: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 1];

/// Code of `TPM2_Shutdown` in bytes 6..10 of a command.
const SHUTDOWN_CODE: [u8; 4] = [0, 0, 0x01, 0x45];

/// The largest command or response of any profile; what takes it without a buffer of its own is the simulator's protocol.
pub const MAX_MESSAGE: u32 = 8_192;

/// What a PC's interfaces carry of a command or a response: QEMU's CRB has 3,968 bytes, its TIS 4,096.
pub const PC_MESSAGE: usize = 3_968;

/// The smallest command buffer that a host may ask for, and the largest.
pub const BUFFER_SIZES: std::ops::RangeInclusive<u32> = 2_808..=4_096;

/// A device and what the host has set on it.
pub struct Machine {
    device: Box<dyn Device>,
    powered: bool,
    locality: u8,
    buffer_size: Option<u32>,
    established: bool,
    was_shut_down: bool,
    kept: Option<Kept>,
    cancellation: Cancellation,
}

/// What outlives the process, when that was asked for.
struct Kept {
    store: Store,
    /// Protects state that goes to another host.
    migration_key: Option<Key>,
    /// The permanent state that the store has.
    last: Option<State>,
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
    pub fn new(mut device: Box<dyn Device>) -> Self {
        let cancellation = Cancellation::default();
        device.set_cancellation(cancellation.clone());
        Machine {
            cancellation,
            device,
            powered: false,
            locality: 0,
            buffer_size: None,
            established: false,
            was_shut_down: true,
            kept: None,
        }
    }

    /// Takes a device that is not powered yet and keeps its state in a store; a migration key protects what leaves it.
    #[must_use]
    pub fn persistent(device: Box<dyn Device>, store: Store, migration_key: Option<Key>) -> Self {
        Machine { kept: Some(Kept { store, migration_key, last: None }), ..Machine::new(device) }
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
        // "Command cancel" (the reference's `_plat__Signal_Reset`).
        self.cancellation.hold(false);
        let established = match &mut self.kept {
            Some(kept) => kept.resume(&mut *self.device)?,
            None => self.device.power_on().map(|()| false)?,
        };
        self.powered = true;
        self.established = established;
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
        // Where no host has set a size, the TPM itself says what is too long for it.
        if self.buffer_size.is_some_and(|size| command.len() > size as usize) {
            return COMMAND_SIZE.to_vec();
        }
        let response = self.device.execute(locality, command);
        self.was_shut_down =
            command.get(6..10) == Some(&SHUTDOWN_CODE) && response.get(6..10).is_some_and(|code| code == [0; 4]);
        if self.keep().is_err() { FAILURE.to_vec() } else { response }
    }

    /// Keeps what changed, before anybody hears that it did. A TPM whose state cannot be kept is off.
    fn keep(&mut self) -> Result<(), DeviceError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let result = kept.sync(&mut *self.device);
        if let Err(error) = &result {
            eprintln!("the TPM is off, because its state cannot be kept: {error}");
            self.powered = false;
        }
        result
    }

    /// Says whether the TPM's state is kept beyond this process.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        self.kept.is_some()
    }

    /// Says whether there is a key for files, and one for migration.
    #[must_use]
    pub fn has_keys(&self) -> (bool, bool) {
        self.kept.as_ref().map_or((false, false), |kept| (kept.store.key().is_some(), kept.migration_key.is_some()))
    }

    /// Keeps the volatile state too, for the next power-on to go on from.
    ///
    /// # Errors
    /// When nothing is kept, or the TPM is off.
    pub fn store_volatile(&mut self) -> Result<(), DeviceError> {
        self.on()?;
        let Some(kept) = &self.kept else { return Err(nothing_kept()) };
        match self.device.save(Part::Volatile)? {
            Some(state) => kept.store.save(&state.with_established(self.established)).map_err(trouble),
            None => Err(failed()),
        }
    }

    /// Gives a part of the state for another host, and says whether it is encrypted: with the migration key where there is
    /// one, else, unless it is to be `decrypted`, with the key of the files.
    ///
    /// # Errors
    /// When nothing is kept, when the TPM is off, and when it is in failure mode and what is wanted was never kept.
    pub fn state_blob(&mut self, part: Part, decrypted: bool) -> Result<(Vec<u8>, bool), DeviceError> {
        self.on()?;
        let Some(kept) = &self.kept else { return Err(nothing_kept()) };
        let state = match (self.device.save(part)?, part) {
            (Some(state), Part::Permanent) => state,
            (Some(state), Part::Volatile) => state.with_established(self.established),
            // What was kept before the failure is still the TPM: with nothing in its place the guest would get another one.
            (None, Part::Permanent) => kept.store.load(part).map_err(trouble)?.ok_or_else(failed)?,
            (None, Part::Volatile) => return Err(failed()),
        };
        let key = kept.migration_key.as_ref().or(if decrypted { None } else { kept.store.key() });
        let image = protection(key).and_then(|protection| Ok(state.to_image(&protection)?)).map_err(trouble)?;
        Ok((image, key.is_some()))
    }

    /// Takes a part of the state from another host, for the next power-on; no bytes remove the part.
    ///
    /// # Errors
    /// When nothing is kept, when the TPM is on, and when the bytes are no such part under the right key.
    pub fn set_state_blob(&mut self, part: Part, blob: &[u8], encrypted: bool) -> Result<(), NotTaken> {
        let Some(kept) = &mut self.kept else { return Err(nothing_kept().into()) };
        if self.powered {
            return Err(DeviceError("the TPM is on".into()).into());
        }
        kept.last = None;
        if blob.is_empty() {
            return Ok(kept.store.forget(part).map_err(trouble)?);
        }
        // Whoever has a migration key takes nothing that others could have made.
        let key = kept.migration_key.as_ref().or(if encrypted { kept.store.key() } else { None });
        let state = State::from_image(blob, key)?;
        if state.part() != part {
            return Err(evtpm_image::Error::Part { expected: part, actual: state.part() }.into());
        }
        Ok(kept.store.save(&state).map_err(trouble)?)
    }

    /// Sets the locality of the commands that follow, over a reset too.
    pub fn set_locality(&mut self, locality: u8) {
        self.locality = locality;
    }

    /// Returns the largest command that is taken, in bytes.
    #[must_use]
    pub fn buffer_size(&self) -> u32 {
        self.buffer_size.unwrap_or(*BUFFER_SIZES.end())
    }

    /// Sets the largest command, clamped to what the TPM can do, and has the TPM announce it.
    pub fn set_buffer_size(&mut self, size: u32) {
        let size = size.clamp(*BUFFER_SIZES.start(), *BUFFER_SIZES.end());
        self.buffer_size = Some(size);
        self.device.set_message_size(size);
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
        self.keep()
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
        self.on()?.hash_end()?;
        self.keep()
    }

    /// The device itself.
    pub fn device(&mut self) -> &mut dyn Device {
        &mut *self.device
    }

    fn on(&mut self) -> Result<&mut dyn Device, DeviceError> {
        if self.powered { Ok(&mut *self.device) } else { Err(DeviceError("the TPM is off".into())) }
    }
}

impl Kept {
    /// Makes the device the TPM that the store has, or keeps a new one. A volatile state is gone on from once, and with it what it
    /// says of the establishment bit.
    fn resume(&mut self, device: &mut dyn Device) -> Result<bool, DeviceError> {
        let load = |part| self.store.load(part).map_err(trouble);
        let volatile = load(Part::Volatile)?;
        let established = volatile.as_ref().is_some_and(State::established);
        match (load(Part::Permanent)?, volatile) {
            (Some(permanent), volatile) => {
                device.restore(&permanent, volatile.as_ref())?;
                self.last = Some(permanent);
            }
            (None, None) => device.power_on()?,
            (None, Some(_)) => return Err(DeviceError("there is a volatile state without a permanent one".into())),
        }
        self.store.forget(Part::Volatile).map_err(trouble)?;
        self.sync(device)?;
        Ok(established)
    }

    fn sync(&mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        if self.last.as_ref().is_some_and(|last| device.still_has(last)) {
            return Ok(());
        }
        let state = device.save(Part::Permanent)?;
        if state.is_some() && state != self.last {
            state.iter().try_for_each(|state| self.store.save(state)).map_err(trouble)?;
            self.last = state;
        }
        Ok(())
    }
}

fn trouble(error: anyhow::Error) -> DeviceError {
    DeviceError(format!("{error:#}"))
}

fn failed() -> DeviceError {
    DeviceError("the TPM is in failure mode".into())
}

fn nothing_kept() -> DeviceError {
    DeviceError("nothing is kept of this TPM".into())
}

/// Why the state of another host was not taken.
#[derive(Debug)]
pub enum NotTaken {
    /// The bytes are no state for this machine.
    Image(evtpm_image::Error),
    /// This machine takes none now, or could not keep it.
    Machine(DeviceError),
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotTaken::Image(error) => error.fmt(f),
            NotTaken::Machine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotTaken {}

impl From<evtpm_image::Error> for NotTaken {
    fn from(error: evtpm_image::Error) -> Self {
        NotTaken::Image(error)
    }
}

impl From<DeviceError> for NotTaken {
    fn from(error: DeviceError) -> Self {
        NotTaken::Machine(error)
    }
}

/// A machine that several connections share.
#[derive(Debug, Clone)]
pub struct Shared {
    machine: Arc<Mutex<Machine>>,
    cancellation: Cancellation,
}

impl Shared {
    /// Wraps a machine.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let cancellation = machine.cancellation.clone();
        Shared { machine: Arc::new(Mutex::new(machine)), cancellation }
    }

    /// Wishes that the command that is being executed be cancelled, and says whether there was one.
    #[must_use]
    pub fn cancel(&self) -> bool {
        let is_busy = matches!(self.machine.try_lock(), Err(TryLockError::WouldBlock));
        if is_busy {
            self.cancellation.once();
        }
        is_busy
    }

    /// Holds or releases the line that cancels every long command. It needs power: "If TPM power is on... set the platform
    /// canceling flag." (the reference's `_rpc__Signal_CancelOn`)
    pub fn hold_cancel(&self, held: bool) {
        let is_on = match self.machine.try_lock() {
            Ok(machine) => machine.powered,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().powered,
            // Somebody has it execute a command, and does not give it back before that has ended or was cancelled.
            Err(TryLockError::WouldBlock) => true,
        };
        if is_on {
            self.cancellation.hold(held);
        }
    }

    #[cfg(test)]
    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// Waits for the machine. A thread that panicked while it held it does not take the TPM away from the others.
    pub fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use evtpm_engine::{Profile, Tpm};

    use super::*;
    use crate::devices::platform::HostedPlatform;
    use crate::store::{Access, Place};
    use crate::testing::{Folder, RecordingDevice};

    #[test]
    fn a_tpm_that_failed_migrates_as_what_was_kept_of_it_or_not_at_all() {
        let folder = Folder::new("machine-failed");
        let store = || Store::open(&Place::Folder(folder.path().to_owned()), Access::default(), None).unwrap();
        let mut tpm = Tpm::manufacture(HostedPlatform::new(), Profile::svsm()).unwrap();
        let kept = State::permanent(&mut tpm).unwrap();
        let failed = || Box::new(RecordingDevice { has_failed: true, ..RecordingDevice::default() });
        let nothing = Machine::persistent(failed(), store(), None).state_blob(Part::Permanent, true);
        assert_eq!(nothing.unwrap_err().to_string(), "the TPM is off");
        store().save(&kept).unwrap();

        let mut machine = Machine::persistent(failed(), store(), None);
        machine.power_on().unwrap();
        let (blob, encrypted) = machine.state_blob(Part::Permanent, true).unwrap();
        assert_eq!((State::from_image(&blob, None).unwrap(), encrypted), (kept, false));
        assert_eq!(machine.state_blob(Part::Volatile, true), Err(super::failed()));
    }
}
