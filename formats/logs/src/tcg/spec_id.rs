// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Spec ID event (PFP, "TCG_EfiSpecIdEvent"): which banks the log has, and how large their digests are.

use crate::bytes::Cursor;
use crate::tcg::Format;
use crate::{At, Error, HashId};

/// The largest number of banks accepted, as many as a TPM's `TPML_PCR_SELECTION` may hold.
pub(crate) const MAX_BANKS: usize = 16;

/// One bank of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bank {
    /// The bank's algorithm.
    pub algorithm: HashId,
    /// The size of its digests in bytes.
    pub size: usize,
}

/// The banks of a log, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banks<'a> {
    raw: &'a [[u8; 4]],
}

impl<'a> Banks<'a> {
    /// The one bank of a log in the SHA-1 format.
    pub(crate) const SHA1: Banks<'static> = Banks { raw: &[[0x04, 0x00, 20, 0]] };

    /// Returns the banks in the header's order.
    pub fn iter(&self) -> impl Iterator<Item = Bank> + use<'a> {
        self.raw.iter().map(Self::bank)
    }

    /// Tells whether the log has digests for a bank.
    #[must_use]
    pub fn contains(&self, algorithm: HashId) -> bool {
        self.find(algorithm).is_some()
    }

    /// Finds a bank and its position in the header.
    pub(crate) fn find(&self, algorithm: HashId) -> Option<(u32, Bank)> {
        (0..).zip(self.iter()).find(|(_, bank)| bank.algorithm == algorithm)
    }

    fn bank([a, b, c, d]: &[u8; 4]) -> Bank {
        Bank { algorithm: HashId(u16::from_le_bytes([*a, *b])), size: usize::from(u16::from_le_bytes([*c, *d])) }
    }
}

/// The Spec ID header of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecId<'a> {
    /// `TCG_EfiSpecIDEvent.signature` without its padding: "Spec ID Event03" for crypto-agile logs.
    pub signature: &'a str,
    /// The platform class: 0 for clients, 1 for servers.
    pub platform_class: u32,
    /// Major, minor and errata number of the specification that the firmware follows.
    pub spec_version: (u8, u8, u8),
    /// The banks that the log announces.
    pub banks: Banks<'a>,
    /// Information of the firmware's vendor.
    pub vendor_info: &'a [u8],
}

impl<'a> SpecId<'a> {
    /// Reads the data of a log's first event; `None` if they are not a Spec ID event.
    pub(crate) fn parse(data: &'a [u8], at: At) -> Result<Option<Self>, Error> {
        let Some((signature, _)) = data.split_first_chunk::<16>() else { return Ok(None) };
        let signature = match signature {
            b"Spec ID Event03\0" => "Spec ID Event03",
            b"Spec ID Event02\0" => "Spec ID Event02",
            b"Spec ID Event00\0" => "Spec ID Event00",
            _ => return Ok(None),
        };

        let mut cursor = Cursor::new(data, at.record, at.offset);
        cursor.take("signature", 16)?;
        let platform_class = cursor.u32("platformClass")?;
        let [minor, major, errata, _uintn_size] = cursor.array("specification version")?;
        let banks = if signature.ends_with('3') { Self::banks(&mut cursor)? } else { Banks::SHA1 };
        let vendor_length = usize::from(cursor.u8("vendorInfoSize")?);
        let vendor_info = cursor.take("vendorInfo", vendor_length)?;

        Ok(Some(SpecId { signature, platform_class, spec_version: (major, minor, errata), banks, vendor_info }))
    }

    pub(crate) fn format(&self) -> Format {
        if self.signature.ends_with('3') { Format::CryptoAgile } else { Format::Sha1 }
    }

    fn banks(cursor: &mut Cursor<'a>) -> Result<Banks<'a>, Error> {
        let at = cursor.at();
        let count = cursor.length("numberOfAlgorithms", MAX_BANKS)?;
        if count == 0 {
            return Err(Error::Malformed { at, expected: "at least one digest algorithm in the Spec ID header" });
        }

        let first = cursor.at();
        let (raw, _) = cursor.take("digestSizes", count.saturating_mul(4))?.as_chunks::<4>();
        let banks = Banks { raw };
        for (position, bank) in (0..).zip(banks.iter()) {
            let at = first;
            if banks.find(bank.algorithm).is_some_and(|(found, _)| found != position) {
                return Err(Error::DuplicateAlgorithm { at, algorithm: bank.algorithm });
            }
            // "digestSize: the size of the digest produced by the implemented hash algorithm"
            let expected = bank.algorithm.digest_size().unwrap_or(bank.size);
            if bank.size != expected || bank.size == 0 || bank.size > crate::Digest::MAX {
                let (algorithm, actual) = (bank.algorithm, bank.size);
                return Err(Error::DigestSize { at, algorithm, expected, actual });
            }
        }

        Ok(banks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const AT: At = At { record: 0, offset: 32 };

    fn header(banks: &[(u16, u16)]) -> Vec<u8> {
        let mut data = b"Spec ID Event03\0\0\0\0\0\x00\x02\x00\x02".to_vec();
        data.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
        for (algorithm, size) in banks {
            data.extend(algorithm.to_le_bytes());
            data.extend(size.to_le_bytes());
        }
        data.push(0);
        data
    }

    #[test]
    fn the_recorded_header_has_four_banks() {
        let data = header(&[(4, 20), (11, 32), (12, 48), (13, 64)]);
        let header = SpecId::parse(&data, AT).unwrap().unwrap();
        assert_eq!(header.spec_version, (2, 0, 0));
        assert_eq!(header.format(), Format::CryptoAgile);
        assert_eq!(
            header.banks.iter().map(|bank| bank.algorithm).collect::<Vec<_>>(),
            [HashId::SHA1, HashId::SHA256, HashId::SHA384, HashId::SHA512]
        );
    }

    #[test]
    fn a_wrong_digest_size_for_a_known_algorithm_is_refused() {
        assert_eq!(
            SpecId::parse(&header(&[(11, 20)]), AT),
            Err(Error::DigestSize {
                at: At { record: 0, offset: 60 },
                algorithm: HashId::SHA256,
                expected: 32,
                actual: 20
            })
        );
    }

    #[test]
    fn an_unknown_algorithm_keeps_the_size_that_the_header_gives() {
        let data = header(&[(0x7777, 24)]);
        let header = SpecId::parse(&data, AT).unwrap().unwrap();
        assert_eq!(header.banks.iter().collect::<Vec<_>>(), [Bank { algorithm: HashId(0x7777), size: 24 }]);
    }

    #[test]
    fn a_bank_twice_is_refused() {
        assert!(matches!(
            SpecId::parse(&header(&[(11, 32), (4, 20), (11, 32)]), AT),
            Err(Error::DuplicateAlgorithm { algorithm: HashId::SHA256, .. })
        ));
    }

    #[test]
    fn seventeen_banks_and_none_are_refused() {
        let many: Vec<_> = (0..17).map(|n| (0x100 + n, 32)).collect();
        assert!(matches!(SpecId::parse(&header(&many), AT), Err(Error::TooLong { length: 17, limit: 16, .. })));
        assert!(matches!(SpecId::parse(&header(&[]), AT), Err(Error::Malformed { .. })));
    }

    #[test]
    fn a_startup_locality_event_is_no_header() {
        assert_eq!(SpecId::parse(b"StartupLocality\0\x03", AT), Ok(None));
        assert_eq!(SpecId::parse(b"Spec ID", AT), Ok(None));
    }
}
