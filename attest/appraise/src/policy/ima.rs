// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which files the running system may have opened, judged by the IMA list that the quote proves.

use evtpm_verify::logs::Keyring;
use serde::{Deserialize, Serialize};

use super::{FileDigest, FileTable, Pattern, PolicyError};

/// The rules for the IMA list.
///
/// A file passes if its path has one of the listed digests, or a listed key signed it, or its digest is listed for any
/// path, or its path is excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImaPolicy {
    /// The digests that each path may have.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub files: FileTable,
    /// Digests that are accepted under any path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<FileDigest>,
    /// Keys whose signature makes a file acceptable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<SignerKey>,
    /// Paths that are not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<Exclude>,
    /// What a measurement violation amounts to.
    #[serde(default)]
    pub violations: ViolationRule,
    /// Whether `boot_aggregate` has to be recomputed from quoted PCRs.
    #[serde(default = "required")]
    pub boot_aggregate: bool,
}

fn is_empty(files: &FileTable) -> bool {
    files.is_empty()
}

const fn required() -> bool {
    true
}

impl Default for ImaPolicy {
    fn default() -> Self {
        Self {
            files: FileTable::default(),
            digests: Vec::new(),
            signers: Vec::new(),
            excludes: Vec::new(),
            violations: ViolationRule::Fail,
            boot_aggregate: required(),
        }
    }
}

/// A path pattern, anchored at both ends.
pub type Exclude = Pattern;

/// What a violation amounts to: a file was written while it was measured, or measured while it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViolationRule {
    /// The system is not trusted.
    #[default]
    Fail,
    /// The number of violations is mentioned.
    Report,
}

/// A public key that signs files: a DER `SubjectPublicKeyInfo` in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignerKey {
    spki: Vec<u8>,
    id: u32,
}

impl SignerKey {
    /// Takes a key that IMA signatures can be checked with.
    pub fn new(spki: Vec<u8>) -> Result<Self, String> {
        let id = Keyring::new().add(&spki).map_err(|error| error.to_string())?;
        Ok(Self { spki, id })
    }

    /// Returns the key's identifier in signatures.
    pub const fn id(&self) -> u32 {
        self.id
    }
}

impl TryFrom<String> for SignerKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(hex::decode(&text).map_err(|error| error.to_string())?)
    }
}

impl From<SignerKey> for String {
    fn from(key: SignerKey) -> Self {
        hex::encode(key.spki)
    }
}

impl ImaPolicy {
    /// Returns the keys with which signatures are to be checked before the policy looks at them.
    pub fn keyring(&self) -> Result<Keyring, PolicyError> {
        let mut keyring = Keyring::new();
        for key in &self.signers {
            keyring.add(&key.spki).map_err(|error| PolicyError { detail: error.to_string() })?;
        }
        Ok(keyring)
    }
}
