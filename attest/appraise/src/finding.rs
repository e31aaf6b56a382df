// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Findings: each check's objection, for machines and for people.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{checks, vector::TrustVector, verdict::Verdict};

/// The layer of the attester that a finding is about; each becomes a submodule of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// An AMD processor and what it launched.
    Snp,
    /// An Intel processor and the TD that it launched.
    Tdx,
    /// An Intel processor and its enclave.
    Sgx,
    /// Azure's paravisor, above either.
    Azure,
    /// An AWS Nitro enclave.
    Nitro,
    /// An Arm CCA platform.
    CcaPlatform,
    /// An Arm CCA realm.
    CcaRealm,
    /// A device with a PSA token.
    Psa,
    /// NVIDIA devices.
    Nvidia,
    /// An IBM Secure Execution guest.
    S390,
    /// A Hygon CSV guest.
    Csv,
    /// The TPM and its keys.
    Tpm,
    /// Firmware and boot loader.
    Boot,
    /// The running system.
    Runtime,
}

impl Layer {
    /// All layers, from the hardware up.
    pub const ALL: [Self; 14] = [
        Self::Snp,
        Self::Tdx,
        Self::Sgx,
        Self::Azure,
        Self::Nitro,
        Self::CcaPlatform,
        Self::CcaRealm,
        Self::Psa,
        Self::Nvidia,
        Self::S390,
        Self::Csv,
        Self::Tpm,
        Self::Boot,
        Self::Runtime,
    ];

