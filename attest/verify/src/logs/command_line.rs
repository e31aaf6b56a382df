// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's command line, as boot loaders and the kernel's EFI stub measured it.

use evtpm_crypto::constant_time_eq;
use evtpm_logs::tcg::{EventData, Ipl, Preimage, TaggedEvent};
use evtpm_logs::{Digest, HashId, Hashes, PcrIndex};

use crate::logs::{CryptoHashes, MeasuredBoot, VerifiedEvent};

/// One measurement of a kernel command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// The text itself is proven.
    Text {
        /// The register that it was measured into.
        pcr: PcrIndex,
        /// The command line; for GRUB with the kernel's path before it.
        text: String,
    },
    /// Only a digest is known: the Linux EFI stub measures the text and logs a label.
    Digest {
        /// The register that it was measured into.
        pcr: PcrIndex,
        /// The digests of the UTF-16LE text with its NUL, for each quoted bank of the register.
        digests: Vec<(HashId, Digest)>,
    },
}

impl CommandLine {
    /// Tells whether this measurement is that of `text`.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            CommandLine::Text { text: measured, .. } => measured == text,
            CommandLine::Digest { digests, .. } => {
                let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
                !digests.is_empty()
                    && digests.iter().all(|(bank, digest)| {
                        let actual = CryptoHashes.hash(*bank, &[&wide]);
                        actual.is_some_and(|actual| constant_time_eq(actual.as_bytes(), digest.as_bytes()))
                    })
            }
        }
    }
}

impl MeasuredBoot<'_> {
    /// Returns every measurement of a kernel command line in the log's order: GRUB's text (PCR 8), systemd-boot's and
    /// systemd-stub's text (PCR 12), the EFI stub's digest (PCR 9).
    #[must_use]
    pub fn command_lines(&self) -> Vec<CommandLine> {
        self.events().filter_map(|event| self.command_line(event)).collect()
    }

    fn command_line(&self, event: &VerifiedEvent<'_>) -> Option<CommandLine> {
        let pcr = event.pcr();
        match (pcr.value(), event.claimed(), event.preimage()) {
            (8, EventData::Ipl(Ipl::KernelCommandLine(_)), Some(Preimage::GrubText(text))) => {
                Some(CommandLine::Text { pcr, text: String::from_utf8_lossy(text).into_owned() })
            }
            (12, EventData::Ipl(Ipl::Utf16(text)), Some(Preimage::EventData(_))) => {
                Some(CommandLine::Text { pcr, text: text.chars().collect() })
            }
            (9, EventData::Tagged(TaggedEvent { id: TaggedEvent::LOAD_OPTIONS, .. }), _) => {
                let banks = self.quote().banks().iter().filter(|bank| bank.pcrs().contains(pcr));
                let digests = banks
                    .filter_map(|bank| Some((bank.algorithm(), Digest::new(event.digest(bank.algorithm())?)?)))
                    .collect();
                Some(CommandLine::Digest { pcr, digests })
            }
            _ => None,
        }
    }
}
