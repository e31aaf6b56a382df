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

        let command_digest = command_digest(tpm)?;
        let audit = &tpm.state.command_audit;
        let audit_digest = audit.digest().map_or(Ok(Tpm2bDigest::EMPTY), |digest| Tpm2bDigest::new(digest.as_bytes()));
        let info = TpmsCommandAuditInfo {
            audit_counter: audit.counter(),
            digest_alg: audit.alg.id(),
            audit_digest: audit_digest.map_err(|Overflow| Rc::FAILURE)?,
            command_digest,
        };
        let (audit_info, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::CommandAudit(info))?;

        // "If signHandle is TPM_RH_NULL, signature is the Empty Buffer and the audit digest is not cleared."
        if handles.sign_handle.is_some() {
            tpm.state.command_audit.end();
        }
        Ok(GetCommandAuditDigestResponse { audit_info, signature })
    }
}

/// "commandDigest: digest of the command codes being audited"
#[inline(never)] // The hash is off the stack when the attestation is signed.
fn command_digest<P: Platform>(tpm: &Tpm<P>) -> Result<Tpm2bDigest, Rc> {
    let alg = algorithm::hash(tpm.state.command_audit.alg).ok_or(Rc::FAILURE)?;
    let mut hasher = <P::Crypto as Crypto>::Hasher::new(alg);
    tpm.audited_commands().for_each(|code| hasher.update(&code.0.to_be_bytes()));
    Tpm2bDigest::new(hasher.finish().as_bytes()).map_err(|Overflow| Rc::FAILURE)
}
