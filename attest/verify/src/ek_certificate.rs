// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An endorsement key that a vendor's certificate vouches for (TCG EK Credential Profile for TPM 2.0, "EK Certificate").
//!
//! Unlike an ephemeral key it stays the same for the TPM's life, and says nothing of what was launched: it is worth what its
//! vendor's word is. Which vendors count is the caller's to say. Revocation lists are not looked at.

use der::asn1::ObjectIdentifier;
use evtpm_protocol::ecc_point;
use evtpm_tpm_wire::{PublicBody, TpmtPublic};

use crate::error::Hex;
use crate::evtpm::public_area;
use crate::tpm::EkPublic;
use crate::x509::{Certificate, CertificateStore, PublicKey};
use crate::{Claim, Error, UnixTime};

#[cfg(test)]
mod tests;

/// `tcg-kp-EKCertificate`.
const EK_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.1");

/// The default public exponent of a TPM's RSA keys, 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// An endorsement key with the certificate that vouches for it.
#[derive(Clone, Debug)]
pub struct CertifiedEk {
    ek: EkPublic,
    root: String,
}

impl CertifiedEk {
    /// Verifies a certificate (DER) as of the moment `at`, and that its key is the endorsement key `ek`, a `TPM2B_PUBLIC`.
    ///
    /// `authorities` are the vendors' certificates that the caller trusts.
    pub fn verify(certificate: &[u8], ek: &[u8], authorities: &CertificateStore, at: UnixTime) -> Result<Self, Error> {
        let certificate = Certificate::from_der(certificate)?;
        let path = authorities.path_from(&certificate)?;
        path.check_validity(at)?;
        let root = path.root().map(Certificate::common_name).unwrap_or_default().to_owned();

        let area = public_area(ek)?;
        let ek = EkPublic::from_tpmt(area).map_err(Error::EndorsementKey)?;
        let certified = certificate.public_key()?;
        if public_key(ek.public()).as_ref() != Some(&certified) {
            return Err(Error::mismatch(Claim::EndorsementKey, "the certificate's key", Hex(area)));
        }
        check_usage(&certificate, &certified)?;
        Ok(Self { ek, root })
    }

    /// Returns the EK, parsed and checked against the EK templates' rules.
    pub const fn ek(&self) -> &EkPublic {
        &self.ek
    }

    /// Returns the common name of the root that the chain ends in.
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// "keyEncipherment for RSA keys, keyAgreement for ECC keys"; a certificate that says what it is for says that it is an EK's.
fn check_usage(certificate: &Certificate, key: &PublicKey) -> Result<(), Error> {
    if let Some(usage) = certificate.key_usage()? {
        let (expected, is_there) = match key {
            PublicKey::Rsa { .. } => ("keyEncipherment", usage.key_encipherment()),
            PublicKey::Ecc(_) => ("keyAgreement", usage.key_agreement()),
        };
        if !is_there {
            return Err(Error::mismatch(Claim::KeyUsage, expected, "another usage"));
        }
    }
    if let Some(usages) = certificate.extended_key_usage()?
        && !usages.contains(&EK_CERTIFICATE)
    {
        let others: Vec<String> = usages.iter().map(ToString::to_string).collect();
        return Err(Error::mismatch(Claim::KeyUsage, EK_CERTIFICATE, others.join(", ")));
    }
    Ok(())
}

/// Puts the key of a public area into the words of certificates.
pub(crate) fn public_key(public: &TpmtPublic) -> Option<PublicKey> {
    match &public.body {
        PublicBody::Rsa { parms, unique } if matches!(parms.exponent, 0 | 65537) => {
            Some(PublicKey::Rsa { modulus: unique.as_bytes().to_vec(), exponent: EXPONENT.to_vec() })
        }
        PublicBody::Ecc { parms, unique } => ecc_point(parms.curve_id, unique).ok().map(PublicKey::Ecc),
        _ => None,
    }
}
