// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sharing secrets with the key encapsulation commands of version 185.
use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{Decapsulate, DecapsulateHandles, Encapsulate, EncapsulateHandles};
use evtpm_tpm_wire::{Tpm2bKemCiphertext, Tpm2bKemCiphertextIn, Tpm2bSharedSecret};

use crate::auth::Auth;
use crate::{Client, ClientError, Object, Transport};

impl<T: Transport, R: Rng> Client<T, R> {
    /// Shares a fresh secret with the holder of the private part of `key`, an ML-KEM key or an ECC key with HKDF.
    pub fn encapsulate(&mut self, key: &Object) -> Result<(Tpm2bSharedSecret, Tpm2bKemCiphertext), ClientError> {
        let handles = EncapsulateHandles { key_handle: key.as_object()? };
        let shared = self.run(handles, &Encapsulate {}, &mut [])?;
        Ok((shared.shared_secret, shared.ciphertext))
    }

    /// Recovers a secret that was shared with `key`; `auth` is the authValue of the key.
    pub fn decapsulate(
        &mut self,
        key: &Object,
        auth: &[u8],
        ciphertext: &[u8],
    ) -> Result<Tpm2bSharedSecret, ClientError> {
        let command = Decapsulate { ciphertext: Tpm2bKemCiphertextIn::new(ciphertext)? };
        let handles = DecapsulateHandles { key_handle: key.as_object()? };
        Ok(self.run(handles, &command, &mut [Auth::Password(auth)])?.shared_secret)
    }
}
