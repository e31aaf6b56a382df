// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Firmware status codes (SNP ABI, "Status Codes").

use core::fmt;

/// A firmware status code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

/// Declares the codes once: constant, number, the specification's name, meaning.
macro_rules! statuses {
    ($($constant:ident = $number:literal, $name:literal, $meaning:literal;)*) => {
        impl Status {
            $(#[doc = $meaning] pub const $constant: Self = Self($number);)*

            /// Returns the specification's name of the code, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    SUCCESS = 0x00, "SUCCESS", "Successful completion.";
    INVALID_PLATFORM_STATE = 0x01, "INVALID_PLATFORM_STATE", "The platform state does not allow the command.";
    INVALID_GUEST_STATE = 0x02, "INVALID_GUEST_STATE", "The guest state does not allow the command.";
    INVALID_CONFIG = 0x03, "INVALID_CONFIG", "The platform configuration is invalid.";
    INVALID_LENGTH = 0x04, "INVALID_LENGTH", "A memory buffer is too small.";
    ALREADY_OWNED = 0x05, "ALREADY_OWNED", "The platform is already owned.";
    INVALID_CERTIFICATE = 0x06, "INVALID_CERTIFICATE", "A certificate is invalid.";
    POLICY_FAILURE = 0x07, "POLICY_FAILURE", "The guest policy does not allow the request.";
    INACTIVE = 0x08, "INACTIVE", "The guest is inactive.";
    INVALID_ADDRESS = 0x09, "INVALID_ADDRESS", "An address is invalid.";
    BAD_SIGNATURE = 0x0a, "BAD_SIGNATURE", "A signature is invalid.";
    BAD_MEASUREMENT = 0x0b, "BAD_MEASUREMENT", "A measurement is not the expected one.";
    ASID_OWNED = 0x0c, "ASID_OWNED", "The ASID is already owned.";
    INVALID_ASID = 0x0d, "INVALID_ASID", "The ASID is invalid.";
    WBINVD_REQUIRED = 0x0e, "WBINVD_REQUIRED", "WBINVD has to be executed first.";
    DFFLUSH_REQUIRED = 0x0f, "DFFLUSH_REQUIRED", "DF_FLUSH has to be called first.";
    INVALID_GUEST = 0x10, "INVALID_GUEST", "The guest handle is invalid.";
    INVALID_COMMAND = 0x11, "INVALID_COMMAND", "The command is invalid.";
    ACTIVE = 0x12, "ACTIVE", "The guest is active.";
    HWERROR_PLATFORM = 0x13, "HWERROR_PLATFORM", "A hardware error that concerns the platform.";
    HWERROR_UNSAFE = 0x14, "HWERROR_UNSAFE", "A hardware error after which the platform is unsafe.";
    UNSUPPORTED = 0x15, "UNSUPPORTED", "The feature is not supported.";
    INVALID_PARAM = 0x16, "INVALID_PARAM", "A parameter is invalid.";
    RESOURCE_LIMIT = 0x17, "RESOURCE_LIMIT", "The firmware lacks a resource.";
    SECURE_DATA_INVALID = 0x18, "SECURE_DATA_INVALID", "An integrity check of firmware data failed.";
    INVALID_PAGE_SIZE = 0x19, "INVALID_PAGE_SIZE", "The page size of an RMP entry is wrong.";
    INVALID_PAGE_STATE = 0x1a, "INVALID_PAGE_STATE", "The page state of an RMP entry is wrong.";
    INVALID_MDATA_ENTRY = 0x1b, "INVALID_MDATA_ENTRY", "A metadata entry is invalid.";
    INVALID_PAGE_OWNER = 0x1c, "INVALID_PAGE_OWNER", "The owner of a page is wrong.";
    AEAD_OFLOW = 0x1d, "AEAD_OFLOW", "The AEAD algorithm would have overflowed its counter.";
    RING_BUFFER_EXIT = 0x1f, "RING_BUFFER_EXIT", "A mailbox command arrived in ring buffer mode.";
    RMP_INIT_REQUIRED = 0x20, "RMP_INIT_REQUIRED", "The RMP has to be initialised again.";
    BAD_SVN = 0x21, "BAD_SVN", "The image's security version is below the committed one.";
    BAD_VERSION = 0x22, "BAD_VERSION", "The firmware version would roll back.";
    SHUTDOWN_REQUIRED = 0x23, "SHUTDOWN_REQUIRED", "SNP_SHUTDOWN has to be called first.";
    UPDATE_FAILED = 0x24, "UPDATE_FAILED", "An update of firmware or guest state failed.";
    RESTORE_REQUIRED = 0x25, "RESTORE_REQUIRED", "The committed firmware has to be installed.";
    RMP_INIT_FAILED = 0x26, "RMP_INIT_FAILED", "The initialisation of the RMP failed.";
    INVALID_KEY = 0x27, "INVALID_KEY", "The requested key is invalid, absent or not allowed.";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "status {:#x}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A command that did not succeed fails with its status.
impl core::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_firmware_returns_have_names() {
        assert_eq!(Status(0x16), Status::INVALID_PARAM);
        assert_eq!(Status(0x1d).name(), Some("AEAD_OFLOW"));
        assert_eq!(Status(0x1e).name(), None);
    }
}
