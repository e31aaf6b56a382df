// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A boot of shim and GRUB that this test invented, and what Keylime's `example` must not let pass in it.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::EventLog;
use evtpm_logs::tcg::{
    EventData, EventType, GLOBAL_VARIABLE, Guid, IMAGE_SECURITY_DATABASE, Ipl, Signature, signatures,
};

use super::*;
use crate::hex::hex;
use crate::keylime::push::tests::quote_after;

/// shim's variables.
const SHIM: [u8; 16] = [0x50, 0xAB, 0x5D, 0x60, 0x46, 0xE0, 0x00, 0x43, 0xAB, 0xB6, 0x3D, 0xD8, 0x10, 0xDD, 0x8B, 0x23];
/// Who signs what, in one GUID: 11111111-1111-1111-1111-111111111111.
const OWNER: [u8; 16] = [0x11; 16];

/// An event: the register, the type, the data, the digest.
#[derive(Clone)]
struct Event(u32, EventType, Vec<u8>, [u8; 32]);

fn sha256(data: &[u8]) -> [u8; 32] {
    RustCrypto::hash(HashAlg::Sha256, &[data]).as_bytes().try_into().unwrap()
}

/// An event whose digest is that of its data.
fn hashed(pcr: u32, kind: EventType, data: &[u8]) -> Event {
    Event(pcr, kind, data.to_vec(), sha256(data))
}

/// A variable, measured as a whole.
fn variable(kind: EventType, vendor: [u8; 16], name: &str, content: &[u8]) -> Event {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = |length: usize| u64::try_from(length).unwrap().to_le_bytes();
    let data = [&vendor, length(name.len()).as_slice(), &length(content.len()), &units, content].concat();
    hashed(7, kind, &data)
}

/// A database of Secure Boot, with signatures of one byte many times.
fn database(kind: Guid, bytes: &[u8]) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let signatures = bytes.iter().flat_map(|byte| [OWNER.as_slice(), &[*byte; 32]].concat());
    let signatures: Vec<u8> = signatures.collect();
    [&kind.0, size(28 + signatures.len()).as_slice(), &size(0), &size(48), &signatures].concat()
}

/// What GRUB hashes of a text begins behind its prefix.
fn grub(prefix: &str, text: &str) -> Event {
    Event(8, EventType::IPL, format!("{prefix}{text}\0").into_bytes(), sha256(text.as_bytes()))
}

fn file(pcr: u32, name: &str, byte: u8) -> Event {
    Event(pcr, EventType::IPL, format!("{name}\0").into_bytes(), [byte; 32])
}

/// A boot as the reference state wants it.
fn boot() -> Vec<Event> {
    let config =
        |vendor: Guid, name, content: &[u8]| variable(EventType::EFI_VARIABLE_DRIVER_CONFIG, vendor.0, name, content);
    let application = |byte| Event(4, EventType::EFI_BOOT_SERVICES_APPLICATION, vec![0; 32], [byte; 32]);
    let global = GLOBAL_VARIABLE;
    let security = IMAGE_SECURITY_DATABASE;
    let mut events = vec![
        Event(0, EventType::S_CRTM_VERSION, vec![b'1', 0], [1; 32]),
        Event(0, EventType::EFI_PLATFORM_FIRMWARE_BLOB, vec![0; 16], [2; 32]),
        config(global, "SecureBoot", &[1]),
        config(global, "PK", &database(Signature::X509, &[0x10])),
        config(global, "KEK", &database(Signature::X509, &[0x11])),
        config(security, "db", &database(Signature::X509, &[0x12])),
        config(security, "dbx", &database(Signature::SHA256, &[0x13, 0x14])),
    ];
    events.extend((0..8).map(|pcr| hashed(pcr, EventType::SEPARATOR, &[0; 4])));
    events.extend([
        hashed(4, EventType::EFI_ACTION, b"Calling EFI Application from Boot Option"),
        variable(EventType::EFI_VARIABLE_AUTHORITY, security.0, "db", b"whatever vouched for shim"),
        application(3),
        variable(EventType::EFI_VARIABLE_AUTHORITY, SHIM, "SbatLevel", b"sbat,1"),
        file(14, "MokList", 0x20),
        file(14, "MokListX", 0x21),
        application(4),
        file(9, "(hd0,gpt1)/grub/x86_64-efi/command.lst", 0x30),
        grub("grub_cmd: ", "linux /vmlinuz-6.1"),
        application(5),
        file(9, "/vmlinuz-6.1", 0x31),
        grub("kernel_cmdline: ", "/vmlinuz-6.1 root=/dev/vda1 quiet"),
        file(9, "/initrd.img-6.1", 6),
        hashed(5, EventType::EFI_ACTION, b"Exit Boot Services Invocation"),
        hashed(5, EventType::EFI_ACTION, b"Exit Boot Services Returned with Success"),
    ]);
    events
}

