// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way to the secure processor: through a host that may delay, drop, replay, reorder and lie.

use core::fmt;

use evtpm_snp::{GuestMessage, Status};

/// Carries sealed guest messages to the secure processor and its answers back (GHCB, "SNP Guest Request").
///
/// Whoever implements this is not trusted: the channel above seals what it sends and checks what comes back.
pub trait SecureProcessor {
    /// Delivers `request` and writes the answer to `response`.
    ///
    /// With `certificates` the host is also asked for its certificate table (SNP Extended Guest Request), which it writes
    /// to the start of that buffer.
    ///
    /// # Errors
    /// What the host says; none of it is authenticated.
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), HostError>;
}

impl<S: SecureProcessor + ?Sized> SecureProcessor for &mut S {
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), HostError> {
        (**self).guest_request(request, response, certificates)
    }
}

/// What the host answered instead of delivering a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostError {
    /// The host limits requests: the identical message has to be sent again later.
    Busy,
    /// The certificate buffer is too small.
    BufferTooSmall {
        /// Pages that the certificates need.
        pages: u64,
    },
    /// The firmware refused the message, the host says.
    Firmware(Status),
    /// Any other code of the host.
    Other(u32),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Busy => f.write_str("the host says that the secure processor is busy"),
            HostError::BufferTooSmall { pages } => write!(f, "the certificates need {pages} pages"),
            HostError::Firmware(status) => write!(f, "the firmware refused the message: {status}"),
            HostError::Other(code) => write!(f, "the host refused the message with code {code}"),
        }
    }
}

impl core::error::Error for HostError {}
