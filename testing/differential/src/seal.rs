// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Authorizes a planned command for each side and writes it (Part 1, "Authorizations and Acknowledgments").

use evtpm_crypto::RustCrypto;
use evtpm_protocol::session::{Nonces, decrypt_parameter, encrypt_parameter, hmac, value};
use evtpm_protocol::{cp_hash, rp_hash};
use evtpm_tpm_wire::commands::ALL_SPECS;
use evtpm_tpm_wire::{AuthHandle, Cc, Handle, Rc, Role, Spec, TpmaObject, TpmaSession, TpmsAuthCommand};

use crate::both::{Both, Mixed, Side};
use crate::dice::Dice;
use crate::generate::Plan;
use crate::generate::templates::policy_of;
use crate::model::{Assertion, Model, Session};

const PASSWORD: u32 = Handle::PASSWORD.0;

/// How a command uses a session.
#[derive(Debug, Clone)]
pub struct Use {
    /// The session, or none for a password.
    pub session: Option<Session>,
    /// The authValue of the entity.
    auth: Vec<u8>,
    /// Whether the authValue is in the HMAC key.
    with_auth: bool,
    /// Whether the password stands in the place of the HMAC.
    in_clear: bool,
    /// Whether an entity is authorized by it.
    authorizes: bool,
    attributes: TpmaSession,
    nonce: Vec<u8>,
}

/// A command as it is sent.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The bytes.
    pub command: Mixed,
    /// Its authorizations.
    pub uses: Vec<Use>,
}

/// Finds what Part 3 says about a command.
#[must_use]
pub fn spec(code: Cc) -> Option<&'static Spec> {
    ALL_SPECS.iter().find(|spec| spec.code == code)
}

/// Chooses authorizations and writes the command.
pub fn seal(dice: &mut Dice, model: &Model, plan: &Plan) -> Sealed {
    let spec = spec(plan.code);
    let roles = spec.map_or(&[][..], |spec| spec.roles);
    let mut uses: Vec<Use> = Vec::new();
    for (handle, role) in plan.handles.iter().zip(roles) {
        if let Some(role) = role {
            let chosen = authorize(dice, model, *handle, *role, &uses);
            uses.push(chosen);
        }
    }
    if dice.percent(8)
        && let Some(session) = free_session(dice, model, &uses, |session| session.kind == 0)
    {
        uses.push(Use::new(Some(session), Vec::new()));
    }
    for used in &mut uses {
        decorate(dice, spec, used);
    }
    let mut parameters = plan.parameters.clone();
    encrypt(&uses, &mut parameters);

    let mut command = Mixed::default();
    command.u16(if uses.is_empty() { 0x8001 } else { 0x8002 }).u32(0).u32(plan.code.0);
    plan.handles.iter().for_each(|handle| _ = command.u32(*handle));
    if !uses.is_empty() {
        let names: Vec<Both<Vec<u8>>> = plan.handles.iter().map(|handle| model.name(*handle)).collect();
        let mut area = Mixed::default();
        for number in 0..uses.len() {
            write_use(&uses, number, plan.code, &names, &parameters, &mut area);
        }
        let sizes = area.bytes().map(|bytes| u32::from(crate::both::small(bytes.len())).to_be_bytes().to_vec());
        if sizes.equal() {
            command.raw(&sizes.ours)
        } else {
            command.each(&sizes)
        };
        command.append(&area);
    }
    command.append(&parameters);
    write_size(&mut command);
    Sealed { command, uses }
}

/// Writes the size of the whole command.
pub fn write_size(command: &mut Mixed) {
    let sizes = command.bytes().map(|bytes| u32::from(crate::both::small(bytes.len())).to_be_bytes().to_vec());
    command.patch(2, &sizes);
}

impl Use {
    fn new(session: Option<Session>, auth: Vec<u8>) -> Self {
        let attributes = TpmaSession::CONTINUE_SESSION;
        Self { session, auth, with_auth: false, in_clear: false, authorizes: false, attributes, nonce: Vec::new() }
    }

