// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Encapsulate` (Part 3, "TPM2_Encapsulate").

use crate::commands::Execute;
use crate::object::encapsulation::{dhkem_of, serialize};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, EccPrivate, Rng, dhkem_extract_and_expand};
use evtpm_protocol::{ProtocolError, curve25519_key, ecc_point, mlkem_set};
use evtpm_tpm_wire::commands::{Encapsulate, EncapsulateHandles, EncapsulateResponse};
use evtpm_tpm_wire::{
    EccCurve, PublicBody, Rc, Subject, Tpm2bKemCiphertext, Tpm2bPublicKeyMlkem, Tpm2bSharedSecret, TpmiMlkemParms,
    TpmsEccPoint, TpmtPublic,
};
use zeroize::Zeroizing;

type Shared = Result<(Tpm2bSharedSecret, Tpm2bKemCiphertext), ProtocolError>;

impl Execute for Encapsulate {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: EncapsulateHandles) -> Result<EncapsulateResponse, Rc> {
        // "The key referenced by keyHandle shall be a KEM key (TPM_RC_KEY)"; "The TPM does not verify the objectAttributes"
        let no_kem_key = Rc::KEY.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).filter(|key| is_kem_key(&key.public)).ok_or(no_kem_key)?;

        let key = key.clone();
        let mut rng = tpm.rng();
        let shared = match &key.public.body {
            PublicBody::Mlkem { parms, unique } => mlkem::<P::Crypto>(parms.parameter_set, unique, &mut rng),
            PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::Curve25519 => {
                x25519::<P::Crypto>(unique, &mut rng)
            }
            PublicBody::Ecc { parms, unique } => dhkem::<P::Crypto>(parms.curve_id, unique, &mut rng),
            _ => return Err(no_kem_key),
        };
        let (shared_secret, ciphertext) = shared.map_err(|error| match error {
            ProtocolError::TooLong => Rc::MEMORY,
            error => tpm.refuse_protocol(error, no_kem_key),
        })?;

        Ok(EncapsulateResponse { shared_secret, ciphertext })
    }
}

/// ML-KEM keys are, and those of ECC that name a key derivation function: "If this field is not NULL, then this key can be
/// used with TPM2_Encapsulate() and TPM2_Decapsulate()".
pub(super) fn is_kem_key(public: &TpmtPublic) -> bool {
    match &public.body {
        PublicBody::Mlkem { .. } => true,
        PublicBody::Ecc { parms, .. } => parms.kdf.is_some(),
        _ => false,
    }
}

fn mlkem<C: Crypto>(parms: TpmiMlkemParms, unique: &Tpm2bPublicKeyMlkem, rng: &mut dyn Rng) -> Shared {
    let set = mlkem_set(parms);
    let mut ciphertext = Tpm2bKemCiphertext::zeros(set.ciphertext_size())?;
    let shared = C::mlkem_encapsulate(set, unique.as_bytes(), rng, ciphertext.as_mut_bytes())?;
    Ok((Tpm2bSharedSecret::new(shared.as_slice())?, ciphertext))
}

fn x25519<C: Crypto>(unique: &TpmsEccPoint, rng: &mut dyn Rng) -> Shared {
    let recipient = curve25519_key(unique)?;
    let mut ephemeral = Zeroizing::new([0; 32]);
    rng.fill(ephemeral.as_mut_slice())?;
    let public = C::x25519_public(&ephemeral)?;
    let dh = C::x25519(&ephemeral, &recipient)?;
    let kem = evtpm_crypto::Dhkem::X25519;
    let secret = dhkem_extract_and_expand::<C>(kem, dh.as_slice(), &public, &recipient)?;
    Ok((Tpm2bSharedSecret::new(secret.as_bytes())?, Tpm2bKemCiphertext::new(&public)?))
}

fn dhkem<C: Crypto>(curve: EccCurve, unique: &TpmsEccPoint, rng: &mut dyn Rng) -> Shared {
    let kem = dhkem_of(curve).ok_or(ProtocolError::Curve(curve))?;
    let recipient = ecc_point(curve, unique)?;
    let ephemeral = EccPrivate::generate(recipient.curve(), rng)?;
    let public = serialize(&C::ecc_public(&ephemeral)?)?;
    let dh = C::ecc_multiply(&ephemeral, &recipient)?;
    let secret = dhkem_extract_and_expand::<C>(kem, dh.x(), public.as_bytes(), serialize(&recipient)?.as_bytes())?;
    Ok((Tpm2bSharedSecret::new(secret.as_bytes())?, Tpm2bKemCiphertext::new(public.as_bytes())?))
}
