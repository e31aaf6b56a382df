// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The hash functions that replay uses.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::{Digest, HashId, Hashes};

use crate::sm;

/// Hashes with [`RustCrypto`].
#[derive(Debug, Clone, Copy, Default)]
pub struct CryptoHashes;

impl Hashes for CryptoHashes {
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
        if algorithm == HashId::SM3_256 {
            return Digest::new(&sm::sm3(parts));
        }
        let algorithm = match algorithm {
            HashId::SHA1 => HashAlg::Sha1,
            HashId::SHA256 => HashAlg::Sha256,
            HashId::SHA384 => HashAlg::Sha384,
            HashId::SHA512 => HashAlg::Sha512,
            HashId::SHA3_256 => HashAlg::Sha3_256,
            HashId::SHA3_384 => HashAlg::Sha3_384,
            HashId::SHA3_512 => HashAlg::Sha3_512,
            _ => return None,
        };
        Digest::new(RustCrypto::hash(algorithm, parts).as_bytes())
    }
}
