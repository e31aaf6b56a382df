// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guest memory with one page in the middle of it that belongs to the SVSM and is full of canaries.

use std::cell::RefCell;
use std::ops::Range;

use evtpm_snp::PAGE_SIZE;
use evtpm_svsm::{GuestMemory, NotGuestMemory};

/// The size of the memory, which starts at address 0.
pub const RAM_SIZE: usize = 16 * PAGE_SIZE;
/// The address of the SVSM's page.
pub const SVSM_PAGE: u64 = 8 * PAGE_SIZE as u64;
/// What fills the SVSM's page.
pub const CANARY: u8 = 0xc5;
/// What fills the guest's pages at first.
pub const UNTOUCHED: u8 = 0x11;

/// The memory, which remembers what was read from it and written to it.
#[derive(Clone, Debug)]
pub struct GuestRam {
    bytes: Vec<u8>,
    reads: RefCell<Vec<Range<u64>>>,
    writes: Vec<Range<u64>>,
}

impl Default for GuestRam {
    fn default() -> Self {
        Self::new()
    }
}

impl GuestRam {
    /// Returns memory that nobody has used.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = vec![UNTOUCHED; RAM_SIZE];
        let svsm = SVSM_PAGE as usize;
        bytes[svsm..svsm + PAGE_SIZE].fill(CANARY);
        Self { bytes, reads: RefCell::default(), writes: Vec::new() }
    }

    /// Returns the bytes at an address, as the guest sees them.
    #[must_use]
    pub fn at(&self, gpa: u64, length: usize) -> &[u8] {
        let start = usize::try_from(gpa).unwrap();
        &self.bytes[start..start + length]
    }

    /// Stores bytes at an address, as the guest does.
    pub fn store(&mut self, gpa: u64, bytes: &[u8]) {
        let start = usize::try_from(gpa).unwrap();
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Returns all of it, for comparison.
    #[must_use]
    pub fn snapshot(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the ranges that the SVSM wrote, in order: what another processor of the guest stores elsewhere stays.
    #[must_use]
    pub fn writes(&self) -> &[Range<u64>] {
        &self.writes
    }

    /// Checks that no byte was read twice since the memory was made: what a guest changes meanwhile changes nothing.
    ///
    /// # Panics
    /// When one was.
    pub fn assert_fetched_once(&self) {
        let mut reads = self.reads.borrow().clone();
        reads.sort_by_key(|read| read.start);
        for pair in reads.windows(2) {
            let [first, second] = pair else { continue };
            assert!(first.end <= second.start, "{first:x?} and {second:x?} were both read");
        }
    }

    fn guest_range(gpa: u64, length: u64) -> Result<Range<usize>, NotGuestMemory> {
        let refused = NotGuestMemory { gpa };
        let end = gpa.checked_add(length).filter(|end| *end <= RAM_SIZE as u64).ok_or(refused)?;
        if gpa < SVSM_PAGE + PAGE_SIZE as u64 && end > SVSM_PAGE {
            return Err(refused);
        }
        Ok(gpa as usize..end as usize)
    }
}

impl GuestMemory for GuestRam {
    fn read(&self, gpa: u64, out: &mut [u8]) -> Result<(), NotGuestMemory> {
        let range = Self::guest_range(gpa, out.len() as u64)?;
        self.reads.borrow_mut().push(gpa..gpa + out.len() as u64);
        out.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), NotGuestMemory> {
        let range = Self::guest_range(gpa, bytes.len() as u64)?;
        self.writes.push(gpa..gpa + bytes.len() as u64);
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    fn is_writable(&self, gpa: u64, length: u64) -> bool {
        Self::guest_range(gpa, length).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_svsm_is_not_the_guests() {
        let mut memory = GuestRam::new();
        for (gpa, length) in [(SVSM_PAGE, 1), (SVSM_PAGE - 1, 2), (SVSM_PAGE + 0xfff, 1), (0, RAM_SIZE)] {
            assert_eq!(memory.read(gpa, &mut vec![0; length]), Err(NotGuestMemory { gpa }));
            assert_eq!(memory.write(gpa, &vec![0; length]), Err(NotGuestMemory { gpa }));
            assert!(!memory.is_writable(gpa, length as u64));
        }
        assert_eq!(memory.snapshot(), GuestRam::new().snapshot());
        assert!(memory.is_writable(SVSM_PAGE - 1, 1) && memory.is_writable(SVSM_PAGE + 0x1000, 1));
    }

    #[test]
    #[should_panic(expected = "were both read")]
    fn a_double_fetch_is_noticed() {
        let memory = GuestRam::new();
        memory.read(0, &mut [0; 8]).unwrap();
        memory.read(7, &mut [0; 8]).unwrap();
        memory.assert_fetched_once();
    }
}
