// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The root of the report's chain: a product line of AMD, or a simulated root that the policy names (rule 14).

use evtpm_verify::Root as VerifiedRoot;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::SnpPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The chain ends in a root that the policy does not accept, or in a simulated one that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    accepted: Vec<String>,
    actual: VerifiedRoot,
    is_accepted: bool,
}

pub(super) fn check(policy: &SnpPolicy, root: &VerifiedRoot) -> Option<Finding> {
    let is_accepted = match root {
        VerifiedRoot::Amd(product) => policy.products.iter().any(|accepted| accepted.to_string() == product.name()),
        VerifiedRoot::Simulated { name } => policy.simulated.contains(name),
    };
    if is_accepted && !root.is_simulated() {
        return None;
    }
    let amd = policy.products.iter().map(|product| format!("AMD {product}"));
    let simulated = policy.simulated.iter().map(|name| format!("simulated root \"{name}\""));
    Some(Root { accepted: amd.chain(simulated).collect(), actual: root.clone(), is_accepted }.into())
}

impl Objection for Root {
    const CODE: &'static str = "snp.root";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        if self.is_accepted { Severity::Warning } else { Severity::Failure }
    }
    fn expected(&self) -> String {
        super::show_list(&self.accepted)
    }
    fn actual(&self) -> String {
        self.actual.to_string()
    }
    fn sentence(&self) -> String {
        match (&self.actual, self.is_accepted) {
            (VerifiedRoot::Simulated { name }, true) => {
                format!("The report is SIMULATED: it ends in \"{name}\", and no hardware stands behind it.")
            }
            (VerifiedRoot::Simulated { name }, false) => {
                format!("The report is SIMULATED: its root \"{name}\" is not named by the policy.")
            }
            (VerifiedRoot::Amd(product), _) => format!("The policy does not accept {product} processors."),
        }
    }
    fn suggestion(&self) -> String {
        match (&self.actual, self.is_accepted) {
            (VerifiedRoot::Simulated { .. }, true) => "Do not use this policy in production.".into(),
            (VerifiedRoot::Simulated { name }, false) => {
                format!(
                    "For a test, add simulated = [\"{name}\"] to [snp]; in production, find out who runs a simulator."
                )
            }
            (VerifiedRoot::Amd(product), _) => format!("Add \"{product}\" to products in [snp]."),
        }
    }
    fn effect(&self) -> TrustVector {
        let hardware = if self.is_accepted { TrustClaim::UNSAFE } else { TrustClaim::UNRECOGNIZED };
        TrustVector { hardware, ..TrustVector::default() }
    }
}
