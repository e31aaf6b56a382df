// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's measured boot policy `example` (`keylime/mba/elchecking/example.py`): a boot of shim and GRUB, event by event.
//!
//! What Keylime looks up by an event's type and register is looked up so here. Types are claims of the log, and so are the
//! names of what GRUB and shim hashed; digests and variables are facts. Stricter than Keylime: a variable, an action and a
//! command line count only if the digest is that of the data, and digests are compared in the quoted bank alone. Events of
//! registers that are not replayed (11 to 13, 15) are not looked at.

use std::collections::BTreeSet;

use evtpm_logs::tcg::{
    EventData, EventType, GLOBAL_VARIABLE, Guid, IMAGE_SECURITY_DATABASE, Ipl, Preimage, Signature, UefiVariable,
    signatures,
};
use evtpm_logs::{HashId, Text, Utf16};
use evtpm_verify::logs::VerifiedEvent;

use super::reference::{Digests, Hex, Kernel, Key, ReferenceState};

/// shim's variables: SHIM_LOCK_GUID.
const SHIM: Guid = Guid::new(0x605dab50_e046_4300_abb6_3dd810dd8b23);
/// Events of EV_PLATFORM_CONFIG_FLAGS that EDK2 measures at most.
const FLAGS: usize = 4;

/// Judges the events in the log's order; an error says which is not what the state asks for.
pub(super) fn judge<'a, 'e: 'a>(
    state: &ReferenceState,
    bank: HashId,
    events: impl Iterator<Item = &'a VerifiedEvent<'e>>,
) -> Result<(), String> {
    let mut boot = Boot { state, bank, once: BTreeSet::new(), flags: 0, parts: Parts::default() };
    for event in events {
        boot.look_at(event).map_err(|why| {
            format!("event {} ({}, PCR {}): {why}", event.record(), event.claimed_type(), event.pcr())
        })?;
    }
    boot.finish()
}

/// What was seen so far.
struct Boot<'s, 'e> {
    state: &'s ReferenceState,
    bank: HashId,
    once: BTreeSet<String>,
    flags: usize,
    parts: Parts<'e>,
}

/// What is compared as a whole at the end.
#[derive(Default)]
struct Parts<'e> {
    crtms: Vec<&'e [u8]>,
    firmware: Vec<&'e [u8]>,
    applications: Vec<&'e [u8]>,
    kernels: Vec<&'e [u8]>,
    initrds: Vec<&'e [u8]>,
    command_lines: Vec<String>,
}

type Judged = Result<(), String>;

