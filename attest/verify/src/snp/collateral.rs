// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificates and revocation lists that come with evidence, from wherever: they are hints until a chain proves them.

use evtpm_snp::CertTable;

use super::vek::VekKind;
use crate::{
    Error, UnixTime,
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

    /// Returns when the last of the endorsement keys' certificates begins to be valid.
    pub fn endorsement_keys_begin(&self) -> Option<UnixTime> {
        let keys = self.certificates().filter(|certificate| VekKind::of_certificate(certificate).is_some());
        keys.map(|certificate| certificate.validity().0).max()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ark() -> &'static [u8] {
        evtpm_roots::AMD[0].ark_pem.as_bytes()
    }

    #[test]
    fn the_names_of_a_directory_say_what_its_files_are() {
        let mut collateral = Collateral::new();
        let files: [(&str, &[u8]); 4] =
            [("ark.pem", ark()), ("ASK.CRT", ark()), ("README.md", b"words"), ("report.bin", &[0; 4])];
        collateral.add_files(files).unwrap();
        assert_eq!((collateral.certificates.len(), collateral.revocation_lists.len()), (2, 0));
    }

    #[test]
    fn a_certificate_is_no_revocation_list() {
        for name in ["vcek.crl", "vcek.crl.der"] {
            let der = Certificate::all_from(ark()).unwrap()[0].der().to_vec();
            let result = Collateral::new().add_files([(name, der.as_slice())]);
            assert!(matches!(result, Err(Error::Malformed { what: "revocation list", .. })), "{name}: {result:?}");
        }
    }

    #[test]
    fn a_flood_of_certificates_is_refused() {
        let mut collateral = Collateral::new();
        for _ in 0..MAX_CERTIFICATES {
            collateral.add_certificates(ark()).unwrap();
        }
        assert!(matches!(collateral.add_certificates(ark()), Err(Error::Malformed { what: "collateral", .. })));
    }

    #[test]
    fn a_table_holds_der_or_pem_and_foreign_entries_are_passed_over() {
        use evtpm_snp::cert_table::{ARK, ASK, EXTRA_PLATFORM_INFO, write_table};
        let der = Certificate::all_from(ark()).unwrap()[0].der().to_vec();
        let mut table = vec![0; 0x4000];
        write_table(&[(ARK, ark()), (ASK, &der), (EXTRA_PLATFORM_INFO, b"anything")], &mut table).unwrap();
        let mut collateral = Collateral::new();
        collateral.add_table(&table).unwrap();
        assert_eq!(collateral.certificates.len(), 2);
    }
}
