// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Endorsement keys that are believed, whoever vouches for them: what a credential is made for.

use crate::azure::ParavisorEk;
use crate::ek_certificate::CertifiedEk;
use crate::evtpm::BoundEk;
use crate::tpm::{AkOrigin, AkPublic, EkPublic, Error, TrustedAk};

/// An endorsement key, with what vouches for it.
#[derive(Clone, Debug)]
pub enum Endorsement {
    /// A report at VMPL 0 binds it.
    Report(Box<BoundEk>),
    /// A vendor's certificate names it.
    Certificate(Box<CertifiedEk>),
    /// A paravisor's claims name it, and the attestation key beside it.
    Paravisor(Box<ParavisorEk>),
}

impl Endorsement {
    /// Returns the endorsement key.
    #[must_use]
    pub fn ek(&self) -> &EkPublic {
        match self {
            Self::Report(ek) => ek.ek(),
            Self::Certificate(ek) => ek.ek(),
            Self::Paravisor(ek) => ek.ek(),
        }
    }

    /// Checks that it may vouch for an attestation key: a paravisor's claims do for one alone.
    pub(super) fn check_names(&self, ak: &AkPublic) -> Result<(), Error> {
        match self {
            Self::Paravisor(ek) if !ek.attestation_key().same_key(&TrustedAk::named(ak.clone())) => {
                Err(Error::UnclaimedKey)
            }
            Self::Report(_) | Self::Certificate(_) | Self::Paravisor(_) => Ok(()),
        }
    }

    /// What becomes the origin of an attestation key that was proven to live beside it.
    pub(super) fn into_origin(self) -> AkOrigin {
        match self {
            Self::Report(ek) => AkOrigin::Activated(ek),
            Self::Certificate(ek) => AkOrigin::Certified(ek),
            Self::Paravisor(ek) => ek.attestation_key().origin().clone(),
        }
    }
}

impl From<BoundEk> for Endorsement {
    fn from(ek: BoundEk) -> Self {
        Self::Report(Box::new(ek))
    }
}

impl From<CertifiedEk> for Endorsement {
    fn from(ek: CertifiedEk) -> Self {
        Self::Certificate(Box::new(ek))
    }
}

impl From<ParavisorEk> for Endorsement {
    fn from(ek: ParavisorEk) -> Self {
        Self::Paravisor(Box::new(ek))
    }
}
