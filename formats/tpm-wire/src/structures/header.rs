// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Headers and authorization areas (Part 1, "Command/Response Structure"; Part 2, "Authorization Structures").
use crate::{
    Bytes, Cc, CommandTag, Handle, Marshal, Overflow, Rc, Reader, Tpm2bAuth, Tpm2bNonce, TpmaSession,
    TpmiShAuthSession, Unmarshal, Writer, structure,
};

structure! {
    /// The header of a command.
    #[derive(Copy)]
    pub struct CommandHeader {
        /// Whether the command has sessions.
        pub tag: CommandTag,
        /// The size of the whole command.
        pub command_size: u32,
        /// The command code.
        pub command_code: Cc,
    }

    /// The header of a response.
    #[derive(Copy)]
    pub struct ResponseHeader {
        /// Whether the response has sessions; `TPM_ST_RSP_COMMAND` if the tag of the command was bad.
        pub tag: u16,
        /// The size of the whole response.
        pub response_size: u32,
        /// The response code.
        pub response_code: Rc,
    }

    /// The use of one session by a command (`TPMS_AUTH_COMMAND`).
    #[derive(Copy)]
    pub struct TpmsAuthCommand<'a> {
        /// The session.
        pub session_handle: AuthHandle,
        /// The caller's nonce.
        pub nonce: Bytes<'a, 64>,
        /// How the session is used.
        pub session_attributes: TpmaSession,
        /// An HMAC, a password, or nothing.
        pub hmac: Bytes<'a, 64>,
    }

    /// The answer to one session (`TPMS_AUTH_RESPONSE`).
    pub struct TpmsAuthResponse {
        /// The TPM's nonce.
        pub nonce: Tpm2bNonce,
        /// What became of the session.
        pub session_attributes: TpmaSession,
        /// An HMAC, or nothing.
        pub hmac: Tpm2bAuth,
    }
}

impl CommandHeader {
    /// The size of a header.
    pub const SIZE: usize = 10;
}

impl ResponseHeader {
    /// The size of a header.
    pub const SIZE: usize = 10;
}

/// How a handle is authorized (`TPMI_SH_AUTH_SESSION+`, whose "+" is `TPM_RS_PW`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthHandle {
    /// By password.
    Password,
    /// By a session.
    Session(TpmiShAuthSession),
}

impl From<AuthHandle> for Handle {
    fn from(value: AuthHandle) -> Self {
        match value {
            AuthHandle::Password => Self::PASSWORD,
            AuthHandle::Session(session) => session.handle(),
        }
    }
}

impl<'a> Unmarshal<'a> for AuthHandle {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        if reader.peek_u32()? == Handle::PASSWORD.0 {
            return reader.read::<u32>().map(|_| Self::Password);
        }
        reader.read().map(Self::Session)
    }
}

impl Marshal for AuthHandle {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&Handle::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_password_session_is_no_session_handle() {
        assert_eq!(from_bytes(&[0x40, 0, 0, 9], &Supported::ALL), Ok(AuthHandle::Password));
        assert_eq!(from_bytes::<AuthHandle>(&[0x40, 0, 0, 7], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<TpmiShAuthSession>(&[0x40, 0, 0, 9], &Supported::ALL), Err(Rc::VALUE));
    }

    #[test]
    fn reserved_session_attributes_are_refused() {
        let bytes = [0x40, 0, 0, 9, 0, 0, 0x08, 0, 0];
        assert_eq!(from_bytes::<TpmsAuthCommand<'_>>(&bytes, &Supported::ALL), Err(Rc::RESERVED_BITS));
    }
}
