// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of kernel, initrd and command line hashes that QEMU hands to OVMF (QEMU, target/i386/sev.c, `SevHashTable`).

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_snp::PAGE_SIZE;

use crate::{Error, bytes::array_of_digest};
use evtpm_layout::Guid;

const TABLE: [u8; 16] = Guid::new(0x9438d606_4f22_4cc9_b479_a793d411fd21).0;
const COMMAND_LINE: [u8; 16] = Guid::new(0x97d02dd8_bd20_4c94_aa78_e7714d36ab2a).0;
const INITRD: [u8; 16] = Guid::new(0x44baf731_3a2f_4bd7_9af1_41e29169781d).0;
const KERNEL: [u8; 16] = Guid::new(0x4de79437_abd2_427f_b835_d5b172d2045b).0;

/// GUID, length and SHA-256 of one entry.
const ENTRY_BYTES: u16 = 50;
/// GUID and length of the table, and three entries.
const TABLE_BYTES: u16 = 168;

/// The SHA-256 digests of what a direct boot loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelHashes {
    kernel: [u8; 32],
    initrd: [u8; 32],
    command_line: [u8; 32],
}

impl KernelHashes {
    /// Hashes the files; no initrd is one of no bytes, and the command line is hashed with its closing zero byte.
    pub fn new(kernel: &[u8], initrd: &[u8], command_line: &str) -> Self {
        Self {
            kernel: sha256(&[kernel]),
            initrd: sha256(&[initrd]),
            command_line: sha256(&[command_line.as_bytes(), &[0]]),
        }
    }

    /// The table, filled up to a multiple of 16 bytes with zeros: what a launch before SNP measures.
    pub(super) fn table(&self) -> Vec<u8> {
        let mut table = Vec::with_capacity(usize::from(TABLE_BYTES));
        table.extend_from_slice(&TABLE);
        table.extend_from_slice(&TABLE_BYTES.to_le_bytes());
        for (guid, hash) in [(COMMAND_LINE, &self.command_line), (INITRD, &self.initrd), (KERNEL, &self.kernel)] {
            table.extend_from_slice(&guid);
            table.extend_from_slice(&ENTRY_BYTES.to_le_bytes());
            table.extend_from_slice(hash);
        }
        table.resize(table.len().next_multiple_of(16), 0);
        table
    }

    /// Lays the table out in its page.
    pub(super) fn page(&self, offset: usize) -> Result<[u8; PAGE_SIZE], Error> {
        let table = self.table();
        let mut page = [0; PAGE_SIZE];
        let room = page.get_mut(offset..).filter(|room| room.len() >= table.len());
        let Some(room) = room else {
            return Err(Error::Invalid { what: "kernel hash table", detail: format!("no room at {offset:#x}") });
        };
        room.iter_mut().zip(&table).for_each(|(to, from)| *to = *from);
        Ok(page)
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    array_of_digest(&RustCrypto::hash(HashAlg::Sha256, parts))
}
