// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the sessions of a command authorize what it does (Part 3, "Authorization Checks").

use super::session_area::{SessionArea, SessionUse};
use crate::algorithm;
use crate::entity::is_grouped;
use crate::name::Name;
use crate::state::{DaBound, Hierarchy, PolicyLimit, PolicyProof, PolicyState, Session, SessionKind};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, Digest, constant_time_eq};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::session::{self, Nonces};
use evtpm_protocol::{cp_hash, name_hash};
use evtpm_tpm_wire::{
    Cc, Handle, HandleList, HandleType, HashAlg, NvType, Rc, Reader, Role, Secret, Spec, TpmaNv, TpmaObject,
    TpmaSession,
};

/// What the checks look at, all of it received.
pub(crate) struct Request<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) names: [Name; 3],
    /// The parameters as received: encrypted, if a session has decrypt.
    pub(crate) parameters: &'a [u8],
    pub(crate) handles: &'a HandleList,
}

impl Request<'_> {
    fn names(&self) -> [&[u8]; 3] {
        let [first, second, third] = &self.names;
        [first.as_bytes(), second.as_bytes(), third.as_bytes()]
    }

    /// Computes cpHash in a session's algorithm.
    pub(crate) fn cp_hash<C: Crypto>(&self, alg: HashAlg) -> Result<Digest, Rc> {
        cp_hash::<C>(alg, self.spec.code, &self.names(), self.parameters).map_err(ProtocolError::rc)
    }
}

impl<P: Platform> Tpm<P> {
    /// Checks every session of the area; counts a failed proof of an authValue under dictionary-attack protection.
    pub(crate) fn authorize(&mut self, request: &Request<'_>, area: &mut SessionArea) -> Result<(), Rc> {
        for number in 0..3 {
            let Some(session) = area.iter().nth(number) else { break };
            let (subject, includes_auth) = (session.subject(), self.uses_auth_value(session));
            self.check_session(session).map_err(|rc| rc.at(subject))?;
            if let Some((handle, role)) = session.authorizes {
                self.check_authorization(request, session, handle, role, includes_auth).map_err(|rc| rc.at(subject))?;
            }
            let proven = self.proof_is_right(request, area, session, includes_auth)?;
            if let Some((handle, _)) = session.authorizes.filter(|_| includes_auth) {
                self.count_pin(handle, proven);
            }
            if !proven {
                let failure = self.count_failure(session, includes_auth);
                return Err(failure.at(subject));
            }
            if let Some(session) = area.iter_mut().nth(number) {
                session.includes_auth = includes_auth;
            }
        }
        Ok(())
    }

    /// The checks of a session by itself, whatever it is used for.
    fn check_session(&self, used: &SessionUse) -> Result<(), Rc> {
        let Some(session) = self.state.sessions.loaded(used.handle.0) else { return Ok(()) };
        // "A trial session ... cannot be used for authorization", nor for audit or encryption
        if session.policy().is_some_and(|policy| policy.trial) {
            return Err(Rc::ATTRIBUTES);
        }
        // "If a bind entity is subject to DA protection, use of the session is subject to DA regardless of the DA status of
        // the entity being authorized."
        if self.is_locked_out(session.da_bound) { Err(Rc::LOCKOUT) } else { Ok(()) }
    }

    /// Tells whether the entity's authValue is proven by this session.
    fn uses_auth_value(&self, used: &SessionUse) -> bool {
        let Some((handle, _)) = used.authorizes else { return false };
        let Some(session) = self.state.sessions.loaded(used.handle.0) else { return true };
        match &session.kind {
            SessionKind::Hmac(hmac) => !hmac.bound.as_ref().is_some_and(|bound| {
                bound.name.as_bytes() == self.entity_name(handle).as_bytes()
                    && self.entity_auth(handle).is_some_and(|auth| *auth == bound.auth)
            }),
            SessionKind::Policy(policy) => policy.proof != PolicyProof::None,
        }
    }

