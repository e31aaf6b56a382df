// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Unseal` (Part 3, "TPM2_Unseal").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{Unseal, UnsealHandles, UnsealResponse};
use evtpm_tpm_wire::{Rc, SensitiveBody, Subject, TpmaObject};

impl Execute for Unseal {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: UnsealHandles) -> Result<UnsealResponse, Rc> {
        // "If the type of itemHandle is not TPM_ALG_KEYEDHASH, then the TPM shall return TPM_RC_TYPE."
        let not_keyed_hash = Rc::TYPE.at(Subject::Handle(1));
        let item = tpm.object(handles.item_handle.handle()).ok_or(not_keyed_hash)?;
        let Some(SensitiveBody::KeyedHash(data)) = item.sensitive.as_ref().map(|sensitive| &sensitive.body) else {
            return Err(not_keyed_hash);
        };
        // "If either restricted, decrypt, or sign is SET ..., then the TPM shall return TPM_RC_ATTRIBUTES."
        if item.has(TpmaObject::RESTRICTED | TpmaObject::DECRYPT | TpmaObject::SIGN) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }

        Ok(UnsealResponse { out_data: data.clone() })
    }
}
