// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mitigations that the firmware had at the guest's launch and has now (AMD 56860, "LAUNCH_MIT_VECTOR").

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::SnpPolicy,
    vector::{TrustClaim, TrustVector},
};

/// A mitigation is missing, or the report cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mitigations {
    /// Not all bits are set.
    Missing {
        /// The field.
        field: &'static str,
        /// The bits that have to be set.
        expected: u64,
        /// The vector in the report.
        actual: u64,
    },
    /// Reports before version 5 have no vectors.
    NotStated {
        /// The bits that have to be set.
        expected: u64,
    },
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Vec<Finding> {
    let expected = policy.mitigations.iter().fold(0, |bits, bit| bits | 1u64.wrapping_shl(u8::from(*bit).into()));
    if expected == 0 {
        return Vec::new();
    }
    let report = &claims.report;
    let (Some(launch), Some(current)) = (report.launch_mit_vector(), report.current_mit_vector()) else {
        return vec![Mitigations::NotStated { expected }.into()];
    };
    [("LAUNCH_MIT_VECTOR", launch), ("CURRENT_MIT_VECTOR", current)]
        .into_iter()
        .filter(|(_, actual)| actual & expected != expected)
        .map(|(field, actual)| Mitigations::Missing { field, expected, actual }.into())
        .collect()
}

impl Objection for Mitigations {
    const CODE: &'static str = "snp.mitigations";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        match self {
            Self::Missing { .. } => Severity::Failure,
            Self::NotStated { .. } => Severity::Missing,
        }
    }
    fn expected(&self) -> String {
        match self {
            Self::Missing { expected, .. } | Self::NotStated { expected } => format!("the bits {expected:#x}"),
        }
    }
    fn actual(&self) -> String {
        match self {
            Self::Missing { field, actual, .. } => format!("{field} {actual:#x}"),
            Self::NotStated { .. } => "a report without mitigation vectors".into(),
        }
    }
    fn sentence(&self) -> String {
        match self {
            Self::Missing { field, .. } => {
                format!("The firmware lacks a mitigation that the policy asks for ({field}).")
            }
            Self::NotStated { .. } => "The report is too old a version to say which mitigations there are.".into(),
        }
    }
    fn suggestion(&self) -> String {
        "Update the platform's firmware, and launch the guest again.".into()
    }
    fn effect(&self) -> TrustVector {
        match self {
            Self::Missing { .. } => TrustVector { hardware: TrustClaim::UNSAFE, ..TrustVector::default() },
            Self::NotStated { .. } => TrustVector::default(),
        }
    }
}
