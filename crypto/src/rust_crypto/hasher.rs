// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One type over the hash functions; the crates below wipe their states on drop.

use core::fmt;

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use sha3::digest::common::hazmat::SerializableState;
use sha3::{Digest as _, Sha3_256, Sha3_384, Sha3_512};

use super::shake::Shake256;
use crate::{Digest, HashAlg, StreamingHash};

/// A running hash computation of [`RustCrypto`](crate::RustCrypto).
#[derive(Clone)]
pub struct RustHasher(State);

#[derive(Clone)]
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
    Shake256(Shake256),
}

impl StreamingHash for RustHasher {
    fn new(alg: HashAlg) -> Self {
        Self(match alg {
            HashAlg::Sha1 => State::Sha1(Sha1::new()),
            HashAlg::Sha256 => State::Sha256(Sha256::new()),
            HashAlg::Sha384 => State::Sha384(Sha384::new()),
            HashAlg::Sha512 => State::Sha512(Sha512::new()),
            HashAlg::Sha3_256 => State::Sha3_256(Sha3_256::new()),
            HashAlg::Sha3_384 => State::Sha3_384(Sha3_384::new()),
            HashAlg::Sha3_512 => State::Sha3_512(Sha3_512::new()),
            HashAlg::Shake256_512 => State::Shake256(Shake256::new()),
        })
    }

    fn alg(&self) -> HashAlg {
        match self.0 {
            State::Sha1(_) => HashAlg::Sha1,
            State::Sha256(_) => HashAlg::Sha256,
            State::Sha384(_) => HashAlg::Sha384,
            State::Sha512(_) => HashAlg::Sha512,
            State::Sha3_256(_) => HashAlg::Sha3_256,
            State::Sha3_384(_) => HashAlg::Sha3_384,
            State::Sha3_512(_) => HashAlg::Sha3_512,
            State::Shake256(_) => HashAlg::Shake256_512,
        }
    }

    fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha1(hasher) => hasher.update(data),
            State::Sha256(hasher) => hasher.update(data),
            State::Sha384(hasher) => hasher.update(data),
            State::Sha512(hasher) => hasher.update(data),
            State::Sha3_256(hasher) => hasher.update(data),
            State::Sha3_384(hasher) => hasher.update(data),
            State::Sha3_512(hasher) => hasher.update(data),
            State::Shake256(hasher) => hasher.update(data),
        }
    }

    fn finish(self) -> Digest {
        match self.0 {
            State::Sha1(hasher) => take(hasher),
            State::Sha256(hasher) => take(hasher),
            State::Sha384(hasher) => take(hasher),
            State::Sha512(hasher) => take(hasher),
            State::Sha3_256(hasher) => take(hasher),
            State::Sha3_384(hasher) => take(hasher),
            State::Sha3_512(hasher) => take(hasher),
            State::Shake256(hasher) => take_bytes(&hasher.finish()),
        }
    }

    fn save(&self, out: &mut [u8]) -> Option<usize> {
        match &self.0 {
            State::Sha1(hasher) => put(&hasher.serialize(), out),
            State::Sha256(hasher) => put(&hasher.serialize(), out),
            State::Sha384(hasher) => put(&hasher.serialize(), out),
            State::Sha512(hasher) => put(&hasher.serialize(), out),
            State::Sha3_256(hasher) => put(&hasher.serialize(), out),
            State::Sha3_384(hasher) => put(&hasher.serialize(), out),
            State::Sha3_512(hasher) => put(&hasher.serialize(), out),
            State::Shake256(hasher) => put(&hasher.save(), out),
        }
    }

    fn restore(alg: HashAlg, saved: &[u8]) -> Option<Self> {
        Some(Self(match alg {
            HashAlg::Sha1 => State::Sha1(get(saved)?),
            HashAlg::Sha256 => State::Sha256(get(saved)?),
            HashAlg::Sha384 => State::Sha384(get(saved)?),
            HashAlg::Sha512 => State::Sha512(get(saved)?),
            HashAlg::Sha3_256 => State::Sha3_256(get(saved)?),
            HashAlg::Sha3_384 => State::Sha3_384(get(saved)?),
            HashAlg::Sha3_512 => State::Sha3_512(get(saved)?),
            HashAlg::Shake256_512 => State::Shake256(Shake256::restore(saved.try_into().ok()?)?),
        }))
    }
}

/// Hashes the concatenation of the parts without the detour over a state that could be any function's.
pub(super) fn digest(alg: HashAlg, parts: &[&[u8]]) -> Digest {
    match alg {
        HashAlg::Sha1 => digest_with::<Sha1>(parts),
        HashAlg::Sha256 => digest_with::<Sha256>(parts),
        HashAlg::Sha384 => digest_with::<Sha384>(parts),
        HashAlg::Sha512 => digest_with::<Sha512>(parts),
        HashAlg::Sha3_256 => digest_with::<Sha3_256>(parts),
        HashAlg::Sha3_384 => digest_with::<Sha3_384>(parts),
        HashAlg::Sha3_512 => digest_with::<Sha3_512>(parts),
        HashAlg::Shake256_512 => {
            let mut hasher = Shake256::new();
            parts.iter().for_each(|part| hasher.update(part));
            take_bytes(&hasher.finish())
        }
    }
}

fn digest_with<H: sha3::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = H::new();
    parts.iter().for_each(|part| hasher.update(part));
    take(hasher)
}

fn put(state: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..state.len())?.copy_from_slice(state);
    Some(state.len())
}

fn get<S: SerializableState>(saved: &[u8]) -> Option<S> {
    S::deserialize(saved.try_into().ok()?).ok()
}

// Writes the output where it stays: in as many bytes as it has.
fn take<H: sha3::Digest>(hasher: H) -> Digest {
    let mut digest = Digest::zeros(<H as sha3::Digest>::output_size());
    if let Ok(output) = digest.as_mut_bytes().try_into() {
        hasher.finalize_into(output);
    }
    digest
}

// Every output above fits, so the empty digest is never seen.
fn take_bytes(output: &[u8]) -> Digest {
    Digest::from_slice(output).unwrap_or(Digest::EMPTY)
}

impl fmt::Debug for RustHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RustHasher").field(&self.alg()).finish()
    }
}

#[cfg(test)]
mod tests;
