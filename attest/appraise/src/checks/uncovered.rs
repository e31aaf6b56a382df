// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries of the IMA list that the quote does not cover yet (rule 11).

use crate::{
    claims::RuntimeClaims,
    finding::{Finding, Layer, Objection, Severity},
    vector::TrustVector,
};

/// The list goes on behind what the quote covers; the rest was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    count: usize,
}

pub(super) fn check(runtime: &RuntimeClaims) -> Option<Finding> {
    let count = runtime.uncovered;
    (count > 0).then(|| Uncovered { count }.into())
}

impl Objection for Uncovered {
    const CODE: &'static str = "runtime.uncovered";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        Severity::Notice
    }
    fn expected(&self) -> String {
        "a list that ends with the quote".into()
    }
    fn actual(&self) -> String {
        format!("{} entries more", self.count)
    }
    fn sentence(&self) -> String {
        format!("{} entries came after the quote and were not judged.", self.count)
    }
    fn suggestion(&self) -> String {
        "The next quote will cover them.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
