// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Findings: each check's objection, for machines and for people.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{checks, vector::TrustVector, verdict::Verdict};

/// The layer of the attester that a finding is about; each becomes a submodule of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The processor and what it launched.
    Snp,
    /// The TPM and its keys.
    Tpm,
    /// Firmware and boot loader.
    Boot,
    /// The running system.
    Runtime,
}

impl Layer {
    /// All layers, from the hardware up.
    pub const ALL: [Self; 4] = [Self::Snp, Self::Tpm, Self::Boot, Self::Runtime];

    /// Names the layer as results do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snp => "snp",
            Self::Tpm => "tpm",
            Self::Boot => "boot",
            Self::Runtime => "runtime",
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth mentioning.
    Notice,
    /// A flaw that the policy lets pass.
    Warning,
    /// Nothing proves that the evidence is of now.
    Stale,
    /// The evidence does not say what the policy asks.
    Missing,
    /// The evidence contradicts the policy.
    Failure,
}

impl Severity {
    /// Returns the verdict that a finding of this severity leads to on its own.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Notice | Self::Warning => Verdict::Trusted,
            Self::Stale => Verdict::Stale,
            Self::Missing => Verdict::Unknown,
            Self::Failure => Verdict::Untrusted,
        }
    }
}

/// A finding as a person reads it, and as results carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// A stable identifier, such as `snp.measurement`.
    pub code: String,
    /// The layer.
    pub layer: Layer,
    /// The weight.
    pub severity: Severity,
    /// What the policy asks for.
    pub expected: String,
    /// What the evidence says.
    pub actual: String,
    /// What is the matter, as a sentence.
    pub sentence: String,
    /// What could be done about it.
    pub suggestion: String,
}

/// What every check's objection can say.
pub(crate) trait Objection {
    /// A stable identifier; its first part is the layer, where the check has one of its own.
    const CODE: &'static str;

    /// The layer.
    fn layer(&self) -> Layer;
    /// The weight.
    fn severity(&self) -> Severity;
    /// What the policy asks for.
    fn expected(&self) -> String;
    /// What the evidence says.
    fn actual(&self) -> String;
    /// What is the matter, as a sentence.
    fn sentence(&self) -> String;
    /// What could be done about it.
    fn suggestion(&self) -> String;
    /// What it does to the trust vector.
    fn effect(&self) -> TrustVector;
}

macro_rules! findings {
    ($($(#[doc = $doc:literal])+ $variant:ident($objection:ty),)+) => {
        /// An objection of one of the checks.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Finding {
            $($(#[doc = $doc])+ $variant($objection),)+
        }

        impl Finding {
            /// Returns the stable identifier, such as `snp.measurement`.
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$objection as Objection>::CODE,)+ }
            }

            /// Returns the layer that the finding is about.
            pub fn layer(&self) -> Layer {
                match self { $(Self::$variant(objection) => objection.layer(),)+ }
            }

            /// Returns the weight.
            pub fn severity(&self) -> Severity {
                match self { $(Self::$variant(objection) => objection.severity(),)+ }
            }

            /// Returns what the finding does to the trust vector.
            pub fn effect(&self) -> TrustVector {
                match self { $(Self::$variant(objection) => objection.effect(),)+ }
            }

            /// Explains the finding.
            pub fn explain(&self) -> Explanation {
                match self {
                    $(Self::$variant(objection) => Explanation {
                        code: self.code().to_owned(),
                        layer: self.layer(),
                        severity: self.severity(),
                        expected: objection.expected(),
                        actual: objection.actual(),
                        sentence: objection.sentence(),
                        suggestion: objection.suggestion(),
                    },)+
                }
            }
        }

        $(impl From<$objection> for Finding {
            fn from(objection: $objection) -> Self {
                Self::$variant(objection)
            }
        })+

        /// Every code, for tests and documentation.
        #[cfg(test)]
        pub(crate) const CODES: &[&str] = &[$(<$objection as Objection>::CODE,)+];
    };
}

findings! {
    /// A piece of evidence was refused.
    Refused(checks::Refused),
    /// The policy asks for a layer of which there is no evidence.
    NoEvidence(checks::NoEvidence),
    /// The root of the report's chain.
    Root(checks::Root),
    /// The launch digest.
    Measurement(checks::Measurement),
    /// The privilege level of the report.
    Vmpl(checks::Vmpl),
    /// The guest policy.
    GuestPolicy(checks::GuestPolicyBit),
    /// The firmware's patch levels.
    Tcb(checks::Tcb),
    /// The guest's security version.
    GuestSvn(checks::GuestSvn),
    /// The keys of the ID block.
    IdBlock(checks::IdBlockKey),
    /// What the host gave at launch.
    HostData(checks::HostData),
    /// The owner of the key that signed the report.
    Signer(checks::ReportSigner),
    /// The state of revocation lists.
    Revocation(checks::Revocation),
    /// The origin of the attestation key.
    AttestationKey(checks::AttestationKey),
    /// The freshness of the quote and of the binding.
    Freshness(checks::Freshness),
    /// The TPM's clock.
    Clock(checks::UnsafeClock),
    /// A bank that has to be quoted.
    Bank(checks::BankNotQuoted),
    /// The value of a PCR.
    Pcr(checks::PcrValue),
    /// A PCR that the event log has to explain.
    Unexplained(checks::Unexplained),
    /// The state of Secure Boot.
    SecureBoot(checks::SecureBoot),
    /// The kernel command line.
    CommandLine(checks::CommandLine),
    /// A boot loader or kernel.
    Application(checks::Application),
    /// A file that boot loader or kernel stub loaded.
    Loaded(checks::Loaded),
    /// A file of the running system.
    File(checks::File),
    /// More files than are listed one by one.
    MoreFiles(checks::MoreFiles),
    /// Measurement violations.
    Violations(checks::Violations),
    /// The link between the IMA list and the boot.
    BootAggregate(checks::BootAggregate),
    /// Entries that no quote covers yet.
    Uncovered(checks::Uncovered),
    /// Banks that prove the IMA list no better than SHA-1 does.
    WeakBank(checks::WeakBank),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { sentence, expected, actual, .. } = self.explain();
        write!(f, "{}: {sentence} (expected {expected}, got {actual})", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_begin_with_a_layer() {
        let mut seen = std::collections::BTreeSet::new();
        for code in CODES {
            assert!(seen.insert(code), "{code}");
            let first = code.split('.').next().unwrap();
            assert!(first == "evidence" || Layer::ALL.iter().any(|layer| layer.name() == first), "{code}");
        }
    }
}