impl<'e> Boot<'_, 'e> {
    fn look_at(&mut self, event: &VerifiedEvent<'e>) -> Judged {
        let digest = event.digest(self.bank).ok_or("it has no digest in the quoted bank")?;
        match (event.pcr().value(), event.claimed_type()) {
            (0, EventType::S_CRTM_VERSION) => self.parts.crtms.push(digest),
            (0, EventType::EFI_PLATFORM_FIRMWARE_BLOB | EventType::EFI_PLATFORM_FIRMWARE_BLOB2) => {
                self.parts.firmware.push(digest);
            }
            (1, EventType::CPU_MICROCODE | EventType::EFI_HANDOFF_TABLES | EventType::EFI_HANDOFF_TABLES2)
            | (5, EventType::EFI_GPT_EVENT) => return self.only_once(event.claimed_type()),
            (1, EventType::PLATFORM_CONFIG_FLAGS) => {
                self.flags = self.flags.saturating_add(1);
                return ensure(self.flags <= FLAGS, "there are more than four");
            }
            (1, EventType::EFI_VARIABLE_BOOT) => return is_boot_variable(event),
            (1 | 4 | 5, EventType::EFI_ACTION) => return is_action(event),
            (0..=7, EventType::SEPARATOR) => {
                let is_one = matches!(event.proven(), Some(EventData::Separator(0 | 0xFFFF_FFFF)));
                return ensure(is_one, "it is no separator");
            }
            (2, EventType::EFI_BOOT_SERVICES_DRIVER) => {}
            (4, EventType::EFI_BOOT_SERVICES_APPLICATION) => self.parts.applications.push(digest),
            (7, EventType::EFI_VARIABLE_DRIVER_CONFIG) => return self.configuration(event),
            (7, EventType::EFI_VARIABLE_AUTHORITY) => return self.authority(event),
            (8, EventType::IPL) => return self.grub_text(event),
            (9, EventType::IPL) => return self.grub_file(event, digest),
            (14, EventType::IPL) => return self.owner_key(event, digest),
            _ => return Err("the policy knows no such event".to_owned()),
        }
        Ok(())
    }

    fn only_once(&mut self, what: impl ToString) -> Judged {
        let what = what.to_string();
        let is_first = self.once.insert(what.clone());
        ensure(is_first, &format!("{what} is there twice"))
    }

    /// Secure Boot's own variables.
    fn configuration(&mut self, event: &VerifiedEvent<'e>) -> Judged {
        let UefiVariable { vendor, name, content } = proven_variable(event)?;
        let state = self.state;
        let (is, keys) = match vendor {
            GLOBAL_VARIABLE if name == *"SecureBoot" => {
                let enabled = content == [1];
                return ensure(enabled == state.has_secureboot, &format!("Secure Boot is on: {enabled}"));
            }
            GLOBAL_VARIABLE if name == *"PK" => (Database::Keys, &state.pk),
            GLOBAL_VARIABLE if name == *"KEK" => (Database::Keys, &state.kek),
            IMAGE_SECURITY_DATABASE if name == *"db" => (Database::KeysAndHashes, &state.db),
            IMAGE_SECURITY_DATABASE if name == *"vendor_db" => (Database::KeysAndHashes, &state.vendor_db),
            IMAGE_SECURITY_DATABASE if name == *"dbx" => (Database::Forbidden, &state.dbx),
            _ => return Err(format!("the policy knows no variable {name}")),
        };
        self.only_once(format!("configuration {name}"))?;
        if !state.has_secureboot && keys.is_empty() {
            return Ok(());
        }
        is.check(content, keys)
    }

    /// What images were verified by.
    fn authority(&mut self, event: &VerifiedEvent<'e>) -> Judged {
        let UefiVariable { vendor, name, content } = proven_variable(event)?;
        let is_known = match vendor {
            IMAGE_SECURITY_DATABASE if name == *"vendor_db" => {
                let is_known = (!self.state.has_secureboot && self.state.vendor_db.is_empty())
                    || content
                        .split_first_chunk()
                        .is_some_and(|(owner, data)| self.state.vendor_db.iter().any(|key| key.is(Guid(*owner), data)));
                ensure(is_known, "the key is not in vendor_db")?;
                true
            }
            IMAGE_SECURITY_DATABASE => name == *"db",
            SHIM => ["SbatLevel", "Shim", "MokListTrusted", "MokListRT"].iter().any(|known| name == **known),
            _ => false,
        };
        ensure(is_known, &format!("the policy knows no variable {name}"))?;
        self.only_once(format!("authority {name}"))
    }

    /// Commands of GRUB, and the kernel's command line.
    fn grub_text(&mut self, event: &VerifiedEvent<'e>) -> Judged {
        let is_proven = matches!(event.preimage(), Some(Preimage::GrubText(_) | Preimage::EventData(_)));
        match event.claimed() {
            EventData::Ipl(Ipl::GrubCommand(_)) => Ok(()),
            EventData::Ipl(Ipl::KernelCommandLine(line)) if is_proven => {
                self.parts.command_lines.push(Text(line).to_string());
                Ok(())
            }
            _ => Err("it is neither GRUB's command nor the kernel's command line".to_owned()),
        }
    }

    /// Files that GRUB read, by the names that it gives them.
    fn grub_file(&mut self, event: &VerifiedEvent<'e>, digest: &'e [u8]) -> Judged {
        let EventData::Ipl(Ipl::Name(name)) = event.claimed() else { return Err("it names no file".to_owned()) };
        let name = Text(name).to_string();
        if name.contains("/loader/entries") || name.contains("/grub") {
        } else if name.contains("/vmlinuz") {
            self.parts.kernels.push(digest);
        } else if name.contains("/initrd") || name.contains("/initramfs") {
            self.parts.initrds.push(digest);
        } else {
            return Err(format!("the policy knows no file {name}"));
        }
        Ok(())
    }

    /// The machine owner's keys, which shim measures.
    fn owner_key(&mut self, event: &VerifiedEvent<'e>, digest: &[u8]) -> Judged {
        let EventData::Ipl(Ipl::Name(name)) = event.claimed() else { return Err("it names no list".to_owned()) };
        let bank = self.bank;
        let is_one_of = |known: &[Digests]| ensure(known.iter().any(|known| is(known, bank, digest)), "its digest");
        match name {
            b"MokList" => is_one_of(&self.state.mokdig),
            b"MokListX" => is_one_of(&self.state.mokxdig),
            b"MokListTrusted" => self.only_once("MokListTrusted"),
            other => Err(format!("the policy knows no list {}", Text(other))),
        }
    }

    fn finish(&self) -> Judged {
        let Parts { crtms, firmware, .. } = &self.parts;
        let matches = |expected: &[&Digests], actual: &[&[u8]]| {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(expected, actual)| is(expected, self.bank, actual))
        };
        let is_firmware = self.state.scrtm_and_bios.iter().any(|known| {
            matches(&[&known.scrtm], crtms) && matches(&known.platform_firmware.iter().collect::<Vec<_>>(), firmware)
        });
        ensure(is_firmware, "the firmware is none of scrtm_and_bios")?;
        let is_kernel = self.state.kernels.iter().any(|kernel| self.is_kernel(kernel));
        ensure(is_kernel, "boot loader, kernel, initrd and command line are none of kernels")
    }

    fn is_kernel(&self, kernel: &Kernel) -> bool {
        let Parts { applications, kernels, initrds, command_lines, .. } = &self.parts;
        let [shim, grub] = [&kernel.shim_authcode_sha256, &kernel.grub_authcode_sha256];
        let are = |actual: &[&[u8]], expected: &[&Hex]| {
            self.bank == HashId::SHA256
                && actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(actual, Hex(expected))| *actual == expected.as_slice())
        };
        let loaded = match (&kernel.kernel_authcode_sha256, &kernel.vmlinuz_plain_sha256) {
            // Some firmware measures the kernel twice. What GRUB calls vmlinuz was verified by shim then.
            (Some(kernel), _) => {
                kernels.len() == 1
                    && (are(applications, &[shim, grub, kernel]) || are(applications, &[shim, grub, kernel, kernel]))
            }
            (None, Some(vmlinuz)) => are(applications, &[shim, grub]) && are(kernels, &[vmlinuz]),
            (None, None) => false,
        };
        loaded
            && are(initrds, &[&kernel.initrd_plain_sha256])
            && matches!(command_lines.as_slice(), [line] if kernel.kernel_cmdline.is_match(line))
    }
}

