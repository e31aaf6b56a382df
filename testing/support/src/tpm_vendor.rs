// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM's vendor: a root, and certificates for endorsement keys.

use evtpm_tpm_wire::{EccCurve, PublicBody, TpmtPublic};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm,
};

/// `tcg-kp-EKCertificate`.
const EK_CERTIFICATE: [u64; 5] = [2, 23, 133, 8, 1];

/// A vendor with a root of its own.
pub struct TpmVendor(CertifiedIssuer<'static, KeyPair>);

impl TpmVendor {
    /// Founds a vendor.
    ///
    /// # Panics
    /// When a certificate cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, name);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        TpmVendor(CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap())
    }

    /// Returns the root's certificate (DER).
    #[must_use]
    pub fn root(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// Certifies an endorsement key (DER), after `change` of what the certificate says.
    ///
    /// # Panics
    /// When the key is neither RSA nor of P-256.
    #[must_use]
    pub fn certify(&self, ek: &TpmtPublic, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let key = Subject::of(ek);
        let mut certificate = CertificateParams::default();
        certificate.distinguished_name.push(DnType::CommonName, "TPM of a test");
        certificate.key_usages = vec![match &ek.body {
            PublicBody::Rsa { .. } => KeyUsagePurpose::KeyEncipherment,
            _ => KeyUsagePurpose::KeyAgreement,
        }];
        certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(EK_CERTIFICATE.to_vec())];
        change(&mut certificate);
        certificate.signed_by(&key, &*self.0).unwrap().der().to_vec()
    }
}

impl core::fmt::Debug for TpmVendor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TpmVendor(..)")
    }
}

/// The bits of a SubjectPublicKeyInfo, and what kind of key they are.
struct Subject(Vec<u8>, &'static SignatureAlgorithm);

impl Subject {
    fn of(ek: &TpmtPublic) -> Self {
        match &ek.body {
            PublicBody::Ecc { parms, unique } if parms.curve_id == EccCurve::NistP256 => {
                Subject([&[4], unique.x.as_bytes(), unique.y.as_bytes()].concat(), &PKCS_ECDSA_P256_SHA256)
            }
            PublicBody::Rsa { unique, .. } => {
                let modulus = tlv(2, &[&[0], unique.as_bytes()].concat());
                Subject(tlv(0x30, &[modulus, tlv(2, &[1, 0, 1])].concat()), &PKCS_RSA_SHA256)
            }
            other => panic!("no certificate for {other:?}"),
        }
    }
}

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.1
    }
}

/// Writes an element of DER.
///
/// # Panics
/// When the content has 64 KiB or more.
#[must_use]
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7F) => vec![short],
        Ok(byte) => vec![0x81, byte],
        Err(_) => [&[0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes()].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}
