// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The endorsement keys that the TPM is made with (TCG EK Credential Profile 2.5).

use evtpm_protocol::templates::EkTemplate;
use evtpm_tpm_wire::TpmtPublic;

/// An endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ek {
    /// Template L-2: ECC on P-256.
    EccP256,
    /// Template H-3: ECC on P-384.
    EccP384,
    /// Template L-1: RSA of 2048 bits.
    Rsa2048,
}

impl Ek {
    const ALL: [Self; 3] = [Self::EccP256, Self::EccP384, Self::Rsa2048];

    /// Returns the template.
    pub fn template(self) -> TpmtPublic {
        match self {
            Self::EccP256 => EkTemplate::L2.public(),
            Self::EccP384 => EkTemplate::H3.public(),
            Self::Rsa2048 => EkTemplate::L1.public(),
        }
    }

    /// Returns the NV index at which the profile puts the certificate.
    pub const fn certificate_index(self) -> u32 {
        match self {
            Self::EccP256 => EkTemplate::L2.certificate_index(),
            Self::EccP384 => EkTemplate::H3.certificate_index(),
            Self::Rsa2048 => EkTemplate::L1.certificate_index(),
        }
    }

    /// Finds the key that a template makes.
    pub(crate) fn of_template(template: &TpmtPublic) -> Option<Self> {
        Self::ALL.into_iter().find(|ek| ek.template() == *template)
    }
}
