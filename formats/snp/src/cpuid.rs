// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CPUID page that the firmware checks and places into a guest at launch (SNP ABI, "CPUID Page").

use core::fmt;

use crate::error::Error;
use evtpm_layout::{U32, U64};

/// The number of functions that a page can hold.
pub const MAX_FUNCTIONS: usize = 64;

evtpm_layout::layout! {
    /// One CPUID function with its inputs and outputs.
    #[derive(Copy, Debug)]
    pub struct CpuidFunction, 0x30 {
        /// EAX on input.
        0x00 eax_in: U32,
        /// ECX on input.
        0x04 ecx_in: U32,
        /// XCR0 on input.
        0x08 xcr0_in: U64,
        /// IA32_XSS on input.
        0x10 xss_in: U64,
        /// EAX on output.
        0x18 eax: U32,
        /// EBX on output.
        0x1c ebx: U32,
        /// ECX on output.
        0x20 ecx: U32,
        /// EDX on output.
        0x24 edx: U32,
        /// Reserved.
        0x28 reserved: U64,
    }
}

evtpm_layout::layout! {
    /// The CPUID page.
    pub struct CpuidPage, 0x1000 {
        /// The number of functions in use.
        0x000 count: U32,
        /// Reserved.
        0x004 reserved_004: U32,
        /// Reserved.
        0x008 reserved_008: U64,
        /// The functions.
        0x010 functions: [CpuidFunction; MAX_FUNCTIONS],
        /// Reserved.
        0xc10 reserved_c10: [u8; 0x3f0],
    }
}

impl CpuidPage {
    /// Returns the functions in use.
    pub fn in_use(&self) -> Result<&[CpuidFunction], Error> {
        let count = self.count.get();
        self.functions
            .get(..count as usize)
            .ok_or(Error::Value { what: "CPUID page: number of functions", actual: u64::from(count) })
    }
}

impl fmt::Debug for CpuidPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuidPage").field("count", &self.count.get()).finish_non_exhaustive()
    }
}

/// Returns CPUID Fn0000_0001_EAX of a processor (CPUID Specification, "Family, Model, Stepping Identifiers").
#[must_use]
pub const fn signature(family: u8, model: u8, stepping: u8) -> u32 {
    let (base, extended) = if family > 0xf { (0xf, family.wrapping_sub(0xf)) } else { (family, 0) };
    let (family, extended, model, stepping) = (base as u32, extended as u32, model as u32, stepping as u32);
    extended << 20 | (model >> 4) << 16 | family << 8 | (model & 0xf) << 4 | stepping & 0xf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_milan_is_the_known_one() {
        assert_eq!(signature(0x19, 0x01, 0x01), 0x00a0_0f11);
        assert_eq!(signature(0x19, 0x11, 0x00), 0x00a1_0f10);
        assert_eq!(signature(0x1a, 0x02, 0x01), 0x00b0_0f21);
    }

    #[test]
    fn more_functions_than_fit_are_refused() {
        let mut page = CpuidPage::zeroed();
        page.count = U32::new(64);
        assert_eq!(page.in_use().unwrap().len(), 64);
        page.count = U32::new(65);
        assert_eq!(page.in_use(), Err(Error::Value { what: "CPUID page: number of functions", actual: 65 }));
    }
}
