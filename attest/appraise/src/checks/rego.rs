// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The objections of a policy's Rego module.

use crate::{
    finding::{Layer, Objection, Severity},
    vector::{TrustClaim, TrustVector},
};

/// A reason that the rule `deny` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegoDenied {
    /// The reason, as a sentence.
    pub message: String,
    /// The layer.
    pub layer: Layer,
    /// The weight.
    pub severity: Severity,
    /// What the module expects.
    pub expected: Option<String>,
    /// What it finds.
    pub actual: Option<String>,
    /// What could be done about it.
    pub suggestion: Option<String>,
}

/// The rule `allow` is not true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegoAllow {
    /// The layer.
    pub layer: Layer,
}

impl Objection for RegoDenied {
    const CODE: &'static str = "rego.denied";

    fn layer(&self) -> Layer {
        self.layer
    }
    fn severity(&self) -> Severity {
        self.severity
    }
    fn expected(&self) -> String {
        self.expected.clone().unwrap_or_else(|| "nothing that the policy's module denies".into())
    }
    fn actual(&self) -> String {
        self.actual.clone().unwrap_or_else(|| "what it denies".into())
    }
    fn sentence(&self) -> String {
        self.message.clone()
    }
    fn suggestion(&self) -> String {
        self.suggestion.clone().unwrap_or_else(|| "Look at the rule `deny` of the policy's module.".into())
    }
    fn effect(&self) -> TrustVector {
        let configuration = match self.severity {
            Severity::Notice | Severity::Stale => TrustClaim::NONE,
            Severity::Warning => TrustClaim::UNSAFE,
            Severity::Missing | Severity::Failure => TrustClaim::CONTRAINDICATED,
        };
        TrustVector { configuration, ..TrustVector::default() }
    }
}

impl Objection for RegoAllow {
    const CODE: &'static str = "rego.not-allowed";

    fn layer(&self) -> Layer {
        self.layer
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        "allow is true".into()
    }
    fn actual(&self) -> String {
        "it is not".into()
    }
    fn sentence(&self) -> String {
        "The rule `allow` of the policy's module is not true for this machine.".into()
    }
    fn suggestion(&self) -> String {
        "Look at what the rule asks for; `evtpm verify --claims` prints what it sees.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
