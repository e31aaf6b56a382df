// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys: making, loading, and opening credentials with them.
use evtpm_crypto::{Rng, RustCrypto};
use evtpm_protocol::credential::Credential;
use evtpm_protocol::object_name;
use evtpm_tpm_wire::commands::{
    ActivateCredential, ActivateCredentialHandles, Create, CreateHandles, CreatePrimary, CreatePrimaryHandles,
    EvictControl, EvictControlHandles, Import, ImportHandles, Load, LoadHandles, ReadPublic, ReadPublicHandles,
};
use evtpm_tpm_wire::{
    Handle, Supported, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bEncryptedSecretIn, Tpm2bIdObject, Tpm2bName, Tpm2bPrivate,
    Tpm2bPrivateIn, Tpm2bSensitiveCreate, Tpm2bSensitiveData, TpmaObject, TpmiDhObject, TpmiDhPersistent,
    TpmiRhHierarchy, TpmiRhProvision, TpmlPcrSelection, TpmsSensitiveCreate, TpmtPublic,
};

use crate::auth::Auth;
use crate::session::SessionOptions;
use crate::{Client, ClientError, Transport};

/// A loaded object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The handle.
    pub handle: Handle,
    /// The public area.
    pub public: TpmtPublic,
    /// The Name, which is the Name of the public area.
    pub name: Tpm2bName,
}

impl Object {
    /// Takes up an object whose Name the TPM returned with it, and checks that it is the Name of the public area.
    fn new(handle: Handle, public: TpmtPublic, name: Tpm2bName) -> Result<Self, ClientError> {
        if object_name::<RustCrypto>(&public)? != name {
            return Err(ClientError::Name { handle });
        }
        Ok(Self { handle, public, name })
    }

    pub(crate) fn as_object(&self) -> Result<TpmiDhObject, ClientError> {
        TpmiDhObject::new(self.handle, &Supported::ALL).ok_or(ClientError::TooLong)
    }
}

pub(crate) fn sensitive(user_auth: &[u8], data: &[u8]) -> Result<Tpm2bSensitiveCreate, ClientError> {
    Ok(Tpm2b(TpmsSensitiveCreate { user_auth: Tpm2bAuth::new(user_auth)?, data: Tpm2bSensitiveData::new(data)? }))
}

