// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TCP protocol of the TCG and Microsoft simulators: a command port and a platform port.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::swtpm::spawn;
use crate::endpoint::{Listener, Stream};
use crate::machine::{MAX_MESSAGE, Shared};

/// Codes of the command port.
mod command {
    pub(super) const HASH_START: u32 = 5;
    pub(super) const HASH_DATA: u32 = 6;
    pub(super) const HASH_END: u32 = 7;
    pub(super) const SEND_COMMAND: u32 = 8;
    pub(super) const REMOTE_HANDSHAKE: u32 = 15;
    pub(super) const SET_ALTERNATIVE_RESULT: u32 = 16;
    pub(super) const SESSION_END: u32 = 20;
    pub(super) const STOP: u32 = 21;
}

/// Codes of the platform port.
mod platform {
    pub(super) const POWER_ON: u32 = 1;
    pub(super) const POWER_OFF: u32 = 2;
    pub(super) const PHYSICAL_PRESENCE_ON: u32 = 3;
    pub(super) const PHYSICAL_PRESENCE_OFF: u32 = 4;
    pub(super) const CANCEL_ON: u32 = 9;
    pub(super) const CANCEL_OFF: u32 = 10;
    pub(super) const NV_ON: u32 = 11;
    pub(super) const NV_OFF: u32 = 12;
    pub(super) const KEY_CACHE_ON: u32 = 13;
    pub(super) const KEY_CACHE_OFF: u32 = 14;
    pub(super) const RESET: u32 = 17;
    pub(super) const RESTART: u32 = 18;
    pub(super) const SESSION_END: u32 = 20;
    pub(super) const STOP: u32 = 21;
    pub(super) const GET_COMMAND_RESPONSE_SIZES: u32 = 25;
    pub(super) const ACT_GET_SIGNALED: u32 = 26;
}

/// Endpoint flags of the handshake: the platform port exists, raw mode is not used, physical presence is supported.
const ENDPOINT_FLAGS: u32 = 1 | 4 | 8;

/// The largest sizes seen since they were last asked for.
#[derive(Debug, Default)]
struct Sizes {
    largest_command: u32,
    command_code: [u8; 4],
    largest_response: u32,
    response_code: [u8; 4],
}

impl Sizes {
    fn note(&mut self, request: &[u8], response: &[u8]) {
        let code = request.get(6..10).and_then(|code| code.try_into().ok()).unwrap_or_default();
        let (asked, answered) = (length(request), length(response));
        if asked > self.largest_command {
            (self.largest_command, self.command_code) = (asked, code);
        }
        if answered > self.largest_response {
            (self.largest_response, self.response_code) = (answered, code);
        }
    }

    /// The two sizes in host order, the two codes as the packet's own bytes, as the reference simulator sends them.
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let fields = [
            self.largest_command.to_ne_bytes(),
            self.command_code,
            self.largest_response.to_ne_bytes(),
            self.response_code,
        ];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field);
        }
        bytes
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// What a connection asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    NextRequest,
    Close,
    Stop,
}

/// Serves one TPM on both ports until a client sends STOP.
///
/// # Errors
/// When a listener fails.
pub fn serve(machine: &Shared, commands: Listener, platform: Listener) -> Result<()> {
    let sizes = Arc::new(Mutex::new(Sizes::default()));
    let (ended, end) = std::sync::mpsc::channel();
    for (name, listener, is_platform) in [("mssim-command", commands, false), ("mssim-platform", platform, true)] {
        let (machine, sizes, ended) = (machine.clone(), sizes.clone(), ended.clone());
        spawn(name, move || {
            drop(ended.send(listen(&machine, &sizes, &listener, is_platform)));
        })?;
    }
    end.recv()?
}

/// Serves the clients of one port. "One connection at a time": the next client waits, as with the simulator.
fn listen(machine: &Shared, sizes: &Mutex<Sizes>, listener: &Listener, is_platform: bool) -> Result<()> {
    loop {
        let mut stream = listener.accept()?;
        // A client that breaks off has hurt only itself.
        let after = converse(machine, sizes, &mut stream, is_platform).unwrap_or(After::Close);
        if after == After::Stop {
            return Ok(());
        }
    }
}

