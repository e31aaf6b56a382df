// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy document, version 1: what an attester has to be, in TOML or JSON.
//!
//! Unknown keys are refused, so that a misspelt rule is an error rather than a rule that never applies. A policy
//! without a launch measurement cannot be written: VMPL 0 alone says nothing about who runs there.

mod boot;
mod digest;
mod ima;
mod pattern;
mod snp;
mod tpm;

use core::fmt;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::{Deserialize, Serialize};

pub use boot::{BootPolicy, CommandLineRule};
pub use digest::{AtLeastOne, Bytes, FileDigest};
pub use ima::{Exclude, ImaPolicy, SignerKey, ViolationRule};
pub use pattern::Pattern;
pub use snp::{ProductName, RevocationRule, SnpPolicy, TcbFloor};
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
    /// What the launch has to be: always there.
    pub snp: SnpPolicy,
    /// What the TPM has to report, beyond being the one that the launch vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmPolicy>,
    /// What firmware and boot loader may have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootPolicy>,
    /// Which files the running system may have opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ima: Option<ImaPolicy>,
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
        Self { version: Version::V1, name: String::new(), snp, tpm: None, boot: None, ima: None }
    }

    /// Reads a TOML document.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| PolicyError { detail: error.to_string() })
    }

    /// Reads a JSON document.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(text).map_err(|error| PolicyError { detail: error.to_string() })
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
