// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every front asks of the TPM behind it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use evtpm_image::{Part, State};

/// A TPM that can be powered, reset and given commands, whatever it is made of.
///
/// One implementation is the bare engine, another puts the SVSM services in front of it.
/// Fronts hold it behind a mutex: calls never overlap.
pub trait Device: Send {
    /// Powers the TPM on or resets it (`_TPM_Init`, Part 1).
    ///
    /// An ephemeral device is manufactured anew here: "a guest reset gives a new TPM".
    ///
    /// # Errors
    /// When the device could not be made: its noise source failed or its secure processor refused it.
    fn power_on(&mut self) -> Result<(), DeviceError>;

    /// Answers one command. The response always has at least the ten bytes of a header.
    fn execute(&mut self, locality: u8, command: &[u8]) -> Vec<u8>;

    /// Starts an event sequence of the host (`_TPM_Hash_Start`).
    ///
    /// # Errors
    /// When the device cannot hash in its present state.
    fn hash_start(&mut self) -> Result<(), DeviceError>;

    /// Adds data to the event sequence (`_TPM_Hash_Data`).
    ///
    /// # Errors
    /// When no sequence was started.
    fn hash_data(&mut self, data: &[u8]) -> Result<(), DeviceError>;

    /// Ends the event sequence (`_TPM_Hash_End`).
    ///
    /// # Errors
    /// When no sequence was started.
    fn hash_end(&mut self) -> Result<(), DeviceError>;

    /// Asserts or removes physical presence.
    fn set_physical_presence(&mut self, asserted: bool);

    /// Tells whether the authenticated countdown timer of this handle has signaled.
    fn countdown_signaled(&mut self, handle: u32) -> bool;

    /// Takes a part of the device's state out, to be kept; nothing while the TPM is in failure mode.
    ///
    /// # Errors
    /// When the device is one whose state never leaves it, as an e-vTPM's.
    fn save(&mut self, part: Part) -> Result<Option<State>, DeviceError> {
        Err(DeviceError(format!("the {part:?} state never leaves this device")))
    }

    /// Says whether the permanent state that was saved last, and is kept, is still the device's; if not, it is saved next.
    fn still_has(&mut self, _: &State) -> bool {
        false
    }

    /// Becomes the TPM whose state this is: after `_TPM_Init` with the permanent part alone, running with both.
    ///
    /// # Errors
    /// When the state is no state of such a device; it is as it was then.
    fn restore(&mut self, permanent: &State, volatile: Option<&State>) -> Result<(), DeviceError> {
        Err(DeviceError(format!("this device takes no state: {permanent:?}, {volatile:?}")))
    }

    /// Tells the device the largest message that its host passes on, for it to announce.
    fn set_message_size(&mut self, _: u32) {}

    /// Gives the device the wish that it looks at while a command takes long.
    fn set_cancellation(&mut self, _: Cancellation) {}

    /// Describes the device for people and for `CMD_GET_INFO`.
    fn description(&self) -> Description;
}

/// The wish that a command be cancelled, which can be made while the command is executed.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<AtomicU8>);

const NO: u8 = 0;
const ONCE: u8 = 1;
const HELD: u8 = 2;

impl Cancellation {
    /// Wishes that the command that is being executed be cancelled.
    pub fn once(&self) {
        // A line that is held stays so.
        let _ = self.0.compare_exchange(NO, ONCE, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Holds or releases the simulator's line that cancels every long command.
    pub fn hold(&self, held: bool) {
        self.0.store(if held { HELD } else { NO }, Ordering::SeqCst);
    }

    /// Begins a command, which no earlier wish was for.
    pub fn begin(&self) {
        let _ = self.0.compare_exchange(ONCE, NO, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Says whether the command is to be cancelled.
    #[must_use]
    pub fn is_wished(&self) -> bool {
        self.0.load(Ordering::SeqCst) != NO
    }
}

/// What a device says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Four characters as in `TPM_PT_MANUFACTURER`.
    pub manufacturer: String,
    /// `TPM_PT_VENDOR_STRING_1` and following, joined.
    pub model: String,
    /// Revision of the TPM library specification, times 100.
    pub revision: u32,
    /// The sizes of RSA keys, in bits.
    pub rsa_key_bits: Vec<u16>,
}

/// Why a device could not do what the host asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceError(pub String);

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeviceError {}
