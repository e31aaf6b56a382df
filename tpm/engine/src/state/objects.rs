// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Loaded objects, sequences and persistent objects (Part 1, "Objects").

use super::{Auth, BankHashers, Hierarchy};
use crate::commands::context::encoding;
use crate::memory::{OutOfMemory, Slots, size_of_place};
use crate::name::Name;
use crate::snapshot::{Archive, Invalid};
use evtpm_crypto::{Cmac, Crypto, Digest, Hmac, StreamingHash, constant_time_eq};
use evtpm_protocol::message::MessageHash;
use evtpm_tpm_wire::{Handle, HandleType, Rc, Reader, TPM_GENERATED, TpmaObject, TpmtPublic, TpmtSensitive, Writer};

/// An object with what the TPM knows about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// The public area.
    pub public: TpmtPublic,
    /// The sensitive area, unless only the public area was loaded.
    pub sensitive: Option<TpmtSensitive>,
    /// The Name.
    pub name: Name,
    /// The Qualified Name; empty for an external object.
    pub qualified_name: Name,
    /// The hierarchy that the object belongs to.
    pub hierarchy: Hierarchy,
    /// It is a primary object.
    pub primary: bool,
    /// It came by `TPM2_LoadExternal`.
    pub external: bool,
    /// stClear is set in the object or in an ancestor.
    pub st_clear: bool,
}

impl Object {
    /// Tells whether any of the attributes is set.
    pub(crate) const fn has(&self, attribute: TpmaObject) -> bool {
        self.public.object_attributes.intersects(attribute)
    }

    /// Tells whether the object can protect children: "restricted and decrypt are SET, sign is CLEAR".
    pub(crate) const fn is_parent(&self) -> bool {
        let attributes = self.public.object_attributes;
        attributes.contains(TpmaObject::with(TpmaObject::RESTRICTED, TpmaObject::DECRYPT))
            && !attributes.intersects(TpmaObject::SIGN)
            && self.sensitive.is_some()
    }
}

/// A hash, MAC or event sequence.
#[derive(Debug, Clone)]
pub(crate) struct Sequence<H: StreamingHash> {
    /// The authValue.
    pub auth: Auth,
    /// What is computed.
    pub kind: SequenceKind<H>,
}

/// What a sequence computes.
#[derive(Debug, Clone)]
pub(crate) enum SequenceKind<H: StreamingHash> {
    /// A digest.
    Hash {
        /// The running hash.
        hasher: Running<H>,
        /// Whether a restricted key may sign the digest.
        safety: Safety,
    },
    /// An HMAC.
    Hmac(Hmac<H>),
    /// A CMAC.
    Cmac(Cmac),
    /// A digest for each PCR bank.
    Event(BankHashers<H>),
    /// A message to be signed.
    Sign(MessageOf<H>),
    /// A message whose signature is to be verified, and the HMAC of the ticket that will say so.
    Verify(MessageOf<H>, Hmac<H>),
}

/// The message of a signature sequence, on its way into the scheme of one key.
#[derive(Debug, Clone)]
pub(crate) struct MessageOf<H: StreamingHash> {
    /// The digest of the public area of that key.
    pub key: Digest,
    /// The message so far.
    pub message: Message<H>,
    /// Whether a restricted key may sign it.
    pub safety: Safety,
}

impl<H: StreamingHash> MessageOf<H> {
    /// Takes in more of the message.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.safety = self.safety.after(data);
        match &mut self.message {
            Message::Hashed(hash) => hash.update(data),
            Message::Keyed(mac) => mac.update(data),
            Message::Whole { started } => *started = true,
        }
    }
}

/// What is kept of a message.
#[derive(Debug, Clone)]
pub(crate) enum Message<H: StreamingHash> {
    /// Its hash.
    Hashed(MessageHash<H>),
    /// Its HMAC.
    Keyed(Hmac<H>),
    /// Nothing: EdDSA passes twice over a message, which must come at once.
    Whole {
        /// Whether a part of it came already.
        started: bool,
    },
}

impl<H: StreamingHash> PartialEq for MessageOf<H> {
    fn eq(&self, other: &Self) -> bool {
        let messages_agree = match (&self.message, &other.message) {
            (Message::Hashed(hash), Message::Hashed(other)) => {
                (hash.form, &hash.context) == (other.form, &other.context)
                    && hash.hasher.clone().finish() == other.hasher.clone().finish()
            }
            (Message::Keyed(mac), Message::Keyed(other)) => mac.clone().finish() == other.clone().finish(),
            (Message::Whole { started }, Message::Whole { started: other }) => started == other,
            _ => false,
        };
        messages_agree && self.key == other.key && self.safety == other.safety
    }
}

/// Whether a hash sequence got data that does not begin like an attestation; its first buffer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// No buffer came yet.
    Undecided,
    /// A restricted key may sign the digest.
    Safe,
    /// It may not.
    Unsafe,
}

impl Safety {
    /// Judges a first buffer: "at least sizeof(TPM_GENERATED) octets and the first octets shall not be
    /// TPM_GENERATED_VALUE".
    pub(crate) fn of(first: &[u8]) -> Self {
        match first.first_chunk() {
            Some(head) if u32::from_be_bytes(*head) != TPM_GENERATED => Self::Safe,
            _ => Self::Unsafe,
        }
    }

