// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The payloads of guest messages (SNP ABI, "MSG_REPORT_REQ", "MSG_KEY_REQ", "MSG_TSC_INFO_REQ" and their answers).

use core::fmt;

use crate::error::Error;
use crate::report::{RawReport, Report};
use crate::status::Status;
use evtpm_layout::{U32, U64};

/// The key with which the firmware is to sign a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySelect {
    /// The VLEK if one is installed, else the VCEK.
    Auto,
    /// The VCEK.
    Vcek,
    /// The VLEK.
    Vlek,
}

impl KeySelect {
    /// Returns the value of the two bits KEY_SEL.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        match self {
            Self::Auto => 0,
            Self::Vcek => 1,
            Self::Vlek => 2,
        }
    }

    /// Returns the selection with these bits, unless they are reserved.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Auto),
            1 => Some(Self::Vcek),
            2 => Some(Self::Vlek),
            _ => None,
        }
    }
}

evtpm_layout::layout! {
    /// MSG_REPORT_REQ.
    #[derive(Copy, Debug)]
    pub struct ReportRequest, 0x60 {
        /// REPORT_DATA.
        0x00 report_data: [u8; 64],
        /// VMPL.
        0x40 vmpl: U32,
        /// KEY_SEL in bits 1:0.
        0x44 flags: U32,
        /// Reserved.
        0x48 reserved: [u8; 24],
    }
}

impl ReportRequest {
    /// Returns the request for a report with this data at this level.
    #[must_use]
    pub fn new(report_data: [u8; 64], vmpl: u32, key: KeySelect) -> Self {
        Self { report_data, vmpl: U32::new(vmpl), flags: U32::new(key.to_bits()), reserved: [0; 24] }
    }
}

evtpm_layout::layout! {
    /// MSG_REPORT_RSP.
    #[derive(Copy, Debug)]
    pub struct ReportResponse, 0x4c0 {
        /// STATUS.
        0x00 status: U32,
        /// REPORT_SIZE.
        0x04 report_size: U32,
        /// Reserved.
        0x08 reserved: [u8; 24],
        /// REPORT.
        0x20 report: RawReport,
    }
}

impl ReportResponse {
    /// Returns the answer with a report.
    #[must_use]
    pub fn success(report: RawReport) -> Self {
        Self { report_size: U32::new(0x4a0), report, ..Self::zeroed() }
    }

    /// Returns the answer without a report.
    #[must_use]
    pub fn failure(status: Status) -> Self {
        Self { status: U32::new(status.0), ..Self::zeroed() }
    }

    /// Parses an answer's payload: the status, or the report if the status is success.
    pub fn parse(payload: &[u8]) -> Result<Result<Report, Status>, Error> {
        const WHAT: &str = "MSG_REPORT_RSP";
        let length = |expected| Error::Length { what: WHAT, expected, actual: payload.len() };
        // An answer without success may end after its fixed part.
        let (status, _) = payload.split_first_chunk::<4>().ok_or(length(Self::SIZE))?;
        let status = Status(u32::from_le_bytes(*status));
        if status != Status::SUCCESS {
            return Ok(Err(status));
        }
        let response = Self::view(payload)?;
        let size = response.report_size.get();
        if size as usize != Report::SIZE {
            return Err(Error::Value { what: "MSG_REPORT_RSP: REPORT_SIZE", actual: u64::from(size) });
        }
        Report::parse(response.report.as_bytes()).map(Ok)
    }
}

/// What a derived key is to depend on: the bits of GUEST_FIELD_SELECT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestFieldSelect(pub u64);

impl GuestFieldSelect {
    /// The guest policy.
    pub const GUEST_POLICY: u64 = 1 << 0;
    /// The image id of the ID block.
    pub const IMAGE_ID: u64 = 1 << 1;
    /// The family id of the ID block.
    pub const FAMILY_ID: u64 = 1 << 2;
    /// The launch digest.
    pub const MEASUREMENT: u64 = 1 << 3;
    /// The security version that the request names.
    pub const GUEST_SVN: u64 = 1 << 4;
    /// The TCB version that the request names.
    pub const TCB_VERSION: u64 = 1 << 5;
    /// The mitigation vector at launch (version 2 of the request).
    pub const LAUNCH_MIT_VECTOR: u64 = 1 << 6;

    /// Says whether all of `bits` are selected.
    #[must_use]
    pub const fn contains(self, bits: u64) -> bool {
        self.0 & bits == bits
    }
}

