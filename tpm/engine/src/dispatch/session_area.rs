// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The authorization area of a command (Part 3, "Session Area Validation").

use crate::state::{Nonce, SessionKind, Sessions};
use evtpm_tpm_wire::{Handle, Rc, Reader, Role, Secret, Spec, Subject, TpmaSession, TpmiShAuthSession};

/// Most sessions of one command.
const MAX_SESSIONS: usize = 3;
/// "The minimum value is (sizeof(TPM_HANDLE) + sizeof(UINT16) + sizeof(TPMA_SESSION) + sizeof(UINT16))."
const MIN_AREA: usize = 9;

/// One session as the caller used it.
#[derive(Debug)]
pub(crate) struct SessionUse {
    /// Its position, counted from 1.
    pub(crate) number: u8,
    /// Its handle, or `TPM_RS_PW`.
    pub(crate) handle: Handle,
    /// nonceCaller.
    pub(crate) nonce: Nonce,
    /// How it is used.
    pub(crate) attributes: TpmaSession,
    /// The HMAC, or the password.
    pub(crate) proof: Secret<64>,
    /// The handle that it authorizes, and the role.
    pub(crate) authorizes: Option<(Handle, Role)>,
    /// The authValue is part of the HMAC key.
    pub(crate) includes_auth: bool,
}

impl SessionUse {
    /// Tells whether this is a password authorization.
    pub(crate) fn is_password(&self) -> bool {
        self.handle == Handle::PASSWORD
    }

    /// Tells whether an attribute is set.
    pub(crate) const fn has(&self, attribute: TpmaSession) -> bool {
        self.attributes.contains(attribute)
    }

    /// Names this session as the culprit.
    pub(crate) const fn subject(&self) -> Subject {
        Subject::Session(self.number)
    }
}

/// All sessions of one command, in order.
#[derive(Debug, Default)]
pub(crate) struct SessionArea {
    uses: [Option<SessionUse>; MAX_SESSIONS],
}

