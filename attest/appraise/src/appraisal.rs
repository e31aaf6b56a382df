// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Appraisal: claims against a policy, to findings, a trust vector for each layer, and one verdict.

use evtpm_verify::Root;

use crate::{
    checks,
    claims::Claims,
    finding::{Finding, Layer, Severity},
    identity::LaunchIdentity,
    policy::{Policy, SnpPolicy},
    vector::{Tier, TrustClaim, TrustVector},
    verdict::Verdict,
};

/// What came of an appraisal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    verdict: Verdict,
    layers: Vec<LayerAppraisal>,
    root: Option<Root>,
    identity: Option<LaunchIdentity>,
}

/// What came of it for one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerAppraisal {
    layer: Layer,
    vector: TrustVector,
    findings: Vec<Finding>,
}

/// Appraises what is known of an attester; the same policy and claims always give the same appraisal.
pub fn appraise(policy: &Policy, claims: &Claims) -> Appraisal {
    let mut findings = checks::run(policy, claims);
    let layers: Vec<LayerAppraisal> = Layer::ALL
        .into_iter()
        .filter_map(|layer| {
            let of_layer: Vec<Finding> = findings.extract_if(.., |finding| finding.layer() == layer).collect();
            let affirmed = affirmed(layer, policy, claims);
            if affirmed.is_none() && of_layer.is_empty() {
                return None;
            }
            let vector =
                of_layer.iter().fold(affirmed.unwrap_or_default(), |vector, finding| vector.worse(finding.effect()));
            Some(LayerAppraisal { layer, vector, findings: of_layer })
        })
        .collect();
    let root = claims.report().map(|report| report.root().clone());
    let identity = claims.report().map(|report| LaunchIdentity::of(report.claims()));
    Appraisal { verdict: verdict(&layers), layers, root, identity }
}

/// The worst finding decides; without any, everything that the policy asked for was there and good.
fn verdict(layers: &[LayerAppraisal]) -> Verdict {
    layers
        .iter()
        .flat_map(|layer| &layer.findings)
        .map(Finding::severity)
        .max()
        .map_or(Verdict::Trusted, Severity::verdict)
}

/// Returns what a layer's evidence affirms where nothing objects; `None` if there is none, or no rule looks at it.
fn affirmed(layer: Layer, policy: &Policy, claims: &Claims) -> Option<TrustVector> {
    let none = TrustVector::default();
    let best_if = |checked: bool| if checked { TrustClaim::BEST } else { TrustClaim::NONE };
    match layer {
        Layer::Snp => claims.report().map(|_| TrustVector {
            instance_identity: best_if(names_an_instance(&policy.snp)),
            configuration: TrustClaim::BEST,
            executables: TrustClaim::APPROVED_BOOT,
            hardware: TrustClaim::BEST,
            runtime_opaque: TrustClaim::BEST,
            ..none
        }),
        Layer::Tpm => claims.key().map(|_| TrustVector { instance_identity: TrustClaim::BEST, ..none }),
        Layer::Boot => policy.boot.as_ref().zip(claims.boot()).map(|(rules, _)| TrustVector {
            configuration: best_if(!rules.command_lines.is_empty() || rules.secure_boot.is_some()),
            executables: if rules.applications.is_empty() { TrustClaim::NONE } else { TrustClaim::APPROVED_BOOT },
            ..none
        }),
        Layer::Runtime => policy.ima.as_ref().zip(claims.runtime()).map(|_| TrustVector {
            executables: TrustClaim::BEST,
            file_system: TrustClaim::BEST,
            ..none
        }),
    }
}

/// Says whether the rules name this instance, its owner or its machine, rather than any that runs the same code.
fn names_an_instance(rules: &SnpPolicy) -> bool {
    !(rules.host_data.is_empty()
        && rules.chips.is_empty()
        && rules.providers.is_empty()
        && rules.id_keys.is_empty()
        && rules.author_keys.is_empty())
}

impl Appraisal {
    /// The appraisal of an attester that did not answer: there is nothing to judge, and nothing is held against it.
    pub const fn unreachable() -> Self {
        Self { verdict: Verdict::Unreachable, layers: Vec::new(), root: None, identity: None }
    }

    /// Returns the verdict.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns the layers of which something is known or missing, from the hardware up.
    pub fn layers(&self) -> &[LayerAppraisal] {
        &self.layers
    }

    /// Iterates over all findings, layer by layer.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.layers.iter().flat_map(|layer| &layer.findings)
    }

    /// Returns the root that the report's chain ends in.
    pub const fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// Returns the name of the simulated root, if no hardware stands behind the report.
    pub fn simulated_root(&self) -> Option<&str> {
        match &self.root {
            Some(Root::Simulated { name }) => Some(name),
            _ => None,
        }
    }

    /// Returns what the attester is known by.
    pub const fn identity(&self) -> Option<&LaunchIdentity> {
        self.identity.as_ref()
    }

    /// Returns the worst of all layers, claim by claim; but what the running system's approval adds to that of the boot
    /// counts for it.
    pub fn vector(&self) -> TrustVector {
        let worst = self.layers.iter().fold(TrustVector::default(), |vector, layer| vector.worse(layer.vector));
        let runtime = self.layers.iter().find(|layer| layer.layer == Layer::Runtime).map(|layer| layer.vector);
        match runtime {
            Some(runtime)
                if worst.executables == TrustClaim::APPROVED_BOOT && runtime.executables == TrustClaim::BEST =>
            {
                TrustVector { executables: TrustClaim::BEST, ..worst }
            }
            _ => worst,
        }
    }
}

impl LayerAppraisal {
    /// Returns the layer.
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// Returns the layer's trust vector.
    pub const fn vector(&self) -> TrustVector {
        self.vector
    }

    /// Returns the objections.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the layer's status: its vector's tier, unless a finding says more.
    ///
    /// A failure contraindicates whatever the vector says; where evidence is missing or stale nothing is affirmed.
    pub fn status(&self) -> Tier {
        match self.findings.iter().map(Finding::severity).max() {
            Some(Severity::Failure) => Tier::Contraindicated,
            Some(Severity::Missing | Severity::Stale) => match self.vector.tier() {
                Tier::Affirming => Tier::None,
                tier => tier,
            },
            Some(Severity::Warning) => self.vector.tier().max(Tier::Warning),
            Some(Severity::Notice) | None => self.vector.tier(),
        }
    }
}

#[cfg(test)]
mod tests;