    /// The checks that need no secret, in the order of the specification.
    fn check_authorization(
        &self,
        request: &Request<'_>,
        used: &SessionUse,
        handle: Handle,
        role: Role,
        includes_auth: bool,
    ) -> Result<(), Rc> {
        // "Physical Presence shall be asserted for either an HMAC or a Policy authorization."
        if handle == Handle::PLATFORM
            && self.needs_physical_presence(request.spec)
            && !self.platform.physical_presence()
        {
            return Err(Rc::PP);
        }
        if includes_auth {
            // "If the object or NV Index is subject to DA protection ... then the TPM is not in lockout."
            if self.is_locked_out(self.entity_da(handle)) {
                return Err(Rc::LOCKOUT);
            }
        }
        let session = self.state.sessions.loaded(used.handle.0);
        let is_policy = session.is_some_and(|session| session.policy().is_some());
        // "the associated authorization session is a policy session (TPM_RC_AUTH_TYPE)" stands before what is said of NV
        if !is_policy && self.requires_policy(handle, role) {
            return Err(Rc::AUTH_TYPE);
        }
        let Some((session, policy)) = session.and_then(|session| Some((session, session.policy()?))) else {
            if includes_auth {
                self.check_nv_auth_value(request, handle)?;
            }
            return if self.auth_value_is_available(request.spec, handle, role) {
                Ok(())
            } else {
                Err(Rc::AUTH_UNAVAILABLE)
            };
        };
        if !self.policy_is_available(request.spec, handle) {
            return Err(Rc::AUTH_UNAVAILABLE);
        }
        self.check_policy(request, session, policy, handle, role)?;
        if includes_auth { self.check_nv_auth_value(request, handle) } else { Ok(()) }
    }

    /// Tells whether what has this protection may not be used now.
    fn is_locked_out(&self, protection: DaBound) -> bool {
        match protection {
            DaBound::No => false,
            DaBound::Entity => self.da.in_lockout(&self.state.da_parameters),
            DaBound::Lockout => !self.da.lockout_auth_enabled(),
        }
    }

    /// Checks what must be so before the authValue of an NV index is looked at.
    fn check_nv_auth_value(&self, request: &Request<'_>, handle: Handle) -> Result<(), Rc> {
        let Some(index) = self.nv_index(handle) else { return Ok(()) };
        // "If an Index has been defined and not written, then any operation on the NV Index that requires read authorization
        // will fail ... shall be performed before checking the NV Index authValue."
        if self.reads_nv_data(request) && !index.has(TpmaNv::WRITTEN) {
            return Err(Rc::NV_UNINITIALIZED);
        }
        // "the authorization will fail if the pinCount field of the Index is not less than the pinLimit field of the Index or
        // if the TPMA_NV_WRITTEN attribute of the Index is CLEAR"
        if index.is_pin() && index.pin().is_none_or(|pin| pin.pin_count >= pin.pin_limit) {
            return Err(Rc::AUTH_UNAVAILABLE);
        }
        Ok(())
    }

    /// A trial session looks at no data, and locks do not read any.
    fn reads_nv_data(&self, request: &Request<'_>) -> bool {
        let session = request.handles.last().and_then(|handle| self.state.sessions.loaded(handle.0));
        match request.spec.code {
            Cc::NV_READ | Cc::NV_CERTIFY => true,
            Cc::POLICY_NV | Cc::POLICY_AUTHORIZE_NV => {
                !session.and_then(Session::policy).is_some_and(|policy| policy.trial)
            }
            _ => false,
        }
    }

    /// "If the authorization succeeds, the pinCount field is set to zero if the Index is PIN Fail and incremented if the
    /// Index is PIN Pass. If the authorization fails, pinCount is incremented for a PIN Fail Index".
    fn count_pin(&mut self, handle: Handle, proven: bool) {
        let Some(index) = self.state.nv.index_mut(handle) else { return };
        let Some(pin) = index.pin() else { return };
        let count = match (index.kind(), proven) {
            (Some(NvType::PinFail), true) => 0,
            (Some(NvType::PinFail), false) | (Some(NvType::PinPass), true) => pin.pin_count.saturating_add(1),
            _ => return,
        };
        // Cannot fail: the data of a PIN index has eight octets.
        let _ = index.write(0, &count.to_be_bytes());
    }

