// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The algorithm identifiers of the wire as the algorithms of the crypto crate; `None` where it has no such algorithm.

use evtpm_crypto as crypto;
use evtpm_tpm_wire as wire;

/// Finds the hash algorithm.
pub const fn hash(alg: wire::HashAlg) -> Option<crypto::HashAlg> {
    Some(match alg {
        wire::HashAlg::Sha1 => crypto::HashAlg::Sha1,
        wire::HashAlg::Sha256 => crypto::HashAlg::Sha256,
        wire::HashAlg::Sha384 => crypto::HashAlg::Sha384,
        wire::HashAlg::Sha512 => crypto::HashAlg::Sha512,
        wire::HashAlg::Sha3_256 => crypto::HashAlg::Sha3_256,
        wire::HashAlg::Sha3_384 => crypto::HashAlg::Sha3_384,
        wire::HashAlg::Sha3_512 => crypto::HashAlg::Sha3_512,
        wire::HashAlg::Sm3_256 => return None,
    })
}

/// Names a hash algorithm on the wire.
pub const fn wire_hash(alg: crypto::HashAlg) -> wire::HashAlg {
    match alg {
        crypto::HashAlg::Sha1 => wire::HashAlg::Sha1,
        crypto::HashAlg::Sha256 => wire::HashAlg::Sha256,
        crypto::HashAlg::Sha384 => wire::HashAlg::Sha384,
        crypto::HashAlg::Sha512 => wire::HashAlg::Sha512,
        crypto::HashAlg::Sha3_256 => wire::HashAlg::Sha3_256,
        crypto::HashAlg::Sha3_384 => wire::HashAlg::Sha3_384,
        crypto::HashAlg::Sha3_512 => wire::HashAlg::Sha3_512,
    }
}

/// Finds the curve.
pub const fn curve(curve: wire::EccCurve) -> Option<crypto::EccCurve> {
    match curve {
        wire::EccCurve::NistP256 => Some(crypto::EccCurve::P256),
        wire::EccCurve::NistP384 => Some(crypto::EccCurve::P384),
        wire::EccCurve::NistP521 => Some(crypto::EccCurve::P521),
        _ => None,
    }
}

/// Names a curve on the wire.
pub const fn wire_curve(curve: crypto::EccCurve) -> wire::EccCurve {
    match curve {
        crypto::EccCurve::P256 => wire::EccCurve::NistP256,
        crypto::EccCurve::P384 => wire::EccCurve::NistP384,
        crypto::EccCurve::P521 => wire::EccCurve::NistP521,
    }
}

/// Finds the mode of a block cipher; CMAC is none.
pub const fn cipher_mode(mode: wire::SymMode) -> Option<crypto::CipherMode> {
    match mode {
        wire::SymMode::Ctr => Some(crypto::CipherMode::Ctr),
        wire::SymMode::Ofb => Some(crypto::CipherMode::Ofb),
        wire::SymMode::Cbc => Some(crypto::CipherMode::Cbc),
        wire::SymMode::Cfb => Some(crypto::CipherMode::Cfb),
        wire::SymMode::Ecb => Some(crypto::CipherMode::Ecb),
        wire::SymMode::Cmac => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_know_goes_there_and_back() {
        for alg in crypto::HashAlg::ALL {
            assert_eq!(hash(wire_hash(alg)), Some(alg));
            assert_eq!(wire_hash(alg).digest_size(), alg.digest_size());
        }
        for known in crypto::EccCurve::ALL {
            assert_eq!(curve(wire_curve(known)), Some(known));
            assert_eq!(wire_curve(known).coordinate_size(), known.coordinate_size());
        }
    }
}
