// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The audit of chosen commands (Part 1, "Command Audit").

use super::authorize::Request;
use super::respond::Before;
use crate::algorithm;
use crate::failure::Phase;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, Digest};
use evtpm_protocol::rp_hash;
use evtpm_tpm_wire::{Cc, HashAlg, Rc};

impl<P: Platform> Tpm<P> {
    /// Computes cpHash of a command that is audited, before its first parameter is decrypted.
    pub(super) fn command_audit_begins(&self, request: &Request<'_>) -> Result<Option<(HashAlg, Digest)>, Rc> {
        let audit = &self.state.command_audit;
        // "When the TPM is in Failure mode, command audit is not functional"
        if matches!(self.phase, Phase::Failed(_)) || !audit.covers(request.spec.code) {
            return Ok(None);
        }
        Ok(Some((audit.alg, request.cp_hash::<P::Crypto>(audit.alg)?)))
    }

    /// "The update of the audit digest register occurs when the command completes successfully and the response has been
    /// created": auditnew := HauditAlg (auditold || cpHash || rpHash).
    pub(super) fn command_audit_ends(&mut self, code: Cc, before: &Before, parameters: &[u8]) {
        let Some((wire_alg, cp_hash)) = &before.command_audit else { return };
        let audit = &mut self.state.command_audit;
        // "Use of this command to change the audit hash algorithm is not audited": the algorithm is the evidence
        if audit.alg != *wire_alg {
            return;
        }
        let (Some(alg), Ok(rp_hash)) =
            (algorithm::hash(*wire_alg), rp_hash::<P::Crypto>(*wire_alg, Rc::SUCCESS, code, parameters))
        else {
            return;
        };
        let extended = |old: &Digest| P::Crypto::hash(alg, &[old.as_bytes(), cp_hash.as_bytes(), rp_hash.as_bytes()]);
        audit.extend(Digest::zero(alg), extended);
    }
}
