// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Decapsulate` (Part 3, "TPM2_Decapsulate").

use super::encapsulate::is_kem_key;
use crate::commands::Execute;
use crate::object::encapsulation::{deserialize, dhkem_of, serialize};
use crate::object::secret::{Private, private_key};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, CryptoError, Dhkem, EccPrivate, dhkem_extract_and_expand};
use evtpm_protocol::{ProtocolError, mlkem_set};
use evtpm_tpm_wire::commands::{Decapsulate, DecapsulateHandles, DecapsulateResponse};
use evtpm_tpm_wire::{EccCurve, PublicBody, Rc, Subject, Tpm2bSharedSecret, TpmaObject};

type Shared = Result<Tpm2bSharedSecret, ProtocolError>;

impl Execute for Decapsulate<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: DecapsulateHandles) -> Result<DecapsulateResponse, Rc> {
        let at_key = |rc: Rc| rc.at(Subject::Handle(1));
        let key = tpm.object(handles.key_handle.handle()).filter(|key| is_kem_key(&key.public));
        let key = key.ok_or(at_key(Rc::KEY))?;
        // "a KEM key (TPM_RC_KEY) with restricted CLEAR and decrypt SET (TPM_RC_ATTRIBUTES)"
        if key.has(TpmaObject::RESTRICTED) || !key.has(TpmaObject::DECRYPT) {
            return Err(at_key(Rc::ATTRIBUTES));
        }

        let private = private_key(key).map_err(at_key)?;
        let ciphertext = self.ciphertext.as_bytes();
        let shared = match (&private, &key.public.body) {
            (Private::MlKem(seed), PublicBody::Mlkem { parms, .. }) => {
                P::Crypto::mlkem_decapsulate(mlkem_set(parms.parameter_set), seed, ciphertext)
                    .map_err(ProtocolError::from)
                    .and_then(|shared| Ok(Tpm2bSharedSecret::new(shared.as_slice())?))
            }
            (Private::Curve25519(private), _) => x25519::<P::Crypto>(private, ciphertext),
            (Private::Ecc(private), PublicBody::Ecc { parms, .. }) => {
                dhkem::<P::Crypto>(parms.curve_id, private, ciphertext)
            }
            _ => return Err(at_key(Rc::KEY)),
        };
        let shared_secret = shared.map_err(|error| match error {
            ProtocolError::Crypto(CryptoError::Length { .. }) => Rc::SIZE.at(Subject::Parameter(1)),
            error => tpm.refuse_protocol(error, error.rc().at(Subject::Parameter(1))),
        })?;

        Ok(DecapsulateResponse { shared_secret })
    }
}

fn x25519<C: Crypto>(private: &[u8; 32], ciphertext: &[u8]) -> Shared {
    let actual = ciphertext.len();
    let ephemeral = ciphertext.try_into().map_err(|_| CryptoError::Length { expected: 32, actual })?;
    let dh = C::x25519(private, ephemeral)?;
    let recipient = C::x25519_public(private)?;
    let secret = dhkem_extract_and_expand::<C>(Dhkem::X25519, dh.as_slice(), ciphertext, &recipient)?;
    Ok(Tpm2bSharedSecret::new(secret.as_bytes())?)
}

fn dhkem<C: Crypto>(curve: EccCurve, private: &EccPrivate, ciphertext: &[u8]) -> Shared {
    let kem = dhkem_of(curve).ok_or(ProtocolError::Curve(curve))?;
    let ephemeral = deserialize(private.curve(), ciphertext).ok_or(CryptoError::PointNotOnCurve)?;
    let dh = C::ecc_multiply(private, &ephemeral)?;
    let recipient = serialize(&C::ecc_public(private)?)?;
    let secret = dhkem_extract_and_expand::<C>(kem, dh.x(), ciphertext, recipient.as_bytes())?;
    Ok(Tpm2bSharedSecret::new(secret.as_bytes())?)
}