    fn key(&self, side: Side) -> Vec<u8> {
        let mut key = self.session.as_ref().map_or_else(Vec::new, |session| session.key.of(side).clone());
        if self.with_auth {
            key.extend_from_slice(&self.auth);
        }
        key
    }
}

fn free_session(dice: &mut Dice, model: &Model, uses: &[Use], wanted: impl Fn(&Session) -> bool) -> Option<Session> {
    let used = |session: &Session| {
        uses.iter().any(|other| other.session.as_ref().is_some_and(|other| other.handle == session.handle))
    };
    let free: Vec<&Session> =
        model.sessions.iter().filter(|session| session.known && wanted(session) && !used(session)).collect();
    dice.pick(&free).map(|session| (*session).clone())
}

fn authorize(dice: &mut Dice, model: &Model, handle: u32, role: Role, uses: &[Use]) -> Use {
    let auth = if dice.percent(3) { dice.bytes(5) } else { model.auth(handle) };
    let wants_policy = match (role, model.object(handle)) {
        (Role::Dup, _) => true,
        (Role::User, Some(object)) => !object.has(TpmaObject::USER_WITH_AUTH),
        (Role::Admin, Some(object)) => object.has(TpmaObject::ADMIN_WITH_POLICY),
        // The commands with ADMIN role for an index want the command code in its policy.
        (Role::Admin, None) => true,
        (Role::User, None) => false,
    };
    let policy = model.policy(handle);
    let fits = |session: &Session| {
        !policy.is_empty() && session.kind == 1 && policy_of(&session.recipe, session.hash) == policy
    };
    let any_policy = |session: &Session| session.kind == 1;
    let fitting = if dice.percent(85) { free_session(dice, model, uses, fits) } else { None };
    if (wants_policy || dice.percent(5) || fitting.is_some() && dice.percent(20))
        && let Some(session) = fitting.or_else(|| free_session(dice, model, uses, any_policy))
    {
        let in_clear =
            session.recipe.iter().rev().find(|made| matches!(made, Assertion::AuthValue | Assertion::Password))
                == Some(&Assertion::Password);
        let with_auth = !in_clear && session.recipe.contains(&Assertion::AuthValue);
        let auth = if with_auth || in_clear { auth } else { model.auth(handle) };
        return Use { with_auth, in_clear, authorizes: true, ..Use::new(Some(session), auth) };
    }
    if dice.percent(25)
        && let Some(session) = free_session(dice, model, uses, |session| session.kind == 0)
    {
        let with_auth = session.bind != Some(handle);
        // A wrong authValue that no HMAC holds would encrypt to something random on each side.
        let auth = if with_auth { auth } else { model.auth(handle) };
        return Use { with_auth, authorizes: true, ..Use::new(Some(session), auth) };
    }
    Use { authorizes: true, ..Use::new(None, auth) }
}

fn decorate(dice: &mut Dice, spec: Option<&Spec>, used: &mut Use) {
    let Some(session) = &used.session else {
        if dice.percent(3) {
            used.attributes = TpmaSession(dice.of([0, 0x21, 0x41, 0x81, 0x03]));
        }
        return;
    };
    let size = if dice.percent(95) { 16 } else { dice.below(66) };
    used.nonce = dice.bytes(size);
    let encrypts = session.symmetric.is_some() || dice.percent(4);
    if encrypts && dice.percent(60) && (spec.is_some_and(|spec| spec.decrypt) || dice.percent(4)) {
        used.attributes = used.attributes | TpmaSession::DECRYPT;
    }
    if encrypts && dice.percent(60) && (spec.is_some_and(|spec| spec.encrypt) || dice.percent(4)) {
        used.attributes = used.attributes | TpmaSession::ENCRYPT;
    }
    if session.kind == 0 && dice.percent(12) {
        used.attributes = used.attributes | TpmaSession::AUDIT;
        if dice.percent(30) {
            used.attributes = used.attributes | TpmaSession(dice.of([2, 4]));
        }
    }
    if dice.percent(25) {
        used.attributes = TpmaSession(used.attributes.0 & !TpmaSession::CONTINUE_SESSION.0);
    }
}

