// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory as the SVSM may touch it.

/// Guest physical memory, with the SVSM's own pages, calling areas and VMSAs left out.
///
/// Bytes are copied once and parsed from the copy: what the guest changes afterwards changes nothing.
pub trait GuestMemory {
    /// Copies from guest memory.
    ///
    /// # Errors
    /// When any of the bytes is not the guest's to read.
    fn read(&self, gpa: u64, out: &mut [u8]) -> Result<(), NotGuestMemory>;

    /// Copies to guest memory; all of `bytes` or nothing.
    ///
    /// # Errors
    /// When any of the bytes is not the guest's to write.
    fn write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), NotGuestMemory>;

    /// Says whether a later [`write`](Self::write) of that many bytes would be allowed.
    fn is_writable(&self, gpa: u64, length: u64) -> bool;
}

/// An address that is not the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotGuestMemory {
    /// The first byte asked for.
    pub gpa: u64,
}