    /// Names the layer as results do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snp => "snp",
            Self::Tdx => "tdx",
            Self::Sgx => "sgx",
            Self::Azure => "azure",
            Self::Nitro => "nitro",
            Self::CcaPlatform => "cca-platform",
            Self::CcaRealm => "cca-realm",
            Self::Psa => "psa",
            Self::Nvidia => "nvidia",
            Self::S390 => "s390",
            Self::Csv => "csv",
            Self::Tpm => "tpm",
            Self::Boot => "boot",
            Self::Runtime => "runtime",
        }
    }

    /// Names the evidence that speaks of the layer.
    pub(crate) const fn evidence(self) -> &'static str {
        match self {
            Self::Snp => "a verified SNP report",
            Self::Tdx => "a verified quote of a TD",
            Self::Sgx => "a verified quote of an enclave",
            Self::Azure => "a paravisor's claims that a report vouches for",
            Self::Nitro => "a verified attestation document",
            Self::CcaPlatform => "a verified platform token",
            Self::CcaRealm => "a verified realm token",
            Self::Psa => "a verified PSA token",
            Self::Nvidia => "a verified report of a device",
            Self::S390 => "a verified measurement",
            Self::Csv => "a verified CSV report",
            Self::Tpm => "a verified quote",
            Self::Boot => "a replayed event log",
            Self::Runtime => "a replayed IMA list",
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
    /// The policy asks for nothing.
    EmptyPolicy(checks::EmptyPolicy),
    /// The policy asks for no hardware.
    NoHardware(checks::NoHardware),
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
    /// The firmware's mitigations.
    Mitigations(checks::Mitigations),
    /// What the platform says of itself.
    Platform(checks::Platform),
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
    /// Which challenge evidence of hardware answers.
    Recorded(checks::Deviation<checks::Recorded>),
    /// What is known about revocation of a vendor's chain.
    ChainRevocation(checks::Deviation<checks::ChainRevocation>),
    /// Evidence that no section of the policy is about.
    Unjudged(checks::Deviation<checks::Unjudged>),
    /// The measurement of a TD.
    TdxMeasurement(checks::Deviation<checks::tdx::Measurement>),
    /// A runtime measurement register of a TD.
    TdxRegister(checks::Deviation<checks::tdx::Register>),
    /// The TDX module.
    TdxModule(checks::Deviation<checks::tdx::Module>),
    /// What the host gave a TD at launch.
    TdxOwner(checks::Deviation<checks::tdx::Owner>),
    /// How a TD was set up.
    TdxAttributes(checks::Deviation<checks::tdx::Attributes>),
    /// Debug mode of a TD.
    TdxDebug(checks::Deviation<checks::tdx::Debug>),
    /// A TD's REPORTDATA.
    TdxReportData(checks::Deviation<checks::tdx::ReportData>),
    /// The measurement of an enclave.
    SgxEnclave(checks::Deviation<checks::sgx::Enclave>),
    /// The signer of an enclave.
    SgxSigner(checks::Deviation<checks::sgx::Signer>),
    /// The product number of an enclave.
    SgxProduct(checks::Deviation<checks::sgx::Product>),
    /// The security version of an enclave.
    SgxSecurityVersion(checks::Deviation<checks::sgx::SecurityVersion>),
    /// Debug mode of an enclave.
    SgxDebug(checks::Deviation<checks::sgx::Debug>),
    /// An enclave's REPORTDATA.
    SgxReportData(checks::Deviation<checks::sgx::ReportData>),
    /// An Intel platform's TCB.
    IntelTcb(checks::Deviation<checks::intel::Tcb>),
    /// An advisory that applies to an Intel platform.
    IntelAdvisories(checks::Deviation<checks::intel::Advisories>),
    /// The kind of an Intel platform.
    IntelFmspc(checks::Deviation<checks::intel::Fmspc>),
    /// Secure Boot in a paravisor's words.
    AzureSecureBoot(checks::Deviation<checks::azure::SecureBoot>),
    /// A console that the host has.
    AzureConsole(checks::Deviation<checks::azure::Console>),
    /// A vTPM whose state is kept.
    AzurePersistedTpm(checks::Deviation<checks::azure::PersistedTpm>),
    /// A virtual machine's identifier.
    AzureVmId(checks::Deviation<checks::azure::VmId>),
    /// What a guest had a paravisor put in.
    AzureUserData(checks::Deviation<checks::azure::UserData>),
    /// The measurement of an enclave's image.
    NitroMeasurement(checks::Deviation<checks::nitro::Measurement>),
    /// A register of a Nitro enclave.
    NitroRegister(checks::Deviation<checks::nitro::Register>),
    /// What a Nitro enclave had put in.
    NitroUserData(checks::Deviation<checks::nitro::UserData>),
    /// Debug mode of a Nitro enclave.
    NitroDebug(checks::Deviation<checks::nitro::Debug>),
    /// The implementation of an Arm platform or device.
    ArmImplementation(checks::Deviation<checks::arm::Implementation>),
    /// The life cycle of an Arm platform or device.
    ArmLifecycle(checks::Deviation<checks::arm::Lifecycle>),
    /// A software component of an Arm platform or device.
    ArmComponent(checks::Deviation<checks::arm::SoftwareComponent>),
    /// The signer of a software component.
    ArmSigner(checks::Deviation<checks::arm::ComponentSigner>),
    /// The initial measurement of a realm.
    CcaMeasurement(checks::Deviation<checks::cca::Measurement>),
    /// An extensible measurement of a realm.
    CcaRegister(checks::Deviation<checks::cca::Register>),
    /// The personalisation value of a realm.
    CcaPersonalization(checks::Deviation<checks::cca::Personalization>),
    /// The configuration of a CCA platform.
    CcaConfig(checks::Deviation<checks::cca::Config>),
    /// A PSA device.
    PsaInstance(checks::Deviation<checks::psa::Instance>),
    /// The caller of a PSA device.
    PsaCaller(checks::Deviation<checks::psa::Caller>),
    /// A measurement of an NVIDIA device.
    NvidiaMeasurement(checks::Deviation<checks::nvidia::Measurement>),
    /// The driver of an NVIDIA device.
    NvidiaDriver(checks::Deviation<checks::nvidia::Driver>),
    /// The VBIOS of an NVIDIA device.
    NvidiaVbios(checks::Deviation<checks::nvidia::Vbios>),
    /// A measurement that NVIDIA's manifest contradicts, or that none was compared with.
    NvidiaManifest(checks::Deviation<checks::nvidia::Manifest>),
    /// The number of NVIDIA devices.
    NvidiaDevices(checks::Deviation<checks::nvidia::Devices>),
    /// The image of a Secure Execution guest.
    S390Image(checks::Deviation<checks::s390::Image>),
    /// What a Secure Execution guest had put in.
    S390UserData(checks::Deviation<checks::s390::UserData>),
    /// What the machine below a Secure Execution guest added.
    S390Additional(checks::Deviation<checks::s390::Additional>),
    /// The launch digest of a CSV guest.
    CsvMeasurement(checks::Deviation<checks::csv::Measurement>),
    /// A runtime register of a CSV guest.
    CsvRegister(checks::Deviation<checks::csv::Register>),
    /// What the host may do with a CSV guest.
    CsvPolicy(checks::Deviation<checks::csv::PolicyBit>),
    /// A CSV guest's identifier.
    CsvGuest(checks::Deviation<checks::csv::Guest>),
    /// A CSV guest's version.
    CsvGuestVersion(checks::Deviation<checks::csv::GuestVersion>),
    /// A CSV guest's owner.
    CsvOwner(checks::Deviation<checks::csv::Owner>),
    /// What a requester had put into a CSV report.
    CsvReportData(checks::Deviation<checks::csv::ReportData>),
    /// The origin of the attestation key.
    AttestationKey(checks::AttestationKey),
    /// Whether report and quote answer one challenge.
    SharedChallenge(checks::Deviation<checks::SharedChallenge>),
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
    /// A reason of the policy's Rego module.
    RegoDenied(checks::RegoDenied),
    /// What the policy's Rego module does not allow.
    RegoAllow(checks::RegoAllow),
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
            assert!(
                ["evidence", "intel", "arm", "rego"].contains(&first)
                    || Layer::ALL.iter().any(|layer| layer.name() == first),
                "{code}"
            );
        }
    }
}
