// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The owner of the key that signed the report: a chip, or a cloud provider.

use evtpm_verify::snp::{Signer, SnpClaims};

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bytes, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The report was signed by a key whose owner the policy does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportSigner {
    /// A provider's key, where only chips' own keys are accepted.
    VlekNotAllowed {
        /// The provider.
        provider: String,
    },
    /// A provider that the policy does not name.
    Provider {
        /// The providers that it names.
        accepted: Vec<String>,
        /// The provider.
        actual: String,
    },
    /// A chip that the policy does not name.
    Chip {
        /// The chips that it names.
        accepted: Vec<Bytes<64>>,
        /// The chip; `None` if a provider's key hides it.
        actual: Option<Bytes<64>>,
    },
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Vec<Finding> {
    let mut objections = Vec::new();
    let chip = match &claims.signer {
        Signer::Chip { id } => Some(Bytes(*id)),
        Signer::Provider { csp_id } => {
            if !policy.allow_vlek {
                objections.push(ReportSigner::VlekNotAllowed { provider: csp_id.clone() });
            }
            if !policy.providers.is_empty() && !policy.providers.contains(csp_id) {
                objections.push(ReportSigner::Provider { accepted: policy.providers.clone(), actual: csp_id.clone() });
            }
            let id = claims.report.chip_id();
            (!claims.report.chip_id_is_masked()).then_some(Bytes(*id))
        }
    };
    if !policy.chips.is_empty() && chip.is_none_or(|chip| !policy.chips.contains(&chip)) {
        objections.push(ReportSigner::Chip { accepted: policy.chips.clone(), actual: chip });
    }
    objections.into_iter().map(Finding::from).collect()
}

impl Objection for ReportSigner {
    const CODE: &'static str = "snp.signer";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        match self {
            Self::VlekNotAllowed { .. } => "a chip's own key (VCEK)".into(),
            Self::Provider { accepted, .. } => super::show_list(accepted),
            Self::Chip { accepted, .. } => super::show_list(accepted),
        }
    }
    fn actual(&self) -> String {
        match self {
            Self::VlekNotAllowed { provider } => format!("the key (VLEK) of {provider}"),
            Self::Provider { actual, .. } => actual.clone(),
            Self::Chip { actual, .. } => actual.map_or_else(|| "a masked chip id".into(), |chip| chip.to_string()),
        }
    }
    fn sentence(&self) -> String {
        match self {
            Self::VlekNotAllowed { .. } => {
                "The report was signed by a provider's key, which does not name a chip.".into()
            }
            Self::Provider { .. } => "The report was signed by the key of another provider.".into(),
            Self::Chip { .. } => "The report is of a chip that the policy does not name.".into(),
        }
    }
    fn suggestion(&self) -> String {
        match self {
            Self::VlekNotAllowed { .. } => "Ask for a report signed by the VCEK, or set allow_vlek in [snp].".into(),
            Self::Provider { .. } => "Add the provider to providers in [snp], if it is yours.".into(),
            Self::Chip { .. } => "Add the chip to chips in [snp], if the machine is yours.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        match self {
            Self::VlekNotAllowed { .. } | Self::Provider { .. } | Self::Chip { .. } => {
                TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::default() }
            }
        }
    }
}
