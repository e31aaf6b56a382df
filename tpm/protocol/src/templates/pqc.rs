// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our templates of keys that quantum computers do not break: no TCG profile has any yet, so they follow its high range.
use evtpm_tpm_wire::{
    HashAlg, PublicBody, Tpm2bDigest, Tpm2bPublicKeyMldsa, Tpm2bPublicKeyMlkem, TpmiMldsaParms, TpmiMlkemParms,
    TpmsMldsaParms, TpmsMlkemParms, TpmtPublic, TpmtSymDefObject, YesNo,
};

use super::{ATTESTATION_KEY_ATTRIBUTES, EkTemplate, storage_root_key};

/// Returns the template of an ML-KEM endorsement key: attributes, policy and cipher of template H-3.
pub fn endorsement_key(parameter_set: TpmiMlkemParms) -> TpmtPublic {
    TpmtPublic { body: mlkem(parameter_set), ..EkTemplate::H3.public() }
}

/// Returns the template of an ML-KEM storage root key.
pub fn storage_key(parameter_set: TpmiMlkemParms) -> TpmtPublic {
    TpmtPublic { name_alg: Some(HashAlg::Sha384), body: mlkem(parameter_set), ..storage_root_key() }
}

/// Returns the template of an ML-DSA attestation key: restricted, so that it signs only what its TPM made.
pub fn attestation_key(parameter_set: TpmiMldsaParms) -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(HashAlg::Sha384),
        object_attributes: ATTESTATION_KEY_ATTRIBUTES,
        auth_policy: Tpm2bDigest::EMPTY,
        body: PublicBody::Mldsa {
            parms: TpmsMldsaParms { parameter_set, allow_external_mu: YesNo::No },
            unique: Tpm2bPublicKeyMldsa::EMPTY,
        },
    }
}

const fn mlkem(parameter_set: TpmiMlkemParms) -> PublicBody {
    PublicBody::Mlkem {
        parms: TpmsMlkemParms { symmetric: Some(TpmtSymDefObject::AES_256_CFB), parameter_set },
        unique: Tpm2bPublicKeyMlkem::EMPTY,
    }
}
