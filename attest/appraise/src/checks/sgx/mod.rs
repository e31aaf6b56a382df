// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on an SGX enclave.

mod debug;
mod enclave;
mod product;
mod report_data;
mod security_version;
mod signer;

use evtpm_verify::dcap::{DcapClaims, Tee};

pub use debug::Debug;
pub use enclave::Enclave;
pub use product::Product;
pub use report_data::ReportData;
pub use security_version::SecurityVersion;
pub use signer::Signer;

use super::{intel, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::SgxPolicy,
};

/// Runs every check on an enclave; a TD's quote is not looked at.
pub(super) fn check(policy: &SgxPolicy, quote: &Proven<DcapClaims>, findings: &mut Vec<Finding>) {
    let claims = quote.claims();
    let Tee::Sgx { mr_enclave, mr_signer, product_id, security_version } = &claims.tee else { return };
    findings.extend(enclave::check(policy, *mr_enclave).map(Finding::from));
    findings.extend(signer::check(policy, *mr_signer).map(Finding::from));
    findings.extend(product::check(policy, *product_id).map(Finding::from));
    findings.extend(security_version::check(policy, *security_version).map(Finding::from));
    findings.extend(debug::check(policy, claims).map(Finding::from));
    findings.extend(report_data::check(policy, claims).map(Finding::from));
    intel::check(&policy.platform, claims, Layer::Sgx, findings);
    findings.extend(recorded::check(policy.allow_recorded, quote.challenge(), Layer::Sgx).map(Finding::from));
}
