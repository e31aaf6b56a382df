// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control channel of swtpm (`tpm_ioctl.h` of its manual): power, locality, hashing, the data descriptor.

use std::fmt::Display;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use evtpm_image::{Error, Part};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{End, Ended, data, spawn};
use crate::device::DeviceError;
use crate::endpoint::{Listener, SocketFile, Stream};
use crate::machine::{BUFFER_SIZES, Machine, NotTaken, Shared};
use crate::store::MAX_IMAGE;

/// How long a client may take to send the rest of a request that it began.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);

/// The most bytes that one HASH_DATA brings. swtpm has no limit; the largest files that are measured so are smaller.
const MAX_HASH_DATA: usize = 1024 * 1024;

/// Bytes that one call of the kernel takes.
const CHUNK: usize = 4096;

/// How this front treats its control client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) orderly: bool,
    pub(super) allow_set_locality: bool,
    pub(super) reject_locality_4: bool,
    pub(super) end_with_client: bool,
}

/// A control command (`PTM_*` and `CMD_*` in swtpm's manual).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    GetCapability,
    Init,
    Shutdown,
    GetEstablished,
    SetLocality,
    HashStart,
    HashData,
    HashEnd,
    Cancel,
    StoreVolatile,
    ResetEstablished,
    GetStateBlob,
    SetStateBlob,
    Stop,
    GetConfig,
    SetDataFd,
    SetBufferSize,
    GetInfo,
    LockStorage,
}

impl Command {
    /// Says whether more bytes than it needs are an error. Others come as a whole C structure, or swtpm does not look.
    fn is_exact(self) -> bool {
        matches!(
            self,
            Command::Init
                | Command::Stop
                | Command::Shutdown
                | Command::GetEstablished
                | Command::HashStart
                | Command::HashEnd
                | Command::Cancel
                | Command::StoreVolatile
                | Command::GetConfig
        )
    }
}

/// Each command with its code, the bytes of its body that must be there, and its capability bit (0 where we do not offer it).
const COMMANDS: [(Command, u32, usize, u32); 19] = [
    (Command::GetCapability, 0x01, 0, 0),
    (Command::Init, 0x02, 4, 0x1),
    (Command::Shutdown, 0x03, 0, 0x2),
    (Command::GetEstablished, 0x04, 0, 0x4),
    (Command::SetLocality, 0x05, 1, 0x8),
    (Command::HashStart, 0x06, 0, 0x10),
    (Command::HashData, 0x07, 4, 0x10),
    (Command::HashEnd, 0x08, 0, 0x10),
    (Command::Cancel, 0x09, 0, 0x20),
    // State never leaves an ephemeral TPM: what stores or fetches it is offered where keeping it was asked for.
    (Command::StoreVolatile, 0x0a, 0, 0),
    (Command::ResetEstablished, 0x0b, 1, 0x80),
    (Command::GetStateBlob, 0x0c, 12, 0),
    (Command::SetStateBlob, 0x0d, 12, 0),
    (Command::Stop, 0x0e, 0, 0x400),
    (Command::GetConfig, 0x0f, 0, 0x800),
    (Command::SetDataFd, 0x10, 0, 0x1000),
    (Command::SetBufferSize, 0x11, 4, 0x2000),
    (Command::GetInfo, 0x12, 16, 0x4000),
    (Command::LockStorage, 0x13, 4, 0),
];

/// STORE_VOLATILE, GET_STATEBLOB and SET_STATEBLOB.
const CAP_STATE: u32 = 0x40 | 0x100 | 0x200;

/// Flags of GET_STATEBLOB and SET_STATEBLOB: the blob is wanted decrypted; it is encrypted.
const STATE_DECRYPTED: u32 = 1;
const STATE_ENCRYPTED: u32 = 2;

/// The data channel takes the simulator's command prefix too.
const CAP_SEND_COMMAND_HEADER: u32 = 0x8000;

