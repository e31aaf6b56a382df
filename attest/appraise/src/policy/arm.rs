// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an Arm CCA realm and its platform have to be (draft-ffm-rats-cca-token), and a device with a PSA token (RFC 9783).

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes, HexBytes};

/// The rules for a realm and the platform below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CcaPolicy {
    /// The initial measurements (RIM) that are accepted.
    pub measurements: AtLeastOne<HexBytes>,
    /// The values that extensible measurement 0 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rem0: Vec<HexBytes>,
    /// The values that extensible measurement 1 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rem1: Vec<HexBytes>,
    /// The values that extensible measurement 2 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rem2: Vec<HexBytes>,
    /// The values that extensible measurement 3 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rem3: Vec<HexBytes>,
    /// The personalisation values that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personalizations: Vec<Bytes<64>>,
    /// The implementations of the platform that are accepted, by their identifiers.
    pub implementations: AtLeastOne<Bytes<32>>,
    /// The states of the platform's life cycle that are accepted.
    #[serde(default = "secured")]
    pub lifecycle: AtLeastOne<LifecycleState>,
    /// The configurations of the platform that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configs: Vec<HexBytes>,
    /// The digests of the software components that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<HexBytes>,
    /// The digests of the keys that may have signed the software components; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<HexBytes>,
    /// Whether a token that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
}

/// The rules for a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PsaPolicy {
    /// The implementations that are accepted, by their identifiers.
    pub implementations: AtLeastOne<Bytes<32>>,
    /// The instances that are accepted, by their identifiers; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<HexBytes>,
    /// The states of the life cycle that are accepted.
    #[serde(default = "secured")]
    pub lifecycle: AtLeastOne<LifecycleState>,
    /// The digests of the software components that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<HexBytes>,
    /// The digests of the keys that may have signed the software components; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<HexBytes>,
    /// Whether a token that a caller outside of the secure partitions asked for is accepted.
    #[serde(default = "accepted")]
    pub allow_nonsecure_caller: bool,
    /// Whether a token that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
}

const fn accepted() -> bool {
    true
}

fn secured() -> AtLeastOne<LifecycleState> {
    AtLeastOne::new(LifecycleState::Secured)
}

/// A state of the life cycle (RFC 9783, "Security Lifecycle"; the CCA token numbers its states alike).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleState {
    /// The state is not known.
    Unknown,
    /// The device is being made or tested.
    AssemblyAndTest,
    /// The root of trust is being provisioned.
    Provisioning,
    /// The device is in use and closed.
    Secured,
    /// Software outside of the root of trust can be debugged.
    NonRotDebug,
    /// The root of trust can be debugged and recovers from it.
    RecoverableRotDebug,
    /// The device is out of use.
    Decommissioned,
}

impl LifecycleState {
    /// Names the state of a number, whose low byte the implementation defines.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number >> 8 {
            0x00 => Some(Self::Unknown),
            0x10 => Some(Self::AssemblyAndTest),
            0x20 => Some(Self::Provisioning),
            0x30 => Some(Self::Secured),
            0x40 => Some(Self::NonRotDebug),
            0x50 => Some(Self::RecoverableRotDebug),
            0x60 => Some(Self::Decommissioned),
            _ => None,
        }
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::AssemblyAndTest => "assembly-and-test",
            Self::Provisioning => "provisioning",
            Self::Secured => "secured",
            Self::NonRotDebug => "non-rot-debug",
            Self::RecoverableRotDebug => "recoverable-rot-debug",
            Self::Decommissioned => "decommissioned",
        })
    }
}
