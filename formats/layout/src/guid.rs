// SPDX-License-Identifier: Apache-2.0 OR MIT
//! GUIDs in the two orders in which their sixteen bytes are stored.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A GUID in mixed-endian order, the first three groups little-endian: that of UEFI and of the SVSM's manifests.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Guid(pub [u8; 16]);

/// A GUID in the order in which its text shows the bytes: that of the GHCB's certificate table.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct TextualGuid(pub [u8; 16]);

impl Guid {
    /// Returns the GUID whose text without dashes is the 32 hexadecimal digits of `digits`.
    #[must_use]
    pub const fn new(digits: u128) -> Self {
        Self(swap(digits.to_be_bytes()))
    }
}

impl TextualGuid {
    /// The all-zero GUID, which closes a certificate table.
    pub const NIL: Self = Self([0; 16]);

    /// Returns the GUID whose text without dashes is the 32 hexadecimal digits of `digits`.
    #[must_use]
    pub const fn new(digits: u128) -> Self {
        Self(digits.to_be_bytes())
    }
}

/// Exchanges textual and mixed-endian order.
const fn swap(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

impl fmt::Display for TextualGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&TextualGuid(swap(self.0)), f)
    }
}

impl fmt::Debug for TextualGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    const DIGITS: u128 = 0xc476f1eb_0123_45a5_9641_b4e7dde5bfe3;

    #[test]
    fn the_first_three_groups_are_little_endian() {
        let guid = Guid::new(DIGITS);
        assert_eq!(guid.0[..10], [0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41]);
        assert_eq!(guid.to_string(), "c476f1eb-0123-45a5-9641-b4e7dde5bfe3");
    }

    #[test]
    fn textual_bytes_are_in_the_order_of_the_text() {
        let guid = TextualGuid::new(DIGITS);
        assert_eq!(guid.0[..4], [0xc4, 0x76, 0xf1, 0xeb]);
        assert_eq!(guid.to_string(), "c476f1eb-0123-45a5-9641-b4e7dde5bfe3");
    }
}
