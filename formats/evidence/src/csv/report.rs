// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report: what the chip signed, the signature, and whose key made it.

use alloc::vec::Vec;
use core::fmt;

use super::certificate::{PlatformCertificate, Signature};
use crate::Error;
use crate::bytes::{Cursor, field};

/// The page that a report comes in.
const PAGE: usize = 4096;
/// The certificate of the platform's key, the chip's serial number, reserved bytes and an HMAC.
const SIGNER: usize = PlatformCertificate::SIZE + 64 + 32 + 32;

/// The layout of a report, which the report itself does not state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Of every CSV: under a mask.
    V1,
    /// Of CSV3: with runtime registers, and without a mask.
    V2,
}

impl Version {
    /// The number of bytes that are signed.
    const fn signed(self) -> usize {
        match self {
            Self::V1 => 0xB4,
            Self::V2 => 0x400,
        }
    }

    /// Where the signature starts.
    const fn signature(self) -> usize {
        match self {
            Self::V1 => 0xC0,
            Self::V2 => 0x400,
        }
    }
}

/// A guest's policy: the bits of SEV's (AMD 55766, "Guest Policy Structure"), and one for CSV3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPolicy(pub u32);

impl GuestPolicy {
    /// Debugging is not allowed.
    pub const NO_DEBUG: u32 = 1;
    /// The key is not shared with other guests.
    pub const NO_KEY_SHARING: u32 = 1 << 1;
    /// The registers are encrypted, too.
    pub const ENCRYPTED_STATE: u32 = 1 << 2;
    /// The guest may not be sent to another platform.
    pub const NO_SEND: u32 = 1 << 3;
    /// The guest may be sent within its domain only.
    pub const DOMAIN: u32 = 1 << 4;
    /// The guest may be sent to platforms with CSV only.
    pub const CSV: u32 = 1 << 5;
    /// The guest is one of CSV3.
    pub const CSV3: u32 = 1 << 6;

    /// Says whether a bit is set.
    pub const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

impl fmt::Display for GuestPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::NO_DEBUG, "NODBG"),
            (Self::NO_KEY_SHARING, "NOKS"),
            (Self::ENCRYPTED_STATE, "ES"),
            (Self::NO_SEND, "NOSEND"),
            (Self::DOMAIN, "DOMAIN"),
            (Self::CSV, "CSV"),
            (Self::CSV3, "CSV3"),
        ];
        let mut set = names.into_iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| name);
        f.write_str(set.next().unwrap_or("no bit is set"))?;
        set.try_for_each(|name| write!(f, ", {name}"))
    }
}

/// A report of a CSV guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The layout.
    pub version: Version,
    /// What the platform's key signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Signature,
    /// What everything of a version 1 report is exclusive-ored with; it is not signed. Zero in version 2.
    pub mask: [u8; 4],
    certificate: &'a [u8; PlatformCertificate::SIZE],
    serial: &'a [u8; 64],
}

impl<'a> Report<'a> {
    /// Parses a report; zeros may fill the rest of its page.
    pub fn parse(version: Version, bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "CSV report";
        let mut cursor = Cursor::new(bytes);
        let before = cursor.take(WHAT, version.signature())?;
        let signature = Signature::read(&mut cursor, WHAT)?;
        let mut signer = Cursor::new(cursor.take(WHAT, SIGNER)?);
        let rest = cursor.rest();
        if bytes.len() > PAGE || rest.iter().any(|byte| *byte != 0) {
            return Err(Error::Trailing { what: WHAT, count: rest.len() });
        }
        let mask = if version == Version::V1 { field(before, 0xBC) } else { [0; 4] };
        let missing = Error::Missing { what: WHAT };
        let signed = before.get(..version.signed()).ok_or(missing)?;
        Ok(Self { version, signed, signature, mask, certificate: signer.array(WHAT)?, serial: signer.array(WHAT)? })
    }

    /// Parses a report of either version: the one that has the signer's certificate in its place, since no field tells.
    #[must_use]
    pub fn recognize(bytes: &'a [u8]) -> Option<Self> {
        let of_version = |version| {
            let report = Self::parse(version, bytes).ok()?;
            PlatformCertificate::parse(&report.platform_certificate()).is_ok().then_some(report)
        };
        of_version(Version::V1).or_else(|| of_version(Version::V2))
    }

