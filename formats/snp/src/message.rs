// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sealed messages between a guest and the firmware (SNP ABI, "Guest Messages", "SNP_GUEST_REQUEST").
//!
//! A message is one page: a header, then the payload under AES-256-GCM with the VMPCK that the header names. The header
//! from ALGO on is authenticated, and the sequence number is the nonce.

use core::fmt;

use crate::PAGE_SIZE;
use crate::error::Error;
use evtpm_layout::{U16, U32, U64};

/// ALGO of AES-256-GCM.
pub const ALGORITHM_AES_256_GCM: u8 = 1;
/// HDR_VERSION.
pub const HEADER_VERSION: u8 = 1;
/// The number of bytes in AUTHTAG that AES-256-GCM uses.
pub const TAG_SIZE: usize = 16;
/// The most bytes that a payload can have.
pub const MAX_PAYLOAD: usize = PAGE_SIZE - MessageHeader::SIZE;

/// MSG_TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the specification's message of that name")]
pub enum MessageType {
    CpuidRequest,
    CpuidResponse,
    KeyRequest,
    KeyResponse,
    ReportRequest,
    ReportResponse,
    ExportRequest,
    ExportResponse,
    ImportRequest,
    ImportResponse,
    AbsorbRequest,
    AbsorbResponse,
    VmrkRequest,
    VmrkResponse,
    AbsorbNomaRequest,
    AbsorbNomaResponse,
    TscInfoRequest,
    TscInfoResponse,
}

impl MessageType {
    /// All message types, in the order of their numbers, from 1.
    pub const ALL: [Self; 18] = [
        Self::CpuidRequest,
        Self::CpuidResponse,
        Self::KeyRequest,
        Self::KeyResponse,
        Self::ReportRequest,
        Self::ReportResponse,
        Self::ExportRequest,
        Self::ExportResponse,
        Self::ImportRequest,
        Self::ImportResponse,
        Self::AbsorbRequest,
        Self::AbsorbResponse,
        Self::VmrkRequest,
        Self::VmrkResponse,
        Self::AbsorbNomaRequest,
        Self::AbsorbNomaResponse,
        Self::TscInfoRequest,
        Self::TscInfoResponse,
    ];

    /// Returns the number of the type.
    #[must_use]
    pub const fn number(self) -> u8 {
        (self as u8).wrapping_add(1)
    }

    /// Returns the type with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Returns the type of the answer, if this is a request.
    #[must_use]
    pub fn response(self) -> Option<Self> {
        let number = self.number();
        if number.is_multiple_of(2) { None } else { Self::from_number(number.wrapping_add(1)) }
    }
}

evtpm_layout::layout! {
    /// The header of a message.
    #[derive(Copy, Debug)]
    pub struct MessageHeader, 0x60 {
        /// AUTHTAG, of which AES-256-GCM uses the first 16 bytes.
        0x00 auth_tag: [u8; 32],
        /// MSG_SEQNO.
        0x20 sequence_number: U64,
        /// Reserved.
        0x28 reserved_28: [u8; 8],
        /// ALGO.
        0x30 algorithm: u8,
        /// HDR_VERSION.
        0x31 header_version: u8,
        /// HDR_SIZE.
        0x32 header_size: U16,
        /// MSG_TYPE.
        0x34 message_type: u8,
        /// MSG_VERSION.
        0x35 message_version: u8,
        /// MSG_SIZE.
        0x36 message_size: U16,
        /// Reserved.
        0x38 reserved_38: U32,
        /// MSG_VMPCK, the number of the key.
        0x3c vmpck: u8,
        /// Reserved.
        0x3d reserved_3d: [u8; 35],
    }
}

impl MessageHeader {
    /// Returns the header of a message that is still to be sealed.
    pub fn new(
        message_type: MessageType,
        message_version: u8,
        sequence_number: u64,
        vmpck: u8,
        payload_size: usize,
    ) -> Result<Self, Error> {
        let too_long = Error::Value { what: "guest message: payload size", actual: payload_size as u64 };
        if payload_size > MAX_PAYLOAD {
            return Err(too_long);
        }
        let message_size = u16::try_from(payload_size).map_err(|_| too_long)?;
        Ok(Self {
            sequence_number: U64::new(sequence_number),
            algorithm: ALGORITHM_AES_256_GCM,
            header_version: HEADER_VERSION,
            header_size: U16::new(0x60),
            message_type: message_type.number(),
            message_version,
            message_size: U16::new(message_size),
            vmpck,
            ..Self::zeroed()
        })
    }

