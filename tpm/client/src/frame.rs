// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The layout of commands and responses on the wire (Part 1, "Command/Response Structure").
use alloc::vec;
use alloc::vec::Vec;

use evtpm_tpm_wire::{
    Cc, CommandHeader, CommandTag, Marshal, Overflow, Rc, Reader, ResponseHeader, TpmsAuthResponse, Writer,
};

/// The greatest command or response that the client handles.
pub(crate) const MAX_MESSAGE: usize = 8192;

/// Returns the wire form of `value`.
pub(crate) fn bytes_of(value: &impl Marshal) -> Result<Vec<u8>, Overflow> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let size = value.to_bytes(&mut bytes)?.len();
    bytes.truncate(size);
    Ok(bytes)
}

/// Puts a command together; `authorizations` is empty for a command without sessions.
pub(crate) fn command(code: Cc, handles: &[u8], authorizations: &[u8], parameters: &[u8]) -> Result<Vec<u8>, Overflow> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut writer = Writer::new(&mut bytes);
    let tag = if authorizations.is_empty() { CommandTag::NoSessions } else { CommandTag::Sessions };
    writer.write(&CommandHeader { tag, command_size: 0, command_code: code })?;
    writer.bytes(handles)?;
    if !authorizations.is_empty() {
        writer.write(&u32::try_from(authorizations.len()).map_err(|_| Overflow)?)?;
        writer.bytes(authorizations)?;
    }
    writer.bytes(parameters)?;
    let size = writer.written();
    writer.patch(SIZE_POSITION, &u32::try_from(size).map_err(|_| Overflow)?.to_be_bytes())?;
    bytes.truncate(size);
    Ok(bytes)
}

/// Where the size stands in a header, after the tag.
const SIZE_POSITION: usize = 2;

/// The parts of a successful response.
#[derive(Debug)]
pub(crate) struct ResponseParts<'a> {
    pub(crate) handle: &'a [u8],
    pub(crate) parameters: &'a [u8],
    pub(crate) authorizations: Vec<TpmsAuthResponse>,
}

/// Returns the response code, and the body behind the header.
pub(crate) fn header(response: &[u8]) -> Result<(ResponseHeader, &[u8]), Rc> {
    let mut reader = Reader::permissive(response);
    let header: ResponseHeader = reader.read()?;
    if usize::try_from(header.response_size) != Ok(response.len()) {
        return Err(Rc::COMMAND_SIZE);
    }
    Ok((header, reader.remaining()))
}

/// Takes the body of a successful response apart.
pub(crate) fn response(tag: u16, body: &[u8], returns_handle: bool, sessions: usize) -> Result<ResponseParts<'_>, Rc> {
    let expected = if sessions == 0 { CommandTag::NoSessions } else { CommandTag::Sessions };
    if tag != expected.number() {
        return Err(Rc::TAG);
    }
    let mut reader = Reader::permissive(body);
    let handle = reader.take(if returns_handle { 4 } else { 0 })?;
    if sessions == 0 {
        return Ok(ResponseParts { handle, parameters: reader.remaining(), authorizations: Vec::new() });
    }
    let size = usize::try_from(reader.read::<u32>()?).map_err(|_| Rc::SIZE)?;
    let parameters = reader.take(size)?;
    let authorizations = (0..sessions).map(|_| reader.read()).collect::<Result<Vec<_>, Rc>>()?;
    reader.finish()?;
    Ok(ResponseParts { handle, parameters, authorizations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_counts_itself_and_its_authorizations() {
        let plain = command(Cc::GET_RANDOM, &[], &[], &[0, 8]).unwrap();
        assert_eq!(plain, [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 8]);
        let authorized = command(Cc::CLEAR, &[1; 4], &[2; 9], &[]).unwrap();
        assert_eq!(authorized.len(), 27);
        assert_eq!(authorized[..18], [0x80, 2, 0, 0, 0, 27, 0, 0, 1, 0x26, 1, 1, 1, 1, 0, 0, 0, 9]);
    }

    #[test]
    fn a_response_whose_size_lies_is_refused() {
        assert_eq!(header(&[0x80, 1, 0, 0, 0, 11, 0, 0, 0, 0]).unwrap_err(), Rc::COMMAND_SIZE);
        assert_eq!(header(&[0x80, 1, 0, 0, 0, 10, 0, 0]).unwrap_err(), Rc::INSUFFICIENT);
    }

    #[test]
    fn a_response_without_the_sessions_of_its_command_is_refused() {
        assert_eq!(response(CommandTag::NoSessions.number(), &[], false, 1).unwrap_err(), Rc::TAG);
        assert_eq!(response(CommandTag::Sessions.number(), &[0, 0, 0, 0], false, 1).unwrap_err(), Rc::INSUFFICIENT);
        let extra = [0, 0, 0, 0, 0, 0, 1, 0, 0, 9];
        assert_eq!(response(CommandTag::Sessions.number(), &extra, false, 1).unwrap_err(), Rc::SIZE);
    }
}