/// Result codes: those of TPM 1.2, which the protocol uses whatever the TPM's own version, but for a TPM that cannot begin.
mod result {
    /// `TPM_RC_FAILURE`, which libtpms gives where its state is none or cannot be decrypted.
    pub(super) const TPM2_FAILURE: u32 = 0x101;
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const BAD_PARAMETER: u32 = 3;
    pub(super) const FAIL: u32 = 9;
    pub(super) const BAD_ORDINAL: u32 = 0x0a;
    pub(super) const KEY_NOT_FOUND: u32 = 0x0d;
    pub(super) const SIZE: u32 = 0x17;
    pub(super) const IO_ERROR: u32 = 0x1f;
    pub(super) const DECRYPT_ERROR: u32 = 0x21;
    pub(super) const BAD_VERSION: u32 = 0x2e;
    pub(super) const BAD_LOCALITY: u32 = 0x3d;
}

/// What is to happen after the answer was sent.
#[derive(Debug)]
enum Then {
    Continue,
    TakeData(OwnedFd),
    HangUp,
    End,
}

/// The control channel of one TPM.
pub(super) struct Server {
    machine: Shared,
    options: Options,
    data_options: data::Options,
    /// The data connection that a client passed last.
    data: Mutex<Option<Stream>>,
    /// Ends the service when that connection ends, if that was asked for.
    ended: Ended,
    /// All sockets of the service.
    files: Vec<SocketFile>,
}

impl Server {
    pub(super) fn new(
        machine: Shared,
        options: Options,
        data_options: data::Options,
        files: Vec<SocketFile>,
        ended: Ended,
    ) -> Self {
        Server { machine, options, data_options, data: Mutex::default(), ended, files }
    }

    /// Serves clients one after the other until one asks for the end.
    pub(super) fn serve(&self, listener: &Listener) -> Result<()> {
        loop {
            let stream = listener.accept()?;
            // A client that breaks off has hurt only itself.
            let end = self.converse(stream).unwrap_or(End::ClientGone);
            if end == End::Asked || self.options.end_with_client {
                return Ok(());
            }
        }
    }

    /// Serves the only client there will be, whose connection we were born with.
    pub(super) fn serve_one(&self, stream: Stream) {
        drop(self.converse(stream));
    }

    fn converse(&self, mut stream: Stream) -> io::Result<End> {
        while let Some((request, descriptor)) = receive(&stream)? {
            // Whoever executes a command holds the machine: that it be cancelled must be said without it.
            let cancels =
                word(&request).and_then(|(code, _)| find(code)).is_some_and(|found| found.0 == Command::Cancel);
            let (mut answer, then) = if cancels && self.machine.cancel() {
                (words(&[result::SUCCESS]), Then::Continue)
            } else {
                answer(&mut self.machine.lock(), &request, descriptor, self.options)
            };
            let end = match then {
                Then::Continue => None,
                Then::HangUp => Some(End::ClientGone),
                Then::End => {
                    // Before the answer, as the power: whoever has it may start the next program in the same place.
                    self.files.iter().for_each(SocketFile::remove);
                    Some(End::Asked)
                }
                Then::TakeData(descriptor) => {
                    answer = words(&[self.take_data(descriptor.into())?]);
                    None
                }
            };
            stream.write_all(&answer)?;
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(End::ClientGone)
    }

    /// Serves a data connection unless there is one already, and gives the result code.
    fn take_data(&self, stream: Stream) -> io::Result<u32> {
        let mut current = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| !current.is_closed()) {
            return Ok(result::IO_ERROR);
        }
        *current = Some(stream.try_clone()?);
        // What is passed is kept over many commands, whatever holds for connections that come by themselves.
        let options = data::Options { disconnect: false, ..self.data_options };
        let (machine, ended) = (self.machine.clone(), self.ended.clone());
        spawn("swtpm-data", move || {
            drop(data::converse(&machine, stream, options));
            if options.end_with_client {
                drop(ended.send(Ok(())));
            }
        })
        .map_err(io::Error::other)?;
        Ok(result::SUCCESS)
    }
}

