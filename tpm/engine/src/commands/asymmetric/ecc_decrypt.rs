// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ECC_Decrypt` (Part 3, "TPM2_ECC_Decrypt").

use super::ecc_encrypt::select_hash;
use crate::commands::Execute;
use crate::object::secret::{Private, private_key};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError, ecc_encryption};
use evtpm_protocol::ecc_point;
use evtpm_tpm_wire::commands::{EccDecrypt, EccDecryptHandles, EccDecryptResponse};
use evtpm_tpm_wire::{Buf, Overflow, PublicBody, Rc, Subject, Tpm2b, TpmaObject};

impl Execute for EccDecrypt<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EccDecryptHandles) -> Result<EccDecryptResponse, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).ok_or(at_key(Rc::KEY))?;
        let PublicBody::Ecc { parms, .. } = &key.public.body else { return Err(at_key(Rc::KEY)) };
        // "shall be an ECC key (TPM_RC_KEY) with restricted CLEAR and decrypt SET (TPM_RC_ATTRIBUTES)"
        if key.has(TpmaObject::RESTRICTED) || !key.has(TpmaObject::DECRYPT) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        let alg = select_hash(parms, self.in_scheme, Subject::Parameter(4))?;
        let Tpm2b(c1) = &self.c1;
        let c1 = ecc_point(parms.curve_id, c1).ok().filter(P::Crypto::ecc_on_curve);
        let c1 = c1.ok_or(Rc::ECC_POINT.at(Subject::Parameter(1)))?;

        let Private::Ecc(private) = private_key(key)? else { return Err(at_key(Rc::KEY)) };
        let mut plain_text = Buf::new(self.c2.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let opened =
            ecc_encryption::decrypt::<P::Crypto>(&private, alg, &c1, plain_text.as_mut_bytes(), self.c3.as_bytes());
        opened.map_err(|error| match error {
            // "if V is not equal to C3, return error"; as the reference, without a number.
            CryptoError::TagMismatch => Rc::VALUE,
            error => tpm.refuse(error, Rc::NO_RESULT),
        })?;

        Ok(EccDecryptResponse { plain_text })
    }
}
