// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Templates and short forms of the object commands.

use super::TestTpm;
use evtpm_protocol::templates::storage_root_key;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    EccCurve, Handle, HashAlg, PublicBody, Rc, SensitiveBody, Supported, Tpm2b, Tpm2bAuth, Tpm2bData, Tpm2bDigest,
    Tpm2bPrivate, Tpm2bPrivateIn, Tpm2bPublicKeyRsa, Tpm2bSensitive, Tpm2bSensitiveCreate, Tpm2bSensitiveData,
    TpmaObject, TpmiDhObject, TpmiMldsaParms, TpmiMlkemParms, TpmiRhHierarchy, TpmiRsaKeyBits, TpmlPcrSelection,
    TpmsEccParms, TpmsEccPoint, TpmsHashMldsaParms, TpmsMldsaParms, TpmsMlkemParms, TpmsRsaParms, TpmsSensitiveCreate,
    TpmtEccScheme, TpmtKdfScheme, TpmtKeyedhashScheme, TpmtPublic, TpmtPublicPlus, TpmtRsaScheme, TpmtSensitive, YesNo,
};

/// The attributes of an unrestricted key that the TPM makes and keeps, and that a password opens.
pub(crate) const OWN: TpmaObject = TpmaObject::FIXED_TPM
    .with(TpmaObject::FIXED_PARENT)
    .with(TpmaObject::SENSITIVE_DATA_ORIGIN)
    .with(TpmaObject::USER_WITH_AUTH)
    .with(TpmaObject::NO_DA);

/// A public area with SHA-256 and without policy.
pub(crate) fn public(object_attributes: TpmaObject, body: PublicBody) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha256), object_attributes, auth_policy: Tpm2bDigest::EMPTY, body }
}

/// An RSA-1024 key, because tests have no time.
pub(crate) fn rsa(attributes: TpmaObject, scheme: Option<TpmtRsaScheme>) -> TpmtPublic {
    let parms = TpmsRsaParms { symmetric: None, scheme, key_bits: TpmiRsaKeyBits(1024), exponent: 0 };
    public(attributes, PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY })
}

/// An ECC key.
pub(crate) fn ecc(attributes: TpmaObject, curve_id: EccCurve, scheme: Option<TpmtEccScheme>) -> TpmtPublic {
    let parms = TpmsEccParms { symmetric: None, scheme, curve_id, kdf: None };
    public(attributes, PublicBody::Ecc { parms, unique: TpmsEccPoint::default() })
}

/// A key of ML-DSA.
pub(crate) fn mldsa(attributes: TpmaObject, parameter_set: TpmiMldsaParms, mu: YesNo) -> TpmtPublic {
    let parms = TpmsMldsaParms { parameter_set, allow_external_mu: mu };
    public(attributes, PublicBody::Mldsa { parms, unique: Default::default() })
}

/// A key of HashML-DSA.
pub(crate) fn hash_mldsa(attributes: TpmaObject, parameter_set: TpmiMldsaParms, hash_alg: HashAlg) -> TpmtPublic {
    let parms = TpmsHashMldsaParms { parameter_set, hash_alg };
    public(attributes, PublicBody::HashMldsa { parms, unique: Default::default() })
}

/// A key of ML-KEM that is no parent.
pub(crate) fn mlkem(attributes: TpmaObject, parameter_set: TpmiMlkemParms) -> TpmtPublic {
    public(
        attributes,
        PublicBody::Mlkem { parms: TpmsMlkemParms { symmetric: None, parameter_set }, unique: Default::default() },
    )
}

/// A key of a key encapsulation over a curve.
pub(crate) fn dhkem(attributes: TpmaObject, curve_id: EccCurve, hash: HashAlg) -> TpmtPublic {
    let scheme = Some(TpmtEccScheme::Ecdh(HashAlg::Sha256));
    let parms = TpmsEccParms { symmetric: None, scheme, curve_id, kdf: Some(TpmtKdfScheme::Hkdf(hash)) };
    public(attributes, PublicBody::Ecc { parms, unique: TpmsEccPoint::default() })
}

