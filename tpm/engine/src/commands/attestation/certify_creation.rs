// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_CertifyCreation` (Part 3, "TPM2_CertifyCreation").

use super::attest::Signer;
use crate::commands::Execute;
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{CertifyCreation, CertifyCreationHandles, CertifyCreationResponse};
use evtpm_tpm_wire::{Rc, Subject, TpmsCreationInfo, TpmuAttest};

impl Execute for CertifyCreation {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: CertifyCreationHandles,
    ) -> Result<CertifyCreationResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 1), (self.in_scheme, 3))?;
        let object_name = tpm.entity_name(handles.object_handle.handle());
        // "If the tickets are not the same, the TPM shall return TPM_RC_TICKET."
        let hierarchy = ticket::hierarchy(self.creation_ticket.hierarchy);
        let expected = tpm.creation_ticket(hierarchy, object_name.as_bytes(), self.creation_hash.as_bytes());
        if !tpm.ticket_is(&self.creation_ticket.digest, &expected.digest) {
            return Err(Rc::TICKET.at(Subject::Parameter(4)));
        }

        let info = TpmsCreationInfo { object_name, creation_hash: self.creation_hash };
        let (certify_info, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::Creation(info))?;

        Ok(CertifyCreationResponse { certify_info, signature })
    }
}