impl SessionArea {
    /// Walks over the sessions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SessionUse> {
        self.uses.iter().flatten()
    }

    /// Walks over the sessions to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SessionUse> {
        self.uses.iter_mut().flatten()
    }

    /// Finds the session with an attribute; at most one has decrypt, encrypt or audit.
    pub(crate) fn with(&self, attribute: TpmaSession) -> Option<&SessionUse> {
        self.iter().find(|session| session.has(attribute))
    }

    /// Reads the area behind its size and checks everything that needs no secret.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>, spec: &Spec, sessions: &Sessions) -> Result<(), Rc> {
        let size = usize::try_from(reader.read::<u32>()?).map_err(|_| Rc::AUTHSIZE)?;
        if size < MIN_AREA || size > reader.remaining().len() {
            return Err(Rc::AUTHSIZE);
        }
        let mut area_reader = Reader::new(reader.take(size)?, reader.supported());
        for (place, number) in (0..MAX_SESSIONS).zip(1..) {
            if area_reader.is_empty() {
                break;
            }
            let used =
                read_session(&mut area_reader, number, sessions).map_err(|rc| rc.at(Subject::Session(number)))?;
            self.check_distinct(&used)?;
            self.check_attributes(&used, spec, sessions)?;
            if let Some(place) = self.uses.get_mut(place) {
                *place = Some(used);
            }
        }
        // "fewer octets than indicated in authorizationSize were unmarshaled"
        if area_reader.is_empty() { Ok(()) } else { Err(Rc::AUTHSIZE) }
    }

    /// Gives each authorization its session and checks that the others have a purpose.
    pub(crate) fn assign(&mut self, spec: &Spec, handles: &[Handle]) -> Result<(), Rc> {
        let mut roles = spec.roles.iter().zip(handles).filter_map(|(role, handle)| role.map(|role| (*handle, role)));
        for session in self.uses.iter_mut().flatten() {
            session.authorizes = roles.next();
            let has_purpose =
                session.attributes.intersects(TpmaSession::DECRYPT | TpmaSession::ENCRYPT | TpmaSession::AUDIT);
            // "If a session is not being used for authorization, at least one of decrypt, encrypt, or audit must be SET."
            if session.authorizes.is_none() && !has_purpose {
                return Err(Rc::ATTRIBUTES.at(session.subject()));
            }
        }
        // "An authorization session is present for each of the handles with the '@' decoration"
        if roles.next().is_some() { Err(Rc::AUTH_MISSING) } else { Ok(()) }
    }

    /// Checks decrypt, encrypt and audit of one more session: each at most once, and only where the command and the session
    /// can do it.
    fn check_attributes(&self, used: &SessionUse, spec: &Spec, sessions: &Sessions) -> Result<(), Rc> {
        let session = sessions.loaded(used.handle.0);
        for (attribute, allowed) in [(TpmaSession::DECRYPT, spec.decrypt), (TpmaSession::ENCRYPT, spec.encrypt)] {
            if !used.has(attribute) {
                continue;
            }
            if !allowed || self.with(attribute).is_some() {
                return Err(Rc::ATTRIBUTES.at(used.subject()));
            }
            // A session that was started without a cipher cannot encrypt.
            if session.is_some_and(|session| session.symmetric.is_none()) {
                return Err(Rc::SYMMETRIC.at(used.subject()));
            }
        }
        if !used.has(TpmaSession::AUDIT) {
            return Ok(());
        }
        let Some(SessionKind::Hmac(hmac)) = session.map(|session| &session.kind) else {
            return Err(Rc::ATTRIBUTES.at(used.subject()));
        };
        if self.with(TpmaSession::AUDIT).is_some() {
            return Err(Rc::ATTRIBUTES.at(used.subject()));
        }
        // "the command is only executed if the session is exclusive at the start of the command", as one is whose audit begins
        // with it: go-tpm's tests audit exclusively from the first command on, and the reference implementation lets them.
        let begins = hmac.audit.is_none() || used.has(TpmaSession::AUDIT_RESET);
        if used.has(TpmaSession::AUDIT_EXCLUSIVE) && !begins && sessions.exclusive() != Some(used.handle.0) {
            return Err(Rc::EXCLUSIVE);
        }
        Ok(())
    }

    /// Refuses a session that is used twice: its nonces would serve two HMACs.
    fn check_distinct(&self, used: &SessionUse) -> Result<(), Rc> {
        let is_twin = |other: &SessionUse| !used.is_password() && other.handle == used.handle;
        if self.iter().any(is_twin) { Err(Rc::HANDLE.at(used.subject())) } else { Ok(()) }
    }
}

fn read_session(reader: &mut Reader<'_>, number: u8, sessions: &Sessions) -> Result<SessionUse, Rc> {
    let handle: Handle = reader.read()?;
    if handle != Handle::PASSWORD {
        TpmiShAuthSession::new(handle, reader.supported()).ok_or(Rc::HANDLE)?;
    }
    let nonce: Nonce = reader.read()?;
    let attributes: TpmaSession = reader.read()?;
    let proof = reader.read()?;
    if handle != Handle::PASSWORD && sessions.loaded(handle.0).is_none() {
        // "the type of the context is required to match the type of the handle"
        return Err(if sessions.is_of_other_type(handle.0) { Rc::HANDLE } else { not_loaded(number) });
    }
    if handle == Handle::PASSWORD {
        // "only continueSession can be SET"; the nonce "shall be an Empty Buffer"
        if attributes.without(TpmaSession::CONTINUE_SESSION) != TpmaSession::NONE {
            return Err(Rc::ATTRIBUTES);
        }
        if !nonce.is_empty() {
            return Err(Rc::NONCE);
        }
    }
    // "auditExclusive and auditReset ... may only be SET if the audit attribute is SET"
    if attributes.intersects(TpmaSession::AUDIT_EXCLUSIVE | TpmaSession::AUDIT_RESET)
        && !attributes.contains(TpmaSession::AUDIT)
    {
        return Err(Rc::ATTRIBUTES);
    }
    Ok(SessionUse { number, handle, nonce, attributes, proof, authorizes: None, includes_auth: false })
}

/// "If the session is not loaded, the TPM will return the warning TPM_RC_REFERENCE_S0 + N."
const fn not_loaded(number: u8) -> Rc {
    match number {
        1 => Rc::REFERENCE_S0,
        2 => Rc::REFERENCE_S1,
        _ => Rc::REFERENCE_S2,
    }
}
