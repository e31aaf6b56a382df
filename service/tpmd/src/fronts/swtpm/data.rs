// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data channel: raw TPM packets, or each behind the simulator's `{8, locality, size}` prefix.

use std::io::{self, BufReader, Read, Write};

use anyhow::Result;

use super::End;
use crate::endpoint::{Listener, Stream};
use crate::machine::{BUFFER_SIZES, COMMAND_SIZE, Shared};

/// `MSSIM_SEND_COMMAND`, the first word of a prefixed packet. A TPM command cannot begin with it: its tag is 0x8001 or 0x8002.
const PREFIX: [u8; 4] = [0, 0, 0, 8];

/// Bytes that one read takes: the longest packet.
const READ_AHEAD: usize = *BUFFER_SIZES.end() as usize + 9;

#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) end_with_client: bool,
    pub(super) disconnect: bool,
}

/// Serves data clients one after the other.
pub(super) fn listen(machine: &Shared, listener: &Listener, options: Options) -> Result<()> {
    loop {
        let stream = listener.accept()?;
        // A client that breaks off in the middle of a packet has hurt only itself.
        drop(converse(machine, stream, options));
        if options.end_with_client {
            return Ok(());
        }
    }
}

/// Answers commands until the client goes.
pub(super) fn converse(machine: &Shared, stream: Stream, options: Options) -> io::Result<End> {
    // A command comes in one piece and is read in one: each further call of the kernel would cost as much as a PCR_Read.
    let mut reader = BufReader::with_capacity(READ_AHEAD, stream);
    while let Some(packet) = read_packet(&mut reader)? {
        let answer = match &packet {
            Packet::Raw(command) => machine.lock().execute_at_set_locality(command),
            Packet::Prefixed { locality, command } => {
                let response = machine.lock().execute(*locality, command);
                let length = u32::try_from(response.len()).unwrap_or(u32::MAX);
                [&length.to_be_bytes()[..], &response, &[0; 4]].concat()
            }
            Packet::TooLong => COMMAND_SIZE.to_vec(),
        };
        let stream = reader.get_mut();
        // One write: QEMU reads the probe's answer with a single read.
        stream.write_all(&answer)?;
        if options.disconnect || matches!(packet, Packet::TooLong) {
            stream.shutdown();
            break;
        }
    }
    Ok(End::ClientGone)
}

#[derive(Debug, PartialEq, Eq)]
enum Packet {
    Raw(Vec<u8>),
    Prefixed {
        locality: u8,
        command: Vec<u8>,
    },
    /// The header announces more than any TPM takes: nothing after it can be trusted to be a packet.
    TooLong,
}

/// Reads one packet; `None` when the client closed between two packets.
fn read_packet(stream: &mut impl Read) -> io::Result<Option<Packet>> {
    let mut first = [0; 4];
    if !read_start(stream, &mut first)? {
        return Ok(None);
    }
    if first == PREFIX {
        let mut header = [0; 5];
        stream.read_exact(&mut header)?;
        let [locality, size @ ..] = header;
        let size = u32::from_be_bytes(size);
        if size > *BUFFER_SIZES.end() {
            return Ok(Some(Packet::TooLong));
        }
        let mut command = vec![0; size as usize];
        stream.read_exact(&mut command)?;
        return Ok(Some(Packet::Prefixed { locality, command }));
    }

    let mut rest = [0; 6];
    stream.read_exact(&mut rest)?;
    let mut command = [&first[..], &rest].concat();
    let size = u32::from_be_bytes([first[2], first[3], rest[0], rest[1]]);
    if size > *BUFFER_SIZES.end() {
        return Ok(Some(Packet::TooLong));
    }
    // A size below that of the header is the TPM's to refuse (TPM_RC_COMMAND_SIZE).
    let body = (size as usize).saturating_sub(command.len());
    let start = command.len();
    command.resize(start + body, 0);
    stream.read_exact(&mut command[start..])?;
    Ok(Some(Packet::Raw(command)))
}

/// Fills `buffer`; false when the stream ended before its first byte.
fn read_start(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_packet_is_as_long_as_its_header_says() {
        let mut bytes: &[u8] = &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0, 0xff];
        let packet = read_packet(&mut bytes).unwrap().unwrap();
        assert_eq!(packet, Packet::Raw(vec![0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]));
        assert_eq!(bytes, [0xff]);
    }

    #[test]
    fn a_prefixed_packet_carries_its_locality() {
        let mut bytes: &[u8] = &[0, 0, 0, 8, 3, 0, 0, 0, 2, 0xaa, 0xbb];
        let packet = read_packet(&mut bytes).unwrap().unwrap();
        assert_eq!(packet, Packet::Prefixed { locality: 3, command: vec![0xaa, 0xbb] });
    }

    #[test]
    fn a_length_field_cannot_make_us_allocate() {
        let mut bytes: &[u8] = &[0x80, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0x44];
        assert_eq!(read_packet(&mut bytes).unwrap(), Some(Packet::TooLong));
        let mut bytes: &[u8] = &[0, 0, 0, 8, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(read_packet(&mut bytes).unwrap(), Some(Packet::TooLong));
    }

    #[test]
    fn a_size_below_the_header_is_left_to_the_tpm() {
        let mut bytes: &[u8] = &[0x80, 1, 0, 0, 0, 3, 0, 0, 1, 0x44];
        let packet = read_packet(&mut bytes).unwrap().unwrap();
        assert_eq!(packet, Packet::Raw(vec![0x80, 1, 0, 0, 0, 3, 0, 0, 1, 0x44]));
    }

    #[test]
    fn a_closed_stream_is_an_end_and_a_broken_packet_an_error() {
        assert_eq!(read_packet(&mut &b""[..]).unwrap(), None);
        assert!(read_packet(&mut &[0x80, 1][..]).is_err());
    }
}
