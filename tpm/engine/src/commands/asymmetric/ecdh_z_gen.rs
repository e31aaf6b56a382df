// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ECDH_ZGen` (Part 3, "TPM2_ECDH_ZGen").

use super::ecdh_key_gen::{wire_point, x_point};
use crate::commands::Execute;
use crate::object::secret::{Private, private_key};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError};
use evtpm_protocol::{curve25519_key, ecc_point};
use evtpm_tpm_wire::commands::{EcdhZGen, EcdhZGenHandles, EcdhZGenResponse};
use evtpm_tpm_wire::{EccCurve, PublicBody, Rc, Subject, Tpm2b, TpmaObject, TpmtEccScheme};

impl Execute for EcdhZGen {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EcdhZGenHandles) -> Result<EcdhZGenResponse, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).ok_or(at_key(Rc::KEY))?;
        let PublicBody::Ecc { parms, .. } = &key.public.body else { return Err(at_key(Rc::KEY)) };
        // "with the restricted attribute CLEAR and the decrypt attribute SET (TPM_RC_ATTRIBUTES)"
        if key.has(TpmaObject::RESTRICTED) || !key.has(TpmaObject::DECRYPT) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        // "required to be either TPM_ALG_ECDH or TPM_ALG_NULL (TPM_RC_SCHEME)"
        if !matches!(parms.scheme, None | Some(TpmtEccScheme::Ecdh(_))) {
            return Err(at_key(Rc::SCHEME));
        }
        // "inPoint is required to be on the curve of the key referenced by keyHandle (TPM_RC_ECC_POINT)."
        let not_on_curve = Rc::ECC_POINT.at(Subject::Parameter(1));
        let Tpm2b(in_point) = self.in_point;
        if parms.curve_id == EccCurve::Curve25519 {
            let public = curve25519_key(&in_point).map_err(|_| not_on_curve)?;
            let Private::Curve25519(private) = private_key(key)? else { return Err(at_key(Rc::KEY)) };
            let shared = P::Crypto::x25519(private, &public).map_err(|_| Rc::NO_RESULT)?;
            return Ok(EcdhZGenResponse { out_point: x_point(shared.as_slice())? });
        }
        let point = ecc_point(parms.curve_id, &in_point).map_err(|_| not_on_curve)?;
        if !P::Crypto::ecc_on_curve(&point) {
            return Err(not_on_curve);
        }

        let Private::Ecc(private) = private_key(key)? else { return Err(at_key(Rc::KEY)) };
        let shared = P::Crypto::ecc_multiply(&private, &point).map_err(|error| match error {
            CryptoError::PointAtInfinity => Rc::NO_RESULT,
            error => tpm.refuse(error, not_on_curve),
        })?;

        Ok(EcdhZGenResponse { out_point: wire_point(&shared)? })
    }
}
