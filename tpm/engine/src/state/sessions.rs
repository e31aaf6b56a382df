// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Authorization sessions (Part 1, "Sessions" and "Session Context Management"): loaded ones and the numbers of saved ones.

use crate::commands::context::encoding;
use crate::memory::{OutOfMemory, Slots, size_of_place};
use crate::snapshot::{self, Archive, Invalid};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::{Buf, Cc, HashAlg, Overflow, Rc, Reader, Secret, TpmtSymDef, Writer};

/// `TPM_HT_HMAC_SESSION` as the first octet of a handle.
const HMAC_SESSION: u32 = 0x0200_0000;
/// `TPM_HT_POLICY_SESSION` as the first octet of a handle.
const POLICY_SESSION: u32 = 0x0300_0000;
const NUMBER: u32 = 0x00FF_FFFF;

/// A nonce of a session.
pub(crate) type Nonce = Buf<64>;

/// One loaded session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The session's hash algorithm.
    pub hash: HashAlg,
    /// sessionKey: empty when neither salted nor bound.
    pub key: Secret<64>,
    /// The nonce that this TPM gave last.
    pub nonce_tpm: Nonce,
    /// How parameters are encrypted.
    pub symmetric: Option<TpmtSymDef>,
    /// What the authValue of the entity that the session was bound to is protected by.
    pub da_bound: DaBound,
    /// What only one kind of session has.
    pub kind: SessionKind,
}

/// "If a bind entity is subject to DA protection, use of the session is subject to DA regardless of the DA status of the
/// entity being authorized."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DaBound {
    /// Bound to nothing, or to something without protection.
    No,
    /// Bound to an object or NV index under protection.
    Entity,
    /// Bound to lockoutAuth.
    Lockout,
}

/// HMAC or policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionKind {
    /// An HMAC session.
    Hmac(HmacState),
    /// A policy or trial session.
    Policy(PolicyState),
}

/// What an HMAC session remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HmacState {
    /// The entity that the session is bound to.
    pub bound: Option<Binding>,
    /// The audit digest, once the session was used for audit.
    pub audit: Option<Digest>,
}

/// The bound entity: its Name and the authValue it had, since another authValue ends the binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The entity's Name.
    pub name: Buf<66>,
    /// The entity's authValue when the session began.
    pub auth: Secret<64>,
}

/// What a policy session collected (Part 1, "Policy Session Context Values").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyState {
    /// A trial session: computes a digest, authorizes nothing.
    pub trial: bool,
    /// `Time` when the session started.
    pub started: u64,
    /// The time epoch in which the session started.
    pub epoch: u32,
    /// policyDigest.
    pub digest: Digest,
    /// `Time` after which the session authorizes nothing.
    pub timeout: Option<u64>,
    /// The only command that may be authorized.
    pub command_code: Option<Cc>,
    /// The `TPMA_LOCALITY` that the command must come from; zero when any may.
    pub locality: u8,
    /// pcrUpdateCounter at the first `TPM2_PolicyPCR`.
    pub pcr_counter: Option<u32>,
    /// What the command's parameters or handles are bound to.
    pub limit: PolicyLimit,
    /// `TPM2_PolicyAuthValue` or `TPM2_PolicyPassword` was executed last.
    pub proof: PolicyProof,
    /// `TPM2_PolicyPhysicalPresence` was executed.
    pub physical_presence: bool,
    /// `TPM2_PolicyNvWritten` was executed, and with what.
    pub nv_written: Option<bool>,
    /// checkSecureChannel: `TPM2_PolicyTransportSPDM` was executed.
    pub secure_channel: bool,
}

impl PolicyState {
    /// Starts a session.
    pub(crate) fn new(trial: bool, hash: evtpm_crypto::HashAlg, started: u64, epoch: u32) -> Self {
        Self {
            trial,
            started,
            epoch,
            digest: Digest::zero(hash),
            timeout: None,
            command_code: None,
            locality: 0,
            pcr_counter: None,
            limit: PolicyLimit::None,
            proof: PolicyProof::None,
            physical_presence: false,
            nv_written: None,
            secure_channel: false,
        }
    }

