// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What RSA encryption and decryption share (Part 3, "TPM2_RSA_Encrypt", "Padding Scheme Selection").

use crate::algorithm;
use evtpm_crypto::HashAlg;
use evtpm_tpm_wire::{PublicBody, Rc, Subject, Tpm2bData, TpmsRsaParms, TpmtPublic, TpmtRsaDecrypt, TpmtRsaScheme};

/// How a message is padded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    /// "TPM_ALG_NULL - Data is not padded by the TPM".
    None,
    /// RSAES-PKCS1-v1_5.
    Rsaes,
    /// RSAES-OAEP.
    Oaep(HashAlg),
}

impl Padding {
    /// Chooses the padding, which the key decides unless its scheme is NULL, and checks the label.
    pub(super) fn choose(
        parms: &TpmsRsaParms,
        requested: Option<TpmtRsaDecrypt>,
        label: &Tpm2bData,
    ) -> Result<Self, Rc> {
        // "If provided (label.size != 0) then the TPM shall return TPM_RC_VALUE if the last octet in label is not zero."
        if label.as_bytes().last().is_some_and(|last| *last != 0) {
            return Err(Rc::VALUE.at(Subject::Parameter(3)));
        }
        let scheme = Rc::SCHEME.at(Subject::Parameter(2));
        let own = match parms.scheme {
            None => None,
            Some(TpmtRsaScheme::Rsaes) => Some(TpmtRsaDecrypt::Rsaes),
            Some(TpmtRsaScheme::Oaep(hash)) => Some(TpmtRsaDecrypt::Oaep(hash)),
            Some(TpmtRsaScheme::Rsassa(_) | TpmtRsaScheme::Rsapss(_)) => return Err(scheme),
        };
        let chosen = match (own, requested) {
            (None, requested) => requested,
            (own, None) => own,
            (own, requested) if own == requested => own,
            _ => return Err(scheme),
        };
        Ok(match chosen {
            None => Self::None,
            Some(TpmtRsaDecrypt::Rsaes) => Self::Rsaes,
            Some(TpmtRsaDecrypt::Oaep(hash)) => Self::Oaep(algorithm::hash(hash).ok_or(scheme)?),
        })
    }
}

/// Lends parameters and modulus of an RSA key: "The key ... is required to be an RSA key (TPM_RC_KEY)."
pub(super) fn rsa_key(public: &TpmtPublic) -> Result<(&TpmsRsaParms, &[u8]), Rc> {
    match &public.body {
        PublicBody::Rsa { parms, unique } => Ok((parms, unique.as_bytes())),
        _ => Err(Rc::KEY.at(Subject::Handle(1))),
    }
}
