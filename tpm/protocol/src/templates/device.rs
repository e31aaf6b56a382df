// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Templates of the keys that a device's maker certifies (TCG "TPM 2.0 Keys for Device Identity and Attestation"): its initial
//! attestation key (IAK) and its initial identity (IDevID).
use evtpm_tpm_wire::{
    EccCurve, HashAlg, PublicBody, Tpm2bDigest, Tpm2bEccParameter, Tpm2bPublicKeyRsa, TpmaObject, TpmiRsaKeyBits,
    TpmsEccPoint, TpmsRsaParms, TpmtEccScheme, TpmtPublic, TpmtRsaScheme,
};
use hex_literal::hex;

use super::ecc;

/// A template of the profile (its SM2 template H-5 is not available).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceTemplate {
    /// RSA-2048 with SHA-256.
    H1,
    /// P-256 with SHA-256.
    H2,
    /// P-384 with SHA-384.
    H3,
    /// P-521 with SHA-512.
    H4,
}

const IAK_POLICY_SHA256: [u8; 32] = hex!("5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07");
const IAK_POLICY_SHA384: [u8; 48] =
    hex!("129d94ebf84556652c6eef43bbb757512ac87e52be7b349ca6ce4d826f749fcf672f51716c5cbb605f313bf345aab312");
const IAK_POLICY_SHA512: [u8; 64] = hex!(
    "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44a"
    "f94410c3715d561cccd9e39a6cb2646d43535bb54ea88710deb5f7836bd9b586"
);
const IDEVID_POLICY_SHA256: [u8; 32] = hex!("ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea");
const IDEVID_POLICY_SHA384: [u8; 48] =
    hex!("4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695925972bc927006cfa5cbdf6dc18c4dbe329b2f1542c3dd33");
const IDEVID_POLICY_SHA512: [u8; 64] = hex!(
    "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b"
    "38e66b2f3ad5dee1a0503cd2daedb1e68cfe4f84b03a8cd22bb6a976f071a72f"
);

impl DeviceTemplate {
    /// Each template, in the order of the profile.
    pub const ALL: [Self; 4] = [Self::H1, Self::H2, Self::H3, Self::H4];

    /// Returns the public area to create the IAK from.
    #[must_use]
    pub fn attestation_key(self) -> TpmtPublic {
        let policy: &[u8] = match self.name_alg() {
            HashAlg::Sha384 => &IAK_POLICY_SHA384,
            HashAlg::Sha512 => &IAK_POLICY_SHA512,
            _ => &IAK_POLICY_SHA256,
        };
        self.public(TpmaObject::RESTRICTED, policy, b"IAK", Some(TpmtRsaScheme::Rsapss(HashAlg::Sha256)))
    }

    /// Returns the public area to create the IDevID from.
    #[must_use]
    pub fn identity(self) -> TpmtPublic {
        let policy: &[u8] = match self.name_alg() {
            HashAlg::Sha384 => &IDEVID_POLICY_SHA384,
            HashAlg::Sha512 => &IDEVID_POLICY_SHA512,
            _ => &IDEVID_POLICY_SHA256,
        };
        self.public(TpmaObject::NONE, policy, b"IDEVID", None)
    }

    /// Returns the nameAlg.
    #[must_use]
    pub const fn name_alg(self) -> HashAlg {
        match self {
            Self::H1 | Self::H2 => HashAlg::Sha256,
            Self::H3 => HashAlg::Sha384,
            Self::H4 => HashAlg::Sha512,
        }
    }

    fn public(self, more: TpmaObject, policy: &[u8], unique: &[u8], rsa_scheme: Option<TpmtRsaScheme>) -> TpmtPublic {
        // Neither policies nor names below are longer than their buffers.
        let coordinate = Tpm2bEccParameter::new(unique).unwrap_or_default();
        let point = TpmsEccPoint { x: coordinate, y: coordinate };
        let signer = |curve| ecc(curve, None, Some(TpmtEccScheme::Ecdsa(self.name_alg())), point);
        TpmtPublic {
            name_alg: Some(self.name_alg()),
            object_attributes: more
                | TpmaObject::FIXED_TPM
                | TpmaObject::FIXED_PARENT
                | TpmaObject::SENSITIVE_DATA_ORIGIN
                | TpmaObject::USER_WITH_AUTH
                | TpmaObject::ADMIN_WITH_POLICY
                | TpmaObject::SIGN,
            auth_policy: Tpm2bDigest::new(policy).unwrap_or_default(),
            body: match self {
                Self::H1 => PublicBody::Rsa {
                    parms: TpmsRsaParms {
                        symmetric: None,
                        scheme: rsa_scheme,
                        key_bits: TpmiRsaKeyBits(2048),
                        exponent: 0,
                    },
                    unique: Tpm2bPublicKeyRsa::new(unique).unwrap_or_default(),
                },
                Self::H2 => signer(EccCurve::NistP256),
                Self::H3 => signer(EccCurve::NistP384),
                Self::H4 => signer(EccCurve::NistP521),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use evtpm_tpm_wire::{Marshal, Supported, from_bytes};

    use super::*;

    #[test]
    fn the_attributes_are_those_that_swtpm_gives_to_such_keys() {
        for template in DeviceTemplate::ALL {
            assert_eq!(template.attestation_key().object_attributes, TpmaObject(0x0005_00F2), "{template:?}");
            assert_eq!(template.identity().object_attributes, TpmaObject(0x0004_00F2), "{template:?}");
            assert_eq!(template.identity().auth_policy.len(), template.name_alg().digest_size(), "{template:?}");
            assert_eq!(template.attestation_key().auth_policy.len(), template.name_alg().digest_size(), "{template:?}");
        }
    }

    #[test]
    fn templates_survive_the_wire() {
        let mut buffer = [0; 640];
        for public in DeviceTemplate::ALL.iter().flat_map(|template| [template.attestation_key(), template.identity()])
        {
            let bytes = public.to_bytes(&mut buffer).unwrap();
            assert_eq!(from_bytes(bytes, &Supported::ALL), Ok(public));
        }
    }

    #[test]
    fn the_rsa_attestation_key_is_the_one_that_keylime_makes() {
        // tpm2_createprimary -C e -g sha256 -G rsa2048:rsapss-sha256:null, the profile's policy, and "IAK" as unique data.
        let mut buffer = [0; 640];
        let expected = hex!(
            "0001 000b 000500f2 0020 5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07"
            "0010 0016 000b 0800 00000000 0003 49414b"
        );
        assert_eq!(DeviceTemplate::H1.attestation_key().to_bytes(&mut buffer), Ok(&expected[..]));
    }
}