    /// Returns the additional data of the seal: the header from ALGO to its end.
    #[must_use]
    pub fn additional_data(&self) -> [u8; 0x30] {
        let mut data = [0; 0x30];
        for (to, from) in data.iter_mut().zip(self.as_bytes().iter().skip(0x30)) {
            *to = *from;
        }
        data
    }

    /// Returns the nonce of the seal: the sequence number in little-endian order, then zeros.
    #[must_use]
    pub fn nonce(&self) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = self.sequence_number.get().to_le_bytes();
        [a, b, c, d, e, f, g, h, 0, 0, 0, 0]
    }

    /// Checks the fields that have one legal value each, and that the payload fits into the page.
    pub fn check(&self) -> Result<(), Error> {
        let constants = [
            ("guest message: ALGO", u64::from(self.algorithm), u64::from(ALGORITHM_AES_256_GCM)),
            ("guest message: HDR_VERSION", u64::from(self.header_version), u64::from(HEADER_VERSION)),
            ("guest message: HDR_SIZE", u64::from(self.header_size.get()), 0x60),
        ];
        for (what, actual, expected) in constants {
            if actual != expected {
                return Err(Error::Value { what, actual });
            }
        }
        let size = usize::from(self.message_size.get());
        if size > MAX_PAYLOAD {
            return Err(Error::OutOfBounds {
                what: "guest message: MSG_SIZE",
                offset: Self::SIZE,
                length: size,
                available: PAGE_SIZE,
            });
        }
        Ok(())
    }
}

evtpm_layout::layout! {
    /// A message page.
    pub struct GuestMessage, 0x1000 {
        /// The header.
        0x00 header: MessageHeader,
        /// Room for the payload, sealed or not.
        0x60 room: [u8; MAX_PAYLOAD],
    }
}

impl GuestMessage {
    /// Returns the payload as the header delimits it, after [`MessageHeader::check`].
    pub fn payload(&self) -> Result<&[u8], Error> {
        self.header.check()?;
        let size = usize::from(self.header.message_size.get());
        self.room.get(..size).ok_or(Error::Value { what: "guest message: MSG_SIZE", actual: size as u64 })
    }

    /// Returns the payload as the header delimits it, to be sealed or opened in place.
    pub fn payload_mut(&mut self) -> Result<&mut [u8], Error> {
        self.header.check()?;
        let size = usize::from(self.header.message_size.get());
        self.room.get_mut(..size).ok_or(Error::Value { what: "guest message: MSG_SIZE", actual: size as u64 })
    }
}

impl fmt::Debug for GuestMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestMessage").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> MessageHeader {
        MessageHeader::new(MessageType::ReportRequest, 1, 0x0102, 2, 0x60).unwrap()
    }

    #[test]
    fn types_count_from_1_and_answers_follow_requests() {
        for (position, message_type) in MessageType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(message_type.number()), position + 1);
            assert_eq!(MessageType::from_number(message_type.number()), Some(message_type));
        }
        assert_eq!(MessageType::ReportRequest.number(), 5);
        assert_eq!(MessageType::TscInfoRequest.number(), 17);
        assert_eq!(MessageType::KeyRequest.response(), Some(MessageType::KeyResponse));
        assert_eq!(MessageType::KeyResponse.response(), None);
        assert_eq!(MessageType::from_number(0), None);
        assert_eq!(MessageType::from_number(19), None);
    }

    #[test]
    fn the_additional_data_starts_at_the_algorithm() {
        let data = header().additional_data();
        assert_eq!(data[..13], [1, 1, 0x60, 0, 5, 1, 0x60, 0, 0, 0, 0, 0, 2]);
        assert_eq!(data[13..], [0; 35]);
    }

    #[test]
    fn the_nonce_is_the_sequence_number_alone() {
        assert_eq!(header().nonce(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_header_with_a_field_out_of_place_is_refused() {
        assert_eq!(header().check(), Ok(()));
        for offset in [0x30, 0x31, 0x32, 0x33] {
            let mut page = GuestMessage::zeroed();
            page.header = header();
            let mut bytes = *page.as_bytes();
            bytes[offset] ^= 0x80;
            assert!(GuestMessage::view(&bytes).unwrap().payload().is_err(), "{offset:#x}");
        }
    }

    #[test]
    fn a_payload_longer_than_the_page_is_refused() {
        let mut long = header();
        long.message_size = U16::new(4001);
        assert!(matches!(long.check(), Err(Error::OutOfBounds { length: 4001, .. })));
        assert!(MessageHeader::new(MessageType::KeyRequest, 1, 1, 0, 4001).is_err());
        assert!(MessageHeader::new(MessageType::KeyRequest, 1, 1, 0, 4000).is_ok());
    }
}