evtpm_layout::layout! {
    /// MSG_KEY_REQ, version 1.
    #[derive(Copy, Debug)]
    pub struct KeyRequest, 0x20 {
        /// ROOT_KEY_SELECT in bit 0 (0 VCEK or VLEK, 1 VMRK), KEY_SEL in bits 2:1.
        0x00 root_key_select: U32,
        /// Reserved.
        0x04 reserved: U32,
        /// GUEST_FIELD_SELECT.
        0x08 guest_field_select: U64,
        /// VMPL.
        0x10 vmpl: U32,
        /// GUEST_SVN.
        0x14 guest_svn: U32,
        /// TCB_VERSION.
        0x18 tcb_version: U64,
    }
}

impl KeyRequest {
    /// ROOT_KEY_SELECT: the virtual machine root key of a migration agent.
    pub const ROOT_VMRK: u32 = 1;

    /// Returns the key selection of the chip's root key, unless it is reserved.
    #[must_use]
    pub const fn key_select(&self) -> Option<KeySelect> {
        let [low, ..] = self.root_key_select.to_bytes();
        KeySelect::from_bits((low >> 1 & 3) as u32)
    }
}

evtpm_layout::layout! {
    /// MSG_KEY_REQ, version 2.
    #[derive(Copy, Debug)]
    pub struct KeyRequestV2, 0x28 {
        /// The fields of version 1.
        0x00 v1: KeyRequest,
        /// LAUNCH_MIT_VECTOR.
        0x20 launch_mit_vector: U64,
    }
}

evtpm_layout::layout! {
    /// MSG_KEY_RSP.
    pub struct KeyResponse, 0x40 {
        /// STATUS.
        0x00 status: U32,
        /// Reserved.
        0x04 reserved: [u8; 28],
        /// DERIVED_KEY.
        0x20 derived_key: [u8; 32],
    }
}

impl fmt::Debug for KeyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyResponse").field("status", &Status(self.status.get())).finish_non_exhaustive()
    }
}

evtpm_layout::layout! {
    /// MSG_TSC_INFO_REQ.
    #[derive(Copy, Debug)]
    pub struct TscInfoRequest, 0x80 {
        /// Reserved, must be zero.
        0x00 reserved: [u8; 128],
    }
}

evtpm_layout::layout! {
    /// MSG_TSC_INFO_RSP.
    #[derive(Copy, Debug)]
    pub struct TscInfoResponse, 0x80 {
        /// STATUS.
        0x00 status: U32,
        /// Reserved.
        0x04 reserved_04: U32,
        /// GUEST_TSC_SCALE.
        0x08 guest_tsc_scale: U64,
        /// GUEST_TSC_OFFSET.
        0x10 guest_tsc_offset: U64,
        /// TSC_FACTOR.
        0x18 tsc_factor: U32,
        /// Reserved.
        0x1c reserved_1c: [u8; 100],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RawReport {
        let mut report = RawReport::zeroed();
        report.body.version = U32::new(3);
        report
    }

    #[test]
    fn an_answer_gives_its_report() {
        let answer = ReportResponse::success(report());
        let parsed = ReportResponse::parse(answer.as_bytes()).unwrap().unwrap();
        assert_eq!(parsed.as_bytes(), report().as_bytes());
    }

    #[test]
    fn an_answer_without_success_is_its_status_even_when_cut_short() {
        let answer = ReportResponse::failure(Status::INVALID_KEY);
        assert_eq!(ReportResponse::parse(answer.as_bytes()), Ok(Err(Status::INVALID_KEY)));
        assert_eq!(ReportResponse::parse(&answer.as_bytes()[..0x20]), Ok(Err(Status::INVALID_KEY)));
        assert!(ReportResponse::parse(&answer.as_bytes()[..3]).is_err());
    }

    #[test]
    fn an_answer_with_another_report_size_is_refused() {
        let mut answer = ReportResponse::success(report());
        answer.report_size = U32::new(0x4a1);
        assert_eq!(
            ReportResponse::parse(answer.as_bytes()),
            Err(Error::Value { what: "MSG_REPORT_RSP: REPORT_SIZE", actual: 0x4a1 })
        );
    }

    #[test]
    fn the_key_selection_of_a_key_request_is_in_bits_2_and_1() {
        let mut request = KeyRequest::zeroed();
        assert_eq!(request.key_select(), Some(KeySelect::Auto));
        request.root_key_select = U32::new(0b010);
        assert_eq!(request.key_select(), Some(KeySelect::Vcek));
        request.root_key_select = U32::new(0b101);
        assert_eq!(request.key_select(), Some(KeySelect::Vlek));
        request.root_key_select = U32::new(0b110);
        assert_eq!(request.key_select(), None);
    }
}
