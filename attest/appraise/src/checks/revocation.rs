// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is known about revocation of the chain; a certificate that a list names never comes so far.

use evtpm_verify::{UnixTime, snp::SnpClaims, x509};

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{RevocationRule, SnpPolicy},
    vector::TrustVector,
};

/// No current revocation list was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    rule: RevocationRule,
    outdated_since: Option<UnixTime>,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Option<Finding> {
    let outdated_since = match claims.revocation {
        x509::Revocation::Checked { .. } => return None,
        x509::Revocation::Stale { next_update } => Some(next_update),
        x509::Revocation::Unchecked => None,
    };
    Some(Revocation { rule: policy.revocation, outdated_since }.into())
}

impl Objection for Revocation {
    const CODE: &'static str = "snp.revocation";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        match (self.rule, self.outdated_since) {
            (RevocationRule::Optional, _) => Severity::Notice,
            (RevocationRule::Required, Some(_)) => Severity::Stale,
            (RevocationRule::Required, None) => Severity::Missing,
        }
    }
    fn expected(&self) -> String {
        "a current revocation list of the root".into()
    }
    fn actual(&self) -> String {
        self.outdated_since
            .map_or_else(|| "no list".into(), |since| format!("a list that was due for renewal at {since}"))
    }
    fn sentence(&self) -> String {
        "Nobody can say that the chain's certificates are not revoked.".into()
    }
    fn suggestion(&self) -> String {
        "Fetch the product line's list from AMD's key distribution service and give it with the collateral.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
