// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Templates of endorsement, storage and attestation keys (TCG EK Credential Profile 2.5; TCG TPM 2.0 Provisioning
//! Guidance).
pub mod device;
pub mod pqc;

use evtpm_tpm_wire::{
    EccCurve, HashAlg, PublicBody, Tpm2bDigest, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmaNv, TpmaObject,
    TpmiRsaKeyBits, TpmsEccParms, TpmsEccPoint, TpmsRsaParms, TpmtEccScheme, TpmtPublic, TpmtRsaScheme,
    TpmtSymDefObject,
};
use hex_literal::hex;

/// An endorsement key template of the EK Credential Profile (its SM2 template H-5 is not available).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EkTemplate {
    /// RSA-2048 in the low range.
    L1,
    /// P-256 in the low range.
    L2,
    /// RSA-2048 in the high range.
    H1,
    /// P-256 in the high range.
    H2,
    /// P-384 in the high range.
    H3,
    /// P-521 in the high range.
    H4,
    /// RSA-3072 in the high range.
    H6,
    /// RSA-4096 in the high range.
    H7,
}

/// `PolicyA` of the low range for SHA-256: PolicySecret(ENDORSEMENT).
pub const POLICY_A_SHA256: [u8; 32] = hex!("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa");
/// `PolicyB` of the high range for SHA-256: PolicyA or PolicyAuthorizeNV.
pub const POLICY_B_SHA256: [u8; 32] = hex!("ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0");
/// `PolicyB` of the high range for SHA-384.
pub const POLICY_B_SHA384: [u8; 48] =
    hex!("b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12");
/// `PolicyB` of the high range for SHA-512.
pub const POLICY_B_SHA512: [u8; 64] = hex!(
    "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
    "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea"
);

/// The attributes of the index of `PolicyC`: PPWRITE and so on are not among them, as its policy alone may change it.
pub const POLICY_INDEX_ATTRIBUTES: TpmaNv = TpmaNv(0x220F_1008);

impl EkTemplate {
    /// Each template, in the order of the profile.
    pub const ALL: [Self; 8] = [Self::L1, Self::L2, Self::H1, Self::H2, Self::H3, Self::H4, Self::H6, Self::H7];

    /// Returns the NV index of the certificate.
    pub const fn certificate_index(self) -> u32 {
        match self {
            Self::L1 => 0x01C0_0002,
            Self::L2 => 0x01C0_000A,
            Self::H1 => 0x01C0_0012,
            Self::H2 => 0x01C0_0014,
            Self::H3 => 0x01C0_0016,
            Self::H4 => 0x01C0_0018,
            Self::H6 => 0x01C0_001C,
            Self::H7 => 0x01C0_001E,
        }
    }

    /// Returns the NV index of the nonce that replaces the start of the unique field, in the low range.
    pub const fn nonce_index(self) -> Option<u32> {
        match self {
            Self::L1 => Some(0x01C0_0003),
            Self::L2 => Some(0x01C0_000B),
            _ => None,
        }
    }

    /// Returns the NV index of a template that replaces this one where it exists.
    pub const fn template_index(self) -> u32 {
        match self {
            Self::L1 => 0x01C0_0004,
            Self::L2 => 0x01C0_000C,
            Self::H1 => 0x01C0_0013,
            Self::H2 => 0x01C0_0015,
            Self::H3 => 0x01C0_0017,
            Self::H4 => 0x01C0_0019,
            Self::H6 => 0x01C0_001D,
            Self::H7 => 0x01C0_001F,
        }
    }

    /// Returns whether the template is of the low range: with PolicyA and a zero-filled unique field.
    pub const fn is_low(self) -> bool {
        matches!(self, Self::L1 | Self::L2)
    }

    /// Returns the nameAlg.
    pub const fn name_alg(self) -> HashAlg {
        match self {
            Self::L1 | Self::L2 | Self::H1 | Self::H2 => HashAlg::Sha256,
            Self::H3 | Self::H6 | Self::H7 => HashAlg::Sha384,
            Self::H4 => HashAlg::Sha512,
        }
    }

