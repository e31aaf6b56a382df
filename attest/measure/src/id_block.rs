// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a policy names about ID blocks: the digests of the keys that signed them (AMD 56860, "ID Authentication Information Structure").

use evtpm_snp::EcdsaPublicKey;

use crate::launch::sha384;

/// Computes ID_KEY_DIGEST or AUTHOR_KEY_DIGEST: SHA-384 over all 404h bytes of the key structure.
pub fn key_digest(key: &EcdsaPublicKey) -> [u8; 48] {
    sha384(key.as_bytes())
}

/// Computes the key digest of a P-384 point whose coordinates are big-endian.
pub fn point_digest(x: &[u8; 48], y: &[u8; 48]) -> [u8; 48] {
    key_digest(&EcdsaPublicKey::from_be(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_covers_the_padding() {
        let key = EcdsaPublicKey::from_be(&[1; 48], &[2; 48]);
        assert_eq!(key_digest(&key), point_digest(&[1; 48], &[2; 48]));
        let mut padded = key;
        padded.reserved[879] = 1;
        assert_ne!(key_digest(&padded), point_digest(&[1; 48], &[2; 48]));
    }
}
