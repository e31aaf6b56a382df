// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch digest has to be one that the policy knows (rule 7).

use evtpm_verify::snp::SnpClaims;

use crate::{
    claims::EndorsedLaunch,
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bytes, Endorser, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The launch digest is none that the policy knows, nor one that somebody endorses whom the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    expected: Vec<String>,
    actual: Bytes<48>,
    /// An endorsement of this very launch that the policy does not accept.
    endorsed: Option<EndorsedLaunch>,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims, endorsements: &[EndorsedLaunch]) -> Option<Finding> {
    let actual = Bytes(claims.report.measurement().0);
    let mut about_it = endorsements.iter().filter(|endorsed| endorsed.launch.is_about(&actual.0));
    let is_accepted = |endorsed: &EndorsedLaunch| policy.endorsers.iter().any(|endorser| endorser.accepts(endorsed));
    if policy.measurements.contains(&actual) || about_it.clone().any(is_accepted) {
        return None;
    }
    let endorsers = policy.endorsers.iter().map(|endorser| {
        let Endorser { issuer, feeds, min_svn } = endorser;
        format!("an endorsement as {} by {issuer}, SVN {min_svn} or later", feeds.join(", "))
    });
    let expected = policy.measurements.iter().map(ToString::to_string).chain(endorsers).collect();
    Some(Measurement { expected, actual, endorsed: about_it.next().cloned() }.into())
}

impl Endorser {
    fn accepts(&self, endorsed: &EndorsedLaunch) -> bool {
        let EndorsedLaunch { launch, issuer } = endorsed;
        self.issuer == *issuer && self.feeds.contains(&launch.feed) && launch.guest_svn >= self.min_svn
    }
}

impl Objection for Measurement {
    const CODE: &'static str = "snp.measurement";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        super::show_list(&self.expected)
    }
    fn actual(&self) -> String {
        match &self.endorsed {
            Some(EndorsedLaunch { launch, issuer }) => {
                format!("{}, endorsed as {} by {issuer}, SVN {}", self.actual, launch.feed, launch.guest_svn)
            }
            None => self.actual.to_string(),
        }
    }
    fn sentence(&self) -> String {
        "What was launched is not what the policy knows: the code at VMPL 0 may be anything.".into()
    }
    fn suggestion(&self) -> String {
        "Predict the digest of the files that should run, and compare; a new release needs a new measurement in [snp]."
            .into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
