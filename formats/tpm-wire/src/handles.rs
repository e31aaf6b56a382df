// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Handles and the interface types over them (Part 2, "Handles", "Interface Types").
//!
//! An interface type accepts only its range; the error is `TPM_RC_VALUE`, before any authorization. Where Part 2
//! writes "+", the field is an `Option` and `None` is `TPM_RH_NULL`.
use core::fmt;

use crate::{Marshal, Null, Nullable, Overflow, Rc, Reader, Supported, Unmarshal, Writer};

/// A handle (`TPM_HANDLE`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// The kind of entity that a handle references (`TPM_HT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleType {
    /// A PCR.
    Pcr,
    /// An NV index.
    NvIndex,
    /// An HMAC session, or any loaded session.
    HmacSession,
    /// A policy session, or any saved session.
    PolicySession,
    /// An external NV index.
    ExternalNv,
    /// A permanent NV index.
    PermanentNv,
    /// A permanent entity.
    Permanent,
    /// A transient object.
    Transient,
    /// A persistent object.
    Persistent,
    /// An attached component.
    AttachedComponent,
}

impl Handle {
    /// `TPM_RH_OWNER`.
    pub const OWNER: Self = Self(0x4000_0001);
    /// `TPM_RH_NULL`.
    pub const NULL: Self = Self(0x4000_0007);
    /// `TPM_RH_UNASSIGNED`.
    pub const UNASSIGNED: Self = Self(0x4000_0008);
    /// `TPM_RS_PW`: authorization by password.
    pub const PASSWORD: Self = Self(0x4000_0009);
    /// `TPM_RH_LOCKOUT`.
    pub const LOCKOUT: Self = Self(0x4000_000A);
    /// `TPM_RH_ENDORSEMENT`.
    pub const ENDORSEMENT: Self = Self(0x4000_000B);
    /// `TPM_RH_PLATFORM`.
    pub const PLATFORM: Self = Self(0x4000_000C);
    /// `TPM_RH_PLATFORM_NV`.
    pub const PLATFORM_NV: Self = Self(0x4000_000D);
    /// `TPM_RH_AUTH_00`, the first vendor-specific authorization value.
    pub const AUTH_00: Self = Self(0x4000_0010);
    /// `TPM_RH_AUTH_FF`, the last vendor-specific authorization value.
    pub const AUTH_FF: Self = Self(0x4000_010F);
    /// `TPM_RH_ACT_0`, the first authenticated countdown timer.
    pub const ACT_0: Self = Self(0x4000_0110);
    /// `TPM_RH_ACT_F`, the last authenticated countdown timer.
    pub const ACT_F: Self = Self(0x4000_011F);
    /// `HMAC_SESSION_FIRST`.
    pub const HMAC_SESSION_FIRST: Self = Self(0x0200_0000);
    /// `POLICY_SESSION_FIRST`.
    pub const POLICY_SESSION_FIRST: Self = Self(0x0300_0000);
    /// `TRANSIENT_FIRST`.
    pub const TRANSIENT_FIRST: Self = Self(0x8000_0000);
    /// `PERSISTENT_FIRST`.
    pub const PERSISTENT_FIRST: Self = Self(0x8100_0000);
    /// `PLATFORM_PERSISTENT`, the first persistent handle of the platform.
    pub const PLATFORM_PERSISTENT: Self = Self(0x8180_0000);
    /// `PERSISTENT_LAST`.
    pub const PERSISTENT_LAST: Self = Self(0x81FF_FFFF);
    /// `NV_INDEX_FIRST`.
    pub const NV_INDEX_FIRST: Self = Self(0x0100_0000);
    /// `NV_INDEX_LAST`.
    pub const NV_INDEX_LAST: Self = Self(0x01FF_FFFF);

    /// Returns what the most significant octet says about the entity, if it is a defined one.
    pub const fn kind(self) -> Option<HandleType> {
        Some(match self.0 >> 24 {
            0x00 => HandleType::Pcr,
            0x01 => HandleType::NvIndex,
            0x02 => HandleType::HmacSession,
            0x03 => HandleType::PolicySession,
            0x11 => HandleType::ExternalNv,
            0x12 => HandleType::PermanentNv,
            0x40 => HandleType::Permanent,
            0x80 => HandleType::Transient,
            0x81 => HandleType::Persistent,
            0x90 => HandleType::AttachedComponent,
            _ => return None,
        })
    }