    /// Returns the policy.
    pub const fn policy(self) -> &'static [u8] {
        match (self.is_low(), self.name_alg()) {
            (true, _) => &POLICY_A_SHA256,
            (false, HashAlg::Sha384) => &POLICY_B_SHA384,
            (false, HashAlg::Sha512) => &POLICY_B_SHA512,
            (false, _) => &POLICY_B_SHA256,
        }
    }

    /// Returns the public area to create the key from.
    pub fn public(self) -> TpmtPublic {
        let attributes = if self.is_low() { TpmaObject::NONE } else { TpmaObject::USER_WITH_AUTH };
        TpmtPublic {
            name_alg: Some(self.name_alg()),
            object_attributes: attributes
                | TpmaObject::FIXED_TPM
                | TpmaObject::FIXED_PARENT
                | TpmaObject::SENSITIVE_DATA_ORIGIN
                | TpmaObject::ADMIN_WITH_POLICY
                | TpmaObject::RESTRICTED
                | TpmaObject::DECRYPT,
            // Cannot fail: no policy is longer than the greatest digest.
            auth_policy: Tpm2bDigest::new(self.policy()).unwrap_or_default(),
            body: self.body(),
        }
    }

    fn body(self) -> PublicBody {
        // The sizes below are within the capacities, so the zeros are always there.
        let coordinate = Tpm2bEccParameter::zeros(32).unwrap_or_default();
        match self {
            Self::L1 => rsa(2048, TpmtSymDefObject::AES_128_CFB, Tpm2bPublicKeyRsa::zeros(256).unwrap_or_default()),
            Self::H1 => rsa(2048, TpmtSymDefObject::AES_128_CFB, Tpm2bPublicKeyRsa::EMPTY),
            Self::H6 => rsa(3072, TpmtSymDefObject::AES_256_CFB, Tpm2bPublicKeyRsa::EMPTY),
            Self::H7 => rsa(4096, TpmtSymDefObject::AES_256_CFB, Tpm2bPublicKeyRsa::EMPTY),
            Self::L2 => {
                let unique = TpmsEccPoint { x: coordinate, y: coordinate };
                ecc(EccCurve::NistP256, Some(TpmtSymDefObject::AES_128_CFB), None, unique)
            }
            Self::H2 => storage_ecc(EccCurve::NistP256, TpmtSymDefObject::AES_128_CFB),
            Self::H3 => storage_ecc(EccCurve::NistP384, TpmtSymDefObject::AES_256_CFB),
            Self::H4 => storage_ecc(EccCurve::NistP521, TpmtSymDefObject::AES_256_CFB),
        }
    }
}

const fn rsa(bits: u16, cipher: TpmtSymDefObject, unique: Tpm2bPublicKeyRsa) -> PublicBody {
    let parms = TpmsRsaParms { symmetric: Some(cipher), scheme: None, key_bits: TpmiRsaKeyBits(bits), exponent: 0 };
    PublicBody::Rsa { parms, unique }
}

fn storage_ecc(curve: EccCurve, cipher: TpmtSymDefObject) -> PublicBody {
    ecc(curve, Some(cipher), None, TpmsEccPoint::default())
}

const fn ecc(
    curve_id: EccCurve,
    symmetric: Option<TpmtSymDefObject>,
    scheme: Option<TpmtEccScheme>,
    unique: TpmsEccPoint,
) -> PublicBody {
    PublicBody::Ecc { parms: TpmsEccParms { symmetric, scheme, curve_id, kdf: None }, unique }
}

/// Returns the template of a P-256 storage root key.
pub fn storage_root_key() -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(HashAlg::Sha256),
        object_attributes: TpmaObject::FIXED_TPM
            | TpmaObject::FIXED_PARENT
            | TpmaObject::SENSITIVE_DATA_ORIGIN
            | TpmaObject::USER_WITH_AUTH
            | TpmaObject::NO_DA
            | TpmaObject::RESTRICTED
            | TpmaObject::DECRYPT,
        auth_policy: Tpm2bDigest::EMPTY,
        body: storage_ecc(EccCurve::NistP256, TpmtSymDefObject::AES_128_CFB),
    }
}

/// Returns the template of an RSA-2048 storage root key, for those who do not take another.
pub fn storage_root_key_rsa() -> TpmtPublic {
    let body = rsa(2048, TpmtSymDefObject::AES_128_CFB, Tpm2bPublicKeyRsa::EMPTY);
    TpmtPublic { body, ..storage_root_key() }
}

/// Returns the template of data that are sealed below a key that is itself at home in no TPM: they follow it everywhere.
pub fn sealed_data() -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(HashAlg::Sha256),
        object_attributes: TpmaObject::FIXED_PARENT | TpmaObject::USER_WITH_AUTH | TpmaObject::NO_DA,
        auth_policy: Tpm2bDigest::EMPTY,
        body: PublicBody::KeyedHash { scheme: None, unique: Tpm2bDigest::EMPTY },
    }
}

/// Returns the template of our attestation key: a restricted P-256 signing key that cannot leave its TPM.
pub fn attestation_key() -> TpmtPublic {
    TpmtPublic {
        name_alg: Some(HashAlg::Sha256),
        object_attributes: ATTESTATION_KEY_ATTRIBUTES,
        auth_policy: Tpm2bDigest::EMPTY,
        body: ecc(EccCurve::NistP256, None, Some(TpmtEccScheme::Ecdsa(HashAlg::Sha256)), TpmsEccPoint::default()),
    }
}

