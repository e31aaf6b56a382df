// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on an Arm CCA realm and the platform below it.

mod config;
mod measurement;
mod personalization;
mod register;

use evtpm_verify::cca::{PlatformClaims, RealmClaims};

pub use config::Config;
pub use measurement::Measurement;
pub use personalization::Personalization;
pub use register::Register;

use super::{arm, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::CcaPolicy,
};

/// Runs every check on a platform.
pub(super) fn platform(policy: &CcaPolicy, claims: &PlatformClaims, findings: &mut Vec<Finding>) {
    let rules = arm::Platform {
        implementations: &policy.implementations,
        lifecycle: &policy.lifecycle,
        components: &policy.components,
        signers: &policy.signers,
    };
    rules.check(&claims.implementation_id, claims.lifecycle, &claims.components, Layer::CcaPlatform, findings);
    findings.extend(config::check(policy, claims).map(Finding::from));
}

/// Runs every check on a realm.
pub(super) fn realm(policy: &CcaPolicy, realm: &Proven<RealmClaims>, findings: &mut Vec<Finding>) {
    let claims = realm.claims();
    findings.extend(measurement::check(policy, claims).map(Finding::from));
    findings.extend(register::check(policy, claims).into_iter().map(Finding::from));
    findings.extend(personalization::check(policy, claims).map(Finding::from));
    findings.extend(recorded::check(policy.allow_recorded, realm.challenge(), Layer::CcaRealm).map(Finding::from));
}