/// Receives one request and the descriptor that came with it; `None` when the client closed.
fn receive(stream: &Stream) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut request = Vec::new();
    let mut chunk = [0; CHUNK];
    let mut descriptor = None;
    stream.set_read_timeout(None)?;
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(stream, &mut [IoSliceMut::new(&mut chunk)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                // Surplus descriptors are closed as they are dropped.
                descriptor = descriptors.last().or(descriptor);
            }
        }
        if message.bytes == 0 {
            return if request.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        request.extend_from_slice(chunk.get(..message.bytes).unwrap_or_default());
        if is_complete(&request) {
            return Ok(Some((request, descriptor)));
        }
        stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    }
}

/// Says whether a request needs no more bytes. One of an unknown command is complete, and so is one that announces too
/// much: both are answered with an error.
fn is_complete(request: &[u8]) -> bool {
    let Some((code, body)) = word(request) else {
        return false;
    };
    let Some((command, ..)) = find(code) else {
        return true;
    };
    match command {
        Command::HashData => {
            word(body).is_some_and(|(length, data)| is_too_long(command, length) || data.len() >= length as usize)
        }
        Command::SetStateBlob => state_blob(body)
            .is_some_and(|(_, _, length, data)| is_too_long(command, length) || data.len() >= length as usize),
        _ => find(code).is_some_and(|(_, minimum)| body.len() >= minimum),
    }
}

/// Says whether a request announces more bytes than it may bring.
fn is_too_long(command: Command, length: u32) -> bool {
    length as usize > if command == Command::HashData { MAX_HASH_DATA } else { MAX_IMAGE }
}

/// Reads the flags, the type and the length of SET_STATEBLOB, and what follows.
fn state_blob(body: &[u8]) -> Option<(u32, u32, u32, &[u8])> {
    let (flags, rest) = word(body)?;
    let (kind, rest) = word(rest)?;
    let (length, data) = word(rest)?;
    Some((flags, kind, length, data))
}

fn find(code: u32) -> Option<(Command, usize)> {
    COMMANDS.iter().find(|row| row.1 == code).map(|&(command, _, minimum, _)| (command, minimum))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(word, rest)| (u32::from_be_bytes(*word), rest))
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// Answers one request.
fn answer(machine: &mut Machine, request: &[u8], descriptor: Option<OwnedFd>, options: Options) -> (Vec<u8>, Then) {
    let Some((code, body)) = word(request) else {
        return (words(&[result::BAD_PARAMETER]), Then::Continue);
    };
    let Some((command, size)) = find(code) else {
        return (words(&[result::BAD_ORDINAL]), Then::Continue);
    };
    if command.is_exact() && body.len() > size {
        return (words(&[result::BAD_PARAMETER]), Then::Continue);
    }
    match command {
        Command::SetDataFd => match descriptor {
            // Whoever takes it answers.
            Some(descriptor) => (Vec::new(), Then::TakeData(descriptor)),
            None => (words(&[result::BAD_PARAMETER]), Then::Continue),
        },
        Command::Shutdown => {
            machine.power_off(options.orderly);
            (words(&[result::SUCCESS]), Then::End)
        }
        // What follows is not a request.
        Command::HashData if word(body).is_some_and(|(length, _)| is_too_long(command, length)) => {
            (words(&[result::SIZE]), Then::HangUp)
        }
        Command::SetStateBlob if state_blob(body).is_some_and(|blob| is_too_long(command, blob.2)) => {
            (words(&[result::SIZE]), Then::HangUp)
        }
        // QEMU reads the four words of an answer with a blob before it looks at the first.
        Command::GetStateBlob => {
            (get_state_blob(machine, body).unwrap_or_else(|code| words(&[code, 0, 0, 0])), Then::Continue)
        }
        _ => (act(machine, command, body, options).unwrap_or_else(|code| words(&[code])), Then::Continue),
    }
}

