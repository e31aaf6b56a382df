// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM_RC`: response codes and the subject that a format-one code blames (Part 2, "TPM_RC").
use core::fmt;

use crate::{Marshal, Overflow, Reader, Unmarshal, Writer};

/// A TPM response code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Rc(u32);

/// The handle, parameter or session (each counted from 1) that a format-one code blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The n-th handle of the handle area.
    Handle(u8),
    /// The n-th parameter.
    Parameter(u8),
    /// The n-th session of the authorization area.
    Session(u8),
}

const FORMAT_ONE: u32 = 0x080;
const PARAMETER: u32 = 0x040;
const SESSION: u32 = 0x800;
const NUMBER_SHIFT: u32 = 8;
/// Subject bits of a format-one code: P and N.
const SUBJECT_MASK: u32 = 0xF40;

impl Rc {
    /// Takes a code as it stands in a response header.
    pub const fn from_raw(code: u32) -> Self {
        Self(code)
    }

    /// Returns the code as it stands in a response header.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Returns whether the code is `TPM_RC_SUCCESS`.
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the code is of format one, the format that names a subject.
    pub const fn is_format_one(self) -> bool {
        self.0 & !0xFFF == 0 && self.0 & FORMAT_ONE != 0
    }

    /// Returns whether the code is a warning (`RC_WARN`).
    pub const fn is_warning(self) -> bool {
        self.0 & !0x07F == 0x900
    }

    /// Blames `subject`; codes of format zero and codes that already blame somebody stay as they are.
    pub const fn at(self, subject: Subject) -> Self {
        if !self.is_format_one() || self.0 & SUBJECT_MASK != 0 {
            return self;
        }
        let bits = match subject {
            Subject::Handle(number) => (number as u32 & 0x7) << NUMBER_SHIFT,
            Subject::Parameter(number) => PARAMETER | (number as u32 & 0xF) << NUMBER_SHIFT,
            Subject::Session(number) => SESSION | (number as u32 & 0x7) << NUMBER_SHIFT,
        };
        Self(self.0 | bits)
    }

    /// Returns the code without its subject.
    pub const fn base(self) -> Self {
        if self.is_format_one() { Self(self.0 & !SUBJECT_MASK) } else { self }
    }

    /// Returns the subject of a format-one code, if it names one.
    pub const fn subject(self) -> Option<Subject> {
        if !self.is_format_one() || self.0 & SUBJECT_MASK == 0 {
            return None;
        }
        let number = ((self.0 >> NUMBER_SHIFT) & 0xF) as u8;
        Some(if self.0 & PARAMETER != 0 {
            Subject::Parameter(number)
        } else if self.0 & SESSION != 0 {
            Subject::Session(number & 0x7)
        } else {
            Subject::Handle(number)
        })
    }
}