/// Encrypts the first parameter, if a session says so.
fn encrypt(uses: &[Use], parameters: &mut Mixed) {
    let Some(used) = uses.iter().find(|used| used.attributes.contains(TpmaSession::DECRYPT)) else { return };
    let Some((session, symmetric)) = used.session.as_ref().and_then(|session| Some((session, session.symmetric?)))
    else {
        return;
    };
    let Some(mut content) = parameters.first_buffer() else { return };
    for side in [Side::Theirs, Side::Ours] {
        let nonces = Nonces { newer: &used.nonce, older: session.nonce.of(side) };
        let Ok(key) = value(session.key.of(side), if used.authorizes { &used.auth } else { &[] }) else { return };
        let content = match side {
            Side::Theirs => &mut content.theirs,
            Side::Ours => &mut content.ours,
        };
        if encrypt_parameter::<RustCrypto>(session.hash, symmetric, &key, nonces, content).is_err() {
            return;
        }
    }
    parameters.replace_first_buffer(&content);
}

/// The nonces of the decrypt and encrypt sessions, which only the first session's HMAC holds.
fn extra_nonces(uses: &[Use], number: usize, side: Side) -> [Vec<u8>; 2] {
    let position = |attribute| uses.iter().position(|used| used.attributes.contains(attribute));
    let [decrypt, encrypt] = [position(TpmaSession::DECRYPT), position(TpmaSession::ENCRYPT)];
    let nonce = |position: Option<usize>| {
        position
            .and_then(|position| uses[position].session.as_ref())
            .map_or_else(Vec::new, |session| session.nonce.of(side).clone())
    };
    // "only if the decrypt session is not the first, and the encrypt session is neither"
    let not_first = |position: Option<usize>| position.filter(|position| number == 0 && *position != 0);
    [nonce(not_first(decrypt)), nonce(not_first(encrypt).filter(|_| encrypt != decrypt))]
}

fn write_use(uses: &[Use], number: usize, code: Cc, names: &[Both<Vec<u8>>], parameters: &Mixed, area: &mut Mixed) {
    let used = &uses[number];
    let Some(session) = &used.session else {
        area.u32(PASSWORD).sized(&[]).u8(used.attributes.0).sized(&used.auth);
        return;
    };
    area.u32(session.handle).sized(&used.nonce).u8(used.attributes.0);
    if used.in_clear {
        area.sized(&used.auth);
        return;
    }
    let mac = |side: Side| {
        let names: Vec<&[u8]> = names.iter().map(|name| name.of(side).as_slice()).collect();
        let hash = cp_hash::<RustCrypto>(session.hash, code, &names, parameters.bytes().of(side)).ok()?;
        let nonces = Nonces { newer: &used.nonce, older: session.nonce.of(side) };
        let [decrypt, encrypt] = extra_nonces(uses, number, side);
        let extra = [decrypt.as_slice(), encrypt.as_slice()];
        let mac = hmac::<RustCrypto>(session.hash, &used.key(side), &hash, nonces, extra, used.attributes).ok()?;
        Some(mac.as_bytes().to_vec())
    };
    let macs = Both { theirs: mac(Side::Theirs), ours: mac(Side::Ours) };
    let no_key = used.key(Side::Ours).is_empty() && session.kind == 1;
    let empty = no_key && used.nonce.first().is_some_and(|byte| byte & 1 == 0);
    let macs = if empty { Both::default() } else { macs.map(|mac| mac.clone().unwrap_or_default()) };
    area.each_sized(&macs);
}

/// What a response says about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The new nonce.
    pub nonce: Vec<u8>,
    /// The attributes.
    pub attributes: u8,
    /// Which key made the HMAC: with the authValue of before, with the one that the command set, or with none.
    pub keyed: Option<usize>,
    /// The size of the HMAC.
    pub hmac_size: usize,
}

impl Use {
    /// Tells whether the session goes on after the command.
    #[must_use]
    pub const fn continues(&self) -> bool {
        self.attributes.contains(TpmaSession::CONTINUE_SESSION)
    }

