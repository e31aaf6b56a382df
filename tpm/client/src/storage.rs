// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Storage: keys that come from outside, and data that are sealed.
use evtpm_crypto::Rng;
use evtpm_tpm_wire::commands::{Create, CreateHandles, Import, ImportHandles, Unseal, UnsealHandles};
use evtpm_tpm_wire::{
    Tpm2b, Tpm2bData, Tpm2bEncryptedSecretIn, Tpm2bPrivate, Tpm2bPrivateIn, Tpm2bSensitiveData, TpmlPcrSelection,
    TpmtPublic,
};

use crate::auth::Auth;
use crate::object::sensitive;
use crate::{Client, ClientError, Object, Transport};

impl<T: Transport, R: Rng> Client<T, R> {
    /// Makes a duplicate without inner wrapper an object of `parent`, which is used without an authValue.
    pub fn import(
        &mut self,
        parent: &Object,
        public: &TpmtPublic,
        duplicate: &[u8],
        secret: &[u8],
    ) -> Result<Tpm2bPrivate, ClientError> {
        let command = Import {
            encryption_key: Tpm2bData::EMPTY,
            object_public: Tpm2b(public.clone()),
            duplicate: Tpm2bPrivateIn::new(duplicate)?,
            in_sym_seed: Tpm2bEncryptedSecretIn::new(secret)?,
            symmetric_alg: None,
        };
        let handles = ImportHandles { parent_handle: parent.as_object()? };
        Ok(self.run(handles, &command, &mut [Auth::EMPTY])?.out_private)
    }

    /// Seals data below `parent`; both are used without an authValue.
    pub fn seal(
        &mut self,
        parent: &Object,
        template: &TpmtPublic,
        data: &[u8],
    ) -> Result<(Tpm2bPrivate, TpmtPublic), ClientError> {
        let command = Create {
            in_sensitive: sensitive(&[], data)?,
            in_public: Tpm2b(template.clone()),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        let handles = CreateHandles { parent_handle: parent.as_object()? };
        let created = self.run(handles, &command, &mut [Auth::EMPTY])?;
        Ok((created.out_private, created.out_public.0))
    }

    /// Returns sealed data, whose object is used without an authValue.
    pub fn unseal(&mut self, object: &Object) -> Result<Tpm2bSensitiveData, ClientError> {
        let handles = UnsealHandles { item_handle: object.as_object()? };
        Ok(self.run(handles, &Unseal {}, &mut [Auth::EMPTY])?.out_data)
    }
}
