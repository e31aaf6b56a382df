// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificates and revocation lists that come with evidence, from wherever: they are hints until a chain proves them.

use evtpm_snp::CertTable;

use super::vek::VekKind;
use crate::{
    Error,
    x509::{Certificate, Crl, MAX_CERTIFICATES},
};

/// Certificates and revocation lists, none of them believed yet.
#[derive(Clone, Debug, Default)]
pub struct Collateral {
    certificates: Vec<Certificate>,
    revocation_lists: Vec<Crl>,
}

impl Collateral {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one DER certificate, or all certificates of a PEM file.
    pub fn add_certificates(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for certificate in Certificate::all_from(bytes)? {
            if self.certificates.len() >= MAX_CERTIFICATES {
                return Err(Error::Malformed {
                    what: "collateral",
                    detail: format!("more than {MAX_CERTIFICATES} certificates"),
                });
            }
            self.certificates.push(certificate);
        }
        Ok(())
    }

    /// Adds one DER revocation list, or all lists of a PEM file.
    pub fn add_revocation_lists(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for list in Crl::all_from(bytes)? {
            if self.revocation_lists.len() >= MAX_CERTIFICATES {
                return Err(Error::Malformed {
                    what: "collateral",
                    detail: format!("more than {MAX_CERTIFICATES} revocation lists"),
                });
            }
            self.revocation_lists.push(list);
        }
        Ok(())
    }

    /// Adds what a certificate table holds (GHCB, "SNP Extended Guest Request"), as DER or, as seen in the field, PEM.
    pub fn add_table(&mut self, bytes: &[u8]) -> Result<(), Error> {
        use evtpm_snp::cert_table::{ARK, ASK, CRL, VCEK, VLEK};
        for (guid, data) in CertTable::parse(bytes)?.iter() {
            match guid {
                VCEK | VLEK | ASK | ARK => self.add_certificates(data)?,
                CRL => self.add_revocation_lists(data)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the files of a directory by their names: `.crl` files are revocation lists; `.pem`, `.der`, `.crt` and
    /// `.cer` files are certificates unless their name ends in `.crl.pem` or `.crl.der`; others are passed over.
    pub fn add_files<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<(), Error> {
        for (name, bytes) in files {
            let name = name.to_ascii_lowercase();
            let stem = [".pem", ".der"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
            if stem.ends_with(".crl") {
                self.add_revocation_lists(bytes)?;
            } else if [".pem", ".der", ".crt", ".cer"].iter().any(|ending| name.ends_with(ending)) {
                self.add_certificates(bytes)?;
            }
        }
        Ok(())
    }

    /// Returns the certificates that claim to be endorsement keys of `kind`.
    pub(super) fn endorsement_keys(&self, kind: VekKind) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter().filter(move |certificate| VekKind::of_certificate(certificate) == Some(kind))
    }

    /// Returns all certificates.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter()
    }

    /// Returns all revocation lists.
    pub(super) fn revocation_lists(&self) -> impl Iterator<Item = &Crl> {
        self.revocation_lists.iter()
    }
}
