// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_MakeCredential` (Part 3, "TPM2_MakeCredential").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_protocol::credential::{self, Credential};
use evtpm_tpm_wire::commands::{MakeCredential, MakeCredentialHandles, MakeCredentialResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject};

impl Execute for MakeCredential {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: MakeCredentialHandles) -> Result<MakeCredentialResponse, Rc> {
        // "required to be the public area of a Storage key"; its sensitive area may be in another TPM
        let key = tpm.asymmetric_parent(handles.handle.handle(), 1)?.public.clone();
        if self.credential.len() > key.name_alg.ok_or(Rc::TYPE.at(Subject::Handle(1)))?.digest_size() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }

        let credential = Credential::new(self.credential.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let made = credential::make::<P::Crypto>(&key, &credential, &self.object_name, &mut tpm.rng());
        let (credential_blob, secret) = made.map_err(|error| tpm.refuse_protocol(error, error.rc()))?;

        Ok(MakeCredentialResponse { credential_blob, secret })
    }
}
