// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command audit (Part 1, "Command Audit"): which commands are logged, and the digest over their executions.

use super::CommandSet;
use crate::snapshot::{self, Archive};
use evtpm_crypto::Digest;
use evtpm_tpm_wire::{Cc, HashAlg};

/// What the TPM remembers of the commands that are audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandAudit {
    chosen: CommandSet,
    /// auditAlg.
    pub(crate) alg: HashAlg,
    /// "counts the number of audit logs that are created".
    counter: u64,
    /// The audit digest, from the first audited command until the log ends.
    digest: Option<Digest>,
}

impl CommandAudit {
    /// Audits nothing but changes of the list.
    pub(crate) const fn new(alg: HashAlg) -> Self {
        Self { chosen: CommandSet::EMPTY, alg, counter: 0, digest: None }
    }

    /// Passes what is audited, how, and how often a log began.
    pub(super) fn pass_permanent<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { chosen, alg, counter, digest: _ } = self;
        chosen.pass(archive)?;
        archive.pass(alg)?;
        archive.pass(counter)
    }

    /// Passes the log, which TPM Reset ends.
    pub(super) fn pass_retained<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        snapshot::option(archive, &mut self.digest, Digest::EMPTY, snapshot::digest)
    }

    /// Tells whether a command is audited: "TPM2_SetCommandCodeAuditStatus() is always audited".
    pub(crate) fn covers(&self, code: Cc) -> bool {
        code == Cc::SET_COMMAND_CODE_AUDIT_STATUS || self.chosen.contains(code)
    }

    /// Chooses whether a command is audited: "TPM2_Shutdown() cannot be audited".
    pub(crate) fn choose(&mut self, code: Cc, audited: bool) {
        if code != Cc::SHUTDOWN {
            self.chosen.assign(code, audited);
        }
    }

    /// Changes the algorithm, with which "the audit digest is cleared".
    pub(crate) fn change_alg(&mut self, alg: HashAlg) {
        self.alg = alg;
        self.digest = None;
    }

    /// Tells the audit counter.
    pub(crate) const fn counter(&self) -> u64 {
        self.counter
    }

    /// Tells the audit digest, if a log has begun.
    pub(crate) const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Logs one execution; "If the audit digest register contains all octets of zero ... the audit counter is incremented."
    pub(crate) fn extend(&mut self, zero: Digest, extend: impl FnOnce(&Digest) -> Digest) {
        let old = self.digest.unwrap_or_else(|| {
            self.counter = self.counter.saturating_add(1);
            zero
        });
        self.digest = Some(extend(&old));
    }

    /// Ends the log, as its signature and a TPM Reset do.
    pub(crate) fn end(&mut self) {
        self.digest = None;
    }

    /// "The audit counter is non-volatile and is reset to zero by TPM2_Clear()."
    pub(crate) fn clear_counter(&mut self) {
        self.counter = 0;
    }
}