    fn requires_policy(&self, handle: Handle, role: Role) -> bool {
        match role {
            Role::Dup => true,
            Role::Admin => match handle.kind() {
                Some(HandleType::NvIndex | HandleType::ExternalNv) => true,
                Some(HandleType::Transient | HandleType::Persistent) => self
                    .object(handle)
                    .is_some_and(|object| object.public.object_attributes.contains(TpmaObject::ADMIN_WITH_POLICY)),
                _ => false,
            },
            // A PCR with a policy is extended and reset by that policy alone.
            Role::User => handle.kind() == Some(HandleType::Pcr) && self.entity_policy(handle).is_some(),
        }
    }

    fn auth_value_is_available(&self, spec: &Spec, handle: Handle, role: Role) -> bool {
        match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                let Some(object) = self.object(handle) else { return self.sequence(handle).is_some() };
                let attributes = object.public.object_attributes;
                let with_auth = attributes.contains(TpmaObject::USER_WITH_AUTH)
                    || role == Role::Admin && !attributes.contains(TpmaObject::ADMIN_WITH_POLICY);
                object.sensitive.is_some() && with_auth
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => self.state.nv.index(handle).is_some_and(|index| {
                let attributes = index.public.attributes;
                match nv_access(spec.code) {
                    Some(NvAccess::Write) => attributes.contains(TpmaNv::AUTHWRITE),
                    // "If authEntity references a non-PIN Index, TPMA_NV_AUTHREAD is required to be SET in the Index."
                    Some(NvAccess::Read) => {
                        attributes.contains(TpmaNv::AUTHREAD) || spec.code == Cc::POLICY_SECRET && index.is_pin()
                    }
                    None => false,
                }
            }),
            // Of an ACT: "can only be used if phEnable is SET"
            _ => self.countdown(handle).is_none() || self.state.hierarchies.of(Hierarchy::Platform).enabled,
        }
    }

    fn policy_is_available(&self, spec: &Spec, handle: Handle) -> bool {
        match handle.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                self.object(handle).is_some_and(|object| object.sensitive.is_some())
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => self.state.nv.index(handle).is_some_and(|index| {
                let attributes = index.public.attributes;
                // As the reference: where there is no policy, none is failed.
                if index.public.auth_policy.is_empty() {
                    return false;
                }
                match nv_access(spec.code) {
                    Some(NvAccess::Write) => attributes.contains(TpmaNv::POLICYWRITE),
                    Some(NvAccess::Read) => attributes.contains(TpmaNv::POLICYREAD),
                    None => true,
                }
            }),
            Some(HandleType::Pcr) => is_grouped(handle),
            _ => self.entity_policy(handle).is_some(),
        }
    }

    /// "If the authorization is provided by a policy session, then": digest, time, command, locality, parameters.
    fn check_policy(
        &self,
        request: &Request<'_>,
        session: &Session,
        policy: &PolicyState,
        handle: Handle,
        role: Role,
    ) -> Result<(), Rc> {
        // "the policy session ... shall include PolicyAuthValue or PolicyPassword": a secret is what PolicySecret is about
        if request.spec.code == Cc::POLICY_SECRET && policy.proof == PolicyProof::None {
            return Err(Rc::MODE);
        }
        if policy.pcr_counter.is_some_and(|counter| counter != self.state.pcrs.update_counter()) {
            return Err(Rc::PCR_CHANGED);
        }
        let Some((alg, digest)) = self.entity_policy(handle) else { return Err(Rc::POLICY_FAIL) };
        if alg != session.hash || !constant_time_eq(digest.as_bytes(), policy.digest.as_bytes()) {
            return Err(Rc::POLICY_FAIL);
        }
        if policy.timeout.is_some_and(|timeout| self.clock.time() > timeout || policy.epoch != self.state.time_epoch) {
            return Err(Rc::EXPIRED);
        }
        match policy.command_code {
            Some(code) if code != request.spec.code => return Err(Rc::POLICY_CC),
            None if role != Role::User => return Err(Rc::POLICY_FAIL),
            _ => {}
        }
        if !locality_fits(policy.locality, self.locality.attribute()) {
            return Err(Rc::LOCALITY);
        }
        if policy.physical_presence && !self.platform.physical_presence() {
            return Err(Rc::PP);
        }
        if !self.limit_fits(request, session, policy)? {
            return Err(Rc::POLICY_FAIL);
        }
        if let Some(expected) = policy.nv_written
            && self.state.nv.index(handle).is_none_or(|index| index.has(TpmaNv::WRITTEN) != expected)
        {
            return Err(Rc::POLICY_FAIL);
        }
        // "the TPM will check that an SPDM secure channel is present, otherwise return TPM_RC_CHANNEL": there is none
        if policy.secure_channel { Err(Rc::CHANNEL) } else { Ok(()) }
    }

    fn limit_fits(&self, request: &Request<'_>, session: &Session, policy: &PolicyState) -> Result<bool, Rc> {
        let alg = session.hash;
        let (expected, actual) = match policy.limit {
            PolicyLimit::None => return Ok(true),
            PolicyLimit::CpHash(expected) => (expected, request.cp_hash::<P::Crypto>(alg)?),
            PolicyLimit::NameHash(expected) => {
                (expected, name_hash::<P::Crypto>(alg, &request.names()).map_err(ProtocolError::rc)?)
            }
            // "the hash of the commandCode and all of the parameters ... where the Names are skipped"
            PolicyLimit::Parameters(expected) => {
                let hash = cp_hash::<P::Crypto>(alg, request.spec.code, &[], request.parameters);
                (expected, hash.map_err(ProtocolError::rc)?)
            }
            PolicyLimit::Template(expected) => {
                let Some(template) = template_of(request) else { return Ok(false) };
                (expected, P::Crypto::hash(algorithm::hash(alg).ok_or(Rc::HASH)?, &[template]))
            }
        };
        Ok(constant_time_eq(expected.as_bytes(), actual.as_bytes()))
    }

    /// Checks the HMAC or the password.
    fn proof_is_right(
        &self,
        request: &Request<'_>,
        area: &SessionArea,
        used: &SessionUse,
        includes_auth: bool,
    ) -> Result<bool, Rc> {
        let auth = self.included_auth(used, includes_auth);
        let Some(session) = self.state.sessions.loaded(used.handle.0) else {
            return Ok(constant_time_eq(auth.as_bytes(), used.proof.significant_bytes()));
        };
        // "the authValue is given in plain": only when the policy session authorizes something
        if session.policy().is_some_and(|policy| policy.proof == PolicyProof::Password) && used.authorizes.is_some() {
            return Ok(constant_time_eq(auth.as_bytes(), used.proof.significant_bytes()));
        }
        let value = session::value(session.key.as_bytes(), auth.as_bytes()).map_err(ProtocolError::rc)?;
        // Without any key, an Empty Buffer is accepted in place of an HMAC.
        if value.is_empty() && used.proof.is_empty() {
            return Ok(true);
        }
        let nonces = Nonces { newer: used.nonce.as_bytes(), older: session.nonce_tpm.as_bytes() };
        let hash = request.cp_hash::<P::Crypto>(session.hash)?;
        let (extra, attributes) = (self.extra_nonces(area, used), used.attributes);
        let hmac = session::hmac::<P::Crypto>(session.hash, value.as_bytes(), &hash, nonces, extra, attributes);
        let hmac = hmac.map_err(ProtocolError::rc)?;
        Ok(constant_time_eq(hmac.as_bytes(), used.proof.as_bytes()))
    }

    /// Lends the authValue that a session's key includes.
    pub(crate) fn included_auth(&self, used: &SessionUse, includes_auth: bool) -> &Secret<64> {
        let authorized = used.authorizes.filter(|_| includes_auth);
        authorized.and_then(|(handle, _)| self.entity_auth(handle)).unwrap_or(&NO_AUTH)
    }

    /// "nonceTPMdecrypt ... is included only if the session is the first and another session decrypts"; likewise encrypt.
    fn extra_nonces(&self, area: &SessionArea, used: &SessionUse) -> [&[u8]; 2] {
        if used.number != 1 {
            return [&[], &[]];
        }
        let nonce = |other: &SessionUse| {
            self.state.sessions.loaded(other.handle.0).map_or(&[][..], |session| session.nonce_tpm.as_bytes())
        };
        let decrypt = area.with(TpmaSession::DECRYPT).filter(|other| other.number != 1);
        let encrypt = area.with(TpmaSession::ENCRYPT).filter(|other| other.number != 1);
        let encrypt = encrypt.filter(|other| decrypt.is_none_or(|decrypt| decrypt.number != other.number));
        [decrypt.map_or(&[], nonce), encrypt.map_or(&[], nonce)]
    }

    /// Answers `TPM_RC_AUTH_FAIL` and counts, where dictionary-attack protection applies, else `TPM_RC_BAD_AUTH`.
    fn count_failure(&mut self, used: &SessionUse, includes_auth: bool) -> Rc {
        let session_bound = self.state.sessions.loaded(used.handle.0).map_or(DaBound::No, |session| session.da_bound);
        let entity = match used.authorizes {
            Some((handle, _)) if includes_auth => self.entity_da(handle),
            _ => DaBound::No,
        };
        let (time, parameters) = (self.clock.time(), self.state.da_parameters);
        match (session_bound, entity) {
            (DaBound::Lockout, _) | (_, DaBound::Lockout) => self.da.register_lockout_failure(time),
            (DaBound::Entity, _) | (_, DaBound::Entity) => {
                if parameters.recovery_seconds != 0 {
                    self.da.register_failure(time);
                }
            }
            (DaBound::No, DaBound::No) => return Rc::BAD_AUTH,
        }
        Rc::AUTH_FAIL
    }
}

