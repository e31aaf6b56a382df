// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reference state that Keylime's measured boot policy `example` reads.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Deserializer, de};

use crate::hex::unhex;

/// What a boot has to consist of.
#[derive(Debug, Deserialize)]
pub(crate) struct ReferenceState {
    #[serde(default = "yes")]
    pub(super) has_secureboot: bool,
    pub(super) scrtm_and_bios: Vec<Firmware>,
    pub(super) pk: Vec<Key>,
    pub(super) kek: Vec<Key>,
    pub(super) db: Vec<Key>,
    pub(super) dbx: Vec<Key>,
    #[serde(default)]
    pub(super) vendor_db: Vec<Key>,
    pub(super) mokdig: Vec<Digests>,
    pub(super) mokxdig: Vec<Digests>,
    pub(super) kernels: Vec<Kernel>,
}

const fn yes() -> bool {
    true
}

/// A digest of one thing in each of some algorithms.
pub(super) type Digests = BTreeMap<String, Hex>;

/// A firmware.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Firmware {
    pub(super) scrtm: Digests,
    pub(super) platform_firmware: Vec<Digests>,
}

/// A key or a hash of Secure Boot's databases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    /// A GUID.
    #[serde(rename = "SignatureOwner")]
    pub(super) owner: String,
    #[serde(rename = "SignatureData")]
    pub(super) data: Hex,
}

/// A boot loader with a kernel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    pub(super) shim_authcode_sha256: Hex,
    pub(super) grub_authcode_sha256: Hex,
    /// Measured by the firmware, with Secure Boot.
    #[serde(default)]
    pub(super) kernel_authcode_sha256: Option<Hex>,
    /// Measured by GRUB, without it.
    #[serde(default)]
    pub(super) vmlinuz_plain_sha256: Option<Hex>,
    pub(super) initrd_plain_sha256: Hex,
    /// Matches the whole command line.
    #[serde(deserialize_with = "whole_line")]
    pub(super) kernel_cmdline: Regex,
}

/// Bytes, written as 0x and hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hex(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.strip_prefix("0x").and_then(unhex).map(Hex);
        bytes.ok_or_else(|| de::Error::custom(format!("`{text}` is not 0x and hexadecimal")))
    }
}

fn whole_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Regex::new(&format!("^(?:{pattern})$")).map_err(de::Error::custom)
}

impl ReferenceState {
    /// Reads a state, which has to say the digests that its kind of boot has.
    pub(super) fn read(document: &str) -> Result<Self, String> {
        let state: Self = serde_json::from_str(document).map_err(|error| format!("mb_policy: {error}"))?;
        let (has_secureboot, missing) =
            if state.has_secureboot { ("with", "kernel_authcode_sha256") } else { ("without", "vmlinuz_plain_sha256") };
        let says = |kernel: &Kernel| {
            let [needed, other] = [kernel.kernel_authcode_sha256.is_some(), kernel.vmlinuz_plain_sha256.is_some()];
            if state.has_secureboot { needed && !other } else { other && !needed }
        };
        if state.kernels.iter().all(says) {
            return Ok(state);
        }
        Err(format!("mb_policy: a kernel of a boot {has_secureboot} Secure Boot is known by `{missing}` and no other"))
    }
}
