// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interface between a guest and its SVSM: calling area, protocols, result codes, attestation and vTPM requests.
//!
//! Documents, by the names used below: the *SVSM specification* is "Secure VM Service Module for SEV-SNP Guests"
//! (publication 58019, revision 1.00); the draft of vTPM manifest version 1 is the one that its first verifier implements.
//!
//! Nothing here reads guest memory: every structure is parsed from bytes that the caller has copied, once.
//!
//! ```
//! use evtpm_svsm_abi::{Call, Protocol, vtpm};
//!
//! let call = Call::from_rax(0x0000_0002_0000_0001);
//! assert_eq!((call.protocol, call.number), (Protocol::VTPM, vtpm::CALL_CMD));
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

pub mod attest;
pub mod calling_area;
pub mod core_protocol;
pub mod error;
pub mod manifest;
pub mod result;
pub mod vtpm;

pub use calling_area::CallingArea;
pub use error::Error;
pub use evtpm_layout::{Guid, U16, U32, U64};
pub use result::ResultCode;

/// The size of a page.
pub const PAGE_SIZE: usize = 0x1000;

/// The number of a protocol, in the upper half of RAX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(pub u32);

impl Protocol {
    /// The core protocol.
    pub const CORE: Self = Self(0);
    /// The attestation protocol.
    pub const ATTEST: Self = Self(1);
    /// The vTPM protocol.
    pub const VTPM: Self = Self(2);
    /// The alternate injection (APIC) protocol.
    pub const APIC: Self = Self(3);
    /// The UEFI variable store protocol (COCONUT-SVSM, draft).
    pub const UEFI_MM: Self = Self(4);
}

/// Which call a guest makes: RAX on entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The protocol.
    pub protocol: Protocol,
    /// The call within the protocol.
    pub number: u32,
}

impl Call {
    /// Takes RAX apart.
    #[must_use]
    pub const fn from_rax(rax: u64) -> Self {
        let [c0, c1, c2, c3, p0, p1, p2, p3] = rax.to_le_bytes();
        Self { protocol: Protocol(u32::from_le_bytes([p0, p1, p2, p3])), number: u32::from_le_bytes([c0, c1, c2, c3]) }
    }

    /// Returns RAX.
    #[must_use]
    pub const fn to_rax(self) -> u64 {
        (self.protocol.0 as u64) << 32 | self.number as u64
    }
}

/// The registers that carry a call's arguments and its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The call on entry, the result code on return.
    pub rax: u64,
    /// The first argument or result.
    pub rcx: u64,
    /// The second argument or result.
    pub rdx: u64,
    /// The third argument or result.
    pub r8: u64,
    /// The fourth argument or result.
    pub r9: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rax_is_protocol_above_call() {
        for rax in [0, 6, 0x1_0000_0001, 0x2_0000_0001, u64::MAX] {
            assert_eq!(Call::from_rax(rax).to_rax(), rax);
        }
        assert_eq!(Call { protocol: Protocol::VTPM, number: 1 }.to_rax(), 0x2_0000_0001);
    }
}
