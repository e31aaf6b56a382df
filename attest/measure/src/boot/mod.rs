// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a direct boot (QEMU's `-kernel`) of a Linux kernel under OVMF measures: the digests that the event log will have.
//!
//! QEMU writes fields of the boot protocol into the kernel before OVMF's loader measures it (QEMU, hw/i386/x86.c,
//! `x86_load_linux`; Linux, "The Linux/x86 Boot Protocol"), so that the digest in PCR 4 is not that of the file: it depends
//! on the memory and on the size of the initial RAM disk. Initial RAM disk and command line go into PCR 9 by the kernel's
//! EFI stub.
//!
//! ```
//! use evtpm_measure::boot::{DirectBoot, Machine};
//!
//! assert_eq!(Machine::Q35.memory_below_4g(512 << 20), 512 << 20);
//! let boot = DirectBoot { kernel: b"no kernel", initrd: None, command_line: "quiet", memory_below_4g: 512 << 20 };
//! assert!(boot.kernel_digest(evtpm_crypto::HashAlg::Sha256).is_err());
//! ```

mod pe;

use evtpm_crypto::{Crypto, Digest, HashAlg, RustCrypto};

pub use pe::authenticode;

use crate::Error;
use crate::bytes::{array, u16_at, u32_at};

/// "HdrS", the signature of a setup header.
const SIGNATURE: [u8; 4] = *b"HdrS";
/// What ACPI tables take at the end of the memory below 4 GiB (QEMU, `acpi_data_size`).
const ACPI_TABLES: u32 = 0x2_8000;
/// The command line lies at 20000h, the setup code at 10000h, and the heap ends 200h below the difference.
const COMMAND_LINE_ADDRESS: u32 = 0x2_0000;
const HEAP_END: u16 = 0xfe00;
/// `type_of_loader`: QEMU, version 0.
const LOADER: u8 = 0xb0;

/// The machine, as far as its memory's layout matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machine {
    /// `q35`.
    #[default]
    Q35,
    /// `pc` (i440FX).
    Pc,
}

impl Machine {
    /// Returns how much of `memory` bytes lies below 4 GiB, unless `max-ram-below-4g` says otherwise (QEMU, `pc_q35_init` and
    /// `pc_init1`: a machine with more than fits leaves a round number below).
    pub const fn memory_below_4g(self, memory: u64) -> u32 {
        let (limit, then) = match self {
            Self::Q35 => (0xb000_0000, 0x8000_0000),
            Self::Pc => (0xe000_0000, 0xc000_0000),
        };
        if memory < limit {
            #[expect(clippy::cast_possible_truncation, reason = "the limit has 32 bits")]
            return memory as u32;
        }
        then
    }
}

/// The inputs of a direct boot.
#[derive(Clone, Copy, Debug)]
pub struct DirectBoot<'a> {
    /// The kernel: a bzImage with an EFI stub.
    pub kernel: &'a [u8],
    /// The initial RAM disk, if there is one.
    pub initrd: Option<&'a [u8]>,
    /// The command line as it is given to QEMU.
    pub command_line: &'a str,
    /// The memory below 4 GiB, in bytes.
    pub memory_below_4g: u32,
}

impl DirectBoot<'_> {
    /// Predicts the digest of the kernel in PCR 4: the Authenticode digest of the image as QEMU changed it.
    pub fn kernel_digest(&self, hash: HashAlg) -> Result<Digest, Error> {
        authenticode(&self.loaded_kernel()?, hash)
    }

    /// Predicts the digest of the initial RAM disk in PCR 9: that of the whole file.
    pub fn initrd_digest(&self, hash: HashAlg) -> Option<Digest> {
        self.initrd.map(|initrd| RustCrypto::hash(hash, &[initrd]))
    }

    /// Returns the command line that the kernel gets: OVMF's loader tells it where the initial RAM disk is.
    pub fn loaded_command_line(&self) -> String {
        let name = if self.initrd.is_some() { " initrd=initrd" } else { "" };
        format!("{}{name}", self.command_line)
    }

    /// The kernel as QEMU hands it over.
    fn loaded_kernel(&self) -> Result<Vec<u8>, Error> {
        let signature: [u8; 4] = array(self.kernel, 0x202, "setup header")?;
        let protocol = u16_at(self.kernel, 0x206, "setup header")?;
        if signature != SIGNATURE || protocol < 0x203 {
            return Err(Error::Missing { what: "setup header of boot protocol 2.03 or later" });
        }
        if self.command_line.split(' ').any(|word| word.starts_with("vga=")) {
            let detail = "vga= goes into the kernel's header, which is not predicted".to_owned();
            return Err(Error::Invalid { what: "command line", detail });
        }
        let [load_flags] = array(self.kernel, 0x211, "setup header")?;
        let mut changes = vec![
            (0x210, vec![LOADER]),
            // CAN_USE_HEAP
            (0x211, vec![load_flags | 0x80]),
            (0x224, HEAP_END.to_le_bytes().to_vec()),
            (0x228, COMMAND_LINE_ADDRESS.to_le_bytes().to_vec()),
        ];
        if let Some(initrd) = self.initrd {
            let (address, size) = self.initrd_place(protocol, initrd.len())?;
            changes.extend([(0x218, address.to_le_bytes().to_vec()), (0x21c, size.to_le_bytes().to_vec())]);
        }
        let mut kernel = self.kernel.to_vec();
        for (offset, bytes) in changes {
            let field = kernel.get_mut(offset..).ok_or(Error::Truncated { what: "setup header" })?;
            field.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        Ok(kernel)
    }

    /// As high as kernel and memory allow, at the beginning of a page.
    fn initrd_place(&self, protocol: u16, size: usize) -> Result<(u32, u32), Error> {
        let too_large =
            || Error::Invalid { what: "initial RAM disk", detail: format!("{size} bytes do not fit below 4 GiB") };
        // XLF_CAN_BE_LOADED_ABOVE_4G: such a kernel takes an initial RAM disk anywhere below 4 GiB.
        let anywhere = protocol >= 0x20c && u16_at(self.kernel, 0x236, "setup header")? & 2 != 0;
        let kernel_limit = if anywhere { u32::MAX } else { u32_at(self.kernel, 0x22c, "setup header")? };
        let memory = self.memory_below_4g.checked_sub(ACPI_TABLES).ok_or_else(too_large)?;
        let limit = kernel_limit.min(memory.checked_sub(1).ok_or_else(too_large)?);
        let bytes = u32::try_from(size).map_err(|_| too_large())?;
        let address = limit.checked_sub(bytes).ok_or_else(too_large)?;
        Ok((address & !0xfff, bytes))
    }
}

#[cfg(test)]
mod tests;
