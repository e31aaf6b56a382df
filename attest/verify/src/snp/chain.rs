// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The chain ARK → ASK or ASVK → VCEK or VLEK (AMD 57230, "Certificate Chain"), and what it proves about an endorsement key.

use evtpm_crypto::{EccCurve, EccPoint};
use evtpm_roots::AmdProduct;
use evtpm_snp::{Generation, TcbVersion};

use super::{
    Anchors, Collateral, Signer, VekKind,
    anchors::Anchor,
    vek::{VekExtensions, VekSubject},
};
use crate::{
    Claim, Error, Root, UnixTime,
    x509::{Certificate, PublicKey, Revocation},
};

/// An endorsement key whose chain was verified; keep it to verify many reports of one chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementKey {
    pub(super) extensions: VekExtensions,
    pub(super) point: EccPoint,
    validity: (UnixTime, UnixTime),
    pub(super) root: Root,
    pub(super) name: String,
    pub(super) valid_from: UnixTime,
    pub(super) valid_until: UnixTime,
    pub(super) revocation: Revocation,
}

impl EndorsementKey {
    /// Verifies an endorsement key's certificate up to a root in `anchors`, as of the moment `at`.
    pub fn verify(
        certificate: &Certificate,
        collateral: &Collateral,
        anchors: &Anchors,
        at: UnixTime,
    ) -> Result<Self, Error> {
        let extensions = VekExtensions::read(certificate)?;
        let key = match certificate.public_key()? {
            PublicKey::Ecc(point) if point.curve() == EccCurve::P384 => point,
            _ => return Err(Error::UnsupportedKey { of: certificate.common_name().to_owned() }),
        };
        let chain = Chain::find(certificate, collateral, anchors)?;
        chain.check_names(extensions.generation.name(), extensions.subject.kind())?;
        let members = [certificate, chain.intermediate, &chain.anchor.certificate];
        for member in members {
            member.check_validity(at)?;
        }
        let revocation = chain.check_revocation(collateral, at)?;
        Ok(Self {
            extensions,
            point: key,
            validity: certificate.validity(),
            root: chain.anchor.root.clone(),
            name: certificate.common_name().to_owned(),
            valid_from: members.iter().map(|member| member.validity().0).max().unwrap_or(at),
            valid_until: members.iter().map(|member| member.validity().1).min().unwrap_or(at),
            revocation,
        })
    }

    /// Returns the kind of the key.
    pub fn kind(&self) -> VekKind {
        self.extensions.subject.kind()
    }

    /// Returns the generation that the certificate is for.
    pub fn generation(&self) -> Generation {
        self.extensions.generation
    }

    /// Returns the product name in the certificate.
    pub fn product_name(&self) -> &str {
        &self.extensions.product_name
    }

    /// Returns the TCB version that the key was derived from.
    pub fn tcb(&self) -> TcbVersion {
        self.extensions.tcb
    }

    /// Returns whose key it is.
    pub fn signer(&self) -> Signer {
        match &self.extensions.subject {
            VekSubject::Chip(id) => Signer::Chip { id: *id },
            VekSubject::Provider(csp_id) => Signer::Provider { csp_id: csp_id.clone() },
        }
    }

    /// Returns the first and the last second of the certificate's own validity.
    pub fn certificate_validity(&self) -> (UnixTime, UnixTime) {
        self.validity
    }

    /// Returns the root that the chain ends in.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Refuses a moment outside of the validity of any certificate of the chain.
    pub(super) fn check_validity(&self, at: UnixTime) -> Result<(), Error> {
        if at < self.valid_from {
            return Err(Error::NotYetValid { of: self.name.clone(), from: self.valid_from, at });
        }
        if at > self.valid_until {
            return Err(Error::Expired { of: self.name.clone(), until: self.valid_until, at });
        }
        Ok(())
    }
}

impl VekSubject {
    const fn kind(&self) -> VekKind {
        match self {
            Self::Chip(_) => VekKind::Vcek,
            Self::Provider(_) => VekKind::Vlek,
        }
    }
}

