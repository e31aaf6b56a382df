// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Plays a recording against our TPM: what was random in it is replaced by what is random in ours.
//!
//! Handles, nonces, keys, contexts and credentials differ, and with them Names and HMACs. Each recorded HMAC is
//! recomputed first from the recording alone, so that what stands in its place is known to be made the same way.

pub mod compare;
mod session;

pub use compare::{ALGORITHMS, COMMANDS, PROPERTIES};

use std::collections::BTreeMap;

use evtpm_crypto::{EntropyError, Rng, RustCrypto};
use evtpm_protocol::credential;
use evtpm_tpm_wire::commands::{
    ActivateCredentialResponse, CreatePrimaryResponse, CreateResponse, LoadResponse, StartAuthSession,
};
use evtpm_tpm_wire::{Cc, Handle, HandleType, Reader, Response, Secret, Supported, Tpm2bName, TpmtPublic, from_bytes};

use crate::packet::{Answer, OwnedSession, Request, command, marshal};
use crate::replay::session::Session;

/// The same thing in the recording and in our TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin<T> {
    /// In the recording.
    pub recorded: T,
    /// In our TPM.
    pub ours: T,
}

/// A loaded key.
#[derive(Debug, Clone)]
struct Key {
    handle: Handle,
    name: Twin<Tpm2bName>,
    public: Twin<TpmtPublic>,
}

/// A context that was saved.
#[derive(Debug)]
struct Saved {
    context: Vec<u8>,
    key: Option<Key>,
}

/// What has to be known to go on with a recording.
#[derive(Debug, Default)]
pub struct Replay {
    keys: BTreeMap<u32, Key>,
    sessions: BTreeMap<u32, Session>,
    contexts: BTreeMap<Vec<u8>, Saved>,
    /// Private and public area as `TPM2_Create` returned them and `TPM2_Load` takes them.
    created: BTreeMap<Vec<u8>, (Vec<u8>, Twin<TpmtPublic>)>,
}

impl Replay {
    /// Returns the command that asks our TPM for what the recorded one asked for.
    ///
    /// # Panics
    /// When the recording cannot be explained: an HMAC that is wrong, a key that nobody made.
    #[must_use]
    pub fn translate(&self, request: &Request<'_>, recorded: &Answer<'_>) -> Vec<u8> {
        let handles: Vec<Handle> = request.handles.iter().map(|handle| self.handle(*handle)).collect();
        let parameters = self.parameters(request, recorded);
        let names = self.names(request);
        let sessions: Vec<OwnedSession> = request
            .sessions
            .iter()
            .map(|used| match session::handle(used) {
                None => OwnedSession::from(used),
                Some(handle) => self.sessions[&handle.0].authorize(request, used, &names, &parameters),
            })
            .collect();
        command(request.code(), &handles, &sessions, &parameters)
    }

    fn handle(&self, recorded: Handle) -> Handle {
        match recorded.kind() {
            Some(HandleType::Transient) => self.keys.get(&recorded.0).map_or(recorded, |key| key.handle),
            Some(HandleType::HmacSession | HandleType::PolicySession) => {
                self.sessions.get(&recorded.0).map_or(recorded, |session| session.handle)
            }
            _ => recorded,
        }
    }

    fn names(&self, request: &Request<'_>) -> Vec<Twin<Vec<u8>>> {
        let name = |handle: &Handle| match self.keys.get(&handle.0) {
            Some(key) => {
                Twin { recorded: key.name.recorded.as_bytes().to_vec(), ours: key.name.ours.as_bytes().to_vec() }
            }
            None => {
                Twin { recorded: handle.0.to_be_bytes().to_vec(), ours: self.handle(*handle).0.to_be_bytes().to_vec() }
            }
        };
        request.handles.iter().map(name).collect()
    }

    fn parameters(&self, request: &Request<'_>, recorded: &Answer<'_>) -> Vec<u8> {
        match request.code() {
            Cc::FLUSH_CONTEXT => {
                let handle: Handle = Reader::permissive(request.parameters).read().unwrap();
                self.handle(handle).0.to_be_bytes().to_vec()
            }
            Cc::LOAD => self.created.get(request.parameters).expect("a key that was created is loaded").0.clone(),
            Cc::CONTEXT_LOAD => {
                self.contexts.get(request.parameters).expect("a context that was saved is loaded").context.clone()
            }
            Cc::ACTIVATE_CREDENTIAL if recorded.code.is_success() => self.credential(request, recorded),
            _ => request.parameters.to_vec(),
        }
    }