/// Carries out a command that concerns the machine alone; an error is the result code.
fn act(machine: &mut Machine, command: Command, body: &[u8], options: Options) -> Result<Vec<u8>, u32> {
    let done = Ok(words(&[result::SUCCESS]));
    match command {
        Command::GetCapability => {
            let bits = COMMANDS.iter().fold(CAP_SEND_COMMAND_HEADER, |bits, row| bits | row.3);
            let state = if machine.keeps_state() { CAP_STATE } else { 0 };
            Ok(words(&[result::SUCCESS, bits | state]))
        }
        Command::Init => {
            machine.power_off(options.orderly);
            machine.power_on().map_err(logged("CMD_INIT", result::TPM2_FAILURE))?;
            done
        }
        Command::Stop => {
            machine.power_off(options.orderly);
            done
        }
        Command::GetEstablished => {
            running(machine)?;
            Ok(words(&[result::SUCCESS, u32::from(machine.is_established()) << 24]))
        }
        Command::SetLocality => {
            let locality = *body.first().ok_or(result::BAD_PARAMETER)?;
            let may = match locality {
                0 => true,
                4 => options.allow_set_locality && !options.reject_locality_4,
                _ => options.allow_set_locality && locality < 4,
            };
            if !may {
                return Err(result::BAD_LOCALITY);
            }
            machine.set_locality(locality);
            done
        }
        Command::ResetEstablished => {
            let locality = *body.first().ok_or(result::BAD_PARAMETER)?;
            running(machine)?;
            if machine.reset_established(locality) { done } else { Err(result::BAD_LOCALITY) }
        }
        Command::HashStart => hashed(machine, Machine::hash_start),
        Command::HashData => {
            let (length, data) = word(body).ok_or(result::BAD_PARAMETER)?;
            let data = data.get(..length as usize).ok_or(result::BAD_PARAMETER)?;
            hashed(machine, |machine| machine.hash_data(data))
        }
        Command::HashEnd => hashed(machine, Machine::hash_end),
        // While we hold the machine there is no command to cancel.
        Command::Cancel => {
            running(machine)?;
            done
        }
        Command::GetConfig => {
            let (file_key, migration_key) = machine.has_keys();
            Ok(words(&[result::SUCCESS, u32::from(file_key) | u32::from(migration_key) << 1]))
        }
        Command::SetBufferSize => set_buffer_size(machine, body),
        Command::GetInfo => info(machine, body),
        Command::StoreVolatile | Command::SetStateBlob if !machine.keeps_state() => Err(result::BAD_ORDINAL),
        Command::StoreVolatile => {
            running(machine)?;
            machine.store_volatile().map_err(logged("CMD_STORE_VOLATILE", result::FAIL))?;
            done
        }
        Command::SetStateBlob => set_state_blob(machine, body),
        Command::LockStorage => Err(result::BAD_ORDINAL),
        Command::SetDataFd | Command::Shutdown | Command::GetStateBlob => Err(result::FAIL),
    }
}

/// The types of state blobs. A TPM 2.0 has no state of the third type: what TPM2_Shutdown saves is part of the permanent one.
fn part(kind: u32) -> Result<Option<Part>, u32> {
    match kind {
        1 => Ok(Some(Part::Permanent)),
        2 => Ok(Some(Part::Volatile)),
        3 => Ok(None),
        _ => Err(result::BAD_PARAMETER),
    }
}

/// The answer has flags, twice the length of what follows, and the blob from the offset on: nothing where that is beyond its end.
fn get_state_blob(machine: &mut Machine, body: &[u8]) -> Result<Vec<u8>, u32> {
    let (flags, kind, offset, _) = state_blob(body).ok_or(result::BAD_PARAMETER)?;
    if !machine.keeps_state() {
        return Err(result::BAD_ORDINAL);
    }
    running(machine)?;
    let decrypted = flags & STATE_DECRYPTED != 0;
    let (blob, encrypted) = match part(kind)? {
        Some(part) => machine.state_blob(part, decrypted).map_err(logged("CMD_GET_STATEBLOB", result::FAIL))?,
        None => (Vec::new(), false),
    };
    let rest = blob.get(offset as usize..).unwrap_or_default();
    let flags = if encrypted { STATE_ENCRYPTED } else { 0 };
    let length = u32::try_from(rest.len()).map_err(|_| result::FAIL)?;
    Ok([&words(&[result::SUCCESS, flags, length, length]), rest].concat())
}

