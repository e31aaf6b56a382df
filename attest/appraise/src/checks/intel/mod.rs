// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on the Intel platform below a TD or an enclave.

mod advisories;
mod fmspc;
mod tcb;

use evtpm_verify::dcap::DcapClaims;

pub use advisories::Advisories;
pub use fmspc::Fmspc;
pub use tcb::Tcb;

use super::chain_revocation;
use crate::{
    finding::{Finding, Layer},
    policy::IntelPlatform,
};

/// Runs every check on a platform, as findings of the layer above it.
pub(super) fn check(policy: &IntelPlatform, claims: &DcapClaims, layer: Layer, findings: &mut Vec<Finding>) {
    findings.extend(tcb::check(policy, &claims.tcb).map(|objection| objection.at(layer).into()));
    findings.extend(advisories::check(policy, &claims.tcb).into_iter().map(|objection| objection.at(layer).into()));
    findings.extend(fmspc::check(policy, &claims.platform).map(|objection| objection.at(layer).into()));
    findings.extend(chain_revocation::check(policy.revocation, claims.revocation, layer).map(Finding::from));
}
