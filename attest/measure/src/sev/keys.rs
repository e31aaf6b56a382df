// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transport keys that a guest's owner shares with the processor.

use core::fmt;

use evtpm_crypto::{Crypto, Digest, HashAlg, RustCrypto};
use zeroize::Zeroizing;

use crate::{Error, bytes::array_of_digest};

/// TIK: the key of all authentication codes.
#[derive(Clone)]
pub struct IntegrityKey(Zeroizing<[u8; 16]>);

/// TEK and TIK.
#[derive(Clone)]
pub struct TransportKeys {
    pub(super) encryption: Zeroizing<[u8; 16]>,
    pub(super) integrity: IntegrityKey,
}

impl IntegrityKey {
    /// Takes the key of 16 bytes.
    pub fn new(tik: &[u8]) -> Result<Self, Error> {
        key("TIK", tik).map(Self)
    }

    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mac: Digest = RustCrypto::hmac(HashAlg::Sha256, &*self.0, parts);
        array_of_digest(&mac)
    }
}

impl TransportKeys {
    /// Takes the keys of 16 bytes each.
    pub fn new(tek: &[u8], tik: &[u8]) -> Result<Self, Error> {
        Ok(Self { encryption: key("TEK", tek)?, integrity: IntegrityKey::new(tik)? })
    }
}

fn key(what: &'static str, bytes: &[u8]) -> Result<Zeroizing<[u8; 16]>, Error> {
    bytes
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| Error::Invalid { what, detail: format!("{} bytes, and not 16", bytes.len()) })
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntegrityKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for TransportKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportKeys").finish_non_exhaustive()
    }
}
