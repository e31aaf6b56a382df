// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A policy session as the policy commands change it (Part 3, "Policy Context Updates").
//!
//! "Unless there is an unmarshaling error in the parameters of the command, these commands will return TPM_RC_SUCCESS when
//! policySession references a trial session": there, only the digest is computed.

use crate::state::{Nonce, NvIndex, PolicyLimit, PolicyState};
use crate::{Platform, Tpm, algorithm};
use evtpm_crypto::Digest;
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::{Cc, Handle, HashAlg, Rc, Tpm2bDigest, TpmiRhNvAuth, TpmiRhNvIndex, TpmiShPolicy};

/// A copy of a policy session's state: what happens to it happens to the session only with [`Tpm::keep_evaluation`].
pub(super) struct Evaluation {
    handle: Handle,
    /// The session's hash algorithm.
    pub(super) alg: HashAlg,
    /// The nonce that the TPM gave last.
    pub(super) nonce_tpm: Nonce,
    /// What the session has collected.
    pub(super) policy: PolicyState,
}

impl<P: Platform> Tpm<P> {
    /// Copies the state of a policy session; the dispatcher has checked that it is loaded.
    pub(super) fn evaluation(&self, handle: TpmiShPolicy) -> Result<Evaluation, Rc> {
        let handle = handle.handle();
        let session = self.state.sessions.loaded(handle.0).ok_or(Rc::HANDLE)?;
        let policy = session.policy().ok_or(Rc::HANDLE)?.clone();
        Ok(Evaluation { handle, alg: session.hash, nonce_tpm: session.nonce_tpm, policy })
    }

    /// Makes an evaluation the session's state.
    pub(super) fn keep_evaluation(&mut self, evaluation: Evaluation) {
        let session = self.state.sessions.loaded_mut(evaluation.handle.0);
        if let Some(policy) = session.and_then(|session| session.policy_mut()) {
            *policy = evaluation.policy;
        }
    }

    /// Finds the index of an assertion: "The authorization to read the NV Index must succeed even if policySession is a trial
    /// policy session." Its data has to be readable for a real one alone.
    pub(super) fn nv_for_evaluation(
        &self,
        evaluation: &Evaluation,
        auth: TpmiRhNvAuth,
        index: TpmiRhNvIndex,
    ) -> Result<&NvIndex, Rc> {
        if evaluation.is_trial() { self.nv_for_reader(auth, index) } else { self.nv_readable(auth, index) }
    }
}

impl Evaluation {
    /// Tells whether only the digest matters.
    pub(super) const fn is_trial(&self) -> bool {
        self.policy.trial
    }

    /// Borrows policyDigest.
    pub(super) fn digest(&self) -> &[u8] {
        self.policy.digest.as_bytes()
    }

    /// Tells the session's hash algorithm as the crypto crate knows it.
    pub(super) fn hash(&self) -> Result<evtpm_crypto::HashAlg, Rc> {
        algorithm::hash(self.alg).ok_or(Rc::HASH)
    }

    /// Extends policyDigest by an assertion.
    pub(super) fn extend(&mut self, assertion: impl FnOnce(PolicyDigest) -> PolicyDigest) -> Result<(), Rc> {
        let old = PolicyDigest::resume(self.alg, self.digest()).map_err(evtpm_protocol::ProtocolError::rc)?;
        self.policy.digest = Digest::from_slice(assertion(old).as_bytes()).ok_or(Rc::FAILURE)?;
        Ok(())
    }

    /// Reads a digest of the policy's size; another size is `TPM_RC_SIZE`.
    pub(super) fn digest_of_policy_size(&self, digest: &Tpm2bDigest) -> Result<Digest, Rc> {
        let digest = Digest::from_slice(digest.as_bytes()).ok_or(Rc::SIZE)?;
        if digest.len() == self.policy.digest.len() { Ok(digest) } else { Err(Rc::SIZE) }
    }

    /// Binds the policy to a command's parameters: "this parameter may only be changed if it contains its initialization
    /// value", else `TPM_RC_CPHASH`.
    pub(super) fn limit_cp_hash(&mut self, cp_hash: Digest) -> Result<(), Rc> {
        match self.policy.limit {
            PolicyLimit::None => self.policy.limit = PolicyLimit::CpHash(cp_hash),
            PolicyLimit::CpHash(known) if known == cp_hash => {}
            _ => return Err(Rc::CPHASH),
        }
        Ok(())
    }

    /// Binds the policy to what has never been bound before, `TPM_RC_CPHASH` if something has.
    pub(super) fn limit_once(&mut self, limit: PolicyLimit) -> Result<(), Rc> {
        if self.policy.limit != PolicyLimit::None {
            return Err(Rc::CPHASH);
        }
        self.policy.limit = limit;
        Ok(())
    }

    /// Binds the policy to a command: "once set by a policy command, this value may not be changed".
    pub(super) fn limit_command(&mut self, code: Cc, otherwise: Rc) -> Result<(), Rc> {
        if self.policy.command_code.is_some_and(|known| known != code) {
            return Err(otherwise);
        }
        self.policy.command_code = Some(code);
        Ok(())
    }
}
