// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a Hygon CSV guest has to be. Its policy has the bits of SEV's (AMD 55766, "Guest Policy Structure"), and bit 6 for CSV3.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes, Index};

/// The rules for a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvPolicy {
    /// The launch digests that are accepted.
    pub measurements: AtLeastOne<Bytes<32>>,
    /// The values that the runtime registers 0 to 4 of CSV3 may have; one without rule may have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<Index, AtLeastOne<Bytes<32>>>,
    /// The guests that are accepted, by the identifiers that their owners chose; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vm_ids: Vec<Bytes<16>>,
    /// The versions of the guest that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vm_versions: Vec<Bytes<16>>,
    /// The owners that are accepted, by the digest of the key that the guest was launched with; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_keys: Vec<Bytes<32>>,
    /// What the requester may have put in; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub report_data: Vec<Bytes<64>>,
    /// Whether the guest has to be one of CSV3, whose memory the host cannot map.
    #[serde(default)]
    pub require_csv3: bool,
    /// Whether a guest that the host may debug is accepted.
    #[serde(default)]
    pub allow_debug: bool,
    /// Whether a guest whose registers the host sees is accepted.
    #[serde(default)]
    pub allow_visible_registers: bool,
    /// Whether a guest that may be sent to another platform is accepted.
    #[serde(default)]
    pub allow_migration: bool,
    /// Whether a report that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
}