/// Takes one blob while the TPM is off; the next INIT makes the TPM of what was taken.
fn set_state_blob(machine: &mut Machine, body: &[u8]) -> Result<Vec<u8>, u32> {
    let (flags, kind, length, data) = state_blob(body).ok_or(result::BAD_PARAMETER)?;
    let blob = data.get(..length as usize).ok_or(result::BAD_PARAMETER)?;
    if machine.is_powered() {
        return Err(result::BAD_ORDINAL);
    }
    match part(kind)? {
        Some(part) => {
            let taken = machine.set_state_blob(part, blob, flags & STATE_ENCRYPTED != 0);
            taken.map_err(|error| logged("CMD_SET_STATEBLOB", code_of(&error))(error))?;
        }
        None if blob.is_empty() => {}
        None => return Err(result::BAD_PARAMETER),
    }
    Ok(words(&[result::SUCCESS]))
}

/// The codes that swtpm's `SWTPM_NVRAM_SetStateBlob` gives.
fn code_of(error: &NotTaken) -> u32 {
    match error {
        NotTaken::Image(Error::KeyNeeded) => result::KEY_NOT_FOUND,
        NotTaken::Image(Error::WrongKey) => result::DECRYPT_ERROR,
        NotTaken::Image(Error::Version { .. }) => result::BAD_VERSION,
        _ => result::FAIL,
    }
}

/// The protocol has only a code for an error: the log gets the reason.
fn logged<E: Display>(request: &'static str, code: u32) -> impl FnOnce(E) -> u32 {
    move |error| {
        eprintln!("swtpm: {request}: {error}");
        code
    }
}

fn running(machine: &Machine) -> Result<(), u32> {
    if machine.is_powered() { Ok(()) } else { Err(result::BAD_ORDINAL) }
}

fn hashed(machine: &mut Machine, step: impl FnOnce(&mut Machine) -> Result<(), DeviceError>) -> Result<Vec<u8>, u32> {
    running(machine)?;
    step(machine).map(|()| words(&[result::SUCCESS])).map_err(logged("hashing", result::FAIL))
}

/// Size 0 asks; another size sets, "only while the TPM is stopped".
fn set_buffer_size(machine: &mut Machine, body: &[u8]) -> Result<Vec<u8>, u32> {
    let (size, _) = word(body).ok_or(result::BAD_PARAMETER)?;
    if size != 0 {
        if machine.is_powered() {
            return Err(result::BAD_ORDINAL);
        }
        machine.set_buffer_size(size);
    }
    Ok(words(&[result::SUCCESS, machine.buffer_size(), *BUFFER_SIZES.start(), *BUFFER_SIZES.end()]))
}

