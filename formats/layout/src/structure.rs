// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `layout!` macro: a structure declared once, with the offsets of its specification table checked by the compiler.

use core::fmt;

/// A little-endian 16-bit field at any alignment.
pub type U16 = zerocopy::little_endian::U16;
/// A little-endian 32-bit field at any alignment.
pub type U32 = zerocopy::little_endian::U32;
/// A little-endian 64-bit field at any alignment.
pub type U64 = zerocopy::little_endian::U64;

/// Declares a packed little-endian structure as its specification tabulates it: size, then `offset field: type` lines.
///
/// Field types have alignment 1, so the structure has no padding and every byte pattern is a value of it; what a byte
/// pattern may mean is checked by the functions of the module that declares it. The declaring crate depends on `zerocopy`.
#[macro_export]
macro_rules! layout {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, $size:literal {
            $($(#[$field_meta:meta])* $offset:literal $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone,
            PartialEq,
            Eq,
            zerocopy::FromBytes,
            zerocopy::IntoBytes,
            zerocopy::Immutable,
            zerocopy::KnownLayout,
            zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        const _: () = {
            assert!(core::mem::size_of::<$name>() == $size);
            $(assert!(core::mem::offset_of!($name, $field) == $offset);)*
        };

        impl $name {
            /// The size of the structure in bytes.
            pub const SIZE: usize = $size;

            /// Returns the structure with every byte zero.
            #[must_use]
            pub fn zeroed() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }

            /// Views exactly [`Self::SIZE`] bytes as the structure, in place.
            pub fn view(bytes: &[u8]) -> Result<&Self, $crate::WrongLength> {
                <Self as zerocopy::FromBytes>::ref_from_bytes(bytes).map_err(|_| $crate::WrongLength {
                    what: stringify!($name),
                    expected: $size,
                    actual: bytes.len(),
                })
            }

            /// Views exactly [`Self::SIZE`] writable bytes as the structure, in place.
            pub fn view_mut(bytes: &mut [u8]) -> Result<&mut Self, $crate::WrongLength> {
                let actual = bytes.len();
                <Self as zerocopy::FromBytes>::mut_from_bytes(bytes).map_err(|_| $crate::WrongLength {
                    what: stringify!($name),
                    expected: $size,
                    actual,
                })
            }

            /// Returns the bytes of the structure.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $size] {
                zerocopy::transmute_ref!(self)
            }
        }
    };
}

/// There are more or fewer bytes than the structure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongLength {
    /// The structure.
    pub what: &'static str,
    /// The size that the specification gives, in bytes.
    pub expected: usize,
    /// The number of bytes received.
    pub actual: usize,
}

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, actual } = self;
        write!(f, "{what}: expected {expected} bytes, got {actual}")
    }
}

impl core::error::Error for WrongLength {}
