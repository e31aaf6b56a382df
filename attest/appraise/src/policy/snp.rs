// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a launch has to be (AMD 56860, "ATTESTATION_REPORT").

use core::fmt;
use std::collections::BTreeMap;

use evtpm_snp::{Generation, PlatformInfo, Tcb};
use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes};

/// The rules for the SNP report, of which `measurements` or `endorsers` has to name some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnpPolicy {
    /// The product lines of AMD whose roots are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductName>,
    /// The simulated roots that are accepted, by name; no hardware stands behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulated: Vec<String>,
    /// The launch digests that are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Bytes<48>>,
    /// Who may vouch for other launch digests, by a signed endorsement beside the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endorsers: Vec<Endorser>,
    /// The privilege level that the report has to be made for.
    #[serde(default)]
    pub vmpl: u32,
    /// Whether a guest that the host may debug is accepted.
    #[serde(default)]
    pub allow_debug: bool,
    /// Whether a guest with a migration agent is accepted.
    #[serde(default)]
    pub allow_migration: bool,
    /// Whether a report signed by a provider's key (VLEK) is accepted.
    #[serde(default)]
    pub allow_vlek: bool,
    /// The lowest security version of the guest, from its ID block.
    #[serde(default)]
    pub min_guest_svn: u32,
    /// The lowest patch levels of each product line's firmware.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tcb: BTreeMap<ProductName, TcbFloor>,
    /// The report's TCBs that the floors hold for, beside REPORTED_TCB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcb_fields: Vec<TcbField>,
    /// The mitigations that have to be there, as bits of LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mitigations: Vec<MitigationBit>,
    /// What PLATFORM_INFO has to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platform_required: Vec<PlatformFlag>,
    /// What PLATFORM_INFO must not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platform_refused: Vec<PlatformFlag>,
    /// The keys that may have signed the ID block, by digest; empty for any or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_keys: Vec<Bytes<48>>,
    /// The keys that may have certified the ID key, by digest; empty for any or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub author_keys: Vec<Bytes<48>>,
    /// What the host may have given at launch; empty for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_data: Vec<Bytes<32>>,
    /// The chips that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chips: Vec<Bytes<64>>,
    /// The cloud providers that are accepted, where VLEKs are; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// Whether a current revocation list has to have been checked.
    #[serde(default)]
    pub revocation: RevocationRule,
}

/// Whose signed endorsements of launch digests are accepted, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorser {
    /// The issuer: a `did:x509` (authority by its digest, and the usage that the signer's certificate has to have), or for Google's
    /// endorsements `sha256:` and the digest of the authority's certificate.
    pub issuer: String,
    /// What it may endorse, by the names of its feeds.
    pub feeds: AtLeastOne<String>,
    /// The lowest security version that it has to give the launch.
    #[serde(default)]
    pub min_svn: u64,
}

/// What is asked of revocation lists; a certificate that a list names is refused in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevocationRule {
    /// A missing or outdated list is only mentioned.
    #[default]
    Optional,
    /// Without a current list nothing is trusted.
    Required,
}

/// A product line by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProductName {
    /// Third generation EPYC.
    Milan,
    /// Fourth generation EPYC, Bergamo and Siena included.
    Genoa,
    /// Fifth generation EPYC.
    Turin,
    /// Sixth generation EPYC.
    Venice,
}

impl ProductName {
    /// Finds a product line by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Milan, Self::Genoa, Self::Turin, Self::Venice].into_iter().find(|product| product.to_string() == name)
    }
}

impl From<Generation> for ProductName {
    fn from(generation: Generation) -> Self {
        match generation {
            Generation::Milan => Self::Milan,
            Generation::Genoa => Self::Genoa,
            Generation::Turin => Self::Turin,
            Generation::Venice => Self::Venice,
        }
    }
}

impl fmt::Display for ProductName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The lowest patch levels, component by component; a component that is left out has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcbFloor {
    /// The FMC firmware (Turin and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// The secure processor's boot loader.
    #[serde(default)]
    pub bootloader: u8,
    /// The secure processor's operating system.
    #[serde(default)]
    pub tee: u8,
    /// The SNP firmware.
    #[serde(default)]
    pub snp: u8,
    /// The microcode.
    #[serde(default)]
    pub microcode: u8,
}

/// A TCB that a report states beside REPORTED_TCB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcbField {
    /// COMMITTED_TCB, below which the platform cannot go any more.
    Committed,
    /// LAUNCH_TCB, at the guest's launch.
    Launch,
    /// CURRENT_TCB, when the report was made.
    Current,
}

/// The number of a mitigation's bit, 0 to 63 (AMD 56860, "LAUNCH_MIT_VECTOR").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MitigationBit(u8);

impl TryFrom<u8> for MitigationBit {
    type Error = String;

    fn try_from(bit: u8) -> Result<Self, String> {
        if bit < 64 { Ok(Self(bit)) } else { Err(format!("{bit} is no bit of a mitigation vector, which has 64")) }
    }
}

impl From<MitigationBit> for u8 {
    fn from(MitigationBit(bit): MitigationBit) -> Self {
        bit
    }
}

/// A statement of PLATFORM_INFO (AMD 56860, "PLATFORM_INFO").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformFlag {
    /// Simultaneous multithreading is enabled.
    Smt,
    /// Transparent SME is enabled.
    Tsme,
    /// The memory has error correction.
    Ecc,
    /// RAPL is disabled.
    RaplDisabled,
    /// Ciphertext hiding is enabled.
    CiphertextHiding,
    /// The check for memory aliases was completed since the last reset.
    AliasCheckComplete,
    /// SEV-TIO is enabled.
    Tio,
}

impl PlatformFlag {
    /// Returns its bit of PLATFORM_INFO.
    pub const fn bit(self) -> u64 {
        match self {
            Self::Smt => PlatformInfo::SMT,
            Self::Tsme => PlatformInfo::TSME,
            Self::Ecc => PlatformInfo::ECC,
            Self::RaplDisabled => PlatformInfo::RAPL_DISABLED,
            Self::CiphertextHiding => PlatformInfo::CIPHERTEXT_HIDING,
            Self::AliasCheckComplete => PlatformInfo::ALIAS_CHECK_COMPLETE,
            Self::Tio => PlatformInfo::TIO,
        }
    }
}

impl fmt::Display for PlatformFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smt => "SMT",
            Self::Tsme => "TSME",
            Self::Ecc => "ECC memory",
            Self::RaplDisabled => "disabled RAPL",
            Self::CiphertextHiding => "ciphertext hiding",
            Self::AliasCheckComplete => "a completed check for memory aliases",
            Self::Tio => "SEV-TIO",
        })
    }
}

impl From<Tcb> for TcbFloor {
    fn from(tcb: Tcb) -> Self {
        Self { fmc: tcb.fmc, bootloader: tcb.bootloader, tee: tcb.tee, snp: tcb.snp, microcode: tcb.microcode }
    }
}

impl SnpPolicy {
    /// Says whether every launch would do.
    pub(crate) const fn accepts_any_launch(&self) -> bool {
        self.measurements.is_empty() && self.endorsers.is_empty()
    }

    /// Starts rules that accept one launch measurement, on hardware of no product line yet.
    pub fn new(measurement: [u8; 48]) -> Self {
        Self { measurements: vec![Bytes(measurement)], ..Self::default() }
    }
}
