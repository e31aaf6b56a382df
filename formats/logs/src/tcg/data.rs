// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Event data decoded for people and policies; what its digest does not cover stays a claim (see `preimage`).

use crate::bytes::Cursor;
use crate::tcg::spec_id::SpecId;
use crate::tcg::{Event, EventType, GptEvent, ImageLoad, UefiVariable};
use crate::{At, Utf16};

/// The data of one event, by its type.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum EventData<'a> {
    /// EV_NO_ACTION: information that was never extended.
    NoAction(NoAction<'a>),
    /// EV_SEPARATOR: 0 or FFFFFFFFh where pre-boot ends.
    Separator(u32),
    /// EV_ACTION, EV_EFI_ACTION and other texts.
    Text(&'a [u8]),
    /// EV_S_CRTM_VERSION as UTF-16.
    CrtmVersion(Utf16<'a>),
    /// EV_EFI_VARIABLE_*: `UEFI_VARIABLE_DATA`.
    Variable(UefiVariable<'a>),
    /// EV_EFI_BOOT_SERVICES_APPLICATION and drivers: `UEFI_IMAGE_LOAD_EVENT`; the digest is the Authenticode one.
    Image(ImageLoad<'a>),
    /// EV_EFI_PLATFORM_FIRMWARE_BLOB and others: a range of memory.
    Blob {
        /// What the firmware calls it (EV_EFI_PLATFORM_FIRMWARE_BLOB2).
        description: &'a [u8],
        /// Physical address.
        base: u64,
        /// Length in bytes.
        length: u64,
    },
    /// EV_EFI_GPT_EVENT: `UEFI_GPT_DATA`.
    Gpt(GptEvent<'a>),
    /// EV_EVENT_TAG: `TCG_PCClientTaggedEvent`.
    Tagged(TaggedEvent<'a>),
    /// EV_IPL: what boot loaders measure.
    Ipl(Ipl<'a>),
    /// Data of a type without structure, or that do not have the structure of their type.
    Undecoded(&'a [u8]),
}

/// The informative events of PFP, "EV_NO_ACTION Event Types".
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum NoAction<'a> {
    /// The locality that started the TPM, and with it the start value of PCR 0.
    StartupLocality(u8),
    /// A Spec ID event.
    SpecId(SpecId<'a>),
    /// A reference manifest of SP 800-155, any version: the signature and the rest.
    Sp800155 {
        /// "SP800-155 Event", or "SP800-155 Event2" or "Event3".
        signature: &'a [u8; 16],
        /// What follows the signature.
        body: &'a [u8],
    },
    /// Anything else.
    Other(&'a [u8]),
}

/// One `TCG_PCClientTaggedEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaggedEvent<'a> {
    /// The identifier.
    pub id: u32,
    /// The data.
    pub data: &'a [u8],
}

impl TaggedEvent<'_> {
    /// The Linux EFI stub's tag for a digest of the initrd (`INITRD_EVENT_TAG_ID`).
    pub const INITRD: u32 = 0x8F3B_22EC;
    /// The Linux EFI stub's tag for a digest of the command line (`LOAD_OPTIONS_EVENT_TAG_ID`).
    pub const LOAD_OPTIONS: u32 = 0x8F3B_22ED;
}

/// What boot loaders put into EV_IPL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipl<'a> {
    /// GRUB: a command that it ran.
    GrubCommand(&'a [u8]),
    /// GRUB: the kernel's command line, image name first.
    KernelCommandLine(&'a [u8]),
    /// GRUB: the command line of a multiboot module.
    GrubModule(&'a [u8]),
    /// systemd-boot, systemd-stub: UTF-16 text, a command line or a section's name.
    Utf16(Utf16<'a>),
    /// shim and GRUB: the name of what was hashed (a file, a variable).
    Name(&'a [u8]),
}

impl<'a> Event<'a> {
    /// Decodes the event's data by its type; never fails, see [`EventData::Undecoded`].
    #[must_use]
    pub fn decode(&self) -> EventData<'a> {
        let data = self.data;
        let decoded = match self.kind {
            EventType::NO_ACTION => Some(EventData::NoAction(no_action(data, self.at))),
            EventType::SEPARATOR => data.try_into().ok().map(|word| EventData::Separator(u32::from_le_bytes(word))),
            EventType::ACTION | EventType::EFI_ACTION | EventType::OMIT_BOOT_DEVICE_EVENTS => {
                Some(EventData::Text(data))
            }
            EventType::S_CRTM_VERSION => Utf16::new(data).map(EventData::CrtmVersion),
            EventType::EFI_VARIABLE_DRIVER_CONFIG
            | EventType::EFI_VARIABLE_BOOT
            | EventType::EFI_VARIABLE_BOOT2
            | EventType::EFI_VARIABLE_AUTHORITY => UefiVariable::parse(data).map(EventData::Variable),
            EventType::EFI_BOOT_SERVICES_APPLICATION
            | EventType::EFI_BOOT_SERVICES_DRIVER
            | EventType::EFI_RUNTIME_SERVICES_DRIVER => ImageLoad::parse(data).map(EventData::Image),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB => blob(data),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB2 | EventType::POST_CODE2 => described_blob(data),
            EventType::POST_CODE | EventType::S_CRTM_CONTENTS => blob(data).or(Some(EventData::Text(data))),
            EventType::EFI_GPT_EVENT | EventType::EFI_GPT_EVENT2 => GptEvent::parse(data).map(EventData::Gpt),
            EventType::EVENT_TAG => tagged(data),
            EventType::IPL => Some(EventData::Ipl(ipl(data))),
            _ => None,
        };
        decoded.unwrap_or(EventData::Undecoded(data))
    }
}

fn no_action(data: &[u8], at: At) -> NoAction<'_> {
    if let Some([locality]) = data.strip_prefix(b"StartupLocality\0") {
        return NoAction::StartupLocality(*locality);
    }
    if let Ok(Some(header)) = SpecId::parse(data, at) {
        return NoAction::SpecId(header);
    }
    match data.split_first_chunk::<16>() {
        Some((signature, body)) if signature.starts_with(b"SP800-155 Event") => NoAction::Sp800155 { signature, body },
        _ => NoAction::Other(data),
    }
}

fn blob(data: &[u8]) -> Option<EventData<'_>> {
    let mut cursor = Cursor::new(data, 0, 0);
    let (base, length) = (cursor.u64("BlobBase").ok()?, cursor.u64("BlobLength").ok()?);
    cursor.is_empty().then_some(EventData::Blob { description: &[], base, length })
}

fn described_blob(data: &[u8]) -> Option<EventData<'_>> {
    let mut cursor = Cursor::new(data, 0, 0);
    let size = usize::from(cursor.u8("BlobDescriptionSize").ok()?);
    let description = cursor.take("BlobDescription", size).ok()?;
    let (base, length) = (cursor.u64("BlobBase").ok()?, cursor.u64("BlobLength").ok()?);
    cursor.is_empty().then_some(EventData::Blob { description, base, length })
}

fn tagged(data: &[u8]) -> Option<EventData<'_>> {
    let mut cursor = Cursor::new(data, 0, 0);
    let id = cursor.u32("taggedEventID").ok()?;
    let data = cursor.prefixed("taggedEventData", data.len()).ok()?;
    cursor.is_empty().then_some(EventData::Tagged(TaggedEvent { id, data }))
}

fn ipl(data: &[u8]) -> Ipl<'_> {
    let text = data.strip_suffix(&[0]).unwrap_or(data);
    if let Some(command) = text.strip_prefix(b"grub_cmd: ") {
        return Ipl::GrubCommand(command);
    }
    if let Some(command_line) = text.strip_prefix(b"kernel_cmdline: ") {
        return Ipl::KernelCommandLine(command_line);
    }
    if let Some(command_line) = text.strip_prefix(b"module_cmdline: ") {
        return Ipl::GrubModule(command_line);
    }
    // Text in UTF-16 has a zero in every second byte of its first characters; a byte string has none inside.
    match Utf16::new(data) {
        Some(wide) if text.contains(&0) => Ipl::Utf16(wide),
        _ => Ipl::Name(text),
    }
}
