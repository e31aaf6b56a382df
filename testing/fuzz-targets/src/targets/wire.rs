// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands, responses and structures of the TPM: whatever is read can be written, and is then read as the same again.

use evtpm_tpm_wire::{Cc, Command, CommandHeader, Rc, Reader, Response, ResponseHeader, Writer};
use evtpm_tpm_wire::{Tpm2bPublic, TpmsAttest, TpmsCapabilityData, TpmsContext, TpmsCreationData, TpmtPublic};
use evtpm_tpm_wire::{TpmtSensitive, TpmtSignature, commands, for_each_command};

use crate::seeds::evidence;

/// Larger than anything that a TPM takes or gives.
const ROOM: usize = 1 << 16;

/// Reads something, and panics if it does not survive being written and read again.
type ThereAndBack = fn(&mut Reader<'_>) -> Result<(), Rc>;

pub(super) fn written(write: impl FnOnce(&mut Writer<'_>) -> bool) -> Vec<u8> {
    let mut room = vec![0; ROOM];
    let mut writer = Writer::new(&mut room);
    assert!(write(&mut writer), "what was read fits into {ROOM} bytes");
    writer.into_written().to_vec()
}

/// A function over one type, which may borrow from what it is read from.
macro_rules! there_and_back {
    ($type:ty) => {
        |reader| {
            let value: $type = reader.read()?;
            let bytes = written(|writer| writer.write(&value).is_ok());
            let mut reader = Reader::permissive(&bytes);
            let again: Result<$type, Rc> = reader.read();
            assert_eq!(again.as_ref(), Ok(&value), "written as {bytes:02x?}");
            assert!(reader.is_empty(), "written as {bytes:02x?}");
            Ok(())
        }
    };
}

const STRUCTURES: &[ThereAndBack] = &[
    there_and_back!(TpmtPublic),
    there_and_back!(Tpm2bPublic),
    there_and_back!(TpmtSensitive),
    there_and_back!(TpmtSignature),
    there_and_back!(TpmsAttest),
    there_and_back!(TpmsCapabilityData),
    there_and_back!(TpmsContext),
    there_and_back!(TpmsCreationData),
];

/// Reads each structure from the same bytes.
pub(super) fn structure(input: &[u8]) -> bool {
    STRUCTURES.iter().filter(|structure| structure(&mut Reader::permissive(input)).is_ok()).count() > 0
}

pub(super) fn structure_seeds() -> Vec<Vec<u8>> {
    // TPMS_CREATION_DATA without PCRs, made at locality 0.
    let mut seeds = vec![vec![0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0]];
    seeds.extend(evidence("vm-boot", ".pub"));
    seeds.extend(evidence("vm-boot", ".sig"));
    seeds.extend(evidence("vm-boot", ".msg"));
    seeds
}

/// Handles and parameters of a command, as read; sessions stand between them and are the dispatcher's.
macro_rules! command_bodies {
    ($($name:ident)*) => {
        const COMMANDS: &[(Cc, ThereAndBack, ThereAndBack)] = &[$((
            <commands::$name as Command>::SPEC.code,
            there_and_back!(<commands::$name as Command>::Handles),
            there_and_back!(commands::$name),
        ),)*];
        const RESPONSES: &[(Cc, fn(&[u8]) -> bool)] = &[$((
            <commands::$name as Command>::SPEC.code,
            response_there_and_back::<<commands::$name as Command>::Response>,
        ),)*];
    };
}

for_each_command!(command_bodies);

/// Reads a command without sessions.
pub(super) fn command(input: &[u8]) -> bool {
    let mut reader = Reader::permissive(input);
    let Ok(header) = reader.read::<CommandHeader>() else { return false };
    let Some((_, handles, parameters)) = COMMANDS.iter().find(|(code, ..)| *code == header.command_code) else {
        return false;
    };
    handles(&mut reader).is_ok() && parameters(&mut reader).is_ok()
}

pub(super) fn command_seeds() -> Vec<Vec<u8>> {
    // Every command with enough zeros for its handles and parameters, and some that mean something.
    let zeros = COMMANDS.iter().map(|(code, ..)| {
        let mut command = vec![0x80, 1, 0, 0, 1, 0];
        command.extend(code.0.to_be_bytes());
        command.resize(0x100, 0);
        command
    });
    let startup = vec![0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];
    let pcr_read = vec![0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 11, 3, 0xff, 0, 0];
    zeros.chain([startup, pcr_read]).collect()
}

fn response_there_and_back<R: Response + PartialEq + core::fmt::Debug>(input: &[u8]) -> bool {
    let mut handles = Reader::permissive(input);
    let mut parameters = Reader::permissive(input.get(4..).unwrap_or_default());
    let Ok(response) = R::unmarshal(&mut handles, &mut parameters) else { return false };
    let mut bytes = response.handle().map_or(0, |handle| handle.0).to_be_bytes().to_vec();
    bytes.extend(written(|writer| response.marshal_parameters(writer).is_ok()));
    let (mut handles, mut parameters) =
        (Reader::permissive(&bytes), Reader::permissive(bytes.get(4..).unwrap_or_default()));
    assert_eq!(R::unmarshal(&mut handles, &mut parameters).as_ref(), Ok(&response), "written as {bytes:02x?}");
    true
}

/// Reads a response to the command whose code stands before it: header, handle, parameters.
pub(super) fn response(input: &[u8]) -> bool {
    let Some((code, rest)) = input.split_first_chunk::<4>() else { return false };
    let code = Cc(u32::from_be_bytes(*code));
    let mut reader = Reader::permissive(rest);
    let Ok(_header) = reader.read::<ResponseHeader>() else { return false };
    RESPONSES.iter().find(|(known, _)| *known == code).is_some_and(|(_, read)| read(reader.remaining()))
}

pub(super) fn response_seeds() -> Vec<Vec<u8>> {
    let zeros = RESPONSES.iter().map(|(code, _)| {
        let mut response = code.0.to_be_bytes().to_vec();
        response.extend([0x80, 1, 0, 0, 1, 0, 0, 0, 0, 0]);
        response.resize(0x100, 0);
        response
    });
    zeros.collect()
}
