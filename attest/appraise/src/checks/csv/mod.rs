// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on a Hygon CSV guest.

mod guest;
mod measurement;
mod owner;
mod policy_bit;
mod register;
mod report_data;

use evtpm_verify::csv::CsvClaims;

pub use guest::{Guest, GuestVersion};
pub use measurement::Measurement;
pub use owner::Owner;
pub use policy_bit::PolicyBit;
pub use register::Register;
pub use report_data::ReportData;

use super::recorded;
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::CsvPolicy,
};

/// Runs every check on a guest.
pub(super) fn check(policy: &CsvPolicy, proven: &Proven<CsvClaims>, findings: &mut Vec<Finding>) {
    let claims = proven.claims();
    findings.extend(measurement::check(policy, claims).map(Finding::from));
    findings.extend(register::check(policy, claims).into_iter().map(Finding::from));
    findings.extend(policy_bit::check(policy, claims).into_iter().map(Finding::from));
    findings.extend(guest::check_id(policy, claims).map(Finding::from));
    findings.extend(guest::check_version(policy, claims).map(Finding::from));
    findings.extend(owner::check(policy, claims).map(Finding::from));
    findings.extend(report_data::check(policy, claims).map(Finding::from));
    findings.extend(recorded::check(policy.allow_recorded, proven.challenge(), Layer::Csv).map(Finding::from));
}
