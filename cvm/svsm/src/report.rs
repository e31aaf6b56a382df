// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asks the secure processor for a report of VMPL 0 (SNP ABI, "MSG_REPORT_REQ").

use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::{MessageType, Report, Status};

use crate::channel::{ChannelError, GuestChannel};
use crate::processor::{HostError, SecureProcessor};

/// Bytes of REPORT_DATA.
pub const REPORT_DATA_SIZE: usize = 64;

/// Why there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportError {
    /// The channel to the secure processor gave no answer.
    Channel(ChannelError),
    /// The secure processor answered, and refused.
    Refused(Status),
    /// The secure processor answered with something else than a report of VMPL 0 over this data.
    Malformed,
}

impl ReportError {
    /// Says whether the same request may succeed later.
    #[must_use]
    pub fn is_busy(self) -> bool {
        matches!(self, ReportError::Channel(ChannelError::Host(HostError::Busy)))
    }
}

impl core::fmt::Display for ReportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ReportError::Channel(error) => error.fmt(f),
            ReportError::Refused(status) => write!(f, "the secure processor refused the report: {status}"),
            ReportError::Malformed => f.write_str("the secure processor's answer is not the report that was asked for"),
        }
    }
}

impl core::error::Error for ReportError {}

impl From<ChannelError> for ReportError {
    fn from(error: ChannelError) -> Self {
        ReportError::Channel(error)
    }
}

/// Gets a report over `report_data`, signed by the VLEK if one is installed, else the VCEK.
///
/// With `certificates` the host is asked for its certificate table too. A host that says the buffer is too small is
/// asked again without: a report without certificates is worth more than none.
///
/// # Errors
/// [`ReportError`]; a busy host leaves the request in flight, and the same call goes on with it later.
pub(crate) fn report<S: SecureProcessor>(
    channel: &mut GuestChannel,
    processor: &mut S,
    report_data: &[u8; REPORT_DATA_SIZE],
    certificates: Option<&mut [u8]>,
) -> Result<Report, ReportError> {
    let request = ReportRequest::new(*report_data, 0, KeySelect::Auto);
    let asks_for_certificates = certificates.is_some();
    let ask = |channel: &mut GuestChannel, processor: &mut S, certificates| {
        let payload = channel.request(processor, MessageType::ReportRequest, request.as_bytes(), certificates)?;
        parse(payload, report_data)
    };
    match ask(channel, processor, certificates) {
        Err(ReportError::Channel(ChannelError::Host(HostError::BufferTooSmall { .. }))) if asks_for_certificates => {
            ask(channel, processor, None)
        }
        answer => answer,
    }
}

fn parse(payload: &[u8], report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Report, ReportError> {
    let report = ReportResponse::parse(payload).map_err(|_| ReportError::Malformed)?.map_err(ReportError::Refused)?;
    if report.report_data() != report_data || report.vmpl() != 0 {
        return Err(ReportError::Malformed);
    }
    Ok(report)
}