    /// Forgets everything but the kind and the start.
    pub(crate) fn restart(&mut self, hash: evtpm_crypto::HashAlg) {
        *self = Self::new(self.trial, hash, self.started, self.epoch);
    }
}

/// Digests that share one place in the specification (cpHash, nameHash, templateHash, parameterHash): at most one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyLimit {
    /// Nothing was bound.
    None,
    /// `TPM2_PolicyCpHash`, `TPM2_PolicySigned` and others.
    CpHash(Digest),
    /// `TPM2_PolicyNameHash`, `TPM2_PolicyDuplicationSelect`.
    NameHash(Digest),
    /// `TPM2_PolicyTemplate`.
    Template(Digest),
    /// `TPM2_PolicyParameters`.
    Parameters(Digest),
}

/// What besides the policy must be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyProof {
    /// Nothing.
    None,
    /// An HMAC with the authValue.
    AuthValue,
    /// The authValue in plain.
    Password,
}

impl Session {
    /// Borrows the policy state of a policy or trial session.
    pub(crate) fn policy(&self) -> Option<&PolicyState> {
        match &self.kind {
            SessionKind::Policy(policy) => Some(policy),
            SessionKind::Hmac(_) => None,
        }
    }

    /// Borrows the policy state of a policy or trial session to change it.
    pub(crate) fn policy_mut(&mut self) -> Option<&mut PolicyState> {
        match &mut self.kind {
            SessionKind::Policy(policy) => Some(policy),
            SessionKind::Hmac(_) => None,
        }
    }

    fn handle_type(&self) -> u32 {
        match self.kind {
            SessionKind::Hmac(_) => HMAC_SESSION,
            SessionKind::Policy(_) => POLICY_SESSION,
        }
    }
}

/// Where an active session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the slot of this number.
    Loaded(usize),
    /// In a saved context of this number, and of this handle type.
    Saved(u64, u32),
}

/// All active sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sessions {
    active: Slots<Place>,
    loaded: Slots<Session, { size_of_place::<Session>() }>,
    /// contextCounter: the number of the newest session context.
    counter: u64,
    gap_max: u64,
    /// The exclusive audit session.
    exclusive: Option<u32>,
}

