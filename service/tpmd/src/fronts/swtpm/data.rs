// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data channel: raw TPM packets, or each behind the simulator's `{8, locality, size}` prefix.

use std::io::{self, Read, Write};
use std::time::Duration;

use anyhow::Result;

use super::End;
use crate::endpoint::{Listener, Stream};
use crate::machine::{BUFFER_SIZES, Shared};

/// `MSSIM_SEND_COMMAND`, the first word of a prefixed packet. A TPM command cannot begin with it: its tag is 0x8001 or 0x8002.
const PREFIX: [u8; 4] = [0, 0, 0, 8];

/// Bytes of the prefix: the word, the locality, the size of the command.
const PREFIX_SIZE: usize = 9;

/// Bytes of a command's header: tag, size, code.
const HEADER_SIZE: usize = 10;

/// Bytes that are kept of a packet, and that one read takes: the longest packet there is.
const ROOM: usize = *BUFFER_SIZES.end() as usize + PREFIX_SIZE;

/// How long a client may be silent between the pieces of a command.
const REST_TIMEOUT: Duration = Duration::from_millis(500);

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
pub(super) fn converse(machine: &Shared, mut stream: Stream, options: Options) -> io::Result<End> {
    let mut buffer = [0; ROOM];
    while let Some(packet) = read_packet(&mut stream, &mut buffer)? {
        // One write: QEMU reads the probe's answer with a single read.
        stream.write_all(&answer(machine, &packet))?;
        if options.disconnect {
            stream.shutdown();
            break;
        }
    }
    Ok(End::ClientGone)
}

fn answer(machine: &Shared, packet: &Packet<'_>) -> Vec<u8> {
    let mut machine = machine.lock();
    let Some(locality) = packet.locality else { return machine.execute_at_set_locality(packet.command) };
    // As with swtpm, it stays for commands without a prefix.
    machine.set_locality(locality);
    let response = machine.execute_at_set_locality(packet.command);
    let length = u32::try_from(response.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &response, &[0; 4]].concat()
}

/// A command as it came, whatever its header says of its size: a TPM answers `TPM_RC_COMMAND_SIZE` where the two differ.
#[derive(Debug, PartialEq, Eq)]
struct Packet<'b> {
    /// Of a packet with a prefix.
    locality: Option<u8>,
    command: &'b [u8],
}