/// Returns the template of an RSA-2048 attestation key (RSASSA with SHA-256), for those who do not take another.
pub fn rsa_attestation_key() -> TpmtPublic {
    let parms = TpmsRsaParms {
        symmetric: None,
        scheme: Some(TpmtRsaScheme::Rsassa(HashAlg::Sha256)),
        key_bits: TpmiRsaKeyBits(2048),
        exponent: 0,
    };
    TpmtPublic { body: PublicBody::Rsa { parms, unique: Tpm2bPublicKeyRsa::EMPTY }, ..attestation_key() }
}

/// The attributes of an attestation key: restricted, so that it signs only what its TPM made, and fixed to its TPM.
pub const ATTESTATION_KEY_ATTRIBUTES: TpmaObject = TpmaObject::FIXED_TPM
    .with(TpmaObject::FIXED_PARENT)
    .with(TpmaObject::SENSITIVE_DATA_ORIGIN)
    .with(TpmaObject::USER_WITH_AUTH)
    .with(TpmaObject::NO_DA)
    .with(TpmaObject::RESTRICTED)
    .with(TpmaObject::SIGN);

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;
    use evtpm_tpm_wire::{Handle, Marshal, Supported, TpmiRhNvLegacyIndex, TpmsNvPublic, from_bytes};

    use super::*;
    use crate::{PolicyDigest, handle_name, nv_name};

    fn policy_a(hash: HashAlg) -> PolicyDigest {
        PolicyDigest::new(hash).unwrap().secret::<RustCrypto>(handle_name(Handle::ENDORSEMENT).as_bytes(), &[])
    }

    fn policy_b(hash: HashAlg, index: u32) -> PolicyDigest {
        let a = policy_a(hash);
        let name = nv_name::<RustCrypto>(&TpmsNvPublic {
            nv_index: TpmiRhNvLegacyIndex::new(Handle(index), &Supported::ALL).unwrap(),
            name_alg: hash,
            attributes: POLICY_INDEX_ATTRIBUTES,
            auth_policy: a.to_wire(),
            data_size: u16::try_from(hash.digest_size()).unwrap() + 2,
        });
        let c = PolicyDigest::new(hash).unwrap().authorize_nv::<RustCrypto>(name.unwrap().as_bytes());
        PolicyDigest::new(hash).unwrap().or::<RustCrypto>(&[a.as_bytes(), c.as_bytes()])
    }

    #[test]
    fn the_policies_of_the_profile_are_what_their_commands_give() {
        assert_eq!(policy_a(HashAlg::Sha256).as_bytes(), POLICY_A_SHA256);
        assert_eq!(policy_b(HashAlg::Sha256, 0x01C0_7F01).as_bytes(), POLICY_B_SHA256);
        assert_eq!(policy_b(HashAlg::Sha384, 0x01C0_7F02).as_bytes(), POLICY_B_SHA384);
        assert_eq!(policy_b(HashAlg::Sha512, 0x01C0_7F03).as_bytes(), POLICY_B_SHA512);
    }

    #[test]
    fn low_and_high_range_differ_in_attributes_and_unique_field() {
        for template in EkTemplate::ALL {
            let public = template.public();
            let attributes = if template.is_low() { 0x0003_00B2 } else { 0x0003_00F2 };
            assert_eq!(public.object_attributes, TpmaObject(attributes), "{template:?}");
            let (size, expected) = match &public.body {
                PublicBody::Rsa { unique, .. } => (unique.len(), 256),
                PublicBody::Ecc { unique, .. } => (unique.x.len() + unique.y.len(), 64),
                body => panic!("{body:?} is no endorsement key"),
            };
            assert_eq!(size, if template.is_low() { expected } else { 0 }, "{template:?}");
            assert_eq!(public.auth_policy.len(), template.name_alg().digest_size(), "{template:?}");
        }
    }

    #[test]
    fn templates_survive_the_wire() {
        let mut buffer = [0; 640];
        for template in
            EkTemplate::ALL.map(EkTemplate::public).into_iter().chain([storage_root_key(), attestation_key()])
        {
            let bytes = template.to_bytes(&mut buffer).unwrap();
            assert_eq!(from_bytes(bytes, &Supported::ALL), Ok(template));
        }
    }

    #[test]
    fn the_l2_template_is_the_one_that_every_tool_sends() {
        let mut buffer = [0; 640];
        let expected = hex!(
            "0023 000b 000300b2 0020 837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
            "0006 0080 0043 0010 0003 0010"
            "0020 0000000000000000000000000000000000000000000000000000000000000000"
            "0020 0000000000000000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(EkTemplate::L2.public().to_bytes(&mut buffer), Ok(&expected[..]));
    }

    #[test]
    fn storage_and_attestation_keys_have_the_usual_attributes() {
        assert_eq!(storage_root_key().object_attributes, TpmaObject(0x0003_0472));
        assert_eq!(attestation_key().object_attributes, TpmaObject(0x0005_0472));
    }
}
