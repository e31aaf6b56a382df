// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The root keys that a verifier believes, and nothing else is believed.

use evtpm_roots::AMD;

use crate::{Error, Root, x509::Certificate};

/// The word that a simulated root carries in its name.
const SIMULATED: &str = "SIMULATED";

/// A set of trusted root certificates.
///
/// ```
/// use evtpm_verify::snp::Anchors;
///
/// let production = Anchors::amd()?;
/// let nothing = Anchors::none();
/// # assert_ne!(format!("{production:?}"), format!("{nothing:?}"));
/// # Ok::<(), evtpm_verify::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    roots: Vec<Anchor>,
    intermediates: Vec<Certificate>,
}

#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub(super) certificate: Certificate,
    pub(super) root: Root,
}

impl Anchors {
    /// Trusts nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts the pinned roots of AMD.
    pub fn amd() -> Result<Self, Error> {
        let mut anchors = Self::none();
        for pinned in &AMD {
            for certificate in Certificate::all_from(pinned.ark_pem.as_bytes())? {
                anchors.roots.push(Anchor { certificate, root: Root::Amd(pinned.product) });
            }
            for intermediate in [pinned.ask_pem, pinned.asvk_pem] {
                anchors.intermediates.extend(Certificate::all_from(intermediate.as_bytes())?);
            }
        }
        Ok(anchors)
    }

    /// Trusts, besides, a simulated root: the caller names it and brings its certificate.
    ///
    /// The certificate has to be the self-signed one of that name, and the name has to contain the word SIMULATED, so
    /// that no other root can pass for a simulated one.
    pub fn and_simulated(mut self, name: &str, certificate: &[u8]) -> Result<Self, Error> {
        for certificate in Certificate::all_from(certificate)? {
            let actual = certificate.common_name();
            if actual != name || !actual.contains(SIMULATED) {
                return Err(Error::NotSimulated { expected: name.to_owned(), actual: actual.to_owned() });
            }
            certificate.check_signed_by(&certificate)?;
            let root = Root::Simulated { name: name.to_owned() };
            self.roots.push(Anchor { certificate, root });
        }
        Ok(self)
    }

    /// Returns the certificates of the roots.
    pub fn roots(&self) -> impl Iterator<Item = &Certificate> {
        self.roots.iter().map(|anchor| &anchor.certificate)
    }

    /// Finds the roots that `certificate` names as its issuer.
    pub(super) fn issuers_of(&self, certificate: &Certificate) -> impl Iterator<Item = &Anchor> {
        self.roots.iter().filter(|anchor| certificate.names_issuer(&anchor.certificate))
    }

    /// Returns the pinned intermediates, which are hints only.
    pub(super) fn intermediates(&self) -> impl Iterator<Item = &Certificate> {
        self.intermediates.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_root_cannot_pass_for_a_simulated_one() {
        let milan = AMD[0].ark_pem.as_bytes();
        assert_eq!(
            Anchors::none().and_simulated("ARK-Milan", milan).unwrap_err(),
            Error::NotSimulated { expected: "ARK-Milan".into(), actual: "ARK-Milan".into() }
        );
    }

    #[test]
    fn the_pinned_roots_have_the_pinned_fingerprints_and_sign_themselves() {
        use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
        for pinned in &AMD {
            let [root] =
                <[Certificate; 1]>::try_from(Certificate::all_from(pinned.ark_pem.as_bytes()).unwrap()).unwrap();
            assert_eq!(RustCrypto::hash(HashAlg::Sha256, &[root.der()]).as_bytes(), pinned.ark_sha256);
            assert_eq!(root.common_name(), format!("ARK-{}", pinned.product));
            root.check_signed_by(&root).unwrap();
            root.check_is_authority(1).unwrap();
            let [ask] =
                <[Certificate; 1]>::try_from(Certificate::all_from(pinned.ask_pem.as_bytes()).unwrap()).unwrap();
            assert_eq!(ask.common_name(), format!("SEV-{}", pinned.product));
            ask.check_signed_by(&root).unwrap();
        }
    }
}
