// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vTPM protocol (SVSM specification, "vTPM Protocol"): platform commands in one buffer, answered in place.

use crate::PAGE_SIZE;
use crate::error::Error;
use evtpm_layout::U32;

/// SVSM_VTPM_QUERY: RCX returns the supported platform commands, RDX the features.
pub const CALL_QUERY: u32 = 0;
/// SVSM_VTPM_CMD: RCX is the address of the request, which the response replaces.
pub const CALL_CMD: u32 = 1;

/// The platform command TPM_SEND_COMMAND; platform commands have the numbers of the simulator's TCP protocol.
pub const TPM_SEND_COMMAND: u32 = 8;
/// What a query returns in RCX: one bit for each supported platform command.
pub const SUPPORTED_COMMANDS: u64 = 1 << TPM_SEND_COMMAND;
/// What a query returns in RDX: no features are defined.
pub const SUPPORTED_FEATURES: u64 = 0;

evtpm_layout::layout! {
    /// The head of a TPM_SEND_COMMAND request; the TPM command follows.
    #[derive(Copy, Debug)]
    pub struct RequestHeader, 0x9 {
        /// The platform command.
        0x0 command: U32,
        /// The locality, which must be 0: the guest has no other.
        0x4 locality: u8,
        /// The size of the TPM command.
        0x5 size: U32,
    }
}

evtpm_layout::layout! {
    /// The head of a response; the TPM response follows.
    #[derive(Copy, Debug)]
    pub struct ResponseHeader, 0x4 {
        /// The size of the TPM response.
        0x0 size: U32,
    }
}

/// The most bytes that a TPM command in a one-page buffer can have.
pub const MAX_COMMAND: usize = PAGE_SIZE - RequestHeader::SIZE;
/// The most bytes that a TPM response in a one-page buffer can have.
pub const MAX_RESPONSE: usize = PAGE_SIZE - ResponseHeader::SIZE;

/// A parsed TPM_SEND_COMMAND request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendCommand<'a> {
    /// The locality as the guest states it.
    pub locality: u8,
    /// The TPM command.
    pub tpm_command: &'a [u8],
}

impl<'a> SendCommand<'a> {
    /// Parses a request from a copy of its buffer; bytes after the TPM command are not looked at.
    pub fn parse(buffer: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "vTPM request";
        let (header, rest) = buffer.split_at_checked(RequestHeader::SIZE).ok_or(Error::Length {
            what: WHAT,
            expected: RequestHeader::SIZE,
            actual: buffer.len(),
        })?;
        let header = RequestHeader::view(header)?;
        if header.command.get() != TPM_SEND_COMMAND {
            return Err(Error::Value { what: "vTPM request: platform command", actual: header.command.get().into() });
        }

        let length = header.size.get() as usize;
        let tpm_command = rest.get(..length).ok_or(Error::OutOfBounds {
            what: WHAT,
            offset: RequestHeader::SIZE,
            length,
            available: buffer.len(),
        })?;
        Ok(Self { locality: header.locality, tpm_command })
    }

    /// Writes the request to the start of `buffer` and returns its size.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let header = RequestHeader {
            command: U32::new(TPM_SEND_COMMAND),
            locality: self.locality,
            size: length_field("vTPM request", self.tpm_command)?,
        };
        write_parts("vTPM request", header.as_bytes(), self.tpm_command, buffer)
    }
}

/// Writes a response to the start of `buffer` and returns its size.
pub fn write_response(tpm_response: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    let header = ResponseHeader { size: length_field("vTPM response", tpm_response)? };
    write_parts("vTPM response", header.as_bytes(), tpm_response, buffer)
}

/// Returns the TPM response in a buffer that the SVSM has answered.
pub fn parse_response(buffer: &[u8]) -> Result<&[u8], Error> {
    const WHAT: &str = "vTPM response";
    let (header, rest) = buffer.split_at_checked(ResponseHeader::SIZE).ok_or(Error::Length {
        what: WHAT,
        expected: ResponseHeader::SIZE,
        actual: buffer.len(),
    })?;
    let length = ResponseHeader::view(header)?.size.get() as usize;
    rest.get(..length).ok_or(Error::OutOfBounds {
        what: WHAT,
        offset: ResponseHeader::SIZE,
        length,
        available: buffer.len(),
    })
}

fn length_field(what: &'static str, data: &[u8]) -> Result<U32, Error> {
    u32::try_from(data.len()).map(U32::new).map_err(|_| Error::Value { what, actual: data.len() as u64 })
}

fn write_parts(what: &'static str, header: &[u8], data: &[u8], buffer: &mut [u8]) -> Result<usize, Error> {
    let needed = header.len().saturating_add(data.len());
    let available = buffer.len();
    let too_small = Error::BufferTooSmall { what, needed, available };
    let out = buffer.get_mut(..needed).ok_or(too_small)?;
    let (head, body) = out.split_at_mut_checked(header.len()).ok_or(too_small)?;
    head.copy_from_slice(header);
    body.copy_from_slice(data);
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_command_locality_size_and_tpm_command() {
        let mut buffer = [0xaa; 16];
        let request = SendCommand { locality: 3, tpm_command: &[0x80, 1] };
        assert_eq!(request.write(&mut buffer), Ok(11));
        assert_eq!(buffer, [8, 0, 0, 0, 3, 2, 0, 0, 0, 0x80, 1, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
        assert_eq!(SendCommand::parse(&buffer), Ok(request));
    }

    #[test]
    fn only_send_command_is_supported() {
        assert_eq!(SUPPORTED_COMMANDS, 0x100);
        assert_eq!(
            SendCommand::parse(&[1, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(Error::Value { what: "vTPM request: platform command", actual: 1 })
        );
    }

    #[test]
    fn a_size_beyond_the_buffer_is_refused() {
        let mut buffer = [0; PAGE_SIZE];
        buffer[0] = 8;
        buffer[5..9].copy_from_slice(&(MAX_COMMAND as u32).to_le_bytes());
        assert_eq!(SendCommand::parse(&buffer).unwrap().tpm_command.len(), 4087);
        for size in [MAX_COMMAND as u32 + 1, u32::MAX] {
            buffer[5..9].copy_from_slice(&size.to_le_bytes());
            assert!(matches!(SendCommand::parse(&buffer), Err(Error::OutOfBounds { .. })), "{size}");
        }
        assert!(matches!(SendCommand::parse(&buffer[..8]), Err(Error::Length { .. })));
    }

    #[test]
    fn a_response_replaces_the_request() {
        let mut buffer = [0xaa; 8];
        assert_eq!(write_response(&[1, 2], &mut buffer), Ok(6));
        assert_eq!(buffer, [2, 0, 0, 0, 1, 2, 0xaa, 0xaa]);
        assert_eq!(parse_response(&buffer), Ok(&[1, 2][..]));
        assert!(matches!(write_response(&[0; 5], &mut buffer), Err(Error::BufferTooSmall { needed: 9, .. })));
        assert!(matches!(parse_response(&[5, 0, 0, 0, 1]), Err(Error::OutOfBounds { .. })));
    }

    proptest! {
        #[test]
        fn random_requests_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (SendCommand::parse(&bytes), parse_response(&bytes));
        }
    }
}
