// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `TPM2_PolicySigned`, `TPM2_PolicySecret` and `TPM2_PolicyTicket` have in common (Part 3, "Signed Authorization Actions").

use super::session::Evaluation;
use crate::state::{Hierarchy, NvIndex};
use crate::{Platform, Tpm, ticket};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::{
    AuthTag, Handle, HandleType, Rc, Subject, Tpm2bDigest, Tpm2bName, Tpm2bNonce, Tpm2bTimeout, TpmaNv, TpmtTkAuth,
};

const MS_PER_SECOND: u64 = 1_000;
/// Marks the timeout of a ticket that expires with TPM Reset, since no nonceTPM ties it to a session. No `Time` reaches it.
const EXPIRES_ON_RESET: u64 = 1 << 63;

/// The qualifiers of an authorization, as the caller gave them.
pub(super) struct Qualifiers<'a> {
    pub(super) nonce_tpm: &'a Tpm2bNonce,
    pub(super) cp_hash_a: &'a Tpm2bDigest,
    pub(super) policy_ref: &'a Tpm2bNonce,
    pub(super) expiration: i32,
}

impl Qualifiers<'_> {
    /// Checks nonceTPM, expiration and cpHashA, which are parameters 1, 4 and 2, and binds the session to the latter two.
    /// Gives the timeout.
    pub(super) fn bind<P: Platform>(&self, tpm: &Tpm<P>, evaluation: &mut Evaluation) -> Result<Option<u64>, Rc> {
        // "If this parameter is not the Empty Buffer, and it does not match policySession→nonceTPM, ... TPM_RC_VALUE."
        if !self.nonce_tpm.is_empty() && *self.nonce_tpm != evaluation.nonce_tpm {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }
        let timeout = self.timeout(evaluation);
        bind_timeout(tpm, evaluation, timeout).map_err(|rc| rc.at(Subject::Parameter(4)))?;
        bind_cp_hash(evaluation, self.cp_hash_a).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        Ok(timeout)
    }

    /// "if nonceTPM is not an Empty Buffer, then the absolute value of expiration is converted to milliseconds and added to
    /// policySession→startTime"; else it is the timeout itself.
    fn timeout(&self, evaluation: &Evaluation) -> Option<u64> {
        if self.expiration == 0 {
            return None;
        }
        let start = if self.nonce_tpm.is_empty() { 0 } else { evaluation.policy.started };
        Some(seconds_after(start, self.expiration.unsigned_abs().into()))
    }

    /// "if the caller specified a negative value for expiration, then the TPM will return a ticket"; else a NULL Ticket.
    pub(super) fn ticket<P: Platform>(
        &self,
        tpm: &Tpm<P>,
        tag: AuthTag,
        hierarchy: Hierarchy,
        auth_name: &Tpm2bName,
        timeout: Option<u64>,
    ) -> Result<(Tpm2bTimeout, TpmtTkAuth), Rc> {
        let Some(timeout) = timeout.filter(|_| self.expiration < 0) else {
            return Ok((Tpm2bTimeout::EMPTY, TpmtTkAuth::null(tag)));
        };
        let timeout = if self.nonce_tpm.is_empty() { timeout | EXPIRES_ON_RESET } else { timeout };
        let ticketed =
            Ticketed { tag, hierarchy, timeout, cp_hash_a: self.cp_hash_a, policy_ref: self.policy_ref, auth_name };
        let digest = ticketed.digest(tpm);
        let timeout = Tpm2bTimeout::new(&timeout.to_be_bytes()).map_err(|_| Rc::FAILURE)?;
        Ok((timeout, TpmtTkAuth { tag, hierarchy: ticket::selector(hierarchy), digest }))
    }
}

/// What an authorization ticket vouches for.
pub(super) struct Ticketed<'a> {
    pub(super) tag: AuthTag,
    pub(super) hierarchy: Hierarchy,
    /// The timeout with its mark.
    pub(super) timeout: u64,
    pub(super) cp_hash_a: &'a Tpm2bDigest,
    pub(super) policy_ref: &'a Tpm2bNonce,
    pub(super) auth_name: &'a Tpm2bName,
}

impl Ticketed<'_> {
    /// "HMAC_contextAlg (proof, (tag ∥ cpHash ∥ policyRef ∥ authName ∥ timeout ∥ [timeEpoch] ∥ [resetCount]))"
    ///
    /// Our timeEpoch is another one after each TPM Reset. resetCount would add no more than that `TPM2_Clear`, which sets it
    /// to zero, ended tickets of the platform too.
    pub(super) fn digest<P: Platform>(&self, tpm: &Tpm<P>) -> Tpm2bDigest {
        let parts: [&[u8]; 6] = [
            &self.tag.number().to_be_bytes(),
            self.cp_hash_a.as_bytes(),
            self.policy_ref.as_bytes(),
            self.auth_name.as_bytes(),
            &self.timeout.to_be_bytes(),
            &tpm.state.time_epoch.to_be_bytes(),
        ];
        tpm.proof_mac(self.hierarchy, &parts)
    }

    /// Tells the timeout without its mark.
    pub(super) const fn unmarked_timeout(&self) -> u64 {
        self.timeout & !EXPIRES_ON_RESET
    }
}

/// Tells when so many seconds have passed since a time in milliseconds.
pub(super) const fn seconds_after(start: u64, seconds: u64) -> u64 {
    start.saturating_add(seconds.saturating_mul(MS_PER_SECOND))
}

/// "If timeout is less than the current value of Time, or the current timeEpoch is not the same as
/// policySession→timeEpoch, the TPM shall return TPM_RC_EXPIRED"; a later timeout than the session's is discarded.
pub(super) fn bind_timeout<P: Platform>(
    tpm: &Tpm<P>,
    evaluation: &mut Evaluation,
    timeout: Option<u64>,
) -> Result<(), Rc> {
    let Some(timeout) = timeout else { return Ok(()) };
    if timeout < tpm.clock.time() || evaluation.policy.epoch != tpm.state.time_epoch {
        return Err(Rc::EXPIRED);
    }
    let known = evaluation.policy.timeout.unwrap_or(u64::MAX);
    evaluation.policy.timeout = Some(timeout.min(known));
    Ok(())
}

/// Checks cpHashA, if there is one, and binds the session to it.
pub(super) fn bind_cp_hash(evaluation: &mut Evaluation, cp_hash_a: &Tpm2bDigest) -> Result<(), Rc> {
    if cp_hash_a.is_empty() {
        return Ok(());
    }
    let cp_hash: Digest = evaluation.digest_of_policy_size(cp_hash_a)?;
    evaluation.limit_cp_hash(cp_hash)
}

impl<P: Platform> Tpm<P> {
    /// Tells the hierarchy whose proof vouches for what an entity authorized.
    pub(super) fn hierarchy_of(&self, entity: Handle) -> Hierarchy {
        match entity.kind() {
            Some(HandleType::Transient | HandleType::Persistent) => {
                self.object(entity).map_or(Hierarchy::Null, |object| object.hierarchy)
            }
            Some(HandleType::NvIndex | HandleType::ExternalNv) => {
                let platform = |index: &NvIndex| index.has(TpmaNv::PLATFORMCREATE);
                if self.nv_index(entity).is_some_and(platform) { Hierarchy::Platform } else { Hierarchy::Owner }
            }
            // PCRs and lockoutAuth have no proof of their own.
            _ => Hierarchy::from_handle(entity.0).unwrap_or(Hierarchy::Owner),
        }
    }
}
