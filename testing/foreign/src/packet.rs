// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands and responses taken apart into header, handles, sessions and parameters, whichever command it is.

use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    AuthHandle, Bytes, Cc, Command, CommandHeader, CommandTag, Handle, Marshal, Rc, Reader, ResponseHeader, Spec,
    TpmsAuthCommand, TpmsAuthResponse, Unmarshal, Writer, for_each_command,
};

/// More than any packet.
const ROOM: usize = 8192;

/// The tag of a response with sessions.
const WITH_SESSIONS: u16 = 0x8002;

/// A command.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What Part 3 says about it.
    pub spec: &'static Spec,
    /// Its handles.
    pub handles: Vec<Handle>,
    /// Its authorizations.
    pub sessions: Vec<TpmsAuthCommand<'a>>,
    /// Its parameters.
    pub parameters: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a command apart.
    ///
    /// # Errors
    /// When it is no command of TPM 2.0, or one that is not declared.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rc> {
        let mut reader = Reader::permissive(bytes);
        let header: CommandHeader = reader.read()?;
        let spec = ALL_SPECS.iter().find(|spec| spec.code == header.command_code).ok_or(Rc::COMMAND_CODE)?;
        let handles = (0..spec.handles()).map(|_| reader.read()).collect::<Result<_, _>>()?;
        let mut sessions = Vec::new();
        if header.tag == CommandTag::Sessions {
            let size: u32 = reader.read()?;
            let mut area = Reader::permissive(reader.take(usize::try_from(size).unwrap())?);
            while !area.is_empty() {
                sessions.push(area.read()?);
            }
        }
        Ok(Self { spec, handles, sessions, parameters: reader.remaining() })
    }

    /// Returns the command code.
    #[must_use]
    pub const fn code(&self) -> Cc {
        self.spec.code
    }
}

/// Reads the parameters of a command as our wire layer does, and writes them again; nothing for a code that is not declared.
///
/// # Panics
/// When what was read cannot be written into the room of any packet.
#[must_use]
pub fn rewrite_parameters(code: Cc, parameters: &[u8]) -> Option<Result<Vec<u8>, Rc>> {
    macro_rules! by_code {
        ($($command:ident)*) => {
            match code {
                $(code if code == <$command as Command>::SPEC.code => Some(rewrite::<$command>(parameters)),)*
                _ => None,
            }
        };
    }
    for_each_command!(by_code)
}

fn rewrite<'a, C: Unmarshal<'a> + Marshal>(parameters: &'a [u8]) -> Result<Vec<u8>, Rc> {
    let mut reader = Reader::permissive(parameters);
    let command: C = reader.read()?;
    reader.finish()?;
    let mut room = vec![0; ROOM];
    Ok(command.to_bytes(&mut room).unwrap().to_vec())
}

/// Puts a command together.
///
/// # Panics
/// When it is larger than any command.
#[must_use]
pub fn command(code: Cc, handles: &[Handle], sessions: &[OwnedSession], parameters: &[u8]) -> Vec<u8> {
    let mut room = vec![0; ROOM];
    let mut writer = Writer::new(&mut room);
    let tag = if sessions.is_empty() { CommandTag::NoSessions } else { CommandTag::Sessions };
    writer.write(&CommandHeader { tag, command_size: 0, command_code: code }).unwrap();
    handles.iter().for_each(|handle| writer.write(handle).unwrap());
    if !sessions.is_empty() {
        let area: Vec<u8> = sessions.iter().flat_map(|session| marshal(&session.borrow())).collect();
        writer.write(&u32::try_from(area.len()).unwrap()).unwrap();
        writer.bytes(&area).unwrap();
    }
    writer.bytes(parameters).unwrap();
    let size = u32::try_from(writer.written()).unwrap();
    writer.patch(2, &size.to_be_bytes()).unwrap();
    writer.as_written().to_vec()
}

/// Marshals a value of any size.
///
/// # Panics
/// When it is larger than any packet.
#[must_use]
pub fn marshal(value: &impl Marshal) -> Vec<u8> {
    value.to_bytes(&mut [0; ROOM]).unwrap().to_vec()
}

/// An authorization that owns its bytes.
#[derive(Debug, Clone)]
pub struct OwnedSession {
    /// The session, or the password.
    pub session_handle: AuthHandle,
    /// The caller's nonce.
    pub nonce: Vec<u8>,
    /// The attributes.
    pub attributes: evtpm_tpm_wire::TpmaSession,
    /// HMAC or password.
    pub hmac: Vec<u8>,
}

impl OwnedSession {
    fn borrow(&self) -> TpmsAuthCommand<'_> {
        TpmsAuthCommand {
            session_handle: self.session_handle,
            nonce: Bytes::new(&self.nonce).unwrap(),
            session_attributes: self.attributes,
            hmac: Bytes::new(&self.hmac).unwrap(),
        }
    }
}

impl From<&TpmsAuthCommand<'_>> for OwnedSession {
    fn from(session: &TpmsAuthCommand<'_>) -> Self {
        Self {
            session_handle: session.session_handle,
            nonce: session.nonce.as_bytes().to_vec(),
            attributes: session.session_attributes,
            hmac: session.hmac.as_bytes().to_vec(),
        }
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// The response code.
    pub code: Rc,
    /// The returned handle, where the command has one.
    pub handle: Option<Handle>,
    /// The parameters.
    pub parameters: &'a [u8],
    /// One for each session of the command.
    pub sessions: Vec<TpmsAuthResponse>,
}

impl<'a> Answer<'a> {
    /// Takes a response apart.
    ///
    /// # Errors
    /// When it is not formed as Part 1 says.
    pub fn parse(spec: Option<&Spec>, bytes: &'a [u8]) -> Result<Self, Rc> {
        let mut reader = Reader::permissive(bytes);
        let header: ResponseHeader = reader.read()?;
        let mut answer = Self { code: header.response_code, handle: None, parameters: &[], sessions: Vec::new() };
        if usize::try_from(header.response_size) != Ok(bytes.len()) {
            return Err(Rc::SIZE);
        }
        if !answer.code.is_success() {
            return reader.finish().map(|()| answer);
        }
        if spec.is_some_and(|spec| spec.returns_handle) {
            answer.handle = Some(reader.read()?);
        }
        if header.tag != WITH_SESSIONS {
            answer.parameters = reader.remaining();
            return Ok(answer);
        }
        let size: u32 = reader.read()?;
        answer.parameters = reader.take(usize::try_from(size).unwrap())?;
        while !reader.is_empty() {
            answer.sessions.push(reader.read()?);
        }
        Ok(answer)
    }
}
