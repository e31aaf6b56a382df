// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Certify` (Part 3, "TPM2_Certify").

use super::attest::Signer;
use crate::commands::Execute;
use crate::name::Name;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Certify, CertifyHandles, CertifyResponse};
use evtpm_tpm_wire::{Rc, Subject, TpmsCertifyInfo, TpmuAttest};

impl Execute for Certify {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: CertifyHandles) -> Result<CertifyResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 2), (self.in_scheme, 2))?;
        // "An object that only has its public area loaded cannot be certified": it could not be authorized either
        let object = tpm.object(handles.object_handle.handle()).ok_or(Rc::TYPE.at(Subject::Handle(1)))?;

        // "the attestation blocks will not contain the Qualified Name of the signHandle", whose Qualified Name that of another
        // key of the same parent would tell as well
        let qualified_name = if signer.is_anonymous() { Name::EMPTY } else { object.qualified_name };
        let info = TpmsCertifyInfo { name: object.name, qualified_name };
        let (certify_info, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::Certify(info))?;

        Ok(CertifyResponse { certify_info, signature })
    }
}
