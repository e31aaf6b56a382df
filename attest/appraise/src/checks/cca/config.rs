// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of the platform.

use evtpm_verify::cca::PlatformClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{CcaPolicy, HexBytes},
    vector::{TrustClaim, TrustVector},
};

/// The platform's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config;

impl Subject for Config {
    const CODE: &'static str = "cca-platform.config";
    const LAYER: Layer = Layer::CcaPlatform;
    const NAME: &'static str = "The platform's configuration";
    const RULE: &'static str = "configs in [cca]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CcaPolicy, platform: &PlatformClaims) -> Option<Deviation<Config>> {
    Deviation::unlisted(&policy.configs, &HexBytes(platform.config.clone()))
}