/// Writes the events as firmware does, in one bank of SHA-256.
fn log(events: &[Event]) -> Vec<u8> {
    let mut header = b"Spec ID Event03\0".to_vec();
    header.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    header.extend([1, 0, 0, 0, 0x0B, 0, 32, 0, 0]);
    let mut log = [0_u32.to_le_bytes(), EventType::NO_ACTION.0.to_le_bytes()].concat();
    log.extend([0; 20]);
    log.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    log.extend(header);
    for Event(pcr, kind, data, digest) in events {
        for word in [*pcr, kind.0, 1] {
            log.extend(word.to_le_bytes());
        }
        log.extend([0x0B, 0]);
        log.extend(digest);
        log.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        log.extend(data);
    }
    log
}

/// The reference state of that boot.
fn state() -> String {
    let bytes = |byte: u8| format!("\"0x{}\"", hex(&[byte; 32]));
    let digest = |byte| format!("{{\"sha256\":{}}}", bytes(byte));
    let key = |byte| {
        format!("{{\"SignatureOwner\":\"11111111-1111-1111-1111-111111111111\",\"SignatureData\":{}}}", bytes(byte))
    };
    format!(
        r#"{{"scrtm_and_bios":[{{"scrtm":{},"platform_firmware":[{}]}}],"pk":[{}],"kek":[{}],"db":[{}],"dbx":[{}],
        "mokdig":[{}],"mokxdig":[{}],"kernels":[{{"shim_authcode_sha256":{},"grub_authcode_sha256":{},
        "kernel_authcode_sha256":{},"initrd_plain_sha256":{},"kernel_cmdline":"/vmlinuz-6\\.1 root=/dev/vda1( quiet)?"}}]}}"#,
        digest(1),
        digest(2),
        key(0x10),
        key(0x11),
        key(0x12),
        key(0x13),
        digest(0x20),
        digest(0x21),
        bytes(3),
        bytes(4),
        bytes(5),
        bytes(6),
    )
}

/// Judges a boot; an error is the failure's sentence.
fn judge(events: &[Event]) -> Result<(), String> {
    let log = log(events);
    let rules = BootPolicy::Example.read(&state()).unwrap().unwrap();
    rules.judge(quote_after(&log), &log).map(drop).map_err(|failure| failure.context)
}

/// Judges the boot with a change of it.
fn changed(change: impl FnOnce(&mut Vec<Event>)) -> String {
    let mut events = boot();
    change(&mut events);
    judge(&events).unwrap_err()
}

fn place(events: &[Event], kind: EventType, pcr: u32) -> usize {
    events.iter().position(|event| event.1 == kind && event.0 == pcr).unwrap()
}

#[test]
fn the_boot_of_the_reference_state_passes_also_with_the_kernel_measured_twice() {
    assert_eq!(judge(&boot()), Ok(()));
    let mut events = boot();
    let kernel = events.iter().rposition(|event| event.1 == EventType::EFI_BOOT_SERVICES_APPLICATION).unwrap();
    let again = events[kernel].clone();
    events.insert(kernel, again);
    assert_eq!(judge(&events), Ok(()));
}

