// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Result codes: what RAX holds when a call returns (SVSM specification, "Result Codes").

use core::fmt;

/// A result code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u64);

/// Declares the codes once: constant, number, meaning.
macro_rules! result_codes {
    ($($constant:ident = $number:literal, $meaning:literal;)*) => {
        impl ResultCode {
            $(#[doc = $meaning] pub const $constant: Self = Self($number);)*

            /// Returns the name of the code, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($constant)),)*
                    _ => None,
                }
            }
        }
    };
}

result_codes! {
    SUCCESS = 0, "The call succeeded.";
    INCOMPLETE = 0x8000_0000, "The call has to be made again with the same arguments to go on.";
    UNSUPPORTED_PROTOCOL = 0x8000_0001, "The protocol is not supported.";
    UNSUPPORTED_CALL = 0x8000_0002, "The call is not supported.";
    INVALID_ADDRESS = 0x8000_0003, "An address is invalid.";
    INVALID_FORMAT = 0x8000_0004, "A structure has an invalid format.";
    INVALID_PARAMETER = 0x8000_0005, "A parameter is invalid.";
    INVALID_REQUEST = 0x8000_0006, "The request is not valid now.";
    BUSY = 0x8000_0007, "The SVSM is busy; the call may be made again later.";
    PVALIDATE_FAIL_INPUT = 0x8000_1001, "PVALIDATE failed with FAIL_INPUT.";
    PVALIDATE_FAIL_SIZE_MISMATCH = 0x8000_1006, "PVALIDATE failed with FAIL_SIZEMISMATCH.";
    PVALIDATE_NO_CHANGE = 0x8000_1010, "PVALIDATE changed nothing.";
}

impl ResultCode {
    /// Says whether clients repeat the identical call on this result.
    #[must_use]
    pub const fn is_retried(self) -> bool {
        matches!(self, Self::INCOMPLETE | Self::BUSY)
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "result {:#x}", self.0),
        }
    }
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_incomplete_and_busy_are_retried() {
        for code in (0x8000_0000..0x8000_0010).map(ResultCode) {
            assert_eq!(code.is_retried(), code.0 == 0x8000_0000 || code.0 == 0x8000_0007, "{code}");
        }
        assert!(!ResultCode::SUCCESS.is_retried());
        assert_eq!(ResultCode(0x8000_0008).name(), None);
    }
}
