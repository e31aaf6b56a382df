// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which part of an event's data its digest covers: only that part is a fact (verification rule 12).

use crate::tcg::{Event, EventData, EventType, Ipl, UefiVariable};
use crate::{HashId, Hashes, Utf16};

/// The bytes that an event's digest was found to be the hash of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preimage<'a> {
    /// All of the event's data.
    EventData(&'a [u8]),
    /// Only the variable's content: EV_EFI_VARIABLE_BOOT of firmware before PFP 1.05; the name is a claim.
    VariableContent(&'a [u8]),
    /// GRUB's text behind its prefix ("grub_cmd: ", "kernel_cmdline: "), without the NUL at its end.
    GrubText(&'a [u8]),
    /// The name of a section of a unified kernel image, as ASCII with a NUL (systemd-stub).
    SectionName(Utf16<'a>),
    /// A separator that reports an error: the digest is that of the number 1, the data say what happened.
    ErrorSeparator,
}

impl<'a> Event<'a> {
    /// Finds what the event's digest in one bank is the hash of; `None` if the data are no more than a claim.
    pub fn preimage<H: Hashes>(&self, algorithm: HashId, hashes: &H) -> Option<Preimage<'a>> {
        if !self.is_extended() {
            return None;
        }
        let digest = self.digests().find(algorithm)?;
        let hashes_to = |parts: &[&[u8]]| hashes.hash(algorithm, parts).is_some_and(|hash| hash == *digest);

        if hashes_to(&[self.data]) {
            return Some(Preimage::EventData(self.data));
        }
        match self.decode() {
            EventData::Variable(UefiVariable { content, .. }) if self.kind == EventType::EFI_VARIABLE_BOOT => {
                hashes_to(&[content]).then_some(Preimage::VariableContent(content))
            }
            EventData::Ipl(Ipl::GrubCommand(text) | Ipl::KernelCommandLine(text) | Ipl::GrubModule(text)) => {
                hashes_to(&[text]).then_some(Preimage::GrubText(text))
            }
            EventData::Ipl(Ipl::Utf16(name)) => {
                let (ascii, length) = section_name(name)?;
                hashes_to(&[ascii.get(..length)?]).then_some(Preimage::SectionName(name))
            }
            // PFP, "EV_SEPARATOR": an error is measured as the digest of 00000001h.
            EventData::Separator(_) | EventData::Undecoded(_) if self.kind == EventType::SEPARATOR => {
                hashes_to(&[&1_u32.to_le_bytes()]).then_some(Preimage::ErrorSeparator)
            }
            _ => None,
        }
    }
}

/// Narrows a PE section's name (at most eight characters) to ASCII with its NUL.
fn section_name(name: Utf16<'_>) -> Option<([u8; 9], usize)> {
    let mut ascii = [0; 9];
    let mut length = 0_usize;
    for unit in name.units() {
        *ascii.get_mut(length).filter(|_| length < 8)? = u8::try_from(unit).ok().filter(u8::is_ascii)?;
        length = length.saturating_add(1);
    }
    Some((ascii, length.saturating_add(1)))
}
