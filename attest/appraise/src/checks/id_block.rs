// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The keys that signed the ID block, by their digests (AMD 56860, "ID Block Structure").

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bytes, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The ID block was signed, or its key certified, by a key that the policy does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdBlockKey {
    which: &'static str,
    accepted: Vec<Bytes<48>>,
    actual: Bytes<48>,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> impl Iterator<Item = Finding> {
    let report = &claims.report;
    // AMD 56860: without AUTHOR_KEY_EN the digest is zero; zero is then the digest of no key.
    [
        ("ID key", &policy.id_keys, Bytes(*report.id_key_digest())),
        ("author key", &policy.author_keys, Bytes(*report.author_key_digest())),
    ]
    .into_iter()
    .filter(|(_, accepted, actual)| !accepted.is_empty() && !accepted.contains(actual))
    .map(|(which, accepted, actual)| IdBlockKey { which, accepted: accepted.clone(), actual }.into())
}

impl Objection for IdBlockKey {
    const CODE: &'static str = "snp.id-block";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        format!("{} {}", self.which, super::show_list(&self.accepted))
    }
    fn actual(&self) -> String {
        if self.actual.0 == [0; 48] { format!("no {}", self.which) } else { format!("{} {}", self.which, self.actual) }
    }
    fn sentence(&self) -> String {
        format!("The {} of the launch is not one that the policy names.", self.which)
    }
    fn suggestion(&self) -> String {
        "Launch with an ID block that the right owner signed.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::default() }
    }
}
