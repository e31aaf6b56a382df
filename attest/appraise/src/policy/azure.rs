// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Azure's paravisor has to say of the virtual machine (OpenHCL, "runtime claims").
//!
//! Its word is worth what its launch measurement is: `[snp]` or `[tdx]` has to name it.

use serde::{Deserialize, Serialize};

use super::HexBytes;

/// The rules for a paravisor's claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzurePolicy {
    /// Whether the firmware has to check what it starts, or not to; left out for either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    /// Whether the host may have a console of the guest.
    #[serde(default = "allowed")]
    pub allow_console: bool,
    /// Whether a vTPM whose state outlives the virtual machine's runs is accepted.
    #[serde(default = "allowed")]
    pub allow_persisted_tpm: bool,
    /// The virtual machines that are accepted, by their identifiers; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vm_ids: Vec<String>,
    /// What the guest may have put in; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_data: Vec<HexBytes>,
}

const fn allowed() -> bool {
    true
}
