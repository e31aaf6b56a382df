// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy document, version 1: what an attester has to be, in TOML or JSON.
//!
//! Unknown keys are refused, so that a misspelt rule is an error rather than a rule that never applies. A policy
//! without a launch measurement cannot be written by accident: VMPL 0 alone says nothing about who runs there. Who wants
//! to judge a machine whose hardware says nothing has to write `hardware = "none"`, and every result repeats it.

mod arm;
mod azure;
mod boot;
mod csv;
mod diff;
mod digest;
mod explain;
mod files;
mod ima;
mod intel;
mod nitro;
mod nvidia;
mod pattern;
mod references;
mod rego;
mod s390;
mod schema;
mod snp;
mod tpm;

use core::fmt;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::{Deserialize, Serialize};

pub use arm::{CcaPolicy, LifecycleState, PsaPolicy};
pub use azure::AzurePolicy;
pub use boot::{BootPolicy, CommandLineRule};
pub use csv::CsvPolicy;
pub use diff::{Change, Effect};
pub use digest::{AtLeastOne, Bytes, FileDigest, HexBytes, Index};
pub use explain::Paragraph;
pub use files::FileTable;
pub use ima::{Exclude, ImaPolicy, SignerKey, ViolationRule};
pub use intel::{IntelPlatform, IntelTcb, SgxPolicy, TdxPolicy};
pub use nitro::NitroPolicy;
pub use nvidia::NvidiaPolicy;
pub use pattern::Pattern;
pub use references::{ReferenceError, ReferenceOptions};
pub use rego::{RegoModule, RegoPolicy};
pub use s390::S390Policy;
pub use snp::{Endorser, MitigationBit, PlatformFlag, ProductName, RevocationRule, SnpPolicy, TcbField, TcbFloor};
pub use tpm::{Bank, PcrNumber, PcrPolicy, TpmPolicy};

/// The policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The version of this document's form.
    pub version: Version,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether the policy decides, or is only tried out.
    #[serde(default, skip_serializing_if = "Mode::is_enforce")]
    pub mode: Mode,
    /// Whether hardware has to vouch for the machine.
    #[serde(default, skip_serializing_if = "HardwareRule::is_required")]
    pub hardware: HardwareRule,
    /// What the launch of an SEV-SNP guest has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snp: Option<SnpPolicy>,
    /// What a TD has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tdx: Option<TdxPolicy>,
    /// What an SGX enclave has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sgx: Option<SgxPolicy>,
    /// What Azure's paravisor has to say, above `[snp]` or `[tdx]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzurePolicy>,
    /// What an AWS Nitro enclave has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nitro: Option<NitroPolicy>,
    /// What an Arm CCA realm and its platform have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cca: Option<CcaPolicy>,
    /// What a device with a PSA token has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psa: Option<PsaPolicy>,
    /// What every NVIDIA device has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvidia: Option<NvidiaPolicy>,
    /// What an IBM Secure Execution guest has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s390: Option<S390Policy>,
    /// What a Hygon CSV guest has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvPolicy>,
    /// What the TPM has to report, beyond being the one that the launch vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmPolicy>,
    /// What firmware and boot loader may have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootPolicy>,
    /// Which files the running system may have opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ima: Option<ImaPolicy>,
    /// What no section has a rule for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rego: Option<RegoPolicy>,
}

/// Whether a policy decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Its verdict counts.
    #[default]
    Enforce,
    /// Its findings are reported, and the verdict is `audit` whatever they are.
    Audit,
}

impl Mode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_enforce(&self) -> bool {
        *self == Self::Enforce
    }
}

/// Whether hardware has to vouch for the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HardwareRule {
    /// A report of the hardware is asked for, by a section of its own.
    #[default]
    Required,
    /// The operator vouches for the machine: a TPM alone is judged, and the result says so.
    None,
}

impl HardwareRule {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_required(&self) -> bool {
        *self == Self::Required
    }
}

/// The version of the policy document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Version {
    /// Version 1.
    V1,
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            1 => Ok(Self::V1),
            other => Err(format!("unknown policy version {other}, expected 1")),
        }
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> Self {
        match version {
            Version::V1 => 1,
        }
    }
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// What the parser said, with the place where it has one.
    pub detail: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a policy: {}", self.detail.trim_end())
    }
}