fn converse(machine: &Shared, sizes: &Mutex<Sizes>, stream: &mut Stream, is_platform: bool) -> io::Result<After> {
    loop {
        let code = match read_u32(stream) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(After::Close),
            code => code?,
        };
        let (answer, after) = if is_platform {
            platform_request(machine, sizes, stream, code)?
        } else {
            command_request(machine, sizes, stream, code)?
        };
        stream.write_all(&answer)?;
        if after != After::NextRequest {
            return Ok(after);
        }
    }
}

const ACK: [u8; 4] = [0; 4];

/// The answer of the platform port to a code that is unknown: 1, and the connection ends.
const REFUSED: [u8; 4] = [0, 0, 0, 1];

fn command_request(
    machine: &Shared,
    sizes: &Mutex<Sizes>,
    stream: &mut impl Read,
    code: u32,
) -> io::Result<(Vec<u8>, After)> {
    let mut answer = Vec::new();
    match code {
        command::SEND_COMMAND => {
            let mut locality = [0];
            stream.read_exact(&mut locality)?;
            let request = read_command(stream)?;
            let mut machine = machine.lock();
            // "If power is off, SEND_COMMAND returns rlen = 0 then ack."
            let response = if machine.is_powered() { machine.execute(locality[0], &request) } else { Vec::new() };
            sizes.lock().unwrap_or_else(PoisonError::into_inner).note(&request, &response);
            answer.extend(length(&response).to_be_bytes());
            answer.extend(response);
        }
        // A sequence that the TPM refuses is the TPM's business: the protocol has no error to answer with.
        command::HASH_START => drop(machine.lock().hash_start()),
        command::HASH_DATA => {
            let mut left = read_length(stream)?;
            let mut piece = [0; MAX_MESSAGE as usize];
            while left > 0 {
                let piece = &mut piece[..left.min(MAX_MESSAGE) as usize];
                stream.read_exact(piece)?;
                drop(machine.lock().hash_data(piece));
                left -= length(piece);
            }
        }
        command::HASH_END => drop(machine.lock().hash_end()),
        command::REMOTE_HANDSHAKE => {
            if read_u32(stream)? == 0 {
                return Ok((Vec::new(), After::Close));
            }
            answer.extend(1u32.to_be_bytes());
            answer.extend(ENDPOINT_FLAGS.to_be_bytes());
        }
        command::SET_ALTERNATIVE_RESULT => drop(read_u32(stream)?),
        command::SESSION_END => return Ok((answer, After::Close)),
        command::STOP => return Ok((answer, After::Stop)),
        // The reference says so to its own user alone.
        _ => return Ok((answer, After::Close)),
    }
    answer.extend(ACK);
    Ok((answer, After::NextRequest))
}

fn platform_request(
    machine: &Shared,
    sizes: &Mutex<Sizes>,
    stream: &mut impl Read,
    code: u32,
) -> io::Result<(Vec<u8>, After)> {
    let mut answer = Vec::new();
    match code {
        platform::POWER_ON => {
            let mut machine = machine.lock();
            // Every tpm2-tools process sends POWER_ON: it must not reset a TPM that is on.
            if !machine.is_powered() && machine.power_on().is_err() {
                return Ok((REFUSED.to_vec(), After::Close));
            }
        }
        platform::POWER_OFF => machine.lock().power_off(false),
        platform::RESET => {
            let mut machine = machine.lock();
            if machine.is_powered() && machine.power_on().is_err() {
                return Ok((REFUSED.to_vec(), After::Close));
            }
        }
        platform::PHYSICAL_PRESENCE_ON => machine.lock().device().set_physical_presence(true),
        platform::PHYSICAL_PRESENCE_OFF => machine.lock().device().set_physical_presence(false),
        platform::CANCEL_ON => machine.hold_cancel(true),
        platform::CANCEL_OFF => machine.hold_cancel(false),
        // NV is memory that is always there, there is no key cache, and the clock never stops: these are acknowledged and
        // change nothing.
        platform::NV_ON | platform::NV_OFF | platform::KEY_CACHE_ON | platform::KEY_CACHE_OFF | platform::RESTART => {}
        platform::GET_COMMAND_RESPONSE_SIZES => {
            let sizes = std::mem::take(&mut *sizes.lock().unwrap_or_else(PoisonError::into_inner));
            answer.extend(16u32.to_be_bytes());
            answer.extend(sizes.bytes());
        }
        platform::ACT_GET_SIGNALED => {
            let handle = read_u32(stream)?;
            answer.extend(u32::from(machine.lock().device().countdown_signaled(handle)).to_be_bytes());
        }
        platform::SESSION_END => return Ok((answer, After::Close)),
        platform::STOP => return Ok((answer, After::Stop)),
        _ => return Ok((REFUSED.to_vec(), After::Close)),
    }
    answer.extend(ACK);
    Ok((answer, After::NextRequest))
}

