// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_RSA_Decrypt` (Part 3, "TPM2_RSA_Decrypt").

use super::rsa::{Padding, rsa_key};
use crate::commands::Execute;
use crate::object::secret::{Private, private_key};
use crate::{Platform, Tpm};
use evtpm_crypto::padding::{oaep, pkcs1};
use evtpm_crypto::{Crypto, CryptoError};
use evtpm_tpm_wire::commands::{RsaDecrypt, RsaDecryptHandles, RsaDecryptResponse};
use evtpm_tpm_wire::{MAX_RSA_KEY, Overflow, Rc, Secret, Subject, Tpm2bPublicKeyRsa, TpmaObject};

impl Execute for RsaDecrypt<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: RsaDecryptHandles) -> Result<RsaDecryptResponse, Rc> {
        let key = tpm.object(handles.key_handle.handle()).ok_or(Rc::KEY.at(Subject::Handle(1)))?;
        let (parms, modulus) = rsa_key(&key.public)?;
        // "with restricted CLEAR and decrypt SET (TPM_RC_ATTRIBUTES)"
        if key.has(TpmaObject::RESTRICTED) || !key.has(TpmaObject::DECRYPT) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }
        let padding = Padding::choose(parms, self.in_scheme, &self.label)?;
        if self.cipher_text.len() != modulus.len() {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }

        let mut block = Secret::<MAX_RSA_KEY>::new(self.cipher_text.as_bytes()).map_err(|Overflow| Rc::FAILURE)?;
        let (state, mut rng, work) = tpm.split();
        let key = state.objects.object(handles.key_handle.handle()).map(private_key).transpose()?;
        let Some(Private::Rsa(private)) = key else { return Err(Rc::KEY.at(Subject::Handle(1))) };
        let message = P::Crypto::rsa_private(private, block.as_mut_bytes(), &mut rng, work.memory()?)
            .and_then(|()| unpad::<P::Crypto>(padding, self.label.as_bytes(), block.as_mut_bytes()));
        // "If the padding checks fail, TPM_RC_VALUE is returned": the same code in the same time, whatever is wrong
        let message = message.map_err(|error| tpm.refuse(error, Rc::VALUE.at(Subject::Parameter(1))))?;

        Ok(RsaDecryptResponse { message })
    }
}

/// Takes the padding off, in constant flow.
fn unpad<C: Crypto>(padding: Padding, label: &[u8], block: &mut [u8]) -> Result<Tpm2bPublicKeyRsa, CryptoError> {
    let overflow = |Overflow| CryptoError::Length { expected: MAX_RSA_KEY, actual: MAX_RSA_KEY };
    let mut message = Tpm2bPublicKeyRsa::zeros(MAX_RSA_KEY).map_err(overflow)?;
    let size = match padding {
        // "The returned value may include leading octets zeros so that it is the same size as the public modulus."
        Padding::None => return Tpm2bPublicKeyRsa::new(block).map_err(overflow),
        Padding::Rsaes => pkcs1::decode_encryption(block, message.as_mut_bytes())?,
        Padding::Oaep(alg) => oaep::decode::<C::Hasher>(alg, label, block, message.as_mut_bytes())?,
    };
    message.truncate(size);
    Ok(message)
}
