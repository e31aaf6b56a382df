// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on an AWS Nitro enclave.

mod debug;
mod measurement;
mod register;
mod user_data;

use evtpm_verify::nitro::NitroClaims;

pub use debug::Debug;
pub use measurement::Measurement;
pub use register::Register;
pub use user_data::UserData;

use super::recorded;
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::NitroPolicy,
};

/// Runs every check on an enclave.
pub(super) fn check(policy: &NitroPolicy, proven: &Proven<NitroClaims>, findings: &mut Vec<Finding>) {
    let claims = proven.claims();
    findings.extend(measurement::check(policy, claims).map(Finding::from));
    findings.extend(register::check(policy, claims).into_iter().map(Finding::from));
    findings.extend(user_data::check(policy, claims).map(Finding::from));
    findings.extend(debug::check(policy, claims).map(Finding::from));
    findings.extend(recorded::check(policy.allow_recorded, proven.challenge(), Layer::Nitro).map(Finding::from));
}
