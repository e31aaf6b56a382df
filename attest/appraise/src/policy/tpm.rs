// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the TPM has to report, beyond being the one that the launch vouches for.

use core::fmt;
use std::collections::BTreeMap;

use evtpm_logs::{HashId, PcrIndex};
use serde::{Deserialize, Serialize};

use super::{AtLeastOne, FileDigest};

/// The rules for keys and quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmPolicy {
    /// The banks that have to be quoted; empty for any, as long as no rule names one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub banks: Vec<Bank>,
    /// The ways in which something may vouch for the endorsement key: `nv-report`, `svsm-manifest-v0`, `svsm-manifest-v1`,
    /// `svsm-services`, `azure-runtime-claims`, `ek-certificate`; empty for any but the last, which is no hardware's report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<String>,
    /// Whether an attestation key that no report vouches for is accepted on the operator's word.
    #[serde(default)]
    pub allow_named_ak: bool,
    /// Whether a report that leads to no key has to answer the nonce of the quote, so that both were made for one challenge.
    #[serde(default)]
    pub require_shared_challenge: bool,
    /// Whether a quote over a nonce that came with the evidence is accepted.
    #[serde(default)]
    pub allow_recorded: bool,
    /// The values that PCRs may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pcrs: Vec<PcrPolicy>,
}

/// The values that one PCR may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcrPolicy {
    /// The PCR.
    pub pcr: PcrNumber,
    /// Its values; the algorithm says of which bank.
    pub values: AtLeastOne<FileDigest>,
}

impl PcrPolicy {
    /// Groups the accepted values by bank.
    pub fn by_bank(&self) -> BTreeMap<HashId, Vec<&[u8]>> {
        let mut banks = BTreeMap::<_, Vec<_>>::new();
        for value in self.values.iter() {
            banks.entry(value.algorithm).or_default().push(value.digest.as_bytes());
        }
        banks
    }
}

/// A PCR bank by the name of its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bank(pub HashId);

impl TryFrom<String> for Bank {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        HashId::from_name(&name).map(Self).ok_or_else(|| format!("unknown hash algorithm \"{name}\""))
    }
}

impl From<Bank> for String {
    fn from(bank: Bank) -> Self {
        bank.to_string()
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a PCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PcrNumber(pub PcrIndex);

impl TryFrom<u32> for PcrNumber {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        PcrIndex::new(number).map(Self).ok_or_else(|| format!("there is no PCR {number}"))
    }
}

impl From<PcrNumber> for u32 {
    fn from(pcr: PcrNumber) -> Self {
        Self::from(pcr.0.value())
    }
}
