// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the platform says of itself (AMD 56860, "PLATFORM_INFO").

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{PlatformFlag, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The platform does not say what it has to, or says what it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    flag: PlatformFlag,
    is_required: bool,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> impl Iterator<Item = Finding> {
    let info = claims.report.platform_info();
    let required = policy.platform_required.iter().map(|flag| (*flag, true));
    let refused = policy.platform_refused.iter().map(|flag| (*flag, false));
    required
        .chain(refused)
        .filter(move |(flag, is_required)| info.contains(flag.bit()) != *is_required)
        .map(|(flag, is_required)| Platform { flag, is_required }.into())
}

fn presence(flag: PlatformFlag, is_there: bool) -> String {
    if is_there { flag.to_string() } else { format!("no {flag}") }
}

impl Objection for Platform {
    const CODE: &'static str = "snp.platform";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        presence(self.flag, self.is_required)
    }
    fn actual(&self) -> String {
        presence(self.flag, !self.is_required)
    }
    fn sentence(&self) -> String {
        let verb = if self.is_required { "lacks" } else { "has" };
        format!("The platform {verb} {}, against the policy.", self.flag)
    }
    fn suggestion(&self) -> String {
        "Move the guest to a host that is set up as the policy asks, or change platform_required and platform_refused."
            .into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { hardware: TrustClaim::UNSAFE, ..TrustVector::default() }
    }
}
