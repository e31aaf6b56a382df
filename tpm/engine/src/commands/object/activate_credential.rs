// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ActivateCredential` (Part 3, "TPM2_ActivateCredential").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_protocol::credential;
use evtpm_protocol::secret::Label;
use evtpm_tpm_wire::commands::{ActivateCredential, ActivateCredentialHandles, ActivateCredentialResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest};

impl Execute for ActivateCredential<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: ActivateCredentialHandles,
    ) -> Result<ActivateCredentialResponse, Rc> {
        let handle = handles.key_handle.handle();
        // "If keyHandle is not a Storage Key, then the TPM shall return TPM_RC_TYPE": and only asymmetric ones share secrets
        tpm.asymmetric_parent(handle, 2)?;

        let name = tpm.entity_name(handles.activate_handle.handle());
        let seed = tpm
            .recover_secret(handle, Label::Identity, self.secret.as_bytes())
            .map_err(|rc| rc.at(Subject::Parameter(2)))?;
        let key = tpm.storage_parent(handle, 2)?;
        let opened = credential::open::<P::Crypto>(&key.public, &seed, &name, &self.credential_blob);
        let opened = opened.map_err(|error| error.rc().at(Subject::Parameter(1)))?;
        let cert_info = Tpm2bDigest::new(opened.as_bytes()).map_err(|Overflow| Rc::SIZE.at(Subject::Parameter(1)))?;

        Ok(ActivateCredentialResponse { cert_info })
    }
}
