// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates of many vendors side by side, some of which no strict parser takes.

use super::{Certificate, Path};
use crate::Error;

/// The most certificates of one store.
const MAX_STORE: usize = 4096;

/// Certificates that were parsed, and files that were not.
///
/// Some TPM vendors' certificates break DER (attributes of a name that are not in order): they are taken, and said to be
/// so. A file that cannot be read at all is set aside with the reason, and the rest of the store is as good as before.
#[derive(Clone, Debug, Default)]
pub struct CertificateStore {
    certificates: Vec<Certificate>,
    lax: Vec<String>,
    refused: Vec<(String, Error)>,
}

impl CertificateStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file of one DER certificate, or of any number in PEM.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        let room = MAX_STORE.saturating_sub(self.certificates.len());
        match Certificate::all_from(bytes) {
            Ok(found) if found.len() <= room => {
                if !found.iter().all(Certificate::has_ordered_names) {
                    self.lax.push(name.to_owned());
                }
                self.certificates.extend(found);
            }
            Ok(_) => {
                let detail = format!("more than {MAX_STORE} certificates");
                self.refused.push((name.to_owned(), Error::Malformed { what: "certificate store", detail }));
            }
            Err(error) => self.refused.push((name.to_owned(), error)),
        }
    }

    /// Returns the certificates.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter()
    }

    /// Finds a path from `leaf` to a root of the store: those that sign themselves are roots, the others lead to them.
    pub fn path_from<'a>(&'a self, leaf: &'a Certificate) -> Result<Path<'a>, Error> {
        let (roots, between): (Vec<_>, Vec<_>) = self.iter().partition(|certificate| certificate.is_self_issued());
        Path::find(leaf, between, roots)
    }

    /// Returns the files whose certificates were taken although their encoding breaks DER.
    pub fn lax(&self) -> impl Iterator<Item = &str> {
        self.lax.iter().map(String::as_str)
    }

    /// Returns the files that were set aside, with the reason for each.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.refused.iter().map(|(name, error)| (name.as_str(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_does_not_spoil_the_store() {
        let mut store = CertificateStore::new();
        store.add("broken.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        store.add("ark.pem", evtpm_roots::AMD[0].ark_pem.as_bytes());
        assert_eq!(store.iter().count(), 1);
        assert_eq!(store.refused().map(|(name, _)| name).collect::<Vec<_>>(), ["broken.pem"]);
    }
}
