// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on a TD.

mod attributes;
mod debug;
mod measurement;
mod module;
mod owner;
mod register;
mod report_data;

use evtpm_verify::dcap::{DcapClaims, Tee};

pub use attributes::Attributes;
pub use debug::Debug;
pub use measurement::Measurement;
pub use module::Module;
pub use owner::Owner;
pub use register::Register;
pub use report_data::ReportData;

use super::{intel, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::TdxPolicy,
};

/// Runs every check on a TD; an enclave's quote is not looked at.
pub(super) fn check(policy: &TdxPolicy, quote: &Proven<DcapClaims>, findings: &mut Vec<Finding>) {
    let claims = quote.claims();
    let Tee::Tdx(td) = &claims.tee else { return };
    findings.extend(measurement::check(policy, td).map(Finding::from));
    findings.extend(register::check(policy, td).map(Finding::from));
    findings.extend(module::check(policy, td).map(Finding::from));
    findings.extend(owner::check(policy, td).map(Finding::from));
    findings.extend(attributes::check(policy, td).map(Finding::from));
    findings.extend(debug::check(policy, claims).map(Finding::from));
    findings.extend(report_data::check(policy, claims).map(Finding::from));
    intel::check(&policy.platform, claims, Layer::Tdx, findings);
    findings.extend(recorded::check(policy.allow_recorded, quote.challenge(), Layer::Tdx).map(Finding::from));
}