impl Sessions {
    /// Reserves places for `active` sessions, of which `loaded` may be in memory.
    pub(crate) fn reserve(active: usize, loaded: usize, gap_max: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            active: Slots::reserve(active)?,
            loaded: Slots::reserve(loaded)?,
            counter: 0,
            gap_max,
            exclusive: None,
        })
    }

    /// Passes the numbers of the saved contexts.
    pub(super) fn pass_saved<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { active, loaded: _, counter, gap_max: _, exclusive: _ } = self;
        archive.pass(counter)?;
        active.pass(archive, |archive, place| archive.pass_with(place.as_deref(), write_place, read_place))
    }

    /// Passes the sessions in memory.
    pub(super) fn pass_loaded<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { active: _, loaded, counter: _, gap_max: _, exclusive } = self;
        snapshot::option(archive, exclusive, 0, A::pass)?;
        loaded.pass(archive, |archive, session| {
            archive.pass_with(session.as_deref(), encoding::encode_session, encoding::decode_session)
        })
    }

    /// Checks that each session in memory has its own number, and each number its session.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let is_right = |place: &Place| match *place {
            Place::Saved(context, kind) => context <= self.counter && matches!(kind, HMAC_SESSION | POLICY_SESSION),
            Place::Loaded(slot) => self.loaded.at(slot).is_some(),
        };
        let places = |slot| self.active.iter().filter(|(_, place)| **place == Place::Loaded(slot)).count();
        let is_held = |slot| places(slot) == 1;
        let is_sound = self.active.iter().all(|(_, place)| is_right(place));
        if is_sound && self.loaded.iter().all(|(slot, _)| is_held(slot)) { Ok(()) } else { Err(Invalid::Value) }
    }

    /// Tells whether one more session may be created, with the reason why not.
    pub(crate) fn room(&self) -> Result<(), Rc> {
        if self.loaded.free_slot().is_none() {
            return Err(Rc::SESSION_MEMORY);
        }
        if self.active.free_slot().is_none() {
            return Err(Rc::SESSION_HANDLES);
        }
        // "it will not allow an authorization session to be created": the oldest must be loaded first
        if self.gap_is_full() { Err(Rc::CONTEXT_GAP) } else { Ok(()) }
    }

    /// Keeps a new session and tells its handle.
    pub(crate) fn create(&mut self, session: Session) -> Result<u32, Rc> {
        self.room()?;
        let kind = session.handle_type();
        let slot = self.loaded.insert(session).map_err(|OutOfMemory| Rc::SESSION_MEMORY)?;
        let number = self.active.insert(Place::Loaded(slot)).map_err(|OutOfMemory| Rc::SESSION_HANDLES)?;
        self.counter = self.counter.saturating_add(1);
        Ok(handle(kind, number))
    }

    /// Borrows a loaded session; the handle's type must be the session's.
    pub(crate) fn loaded(&self, handle: u32) -> Option<&Session> {
        let Place::Loaded(slot) = self.place(handle)? else { return None };
        self.loaded.at(slot).filter(|session| session.handle_type() == handle & !NUMBER)
    }

    /// Tells whether the handle has the number of a loaded session, but the other's type.
    pub(crate) fn is_of_other_type(&self, handle: u32) -> bool {
        matches!(self.place(handle), Some(Place::Loaded(_))) && self.loaded(handle).is_none()
    }

    /// Borrows a loaded session to change it.
    pub(crate) fn loaded_mut(&mut self, handle: u32) -> Option<&mut Session> {
        let Place::Loaded(slot) = self.place(handle)? else { return None };
        self.loaded.at_mut(slot).filter(|session| session.handle_type() == handle & !NUMBER)
    }

    /// Tells the number that a context saved now would get.
    pub(crate) const fn next_context(&self) -> u64 {
        self.counter.saturating_add(1)
    }

    /// Turns a loaded session into a saved one, whose context has the number [`Self::next_context`].
    pub(crate) fn save(&mut self, handle: u32) {
        let Some(Place::Loaded(slot)) = self.place(handle) else { return };
        let Some(handle_type) = self.loaded.at(slot).map(Session::handle_type) else { return };
        self.loaded.clear(slot);
        self.counter = self.counter.saturating_add(1);
        if let Some(place) = self.active.at_mut(number(handle)) {
            *place = Place::Saved(self.counter, handle_type);
        }
    }

    /// Tells whether the saved context `context` of `handle` may be loaded now.
    pub(crate) fn may_load(&self, handle: u32, context: u64) -> Result<(), Rc> {
        if self.place(handle) != Some(Place::Saved(context, handle & !NUMBER)) {
            return Err(Rc::HANDLE);
        }
        if self.loaded.free_slot().is_none() {
            return Err(Rc::SESSION_MEMORY);
        }
        // "it will only allow the oldest authorization session to be loaded"
        if self.gap_is_full() && self.oldest_saved() != Some(context) { Err(Rc::CONTEXT_GAP) } else { Ok(()) }
    }

    /// Brings a saved session back into memory; [`Self::may_load`] has said yes.
    pub(crate) fn load(&mut self, handle: u32, session: Session) -> Result<(), Rc> {
        let slot = self.loaded.insert(session).map_err(|OutOfMemory| Rc::SESSION_MEMORY)?;
        self.counter = self.counter.saturating_add(1);
        self.active.put(number(handle), Place::Loaded(slot)).map_err(|OutOfMemory| Rc::SESSION_HANDLES)
    }

    /// Ends a session, loaded or saved; the type in the handle is ignored.
    pub(crate) fn flush(&mut self, handle: u32) -> Option<()> {
        if let Place::Loaded(slot) = self.active.take(number(handle))? {
            self.loaded.clear(slot);
        }
        if self.exclusive.is_some_and(|exclusive| number(exclusive) == number(handle)) {
            self.exclusive = None;
        }
        Some(())
    }

    /// Ends the loaded sessions, as power loss does.
    pub(crate) fn power_on(&mut self) {
        self.active.retain(|place| matches!(place, Place::Saved(..)));
        self.loaded.retain(|_| false);
        self.exclusive = None;
    }

    /// "Saved session contexts are invalidated on a TPM Reset."
    pub(crate) fn reset(&mut self) {
        self.active.retain(|_| false);
        self.loaded.retain(|_| false);
        self.counter = 0;
        self.exclusive = None;
    }

    /// Tells the exclusive audit session.
    pub(crate) const fn exclusive(&self) -> Option<u32> {
        self.exclusive
    }

    /// Makes a session, or none, the exclusive audit session.
    pub(crate) fn set_exclusive(&mut self, handle: Option<u32>) {
        self.exclusive = handle;
    }

    /// Walks over the handles of loaded sessions, in ascending order of their numbers.
    pub(crate) fn loaded_handles(&self) -> impl Iterator<Item = u32> {
        self.active.iter().filter_map(|(number, place)| match *place {
            Place::Loaded(slot) => self.loaded.at(slot).map(|session| handle(session.handle_type(), number)),
            Place::Saved(..) => None,
        })
    }

    /// Walks over the handles of saved sessions, in ascending order of their numbers.
    pub(crate) fn saved_handles(&self) -> impl Iterator<Item = u32> {
        self.active.iter().filter_map(|(number, place)| match *place {
            // "all returned values will have the TPM_HT_HMAC_SESSION handle type"
            Place::Saved(..) => Some(handle(HMAC_SESSION, number)),
            Place::Loaded(_) => None,
        })
    }

    /// Counts the sessions in memory.
    pub(crate) fn loaded_count(&self) -> usize {
        self.loaded.used()
    }

    /// Counts how many more sessions fit into memory.
    pub(crate) fn loaded_free(&self) -> usize {
        self.loaded.capacity().saturating_sub(self.loaded.used())
    }

    /// Counts the sessions in memory and in saved contexts.
    pub(crate) fn active_count(&self) -> usize {
        self.active.used()
    }

    /// Counts how many more sessions may be created.
    pub(crate) fn active_free(&self) -> usize {
        self.active.capacity().saturating_sub(self.active.used())
    }

    fn place(&self, handle: u32) -> Option<Place> {
        self.active.at(number(handle)).copied()
    }

    fn oldest_saved(&self) -> Option<u64> {
        let saved = self.active.iter().filter_map(|(_, place)| match place {
            Place::Saved(context, _) => Some(*context),
            Place::Loaded(_) => None,
        });
        saved.min()
    }

    fn gap_is_full(&self) -> bool {
        self.oldest_saved().is_some_and(|oldest| self.counter.saturating_sub(oldest) >= self.gap_max)
    }
}