    /// Returns the handle without its most significant octet.
    pub const fn index(self) -> u32 {
        self.0 & 0x00FF_FFFF
    }

    fn is_object(self, supported: &Supported) -> bool {
        match self.kind() {
            Some(HandleType::Transient) => self.index() < supported.transient_handles,
            Some(HandleType::Persistent) => true,
            _ => false,
        }
    }

    fn is_session(self, kind: HandleType, supported: &Supported) -> bool {
        self.kind() == Some(kind) && self.index() < supported.session_handles
    }

    fn is_context(self, supported: &Supported) -> bool {
        self.is_session(HandleType::HmacSession, supported)
            || self.is_session(HandleType::PolicySession, supported)
            || self.kind() == Some(HandleType::Transient) && self.is_object(supported)
    }

    fn is_entity(self, supported: &Supported) -> bool {
        matches!(self, Self::OWNER | Self::ENDORSEMENT | Self::PLATFORM | Self::LOCKOUT)
            || (Self::AUTH_00..=Self::AUTH_FF).contains(&self)
            || self.kind() == Some(HandleType::NvIndex)
            || self.is_object(supported)
            || PcrIndex::new(self.0).is_some()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// Accepts any number; the interface types are the ones that choose.
impl<'a> Unmarshal<'a> for Handle {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl Marshal for Handle {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

impl<T: Into<Handle> + Nullable + Copy> From<Option<T>> for Handle {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NULL, Into::into)
    }
}

/// Declares an interface type over a range of handles.
macro_rules! ranges {
    ($($(#[$meta:meta])* pub struct $name:ident: |$handle:ident, $supported:ident| $allowed:expr;)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Handle);

        impl $name {
            /// Accepts a handle of the range, with the handle counts of `supported`.
            pub fn new($handle: Handle, $supported: &Supported) -> Option<Self> {
                let _ = $supported;
                if $allowed { Some(Self($handle)) } else { None }
            }

            /// Returns the handle.
            pub const fn handle(self) -> Handle {
                self.0
            }
        }

        impl From<$name> for Handle {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                Self::new(reader.read()?, reader.supported()).ok_or(Rc::VALUE)
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.0)
            }
        }

        impl Nullable for $name {
            const NULL: Null = Null::Handle;
        }
    )* };
}

ranges! {
    /// A loaded object, transient or persistent (`TPMI_DH_OBJECT`).
    pub struct TpmiDhObject: |handle, supported| handle.is_object(supported);
    /// An object or a hierarchy that can be a parent (`TPMI_DH_PARENT`).
    pub struct TpmiDhParent: |handle, supported|
        matches!(handle, Handle::OWNER | Handle::PLATFORM | Handle::ENDORSEMENT | Handle::NULL)
            || handle.is_object(supported);
    /// A place for a persistent object (`TPMI_DH_PERSISTENT`).
    pub struct TpmiDhPersistent: |handle, supported| handle.kind() == Some(HandleType::Persistent);
    /// An entity with an authorization value (`TPMI_DH_ENTITY`).
    pub struct TpmiDhEntity: |handle, supported| handle.is_entity(supported);
    /// An HMAC or policy session (`TPMI_SH_AUTH_SESSION`).
    pub struct TpmiShAuthSession: |handle, supported|
        handle.is_session(HandleType::HmacSession, supported) || handle.is_session(HandleType::PolicySession, supported);
    /// An HMAC session (`TPMI_SH_HMAC`).
    pub struct TpmiShHmac: |handle, supported| handle.is_session(HandleType::HmacSession, supported);
    /// A policy session (`TPMI_SH_POLICY`).
    pub struct TpmiShPolicy: |handle, supported| handle.is_session(HandleType::PolicySession, supported);
    /// What can be saved or flushed (`TPMI_DH_CONTEXT`).
    pub struct TpmiDhContext: |handle, supported| handle.is_context(supported);
    /// What was saved: a session, or 80000000 to 80000002 for an object (`TPMI_DH_SAVED`).
    pub struct TpmiDhSaved: |handle, supported|
        matches!(handle.0, 0x8000_0000..=0x8000_0002)
            || handle.is_session(HandleType::HmacSession, supported)
            || handle.is_session(HandleType::PolicySession, supported);
    /// An NV index (`TPMI_RH_NV_INDEX`).
    pub struct TpmiRhNvIndex: |handle, supported| matches!(
        handle.kind(),
        Some(HandleType::NvIndex | HandleType::ExternalNv | HandleType::PermanentNv)
    );
    /// An NV index that can be defined (`TPMI_RH_NV_DEFINED_INDEX`).
    pub struct TpmiRhNvDefinedIndex: |handle, supported|
        matches!(handle.kind(), Some(HandleType::NvIndex | HandleType::ExternalNv));
    /// An NV index with 32-bit attributes (`TPMI_RH_NV_LEGACY_INDEX`).
    pub struct TpmiRhNvLegacyIndex: |handle, supported| handle.kind() == Some(HandleType::NvIndex);
    /// An NV index with 64-bit attributes (`TPMI_RH_NV_EXP_INDEX`).
    pub struct TpmiRhNvExpIndex: |handle, supported| handle.kind() == Some(HandleType::ExternalNv);
    /// An authorization for NV: platform, owner or the index itself (`TPMI_RH_NV_AUTH`).
    pub struct TpmiRhNvAuth: |handle, supported|
        matches!(handle, Handle::PLATFORM | Handle::OWNER) || handle.kind() == Some(HandleType::NvIndex);
    /// An authenticated countdown timer (`TPMI_RH_ACT`).
    pub struct TpmiRhAct: |handle, supported| (Handle::ACT_0..=Handle::ACT_F).contains(&handle);
}

impl From<TpmiRhNvLegacyIndex> for TpmiRhNvDefinedIndex {
    fn from(index: TpmiRhNvLegacyIndex) -> Self {
        Self(index.handle())
    }
}

impl From<TpmiRhNvExpIndex> for TpmiRhNvDefinedIndex {
    fn from(index: TpmiRhNvExpIndex) -> Self {
        Self(index.handle())
    }
}

/// Declares an interface type over a few permanent handles.
macro_rules! selections {
    ($($(#[$meta:meta])* pub enum $name:ident { $($variant:ident = $handle:ident,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(
                #[doc = concat!("`TPM_RH_", stringify!($handle), "`.")]
                $variant,
            )*
        }

        impl $name {
            /// Returns the selection that this handle makes.
            pub const fn from_handle(handle: Handle) -> Option<Self> {
                match handle {
                    $(Handle::$handle => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the handle.
            pub const fn handle(self) -> Handle {
                match self {
                    $(Self::$variant => Handle::$handle,)*
                }
            }
        }

        impl From<$name> for Handle {
            fn from(value: $name) -> Self {
                value.handle()
            }
        }

        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                Self::from_handle(reader.read()?).ok_or(Rc::VALUE)
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.handle())
            }
        }

        impl Nullable for $name {
            const NULL: Null = Null::Handle;
        }
    )* };
}

