// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What firmware and boot loader may have started, judged by the event log that the quote proves.

use core::fmt;

use evtpm_logs::PcrIndex;
use evtpm_verify::logs::CommandLine;
use serde::{Deserialize, Serialize};

use super::{FileDigest, Pattern, PcrNumber};

/// The rules for the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootPolicy {
    /// The PCRs that the log has to explain.
    #[serde(default = "firmware_pcrs")]
    pub pcrs: Vec<PcrNumber>,
    /// Whether Secure Boot has to be on or off; left out for either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    /// The kernel command lines that are accepted; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command_lines: Vec<CommandLineRule>,
    /// The digests of boot loaders and kernels that firmware may start (PCR 4, Authenticode digests); empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<FileDigest>,
    /// The digests of what boot loader and kernel stub may load (PCR 9: kernels, initial RAM disks, modules); empty
    /// for any. Wants `command_lines` too, since the kernel stub measures the command line into the same PCR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loaded: Vec<FileDigest>,
}

/// The PCRs of firmware, boot loader and kernel on a machine without shim.
fn firmware_pcrs() -> Vec<PcrNumber> {
    PcrIndex::all().filter(|pcr| pcr.value() <= 9).map(PcrNumber).collect()
}

impl BootPolicy {
    /// Says whether there is a boot that would not pass, however well its log explains it.
    pub(crate) const fn restricts(&self) -> bool {
        self.secure_boot.is_some()
            || !self.command_lines.is_empty()
            || !self.applications.is_empty()
            || !self.loaded.is_empty()
    }
}

impl Default for BootPolicy {
    fn default() -> Self {
        Self {
            pcrs: firmware_pcrs(),
            secure_boot: None,
            command_lines: Vec::new(),
            applications: Vec::new(),
            loaded: Vec::new(),
        }
    }
}

/// A rule for the kernel command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum CommandLineRule {
    /// Exactly this command line.
    Exact(String),
    /// A command line that matches an anchored pattern; only where the text itself was measured.
    Pattern(Pattern),
    /// A command line of which only the digest is known, as the kernel's EFI stub measures it: UTF-16LE with its NUL.
    Digest(FileDigest),
}

impl CommandLineRule {
    /// Says whether a measured command line keeps the rule.
    pub fn accepts(&self, measured: &CommandLine) -> bool {
        match (self, measured) {
            (Self::Exact(expected), measured) => measured.is(expected),
            (Self::Pattern(pattern), CommandLine::Text { text, .. }) => pattern.matches(text),
            (Self::Digest(expected), CommandLine::Digest { digests, .. }) => {
                digests.iter().any(|(bank, digest)| *bank == expected.algorithm && *digest == expected.digest)
            }
            (Self::Pattern(_), CommandLine::Digest { .. }) | (Self::Digest(_), CommandLine::Text { .. }) => false,
        }
    }
}

impl fmt::Display for CommandLineRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "\"{text}\""),
            Self::Pattern(pattern) => write!(f, "pattern \"{pattern}\""),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}