/// What a database of Secure Boot has to be.
enum Database {
    /// No other certificates than those of the list.
    Keys,
    /// No other certificates and hashes.
    KeysAndHashes,
    /// At least the hashes of the list.
    Forbidden,
}

impl Database {
    fn check(&self, content: &[u8], keys: &[Key]) -> Judged {
        let found: Option<Vec<Signature<'_>>> = signatures(content).collect();
        let found = found.ok_or("it is no list of signatures")?;
        let kinds: &[Guid] = match self {
            Database::Keys => &[Signature::X509],
            Database::KeysAndHashes => &[Signature::X509, Signature::SHA256],
            Database::Forbidden => &[Signature::SHA256],
        };
        let is_of_kind = found.iter().all(|signature| kinds.contains(&signature.kind));
        ensure(is_of_kind, "a signature of another kind is in it")?;
        let is_listed = |signature: &Signature<'_>| keys.iter().any(|key| key.is(signature.owner, signature.data));
        match self {
            Database::Keys | Database::KeysAndHashes => {
                ensure(found.iter().all(is_listed), "a signature is in it that the reference state does not have")
            }
            Database::Forbidden => {
                let is_there = |key: &Key| found.iter().any(|signature| key.is(signature.owner, signature.data));
                ensure(keys.iter().all(is_there), "a hash of the reference state is not in it")
            }
        }
    }
}

impl Key {
    fn is(&self, owner: Guid, data: &[u8]) -> bool {
        self.data.0 == data && self.owner.eq_ignore_ascii_case(&owner.to_string())
    }
}

/// Compares in the quoted bank; a digest that the reference state does not have there is none.
fn is(known: &Digests, bank: HashId, actual: &[u8]) -> bool {
    known.get(&bank.to_string()).is_some_and(|Hex(known)| known == actual)
}

fn proven_variable<'e>(event: &VerifiedEvent<'e>) -> Result<UefiVariable<'e>, String> {
    match event.proven() {
        Some(EventData::Variable(variable)) => Ok(variable),
        _ => Err("its digest is not that of a variable".to_owned()),
    }
}

/// The order of boot and its options: of any content, as in Keylime.
fn is_boot_variable(event: &VerifiedEvent<'_>) -> Judged {
    let EventData::Variable(UefiVariable { vendor, name, .. }) = event.claimed() else {
        return Err("it is no variable".to_owned());
    };
    let is_option = |name: Utf16<'_>| {
        let name = name.to_string();
        name == "BootOrder"
            || name.strip_prefix("Boot").is_some_and(|number| !number.is_empty() && unhex_digits(number))
    };
    ensure(vendor == GLOBAL_VARIABLE && is_option(name), &format!("the policy knows no variable {name}"))
}

fn unhex_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// PFP, "EV_EFI_ACTION Event Types": what the policy knows of them.
fn is_action(event: &VerifiedEvent<'_>) -> Judged {
    let known: &[&str] = match event.pcr().value() {
        1 => &["Entering ROM Based Setup"],
        4 => &["Calling EFI Application from Boot Option", "Returning from EFI Application from Boot Option"],
        5 => &[
            "Exit Boot Services Invocation",
            "Exit Boot Services Returned with Failure",
            "Exit Boot Services Returned with Success",
        ],
        _ => &[],
    };
    match event.proven() {
        Some(EventData::Text(text)) if known.iter().any(|known| known.as_bytes() == text) => Ok(()),
        _ => Err("the policy knows no such action".to_owned()),
    }
}

fn ensure(is_so: bool, otherwise: &str) -> Judged {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}
