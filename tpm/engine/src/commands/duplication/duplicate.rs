// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Duplicate` (Part 3, "TPM2_Duplicate").

use crate::commands::Execute;
use crate::object::private::{MAX_SENSITIVE, write_padded};
use crate::{Platform, Tpm};
use evtpm_protocol::ProtocolError;
use evtpm_protocol::duplication::InnerWrapper;
use evtpm_tpm_wire::commands::{Duplicate, DuplicateHandles, DuplicateResponse};
use evtpm_tpm_wire::{
    Handle, Overflow, Rc, Secret, Subject, SymMode, Tpm2bData, Tpm2bEncryptedSecret, Tpm2bPrivate, TpmaObject,
    TpmtSymDefObject, Writer,
};

impl Execute for Duplicate {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: DuplicateHandles) -> Result<DuplicateResponse, Rc> {
        let object = tpm.object(handles.object_handle.handle()).ok_or(Rc::TYPE.at(Subject::Handle(1)))?;
        // "If fixedParent of objectHandle→attributes is SET, the TPM shall return TPM_RC_ATTRIBUTES."
        if object.has(TpmaObject::FIXED_PARENT) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }
        let hash = object.public.name_alg.ok_or(Rc::TYPE.at(Subject::Handle(1)))?;
        let new_parent = handles.new_parent_handle.map(Handle::from);
        let new_parent = new_parent.map(|handle| tpm.asymmetric_parent(handle, 2).map(|_| handle)).transpose()?;
        if object.has(TpmaObject::ENCRYPTED_DUPLICATION) {
            if self.symmetric_alg.is_none() {
                return Err(Rc::SYMMETRIC.at(Subject::Parameter(2)));
            }
            if new_parent.is_none() {
                return Err(Rc::HIERARCHY.at(Subject::Handle(2)));
            }
        }
        check_inner_key(self.symmetric_alg, &self.encryption_key_in)?;

        let mut plain = Secret::<MAX_SENSITIVE>::zeros(MAX_SENSITIVE).map_err(|Overflow| Rc::FAILURE)?;
        let mut writer = Writer::new(plain.as_mut_bytes());
        let sensitive = object.sensitive.as_ref().ok_or(Rc::AUTH_UNAVAILABLE)?;
        let name = object.name;
        write_padded(sensitive, &name, &mut writer).map_err(|Overflow| Rc::FAILURE)?;
        let size = writer.written();
        plain.truncate(size);
        let mut encryption_key_out = Tpm2bData::EMPTY;
        let mut duplicate = match self.symmetric_alg {
            None => Tpm2bPrivate::new(plain.as_bytes()).map_err(|Overflow| Rc::FAILURE)?,
            Some(cipher) => {
                let mut key = self.encryption_key_in;
                // "If the caller provided no key, the TPM makes one and returns it."
                if key.is_empty() {
                    key = Tpm2bData::zeros(cipher.key_size()).map_err(|Overflow| Rc::FAILURE)?;
                    tpm.random(key.as_mut_bytes())?;
                    encryption_key_out = key;
                }
                let inner = InnerWrapper { hash, name: name.as_bytes(), cipher, key: key.as_bytes() };
                inner.seal::<P::Crypto>(plain.as_bytes()).map_err(ProtocolError::rc)?
            }
        };
        let mut out_sym_seed = Tpm2bEncryptedSecret::EMPTY;
        if let Some(new_parent) = new_parent {
            (duplicate, out_sym_seed) = tpm.wrap_for(new_parent, name.as_bytes(), duplicate.as_bytes())?;
        }

        Ok(DuplicateResponse { encryption_key_out, duplicate, out_sym_seed })
    }
}

/// "If symmetricAlg is TPM_ALG_NULL, encryptionKeyIn shall be the Empty Buffer", else empty or of the cipher's size.
fn check_inner_key(cipher: Option<TpmtSymDefObject>, key: &Tpm2bData) -> Result<(), Rc> {
    let fits = match cipher {
        None => key.is_empty(),
        Some(cipher) if cipher.mode != Some(SymMode::Cfb) => return Err(Rc::MODE.at(Subject::Parameter(2))),
        Some(cipher) => key.is_empty() || key.len() == cipher.key_size(),
    };
    if fits { Ok(()) } else { Err(Rc::SIZE.at(Subject::Parameter(1))) }
}
