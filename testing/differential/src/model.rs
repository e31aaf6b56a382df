// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the generator knows about both TPMs: handles, secrets, sessions, saved contexts, created objects.
//!
//! It may be wrong about authValues after a mutated command; the next commands are then refused, by both.

use evtpm_crypto::RustCrypto;
use evtpm_protocol::object_name;
use evtpm_tpm_wire::{
    Cc, Handle, HandleType, HashAlg, Reader, Tpm2bName, Tpm2bNvPublic, TpmaObject, TpmsNvPublic, TpmtPublic, TpmtSymDef,
};

use crate::both::Both;

/// A loaded object or sequence, at the same handle on both sides.
#[derive(Debug, Clone)]
pub struct Object {
    /// The handle.
    pub handle: u32,
    /// The public area; a sequence has none.
    pub public: Option<Both<TpmtPublic>>,
    /// The Name.
    pub name: Both<Vec<u8>>,
    /// The authValue, as far as it is known.
    pub auth: Vec<u8>,
    /// Whether both sides have the same secret part, so that what they compute with it is the same.
    pub same_secret: bool,
}

impl Object {
    /// Knows an object by its public areas.
    #[must_use]
    pub fn of_public(handle: u32, public: Both<TpmtPublic>, auth: &[u8], same_secret: bool) -> Self {
        let name = public.map(|public| {
            object_name::<RustCrypto>(public).map_or_else(|_| Vec::new(), |name| name.as_bytes().to_vec())
        });
        Self { handle, public: Some(public), name, auth: auth.to_vec(), same_secret }
    }

    /// Knows a sequence, whose Name is empty.
    #[must_use]
    pub fn sequence(handle: u32, auth: &[u8]) -> Self {
        Self { handle, public: None, name: Both::default(), auth: auth.to_vec(), same_secret: true }
    }

    /// Lends our public area.
    #[must_use]
    pub fn ours(&self) -> Option<&TpmtPublic> {
        self.public.as_ref().map(|public| &public.ours)
    }

    /// Tells whether our public area has the attribute.
    #[must_use]
    pub fn has(&self, attribute: TpmaObject) -> bool {
        self.ours().is_some_and(|public| public.object_attributes.contains(attribute))
    }
}

/// A session in memory.
#[derive(Debug, Clone)]
pub struct Session {
    /// The handle.
    pub handle: u32,
    /// The session hash.
    pub hash: HashAlg,
    /// How it encrypts parameters.
    pub symmetric: Option<TpmtSymDef>,
    /// The session keys; empty when neither salted nor bound.
    pub key: Both<Vec<u8>>,
    /// The nonces that came last.
    pub nonce: Both<Vec<u8>>,
    /// The entity that it is bound to.
    pub bind: Option<u32>,
    /// HMAC, policy or trial (`TPM_SE`).
    pub kind: u8,
    /// Whether the key is what we computed: not for one that a mutated command started.
    pub known: bool,
    /// The policy assertions that were made, in order.
    pub recipe: Vec<Assertion>,
    /// Whether its policy digest holds something random.
    pub random_digest: bool,
    /// Whether it is a trial of a policy of PCRs, after an allocation.
    pub trial_pcrs: bool,
}

/// A policy assertion without parameters that could differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assertion {
    /// `TPM2_PolicyAuthValue`.
    AuthValue,
    /// `TPM2_PolicyPassword`.
    Password,
    /// `TPM2_PolicyCommandCode`.
    Command(Cc),
    /// Anything else.
    Other,
}

/// An NV index.
#[derive(Debug, Clone)]
pub struct Nv {
    /// The handle.
    pub handle: u32,
    /// The public area, with the attributes that commands changed.
    pub public: TpmsNvPublic,
    /// The Name.
    pub name: Vec<u8>,
    /// The authValue.
    pub auth: Vec<u8>,
}

impl Nv {
    /// Takes what `TPM2_NV_ReadPublic` says.
    pub fn read(&mut self, response: &[u8]) {
        let mut reader = Reader::permissive(response);
        if let (Ok(public), Ok(name)) = (reader.read::<Tpm2bNvPublic>(), reader.read::<Tpm2bName>()) {
            self.public = public.0;
            self.name = name.as_bytes().to_vec();
        }
    }
}