impl<T: Transport, R: Rng> Client<T, R> {
    /// Makes a primary object, with an empty authValue; `auth` is the authValue of the hierarchy.
    pub fn create_primary(
        &mut self,
        hierarchy: TpmiRhHierarchy,
        auth: &[u8],
        template: &TpmtPublic,
    ) -> Result<Object, ClientError> {
        let command = CreatePrimary {
            in_sensitive: sensitive(&[], &[])?,
            in_public: Tpm2b(template.clone()),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        let handles = CreatePrimaryHandles { primary_handle: hierarchy };
        let created = self.run(handles, &command, &mut [Auth::Password(auth)])?;
        Object::new(created.object_handle, created.out_public.0, created.name)
    }

    /// Makes an object under `parent`, with an empty authValue; `auth` is the authValue of the parent.
    pub fn create(
        &mut self,
        parent: &Object,
        auth: &[u8],
        template: &TpmtPublic,
    ) -> Result<(Tpm2bPrivate, TpmtPublic), ClientError> {
        let command = Create {
            in_sensitive: sensitive(&[], &[])?,
            in_public: Tpm2b(template.clone()),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        let handles = CreateHandles { parent_handle: parent.as_object()? };
        let created = self.run(handles, &command, &mut [Auth::Password(auth)])?;
        Ok((created.out_private, created.out_public.0))
    }

    /// Loads an object under `parent`; `auth` is the authValue of the parent.
    pub fn load(
        &mut self,
        parent: &Object,
        auth: &[u8],
        private: &Tpm2bPrivate,
        public: &TpmtPublic,
    ) -> Result<Object, ClientError> {
        let in_private = Tpm2bPrivateIn::new(private.as_bytes())?;
        let command = Load { in_private, in_public: Tpm2b(public.clone()) };
        let handles = LoadHandles { parent_handle: parent.as_object()? };
        let loaded = self.run(handles, &command, &mut [Auth::Password(auth)])?;
        Object::new(loaded.object_handle, public.clone(), loaded.name)
    }

    /// Takes up an object that is loaded already, or persistent.
    pub fn object(&mut self, handle: Handle) -> Result<Object, ClientError> {
        let object_handle = TpmiDhObject::new(handle, &Supported::ALL).ok_or(ClientError::TooLong)?;
        let read = self.run(ReadPublicHandles { object_handle }, &ReadPublic {}, &mut [])?;
        Object::new(handle, read.out_public.0.0, read.name)
    }

    /// Makes an object of the owner persistent; `auth` is the authValue of the owner.
    pub fn make_persistent(&mut self, object: &Object, auth: &[u8], handle: Handle) -> Result<Object, ClientError> {
        let persistent_handle = TpmiDhPersistent::new(handle, &Supported::ALL).ok_or(ClientError::TooLong)?;
        let handles = EvictControlHandles { auth: TpmiRhProvision::Owner, object_handle: object.as_object()? };
        self.run(handles, &EvictControl { persistent_handle }, &mut [Auth::Password(auth)])?;
        Ok(Object { handle, ..object.clone() })
    }

    /// Opens a credential for `object`, whose authValue is empty, with the endorsement key `key`.
    ///
    /// A key of the low range is authorized by its policy, PolicySecret(ENDORSEMENT) with `endorsement_auth`; a key of
    /// the high range, which has `userWithAuth`, by its empty authValue.
    pub fn activate_credential(
        &mut self,
        object: &Object,
        key: &Object,
        endorsement_auth: &[u8],
        credential_blob: &Tpm2bIdObject,
        secret: &[u8],
    ) -> Result<Credential, ClientError> {
        let handles = ActivateCredentialHandles { activate_handle: object.as_object()?, key_handle: key.as_object()? };
        let command =
            ActivateCredential { credential_blob: *credential_blob, secret: Tpm2bEncryptedSecretIn::new(secret)? };
        let names = [object.name, key.name];
        let opened = self.authorized_by(key, endorsement_auth, |tpm, auth| {
            tpm.run_named(handles, &command, &mut [Auth::EMPTY, auth], &names)
        })?;
        Ok(Credential::new(opened.cert_info.as_bytes())?)
    }

    /// Makes a duplicate without inner wrapper an object of the endorsement key `key`, which is authorized as in
    /// [`Self::activate_credential`], and loads it.
    pub fn import_below_endorsement_key(
        &mut self,
        key: &Object,
        endorsement_auth: &[u8],
        public: &TpmtPublic,
        duplicate: &[u8],
        secret: &[u8],
    ) -> Result<Object, ClientError> {
        let import = Import {
            encryption_key: Tpm2bData::EMPTY,
            object_public: Tpm2b(public.clone()),
            duplicate: Tpm2bPrivateIn::new(duplicate)?,
            in_sym_seed: Tpm2bEncryptedSecretIn::new(secret)?,
            symmetric_alg: None,
        };
        let parent_handle = key.as_object()?;
        let imported = self.authorized_by(key, endorsement_auth, |tpm, auth| {
            tpm.run_named(ImportHandles { parent_handle }, &import, &mut [auth], &[key.name])
        })?;
        let in_private = Tpm2bPrivateIn::new(imported.out_private.as_bytes())?;
        let load = Load { in_private, in_public: Tpm2b(public.clone()) };
        let loaded = self.authorized_by(key, endorsement_auth, |tpm, auth| {
            tpm.run_named(LoadHandles { parent_handle }, &load, &mut [auth], &[key.name])
        })?;
        Object::new(loaded.object_handle, public.clone(), loaded.name)
    }

    /// Runs a command with the authorization that an endorsement key asks for.
    fn authorized_by<X>(
        &mut self,
        key: &Object,
        endorsement_auth: &[u8],
        run: impl FnOnce(&mut Self, Auth<'_>) -> Result<X, ClientError>,
    ) -> Result<X, ClientError> {
        if key.public.object_attributes.contains(TpmaObject::USER_WITH_AUTH) {
            return run(self, Auth::EMPTY);
        }
        let hash = key.public.name_alg.unwrap_or_default();
        let mut session = self.start_session(SessionOptions { hash, ..SessionOptions::POLICY })?;
        let result = self
            .policy_secret(&session, Handle::ENDORSEMENT, endorsement_auth)
            .and_then(|()| run(self, Auth::session(&mut session)));
        // What came of the command matters more than whether the session could be ended.
        let ended = self.end_session(session);
        let result = result?;
        ended?;
        Ok(result)
    }
}
