// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence that was refused, or that is not there.

use crate::{
    finding::{Layer, Objection, Severity},
    vector::{TrustClaim, TrustVector},
};

/// A piece of evidence was refused by verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The layer that the evidence was for.
    pub layer: Layer,
    /// Why it was refused.
    pub reason: String,
}

impl Objection for Refused {
    const CODE: &'static str = "evidence.refused";

    fn layer(&self) -> Layer {
        self.layer
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        "evidence that verifies".into()
    }
    fn actual(&self) -> String {
        self.reason.clone()
    }
    fn sentence(&self) -> String {
        "Evidence was refused: it is forged, damaged, or of something else.".into()
    }
    fn suggestion(&self) -> String {
        "Treat the attester as compromised until someone has looked at the reason.".into()
    }
    fn effect(&self) -> TrustVector {
        let failed = TrustClaim::CRYPTO_FAILED;
        match self.layer {
            Layer::Snp
            | Layer::Tdx
            | Layer::Sgx
            | Layer::Nitro
            | Layer::CcaPlatform
            | Layer::CcaRealm
            | Layer::Psa
            | Layer::Nvidia
            | Layer::S390
            | Layer::Csv => TrustVector { hardware: failed, ..TrustVector::default() },
            Layer::Azure | Layer::Tpm => TrustVector { instance_identity: failed, ..TrustVector::default() },
            Layer::Boot => TrustVector { executables: failed, ..TrustVector::default() },
            Layer::Runtime => TrustVector { executables: failed, file_system: failed, ..TrustVector::default() },
        }
    }
}

/// The policy has rules for a layer of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoEvidence {
    /// The layer.
    pub layer: Layer,
    /// What would be needed.
    pub what: &'static str,
}

impl Objection for NoEvidence {
    const CODE: &'static str = "evidence.missing";

    fn layer(&self) -> Layer {
        self.layer
    }
    fn severity(&self) -> Severity {
        Severity::Missing
    }
    fn expected(&self) -> String {
        self.what.into()
    }
    fn actual(&self) -> String {
        "nothing".into()
    }
    fn sentence(&self) -> String {
        format!("The policy needs {}, and there is none.", self.what)
    }
    fn suggestion(&self) -> String {
        "Let the attester send it, or drop the policy's rules for this layer.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