/// `creationHash`, and the creation ticket as it goes into a command.
pub type Creation = (Both<Vec<u8>>, Both<Vec<u8>>);

/// A created object that is not loaded.
#[derive(Debug, Clone)]
pub struct Created {
    /// The Name of the parent, ours.
    pub parent: Vec<u8>,
    /// The private areas.
    pub private: Both<Vec<u8>>,
    /// The public areas.
    pub public: Both<TpmtPublic>,
    /// The authValue.
    pub auth: Vec<u8>,
    /// As in [`Object`].
    pub same_secret: bool,
    /// What `TPM2_CertifyCreation` wants: hash and ticket.
    pub creation: Option<Creation>,
}

/// A duplicate that no parent has taken in yet.
#[derive(Debug, Clone)]
pub struct Duplicate {
    /// The Name of the parent that can, ours; empty if every parent can.
    pub parent: Vec<u8>,
    /// The public areas.
    pub public: Both<TpmtPublic>,
    /// The key of the inner wrapper.
    pub key: Both<Vec<u8>>,
    /// `TPMT_SYM_DEF_OBJECT` of the inner wrapper.
    pub symmetric: Vec<u8>,
    /// The private areas.
    pub private: Both<Vec<u8>>,
    /// The seeds of the outer wrapper.
    pub seed: Both<Vec<u8>>,
    /// The authValue.
    pub auth: Vec<u8>,
    /// As in [`Object`].
    pub same_secret: bool,
}

/// What a saved context holds.
#[derive(Debug, Clone)]
pub enum Kept {
    /// An object or sequence.
    Object(Box<Object>),
    /// A session.
    Session(Box<Session>),
}

/// A saved context.
#[derive(Debug, Clone)]
pub struct Saved {
    /// `TPMS_CONTEXT` of each side.
    pub context: Both<Vec<u8>>,
    /// What it holds.
    pub kept: Kept,
}

/// A credential that one side made for its keys.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The Name that it is for, and that of the key, ours.
    pub names: [Vec<u8>; 2],
    /// `TPM2B_ID_OBJECT` and `TPM2B_ENCRYPTED_SECRET`, with sizes.
    pub parameters: Both<Vec<u8>>,
}

/// A ticket, with what it speaks of.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The command that returned it.
    pub code: Cc,
    /// The digest that was hashed or verified; for a policy, `cpHashA` and `policyRef` with their sizes.
    pub digest: Vec<u8>,
    /// The Name of the key that verified, or of the entity that authorized.
    pub name: Both<Vec<u8>>,
    /// The ticket, as it goes into a command.
    pub ticket: Both<Vec<u8>>,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Transient and persistent objects, and sequences.
    pub objects: Vec<Object>,
    /// Sessions in memory.
    pub sessions: Vec<Session>,
    /// NV indices.
    pub nv: Vec<Nv>,
    /// Objects that were created or imported.
    pub created: Vec<Created>,
    /// Duplicates, the newest last.
    pub duplicates: Vec<Duplicate>,
    /// Saved contexts, the newest last.
    pub saved: Vec<Saved>,
    /// Credentials, the newest last.
    pub credentials: Vec<Credential>,
    /// Tickets, the newest last.
    pub tickets: Vec<Ticket>,
    /// authValues of owner, endorsement, platform and lockout, which are not empty.
    pub hierarchy_auth: Vec<(u32, Vec<u8>)>,
    /// Whether `TPM2_Shutdown` was done since the last power cycle.
    pub shut_down: bool,
    /// Whether `TPM2_PCR_Allocate` has planned something for the next power cycle.
    pub planned_pcrs: bool,
    /// Whether it ever has.
    pub allocated_pcrs: bool,
    /// Whether `TPM2_ClockSet` was done: from then on real time would decide about the next.
    pub clock_set: bool,
    /// Whether a dictionary attack has no tries.
    pub no_tries: bool,
    /// Whether a changed command was done, which may have made something with an authValue that we do not know.
    pub has_changed: bool,
    /// The counter of the last ephemeral key.
    pub counter: u16,
    /// Byte strings that stand for the same thing on both sides.
    pub aliases: Vec<Both<Vec<u8>>>,
}

/// So many things of a kind are remembered.
const MEMORY: usize = 8;

/// Remembers one more, and forgets the oldest.
pub fn remember<T>(list: &mut Vec<T>, value: T) {
    if list.len() >= MEMORY {
        list.remove(0);
    }
    list.push(value);
}