/// A keyed-hash object.
pub(crate) fn keyed_hash(attributes: TpmaObject, scheme: Option<TpmtKeyedhashScheme>) -> TpmtPublic {
    public(attributes, PublicBody::KeyedHash { scheme, unique: Tpm2bDigest::EMPTY })
}

/// A sealed data object.
pub(crate) fn sealed() -> TpmtPublic {
    keyed_hash(OWN.without(TpmaObject::SENSITIVE_DATA_ORIGIN), None)
}

/// A handle that a command takes for an object.
pub(crate) fn object(handle: Handle) -> TpmiDhObject {
    TpmiDhObject::new(handle, &Supported::ALL).unwrap()
}

/// What the caller chooses of a sensitive area.
pub(crate) fn sensitive(auth: &[u8], data: &[u8]) -> Tpm2bSensitiveCreate {
    let (user_auth, data) = (Tpm2bAuth::new(auth).unwrap(), Tpm2bSensitiveData::new(data).unwrap());
    Tpm2b(TpmsSensitiveCreate { user_auth, data })
}

impl TestTpm {
    /// Makes a primary object with an empty authValue.
    pub(crate) fn primary(&mut self, hierarchy: TpmiRhHierarchy, template: TpmtPublic) -> CreatePrimaryResponse {
        let command = CreatePrimary {
            in_sensitive: sensitive(&[], &[]),
            in_public: Tpm2b(template),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        self.send(&command, CreatePrimaryHandles { primary_handle: hierarchy }).unwrap()
    }

    /// Makes a storage root key.
    pub(crate) fn storage_root(&mut self) -> Handle {
        self.primary(TpmiRhHierarchy::Owner, storage_root_key()).object_handle
    }

    /// Loads a key from outside, with both halves if there is a sensitive one.
    pub(crate) fn load_external(
        &mut self,
        sensitive: Option<SensitiveBody>,
        public: TpmtPublic,
        hierarchy: TpmiRhHierarchy,
    ) -> Result<LoadExternalResponse, Rc> {
        let (auth_value, seed_value) = (Tpm2bAuth::EMPTY, Tpm2bAuth::EMPTY);
        let in_private = Tpm2bSensitive(sensitive.map(|body| TpmtSensitive { auth_value, seed_value, body }));
        self.send(&LoadExternal { in_private, in_public: Tpm2b(TpmtPublicPlus(public)), hierarchy }, ())
    }

    /// Makes an object under a parent that has an empty authValue.
    pub(crate) fn create(
        &mut self,
        parent: Handle,
        template: TpmtPublic,
        auth: &[u8],
        data: &[u8],
    ) -> Result<CreateResponse, Rc> {
        let command = Create {
            in_sensitive: sensitive(auth, data),
            in_public: Tpm2b(template),
            outside_info: Tpm2bData::EMPTY,
            creation_pcr: TpmlPcrSelection::new(),
        };
        self.send(&command, CreateHandles { parent_handle: object(parent) })
    }

    /// Loads an object under a parent that has an empty authValue.
    pub(crate) fn load(
        &mut self,
        parent: Handle,
        private: &Tpm2bPrivate,
        public: &TpmtPublic,
    ) -> Result<LoadResponse, Rc> {
        let in_private = Tpm2bPrivateIn::new(private.as_bytes()).unwrap();
        let command = Load { in_private, in_public: Tpm2b(public.clone()) };
        self.send(&command, LoadHandles { parent_handle: object(parent) })
    }

    /// Makes and loads an object under a parent, both with empty authValues.
    pub(crate) fn child(&mut self, parent: Handle, template: TpmtPublic, data: &[u8]) -> Handle {
        let made = self.create(parent, template, &[], data).unwrap();
        self.load(parent, &made.out_private, &made.out_public.0).unwrap().object_handle
    }
}
