// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Part 3 says about a command besides its layout, as data ("Command and Response Tables").
use crate::{Cc, Handle, List, Marshal, Overflow, Rc, Reader, TpmaCc, Unmarshal, Writer};

/// The parameters of one command, with what Part 3 says about it.
pub trait Command: Marshal {
    /// Code, flags and roles.
    const SPEC: Spec;
    /// The handle area.
    type Handles: HandleArea + for<'a> Unmarshal<'a>;
    /// The response.
    type Response: Response;
}

/// The handles of a command.
pub trait HandleArea: Marshal + Copy {
    /// Returns the handles in wire order.
    fn list(&self) -> HandleList;
}

/// The handles of a command, in wire order.
pub type HandleList = List<Handle, 3>;

/// The response to a command.
pub trait Response: Sized {
    /// Returns the handle of the response, if it has one.
    fn handle(&self) -> Option<Handle>;

    /// Writes the parameters, not the handle.
    fn marshal_parameters(&self, writer: &mut Writer<'_>) -> Result<(), Overflow>;

    /// Reads the response from its handle area and its parameter area.
    fn unmarshal(handles: &mut Reader<'_>, parameters: &mut Reader<'_>) -> Result<Self, Rc>;
}

/// What Part 3 says about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The command code.
    pub code: Cc,
    /// The flags.
    pub flags: Flags,
    /// For each handle the role of the authorization that it needs, if it needs one.
    pub roles: &'static [Option<Role>],
    /// Whether the first parameter of the command may be encrypted.
    pub decrypt: bool,
    /// Whether the first parameter of the response may be encrypted.
    pub encrypt: bool,
    /// Whether the response has a handle.
    pub returns_handle: bool,
}

/// The role of an authorization (Part 1, "Authorization Roles").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `USER`.
    User,
    /// `ADMIN`.
    Admin,
    /// `DUP`.
    Dup,
}

/// Properties of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// No property.
    pub const NONE: Self = Self(0);
    /// `{NV}`: may write NV.
    pub const NV: Self = Self(1 << 0);
    /// `{E}`: may flush any number of loaded contexts.
    pub const EXTENSIVE: Self = Self(1 << 1);
    /// `{F}`: flushes a handle of the command.
    pub const FLUSHED: Self = Self(1 << 2);
    /// No session is allowed.
    pub const NO_SESSIONS: Self = Self(1 << 3);
    /// The command can be put on the list of commands that need physical presence.
    pub const PP: Self = Self(1 << 4);
    /// Physical presence is always required.
    pub const PP_REQUIRED: Self = Self(1 << 5);
    /// Refused in read-only mode.
    pub const READ_ONLY: Self = Self(1 << 6);
    /// Allowed with a trial session.
    pub const TRIAL: Self = Self(1 << 7);

    /// Returns the flags with `other` set.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Spec {
    /// Returns the number of handles of the command.
    pub const fn handles(&self) -> usize {
        self.roles.len()
    }

    /// Returns how many of the handles need authorization; they come first.
    pub fn authorizations(&self) -> usize {
        self.roles.iter().filter(|role| role.is_some()).count()
    }

    /// Returns the attributes that `TPM_CAP_COMMANDS` reports.
    pub const fn attributes(&self) -> TpmaCc {
        // Part 3 has at most three handles in a command.
        let handles = match self.roles {
            [] => 0,
            [_] => 1,
            [_, _] => 2,
            _ => 3,
        };
        TpmaCc::new(self.code, handles)
            .assign(TpmaCc::NV, self.flags.contains(Flags::NV))
            .assign(TpmaCc::EXTENSIVE, self.flags.contains(Flags::EXTENSIVE))
            .assign(TpmaCc::FLUSHED, self.flags.contains(Flags::FLUSHED))
            .assign(TpmaCc::R_HANDLE, self.returns_handle)
    }
}

impl<'a> Unmarshal<'a> for () {
    fn unmarshal(_: &mut Reader<'a>) -> Result<Self, Rc> {
        Ok(())
    }
}

impl Marshal for () {
    fn marshal(&self, _: &mut Writer<'_>) -> Result<(), Overflow> {
        Ok(())
    }
}

impl HandleArea for () {
    fn list(&self) -> HandleList {
        HandleList::new()
    }
}

impl Response for () {
    fn handle(&self) -> Option<Handle> {
        None
    }

    fn marshal_parameters(&self, _: &mut Writer<'_>) -> Result<(), Overflow> {
        Ok(())
    }

    fn unmarshal(_: &mut Reader<'_>, _: &mut Reader<'_>) -> Result<Self, Rc> {
        Ok(())
    }
}

/// Returns the first of `values`, or false; [`command!`](crate::command) uses it.
#[doc(hidden)]
pub const fn first(values: &[bool]) -> bool {
    matches!(values, [true, ..])
}
