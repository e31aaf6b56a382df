// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measurements of a device against NVIDIA's signed manifests of its driver and its VBIOS.

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    checks::{
        deviation::{Deviation, Subject},
        show_list,
    },
    finding::{Layer, Severity},
    policy::NvidiaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// What NVIDIA's manifests say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest;

impl Subject for Manifest {
    const CODE: &'static str = "nvidia.manifest";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "The comparison with NVIDIA's manifests";
    const RULE: &'static str = "require_manifests in [nvidia]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };

    fn suggestion(_: &Deviation<Self>) -> String {
        "Find out what the device runs, or give the manifests of the versions that it reports.".into()
    }
}

/// Objects to a device whose driver or VBIOS no manifest was compared with.
pub(crate) fn check(policy: &NvidiaPolicy, device: &DeviceClaims) -> Option<Deviation<Manifest>> {
    let of = |(part, version): (&str, Option<String>)| {
        format!("the manifest of {part} {}", version.unwrap_or_else(|| "not told".to_owned()))
    };
    let missing: Vec<String> = device.without_manifest().into_iter().map(of).collect();
    if missing.is_empty() {
        return None;
    }
    let severity = if policy.require_manifests { Severity::Missing } else { Severity::Notice };
    let name = format!("The comparison of {} with NVIDIA's manifests", device.device);
    Some(Deviation::missing(missing.join(" and ")).named(name).weighing(severity))
}

/// Objects to every measurement that is none of those that a manifest has for it.
pub(crate) fn contradictions(device: &DeviceClaims) -> Vec<Deviation<Manifest>> {
    let deviations = device.comparison.iter().flat_map(|comparison| &comparison.deviations);
    let objections = deviations.map(|deviation| {
        let name = format!("Measurement {} of {}, by the manifest of {}", deviation.index, device.device, deviation.of);
        let expected = show_list(deviation.expected.iter().map(hex::encode));
        let actual = deviation.actual.as_ref().map_or_else(|| "none".to_owned(), hex::encode);
        Deviation::new(expected, actual).named(name)
    });
    objections.collect()
}
