// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signing with the commands of version 185: messages of any length, and digests.
use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{
    SequenceUpdate, SequenceUpdateHandles, SignDigest, SignDigestHandles, SignSequenceComplete,
    SignSequenceCompleteHandles, SignSequenceStart, SignSequenceStartHandles,
};
use evtpm_tpm_wire::{
    Handle, MAX_DIGEST_BUFFER, Supported, Tpm2bAuth, Tpm2bDigest, Tpm2bMaxBuffer, Tpm2bSignatureCtx, TpmiDhObject,
    TpmtSignature, TpmtTkHashcheck,
};

use crate::auth::Auth;
use crate::{Client, ClientError, Object, Transport};

impl<T: Transport, R: Rng> Client<T, R> {
    /// Signs a message by the scheme of `key`, with a context where the scheme has one; `auth` is the authValue of the key.
    ///
    /// EdDSA signs up to 1,024 bytes, which the TPM must see at once.
    pub fn sign_message(
        &mut self,
        key: &Object,
        auth: &[u8],
        context: &[u8],
        message: &[u8],
    ) -> Result<TpmtSignature, ClientError> {
        let command = SignSequenceStart { auth: Tpm2bAuth::EMPTY, context: Tpm2bSignatureCtx::new(context)? };
        let handles = SignSequenceStartHandles { key_handle: key.as_object()? };
        let started = self.run(handles, &command, &mut [])?.sequence_handle;
        let signed = self.sign_sequence(started, key, auth, message);
        if signed.is_err() {
            // The refusal matters more than whether the sequence could be ended.
            let _ = self.flush(started);
        }
        signed
    }

    fn sign_sequence(
        &mut self,
        started: Handle,
        key: &Object,
        auth: &[u8],
        message: &[u8],
    ) -> Result<TpmtSignature, ClientError> {
        let sequence_handle = TpmiDhObject::new(started, &Supported::ALL).ok_or(ClientError::TooLong)?;
        // The last piece goes with the completion, and is the whole message if it is short.
        let mut rest = message;
        while let Some((piece, after)) = rest.split_at_checked(MAX_DIGEST_BUFFER).filter(|(_, after)| !after.is_empty())
        {
            let command = SequenceUpdate { buffer: Tpm2bMaxBuffer::new(piece)? };
            self.run(SequenceUpdateHandles { sequence_handle }, &command, &mut [Auth::EMPTY])?;
            rest = after;
        }
        let command = SignSequenceComplete { buffer: Tpm2bMaxBuffer::new(rest)? };
        let handles = SignSequenceCompleteHandles { sequence_handle, key_handle: key.as_object()? };
        Ok(self.run(handles, &command, &mut [Auth::EMPTY, Auth::Password(auth)])?.signature)
    }

    /// Signs a digest by the scheme of `key`; `validation` says for a restricted key that the TPM made the digest.
    pub fn sign_digest(
        &mut self,
        key: &Object,
        auth: &[u8],
        context: &[u8],
        digest: &[u8],
        validation: TpmtTkHashcheck,
    ) -> Result<TpmtSignature, ClientError> {
        let (context, digest) = (Tpm2bSignatureCtx::new(context)?, Tpm2bDigest::new(digest)?);
        let handles = SignDigestHandles { key_handle: key.as_object()? };
        let command = SignDigest { context, digest, validation };
        Ok(self.run(handles, &command, &mut [Auth::Password(auth)])?.signature)
    }
}
