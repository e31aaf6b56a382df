// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetCommandAuditDigest` (Part 3, "TPM2_GetCommandAuditDigest").

use super::attest::Signer;
use crate::algorithm;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_tpm_wire::commands::{GetCommandAuditDigest, GetCommandAuditDigestHandles, GetCommandAuditDigestResponse};
use evtpm_tpm_wire::{Overflow, Rc, Tpm2bDigest, TpmsCommandAuditInfo, TpmuAttest};

impl Execute for GetCommandAuditDigest {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: GetCommandAuditDigestHandles,
    ) -> Result<GetCommandAuditDigestResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 2), (self.in_scheme, 2))?;

        let audit = &tpm.state.command_audit;
        let mut hasher = <P::Crypto as Crypto>::Hasher::new(algorithm::hash(audit.alg).ok_or(Rc::FAILURE)?);
        tpm.audited_commands().for_each(|code| hasher.update(&code.0.to_be_bytes()));
        let audit_digest = audit.digest().map_or(Ok(Tpm2bDigest::EMPTY), |digest| Tpm2bDigest::new(digest.as_bytes()));
        let info = TpmsCommandAuditInfo {
            audit_counter: audit.counter(),
            digest_alg: audit.alg.id(),
            audit_digest: audit_digest.map_err(|Overflow| Rc::FAILURE)?,
            command_digest: Tpm2bDigest::new(hasher.finish().as_bytes()).map_err(|Overflow| Rc::FAILURE)?,
        };
        let (audit_info, signature) = tpm.attest(&signer, self.qualifying_data, TpmuAttest::CommandAudit(info))?;

        // "If signHandle is TPM_RH_NULL, signature is the Empty Buffer and the audit digest is not cleared."
        if handles.sign_handle.is_some() {
            tpm.state.command_audit.end();
        }
        Ok(GetCommandAuditDigestResponse { audit_info, signature })
    }
}