/// Three certificates, each of which signed the next.
/// Returns the certificates of the chain: root, intermediate, leaf.
pub(super) fn members<'a>(
    leaf: &'a Certificate,
    collateral: &'a Collateral,
    anchors: &'a Anchors,
) -> Result<[&'a Certificate; 3], Error> {
    let Chain { anchor, intermediate, leaf } = Chain::find(leaf, collateral, anchors)?;
    Ok([&anchor.certificate, intermediate, leaf])
}

struct Chain<'a> {
    anchor: &'a Anchor,
    intermediate: &'a Certificate,
    leaf: &'a Certificate,
}

impl<'a> Chain<'a> {
    /// Looks for an intermediate that signed the leaf and that a root signed.
    fn find(leaf: &'a Certificate, collateral: &'a Collateral, anchors: &'a Anchors) -> Result<Self, Error> {
        let mut refusal = Error::MissingIssuer { of: leaf.common_name().to_owned(), issuer: leaf.issuer_common_name() };
        let candidates = collateral.certificates().chain(anchors.intermediates());
        for intermediate in candidates.filter(|candidate| leaf.names_issuer(candidate)) {
            match Self::try_intermediate(leaf, intermediate, anchors) {
                Ok(chain) => return Ok(chain),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn try_intermediate(
        leaf: &'a Certificate,
        intermediate: &'a Certificate,
        anchors: &'a Anchors,
    ) -> Result<Self, Error> {
        let mut refusal =
            Error::UntrustedRoot { of: intermediate.common_name().to_owned(), root: intermediate.issuer_common_name() };
        for anchor in anchors.issuers_of(intermediate) {
            match intermediate.check_signed_by(&anchor.certificate) {
                Ok(()) => {
                    anchor.certificate.check_is_authority(1)?;
                    intermediate.check_is_authority(0)?;
                    leaf.check_is_end_entity()?;
                    leaf.check_signed_by(intermediate)?;
                    return Ok(Self { anchor, intermediate, leaf });
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Checks the common names: `ARK-Milan` → `SEV-Milan` → `SEV-VCEK`, and with `VLEK` where the provider's key is
    /// meant. A simulated chain has the same names, each with a prefix of its own.
    fn check_names(&self, product: &str, kind: VekKind) -> Result<(), Error> {
        let expected_intermediate = match kind {
            VekKind::Vcek => format!("SEV-{product}"),
            VekKind::Vlek => format!("SEV-VLEK-{product}"),
        };
        let expected = [
            (&self.anchor.certificate, format!("ARK-{product}")),
            (self.intermediate, expected_intermediate),
            (self.leaf, format!("SEV-{}", kind.name())),
        ];
        for (certificate, expected) in expected {
            let actual = certificate.common_name();
            let agrees = match &self.anchor.root {
                Root::Amd(_) => actual == expected,
                Root::Simulated { .. } => actual.rsplit(' ').next() == Some(expected.as_str()),
            };
            if !agrees {
                return Err(Error::mismatch(Claim::CommonName, expected, actual));
            }
        }
        match self.anchor.root {
            Root::Amd(root) if AmdProduct::from_name(product) != Some(root) => {
                Err(Error::mismatch(Claim::Generation, root, product))
            }
            _ => Ok(()),
        }
    }

    /// Checks the intermediate against every list of the root, and the leaf against every list of the intermediate.
    fn check_revocation(&self, collateral: &Collateral, at: UnixTime) -> Result<Revocation, Error> {
        let mut knowledge = Revocation::Unchecked;
        for (authority, issued) in [(&self.anchor.certificate, self.intermediate), (self.intermediate, self.leaf)] {
            for list in collateral.revocation_lists().filter(|list| list.names_issuer(authority)) {
                knowledge = knowledge.or(list.check(authority, issued, at)?);
            }
        }
        Ok(knowledge)
    }
}
