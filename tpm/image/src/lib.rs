// SPDX-License-Identifier: Apache-2.0 OR MIT
//! State images: one TPM's state as bytes that another process can make the same TPM of.
//!
//! An image is versioned, says whether it holds the permanent or the volatile part, and is either sealed with the caller's
//! key (AES-256-GCM) or carries a digest against damage. Whoever never asks for one has a TPM that is never written: the
//! engine knows nothing of images, and only hands its values to an archive.
//!
//! ```
//! use evtpm_crypto::RustCrypto;
//! use evtpm_crypto::entropy::NoiseSource;
//! use evtpm_engine::{Platform, Profile, Tpm};
//! use evtpm_image::{Key, Protection, State, restore};
//! # #[derive(Clone)]
//! # struct Machine(u64);
//! # impl NoiseSource for Machine {
//! #     fn sample(&mut self) -> Option<u64> {
//! #         self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
//! #         Some(self.0 ^ (self.0 >> 29))
//! #     }
//! # }
//! # impl Platform for Machine {
//! #     type Crypto = RustCrypto;
//! #     type Noise = Self;
//! #     fn noise(&mut self) -> &mut Self { self }
//! #     fn now_ms(&mut self) -> u64 { 0 }
//! #     fn physical_presence(&self) -> bool { false }
//! # }
//! # let machine = Machine(1);
//! let mut tpm = Tpm::manufacture(machine.clone(), Profile::pc_client())?;
//! let key = Key::new([7; 32]);
//! let image = State::permanent(&mut tpm)?.to_image(&Protection::Sealed { key: &key, salt: [1; 32] })?;
//!
//! let state = State::from_image(&image, Some(&key))?;
//! let again = restore(machine, Profile::pc_client(), &state, None)?;
//! # let _ = again;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod archive;
mod container;
mod error;

use alloc::vec::Vec;
use core::fmt;

use evtpm_engine::{Platform, Profile, Tpm};
use zeroize::Zeroizing;

use archive::{Comparer, Loader, Saver};
pub use container::{Key, Protection};
pub use error::Error;

/// Which part of a TPM's state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What a TPM without power still has, together with what Shutdown(STATE) keeps.
    Permanent,
    /// What a running TPM has besides.
    Volatile,
}

/// One part of a TPM's state, in plain; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    part: Part,
    established: bool,
    bytes: Zeroizing<Vec<u8>>,
}

impl State {
    /// Takes the permanent part of a TPM's state.
    ///
    /// # Errors
    /// [`Error::State`] in failure mode.
    pub fn permanent<P: Platform>(tpm: &mut Tpm<P>) -> Result<Self, Error> {
        let bytes = Saver::save(|saver| tpm.save_permanent(saver))?;
        Ok(Self { part: Part::Permanent, established: false, bytes })
    }

    /// Tells whether this is still the permanent part of a TPM's state, in less time than taking it anew.
    #[must_use]
    pub fn is_permanent_of<P: Platform>(&self, tpm: &mut Tpm<P>) -> bool {
        let mut comparer = Comparer::new(&self.bytes);
        self.part == Part::Permanent && tpm.save_permanent(&mut comparer).is_ok() && comparer.is_at_the_end()
    }

    /// Takes the volatile part of a TPM's state; it is worth nothing without the permanent part of the same moment.
    ///
    /// # Errors
    /// [`Error::State`] in failure mode.
    pub fn volatile<P: Platform>(tpm: &mut Tpm<P>) -> Result<Self, Error> {
        let bytes = Saver::save(|saver| tpm.save_volatile(saver))?;
        Ok(Self { part: Part::Volatile, established: false, bytes })
    }

    /// Takes along whether the interface in front of the TPM has seen a dynamic launch (`TPM_ACCESS_x.tpmEstablishment`), of which
    /// the TPM itself does not know.
    #[must_use]
    pub fn with_established(mut self, established: bool) -> Self {
        self.established = established;
        self
    }

    /// Tells what was taken along with [`Self::with_established`].
    #[must_use]
    pub const fn established(&self) -> bool {
        self.established
    }

    /// Tells which part it is.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({:?}, {} bytes)", self.part, self.bytes.len())
    }
}

/// Makes a TPM of the state of another one: after `_TPM_Init` from the permanent part alone, running from both.
///
/// Nothing else is touched: a state that cannot be taken leaves whatever the caller has as it was.
///
/// # Errors
/// [`Error::Part`], [`Error::Value`], [`Error::Leftover`], [`Error::State`].
pub fn restore<P: Platform>(
    platform: P,
    profile: Profile,
    permanent: &State,
    volatile: Option<&State>,
) -> Result<Tpm<P>, Error> {
    let supported = profile.supported;
    permanent.expect(Part::Permanent)?;
    let mut permanent = Loader::new(&permanent.bytes, &supported);
    let Some(volatile) = volatile else {
        let tpm = Tpm::restore(platform, profile, &mut permanent, None)?;
        permanent.finish()?;
        return Ok(tpm);
    };
    volatile.expect(Part::Volatile)?;
    let mut volatile = Loader::new(&volatile.bytes, &supported);
    let tpm = Tpm::restore(platform, profile, &mut permanent, Some(&mut volatile))?;
    permanent.finish()?;
    volatile.finish()?;
    Ok(tpm)
}

impl State {
    fn expect(&self, expected: Part) -> Result<(), Error> {
        if self.part == expected { Ok(()) } else { Err(Error::Part { expected, actual: self.part }) }
    }
}