selections! {
    /// A hierarchy (`TPMI_RH_HIERARCHY`; the firmware-limited and SVN-limited ones are not supported).
    pub enum TpmiRhHierarchy {
        Owner = OWNER,
        Platform = PLATFORM,
        Endorsement = ENDORSEMENT,
        Null = NULL,
    }

    /// A hierarchy or NV that can be enabled (`TPMI_RH_ENABLES`).
    pub enum TpmiRhEnables {
        Owner = OWNER,
        Platform = PLATFORM,
        Endorsement = ENDORSEMENT,
        PlatformNv = PLATFORM_NV,
    }

    /// A hierarchy or lockout authorization (`TPMI_RH_HIERARCHY_AUTH`).
    pub enum TpmiRhHierarchyAuth {
        Owner = OWNER,
        Platform = PLATFORM,
        Endorsement = ENDORSEMENT,
        Lockout = LOCKOUT,
    }

    /// A base hierarchy (`TPMI_RH_BASE_HIERARCHY`).
    pub enum TpmiRhBaseHierarchy {
        Owner = OWNER,
        Platform = PLATFORM,
        Endorsement = ENDORSEMENT,
    }

    /// Platform authorization (`TPMI_RH_PLATFORM`).
    pub enum TpmiRhPlatform {
        Platform = PLATFORM,
    }

    /// Owner authorization (`TPMI_RH_OWNER`).
    pub enum TpmiRhOwner {
        Owner = OWNER,
    }

    /// Endorsement authorization (`TPMI_RH_ENDORSEMENT`).
    pub enum TpmiRhEndorsement {
        Endorsement = ENDORSEMENT,
    }

    /// Lockout authorization (`TPMI_RH_LOCKOUT`).
    pub enum TpmiRhLockout {
        Lockout = LOCKOUT,
    }

    /// Owner or platform authorization (`TPMI_RH_PROVISION`).
    pub enum TpmiRhProvision {
        Owner = OWNER,
        Platform = PLATFORM,
    }

    /// Lockout or platform authorization (`TPMI_RH_CLEAR`).
    pub enum TpmiRhClear {
        Lockout = LOCKOUT,
        Platform = PLATFORM,
    }
}