fn read_u32(stream: &mut impl Read) -> io::Result<u32> {
    let mut word = [0; 4];
    stream.read_exact(&mut word)?;
    Ok(u32::from_be_bytes(word))
}

/// The most bytes that one packet brings; a client that announces more is not understood.
const MAX_PACKET: u32 = 1024 * 1024;

fn read_length(stream: &mut impl Read) -> io::Result<u32> {
    let length = read_u32(stream)?;
    if length > MAX_PACKET {
        return Err(io::Error::other(format!("a packet of {length} bytes is longer than any")));
    }
    Ok(length)
}

/// Reads a command. Of one that is too long for any TPM the beginning is kept, for the TPM to refuse by its size.
fn read_command(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_length(stream)?;
    let kept = length.min(MAX_MESSAGE + 1);
    let mut bytes = vec![0; kept as usize];
    stream.read_exact(&mut bytes)?;
    io::copy(&mut stream.take(u64::from(length - kept)), &mut io::sink())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::testing::{RecordingDevice, SIGNALED, STARTUP, engine_machine, measured, pcr};

    fn command(machine: &Shared, request: &[u8]) -> (Vec<u8>, After) {
        let (mut code, sizes) = (request, Mutex::default());
        let number = read_u32(&mut code).unwrap();
        command_request(machine, &sizes, &mut code, number).unwrap()
    }

    fn platform(machine: &Shared, code: u32) -> (Vec<u8>, After) {
        platform_request(machine, &Mutex::default(), &mut &[][..], code).unwrap()
    }

    #[test]
    fn a_command_to_a_tpm_without_power_gets_an_empty_answer() {
        let machine = Shared::new(Machine::new(Box::new(RecordingDevice::default())));
        let (answer, _) = command(&machine, &[0, 0, 0, 8, 0, 0, 0, 0, 2, 1, 2]);
        assert_eq!(answer, [0; 8]);
    }

    #[test]
    fn power_on_twice_does_not_reset() {
        let device = RecordingDevice::default();
        let power_ons = device.power_ons.clone();
        let machine = Shared::new(Machine::new(Box::new(device)));
        platform(&machine, platform::POWER_ON);
        assert_eq!(platform(&machine, platform::POWER_ON), (ACK.to_vec(), After::NextRequest));
        assert_eq!(*power_ons.lock().unwrap(), 1);
        platform(&machine, platform::RESET);
        assert_eq!(*power_ons.lock().unwrap(), 2);
    }

    #[test]
    fn a_command_is_answered_with_its_length_and_an_ack() {
        let machine = Shared::new(Machine::new(Box::new(RecordingDevice::default())));
        platform(&machine, platform::POWER_ON);
        let (answer, after) = command(&machine, &[0, 0, 0, 8, 3, 0, 0, 0, 2, 1, 2]);
        assert_eq!(answer, [0, 0, 0, 10, 0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(after, After::NextRequest);
    }

    #[test]
    fn the_signal_of_a_countdown_timer_is_a_word() {
        let machine = Shared::new(Machine::new(Box::new(RecordingDevice::default())));
        for (handle, signaled) in [(SIGNALED, 1), (SIGNALED + 1, 0)] {
            let bytes = handle.to_be_bytes();
            let mut stream = &bytes[..];
            let request = platform_request(&machine, &Mutex::default(), &mut stream, platform::ACT_GET_SIGNALED);
            assert_eq!(request.unwrap().0, [0, 0, 0, signaled, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn an_h_crtm_over_the_command_port_is_measured_into_pcr_0_and_a_later_one_into_pcr_17() {
        let machine = Shared::new(engine_machine());
        platform(&machine, platform::POWER_ON);
        let measure = || {
            for request in [&[0, 0, 0, 5][..], &[0, 0, 0, 6, 0, 0, 0, 2, b'h', b'i'], &[0, 0, 0, 7]] {
                assert_eq!(command(&machine, request), (ACK.to_vec(), After::NextRequest));
            }
        };
        measure();
        // "TPM2_Startup() shall only be accepted at locality 0 or 3": SEND_COMMAND carries the locality
        for (locality, refused) in [(4, true), (3, false)] {
            let request = [&[0, 0, 0, 8, locality, 0, 0, 0, 12][..], &STARTUP].concat();
            let (answer, _) = command(&machine, &request);
            assert_eq!(answer[10..14] != [0; 4], refused, "{locality}");
        }
        assert_eq!(pcr(&mut machine.lock(), 0), measured(4, b"hi"));
        measure();
        assert_eq!(pcr(&mut machine.lock(), 17), measured(0, b"hi"));
    }

    #[test]
    fn an_unknown_code_closes_and_the_platform_port_says_one() {
        let machine = Shared::new(Machine::new(Box::new(RecordingDevice::default())));
        assert_eq!(platform(&machine, 99), (REFUSED.to_vec(), After::Close));
        assert_eq!(command(&machine, &[0, 0, 0, 99]), (vec![], After::Close));
        assert_eq!(command(&machine, &[0, 0, 0, 15, 0, 0, 0, 0]), (vec![], After::Close), "no version of a handshake");
    }

    #[test]
    fn a_length_field_cannot_make_us_allocate() {
        assert!(read_command(&mut &[0xff, 0xff, 0xff, 0xff][..]).is_err());
    }

    #[test]
    fn a_command_that_is_too_long_is_answered_and_read_to_its_end() {
        let machine = Shared::new(engine_machine());
        platform(&machine, platform::POWER_ON);
        for size in [8_193_u32, 100_000] {
            // The size in the header is the right one.
            let header = [&[0x80, 1][..], &size.to_be_bytes(), &[0, 0, 1, 0x43]].concat();
            let packet = [&[0, 0, 0, 8, 0][..], &size.to_be_bytes(), &header, &vec![0; size as usize - 10]].concat();
            let (mut rest, sizes) = (&packet[4..], Mutex::default());
            let answer = command_request(&machine, &sizes, &mut rest, command::SEND_COMMAND).unwrap();
            let refused = [0, 0, 0, 10, 0x80, 1, 0, 0, 0, 10, 0, 0, 0x01, 0x42, 0, 0, 0, 0];
            assert_eq!(answer, (refused.to_vec(), After::NextRequest), "{size}");
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_hashed_may_be_longer_than_a_command() {
        let machine = Shared::new(engine_machine());
        platform(&machine, platform::POWER_ON);
        let data = vec![7; 100_000];
        let packet = [&[0, 0, 0, 6][..], &100_000_u32.to_be_bytes(), &data].concat();
        for request in [&[0, 0, 0, 5][..], &packet, &[0, 0, 0, 7]] {
            assert_eq!(command(&machine, request), (ACK.to_vec(), After::NextRequest));
        }
        assert_eq!(machine.lock().execute(0, &STARTUP)[6..], [0; 4]);
        assert_eq!(pcr(&mut machine.lock(), 0), measured(4, &data));
    }

    #[test]
    fn the_line_that_cancels_needs_power_and_is_released_by_it() {
        let machine = Shared::new(Machine::new(Box::new(RecordingDevice::default())));
        let is_held = |codes: &[u32]| {
            codes.iter().for_each(|code| drop(platform(&machine, *code)));
            machine.cancellation().is_wished()
        };
        assert!(!is_held(&[platform::CANCEL_ON]), "without power");
        assert!(is_held(&[platform::POWER_ON, platform::CANCEL_ON]));
        assert!(is_held(&[platform::POWER_ON]), "the power was on");
        assert!(!is_held(&[platform::CANCEL_OFF]));
        assert!(!is_held(&[platform::CANCEL_ON, platform::RESET]));
        assert!(!is_held(&[platform::CANCEL_ON, platform::POWER_OFF, platform::POWER_ON]));
    }

    #[test]
    fn the_largest_packets_are_remembered_until_read() {
        let mut sizes = Sizes::default();
        sizes.note(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x44], &[0; 12]);
        sizes.note(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x7a, 0], &[0; 10]);
        let mut expected = Vec::new();
        expected.extend(11u32.to_ne_bytes());
        expected.extend([0, 0, 1, 0x7a]);
        expected.extend(12u32.to_ne_bytes());
        expected.extend([0, 0, 1, 0x44]);
        assert_eq!(sizes.bytes().to_vec(), expected);
    }
}