#[test]
fn another_firmware_loader_kernel_initrd_or_command_line_does_not_pass() {
    let first = |kind, pcr| {
        changed(|events| {
            let place = place(events, kind, pcr);
            events[place].3 = [0xEE; 32];
        })
    };
    assert!(first(EventType::EFI_PLATFORM_FIRMWARE_BLOB, 0).contains("scrtm_and_bios"));
    assert!(first(EventType::EFI_BOOT_SERVICES_APPLICATION, 4).contains("none of kernels"));
    let initrd = changed(|events| {
        let initrd = events.iter().rposition(|event| event.0 == 9).unwrap();
        events[initrd].3 = [0xEE; 32];
    });
    assert!(initrd.contains("none of kernels"), "{initrd}");
    let line = changed(|events| {
        let line = events.iter().rposition(|event| event.0 == 8).unwrap();
        events[line] = grub("kernel_cmdline: ", "/vmlinuz-6.1 root=/dev/vda1 init=/bin/sh");
    });
    assert!(line.contains("none of kernels"), "{line}");
    // The text is the good one, but it is not what was measured.
    let claimed = changed(|events| {
        let line = events.iter().rposition(|event| event.0 == 8).unwrap();
        events[line].3 = [0xEE; 32];
    });
    assert!(claimed.contains("command line"), "{claimed}");
}

#[test]
fn secure_boot_has_to_be_on_with_no_other_keys_and_all_forbidden_hashes() {
    let with = |vendor: Guid, name: &'static str, content: Vec<u8>| {
        changed(|events| {
            let event = variable(EventType::EFI_VARIABLE_DRIVER_CONFIG, vendor.0, name, &content);
            let is_it = |known: &Event| {
                known.1 == event.1
                    && known
                        .2
                        .windows(2 * name.len())
                        .any(|part| part == name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
            };
            let place = events.iter().position(is_it).unwrap();
            events[place] = event;
        })
    };
    let (global, security) = (GLOBAL_VARIABLE, IMAGE_SECURITY_DATABASE);
    assert!(with(global, "SecureBoot", vec![0]).contains("Secure Boot is on: false"));
    assert!(with(global, "PK", database(Signature::X509, &[0x10, 0xEE])).contains("does not have"));
    assert!(with(global, "PK", database(Signature::SHA256, &[0x10])).contains("another kind"));
    assert!(with(security, "dbx", database(Signature::SHA256, &[0x14])).contains("is not in it"));
    assert!(with(security, "dbx", vec![1, 2, 3]).contains("no list of signatures"));
}

#[test]
fn what_the_policy_does_not_know_does_not_pass() {
    let event = changed(|events| events.push(hashed(6, EventType::EFI_ACTION, b"UEFI Debug Mode")));
    assert!(event.contains("knows no such event"), "{event}");
    let action = changed(|events| events.push(hashed(5, EventType::EFI_ACTION, b"Hello")));
    assert!(action.contains("no such action"), "{action}");
    let twice = changed(|events| {
        let place = place(events, EventType::EFI_VARIABLE_AUTHORITY, 7);
        events.push(events[place].clone());
    });
    assert!(twice.contains("twice"), "{twice}");
    let key = changed(|events| {
        let list = place(events, EventType::IPL, 14);
        events[list].3 = [0xEE; 32];
    });
    assert!(key.contains("its digest"), "{key}");
}

#[test]
fn a_real_boot_by_another_loader_does_not_pass() {
    let log = include_bytes!("../../../../../testing/vectors/debian-boot/bios.bin");
    let rules = BootPolicy::Example.read(&state()).unwrap().unwrap();
    let failure = rules.judge(quote_after(log), log).unwrap_err();
    assert_eq!(failure.event_id, "measured_boot.policy_violation", "{}", failure.context);
    assert!(BootPolicy::AcceptAll.read(&state()).unwrap().unwrap().judge(quote_after(log), log).is_ok());
}

#[test]
fn a_reference_state_that_lacks_something_is_refused_by_its_name() {
    let read = |state: &str| BootPolicy::Example.read(state).map(drop).unwrap_err();
    assert!(read(&state().replace("\"pk\"", "\"pkk\"")).contains("`pk`"));
    assert!(
        read(&state().replace("kernel_authcode_sha256", "vmlinuz_plain_sha256")).contains("kernel_authcode_sha256")
    );
    assert!(read(&state().replace("0x0303", "0303")).contains("0x"));
    assert!(BootPolicy::Example.read("{}").unwrap().is_none(), "it asks for nothing");
}

