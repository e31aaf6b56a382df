// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The state of a TPM on its way out, or into another TPM: value by value, in one order and through one function both ways.
//!
//! The engine says which values there are; an [`Archive`] decides how they are kept, and where. The random generator is
//! never among them: two TPMs that came from one snapshot would draw the same nonces, and so give their keys away.

use crate::failure::Phase;
use crate::memory::OutOfMemory;
use crate::{Platform, Profile, Tpm};
use core::fmt;
use evtpm_crypto::{Crypto, Digest, HashAlg};
use evtpm_tpm_wire::{Marshal, Overflow, Rc, Reader, Tpm2bDigest, Unmarshal, Writer, YesNo};

/// What values pass through: it keeps copies of them, or replaces them by those that were kept.
pub trait Archive {
    /// Why a value did not pass.
    type Error: From<Invalid>;

    /// Tells whether values are replaced.
    fn is_restoring(&self) -> bool;

    /// Keeps `value`, written by `write`; or gives the value that was kept, read by `read`.
    fn pass_with<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&T, &mut Writer<'_>) -> Result<(), Overflow>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Rc>,
    ) -> Result<Option<T>, Self::Error>;

    /// Keeps or replaces octets whose number both sides know.
    fn octets(&mut self, octets: &mut [u8]) -> Result<(), Self::Error>;

    /// Keeps or replaces a value of the wire format.
    fn pass<T: Marshal + for<'a> Unmarshal<'a>>(&mut self, value: &mut T) -> Result<(), Self::Error> {
        if let Some(kept) = self.pass_with(Some(value), |value, writer| writer.write(value), |reader| reader.read())? {
            *value = kept;
        }
        Ok(())
    }
}

/// Why the state of a TPM cannot be kept, or no TPM be made of what was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The TPM is in failure mode, which no other TPM may inherit or escape.
    Failed,
    /// A value that no TPM has, or values that contradict each other.
    Value,
    /// Another set of PCR banks than the profile's.
    Banks,
    /// More objects, sessions or NV data than the profile has room for.
    NoRoom,
    /// The volatile state belongs to another TPM, or to another boot of this one.
    Unrelated,
    /// There is not enough memory.
    OutOfMemory,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the TPM is in failure mode",
            Self::Value => "a value that no TPM has",
            Self::Banks => "the PCR banks are not those of the profile",
            Self::NoRoom => "more than the profile has room for",
            Self::Unrelated => "the volatile state belongs to another TPM or another boot",
            Self::OutOfMemory => "not enough memory",
        })
    }
}

impl core::error::Error for Invalid {}

impl From<OutOfMemory> for Invalid {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl<P: Platform> Tpm<P> {
    /// Passes what a TPM without power still has: seeds, authorizations, NV indices, persistent objects, the failure count,
    /// and after Shutdown(STATE) what the next startup will want.
    pub fn save_permanent<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        self.check_savable()?;
        self.catch_up();
        self.pass_permanent(archive)
    }

    /// Tells whether [`Self::save_permanent`] could pass other values than when this was asked last: `false` is certain, and
    /// spares a host that keeps the state the comparison after every PCR_Read.
    pub fn may_differ_from_saved(&mut self) -> bool {
        core::mem::replace(&mut self.may_differ, false)
    }

    /// Advances time to the platform's: what has passed since the last command is not lost on the way to another TPM, and
    /// nothing that passes after it has come there.
    pub(crate) fn catch_up(&mut self) {
        let unannounced = self.unannounced();
        self.clock.advance(self.platform.now_ms());
        self.may_differ |= unannounced != self.unannounced();
    }

    /// The few permanent values that a command may change without "{NV}".
    pub(crate) fn unannounced(&self) -> impl PartialEq + use<P> {
        let orderly = self.state.orderly.is_some();
        (orderly, self.clock.kept(orderly), self.da.kept(), self.state.command_audit.counter())
    }

