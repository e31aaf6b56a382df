// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the model learns from a command that both sides did.

use evtpm_crypto::RustCrypto;
use evtpm_protocol::session::session_key;
use evtpm_testing_foreign::packet::{Answer, Request, marshal};
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{Cc, Handle, Reader, Response, Supported, TpmSe, TpmaObject, TpmtPublic, from_bytes};

use crate::both::Both;
use crate::generate::Note;
use crate::model::{Assertion, Created, Credential, Kept, Model, Object, Saved, Session, Ticket, is_object, remember};

const PERMISSIVE: Supported = Supported::ALL;

fn read<R: Response>(answer: &Answer<'_>) -> Option<R> {
    let handle = answer.handle.map_or_else(Vec::new, |handle| handle.0.to_be_bytes().to_vec());
    R::unmarshal(&mut Reader::permissive(&handle), &mut Reader::permissive(answer.parameters)).ok()
}

fn each<R: Response>(answers: &Both<Answer<'_>>) -> Option<Both<R>> {
    Some(Both { theirs: read(&answers.theirs)?, ours: read(&answers.ours)? })
}

/// All parameters of the response.
fn whole(answers: &Both<Answer<'_>>) -> Both<Vec<u8>> {
    Both { theirs: answers.theirs.parameters.to_vec(), ours: answers.ours.parameters.to_vec() }
}

fn parameters<'a, T: evtpm_tpm_wire::Unmarshal<'a>>(request: &Request<'a>) -> Option<T> {
    from_bytes(request.parameters, &PERMISSIVE).ok()
}

/// Both sides keep what the caller gave, not what they drew.
fn given(public: &TpmtPublic) -> bool {
    use evtpm_tpm_wire::PublicAlg::{KeyedHash, SymCipher};
    matches!(public.kind(), KeyedHash | SymCipher)
        && !public.object_attributes.contains(TpmaObject::SENSITIVE_DATA_ORIGIN)
}

/// Tells whether an assertion puts something into the policy digest that is not the same on both sides.
fn asserts_something_random(requests: &Both<Request<'_>>) -> bool {
    let names = match requests.ours.code() {
        // Nonces, timeouts and signatures are looked at, but not extended.
        Cc::POLICY_SIGNED | Cc::POLICY_SECRET => return false,
        Cc::POLICY_TICKET => requests.map(|request| Some(parameters::<PolicyTicket>(request)?.auth_name)),
        Cc::POLICY_AUTHORIZE => requests.map(|request| Some(parameters::<PolicyAuthorize>(request)?.key_sign)),
        _ => return requests.ours.parameters != requests.theirs.parameters,
    };
    names.theirs.is_none() || !names.equal()
}

