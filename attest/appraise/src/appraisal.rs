// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Appraisal: claims against a policy, to findings, a trust vector for each layer, and one verdict.

use evtpm_verify::{Root, Vendor};

use crate::{
    affirm::affirmed,
    checks,
    claims::{Claims, Proven},
    finding::{Finding, Layer, Severity},
    identity::LaunchIdentity,
    policy::{Mode, Policy, PolicyError},
    vector::{Tier, TrustClaim, TrustVector},
    verdict::Verdict,
};

/// What came of an appraisal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    verdict: Verdict,
    would_be: Option<Verdict>,
    layers: Vec<LayerAppraisal>,
    root: Option<Root>,
    vendors: Vec<(Layer, Vendor)>,
    identity: Option<LaunchIdentity>,
    /// Whether the policy has a say about all of the logs, and not of each entry for itself.
    needs_whole_logs: bool,
}

/// What came of it for one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerAppraisal {
    layer: Layer,
    vector: TrustVector,
    findings: Vec<Finding>,
}

/// Appraises what is known of an attester; the same policy and claims always give the same appraisal.
///
/// # Errors
/// When the policy's Rego module cannot be evaluated over these claims: that is the policy's fault, and says nothing of the
/// attester.
pub fn appraise(policy: &Policy, claims: &Claims) -> Result<Appraisal, PolicyError> {
    let mut findings = checks::run(policy, claims);
    findings.extend(policy.judge_by_rego(claims)?);
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
    let judged = verdict(&layers);
    let (verdict, would_be) = match policy.mode {
        Mode::Enforce => (judged, None),
        Mode::Audit => (Verdict::Audit, Some(judged)),
    };
    let needs_whole_logs = policy.rego.is_some();
    Ok(Appraisal { verdict, would_be, layers, root, vendors: vendors(claims), identity, needs_whole_logs })
}

/// The roots of everything that is not AMD's.
fn vendors(claims: &Claims) -> Vec<(Layer, Vendor)> {
    let root = |layer, root: Option<&Vendor>| root.map(|root| (layer, root.clone()));
    [
        root(Layer::Tdx, claims.td().map(Proven::root)),
        root(Layer::Sgx, claims.enclave().map(Proven::root)),
        root(Layer::Nitro, claims.nitro().map(Proven::root)),
        root(Layer::CcaPlatform, claims.cca_platform().map(Proven::root)),
        root(Layer::CcaRealm, claims.cca_realm().map(Proven::root)),
        root(Layer::Psa, claims.psa().map(Proven::root)),
        root(Layer::Nvidia, claims.nvidia().first().map(Proven::root)),
        root(Layer::S390, claims.s390().map(Proven::root)),
        root(Layer::Csv, claims.csv().map(Proven::root)),
    ]
    .into_iter()
    .flatten()
    .collect()
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

impl Appraisal {
    /// The appraisal of an attester that did not answer: there is nothing to judge, and nothing is held against it.
    pub const fn unreachable() -> Self {
        Self {
            verdict: Verdict::Unreachable,
            would_be: None,
            layers: Vec::new(),
            root: None,
            vendors: Vec::new(),
            identity: None,
            needs_whole_logs: false,
        }
    }

    /// Returns the verdict.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns what the verdict would be, if the policy were not only tried out.
    pub const fn would_be(&self) -> Option<Verdict> {
        self.would_be
    }

    /// Returns the layers of which something is known or missing, from the hardware up.
    pub fn layers(&self) -> &[LayerAppraisal] {
        &self.layers
    }

    /// Iterates over all findings, layer by layer.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.layers.iter().flat_map(|layer| &layer.findings)
    }

    /// Says whether the next quote of this boot may be judged by what its logs grew by, under the same policy: nothing was
    /// found against the boot, and against the running system nothing but what each quote is asked again. A Rego module may
    /// ask anything of the whole logs, so that it gets them each time.
    pub fn may_continue(&self) -> bool {
        if self.needs_whole_logs {
            return false;
        }
        let stands = |finding: &Finding| match finding.layer() {
            Layer::Boot => false,
            Layer::Runtime => finding.severity() < Severity::Missing,
            _ => true,
        };
        self.would_be.unwrap_or(self.verdict) == Verdict::Trusted && self.findings().all(stands)
    }

    /// Returns the root that the report's chain ends in.
    pub const fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// Returns the root of a layer's evidence, where it is another vendor's than AMD.
    pub fn vendor(&self, layer: Layer) -> Option<&Vendor> {
        self.vendors.iter().find(|(of, _)| *of == layer).map(|(_, root)| root)
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
#[cfg(test)]
mod vendor_tests;
