// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Little-endian numbers at offsets of a file, and digests as arrays.

use evtpm_crypto::Digest;

use crate::Error;

/// Returns the digest, whose algorithm the caller chose to have `N` bytes.
pub(crate) fn array_of_digest<const N: usize>(digest: &Digest) -> [u8; N] {
    digest.as_bytes().first_chunk().copied().unwrap_or([0; N])
}

/// Returns `N` bytes at `offset`, or says that the file lacks `what`.
pub(crate) fn array<const N: usize>(file: &[u8], offset: usize, what: &'static str) -> Result<[u8; N], Error> {
    file.get(offset..).and_then(<[u8]>::first_chunk).copied().ok_or(Error::Truncated { what })
}

/// Returns the 16-bit number at `offset`.
pub(crate) fn u16_at(file: &[u8], offset: usize, what: &'static str) -> Result<u16, Error> {
    array(file, offset, what).map(u16::from_le_bytes)
}

/// Returns the 32-bit number at `offset`.
pub(crate) fn u32_at(file: &[u8], offset: usize, what: &'static str) -> Result<u32, Error> {
    array(file, offset, what).map(u32::from_le_bytes)
}

/// Returns the 64-bit number at `offset`.
pub(crate) fn u64_at(file: &[u8], offset: usize, what: &'static str) -> Result<u64, Error> {
    array(file, offset, what).map(u64::from_le_bytes)
}