impl Model {
    /// Learns from a command that both sides did; `note` is empty for one that was changed.
    pub fn observe(&mut self, requests: &Both<Request<'_>>, answers: &Both<Answer<'_>>, note: &Note) -> Option<()> {
        let request = &requests.ours;
        let handle = answers.ours.handle.map(|handle| handle.0);
        let first = request.handles.first().map(|handle| handle.0);
        self.state_changed(request, note);
        match (request.code(), handle) {
            (Cc::START_AUTH_SESSION, Some(handle)) => self.session_started(requests, answers, handle, note)?,
            (Cc::CREATE_PRIMARY | Cc::CREATE_LOADED | Cc::LOAD_EXTERNAL | Cc::LOAD, Some(handle)) => {
                self.object_loaded(requests, answers, handle, note)?;
            }
            (Cc::CREATE | Cc::OBJECT_CHANGE_AUTH, _) => self.object_wrapped(request, answers, note)?,
            (Cc::IMPORT, _) => self.imported(requests, answers, note)?,
            (Cc::DUPLICATE, _) => self.duplicated(request, answers)?,
            (Cc::REWRAP, _) => self.rewrapped(request, answers)?,
            (Cc::HASH_SEQUENCE_START | Cc::HMAC_START, Some(handle)) => {
                let same_secret = first.and_then(|key| self.object(key)).is_none_or(|key| key.same_secret);
                self.put_object(Object { same_secret, ..Object::sequence(handle, &note.auth) });
            }
            (Cc::MAKE_CREDENTIAL, _) => {
                let key = self.name(first?).ours;
                let made: MakeCredential = parameters(request)?;
                let names = [made.object_name.as_bytes().to_vec(), key];
                remember(&mut self.credentials, Credential { names, parameters: whole(answers) });
            }
            (Cc::CONTEXT_SAVE, _) => {
                let context = whole(answers);
                let kept = match self.object(first?) {
                    Some(object) => Kept::Object(Box::new(object.clone())),
                    None => Kept::Session(Box::new(self.session(first?)?.clone())),
                };
                if matches!(kept, Kept::Session(_)) {
                    self.forget(first?);
                }
                remember(&mut self.saved, Saved { context, kept });
            }
            (Cc::CONTEXT_LOAD, Some(handle)) => {
                let saved = self.saved.iter().find(|saved| saved.context.ours == request.parameters)?.kept.clone();
                match saved {
                    Kept::Object(object) => self.put_object(Object { handle, ..*object }),
                    Kept::Session(session) => self.put_session(Session { handle, ..*session }),
                }
            }
            (Cc::FLUSH_CONTEXT, _) => {
                let flushed: Handle = parameters(request)?;
                self.forget(flushed.0);
            }
            (Cc::EVICT_CONTROL, _) => {
                let persistent: Handle = parameters(request)?;
                let object = self.object(request.handles.get(1)?.0)?.clone();
                if object.handle != persistent.0 && is_object(persistent.0) {
                    self.put_object(Object { handle: persistent.0, ..object });
                }
            }
            (Cc::NV_DEFINE_SPACE, _) => {
                let public = parameters::<NvDefineSpace>(request)?.public_info.0;
                let handle = public.nv_index.handle().0;
                self.nv.retain(|nv| nv.handle != handle);
                self.nv.push(crate::model::Nv { handle, public, name: Vec::new(), auth: note.auth.clone() });
            }
            (Cc::NV_CHANGE_AUTH, _) => {
                let nv = self.nv.iter_mut().find(|nv| Some(nv.handle) == first)?;
                nv.auth.clone_from(&note.auth);
            }
            (Cc::HASH, _) => {
                let hashed: Both<HashResponse> = each(answers)?;
                let ticket = hashed.map(|hashed| marshal(&hashed.validation));
                self.ticket(Cc::HASH, hashed.ours.out_hash.as_bytes(), Both::default(), ticket);
            }
            (Cc::SEQUENCE_COMPLETE, _) => {
                let hashed: Both<SequenceCompleteResponse> = each(answers)?;
                let ticket = hashed.map(|hashed| marshal(&hashed.validation));
                self.ticket(Cc::SEQUENCE_COMPLETE, hashed.ours.result.as_bytes(), Both::default(), ticket);
            }
            (Cc::COMMIT | Cc::EC_EPHEMERAL, _) => {
                let counter = answers.ours.parameters.last_chunk()?;
                self.counter = u16::from_be_bytes(*counter);
            }
            (Cc::VERIFY_SIGNATURE, _) => {
                let verified: VerifySignature = parameters(request)?;
                let ticket = whole(answers);
                let name = self.name(first?);
                self.ticket(Cc::VERIFY_SIGNATURE, verified.digest.as_bytes(), name, ticket);
            }
            (code @ (Cc::POLICY_SIGNED | Cc::POLICY_SECRET), _) => {
                let ticket = whole(answers);
                if ticket.ours.first_chunk() == Some(&[0, 8]) {
                    // Both commands begin with nonceTPM, cpHashA and policyRef; the rest is of another type.
                    let asked: PolicySecret =
                        evtpm_tpm_wire::Unmarshal::unmarshal(&mut Reader::permissive(request.parameters)).ok()?;
                    let said = [marshal(&asked.cp_hash_a), marshal(&asked.policy_ref)].concat();
                    let name = self.name(first?);
                    self.ticket(code, &said, name, ticket);
                }
                let random = first.is_some_and(|handle| !self.name(handle).equal());
                self.asserted(requests, note, random);
            }
            _ => self.asserted(requests, note, false),
        }
        Some(())
    }

    /// Learns from a command that has no handle to remember.
    fn state_changed(&mut self, request: &Request<'_>, note: &Note) {
        match request.code() {
            Cc::HIERARCHY_CHANGE_AUTH => {
                let hierarchy = request.handles.first().map_or(0, |handle| handle.0);
                self.hierarchy_auth.retain(|(other, _)| *other != hierarchy);
                self.hierarchy_auth.push((hierarchy, note.auth.clone()));
            }
            Cc::CLOCK_SET => self.clock_set = true,
            Cc::DICTIONARY_ATTACK_PARAMETERS => self.no_tries = request.parameters.starts_with(&[0; 4]),
            // "set ownerAuth, endorsementAuth, and lockoutAuth to the Empty Buffer"
            Cc::CLEAR => self.hierarchy_auth.retain(|(hierarchy, _)| *hierarchy == Handle::PLATFORM.0),
            Cc::CHANGE_EPS => self.hierarchy_auth.retain(|(hierarchy, _)| *hierarchy != Handle::ENDORSEMENT.0),
            Cc::STARTUP => self.hierarchy_auth.retain(|(hierarchy, _)| *hierarchy != Handle::PLATFORM.0),
            Cc::PCR_ALLOCATE => {
                self.planned_pcrs = true;
                self.allocated_pcrs = true;
            }
            _ => {}
        }
    }

