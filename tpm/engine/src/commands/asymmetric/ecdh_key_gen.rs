// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ECDH_KeyGen` (Part 3, "TPM2_ECDH_KeyGen").

use crate::commands::Execute;
use crate::failure::Failure;
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError, EccPoint, EccPrivate, Rng};
use evtpm_protocol::{curve25519_key, ecc_point};
use evtpm_tpm_wire::commands::{EcdhKeyGen, EcdhKeyGenHandles, EcdhKeyGenResponse};
use evtpm_tpm_wire::{
    EccCurve, Overflow, PublicBody, Rc, Subject, Tpm2b, Tpm2bEccParameter, Tpm2bEccPoint, TpmsEccPoint,
};
use zeroize::Zeroizing;

impl Execute for EcdhKeyGen {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EcdhKeyGenHandles) -> Result<EcdhKeyGenResponse, Rc> {
        // "keyHandle shall refer to a loaded, ECC key (TPM_RC_KEY). The sensitive portion of this key need not be loaded."
        let no_ecc_key = Rc::KEY.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).ok_or(no_ecc_key)?;
        let PublicBody::Ecc { parms, unique } = &key.public.body else { return Err(no_ecc_key) };
        if parms.curve_id == EccCurve::Curve25519 {
            return agree_x25519(tpm, &curve25519_key(unique).map_err(|_| no_ecc_key)?);
        }
        let recipient = ecc_point(parms.curve_id, unique).map_err(|_| no_ecc_key)?;

        let agreed = agree::<P::Crypto>(&recipient, &mut tpm.rng());
        // A point on a curve of cofactor 1 has a multiple unless arithmetic fails.
        let (shared, ephemeral) = agreed.map_err(|error| tpm.refuse(error, Rc::NO_RESULT))?;

        Ok(EcdhKeyGenResponse { z_point: wire_point(&shared)?, pub_point: wire_point(&ephemeral)? })
    }
}

fn agree<C: Crypto>(
    recipient: &EccPoint,
    rng: &mut dyn evtpm_crypto::Rng,
) -> Result<(EccPoint, EccPoint), CryptoError> {
    let ephemeral = EccPrivate::generate(recipient.curve(), rng)?;
    Ok((C::ecc_multiply(&ephemeral, recipient)?, C::ecc_public(&ephemeral)?))
}

/// "y has length 0 and x is populated" with the little-endian X coordinate.
fn agree_x25519<P: Platform>(tpm: &mut Tpm<P>, recipient: &[u8; 32]) -> Result<EcdhKeyGenResponse, Rc> {
    let mut ephemeral = Zeroizing::new([0; 32]);
    tpm.rng().fill(ephemeral.as_mut_slice()).map_err(|error| tpm.fail(Failure::Entropy(error)))?;
    let shared = P::Crypto::x25519(&ephemeral, recipient).map_err(|_| Rc::NO_RESULT)?;
    let public = P::Crypto::x25519_public(&ephemeral).map_err(|_| Rc::NO_RESULT)?;

    Ok(EcdhKeyGenResponse { z_point: x_point(shared.as_slice())?, pub_point: x_point(&public)? })
}

/// Makes a point of Curve25519.
pub(super) fn x_point(x: &[u8]) -> Result<Tpm2bEccPoint, Rc> {
    let x = Tpm2bEccParameter::new(x).map_err(|Overflow| Rc::FAILURE)?;
    Ok(Tpm2b(TpmsEccPoint { x, y: Tpm2bEccParameter::EMPTY }))
}

/// Writes a point with coordinates of the curve's full size.
pub(in crate::commands) fn wire_point(point: &EccPoint) -> Result<Tpm2bEccPoint, Rc> {
    let coordinate = |bytes| Tpm2bEccParameter::new(bytes).map_err(|Overflow| Rc::FAILURE);
    Ok(Tpm2b(TpmsEccPoint { x: coordinate(point.x())?, y: coordinate(point.y())? }))
}