/// Writes the reference state of a boot of shim and GRUB with Secure Boot, as Keylime's tools do it from its log.
fn learn(log: &[u8]) -> String {
    let mut of = std::collections::BTreeMap::<&str, Vec<serde_json::Value>>::new();
    let mut line = String::new();
    let log = EventLog::parse(log).unwrap();
    for event in log.events().map(Result::unwrap) {
        let digest = event.digests().find(HashId::SHA256).map(|digest| format!("0x{}", hex(digest)));
        let digests = serde_json::json!({ "sha256": digest });
        match (event.pcr_index().map(|pcr| pcr.value()), event.kind, event.decode()) {
            (Some(0), EventType::S_CRTM_VERSION, _) => of.entry("scrtm").or_default().push(digests),
            (Some(0), EventType::EFI_PLATFORM_FIRMWARE_BLOB | EventType::EFI_PLATFORM_FIRMWARE_BLOB2, _) => {
                of.entry("firmware").or_default().push(digests);
            }
            (Some(7), EventType::EFI_VARIABLE_DRIVER_CONFIG, EventData::Variable(variable)) => {
                let name = match variable.name.to_string().as_str() {
                    "PK" => "pk",
                    "KEK" => "kek",
                    "db" => "db",
                    "dbx" => "dbx",
                    _ => continue,
                };
                let key = |signature: Signature<'_>| {
                    serde_json::json!({"SignatureOwner": signature.owner.to_string(),
                        "SignatureData": format!("0x{}", hex(signature.data))})
                };
                of.entry(name).or_default().extend(signatures(variable.content).map(Option::unwrap).map(key));
            }
            (Some(7), EventType::EFI_VARIABLE_AUTHORITY, EventData::Variable(variable))
                if variable.name == *"vendor_db" =>
            {
                let (owner, data) = variable.content.split_first_chunk().unwrap();
                of.entry("vendor_db").or_default().push(serde_json::json!({
                    "SignatureOwner": Guid(*owner).to_string(), "SignatureData": format!("0x{}", hex(data))}));
            }
            (Some(4), EventType::EFI_BOOT_SERVICES_APPLICATION, _) => {
                of.entry("loaded").or_default().push(digest.into())
            }
            (Some(14), _, EventData::Ipl(Ipl::Name(b"MokList"))) => of.entry("mokdig").or_default().push(digests),
            (Some(14), _, EventData::Ipl(Ipl::Name(b"MokListX"))) => of.entry("mokxdig").or_default().push(digests),
            (Some(9), _, EventData::Ipl(Ipl::Name(name))) if String::from_utf8_lossy(name).contains("/init") => {
                of.entry("initrd").or_default().push(digest.into());
            }
            (Some(8), _, EventData::Ipl(Ipl::KernelCommandLine(text))) => {
                line = regex::escape(std::str::from_utf8(text).unwrap());
            }
            _ => {}
        }
    }
    let all = |name: &str| of.get(name).cloned().unwrap_or_default();
    let (loaded, scrtm, initrd) = (all("loaded"), all("scrtm"), all("initrd"));
    serde_json::json!({
        "scrtm_and_bios": [{"scrtm": scrtm[0], "platform_firmware": all("firmware")}],
        "pk": all("pk"), "kek": all("kek"), "db": all("db"), "dbx": all("dbx"), "vendor_db": all("vendor_db"),
        "mokdig": all("mokdig"), "mokxdig": all("mokxdig"),
        "kernels": [{"shim_authcode_sha256": loaded[0], "grub_authcode_sha256": loaded[1],
            "kernel_authcode_sha256": loaded[2], "initrd_plain_sha256": initrd[0], "kernel_cmdline": line}],
    })
    .to_string()
}

#[test]
fn a_recorded_boot_of_shim_and_grub_passes_by_the_state_that_is_learnt_from_it_and_by_no_other() {
    let Some(evidence) = std::env::var_os("EVTPM_EVIDENCE") else {
        eprintln!("skipped: EVTPM_EVIDENCE is not set");
        return;
    };
    let path = std::path::Path::new(&evidence).join("tcg-eventlog/keylime-secureboot/eventlog.bin");
    let log = std::fs::read(path).unwrap();
    let judge = |state: &str| {
        let rules = BootPolicy::Example.read(state).unwrap().unwrap();
        rules.judge(quote_after(&log), &log).map(drop).map_err(|failure| failure.context)
    };
    let state = learn(&log);
    assert_eq!(judge(&state), Ok(()));
    let mut other: serde_json::Value = serde_json::from_str(&state).unwrap();
    other["pk"] = serde_json::json!([]);
    assert!(judge(&other.to_string()).unwrap_err().contains("EV_EFI_VARIABLE_DRIVER_CONFIG"));
}
