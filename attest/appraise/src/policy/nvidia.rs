// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every NVIDIA device has to be (NVIDIA, *Attestation SDK*, "measurements").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, HexBytes, Index, RevocationRule};

/// The rules for each device: `measurements`, `driver_versions` or `vbios_versions` has to name some, or `require_manifests` to be
/// set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NvidiaPolicy {
    /// The values that each measurement may have, by its index; one without rule may have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measurements: BTreeMap<Index, AtLeastOne<HexBytes>>,
    /// The versions of the driver that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub driver_versions: Vec<String>,
    /// The versions of the VBIOS that are accepted, as `96.00.5E.00.01`; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vbios_versions: Vec<String>,
    /// Whether the measurements have to have been compared with NVIDIA's signed manifests of driver and VBIOS; one that a manifest
    /// contradicts is refused in any case.
    #[serde(default)]
    pub require_manifests: bool,
    /// How many devices there have to be, at least.
    #[serde(default = "one")]
    pub min_devices: u32,
    /// Whether a report that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
    /// Whether revocation of the device's certificates has to have been checked, which NVIDIA offers online only.
    #[serde(default)]
    pub revocation: RevocationRule,
}

const fn one() -> u32 {
    1
}

impl NvidiaPolicy {
    /// Says whether every device would do.
    pub(crate) fn accepts_any_device(&self) -> bool {
        self.measurements.is_empty()
            && self.driver_versions.is_empty()
            && self.vbios_versions.is_empty()
            && !self.require_manifests
    }
}