    /// Learns of an object that has a handle now.
    fn object_loaded(
        &mut self,
        requests: &Both<Request<'_>>,
        answers: &Both<Answer<'_>>,
        handle: u32,
        note: &Note,
    ) -> Option<()> {
        let request = &requests.ours;
        match request.code() {
            Cc::CREATE_PRIMARY => {
                let made: Both<CreatePrimaryResponse> = each(answers)?;
                self.object_made(handle, made.map(|made| made.out_public.0.clone()), note);
            }
            Cc::CREATE_LOADED => {
                let made: Both<CreateLoadedResponse> = each(answers)?;
                self.object_made(handle, made.map(|made| made.out_public.0.clone()), note);
            }
            Cc::LOAD_EXTERNAL => {
                let loaded: LoadExternal = parameters(request)?;
                self.put_object(Object::of_public(handle, Both::same(loaded.in_public.0.0), &note.auth, true));
            }
            _ => {
                let public = Both {
                    theirs: parameters::<Load<'_>>(&requests.theirs)?.in_public.0,
                    ours: parameters::<Load<'_>>(request)?.in_public.0,
                };
                let known = self.created.iter().find(|created| created.public == public);
                let same = known.is_some_and(|created| created.same_secret);
                self.put_object(Object::of_public(handle, public, &note.auth, same));
            }
        }
        Some(())
    }

    /// Learns of an object that was made and loaded in one.
    fn object_made(&mut self, handle: u32, public: Both<TpmtPublic>, note: &Note) {
        let same = given(&public.ours);
        self.put_object(Object::of_public(handle, public, &note.auth, same));
    }

    /// Learns of an object that can be loaded later.
    fn object_wrapped(&mut self, request: &Request<'_>, answers: &Both<Answer<'_>>, note: &Note) -> Option<()> {
        let first = request.handles.first().map(|handle| handle.0);
        match request.code() {
            Cc::CREATE => {
                let made: Both<CreateResponse> = each(answers)?;
                let public = made.map(|made| made.out_public.0.clone());
                let created = Created {
                    parent: self.name(first?).ours,
                    private: made.map(|made| made.out_private.as_bytes().to_vec()),
                    same_secret: given(&public.ours),
                    public,
                    auth: note.auth.clone(),
                    creation: Some((
                        made.map(|made| made.creation_hash.as_bytes().to_vec()),
                        made.map(|made| marshal(&made.creation_ticket)),
                    )),
                };
                remember(&mut self.created, created);
            }
            _ => {
                let made: Both<ObjectChangeAuthResponse> = each(answers)?;
                let object = self.object(first?)?.clone();
                let created = Created {
                    parent: self.name(request.handles.get(1)?.0).ours,
                    private: made.map(|made| made.out_private.as_bytes().to_vec()),
                    public: object.public?,
                    auth: note.auth.clone(),
                    same_secret: object.same_secret,
                    creation: None,
                };
                remember(&mut self.created, created);
            }
        }
        Some(())
    }

    /// Learns of a duplicate that came home; one that never travelled was given with its secret.
    fn imported(&mut self, requests: &Both<Request<'_>>, answers: &Both<Answer<'_>>, note: &Note) -> Option<()> {
        let made: Both<ImportResponse> = each(answers)?;
        let public = Both {
            theirs: parameters::<Import<'_>>(&requests.theirs)?.object_public.0,
            ours: parameters::<Import<'_>>(&requests.ours)?.object_public.0,
        };
        let known = self.duplicates.iter().find(|duplicate| duplicate.public == public);
        let created = Created {
            parent: self.name(requests.ours.handles.first()?.0).ours,
            private: made.map(|made| made.out_private.as_bytes().to_vec()),
            same_secret: known.is_none_or(|duplicate| duplicate.same_secret),
            public,
            auth: note.auth.clone(),
            creation: None,
        };
        remember(&mut self.created, created);
        Some(())
    }

