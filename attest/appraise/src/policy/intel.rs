// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TD or an SGX enclave has to be, and the platform below it (Intel, *TDX Module Base Architecture Specification*,
//! "Measurement and Attestation"; *SGX Developer Guide*, "Enclave Measurement").

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{AtLeastOne, Bytes, RevocationRule};

/// The rules for a TD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TdxPolicy {
    /// The measurements of the initial contents (MRTD) that are accepted.
    pub measurements: AtLeastOne<Bytes<48>>,
    /// The values that RTMR 0 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rtmr0: Vec<Bytes<48>>,
    /// The values that RTMR 1 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rtmr1: Vec<Bytes<48>>,
    /// The values that RTMR 2 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rtmr2: Vec<Bytes<48>>,
    /// The values that RTMR 3 may have; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rtmr3: Vec<Bytes<48>>,
    /// The measurements of the TDX module (MRSEAM) that are accepted; empty for any that Intel's collateral accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Bytes<48>>,
    /// The configuration identifiers (MRCONFIGID) that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_ids: Vec<Bytes<48>>,
    /// The owners (MROWNER) that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Bytes<48>>,
    /// The TDATTRIBUTES that are accepted, as the quote has their bytes; empty for any without debugging.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Bytes<8>>,
    /// The extended features (XFAM) that are accepted, as the quote has their bytes; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xfam: Vec<Bytes<8>>,
    /// The REPORTDATA that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub report_data: Vec<Bytes<64>>,
    /// Whether a TD that the host may debug is accepted.
    #[serde(default)]
    pub allow_debug: bool,
    /// Whether a quote that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
    /// What the platform has to be.
    #[serde(default)]
    pub platform: IntelPlatform,
}

impl TdxPolicy {
    /// Starts rules that accept these measurements on a platform that is up to date, and ask for nothing else yet.
    pub(crate) fn new(measurements: AtLeastOne<Bytes<48>>) -> Self {
        Self {
            measurements,
            rtmr0: Vec::new(),
            rtmr1: Vec::new(),
            rtmr2: Vec::new(),
            rtmr3: Vec::new(),
            modules: Vec::new(),
            config_ids: Vec::new(),
            owners: Vec::new(),
            attributes: Vec::new(),
            xfam: Vec::new(),
            report_data: Vec::new(),
            allow_debug: false,
            allow_recorded: false,
            platform: IntelPlatform::default(),
        }
    }
}

/// The rules for an SGX enclave, of which `enclaves` or `signers` has to name some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgxPolicy {
    /// The measurements (MRENCLAVE) that are accepted; empty for any of the signers'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enclaves: Vec<Bytes<32>>,
    /// The digests of the signers' keys (MRSIGNER) that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Bytes<32>>,
    /// The products (ISVPRODID) that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<u16>,
    /// The lowest security version (ISVSVN).
    #[serde(default)]
    pub min_security_version: u16,
    /// The REPORTDATA that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub report_data: Vec<Bytes<64>>,
    /// Whether an enclave that the host may debug is accepted.
    #[serde(default)]
    pub allow_debug: bool,
    /// Whether a quote that answers no challenge of this verifier is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
    /// What the platform has to be.
    #[serde(default)]
    pub platform: IntelPlatform,
}

impl SgxPolicy {
    /// Says whether every enclave would do.
    pub(crate) const fn accepts_any_enclave(&self) -> bool {
        self.enclaves.is_empty() && self.signers.is_empty()
    }
}

/// The rules for an Intel platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntelPlatform {
    /// The states of the TCB that are accepted, by Intel's names; a revoked one never is.
    #[serde(default = "up_to_date")]
    pub tcb: AtLeastOne<IntelTcb>,
    /// Whether a platform is accepted whose TCB nobody judged, for want of Intel's collateral.
    #[serde(default)]
    pub allow_unchecked_tcb: bool,
    /// The advisories that may apply to the platform; empty for any that its TCB's state allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<String>,
    /// The kinds of platform (FMSPC) that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fmspcs: Vec<Bytes<6>>,
    /// Whether a current revocation list has to have been checked.
    #[serde(default)]
    pub revocation: RevocationRule,
}

fn up_to_date() -> AtLeastOne<IntelTcb> {
    AtLeastOne::new(IntelTcb::UpToDate)
}

impl Default for IntelPlatform {
    fn default() -> Self {
        Self {
            tcb: up_to_date(),
            allow_unchecked_tcb: false,
            advisories: Vec::new(),
            fmspcs: Vec::new(),
            revocation: RevocationRule::Optional,
        }
    }
}

/// The state of a TCB by Intel's names (*Intel PCS API*, "tcbStatus"), those that a policy may accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IntelTcb {
    /// Nothing is known against it.
    UpToDate,
    /// The enclave's or TD's software has to take measures of its own.
    SWHardeningNeeded,
    /// The platform's configuration could be better.
    ConfigurationNeeded,
    /// Both of these.
    ConfigurationAndSWHardeningNeeded,
    /// There is newer firmware.
    OutOfDate,
    /// There is newer firmware, and the configuration could be better.
    OutOfDateConfigurationNeeded,
    /// The TD was launched below firmware that is newer now.
    TDRelaunchAdvised,
    /// The same, and the configuration could be better.
    TDRelaunchAdvisedConfigurationNeeded,
}

impl IntelTcb {
    /// Finds a state by Intel's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::UpToDate,
            Self::SWHardeningNeeded,
            Self::ConfigurationNeeded,
            Self::ConfigurationAndSWHardeningNeeded,
            Self::OutOfDate,
            Self::OutOfDateConfigurationNeeded,
            Self::TDRelaunchAdvised,
            Self::TDRelaunchAdvisedConfigurationNeeded,
        ]
        .into_iter()
        .find(|state| state.to_string() == name)
    }
}

impl fmt::Display for IntelTcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