macro_rules! codes {
    ($($name:ident = $value:literal)*) => {
        impl Rc {
            $(
                #[doc = concat!("`TPM_RC_", stringify!($name), "`.")]
                pub const $name: Self = Self($value);
            )*

            /// Returns the name of the code without `TPM_RC_` and subject.
            pub const fn name(self) -> Option<&'static str> {
                match self.base().0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        /// Each code that Part 2 defines.
        pub const ALL_CODES: &[Rc] = &[$(Rc::$name),*];
    };
}

codes! {
    SUCCESS = 0x000
    BAD_TAG = 0x01e
    INITIALIZE = 0x100
    FAILURE = 0x101
    SEQUENCE = 0x103
    PRIVATE = 0x10b
    HMAC = 0x119
    DISABLED = 0x120
    EXCLUSIVE = 0x121
    AUTH_TYPE = 0x124
    AUTH_MISSING = 0x125
    POLICY = 0x126
    PCR = 0x127
    PCR_CHANGED = 0x128
    UPGRADE = 0x12d
    TOO_MANY_CONTEXTS = 0x12e
    AUTH_UNAVAILABLE = 0x12f
    REBOOT = 0x130
    UNBALANCED = 0x131
    COMMAND_SIZE = 0x142
    COMMAND_CODE = 0x143
    AUTHSIZE = 0x144
    AUTH_CONTEXT = 0x145
    NV_RANGE = 0x146
    NV_SIZE = 0x147
    NV_LOCKED = 0x148
    NV_AUTHORIZATION = 0x149
    NV_UNINITIALIZED = 0x14a
    NV_SPACE = 0x14b
    NV_DEFINED = 0x14c
    BAD_CONTEXT = 0x150
    CPHASH = 0x151
    PARENT = 0x152
    NEEDS_TEST = 0x153
    NO_RESULT = 0x154
    SENSITIVE = 0x155
    READ_ONLY = 0x156
    ASYMMETRIC = 0x081
    ATTRIBUTES = 0x082
    HASH = 0x083
    VALUE = 0x084
    HIERARCHY = 0x085
    KEY_SIZE = 0x087
    MGF = 0x088
    MODE = 0x089
    TYPE = 0x08a
    HANDLE = 0x08b
    KDF = 0x08c
    RANGE = 0x08d
    AUTH_FAIL = 0x08e
    NONCE = 0x08f
    PP = 0x090
    SCHEME = 0x092
    SIZE = 0x095
    SYMMETRIC = 0x096
    TAG = 0x097
    SELECTOR = 0x098
    INSUFFICIENT = 0x09a
    SIGNATURE = 0x09b
    KEY = 0x09c
    POLICY_FAIL = 0x09d
    INTEGRITY = 0x09f
    TICKET = 0x0a0
    RESERVED_BITS = 0x0a1
    BAD_AUTH = 0x0a2
    EXPIRED = 0x0a3
    POLICY_CC = 0x0a4
    BINDING = 0x0a5
    CURVE = 0x0a6
    ECC_POINT = 0x0a7
    FW_LIMITED = 0x0a8
    SVN_LIMITED = 0x0a9
    PARMS = 0x0aa
    EXT_MU = 0x0ab
    ONE_SHOT_SIGNATURE = 0x0ac
    SIGN_CONTEXT_KEY = 0x0ad
    CHANNEL = 0x0b0
    CHANNEL_KEY = 0x0b1
    CONTEXT_GAP = 0x901
    OBJECT_MEMORY = 0x902
    SESSION_MEMORY = 0x903
    MEMORY = 0x904
    SESSION_HANDLES = 0x905
    OBJECT_HANDLES = 0x906
    LOCALITY = 0x907
    YIELDED = 0x908
    CANCELED = 0x909
    TESTING = 0x90a
    REFERENCE_H0 = 0x910
    REFERENCE_H1 = 0x911
    REFERENCE_H2 = 0x912
    REFERENCE_H3 = 0x913
    REFERENCE_H4 = 0x914
    REFERENCE_H5 = 0x915
    REFERENCE_H6 = 0x916
    REFERENCE_S0 = 0x918
    REFERENCE_S1 = 0x919
    REFERENCE_S2 = 0x91a
    REFERENCE_S3 = 0x91b
    REFERENCE_S4 = 0x91c
    REFERENCE_S5 = 0x91d
    REFERENCE_S6 = 0x91e
    NV_RATE = 0x920
    LOCKOUT = 0x921
    RETRY = 0x922
    NV_UNAVAILABLE = 0x923
    NOT_USED = 0x97f
}

impl fmt::Display for Rc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "TPM_RC_{name}")?,
            None => write!(f, "TPM_RC {:#05x}", self.0)?,
        }
        match self.subject() {
            Some(Subject::Handle(number)) => write!(f, " (handle {number})"),
            Some(Subject::Parameter(number)) => write!(f, " (parameter {number})"),
            Some(Subject::Session(number)) => write!(f, " (session {number})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Rc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{:#05x}]", self.0)
    }
}

impl core::error::Error for Rc {}

impl<'a> Unmarshal<'a> for Rc {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl Marshal for Rc {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_of_parameter_2_is_02c4() {
        assert_eq!(Rc::VALUE.at(Subject::Parameter(2)).raw(), 0x2C4);
    }

    #[test]
    fn auth_fail_of_session_1_is_098e() {
        assert_eq!(Rc::AUTH_FAIL.at(Subject::Session(1)).raw(), 0x98E);
    }

    #[test]
    fn handle_of_handle_3_is_038b() {
        assert_eq!(Rc::HANDLE.at(Subject::Handle(3)).raw(), 0x38B);
    }

    #[test]
    fn format_zero_and_warnings_have_no_subject() {
        for code in [Rc::FAILURE, Rc::LOCALITY, Rc::COMMAND_CODE, Rc::SUCCESS, Rc::BAD_TAG] {
            assert_eq!(code.at(Subject::Parameter(1)), code);
            assert_eq!(code.subject(), None);
        }
    }

    #[test]
    fn the_first_subject_stays() {
        let code = Rc::SIZE.at(Subject::Parameter(1));
        assert_eq!(code.at(Subject::Parameter(2)), code);
    }

    #[test]
    fn base_and_subject_undo_at() {
        for code in ALL_CODES.iter().filter(|code| code.is_format_one()) {
            for subject in [Subject::Handle(7), Subject::Parameter(15), Subject::Session(2)] {
                assert_eq!(code.at(subject).base(), *code);
                assert_eq!(code.at(subject).subject(), Some(subject));
            }
        }
    }

    #[test]
    fn each_code_has_one_name() {
        for (position, code) in ALL_CODES.iter().enumerate() {
            assert_eq!(ALL_CODES.iter().position(|other| other == code), Some(position), "{code}");
        }
    }
}
