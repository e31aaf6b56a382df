// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificate revocation lists (RFC 5280, "CRL Validation"), complete ones that their own authority signed.

use der::{Decode, asn1::ObjectIdentifier};
use x509_cert::crl::{CertificateList, RevokedCert};

use super::{Certificate, MAX_DER_BYTES, certificate::signed_part, pem, signature};
use crate::{Error, UnixTime};

/// The most revocation lists that one file may hold.
const MAX_LISTS: usize = 8;

/// A revocation list that was parsed, and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    signed: Vec<u8>,
    parsed: CertificateList,
}

/// What is known about revocation at the time of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// No list of the authority was given.
    Unchecked,
    /// The list is past its next update: it revokes nothing here, but a newer one might.
    Stale {
        /// When the list should have been replaced.
        next_update: UnixTime,
    },
    /// A current list does not name the certificates.
    Checked {
        /// When the list will be replaced; `None` if it does not say.
        next_update: Option<UnixTime>,
    },
}

impl Revocation {
    /// Takes the weaker of two pieces of knowledge, about two certificates that both have to be good.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Checked { .. }, weaker) | (weaker, Self::Checked { .. }) => weaker,
            (Self::Stale { .. }, weaker) | (weaker, Self::Stale { .. }) => weaker,
            (Self::Unchecked, Self::Unchecked) => Self::Unchecked,
        }
    }

    /// Takes the better of two pieces of knowledge: one current list is enough.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Checked { .. }, _) | (_, Self::Unchecked) => self,
            _ => other,
        }
    }
}

impl Crl {
    /// Parses one DER revocation list; bytes after it are refused.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "revocation list", detail };
        if der.len() > MAX_DER_BYTES {
            return Err(malformed(format!("{} bytes", der.len())));
        }
        Ok(Self {
            parsed: CertificateList::from_der(der).map_err(|error| malformed(error.to_string()))?,
            signed: signed_part(der).map_err(|error| malformed(error.to_string()))?,
        })
    }

    /// Parses one DER revocation list, or every list of a PEM file.
    pub fn all_from(bytes: &[u8]) -> Result<Vec<Self>, Error> {
        if !pem::is_pem(bytes) {
            return Ok(vec![Self::from_der(bytes)?]);
        }
        pem::blocks(bytes, "X509 CRL", MAX_LISTS)?.iter().map(|der| Self::from_der(der)).collect()
    }

    /// Says whether `authority` is named as the issuer of this list.
    pub fn names_issuer(&self, authority: &Certificate) -> bool {
        &self.parsed.tbs_cert_list.issuer == authority.subject()
    }

    /// Returns when the list was made.
    pub fn this_update(&self) -> UnixTime {
        UnixTime(self.parsed.tbs_cert_list.this_update.to_unix_duration().as_secs())
    }

    /// Returns when the list will be replaced, if it says so.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.parsed.tbs_cert_list.next_update.map(|time| UnixTime(time.to_unix_duration().as_secs()))
    }

    /// Returns the content octets of the revoked serial numbers, in the list's order.
    pub fn revoked_serials(&self) -> impl Iterator<Item = &[u8]> {
        self.entries().map(|entry| entry.serial_number.as_bytes())
    }

    /// Checks that `authority` signed the received bytes of the list, and may do so.
    pub fn check_signature(&self, authority: &Certificate) -> Result<(), Error> {
        authority.check_may_sign_crl()?;
        self.check_signed_by(authority)
    }

    fn check_signed_by(&self, authority: &Certificate) -> Result<(), Error> {
        let list = &self.parsed.tbs_cert_list;
        let name = format!("revocation list of {}", authority.common_name());
        self.refuse_unknown_critical_extensions(&name)?;
        if self.parsed.signature_algorithm != list.signature {
            return Err(Error::UnsupportedSignature { of: name, detail: "inner and outer algorithm differ".into() });
        }
        signature::check(&name, &self.parsed.signature_algorithm, &self.signed, &self.parsed.signature, authority)
    }

    /// Checks the list's signature and that it does not revoke `certificate`, which `authority` issued.
    ///
    /// A list that is past its next update, or that was made after the moment `at`, still revokes what it names.
    pub fn check(&self, authority: &Certificate, certificate: &Certificate, at: UnixTime) -> Result<Revocation, Error> {
        self.check_signature(authority)?;
        self.judge(certificate, at)
    }

    /// Does the same for a list of an end entity that signs certificates without being an authority: IBM's signing keys.
    pub(crate) fn check_of_end_entity(
        &self,
        signer: &Certificate,
        certificate: &Certificate,
        at: UnixTime,
    ) -> Result<Revocation, Error> {
        self.check_signed_by(signer)?;
        // A list of the future is not the one that was valid at the moment in question.
        if at < self.this_update() {
            return Ok(Revocation::Unchecked);
        }
        self.judge(certificate, at)
    }

    fn judge(&self, certificate: &Certificate, at: UnixTime) -> Result<Revocation, Error> {
        if self.revokes(certificate) {
            return Err(Error::Revoked {
                of: certificate.common_name().to_owned(),
                serial: certificate.serial().to_vec(),
            });
        }
        let next_update = self.next_update();
        Ok(match next_update {
            Some(next_update) if at > next_update => Revocation::Stale { next_update },
            _ => Revocation::Checked { next_update },
        })
    }

    fn revokes(&self, certificate: &Certificate) -> bool {
        self.entries().any(|entry| entry.serial_number.as_bytes() == certificate.serial())
    }

    fn entries(&self) -> impl Iterator<Item = &RevokedCert> {
        self.parsed.tbs_cert_list.revoked_certificates.iter().flatten()
    }

    /// RFC 5280, 5.2 and 5.3: a list with an unrecognised critical extension (a delta or an indirect list has one)
    /// "MUST NOT" be used to decide that a certificate is good.
    fn refuse_unknown_critical_extensions(&self, name: &str) -> Result<(), Error> {
        let critical: Option<ObjectIdentifier> = self
            .parsed
            .tbs_cert_list
            .crl_extensions
            .iter()
            .flatten()
            .chain(self.entries().flat_map(|entry| entry.crl_entry_extensions.iter().flatten()))
            .find(|extension| extension.critical)
            .map(|extension| extension.extn_id);
        match critical {
            Some(oid) => Err(Error::UnknownCriticalExtension { of: name.to_owned(), oid: oid.to_string() }),
            None => Ok(()),
        }
    }
}