    fn duplicated(&mut self, request: &Request<'_>, answers: &Both<Answer<'_>>) -> Option<()> {
        let made: Both<DuplicateResponse> = each(answers)?;
        let asked: Duplicate = parameters(request)?;
        let object = self.object(request.handles.first()?.0)?.clone();
        let parent = request.handles.get(1)?.0;
        let given = asked.encryption_key_in.as_bytes();
        let key = |made: &DuplicateResponse| [given, made.encryption_key_out.as_bytes()].concat();
        let duplicate = crate::model::Duplicate {
            parent: self.object(parent).map(|parent| parent.name.ours.clone()).unwrap_or_default(),
            public: object.public?,
            key: made.map(key),
            symmetric: request.parameters.get(2 + given.len()..)?.to_vec(),
            private: made.map(|made| made.duplicate.as_bytes().to_vec()),
            seed: made.map(|made| made.out_sym_seed.as_bytes().to_vec()),
            auth: object.auth,
            same_secret: object.same_secret,
        };
        remember(&mut self.duplicates, duplicate);
        Some(())
    }

    fn rewrapped(&mut self, request: &Request<'_>, answers: &Both<Answer<'_>>) -> Option<()> {
        let made: Both<RewrapResponse> = each(answers)?;
        let asked: Rewrap<'_> = parameters(request)?;
        let old = self.duplicates.iter().find(|old| old.private.ours == asked.in_duplicate.as_bytes())?.clone();
        let parent = self.object(request.handles.get(1)?.0).map(|parent| parent.name.ours.clone()).unwrap_or_default();
        let duplicate = crate::model::Duplicate {
            parent,
            private: made.map(|made| made.out_duplicate.as_bytes().to_vec()),
            seed: made.map(|made| made.out_sym_seed.as_bytes().to_vec()),
            ..old
        };
        remember(&mut self.duplicates, duplicate);
        Some(())
    }

    fn ticket(&mut self, code: Cc, digest: &[u8], name: Both<Vec<u8>>, ticket: Both<Vec<u8>>) {
        remember(&mut self.tickets, Ticket { code, digest: digest.to_vec(), name, ticket });
    }

    /// Follows the policy of a session.
    fn asserted(&mut self, requests: &Both<Request<'_>>, note: &Note, random: bool) {
        let handle = match requests.ours.code() {
            Cc::POLICY_SIGNED | Cc::POLICY_SECRET => requests.ours.handles.get(1),
            Cc::POLICY_NV | Cc::POLICY_AUTHORIZE_NV => requests.ours.handles.get(2),
            _ => requests.ours.handles.first(),
        };
        let allocated = self.allocated_pcrs;
        let Some(session) =
            handle.and_then(|handle| self.sessions.iter_mut().find(|session| session.handle == handle.0))
        else {
            return;
        };
        session.trial_pcrs |= allocated && session.kind == 3 && requests.ours.code() == Cc::POLICY_PCR;
        session.random_digest |= random || asserts_something_random(requests);
        if requests.ours.code() == Cc::POLICY_RESTART {
            session.recipe.clear();
            session.random_digest = false;
        } else if crate::seal::is_policy(requests.ours.code()) {
            session.recipe.push(note.assertion.unwrap_or(Assertion::Other));
        }
    }

    fn session_started(
        &mut self,
        requests: &Both<Request<'_>>,
        answers: &Both<Answer<'_>>,
        handle: u32,
        note: &Note,
    ) -> Option<()> {
        let request = &requests.ours;
        let started: StartAuthSession<'_> = parameters(request)?;
        let [salt_key, bind] = [0, 1].map(|number: usize| request.handles.get(number).map(|handle| handle.0));
        let bind = bind.filter(|bind| *bind != Handle::NULL.0);
        let salted = salt_key != Some(Handle::NULL.0);
        let nonce = each::<StartAuthSessionResponse>(answers)?.map(|started| started.nonce_tpm.as_bytes().to_vec());
        let bind_auth = bind.map(|bind| self.auth(bind)).unwrap_or_default();
        let key = if salted || bind.is_some() {
            nonce.zip(&note.salt, |nonce, salt| {
                session_key::<RustCrypto>(started.auth_hash, &bind_auth, salt, nonce, started.nonce_caller.as_bytes())
                    .map_or_else(|_| Vec::new(), |key| key.as_bytes().to_vec())
            })
        } else {
            Both::default()
        };
        let kind = match started.session_type {
            TpmSe::Hmac => 0,
            TpmSe::Policy => 1,
            TpmSe::Trial => 3,
        };
        self.put_session(Session {
            handle,
            hash: started.auth_hash,
            symmetric: started.symmetric,
            key,
            nonce,
            bind,
            kind,
            known: !salted || !note.salt.ours.is_empty(),
            recipe: Vec::new(),
            random_digest: false,
            trial_pcrs: false,
        });
        Some(())
    }
}