fn write_place(place: &Place, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    let (context, last) = match *place {
        Place::Loaded(slot) => (0, u32::try_from(slot).map_err(|_| Overflow)?),
        Place::Saved(context, kind) => (context, kind),
    };
    writer.write(&context)?;
    writer.write(&last)
}

/// The numbers of saved contexts begin with one.
fn read_place(reader: &mut Reader<'_>) -> Result<Place, Rc> {
    let (context, last) = (reader.read::<u64>()?, reader.read::<u32>()?);
    match context {
        0 => Ok(Place::Loaded(usize::try_from(last).map_err(|_| Rc::VALUE)?)),
        _ => Ok(Place::Saved(context, last)),
    }
}

fn number(handle: u32) -> usize {
    usize::try_from(handle & NUMBER).unwrap_or(usize::MAX)
}

fn handle(kind: u32, number: usize) -> u32 {
    kind | u32::try_from(number).unwrap_or(NUMBER) & NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hmac_session() -> Session {
        Session {
            hash: HashAlg::Sha256,
            key: Secret::EMPTY,
            nonce_tpm: Nonce::EMPTY,
            symmetric: None,
            da_bound: DaBound::No,
            kind: SessionKind::Hmac(HmacState { bound: None, audit: None }),
        }
    }

    fn sessions(active: usize, loaded: usize, gap_max: u64) -> Sessions {
        Sessions::reserve(active, loaded, gap_max).unwrap()
    }

    #[test]
    fn a_policy_handle_does_not_reach_an_hmac_session_of_the_same_number() {
        let mut sessions = sessions(2, 2, 100);
        let handle = sessions.create(hmac_session()).unwrap();
        assert_eq!(handle, 0x0200_0000);
        assert!(sessions.loaded(handle).is_some());
        assert!(sessions.loaded(0x0300_0000).is_none());
    }

    #[test]
    fn saving_frees_memory_but_not_the_handle() {
        let mut sessions = sessions(2, 1, 100);
        let first = sessions.create(hmac_session()).unwrap();
        assert_eq!(sessions.room(), Err(Rc::SESSION_MEMORY));
        sessions.save(first);
        let second = sessions.create(hmac_session()).unwrap();
        assert_ne!(first, second);
        sessions.save(second);
        assert_eq!(sessions.room(), Err(Rc::SESSION_HANDLES));
    }

    #[test]
    fn a_context_loads_once_and_only_in_its_newest_version() {
        let mut sessions = sessions(1, 1, 100);
        let handle = sessions.create(hmac_session()).unwrap();
        let old = sessions.next_context();
        sessions.save(handle);
        assert_eq!(sessions.may_load(handle, old), Ok(()));
        sessions.load(handle, hmac_session()).unwrap();
        assert_eq!(sessions.may_load(handle, old), Err(Rc::HANDLE));
        let new = sessions.next_context();
        sessions.save(handle);
        assert_eq!(sessions.may_load(handle, old), Err(Rc::HANDLE));
        assert_eq!(sessions.may_load(handle, new), Ok(()));
    }

    #[test]
    fn at_the_gap_only_the_oldest_context_loads() {
        let mut sessions = sessions(8, 8, 3);
        let (oldest, newer) = (sessions.create(hmac_session()).unwrap(), sessions.create(hmac_session()).unwrap());
        let oldest_context = sessions.next_context();
        sessions.save(oldest);
        let newer_context = sessions.next_context();
        sessions.save(newer);
        sessions.create(hmac_session()).unwrap();
        sessions.create(hmac_session()).unwrap();
        assert_eq!(sessions.create(hmac_session()), Err(Rc::CONTEXT_GAP));
        assert_eq!(sessions.may_load(newer, newer_context), Err(Rc::CONTEXT_GAP));
        assert_eq!(sessions.may_load(oldest, oldest_context), Ok(()));
        sessions.load(oldest, hmac_session()).unwrap();
        assert_eq!(sessions.may_load(newer, newer_context), Ok(()));
    }

    #[test]
    fn power_loss_ends_loaded_sessions_and_a_reset_ends_all() {
        let mut sessions = sessions(4, 4, 100);
        let saved = sessions.create(hmac_session()).unwrap();
        sessions.create(hmac_session()).unwrap();
        sessions.save(saved);
        sessions.power_on();
        assert_eq!((sessions.loaded_count(), sessions.active_count()), (0, 1));
        sessions.reset();
        assert_eq!(sessions.active_count(), 0);
    }

    #[test]
    fn flush_ignores_the_handle_type() {
        let mut sessions = sessions(4, 4, 100);
        sessions.create(hmac_session()).unwrap();
        assert_eq!(sessions.flush(0x0300_0000), Some(()));
        assert_eq!(sessions.flush(0x0200_0000), None);
    }
}
