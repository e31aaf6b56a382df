// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Banks into which an old kernel extends padded SHA-1 digests.

use evtpm_logs::HashId;

use crate::{
    claims::RuntimeClaims,
    finding::{Finding, Layer, Objection, Severity},
    vector::{TrustClaim, TrustVector},
};

/// A bank proves the IMA list no better than SHA-1 does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeakBank {
    banks: Vec<HashId>,
}

pub(super) fn check(runtime: &RuntimeClaims) -> Option<Finding> {
    (!runtime.weak_banks.is_empty()).then(|| WeakBank { banks: runtime.weak_banks.clone() }.into())
}

impl Objection for WeakBank {
    const CODE: &'static str = "runtime.weak-bank";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        Severity::Warning
    }
    fn expected(&self) -> String {
        "each bank extended with its own hash".into()
    }
    fn actual(&self) -> String {
        format!("padded SHA-1 in {}", super::show_list(&self.banks))
    }
    fn sentence(&self) -> String {
        "The kernel extends padded SHA-1 digests, so this bank is as weak as SHA-1.".into()
    }
    fn suggestion(&self) -> String {
        "Use a kernel from 5.8 on whose hash modules are built in, or quote another bank as well.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { file_system: TrustClaim::UNSAFE, ..TrustVector::default() }
    }
}
