// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A chain of certificates from a leaf up to a trusted root (RFC 5280, "Certification Path Validation").

use super::{Certificate, Crl, PublicKey, Revocation};
use crate::{Error, UnixTime};

/// The most authorities between a leaf and its root.
const MAX_INTERMEDIATES: u8 = 6;
/// The most signatures that are checked while looking for one path: certificates of one name are cheap to make.
const MAX_SIGNATURES: u32 = 64;

/// A leaf, its authorities and the root, each of which signed the one before.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// From the leaf to the root.
    certificates: Vec<&'a Certificate>,
}

impl<'a> Path<'a> {
    /// Finds a path from `leaf` to one of `roots`, through any of `pool`, which earn no trust by being there.
    ///
    /// Signatures, names and the right to issue are checked; validity and revocation are questions of their own.
    pub fn find(
        leaf: &'a Certificate,
        pool: impl IntoIterator<Item = &'a Certificate>,
        roots: impl IntoIterator<Item = &'a Certificate>,
    ) -> Result<Self, Error> {
        leaf.check_is_end_entity()?;
        let pool: Vec<&Certificate> = pool.into_iter().collect();
        let roots: Vec<&Certificate> = roots.into_iter().collect();
        let mut search = Search { pool: &pool, roots: &roots, signatures: 0, refusal: None };
        let mut certificates = vec![leaf];
        if search.climb(&mut certificates, 0) {
            return Ok(Self { certificates });
        }
        Err(search.refusal.unwrap_or_else(|| Error::MissingIssuer {
            of: leaf.common_name().to_owned(),
            issuer: leaf.issuer_common_name(),
        }))
    }

    /// Returns the leaf.
    pub fn leaf(&self) -> Option<&'a Certificate> {
        self.certificates.first().copied()
    }

    /// Returns the root.
    pub fn root(&self) -> Option<&'a Certificate> {
        self.certificates.last().copied()
    }

    /// Returns the certificates from the leaf to the root.
    pub fn certificates(&self) -> impl Iterator<Item = &'a Certificate> {
        self.certificates.iter().copied()
    }

    /// Returns the leaf's public key.
    pub fn leaf_key(&self) -> Result<PublicKey, Error> {
        match self.leaf() {
            Some(leaf) => leaf.public_key(),
            None => Err(Error::UnsupportedKey { of: "an empty path".to_owned() }),
        }
    }

    /// Checks that `at` lies in the validity period of every certificate.
    pub fn check_validity(&self, at: UnixTime) -> Result<(), Error> {
        self.certificates.iter().try_for_each(|certificate| certificate.check_validity(at))
    }

    /// Checks every certificate against the lists of its issuer; the answer is the weakest knowledge about any of them.
    pub fn check_revocation(&self, lists: &[Crl], at: UnixTime) -> Result<Revocation, Error> {
        let mut all: Option<Revocation> = None;
        for (certificate, issuer) in self.certificates.iter().zip(self.certificates.iter().skip(1)) {
            let mut knowledge = Revocation::Unchecked;
            for list in lists.iter().filter(|list| list.names_issuer(issuer)) {
                knowledge = knowledge.or(list.check(issuer, certificate, at)?);
            }
            all = Some(all.map_or(knowledge, |all| all.and(knowledge)));
        }
        Ok(all.unwrap_or(Revocation::Unchecked))
    }
}

/// A depth-first search with a budget.
struct Search<'s, 'a> {
    pool: &'s [&'a Certificate],
    roots: &'s [&'a Certificate],
    signatures: u32,
    refusal: Option<Error>,
}

impl<'a> Search<'_, 'a> {
    /// Goes on from the last certificate; `below` authorities stand under the next one.
    fn climb(&mut self, path: &mut Vec<&'a Certificate>, below: u8) -> bool {
        let Some(last) = path.last().copied() else { return false };
        for root in self.roots.iter().copied().filter(|root| last.names_issuer(root)) {
            if self.issues(root, last, below) {
                path.push(root);
                return true;
            }
        }
        let Some(next_below) = below.checked_add(1).filter(|depth| *depth <= MAX_INTERMEDIATES) else { return false };
        for issuer in self.pool.iter().copied().filter(|issuer| last.names_issuer(issuer)) {
            let known = path.iter().any(|member| member.der() == issuer.der());
            if !known && self.issues(issuer, last, below) {
                path.push(issuer);
                if self.climb(path, next_below) {
                    return true;
                }
                path.pop();
                self.refusal.get_or_insert_with(|| Error::UntrustedRoot {
                    of: issuer.common_name().to_owned(),
                    root: issuer.issuer_common_name(),
                });
            }
        }
        false
    }

    /// Checks that `issuer` may issue and did issue `certificate`.
    fn issues(&mut self, issuer: &Certificate, certificate: &Certificate, below: u8) -> bool {
        self.signatures = self.signatures.saturating_add(1);
        if self.signatures > MAX_SIGNATURES {
            return false;
        }
        match issuer.check_is_authority(below).and_then(|()| certificate.check_signed_by(issuer)) {
            Ok(()) => true,
            Err(error) => {
                self.refusal = Some(error);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amd(pem: &str) -> Certificate {
        Certificate::all_from(pem.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn an_authority_is_no_leaf() {
        let root = amd(evtpm_roots::AMD[0].ark_pem);
        let intermediate = amd(evtpm_roots::AMD[0].ask_pem);
        let verdict = Path::find(&intermediate, [], [&root]);
        assert!(matches!(verdict, Err(Error::AuthorityAsLeaf { .. })), "{verdict:?}");
    }
}