/// `CMD_GET_INFO`: JSON from `offset` on, of the kinds that the flags select, with the NUL of a C string.
fn info(machine: &mut Machine, body: &[u8]) -> Result<Vec<u8>, u32> {
    let (high, rest) = word(body).ok_or(result::BAD_PARAMETER)?;
    let (flags, rest) = word(rest).ok_or(result::BAD_PARAMETER)?;
    let (offset, _) = word(rest).ok_or(result::BAD_PARAMETER)?;
    let about = machine.device().description();
    let mut document = serde_json::Map::new();
    if high == 0 && flags & 1 != 0 {
        let specification = serde_json::json!({ "family": "2.0", "level": 0, "revision": about.revision });
        document.insert("TPMSpecification".into(), specification);
    }
    if high == 0 && flags & 2 != 0 {
        let id: String = about.manufacturer.bytes().map(|byte| format!("{byte:02X}")).collect();
        let attributes = serde_json::json!({
            "manufacturer": format!("id:{id}"), "version": "id:00000001", "model": about.model });
        document.insert("TPMAttributes".into(), attributes);
    }
    if high == 0 && flags & 4 != 0 {
        document.insert("TPMFeatures".into(), serde_json::json!({ "RSAKeySizes": about.rsa_key_bits }));
    }
    let text = serde_json::Value::Object(document).to_string() + "\0";
    let part = text.as_bytes().get(offset as usize..).filter(|part| part.len() > 1).ok_or(result::BAD_PARAMETER)?;
    let total = u32::try_from(text.len()).map_err(|_| result::FAIL)?;
    let length = u32::try_from(part.len()).map_err(|_| result::FAIL)?;
    Ok([words(&[result::SUCCESS, total, length]), part.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{RecordingDevice, STARTUP, engine_machine, measured, pcr};

    const OPTIONS: Options =
        Options { orderly: true, allow_set_locality: true, reject_locality_4: false, end_with_client: false };

    fn ask(machine: &mut Machine, request: &str) -> String {
        let request: Vec<u8> =
            (0..request.len() / 2).map(|i| u8::from_str_radix(&request[2 * i..2 * i + 2], 16).unwrap()).collect();
        assert!(is_complete(&request));
        answer(machine, &request, None, OPTIONS).0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn qemu_s_opening_is_answered_as_swtpm_does() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        assert_eq!(ask(&mut machine, "00000001"), "000000000000fcbf");
        assert_eq!(ask(&mut machine, "0000000e"), "00000000");
        assert_eq!(ask(&mut machine, "0000001100000000"), "000000000000100000000af800001000");
        assert_eq!(ask(&mut machine, "0000001100000f80"), "0000000000000f8000000af800001000");
        assert_eq!(ask(&mut machine, "0000000200000000"), "00000000");
        assert_eq!(ask(&mut machine, "00000004"), "0000000000000000");
        assert_eq!(ask(&mut machine, "0000000500000000"), "00000000");
    }

    #[test]
    fn the_buffer_of_a_running_tpm_cannot_be_resized() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        ask(&mut machine, "0000000200000000");
        assert_eq!(ask(&mut machine, "0000001100000f80"), "0000000a");
        assert_eq!(ask(&mut machine, "0000001100000000"), "000000000000100000000af800001000");
    }

    #[test]
    fn a_locality_is_taken_up_to_four_and_outlives_a_reset() {
        let device = RecordingDevice::default();
        let commands = device.commands.clone();
        let mut machine = Machine::new(Box::new(device));
        assert_eq!(ask(&mut machine, "0000000503"), "00000000");
        assert_eq!(ask(&mut machine, "0000000520"), "0000003d", "32 is one of the TPM's, but not of this request's");
        assert_eq!(ask(&mut machine, "0000000200000000"), "00000000");
        machine.execute_at_set_locality(&STARTUP);
        assert_eq!(*commands.lock().unwrap(), [(3, STARTUP.to_vec())]);
        assert_eq!(ask(&mut machine, "0000000504000000"), "00000000", "QEMU sends four bytes");
        assert_eq!(ask(&mut machine, "0000000505"), "0000003d");
    }

    #[test]
    fn state_is_never_given_out() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        let words = |code: &str| format!("{code}{}", "00000000".repeat(3));
        assert_eq!(ask(&mut machine, "0000000c000000010000000100000000"), words("0000000a"));
        assert_eq!(ask(&mut machine, "0000000a"), "0000000a");
    }

    #[test]
    fn an_h_crtm_over_the_control_channel_is_measured_into_pcr_0_and_a_later_one_into_pcr_17() {
        let mut machine = engine_machine();
        assert_eq!(ask(&mut machine, "00000006"), "0000000a", "the TPM is off");
        ask(&mut machine, "0000000200000000");
        let measure = |machine: &mut Machine| {
            for request in ["00000006", "00000007000000026869", "00000008"] {
                assert_eq!(ask(machine, request), "00000000");
            }
        };
        measure(&mut machine);
        ask(&mut machine, "0000000504");
        assert_ne!(machine.execute_at_set_locality(&STARTUP)[6..], [0; 4], "locality 4 starts no TPM");
        ask(&mut machine, "0000000500");
        assert_eq!(machine.execute_at_set_locality(&STARTUP)[6..], [0; 4]);
        assert_eq!(pcr(&mut machine, 0), measured(4, b"hi"));
        measure(&mut machine);
        assert_eq!(pcr(&mut machine, 17), measured(0, b"hi"));
        assert_eq!(ask(&mut machine, "00000004"), "0000000001000000", "the establishment bit is set");
    }

    #[test]
    fn an_unknown_command_is_a_bad_ordinal() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        assert_eq!(ask(&mut machine, "000000ff"), "0000000a");
    }

    #[test]
    fn hash_data_waits_for_all_of_its_bytes() {
        assert!(!is_complete(&[0, 0, 0, 7, 0, 0, 0, 2, 1]));
        assert!(is_complete(&[0, 0, 0, 7, 0, 0, 0, 2, 1, 2]));
    }

    #[test]
    fn a_stop_shuts_down_a_guest_that_forgot() {
        let device = RecordingDevice::default();
        let commands = device.commands.clone();
        let mut machine = Machine::new(Box::new(device));
        ask(&mut machine, "0000000200000000");
        machine.execute(0, &[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81]);
        ask(&mut machine, "0000000e");
        let last = commands.lock().unwrap().last().cloned();
        assert_eq!(last, Some((0, vec![0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 1])));
    }

    #[test]
    fn info_names_the_manufacturer() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        let request = [0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
        let (answer, _) = answer(&mut machine, &request, None, OPTIONS);
        let text = std::str::from_utf8(&answer[12..]).unwrap();
        assert!(text.contains(r#""manufacturer":"id:54455354""#), "{text}");
    }

    #[test]
    fn features_are_the_sizes_of_rsa_keys() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        let request = [0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        let (answer, _) = answer(&mut machine, &request, None, OPTIONS);
        let text = b"{\"TPMFeatures\":{\"RSAKeySizes\":[2048]}}\0";
        assert_eq!(answer, [&words(&[0, 39, 39]), &text[..]].concat());
    }

    #[test]
    fn info_from_an_offset_ends_with_its_nul_which_is_not_given_alone() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        let request =
            |offset: u32| words(&[0x12, 0, 0, offset, 0]).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(ask(&mut machine, &request(0)), "0000000000000003000000037b7d00");
        assert_eq!(ask(&mut machine, &request(1)), "0000000000000003000000027d00");
        assert_eq!(ask(&mut machine, &request(2)), "00000003");
        assert_eq!(ask(&mut machine, &request(u32::MAX)), "00000003");
    }

    #[test]
    fn bytes_after_a_request_of_fixed_size_are_a_bad_parameter() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        assert_eq!(ask(&mut machine, "000000020000000000"), "00000003");
        assert!(!machine.is_powered());
        ask(&mut machine, "0000000200000000");
        for request in
            ["0000000300", "0000000400", "0000000600", "0000000800", "0000000900", "0000000e00", "0000000f00"]
        {
            assert_eq!(ask(&mut machine, request), "00000003", "{request}");
        }
        assert!(machine.is_powered());
    }

    #[test]
    fn what_is_hashed_may_be_longer_than_a_page() {
        let mut machine = engine_machine();
        let data = vec![7; 100_000];
        for request in [words(&[2, 0]), words(&[6]), [words(&[7, 100_000]), data.clone()].concat(), words(&[8])] {
            assert!(is_complete(&request));
            assert_eq!(answer(&mut machine, &request, None, OPTIONS).0, words(&[0]));
        }
        assert_eq!(machine.execute_at_set_locality(&STARTUP)[6..], [0; 4]);
        assert_eq!(pcr(&mut machine, 0), measured(4, &data));
    }

    #[test]
    fn locality_4_can_be_kept_from_the_host() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        let options = Options { reject_locality_4: true, ..OPTIONS };
        let (refused, _) = answer(&mut machine, &[0, 0, 0, 5, 4], None, options);
        assert_eq!(refused, words(&[result::BAD_LOCALITY]));
        let (taken, _) = answer(&mut machine, &[0, 0, 0, 5, 3], None, options);
        assert_eq!(taken, words(&[result::SUCCESS]));
    }

    #[test]
    fn a_stopped_tpm_has_nothing_established() {
        let mut machine = Machine::new(Box::new(RecordingDevice::default()));
        assert_eq!(ask(&mut machine, "00000004"), "0000000a");
    }
}