impl core::error::Error for PolicyError {}

impl Policy {
    /// Starts a policy that accepts these launch measurements and asks for nothing else yet.
    pub fn new(snp: SnpPolicy) -> Self {
        Self { snp: Some(snp), ..Self::empty(HardwareRule::Required) }
    }

    /// Starts a policy without any rule: nothing passes it, nor can it be read back, before it gets one.
    pub const fn empty(hardware: HardwareRule) -> Self {
        Self {
            version: Version::V1,
            name: String::new(),
            mode: Mode::Enforce,
            hardware,
            snp: None,
            tdx: None,
            sgx: None,
            azure: None,
            nitro: None,
            cca: None,
            psa: None,
            nvidia: None,
            s390: None,
            csv: None,
            tpm: None,
            boot: None,
            ima: None,
            rego: None,
        }
    }

    fn checked(self) -> Result<Self, PolicyError> {
        match self.flaw() {
            Some(flaw) => Err(PolicyError { detail: flaw.to_owned() }),
            None => Ok(self),
        }
    }

    /// Says why this is no policy that could be meant: it asks for nothing, or contradicts itself.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if self.azure.is_some() && self.snp.is_none() && self.tdx.is_none() {
            return Some("[azure] is about a paravisor, which [snp] or [tdx] has to name by its measurement");
        }
        if self.snp.as_ref().is_some_and(SnpPolicy::accepts_any_launch) {
            return Some("[snp] names neither measurements nor endorsers");
        }
        if self.sgx.as_ref().is_some_and(SgxPolicy::accepts_any_enclave) {
            return Some("[sgx] names neither enclaves nor signers");
        }
        if self.nvidia.as_ref().is_some_and(NvidiaPolicy::accepts_any_device) {
            return Some("[nvidia] names no measurements and no versions, nor asks for NVIDIA's manifests");
        }
        match self.hardware {
            HardwareRule::Required if !self.asks_for_hardware() => Some(
                "no launch is named: expected [snp], [tdx], [sgx], [nitro], [cca], [psa], [nvidia], [s390] or [csv], \
                 or hardware = \"none\" where you vouch for the machine yourself",
            ),
            HardwareRule::None if self.asks_for_hardware() => Some("hardware = \"none\" and a section about hardware"),
            HardwareRule::None if !self.restricts_software() => {
                Some("hardware = \"none\", and no rule in [tpm], [boot] or [ima] that anything could fail")
            }
            _ => None,
        }
    }

    const fn asks_for_hardware(&self) -> bool {
        self.snp.is_some()
            || self.tdx.is_some()
            || self.sgx.is_some()
            || self.nitro.is_some()
            || self.cca.is_some()
            || self.psa.is_some()
            || self.nvidia.is_some()
            || self.s390.is_some()
            || self.csv.is_some()
    }

    fn restricts_software(&self) -> bool {
        self.ima.is_some()
            || self.tpm.as_ref().is_some_and(|tpm| !tpm.pcrs.is_empty())
            || self.boot.as_ref().is_some_and(BootPolicy::restricts)
    }

    /// Reads a TOML document.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| PolicyError { detail: error.to_string() }).and_then(Self::checked)
    }

    /// Reads a JSON document.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(text).map_err(|error| PolicyError { detail: error.to_string() }).and_then(Self::checked)
    }

    /// Writes a TOML document.
    pub fn to_toml(&self) -> Result<String, PolicyError> {
        toml::to_string(self).map_err(|error| PolicyError { detail: error.to_string() })
    }

    /// Writes a JSON document.
    pub fn to_json(&self) -> Result<String, PolicyError> {
        serde_json::to_string(self).map_err(|error| PolicyError { detail: error.to_string() })
    }

    /// Identifies the policy in results: SHA-256 of its JSON form, so that TOML and JSON of one policy agree.
    pub fn id(&self) -> Result<String, PolicyError> {
        let digest = RustCrypto::hash(HashAlg::Sha256, &[self.to_json()?.as_bytes()]);
        Ok(format!("sha256:{}", hex::encode(digest.as_bytes())))
    }
}

#[cfg(test)]
mod tests;