    /// Makes the credential that the recorded one came to, for our keys.
    fn credential(&self, request: &Request<'_>, recorded: &Answer<'_>) -> Vec<u8> {
        let [object, key] = [0, 1].map(|index: usize| &self.keys[&request.handles[index].0]);
        let opened: ActivateCredentialResponse = parameters(recorded);
        let secret = Secret::new(opened.cert_info.as_bytes()).unwrap();
        let (blob, secret) =
            credential::make::<RustCrypto>(&key.public.ours, &secret, &object.name.ours, &mut Counter(1)).unwrap();
        [marshal(&blob), marshal(&secret)].concat()
    }

    /// Compares two successful answers where they should be equal, and learns from them what later commands need.
    ///
    /// # Errors
    /// Says which part of the answer differs.
    ///
    /// # Panics
    /// When an HMAC of either TPM is wrong.
    pub fn follow(&mut self, request: &Request<'_>, answers: &Twin<Answer<'_>>) -> Result<(), String> {
        compare::answers(self, request, answers)?;
        for (index, used) in request.sessions.iter().enumerate() {
            if let Some(handle) = session::handle(used) {
                let sessions =
                    Twin { recorded: &answers.recorded.sessions[index], ours: &answers.ours.sessions[index] };
                let session = self.sessions.get_mut(&handle.0).expect("a session that was started is used");
                session.check_and_roll(request.code(), used, answers, &sessions);
            }
        }
        self.learn(request, answers);
        Ok(())
    }

    fn learn(&mut self, request: &Request<'_>, answers: &Twin<Answer<'_>>) {
        let Twin { recorded, ours } = answers;
        let handles = recorded.handle.zip(ours.handle);
        match (request.code(), handles) {
            (Cc::START_AUTH_SESSION, Some((recorded_handle, handle))) => {
                let started: StartAuthSession<'_> = from_bytes(request.parameters, &PERMISSIVE).unwrap();
                let session = Session::new(handle, started.auth_hash, answers);
                self.sessions.insert(recorded_handle.0, session);
            }
            (Cc::CREATE_PRIMARY, Some((recorded_handle, handle))) => {
                let [theirs, mine] = [recorded, ours].map(parameters::<CreatePrimaryResponse>);
                let name = Twin { recorded: theirs.name, ours: mine.name };
                let public = Twin { recorded: theirs.out_public.0, ours: mine.out_public.0 };
                self.keys.insert(recorded_handle.0, Key { handle, name, public });
            }
            (Cc::CREATE, _) => {
                let [theirs, mine] = [recorded, ours].map(parameters::<CreateResponse>);
                let [from, to] =
                    [&theirs, &mine].map(|made| [marshal(&made.out_private), marshal(&made.out_public)].concat());
                let public = Twin { recorded: theirs.out_public.0, ours: mine.out_public.0 };
                self.created.insert(from, (to, public));
            }
            (Cc::LOAD, Some((recorded_handle, handle))) => {
                let [theirs, mine] = [recorded, ours].map(parameters::<LoadResponse>);
                let (_, public) = self.created[request.parameters].clone();
                let name = Twin { recorded: theirs.name, ours: mine.name };
                self.keys.insert(recorded_handle.0, Key { handle, name, public });
            }
            (Cc::CONTEXT_SAVE, _) => {
                let key = self.keys.get(&request.handles[0].0).cloned();
                let saved = Saved { context: ours.parameters.to_vec(), key };
                self.contexts.insert(recorded.parameters.to_vec(), saved);
            }
            (Cc::CONTEXT_LOAD, Some((recorded_handle, handle))) => {
                let key = self.contexts[request.parameters].key.clone();
                if let Some(key) = key {
                    self.keys.insert(recorded_handle.0, Key { handle, ..key });
                }
            }
            _ => {}
        }
    }

    fn key(&self, handle: Handle) -> &Key {
        &self.keys[&handle.0]
    }
}

/// Everything that the wire knows.
const PERMISSIVE: Supported = Supported::ALL;

/// Reads the parameters of a successful response.
fn parameters<R: Response>(answer: &Answer<'_>) -> R {
    let handle = answer.handle.map_or_else(Vec::new, |handle| handle.0.to_be_bytes().to_vec());
    let mut reader = Reader::permissive(answer.parameters);
    let response = R::unmarshal(&mut Reader::permissive(&handle), &mut reader).expect("the response can be read");
    assert_eq!(reader.finish(), Ok(()), "bytes after the response");
    response
}

/// Numbers that need not be secret.
struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(29);
            *byte = self.0;
        }
        Ok(())
    }
}
