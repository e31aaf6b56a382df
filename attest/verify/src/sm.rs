// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SM2 signatures and SM3 digests (GB/T 32918.2, GB/T 32905), which Hygon's processors use.

use evtpm_evidence::csv::{Signature, SigningKey};
use sm2::dsa::VerifyingKey;
use sm2::dsa::signature::Verifier;
use sm3::{Digest, Sm3};

/// Hashes the concatenation of `parts`.
pub(crate) fn sm3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sm3::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Tells whether `key` signed `message` under its own name.
pub(crate) fn verifies(key: &SigningKey<'_>, message: &[u8], signature: &Signature) -> bool {
    let point = [[4].as_slice(), &key.x, &key.y].concat();
    let number = [signature.r, signature.s].concat();
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(key.user_id, &point), sm2::dsa::Signature::from_slice(&number))
    else {
        return false;
    };
    key.verify(message, &signature).is_ok()
}