    /// Passes what a running TPM has besides: objects, sessions, sequences, PCRs and time.
    pub fn save_volatile<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        self.check_savable()?;
        self.catch_up();
        self.pass_volatile(archive)
    }

    /// Makes a TPM of what another one saved.
    ///
    /// With only the permanent part it stands where `_TPM_Init` leaves it, and awaits `TPM2_Startup`; with both it goes on
    /// where the other one was. Its random generator starts anew from the platform's noise.
    pub fn restore<A: Archive>(
        platform: P,
        profile: Profile,
        permanent: &mut A,
        volatile: Option<&mut A>,
    ) -> Result<Self, A::Error> {
        let mut tpm = Self::manufacture(platform, profile).map_err(Invalid::from)?;
        if matches!(tpm.phase, Phase::Failed(_)) {
            return Err(Invalid::Failed.into());
        }
        tpm.pass_permanent(permanent)?;
        match volatile {
            Some(volatile) => tpm.pass_volatile(volatile)?,
            None => tpm.power_on(),
        }
        tpm.catch_up();
        tpm.state.check()?;
        Ok(tpm)
    }

    fn check_savable(&self) -> Result<(), Invalid> {
        if matches!(self.phase, Phase::Failed(_)) { Err(Invalid::Failed) } else { Ok(()) }
    }

    fn pass_permanent<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        self.clock.pass_permanent(archive, self.state.orderly.is_some())?;
        self.da.pass_permanent(archive)?;
        self.state.pass_permanent::<A, P::Crypto>(archive)
    }

    fn pass_volatile<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let boot = self.boot_name();
        let mut kept = boot;
        archive.octets(kept.as_mut_bytes())?;
        if kept != boot {
            return Err(Invalid::Unrelated.into());
        }
        let mut operational = matches!(self.phase, Phase::Operational);
        flag(archive, &mut operational)?;
        self.clock.pass_volatile(archive)?;
        self.da.pass_volatile(archive)?;
        self.state.pass_volatile::<A, P::Crypto>(archive)?;
        self.phase = if operational { Phase::Operational } else { Phase::Initialized };
        Ok(())
    }

    /// Names this boot of this TPM without telling any secret.
    fn boot_name(&self) -> Digest {
        let mut boot = [0; 8];
        let counts = [self.state.reset_count, self.state.time_epoch];
        for (to, from) in boot.iter_mut().zip(counts.iter().flat_map(|count| count.to_be_bytes())) {
            *to = from;
        }
        let proof = self.state.hierarchies.of(crate::state::Hierarchy::Platform).proof.as_bytes();
        P::Crypto::hmac(HashAlg::Sha256, proof, &[b"evtpm boot", &boot])
    }
}

/// Passes a truth value.
pub(crate) fn flag<A: Archive>(archive: &mut A, value: &mut bool) -> Result<(), A::Error> {
    let mut wire = YesNo::from(*value);
    archive.pass(&mut wire)?;
    *value = wire.is_yes();
    Ok(())
}

/// Passes one of a few values, by its place among `all` of them.
pub(crate) fn choice<A: Archive, T: Copy + PartialEq>(
    archive: &mut A,
    value: &mut T,
    all: &[T],
) -> Result<(), A::Error> {
    let place = all.iter().position(|known| known == value).and_then(|place| u8::try_from(place).ok());
    let mut place = place.ok_or(Invalid::Value)?;
    archive.pass(&mut place)?;
    *value = *all.get(usize::from(place)).ok_or(Invalid::Value)?;
    Ok(())
}

/// Passes a value that may be missing; `blank` is replaced by the one that was kept.
pub(crate) fn option<A: Archive, T>(
    archive: &mut A,
    value: &mut Option<T>,
    blank: T,
    pass: impl FnOnce(&mut A, &mut T) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let mut present = value.is_some();
    flag(archive, &mut present)?;
    if !present {
        *value = None;
        return Ok(());
    }
    pass(archive, value.get_or_insert(blank))
}

/// Passes a digest of any algorithm.
pub(crate) fn digest<A: Archive>(archive: &mut A, value: &mut Digest) -> Result<(), A::Error> {
    let write = |value: &Digest, writer: &mut Writer<'_>| writer.write(&Tpm2bDigest::new(value.as_bytes())?);
    let read = |reader: &mut Reader<'_>| Digest::from_slice(reader.read::<Tpm2bDigest>()?.as_bytes()).ok_or(Rc::SIZE);
    if let Some(kept) = archive.pass_with(Some(&*value), write, read)? {
        *value = kept;
    }
    Ok(())
}