    /// Takes a buffer into account, which matters if it is the first.
    pub(crate) fn after(self, buffer: &[u8]) -> Self {
        if self == Self::Undecided { Self::of(buffer) } else { self }
    }
}

/// A running hash that can be shown and compared.
#[derive(Clone)]
pub(crate) struct Running<H>(pub H);

impl<H: StreamingHash> core::fmt::Debug for Running<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Running({:?})", self.0.alg())
    }
}

/// Two are equal when nothing could tell them apart: what they would answer now is equal.
impl<H: StreamingHash> PartialEq for Sequence<H> {
    fn eq(&self, other: &Self) -> bool {
        let kinds_agree = match (&self.kind, &other.kind) {
            (SequenceKind::Hash { hasher, safety }, SequenceKind::Hash { hasher: other, safety: other_safety }) => {
                hasher.0.clone().finish() == other.0.clone().finish() && safety == other_safety
            }
            (SequenceKind::Hmac(mac), SequenceKind::Hmac(other)) => mac.clone().finish() == other.clone().finish(),
            (SequenceKind::Cmac(mac), SequenceKind::Cmac(other)) => constant_time_eq(&*mac.save(), &*other.save()),
            (SequenceKind::Event(hashers), SequenceKind::Event(other)) => hashers == other,
            (SequenceKind::Sign(message), SequenceKind::Sign(other)) => message == other,
            (SequenceKind::Verify(message, ticket), SequenceKind::Verify(other, other_ticket)) => {
                message == other && ticket.clone().finish() == other_ticket.clone().finish()
            }
            _ => false,
        };
        kinds_agree && self.auth == other.auth
    }
}

/// What a transient handle references.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "slots are reserved once for the larger variant")]
pub(crate) enum Loaded<H: StreamingHash> {
    /// A key or data object.
    Object(Object),
    /// A sequence.
    Sequence(Sequence<H>),
}

impl<H: StreamingHash> PartialEq for Loaded<H> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(object), Self::Object(other)) => object == other,
            (Self::Sequence(sequence), Self::Sequence(other)) => sequence == other,
            _ => false,
        }
    }
}

/// A copy of an object that outlives `TPM2_Startup`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Persistent {
    handle: Handle,
    object: Object,
}

/// [`size_of_place`] of a [`Loaded`] for any hash: a type that is generic cannot compute it here.
const LOADED_SIZE: usize = 1_151;

/// All objects.
#[derive(Debug, Clone)]
pub(crate) struct Objects<H: StreamingHash> {
    transient: Slots<Loaded<H>, LOADED_SIZE>,
    persistent: Slots<Persistent, { size_of_place::<Persistent>() }>,
}

impl<H: StreamingHash> PartialEq for Objects<H> {
    fn eq(&self, other: &Self) -> bool {
        self.transient == other.transient && self.persistent == other.persistent
    }
}