    /// Returns the certificate of the key that signed, as it came with the report: guests take its mask off, or leave it.
    pub fn platform_certificate(&self) -> Vec<u8> {
        if self.is_signer_plain() { self.certificate.to_vec() } else { self.unmasked(self.certificate) }
    }

    /// Returns the serial number of the chip, which nobody signed, as text of whoever sent it.
    pub fn serial_number(&self) -> Vec<u8> {
        let mut serial = if self.is_signer_plain() { self.serial.to_vec() } else { self.unmasked(self.serial) };
        serial.truncate(serial.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1)));
        serial
    }

    /// Returns the digest of the key that the guest's owner had launched it with.
    pub fn owner_key_digest(&self) -> [u8; 32] {
        self.field(0)
    }

    /// Returns the guest's identifier, which its owner chose.
    pub fn vm_id(&self) -> [u8; 16] {
        self.field(0x20)
    }

    /// Returns the guest's version, which its owner chose.
    pub fn vm_version(&self) -> [u8; 16] {
        self.field(0x30)
    }

    /// Returns what the requester had put in.
    pub fn report_data(&self) -> [u8; 64] {
        self.field(0x40)
    }

    /// Returns the nonce of the request.
    pub fn nonce(&self) -> [u8; 16] {
        self.field(0x80)
    }

    /// Returns the launch digest.
    pub fn measurement(&self) -> [u8; 32] {
        self.field(0x90)
    }

    /// Returns the guest's policy.
    pub fn policy(&self) -> GuestPolicy {
        GuestPolicy(u32::from_le_bytes(self.field(0xB0)))
    }

    /// Returns the build of the firmware; version 1 has none.
    pub fn build(&self) -> Option<u32> {
        (self.version == Version::V2).then(|| u32::from_le_bytes(self.field(0xBC)))
    }

    /// Returns the runtime registers; version 1 has none.
    pub fn registers(&self) -> Option<[[u8; 32]; 5]> {
        let registers = [0xD0, 0xF0, 0x110, 0x130, 0x150].map(|offset| self.field(offset));
        (self.version == Version::V2).then_some(registers)
    }

    fn field<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = field::<N>(self.signed, offset);
        // Every field starts at a multiple of the mask's four bytes.
        bytes.iter_mut().zip(self.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        bytes
    }

    /// A certificate begins with its version.
    const fn is_signer_plain(&self) -> bool {
        matches!(self.certificate, [1 | 2, 0, 0, 0, ..])
    }

    fn unmasked(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const V1: usize = 0xC0 + 144 + SIGNER;

    #[test]
    fn the_bits_of_a_policy_have_names() {
        assert_eq!(alloc::format!("{}", GuestPolicy(0x45)), "NODBG, ES, CSV3");
        assert_eq!(alloc::format!("{}", GuestPolicy(0)), "no bit is set");
    }

    #[test]
    fn what_a_report_of_version_1_says_stands_under_its_mask() {
        let mut bytes = vec![0; V1];
        bytes[0xBC..0xC0].copy_from_slice(&[1, 2, 3, 4]);
        bytes[0x90..0x94].copy_from_slice(&[0xF1, 0xF2, 0xF3, 0xF4]);
        let report = Report::parse(Version::V1, &bytes).unwrap();
        assert_eq!(report.measurement()[..8], [0xF0, 0xF0, 0xF0, 0xF0, 1, 2, 3, 4]);
        assert_eq!((report.signed.len(), report.registers()), (0xB4, None));
    }

    #[test]
    fn zeros_fill_a_page_and_nothing_else_does() {
        for (length, last, is_good) in [(V1, 0, true), (PAGE, 0, true), (PAGE, 1, false), (PAGE + 1, 0, false)] {
            let mut bytes = vec![0; length];
            *bytes.last_mut().unwrap() = last;
            assert_eq!(Report::parse(Version::V1, &bytes).is_ok(), is_good, "{length} {last}");
        }
        for length in 0..V1 {
            assert!(Report::parse(Version::V1, &vec![0; length]).is_err(), "{length}");
        }
    }
}
