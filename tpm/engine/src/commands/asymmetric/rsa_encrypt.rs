// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_RSA_Encrypt` (Part 3, "TPM2_RSA_Encrypt").

use super::rsa::{Padding, rsa_key};
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_crypto::padding::{oaep, pkcs1, raw};
use evtpm_crypto::{Crypto, CryptoError, Rng};
use evtpm_protocol::rsa_exponent;
use evtpm_tpm_wire::commands::{RsaEncrypt, RsaEncryptHandles, RsaEncryptResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bPublicKeyRsa};

impl Execute for RsaEncrypt<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: RsaEncryptHandles) -> Result<RsaEncryptResponse, Rc> {
        // "the TPM shall not check the consistency of the attributes", which a public key alone can have as it likes
        let key = tpm.object(handles.key_handle.handle()).ok_or(Rc::KEY.at(Subject::Handle(1)))?;
        let (parms, modulus) = rsa_key(&key.public)?;
        let padding = Padding::choose(parms, self.in_scheme, &self.label)?;

        let (modulus, exponent) =
            (Tpm2bPublicKeyRsa::new(modulus).map_err(|Overflow| Rc::KEY)?, rsa_exponent(parms.exponent));
        let mut out_data = Tpm2bPublicKeyRsa::zeros(modulus.len()).map_err(|Overflow| Rc::KEY)?;
        let block = out_data.as_mut_bytes();
        let padded = pad::<P::Crypto>(padding, self.message.as_bytes(), self.label.as_bytes(), block, &mut tpm.rng());
        let encrypted = padded.and_then(|()| P::Crypto::rsa_public(modulus.as_bytes(), exponent, block));
        // "TPM_RC_VALUE": too long for its padding, or without padding not below the modulus
        encrypted.map_err(|error| tpm.refuse(error, Rc::VALUE.at(Subject::Parameter(1))))?;

        Ok(RsaEncryptResponse { out_data })
    }
}

fn pad<C: Crypto>(
    padding: Padding,
    message: &[u8],
    label: &[u8],
    block: &mut [u8],
    rng: &mut dyn Rng,
) -> Result<(), CryptoError> {
    match padding {
        Padding::None => raw::encode(message, block),
        Padding::Rsaes => pkcs1::encode_encryption(message, rng, block),
        Padding::Oaep(alg) => oaep::encode::<C::Hasher>(alg, label, message, rng, block),
    }
}
