// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Event logs and measurement lists, read and replayed.

use evtpm_crypto::{Crypto as _, HashAlg, RustCrypto};
use evtpm_logs::ima::{AsciiList, BinaryList, Entry};
use evtpm_logs::tcg::{EventData, Signature, signatures};
use evtpm_logs::{Digest, EventLog, HashId, Hashes};

use crate::seeds::evidence;

const BANKS: [HashId; 2] = [HashId::SHA1, HashId::SHA256];

struct RealHashes;

impl Hashes for RealHashes {
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
        let algorithm = match algorithm {
            HashId::SHA1 => HashAlg::Sha1,
            HashId::SHA256 => HashAlg::Sha256,
            _ => return None,
        };
        Digest::new(RustCrypto::hash(algorithm, parts).as_bytes())
    }
}

/// Reads every event and what its data mean, and replays the log.
pub(super) fn event_log(input: &[u8]) -> bool {
    let Ok(log) = EventLog::parse(input) else { return false };
    let mut read = 0_usize;
    for event in log.events() {
        let Ok(event) = event else { return false };
        let _meaning = event.decode();
        let _preimage = event.preimage(HashId::SHA256, &RealHashes);
        assert!(event.data.len() <= input.len());
        read += 1;
    }
    log.replay(&BANKS, &RealHashes).is_ok() && read > 0
}

/// Reads a database of Secure Boot: what is read is no more than what came.
pub(super) fn efi_signatures(input: &[u8]) -> bool {
    let read: Vec<_> = signatures(input).collect();
    let bytes: usize = read.iter().flatten().map(|signature| 16 + signature.data.len()).sum();
    assert!(bytes <= input.len());
    assert!(read.iter().rev().skip(1).all(Option::is_some), "nothing is read behind the end");
    !read.is_empty() && read.iter().all(Option::is_some)
}

pub(super) fn efi_signatures_seeds() -> Vec<Vec<u8>> {
    // One list of two SHA-256 hashes: type, sizes of list, header and signature, then each with its owner.
    let size = |size: u32| size.to_le_bytes();
    let head = [Signature::SHA256.0.as_slice(), &size(28 + 2 * 48), &size(0), &size(48)].concat();
    let mut seeds = vec![[head.as_slice(), &[1; 48], &[2; 48]].concat()];
    for log in evidence("tcg-eventlog", ".bin") {
        let Ok(log) = EventLog::parse(&log) else { continue };
        let variables = log.events().filter_map(Result::ok).filter_map(|event| match event.decode() {
            EventData::Variable(variable) => Some(variable.content.to_vec()),
            _ => None,
        });
        seeds.extend(variables.filter(|content| signatures(content).next().flatten().is_some()));
    }
    seeds
}

pub(super) fn event_log_seeds() -> Vec<Vec<u8>> {
    // EV_SEPARATOR in PCR 7, in the old format: index, type, SHA-1, size, data.
    let mut separator = vec![7, 0, 0, 0, 4, 0, 0, 0];
    separator.extend(RustCrypto::hash(HashAlg::Sha1, &[&[0; 4]]).as_bytes());
    separator.extend([4, 0, 0, 0, 0, 0, 0, 0]);
    // The recorded boot has both banks, wherever the evidence folder is.
    let mut seeds = vec![separator, include_bytes!("../../../vectors/debian-boot/bios.bin").to_vec()];
    seeds.extend(evidence("vm-boot/direct", "bios.bin"));
    seeds.extend(evidence("vm-boot/secureboot/boot", "bios.bin"));
    seeds.extend(evidence("vm-boot/seabios", "bios.bin"));
    seeds
}

fn look_at(entry: &Entry<'_>) {
    let _path = entry.path();
    let _digest = entry.digest();
    let _signature = entry.signature();
    let _buffer = entry.buffer();
    let _fields = entry.fields().count();
    let _fits = entry.check_template_hash(&RealHashes);
}

/// Reads every entry.
pub(super) fn ima_binary(input: &[u8]) -> bool {
    let mut list = BinaryList::new(input);
    let mut read = 0_usize;
    for entry in &mut list {
        let Ok(entry) = entry else { return false };
        look_at(&entry);
        read += 1;
    }
    assert_eq!(list.offset(), input.len(), "a list without an error was read to its end");
    read > 0
}

pub(super) fn ima_binary_seeds() -> Vec<Vec<u8>> {
    let mut entry = vec![10, 0, 0, 0];
    entry.extend([0xab; 20]);
    entry.extend(*b"\x06\0\0\0ima-ng\x27\0\0\0\x1a\0\0\0sha1:\0");
    entry.extend([0x11; 20]);
    entry.extend(*b"\x05\0\0\0/bin\0");
    let mut seeds = vec![entry];
    seeds.extend(evidence("vm-boot", "small/ima.bin"));
    seeds.extend(evidence("vm-boot", "odd/ima.bin"));
    seeds.extend(evidence("vm-boot/tmpl-sigv2", "ima.bin"));
    seeds.extend(evidence("vm-boot/tmpl-fmt", "ima.bin"));
    seeds
}

/// Reads every line; what a line became must be readable as the binary record that it claims to be.
pub(super) fn ima_ascii(input: &[u8]) -> bool {
    let mut read = 0_usize;
    for record in AsciiList::new(input) {
        let Ok(record) = record else { return false };
        let Ok(entry) = record.entry() else { return false };
        look_at(&entry);
        read += 1;
    }
    read > 0
}

pub(super) fn ima_ascii_seeds() -> Vec<Vec<u8>> {
    let zeros = "0".repeat(40);
    let mut seeds = vec![
        format!("10 {zeros} ima-ng sha1:{zeros} /bin/sh\n").into_bytes(),
        format!("10 {zeros} ima-sig sha1:{zeros} /a file\nwith a newline \n10 {zeros} ima {zeros} /b\n").into_bytes(),
    ];
    seeds.extend(evidence("vm-boot", "odd/ima.txt"));
    seeds.extend(evidence("vm-boot/fde", "ima.txt"));
    seeds
}
