// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files that the running system opened (rule 11).

use evtpm_verify::logs::SignatureState;

use crate::{
    claims::{FileMeasurement, RuntimeClaims},
    finding::{Finding, Layer, Objection, Severity},
    policy::{FileDigest, ImaPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The most files that are listed one by one.
const MAX_LISTED: usize = 100;

/// A file is not what the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    known: Vec<FileDigest>,
    actual: FileMeasurement,
}

/// There are more such files than are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoreFiles {
    count: usize,
}

pub(super) fn check(policy: &ImaPolicy, runtime: &RuntimeClaims) -> Vec<Finding> {
    let mut unknown: Vec<&FileMeasurement> = runtime.files.iter().filter(|file| !is_accepted(policy, file)).collect();
    let more = unknown.len().saturating_sub(MAX_LISTED);
    unknown.truncate(MAX_LISTED);
    let one = |file: &FileMeasurement| {
        let known = policy.files.get(&file.path).map(|known| known.to_vec()).unwrap_or_default();
        Finding::from(File { known, actual: file.clone() })
    };
    let rest = (more > 0).then(|| MoreFiles { count: more }.into());
    unknown.into_iter().map(one).chain(rest).collect()
}

fn is_accepted(policy: &ImaPolicy, file: &FileMeasurement) -> bool {
    let is_known = |digest: &FileDigest| {
        policy.files.get(&file.path).is_some_and(|known| known.contains(digest)) || policy.digests.contains(digest)
    };
    let is_signed = match file.signature {
        SignatureState::Valid { key_id } => policy.signers.iter().any(|key| key.id() == key_id),
        _ => false,
    };
    is_signed
        || file.digest.as_ref().is_some_and(is_known)
        || policy.excludes.iter().any(|pattern| pattern.matches(&file.path))
}

impl Objection for File {
    const CODE: &'static str = "runtime.file";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        if self.known.is_empty() { "no such file".into() } else { super::show_list(&self.known) }
    }
    fn actual(&self) -> String {
        self.actual.digest.as_ref().map_or_else(|| "no digest".into(), ToString::to_string)
    }
    fn sentence(&self) -> String {
        let path = &self.actual.path;
        match (self.known.is_empty(), self.actual.signature) {
            (_, SignatureState::Invalid { key_id }) => {
                format!("{path} has a signature that key {key_id:08x} did not make.")
            }
            (true, _) => format!("{path} is a file that the policy does not know."),
            (false, _) => format!("{path} changed: it was {}, it is {}.", self.expected(), self.actual()),
        }
    }
    fn suggestion(&self) -> String {
        let path = &self.actual.path;
        match (&self.actual.digest, self.known.is_empty()) {
            (Some(digest), true) => {
                format!("If the file belongs there, add \"{path}\" = [\"{digest}\"] to [ima.files].")
            }
            (Some(digest), false) => format!("If the change is an update of yours, add \"{digest}\" to {path}."),
            (None, _) => "Find out what the kernel measured under this name.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        let worst = TrustClaim::CONTRAINDICATED;
        TrustVector { executables: worst, file_system: worst, ..TrustVector::default() }
    }
}

impl Objection for MoreFiles {
    const CODE: &'static str = "runtime.more-files";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        "known files".into()
    }
    fn actual(&self) -> String {
        format!("{} more", self.count)
    }
    fn sentence(&self) -> String {
        format!("{} more files are not what the policy knows.", self.count)
    }
    fn suggestion(&self) -> String {
        "The policy may be of another release of the system: learn one from a good machine.".into()
    }
    fn effect(&self) -> TrustVector {
        let worst = TrustClaim::CONTRAINDICATED;
        TrustVector { executables: worst, file_system: worst, ..TrustVector::default() }
    }
}