    /// Tells whether an entity is authorized by it.
    #[must_use]
    pub const fn authorized(&self) -> bool {
        self.authorizes
    }

    /// Tells whether a parameter is encrypted with an authValue that nothing proves before: if ours is a wrong one, both sides
    /// read something random.
    #[must_use]
    pub fn encrypts_unproved(&self) -> bool {
        let encrypts = self.attributes.intersects(TpmaSession::DECRYPT | TpmaSession::ENCRYPT);
        encrypts && self.authorizes && self.session.is_some() && !self.with_auth && self.auth.is_empty()
    }

    /// Tells whether the command still says what we meant.
    #[must_use]
    pub fn was_sent_as(&self, sent: &TpmsAuthCommand<'_>) -> bool {
        let handle = match sent.session_handle {
            AuthHandle::Password => None,
            AuthHandle::Session(session) => Some(session.handle().0),
        };
        handle == session_of(self) && sent.session_attributes == self.attributes && sent.nonce.as_bytes() == self.nonce
    }

    /// Reads a session of the response.
    pub fn acknowledge(
        &self,
        side: Side,
        code: Cc,
        parameters: &[u8],
        answer: &evtpm_tpm_wire::TpmsAuthResponse,
        new_auth: &[u8],
    ) -> Acknowledged {
        let keyed = self.session.as_ref().and_then(|session| {
            let hash = rp_hash::<RustCrypto>(session.hash, Rc::SUCCESS, code, parameters).ok()?;
            let nonces = Nonces { newer: answer.nonce.as_bytes(), older: &self.nonce };
            let session_key = session.key.of(side);
            let new_auth = trimmed(new_auth);
            let keys = [self.key(side), [session_key, new_auth].concat(), session_key.clone()];
            keys.iter().position(|key| {
                hmac::<RustCrypto>(session.hash, key, &hash, nonces, [&[], &[]], answer.session_attributes)
                    .is_ok_and(|mac| mac.as_bytes() == answer.hmac.as_bytes())
            })
        });
        let nonce = answer.nonce.as_bytes().to_vec();
        Acknowledged { nonce, attributes: answer.session_attributes.0, keyed, hmac_size: answer.hmac.len() }
    }
}

fn trimmed(auth: &[u8]) -> &[u8] {
    let end = auth.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &auth[..end]
}

/// Decrypts the first parameter of a response in place, if a session says so.
pub fn decrypt(uses: &[Use], side: Side, acknowledged: &[Acknowledged], parameters: &mut [u8]) {
    let encrypting = uses.iter().zip(acknowledged).find(|(used, _)| used.attributes.contains(TpmaSession::ENCRYPT));
    let Some((used, answer)) = encrypting else { return };
    let Some((session, symmetric)) = used.session.as_ref().and_then(|session| Some((session, session.symmetric?)))
    else {
        return;
    };
    let Ok(key) = value(session.key.of(side), if used.authorizes { &used.auth } else { &[] }) else { return };
    let Some(size) = parameters.first_chunk::<2>().map(|size| usize::from(u16::from_be_bytes(*size))) else { return };
    let Some(content) = parameters.get_mut(2..2 + size) else { return };
    let nonces = Nonces { newer: &answer.nonce, older: &used.nonce };
    // A cipher that is not there was refused by the TPM before.
    let _ = decrypt_parameter::<RustCrypto>(session.hash, symmetric, &key, nonces, content);
}

/// The session handle of an authorization, if it is one.
#[must_use]
pub fn session_of(used: &Use) -> Option<u32> {
    used.session.as_ref().map(|session| session.handle)
}

/// Tells whether a command adds to the policy of a session.
#[must_use]
pub fn is_policy(code: Cc) -> bool {
    let adds = spec(code).is_some_and(|spec| spec.flags.contains(evtpm_tpm_wire::Flags::TRIAL));
    adds && !matches!(code, Cc::POLICY_GET_DIGEST | Cc::POLICY_RESTART)
}
