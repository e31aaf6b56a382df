// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The broker's keys and leases, as administrators see them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Bytes;

/// What a named key is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// P-256.
    #[default]
    Ecc,
    /// RSA-2048, for TPMs without elliptic curves.
    Rsa,
}

impl KeyKind {
    /// Names the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyKind::Ecc => "ecc",
            KeyKind::Rsa => "rsa",
        }
    }
}

/// Whom a key is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Machines, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub machines: BTreeSet<String>,
    /// All machines that one of these policies judges, by name; `default` is the policy of those that have none of their
    /// own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub policies: BTreeSet<String>,
}

/// Asks for a new key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is made of.
    #[serde(default)]
    pub kind: KeyKind,
    /// Whom it is for.
    #[serde(default)]
    pub grants: Grants,
}

/// Changes whom a key is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantChange {
    /// Who may have it from now on.
    #[serde(default)]
    pub give: Grants,
    /// Who may not have it any more; their leases end.
    #[serde(default)]
    pub take: Grants,
}

/// A named key, without its private part, which nobody is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeySummary {
    /// Its name.
    pub key: String,
    /// What it is made of.
    pub kind: KeyKind,
    /// Whom it is for.
    pub grants: Grants,
    /// Unix time at which it was made.
    pub created_at: u64,
    /// Leases that have not ended.
    pub leases: u64,
}

/// A key in the hands of one boot of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// Names the lease.
    pub lease: String,
    /// The machine.
    pub machine: String,
    /// Its boot, by number.
    pub boot: u64,
    /// The key.
    pub key: String,
    /// Unix time of the first release.
    pub since: u64,
    /// Unix time of the last one: a boot may ask again.
    pub last_release: u64,
    /// How often it was released.
    pub releases: u64,
    /// Unix time at which the lease ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// Why it ended, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
}

impl Lease {
    /// Says whether it has not ended.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// A resource of the key broker protocol of Confidential Containers, without its content, which nobody is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceSummary {
    /// Its path: `repository/type/tag`.
    pub resource: String,
    /// The policies of the guests that it is for, by name.
    pub policies: BTreeSet<String>,
    /// Bytes of its content.
    pub size: u64,
    /// Unix time of its last change.
    pub changed_at: u64,
}

/// Puts a resource in the place of the one that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    /// The policies of the guests that it is for, by name.
    pub policies: BTreeSet<String>,
    /// The content, in base64.
    #[schemars(with = "String")]
    pub content: Bytes,
}
