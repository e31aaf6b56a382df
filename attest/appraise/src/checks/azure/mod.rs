// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on what Azure's paravisor says.

mod console;
mod persisted_tpm;
mod secure_boot;
mod user_data;
mod vm_id;

use evtpm_verify::azure::ParavisorClaims;

pub use console::Console;
pub use persisted_tpm::PersistedTpm;
pub use secure_boot::SecureBoot;
pub use user_data::UserData;
pub use vm_id::VmId;

use crate::{finding::Finding, policy::AzurePolicy};

/// Runs every check on a paravisor's claims.
pub(super) fn check(policy: &AzurePolicy, claims: &ParavisorClaims, findings: &mut Vec<Finding>) {
    findings.extend(secure_boot::check(policy, claims).map(Finding::from));
    findings.extend(console::check(policy, claims).map(Finding::from));
    findings.extend(persisted_tpm::check(policy, claims).map(Finding::from));
    findings.extend(vm_id::check(policy, claims).map(Finding::from));
    findings.extend(user_data::check(policy, claims).map(Finding::from));
}