/// The Empty Buffer of an entity without authValue.
static NO_AUTH: Secret<64> = Secret::EMPTY;

enum NvAccess {
    Read,
    Write,
}

/// "the authorization ... if the command modifies the NV Index data", "reads the NV Index data or is TPM2_PolicySecret".
const fn nv_access(code: Cc) -> Option<NvAccess> {
    match code {
        Cc::NV_WRITE | Cc::NV_INCREMENT | Cc::NV_SET_BITS | Cc::NV_EXTEND | Cc::NV_WRITE_LOCK => Some(NvAccess::Write),
        Cc::NV_READ
        | Cc::NV_READ_LOCK
        | Cc::NV_CERTIFY
        | Cc::POLICY_NV
        | Cc::POLICY_SECRET
        | Cc::POLICY_AUTHORIZE_NV => Some(NvAccess::Read),
        _ => None,
    }
}

/// Compares two `TPMA_LOCALITY` octets: bits below 32, numbers from 32 on; zero allows all.
const fn locality_fits(allowed: u8, actual: u8) -> bool {
    match allowed {
        0 => true,
        1..=31 => actual <= 31 && allowed & actual != 0,
        32.. => allowed == actual,
    }
}

/// Finds the template in a creation command: the second parameter, which is never encrypted.
fn template_of<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    if !matches!(request.spec.code, Cc::CREATE | Cc::CREATE_PRIMARY | Cc::CREATE_LOADED) {
        return None;
    }
    let mut reader = Reader::permissive(request.parameters);
    let sensitive = reader.read::<u16>().ok()?;
    reader.take(usize::from(sensitive)).ok()?;
    let size = reader.read::<u16>().ok()?;
    reader.take(usize::from(size)).ok()
}
