// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Algorithms of the wire as the crypto crate knows them; `None` for what no profile of this engine supports.

use evtpm_crypto as crypto;
pub(crate) use evtpm_protocol::wire_hash;
use evtpm_protocol::{crypto_curve, crypto_hash};
use evtpm_tpm_wire as wire;

/// Finds the hash algorithm.
pub(crate) fn hash(alg: wire::HashAlg) -> Option<crypto::HashAlg> {
    crypto_hash(alg).ok()
}

/// Finds the curve.
pub(crate) fn curve(curve: wire::EccCurve) -> Option<crypto::EccCurve> {
    crypto_curve(curve).ok()
}
