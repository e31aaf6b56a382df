// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys that a device's maker certified for its TPM: the initial attestation key (IAK) and the initial identity (IDevID) of TCG
//! "TPM 2.0 Keys for Device Identity and Attestation".
//!
//! Another attestation key is of the same TPM once the IAK certified it. That the IDevID lives there is on the word of whoever
//! certified both: nothing asks it to sign. Revocation lists are not looked at.

use crate::ek_certificate::public_key;
use crate::tpm::key::{check_device_identity, parse, unsized_area};
use crate::tpm::{AkPublic, Error, Freshness, Issued, KeyRule, QualifyingData, TrustedAk};
use crate::x509::{Certificate, CertificateStore, PublicKey};
use crate::{Claim, UnixTime};

/// A key and the certificate that is said to be for it.
#[derive(Debug, Clone, Copy)]
pub struct CertifiedKey<'a> {
    /// `TPM2B_PUBLIC`.
    pub public: &'a [u8],
    /// DER.
    pub certificate: &'a [u8],
}

/// A device, by the keys that its maker certified.
#[derive(Debug, Clone)]
pub struct DeviceIdentity {
    iak: TrustedAk,
    device: String,
    root: String,
}

impl DeviceIdentity {
    /// Verifies both certificates as of the moment `at`, that they are for these keys, and that the keys are of their kinds.
    ///
    /// `authorities` are the makers' certificates that the caller trusts.
    pub fn verify(
        iak: CertifiedKey<'_>,
        idevid: CertifiedKey<'_>,
        authorities: &CertificateStore,
        at: UnixTime,
    ) -> Result<Self, crate::Error> {
        let certificate = Certificate::from_der(iak.certificate)?;
        let root = believe(&certificate, authorities, at)?;
        let iak = AkPublic::from_tpm2b(iak.public).map_err(crate::Error::AttestationKey)?;
        let certified = certificate.public_key()?;
        if !iak.is_key(&certified) {
            return Err(other_key(&certificate, "IAK"));
        }

        let certificate = Certificate::from_der(idevid.certificate)?;
        believe(&certificate, authorities, at)?;
        if identity_key(idevid.public)? != certificate.public_key()? {
            return Err(other_key(&certificate, "IDevID"));
        }
        Ok(Self { iak: TrustedAk::named(iak), device: certificate.common_name().to_owned(), root })
    }

    /// Verifies that the IAK certified another attestation key (`TPM2_Certify`), which is in its TPM therefore.
    pub fn certifies(
        &self,
        ak: &AkPublic,
        message: &[u8],
        signature: &[u8],
        qualifying_data: Issued<QualifyingData>,
        at: UnixTime,
    ) -> Result<Freshness, Error> {
        self.iak.certifies_name(ak.name(), message, signature, qualifying_data, at)
    }

    /// Returns the common name in the IDevID's certificate.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Returns the common name of the root that the IAK's chain ends in.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// Follows a certificate to its root, and checks that its key may sign. Returns the root's common name.
fn believe(certificate: &Certificate, authorities: &CertificateStore, at: UnixTime) -> Result<String, crate::Error> {
    let path = authorities.path_from(certificate)?;
    path.check_validity(at)?;
    // Where a certificate says what its key is for, it has to be signing; RFC 5280, "Key Usage": digitalSignature.
    if certificate.key_usage()?.is_some_and(|usage| !usage.digital_signature()) {
        return Err(crate::Error::mismatch(Claim::KeyUsage, "digitalSignature", "another usage"));
    }
    Ok(path.root().map(Certificate::common_name).unwrap_or_default().to_owned())
}

/// Checks the `TPM2B_PUBLIC` of an IDevID, and puts its key into the words of certificates.
fn identity_key(tpm2b: &[u8]) -> Result<PublicKey, crate::Error> {
    let refused = |rule| crate::Error::AttestationKey(Error::Key { whose: "IDevID", rule });
    let public = unsized_area(tpm2b).and_then(parse).map_err(refused)?;
    check_device_identity(&public).map_err(refused)?;
    public_key(&public).ok_or_else(|| refused(KeyRule::Kind))
}

fn other_key(certificate: &Certificate, expected: &str) -> crate::Error {
    crate::Error::mismatch(Claim::DeviceKey, format_args!("the {expected}"), certificate.common_name())
}

#[cfg(test)]
mod tests;
