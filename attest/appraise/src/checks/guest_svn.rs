// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's security version, from its ID block.

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::SnpPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The guest's security version is too low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSvn {
    floor: u32,
    actual: u32,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Option<Finding> {
    let (floor, actual) = (policy.min_guest_svn, claims.report.guest_svn());
    (actual < floor).then(|| GuestSvn { floor, actual }.into())
}

impl Objection for GuestSvn {
    const CODE: &'static str = "snp.guest-svn";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        format!("at least {}", self.floor)
    }
    fn actual(&self) -> String {
        self.actual.to_string()
    }
    fn sentence(&self) -> String {
        "The guest's image is of an older security version than the policy allows.".into()
    }
    fn suggestion(&self) -> String {
        "Launch the current image with its ID block.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
