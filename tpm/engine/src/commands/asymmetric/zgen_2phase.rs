// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ZGen_2Phase` (Part 3, "TPM2_ZGen_2Phase"), with ECDH, the one scheme that must be there.

use super::ecdh_key_gen::wire_point;
use crate::commands::Execute;
use crate::object::secret::{Private, private_key};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError, EccPoint, EccPrivate};
use evtpm_protocol::ecc_point;
use evtpm_tpm_wire::commands::{ZGen2Phase, ZGen2PhaseHandles, ZGen2PhaseResponse};
use evtpm_tpm_wire::{
    EccCurve, KeyExchangeAlg, PublicBody, Rc, Subject, Tpm2b, Tpm2bEccPoint, TpmaObject, TpmsEccPoint, TpmtEccScheme,
};

impl Execute for ZGen2Phase {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ZGen2PhaseHandles) -> Result<ZGen2PhaseResponse, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = tpm.object(handles.key_a.handle()).ok_or(at_key(Rc::KEY))?;
        let PublicBody::Ecc { parms, .. } = &key.public.body else { return Err(at_key(Rc::KEY)) };
        if key.has(TpmaObject::RESTRICTED) || !key.has(TpmaObject::DECRYPT) {
            return Err(at_key(Rc::ATTRIBUTES));
        }
        // "If the scheme is not a two-phase key exchange scheme or if the scheme is not supported ... TPM_RC_SCHEME."
        if !matches!(parms.scheme, None | Some(TpmtEccScheme::Ecdh(_))) || self.in_scheme != KeyExchangeAlg::Ecdh {
            return Err(Rc::SCHEME.at(Subject::Parameter(3)));
        }
        let static_b = on_curve::<P::Crypto>(parms.curve_id, &self.in_qs_b, 1)?;
        let ephemeral_b = on_curve::<P::Crypto>(parms.curve_id, &self.in_qe_b, 2)?;
        let count = tpm.state.commits.find(self.counter).map_err(|rc| rc.at(Subject::Parameter(4)))?;

        let Private::Ecc(static_a) = private_key(key)? else { return Err(at_key(Rc::KEY)) };
        let ephemeral_a = tpm.state.committed::<P::Crypto>(static_a.curve(), None, count);
        let ephemeral_a = ephemeral_a.map_err(|error| tpm.refuse(error, Rc::NO_RESULT))?;
        // "For TPM_ALG_ECDH outZ1 will be Zs and outZ2 will be Ze"
        let out_z1 = shared::<P>(tpm, &static_a, &static_b)?;
        let out_z2 = shared::<P>(tpm, &ephemeral_a, &ephemeral_b)?;

        tpm.state.commits.end(self.counter);
        Ok(ZGen2PhaseResponse { out_z1, out_z2 })
    }
}

/// "It is an error if inQsB or inQeB are not on the curve of keyA (TPM_RC_ECC_POINT)."
fn on_curve<C: Crypto>(curve: EccCurve, Tpm2b(point): &Tpm2bEccPoint, number: u8) -> Result<EccPoint, Rc> {
    let point = ecc_point(curve, point).ok().filter(C::ecc_on_curve);
    point.ok_or(Rc::ECC_POINT.at(Subject::Parameter(number)))
}

/// "If a computation of either Z produces the point at infinity, then the corresponding Z value will be an Empty Point."
fn shared<P: Platform>(tpm: &mut Tpm<P>, private: &EccPrivate, public: &EccPoint) -> Result<Tpm2bEccPoint, Rc> {
    match P::Crypto::ecc_multiply(private, public) {
        Ok(point) => wire_point(&point),
        Err(CryptoError::PointAtInfinity) => Ok(Tpm2b(TpmsEccPoint::default())),
        Err(error) => Err(tpm.refuse(error, Rc::NO_RESULT)),
    }
}
