// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on an IBM Secure Execution guest.

mod additional;
mod image;
mod user_data;

use evtpm_verify::s390::SeClaims;

pub use additional::Additional;
pub use image::Image;
pub use user_data::UserData;

use super::recorded;
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::S390Policy,
};

/// Runs every check on a guest.
pub(super) fn check(policy: &S390Policy, proven: &Proven<SeClaims>, findings: &mut Vec<Finding>) {
    let claims = proven.claims();
    findings.extend(image::check(policy, claims).map(Finding::from));
    findings.extend(user_data::check(policy, claims).map(Finding::from));
    findings.extend(additional::check(policy, claims).map(Finding::from));
    findings.extend(recorded::check(policy.allow_recorded, proven.challenge(), Layer::S390).map(Finding::from));
}
