// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The version of the VBIOS, as the device reports it.

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::NvidiaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The VBIOS's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vbios;

impl Subject for Vbios {
    const CODE: &'static str = "nvidia.vbios";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "The VBIOS's version";
    const RULE: &'static str = "vbios_versions in [nvidia]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NvidiaPolicy, device: &DeviceClaims) -> Option<Deviation<Vbios>> {
    let accepted: Vec<String> = policy.vbios_versions.iter().map(|version| version.to_ascii_uppercase()).collect();
    Deviation::unlisted_or_missing(&accepted, device.vbios_version.as_deref().map(version).as_ref())
}

/// Shows a version as NVIDIA does, `96.00.A5.00.01`: a switch reports that text, a GPU a number of four bytes,
/// little-endian, and one byte more.
pub fn version(bytes: &[u8]) -> String {
    let digits = |byte: &u8| format!("{byte:02X}");
    match (core::str::from_utf8(bytes), bytes) {
        (Ok(text), _) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_ascii_uppercase(),
        (_, [a, b, c, d, e, 0, 0, 0]) => [d, c, b, a, e].map(digits).join("."),
        (_, other) => other.iter().map(digits).collect::<Vec<_>>().join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_gpus_and_switches_read_alike() {
        assert_eq!(version(&[0x00, 0xa5, 0x00, 0x96, 0x01, 0, 0, 0]), "96.00.A5.00.01");
        assert_eq!(version(b"96.10.55.00.01"), "96.10.55.00.01");
        assert_eq!(version(&[0xff, 1]), "FF.01");
    }
}
