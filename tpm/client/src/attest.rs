// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes, and keys that vouch for others of their TPM.
use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{Certify, CertifyHandles, Quote as QuoteCommand, QuoteHandles};
use evtpm_tpm_wire::{Cc, Rc, Tpm2bAttest, Tpm2bData, TpmlPcrSelection, TpmtSignature};

use crate::auth::Auth;
use crate::{Client, ClientError, Object, Transport};

/// A quote or a certificate: what the TPM signed, byte by byte, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The signed `TPMS_ATTEST`.
    pub attest: Tpm2bAttest,
    /// The signature.
    pub signature: TpmtSignature,
}

impl<T: Transport, R: Rng> Client<T, R> {
    /// Quotes PCRs with the scheme of `key`; `auth` is the authValue of the key.
    pub fn quote(
        &mut self,
        key: &Object,
        auth: &[u8],
        nonce: &[u8],
        pcrs: &TpmlPcrSelection,
    ) -> Result<Quote, ClientError> {
        let command = QuoteCommand { qualifying_data: Tpm2bData::new(nonce)?, in_scheme: None, pcr_select: *pcrs };
        let handles = QuoteHandles { sign_handle: Some(key.as_object()?) };
        let quoted = self.run(handles, &command, &mut [Auth::Password(auth)])?;
        // A null signature proves nothing; only a null key may give one.
        let refused = ClientError::Malformed { command: Cc::QUOTE, code: Rc::SIGNATURE };
        Ok(Quote { attest: quoted.quoted, signature: quoted.signature.ok_or(refused)? })
    }

    /// Has `key` certify that `object` is in the same TPM; both are used without an authValue.
    pub fn certify(&mut self, object: &Object, key: &Object, nonce: &[u8]) -> Result<Quote, ClientError> {
        let command = Certify { qualifying_data: Tpm2bData::new(nonce)?, in_scheme: None };
        let handles = CertifyHandles { object_handle: object.as_object()?, sign_handle: Some(key.as_object()?) };
        let certified = self.run(handles, &command, &mut [Auth::EMPTY, Auth::EMPTY])?;
        let refused = ClientError::Malformed { command: Cc::CERTIFY, code: Rc::SIGNATURE };
        Ok(Quote { attest: certified.certify_info, signature: certified.signature.ok_or(refused)? })
    }
}