impl<H: StreamingHash> Objects<H> {
    /// Reserves the slots.
    pub(crate) fn reserve(transient: usize, persistent: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { transient: Slots::reserve(transient)?, persistent: Slots::reserve(persistent)? })
    }

    /// Passes the persistent objects.
    pub(super) fn pass_persistent<A, C>(&mut self, archive: &mut A) -> Result<(), A::Error>
    where
        A: Archive,
        C: Crypto,
    {
        let write = |kept: &Persistent, writer: &mut Writer<'_>| {
            writer.write(&kept.handle)?;
            encoding::encode_object(&kept.object, writer)
        };
        let read = |reader: &mut Reader<'_>| {
            Ok(Persistent { handle: reader.read()?, object: encoding::decode_object::<C>(reader)? })
        };
        self.persistent.pass(archive, |archive, kept| archive.pass_with(kept.as_deref(), write, read))
    }

    /// Passes the transient objects and the sequences.
    pub(super) fn pass_transient<A, C>(&mut self, archive: &mut A) -> Result<(), A::Error>
    where
        A: Archive,
        C: Crypto<Hasher = H>,
    {
        let write = |loaded: &Loaded<H>, writer: &mut Writer<'_>| match loaded {
            Loaded::Object(object) => writer.write(&0u8).and_then(|()| encoding::encode_object(object, writer)),
            Loaded::Sequence(sequence) => writer.write(&1u8).and_then(|()| encoding::encode_sequence(sequence, writer)),
        };
        let read = |reader: &mut Reader<'_>| match reader.read::<u8>()? {
            0 => encoding::decode_object::<C>(reader).map(Loaded::Object),
            1 => encoding::decode_sequence(reader).map(Loaded::Sequence),
            _ => Err(Rc::VALUE),
        };
        self.transient.pass(archive, |archive, loaded| archive.pass_with(loaded.as_deref(), write, read))
    }

    /// Checks that persistent objects have handles of their kind, and none twice.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let handles = || self.persistent.iter().map(|(_, kept)| kept.handle);
        let is_wrong = |handle: Handle| {
            handle.kind() != Some(HandleType::Persistent) || handles().filter(|other| *other == handle).count() > 1
        };
        if handles().any(is_wrong) { Err(Invalid::Value) } else { Ok(()) }
    }

    /// Finds what a transient handle references.
    pub(crate) fn loaded(&self, handle: Handle) -> Option<&Loaded<H>> {
        self.transient.at(slot(handle)?)
    }

    /// Finds an object, transient or persistent.
    pub(crate) fn object(&self, handle: Handle) -> Option<&Object> {
        if handle.kind() == Some(HandleType::Persistent) {
            return self.persistent.iter().find(|(_, persistent)| persistent.handle == handle).map(|(_, p)| &p.object);
        }
        match self.loaded(handle)? {
            Loaded::Object(object) => Some(object),
            Loaded::Sequence(_) => None,
        }
    }

    /// Finds a sequence.
    pub(crate) fn sequence(&self, handle: Handle) -> Option<&Sequence<H>> {
        match self.loaded(handle)? {
            Loaded::Sequence(sequence) => Some(sequence),
            Loaded::Object(_) => None,
        }
    }

    /// Finds a sequence to change it.
    pub(crate) fn sequence_mut(&mut self, handle: Handle) -> Option<&mut Sequence<H>> {
        match self.transient.at_mut(slot(handle)?)? {
            Loaded::Sequence(sequence) => Some(sequence),
            Loaded::Object(_) => None,
        }
    }

    /// Tells whether one more object can be loaded, `TPM_RC_OBJECT_MEMORY` if not: the check before the work.
    pub(crate) fn room(&self) -> Result<(), Rc> {
        if self.transient.free_slot().is_some() { Ok(()) } else { Err(Rc::OBJECT_MEMORY) }
    }

    /// Loads an object or a sequence and tells its handle.
    #[inline(never)] // It is moved once more, when nothing else is on the stack.
    pub(crate) fn load(&mut self, loaded: Loaded<H>) -> Result<Handle, Rc> {
        // Whoever copied the object could not see that memory was short.
        if matches!(&loaded, Loaded::Object(object) if object.public.is_lost()) {
            return Err(Rc::OBJECT_MEMORY);
        }
        let number = self.transient.insert(loaded).map_err(|OutOfMemory| Rc::OBJECT_MEMORY)?;
        Ok(transient(number))
    }

    /// Removes what a transient handle references.
    pub(crate) fn flush(&mut self, handle: Handle) -> Option<()> {
        self.transient.clear(slot(handle)?)
    }

    /// Removes everything transient.
    pub(crate) fn flush_all(&mut self) {
        self.transient.retain(|_| false);
    }

    /// Removes the transient objects of a hierarchy.
    pub(crate) fn flush_hierarchy(&mut self, hierarchy: Hierarchy) {
        self.transient.retain(|loaded| !matches!(loaded, Loaded::Object(object) if object.hierarchy == hierarchy));
    }

    /// Tells whether one more object can be made persistent.
    pub(crate) fn persistent_room(&self) -> bool {
        self.persistent.free_slot().is_some()
    }

    /// Keeps a copy under a persistent handle.
    pub(crate) fn persist(&mut self, handle: Handle, object: Object) -> Result<(), OutOfMemory> {
        if object.public.is_lost() {
            return Err(OutOfMemory);
        }
        self.persistent.insert(Persistent { handle, object }).map(|_| ())
    }

    /// Removes a persistent object.
    pub(crate) fn evict(&mut self, handle: Handle) {
        self.persistent.retain(|persistent| persistent.handle != handle);
    }

    /// Removes the persistent objects of a hierarchy.
    pub(crate) fn evict_hierarchy(&mut self, hierarchy: Hierarchy) {
        self.persistent.retain(|persistent| persistent.object.hierarchy != hierarchy);
    }

    /// Walks over the handles of everything transient, in ascending order.
    pub(crate) fn transient_handles(&self) -> impl Iterator<Item = Handle> {
        self.transient.iter().map(|(number, _)| transient(number))
    }

    /// Finds the lowest persistent handle that is not below `from`.
    pub(crate) fn next_persistent(&self, from: Handle) -> Option<Handle> {
        self.persistent.iter().map(|(_, persistent)| persistent.handle).filter(|handle| *handle >= from).min()
    }

    /// Counts free transient slots.
    pub(crate) fn transient_free(&self) -> usize {
        self.transient.capacity().saturating_sub(self.transient.used())
    }

    /// Counts persistent objects.
    pub(crate) fn persistent_count(&self) -> usize {
        self.persistent.used()
    }

    /// Counts free persistent slots.
    pub(crate) fn persistent_free(&self) -> usize {
        self.persistent.capacity().saturating_sub(self.persistent.used())
    }
}

fn slot(handle: Handle) -> Option<usize> {
    (handle.kind() == Some(HandleType::Transient)).then(|| usize::try_from(handle.index()).ok())?
}

fn transient(number: usize) -> Handle {
    Handle(Handle::TRANSIENT_FIRST.0 | u32::try_from(number).unwrap_or(0x00FF_FFFF) & 0x00FF_FFFF)
}