impl Model {
    /// Finds an object.
    #[must_use]
    pub fn object(&self, handle: u32) -> Option<&Object> {
        self.objects.iter().find(|object| object.handle == handle)
    }

    /// Finds a session.
    #[must_use]
    pub fn session(&self, handle: u32) -> Option<&Session> {
        self.sessions.iter().find(|session| session.handle == handle)
    }

    /// Finds an NV index.
    #[must_use]
    pub fn index(&self, handle: u32) -> Option<&Nv> {
        self.nv.iter().find(|nv| nv.handle == handle)
    }

    /// Tells the authValue of an entity, without trailing zeros; empty if it is not known.
    #[must_use]
    pub fn auth(&self, handle: u32) -> Vec<u8> {
        let hierarchy = || self.hierarchy_auth.iter().find(|(other, _)| *other == handle).map(|(_, auth)| auth.clone());
        let mut auth = self
            .object(handle)
            .map(|object| object.auth.clone())
            .or_else(|| self.index(handle).map(|nv| nv.auth.clone()))
            .or_else(hierarchy)
            .unwrap_or_default();
        while auth.last() == Some(&0) {
            auth.pop();
        }
        auth
    }

    /// Tells the authPolicy of an object or index.
    #[must_use]
    pub fn policy(&self, handle: u32) -> Vec<u8> {
        let of_object = self.object(handle).and_then(Object::ours).map(|public| public.auth_policy.as_bytes().to_vec());
        let of_index = || self.index(handle).map(|nv| nv.public.auth_policy.as_bytes().to_vec());
        of_object.or_else(of_index).unwrap_or_default()
    }

    /// Tells the Name of an entity.
    #[must_use]
    pub fn name(&self, handle: u32) -> Both<Vec<u8>> {
        if let Some(object) = self.object(handle) {
            return object.name.clone();
        }
        match self.index(handle) {
            Some(nv) => Both::same(nv.name.clone()),
            None => Both::same(handle.to_be_bytes().to_vec()),
        }
    }

    /// Knows an object, in the place of one with the same handle.
    pub fn put_object(&mut self, object: Object) {
        self.alias(&object.name);
        self.objects.retain(|other| other.handle != object.handle);
        self.objects.push(object);
    }

    /// Knows a session, in the place of one with the same handle.
    pub fn put_session(&mut self, session: Session) {
        self.sessions.retain(|other| other.handle != session.handle);
        self.sessions.push(session);
    }

    /// Takes two byte strings for the same.
    pub fn alias(&mut self, pair: &Both<Vec<u8>>) {
        if !pair.equal()
            && pair.ours.len() == pair.theirs.len()
            && pair.ours.len() >= 20
            && !self.aliases.contains(pair)
        {
            self.aliases.push(pair.clone());
        }
    }

    /// Writes ours for theirs wherever an alias stands in their bytes.
    #[must_use]
    pub fn translate(&self, theirs: &[u8]) -> Vec<u8> {
        let mut bytes = theirs.to_vec();
        for alias in &self.aliases {
            let size = alias.theirs.len();
            let mut at = 0;
            while at + size <= bytes.len() {
                if bytes[at..at + size] == alias.theirs {
                    bytes[at..at + size].copy_from_slice(&alias.ours);
                    at += size;
                } else {
                    at += 1;
                }
            }
        }
        bytes
    }

    /// Forgets an object or a session, under the handle of either type.
    pub fn forget(&mut self, handle: u32) {
        let is_session = matches!(handle >> 24, 2 | 3);
        self.objects.retain(|object| object.handle != handle);
        self.sessions.retain(|session| !is_session || session.handle & 0xFF_FFFF != handle & 0xFF_FFFF);
    }

    /// Forgets what is not there any more.
    pub fn keep_only(&mut self, handles: &[u32]) {
        self.objects.retain(|object| handles.contains(&object.handle));
        self.sessions.retain(|session| handles.contains(&session.handle));
        self.nv.retain(|nv| handles.contains(&nv.handle));
    }
}

/// Tells whether the handle is one of an object.
#[must_use]
pub fn is_object(handle: u32) -> bool {
    matches!(Handle(handle).kind(), Some(HandleType::Transient | HandleType::Persistent))
}