/// Reads one packet; `None` when the client closed between two packets.
///
/// To swtpm a command is what one read gives. Here it may also come in pieces; but what came together with its end belongs to it,
/// and so does what is missing after a while. Of a packet that is longer than any may be the rest is read and forgotten.
fn read_packet<'b>(stream: &mut Stream, buffer: &'b mut [u8; ROOM]) -> io::Result<Option<Packet<'b>>> {
    let (mut came, mut has_deadline) = (0, false);
    loop {
        let announced = announced(&buffer[..came.min(ROOM)]);
        if announced.is_some_and(|size| came >= size) {
            break;
        }
        if announced.is_some() && !has_deadline {
            stream.set_read_timeout(Some(REST_TIMEOUT))?;
            has_deadline = true;
        }
        // What does not fit goes over what follows the header: of a packet that is too long no more is looked at.
        let place = if came < ROOM { came } else { PREFIX_SIZE + HEADER_SIZE };
        match stream.read(&mut buffer[place..]) {
            Ok(0) if came == 0 => return Ok(None),
            Ok(0) if announced.is_none() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(count) => came += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if has_deadline && error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    if has_deadline {
        stream.set_read_timeout(None)?;
    }
    let bytes = &buffer[..came.min(ROOM)];
    let prefixed = bytes.strip_prefix(&PREFIX).and_then(|rest| rest.split_first_chunk());
    Ok(Some(match prefixed {
        Some(([locality, _, _, _, _], command)) => Packet { locality: Some(*locality), command },
        None => Packet { locality: None, command: bytes },
    }))
}

/// Says how long a packet is going to be, as soon as that can be known.
fn announced(bytes: &[u8]) -> Option<usize> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let start = if bytes.get(..4)? == PREFIX { PREFIX_SIZE } else { 0 };
    if start > 0 {
        // swtpm does not look at this size; here it tells of a command that is too short for one of its own.
        let size = word(PREFIX_SIZE - 4)? as usize;
        if size < HEADER_SIZE {
            return Some(start + size);
        }
    }
    bytes.get(..start + HEADER_SIZE)?;
    // A size below that of the header is the TPM's to refuse.
    Some(start + (word(start + 2)? as usize).max(HEADER_SIZE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;
    use crate::machine::Machine;
    use crate::testing::{RecordingDevice, STARTUP, engine_machine};

    const COMMAND_SIZE: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 0x01, 0x42];
    const DONE: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0];

    /// A client of a machine.
    fn client(machine: Machine) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let options = Options { end_with_client: false, disconnect: false };
        thread::spawn(move || converse(&Shared::new(machine), Stream::Unix(theirs), options));
        ours
    }

    fn started() -> UnixStream {
        let mut machine = engine_machine();
        machine.power_on().unwrap();
        let mut client = client(machine);
        assert_eq!(ask(&mut client, &[&STARTUP]), DONE);
        client
    }

    /// Sends pieces one after the other and reads an answer of a header.
    fn ask(client: &mut UnixStream, pieces: &[&[u8]]) -> [u8; 10] {
        for piece in pieces {
            thread::sleep(Duration::from_millis(20));
            client.write_all(piece).unwrap();
        }
        let mut answer = [0; 10];
        client.read_exact(&mut answer).unwrap();
        answer
    }

    /// `TPM2_SelfTest(YES)`.
    const SELF_TEST: [u8; 11] = [0x80, 1, 0, 0, 0, 11, 0, 0, 0x01, 0x43, 1];

    #[test]
    fn a_command_may_come_in_pieces() {
        let mut client = started();
        assert_eq!(ask(&mut client, &[&SELF_TEST[..10], &SELF_TEST[10..]]), DONE);
        assert_eq!(ask(&mut client, &[&SELF_TEST[..3], &SELF_TEST[3..7], &SELF_TEST[7..]]), DONE);
    }

    #[test]
    fn a_size_that_is_not_that_of_what_came_is_answered_and_the_connection_goes_on() {
        let mut client = started();
        let with_size = |size: u32| {
            let mut command = SELF_TEST;
            command[2..6].copy_from_slice(&size.to_be_bytes());
            command
        };
        for size in [3, 10, 12, 4_096, 4_097, u32::MAX] {
            assert_eq!(ask(&mut client, &[&with_size(size)]), COMMAND_SIZE, "{size}");
            assert_eq!(ask(&mut client, &[&SELF_TEST]), DONE);
        }
        // All of the bytes that it announces, and more than a TPM takes.
        for size in [4_097, 5_000, 70_000] {
            let whole = [&with_size(size)[..], &vec![0; size as usize - 11]].concat();
            assert_eq!(ask(&mut client, &[&whole]), COMMAND_SIZE, "{size}");
            assert_eq!(ask(&mut client, &[&SELF_TEST]), DONE);
        }
    }

    #[test]
    fn what_has_a_prefix_is_answered_with_one_whatever_its_size() {
        let mut client = started();
        let mut framed = |packet: &[u8], expected: [u8; 10]| {
            client.write_all(packet).unwrap();
            let mut answer = [0; 18];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer[..], [&[0, 0, 0, 10][..], &expected, &[0; 4]].concat());
        };
        let prefix = |size: u8| [0, 0, 0, 8, 0, 0, 0, 0, size];
        framed(&[&prefix(11)[..], &SELF_TEST].concat(), DONE);
        framed(&[&prefix(12)[..], &SELF_TEST, &[0]].concat(), COMMAND_SIZE);
        let too_long = [0x80, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0x43];
        framed(&[&prefix(10)[..], &too_long].concat(), COMMAND_SIZE);
        framed(&[&prefix(11)[..], &SELF_TEST].concat(), DONE);
    }

    #[test]
    fn the_locality_of_a_prefix_stays() {
        let device = RecordingDevice::default();
        let commands = device.commands.clone();
        let mut machine = Machine::new(Box::new(device));
        machine.power_on().unwrap();
        let mut client = client(machine);
        client.write_all(&[0, 0, 0, 8, 3, 0, 0, 0, 2, 0xaa, 0xbb]).unwrap();
        client.read_exact(&mut [0; 18]).unwrap();
        assert_eq!(ask(&mut client, &[&SELF_TEST]), DONE);
        assert_eq!(*commands.lock().unwrap(), [(3, vec![0xaa, 0xbb]), (3, SELF_TEST.to_vec())]);
    }

    #[test]
    fn a_closed_stream_is_an_end_and_a_header_that_breaks_off_an_error() {
        let read = |bytes: &[u8]| {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(bytes).unwrap();
            drop(ours);
            read_packet(&mut Stream::Unix(theirs), &mut [0; ROOM])
                .map(|packet| packet.map(|packet| packet.command.len()))
        };
        assert_eq!(read(b"").unwrap(), None);
        assert!(read(&[0x80, 1]).is_err());
        assert_eq!(read(&[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0]).unwrap(), Some(11));
    }
}
