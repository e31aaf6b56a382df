// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Sign` (Part 3, "TPM2_Sign").

use crate::commands::Execute;
use crate::object::signing::select_scheme;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Sign, SignHandles, SignResponse};
use evtpm_tpm_wire::{Rc, Subject, TpmaObject};

impl Execute for Sign {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: SignHandles) -> Result<SignResponse, Rc> {
        let key = tpm.signing_key(handles.key_handle.handle(), 1)?;
        // "If keyHandle references a key with x509sign SET": it signs certificates alone
        if key.has(TpmaObject::X509_SIGN) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }
        let scheme = select_scheme(&key.public, self.in_scheme).map_err(|rc| rc.at(Subject::Parameter(2)))?;
        let checked = tpm.check_hashcheck(key, &self.validation, scheme.hash_alg(), self.digest.as_bytes());
        checked.map_err(|rc| rc.at(Subject::Parameter(3)))?;
        if self.digest.len() != scheme.hash_alg().digest_size() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }

        let signature = tpm.sign(handles.key_handle.handle(), scheme, self.digest.as_bytes())?;

        Ok(SignResponse { signature })
    }
}
