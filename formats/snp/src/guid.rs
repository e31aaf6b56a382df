// SPDX-License-Identifier: Apache-2.0 OR MIT
//! GUIDs as the GHCB certificate table stores them: the sixteen bytes in the order in which the text shows them.

use core::fmt;

/// A GUID in textual byte order (not the mixed-endian order of UEFI and of the SVSM manifests).
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
    zerocopy::Unaligned,
)]
#[repr(transparent)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The all-zero GUID, which closes a certificate table.
    pub const NIL: Self = Self([0; 16]);

    /// Returns the GUID whose text without dashes is the 32 hexadecimal digits of `digits`.
    #[must_use]
    pub const fn new(digits: u128) -> Self {
        Self(digits.to_be_bytes())
    }
}

impl fmt::Display for Guid {
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

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn bytes_are_in_the_order_of_the_text() {
        let guid = Guid::new(0x63da758d_e664_4564_adc5_f4b93be8accd);
        assert_eq!(guid.0[..4], [0x63, 0xda, 0x75, 0x8d]);
        assert_eq!(guid.to_string(), "63da758d-e664-4564-adc5-f4b93be8accd");
    }
}
