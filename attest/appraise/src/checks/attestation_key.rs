// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The origin of the attestation key: a report that binds its endorsement key, a certificate, or somebody's word.

use crate::{
    claims::{EK_CERTIFICATE_BINDING, KeyClaims},
    finding::{Finding, Layer, Objection, Severity},
    policy::TpmPolicy,
    vector::{TrustClaim, TrustVector},
};

/// No report leads to the attestation key in a way that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationKey {
    /// Only the operator named the key.
    Named {
        /// Whether the policy accepts that.
        is_accepted: bool,
    },
    /// Something vouches for the endorsement key in another way.
    Binding {
        /// The ways that the policy accepts; none for any report of hardware.
        accepted: Vec<String>,
        /// The way.
        actual: &'static str,
    },
}

pub(super) fn check(policy: &TpmPolicy, key: &KeyClaims) -> Option<Finding> {
    let Some((actual, _)) = key.binding else {
        return Some(AttestationKey::Named { is_accepted: policy.allow_named_ak }.into());
    };
    // Without a rule any report of hardware is as good as another; a certificate says nothing of the launch.
    let is_any_accepted = policy.bindings.is_empty() && actual != EK_CERTIFICATE_BINDING;
    if is_any_accepted || policy.bindings.iter().any(|accepted| accepted == actual) {
        return None;
    }
    Some(AttestationKey::Binding { accepted: policy.bindings.clone(), actual }.into())
}

impl Objection for AttestationKey {
    const CODE: &'static str = "tpm.attestation-key";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        match self {
            Self::Named { is_accepted: true } => Severity::Warning,
            Self::Named { is_accepted: false } => Severity::Missing,
            Self::Binding { .. } => Severity::Failure,
        }
    }
    fn expected(&self) -> String {
        match self {
            Self::Named { .. } => "a key that a report leads to".into(),
            Self::Binding { accepted, .. } if accepted.is_empty() => "a report of the hardware".into(),
            Self::Binding { accepted, .. } => super::show_list(accepted),
        }
    }
    fn actual(&self) -> String {
        match self {
            Self::Named { .. } => "a key that was only named".into(),
            Self::Binding { actual, .. } => (*actual).into(),
        }
    }
    fn sentence(&self) -> String {
        match self {
            Self::Named { .. } => "No hardware vouches for the attestation key: a software TPM could hold it.".into(),
            Self::Binding { actual: EK_CERTIFICATE_BINDING, .. } => {
                "A TPM vendor's certificate vouches for the endorsement key, which the policy does not accept.".into()
            }
            Self::Binding { .. } => {
                "The report binds the endorsement key in a way that the policy does not accept.".into()
            }
        }
    }
    fn suggestion(&self) -> String {
        match self {
            Self::Named { .. } => "Activate a credential with the endorsement key that the report binds.".into(),
            Self::Binding { actual, .. } => {
                format!("Add \"{actual}\" to bindings in [tpm], or ask the attester otherwise.")
            }
        }
    }
    fn effect(&self) -> TrustVector {
        match self {
            Self::Named { is_accepted: true } => {
                TrustVector { instance_identity: TrustClaim::UNSAFE, ..TrustVector::default() }
            }
            Self::Named { is_accepted: false } | Self::Binding { .. } => {
                TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::default() }
            }
        }
    }
}