/// A hierarchy, lockout or a countdown timer, each with a policy (`TPMI_RH_HIERARCHY_POLICY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TpmiRhHierarchyPolicy {
    /// A hierarchy or lockout.
    Hierarchy(TpmiRhHierarchyAuth),
    /// An authenticated countdown timer.
    Act(TpmiRhAct),
}

impl From<TpmiRhHierarchyPolicy> for Handle {
    fn from(value: TpmiRhHierarchyPolicy) -> Self {
        match value {
            TpmiRhHierarchyPolicy::Hierarchy(hierarchy) => hierarchy.into(),
            TpmiRhHierarchyPolicy::Act(timer) => timer.into(),
        }
    }
}

impl<'a> Unmarshal<'a> for TpmiRhHierarchyPolicy {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let handle = reader.read()?;
        let hierarchy = TpmiRhHierarchyAuth::from_handle(handle).map(Self::Hierarchy);
        hierarchy.or_else(|| TpmiRhAct::new(handle, reader.supported()).map(Self::Act)).ok_or(Rc::VALUE)
    }
}

impl Marshal for TpmiRhHierarchyPolicy {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&Handle::from(*self))
    }
}

macro_rules! pcrs {
    ($($variant:ident = $number:literal)*) => {
        /// One of the 24 PCRs (`TPMI_DH_PCR`): a number that is proven to be in range.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PcrIndex {
            $(
                #[doc = concat!("PCR ", stringify!($number), ".")]
                $variant = $number,
            )*
        }

        impl PcrIndex {
            /// Each PCR, in ascending order.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),*];

            /// Returns the PCR with this number, if there is one.
            pub const fn new(number: u32) -> Option<Self> {
                Some(match number {
                    $($number => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

pcrs! {
    Pcr0 = 0 Pcr1 = 1 Pcr2 = 2 Pcr3 = 3 Pcr4 = 4 Pcr5 = 5 Pcr6 = 6 Pcr7 = 7
    Pcr8 = 8 Pcr9 = 9 Pcr10 = 10 Pcr11 = 11 Pcr12 = 12 Pcr13 = 13 Pcr14 = 14 Pcr15 = 15
    Pcr16 = 16 Pcr17 = 17 Pcr18 = 18 Pcr19 = 19 Pcr20 = 20 Pcr21 = 21 Pcr22 = 22 Pcr23 = 23
}

impl PcrIndex {
    /// The number of PCRs of a PC Client TPM (`IMPLEMENTATION_PCR`).
    pub const COUNT: usize = 24;

    /// Returns the number of the PCR.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the number of the PCR as an array index.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the PCR's item of an array that has one for each PCR.
    #[expect(clippy::indexing_slicing, reason = "24 variants index 24 items; the panic probe proves it")]
    pub const fn of<T>(self, items: &[T; Self::COUNT]) -> &T {
        &items[self as usize]
    }

    /// Returns the PCR's item of an array that has one for each PCR, for change in place.
    #[expect(clippy::indexing_slicing, reason = "24 variants index 24 items; the panic probe proves it")]
    pub const fn of_mut<T>(self, items: &mut [T; Self::COUNT]) -> &mut T {
        &mut items[self as usize]
    }
}

impl From<PcrIndex> for Handle {
    fn from(value: PcrIndex) -> Self {
        Self(u32::from(value.number()))
    }
}

impl<'a> Unmarshal<'a> for PcrIndex {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        Self::new(reader.read()?).ok_or(Rc::VALUE)
    }
}

impl Marshal for PcrIndex {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&Handle::from(*self))
    }
}

impl Nullable for PcrIndex {
    const NULL: Null = Null::Handle;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_bytes;

    fn read<'a, T: Unmarshal<'a>>(handle: &'a [u8; 4]) -> Result<T, Rc> {
        from_bytes(handle, &Supported { transient_handles: 3, session_handles: 64, ..Supported::ALL })
    }

    #[test]
    fn a_transient_handle_beyond_the_slots_is_a_value_error() {
        assert!(read::<TpmiDhObject>(&[0x80, 0, 0, 2]).is_ok());
        assert_eq!(read::<TpmiDhObject>(&[0x80, 0, 0, 3]), Err(Rc::VALUE));
        assert!(read::<TpmiDhObject>(&[0x81, 0xFF, 0xFF, 0xFF]).is_ok());
    }

    #[test]
    fn null_is_a_parent_but_no_object() {
        let null = &[0x40, 0, 0, 7];
        assert!(read::<TpmiDhParent>(null).is_ok());
        assert_eq!(read::<TpmiDhObject>(null), Err(Rc::VALUE));
        assert_eq!(read::<Option<TpmiDhObject>>(null), Ok(None));
        assert_eq!(read::<TpmiRhHierarchy>(null), Ok(TpmiRhHierarchy::Null));
    }

    #[test]
    fn sessions_of_the_other_kind_are_value_errors() {
        assert!(read::<TpmiShPolicy>(&[3, 0, 0, 63]).is_ok());
        assert_eq!(read::<TpmiShPolicy>(&[3, 0, 0, 64]), Err(Rc::VALUE));
        assert_eq!(read::<TpmiShPolicy>(&[2, 0, 0, 0]), Err(Rc::VALUE));
        assert_eq!(read::<TpmiShHmac>(&[3, 0, 0, 0]), Err(Rc::VALUE));
    }

    #[test]
    fn pcr_24_is_a_value_error() {
        assert_eq!(read::<PcrIndex>(&[0, 0, 0, 23]), Ok(PcrIndex::Pcr23));
        assert_eq!(read::<PcrIndex>(&[0, 0, 0, 24]), Err(Rc::VALUE));
        assert_eq!(read::<Option<PcrIndex>>(&[0x40, 0, 0, 7]), Ok(None));
    }

    #[test]
    fn pcrs_stand_at_their_number() {
        for (position, pcr) in PcrIndex::ALL.into_iter().enumerate() {
            assert_eq!(pcr.index(), position);
            assert_eq!(PcrIndex::new(u32::from(pcr.number())), Some(pcr));
        }
    }

    #[test]
    fn clear_takes_lockout_and_platform_alone() {
        assert_eq!(read::<TpmiRhClear>(&[0x40, 0, 0, 0x0A]), Ok(TpmiRhClear::Lockout));
        assert_eq!(read::<TpmiRhClear>(&[0x40, 0, 0, 0x0C]), Ok(TpmiRhClear::Platform));
        assert_eq!(read::<TpmiRhClear>(&[0x40, 0, 0, 0x01]), Err(Rc::VALUE));
    }

    #[test]
    fn a_policy_belongs_to_a_hierarchy_or_a_timer() {
        for handle in [[0x40, 0, 0, 1], [0x40, 0, 0, 0x0A], [0x40, 0, 1, 0x10], [0x40, 0, 1, 0x1F]] {
            let read = read::<TpmiRhHierarchyPolicy>(&handle).unwrap();
            assert_eq!(Handle::from(read).0.to_be_bytes(), handle);
        }
        for handle in [[0x40, 0, 0, 7], [0x40, 0, 1, 0x0F], [0x40, 0, 1, 0x20]] {
            assert_eq!(read::<TpmiRhHierarchyPolicy>(&handle), Err(Rc::VALUE), "{handle:02x?}");
        }
    }

    #[test]
    fn an_entity_is_whatever_has_an_authorization_value() {
        for handle in [[0, 0, 0, 23], [1, 0xC0, 0, 2], [0x40, 0, 0, 0x0A], [0x40, 0, 1, 0x0F], [0x81, 0, 0, 1]] {
            assert!(read::<TpmiDhEntity>(&handle).is_ok(), "{handle:02x?}");
        }
        for handle in [[0, 0, 0, 24], [2, 0, 0, 0], [0x40, 0, 0, 7], [0x40, 0, 0, 0x0D], [0x90, 0, 0, 0]] {
            assert_eq!(read::<TpmiDhEntity>(&handle), Err(Rc::VALUE), "{handle:02x?}");
        }
    }
}
