// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on a device with a PSA token.

mod caller;
mod instance;

use evtpm_verify::psa::PsaClaims;

pub use caller::Caller;
pub use instance::Instance;

use super::{arm, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::PsaPolicy,
};

/// Runs every check on a device.
pub(super) fn check(policy: &PsaPolicy, proven: &Proven<PsaClaims>, findings: &mut Vec<Finding>) {
    const LAYER: Layer = Layer::Psa;
    let claims = proven.claims();
    findings.extend(instance::check(policy, claims).map(Finding::from));
    findings.extend(caller::check(policy, claims).map(Finding::from));
    let platform = arm::Platform {
        implementations: &policy.implementations,
        lifecycle: &policy.lifecycle,
        components: &policy.components,
        signers: &policy.signers,
    };
    platform.check(&claims.implementation_id, claims.lifecycle, &claims.components, LAYER, findings);
    findings.extend(recorded::check(policy.allow_recorded, proven.challenge(), LAYER).map(Finding::from));
}
