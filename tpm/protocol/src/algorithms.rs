// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From algorithms as the wire names them to algorithms as the cryptography knows them.
use evtpm_crypto::{CryptoError, EccPoint, MlDsaSet, MlKemSet};
use evtpm_tpm_wire::{EccCurve, HashAlg, TpmiMldsaParms, TpmiMlkemParms, TpmsEccPoint};

use crate::ProtocolError;

/// Returns the hash of the cryptography that the wire's identifier names.
pub const fn crypto_hash(hash: HashAlg) -> Result<evtpm_crypto::HashAlg, ProtocolError> {
    use evtpm_crypto::HashAlg as Available;
    Ok(match hash {
        HashAlg::Sha1 => Available::Sha1,
        HashAlg::Sha256 => Available::Sha256,
        HashAlg::Sha384 => Available::Sha384,
        HashAlg::Sha512 => Available::Sha512,
        HashAlg::Sha3_256 => Available::Sha3_256,
        HashAlg::Sha3_384 => Available::Sha3_384,
        HashAlg::Sha3_512 => Available::Sha3_512,
        HashAlg::Shake256_512 => Available::Shake256_512,
        HashAlg::Sm3_256 => return Err(ProtocolError::Hash(hash)),
    })
}

/// Returns the wire's identifier of a hash of the cryptography.
pub const fn wire_hash(hash: evtpm_crypto::HashAlg) -> HashAlg {
    use evtpm_crypto::HashAlg as Available;
    match hash {
        Available::Sha1 => HashAlg::Sha1,
        Available::Sha256 => HashAlg::Sha256,
        Available::Sha384 => HashAlg::Sha384,
        Available::Sha512 => HashAlg::Sha512,
        Available::Sha3_256 => HashAlg::Sha3_256,
        Available::Sha3_384 => HashAlg::Sha3_384,
        Available::Sha3_512 => HashAlg::Sha3_512,
        Available::Shake256_512 => HashAlg::Shake256_512,
    }
}

/// Returns the curve of the cryptography that the wire's identifier names.
pub const fn crypto_curve(curve: EccCurve) -> Result<evtpm_crypto::EccCurve, ProtocolError> {
    use evtpm_crypto::EccCurve as Available;
    Ok(match curve {
        EccCurve::NistP256 => Available::P256,
        EccCurve::NistP384 => Available::P384,
        EccCurve::NistP521 => Available::P521,
        EccCurve::BnP256 => Available::BnP256,
        _ => return Err(ProtocolError::Curve(curve)),
    })
}

/// Returns a point of the wire as the cryptography takes it; whether it is on the curve is checked where it is used.
pub fn ecc_point(curve: EccCurve, point: &TpmsEccPoint) -> Result<EccPoint, ProtocolError> {
    Ok(EccPoint::new(crypto_curve(curve)?, point.x.as_bytes(), point.y.as_bytes())?)
}

/// Returns the 32 bytes of a public key on Curve25519: "y is zero-length for the Edwards curves", "x contains the
/// little-endian X coordinate" or "the compressed point" (Part 1, "Public Points").
pub fn curve25519_key(point: &TpmsEccPoint) -> Result<[u8; 32], ProtocolError> {
    match point.x.as_bytes().try_into() {
        Ok(key) if point.y.is_empty() => Ok(key),
        _ => Err(CryptoError::PointNotOnCurve.into()),
    }
}

/// Returns the parameter set of ML-KEM that the wire's number names.
pub const fn mlkem_set(parms: TpmiMlkemParms) -> MlKemSet {
    match parms {
        TpmiMlkemParms::MlKem512 => MlKemSet::MlKem512,
        TpmiMlkemParms::MlKem768 => MlKemSet::MlKem768,
        TpmiMlkemParms::MlKem1024 => MlKemSet::MlKem1024,
    }
}

/// Returns the parameter set of ML-DSA that the wire's number names.
pub const fn mldsa_set(parms: TpmiMldsaParms) -> MlDsaSet {
    match parms {
        TpmiMldsaParms::MlDsa44 => MlDsaSet::MlDsa44,
        TpmiMldsaParms::MlDsa65 => MlDsaSet::MlDsa65,
        TpmiMldsaParms::MlDsa87 => MlDsaSet::MlDsa87,
    }
}

/// Returns the exponent of an RSA key ("An exponent of zero indicates that the exponent is the default of 2^16 + 1").
pub const fn rsa_exponent(exponent: u32) -> u32 {
    if exponent == 0 { 65_537 } else { exponent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_map_both_ways() {
        for hash in evtpm_crypto::HashAlg::ALL {
            assert_eq!(crypto_hash(wire_hash(hash)), Ok(hash));
            assert_eq!(wire_hash(hash).digest_size(), hash.digest_size());
        }
        assert_eq!(crypto_hash(HashAlg::Sm3_256), Err(ProtocolError::Hash(HashAlg::Sm3_256)));
    }

    #[test]
    fn curves_have_the_same_coordinates_on_both_sides() {
        for curve in [EccCurve::NistP256, EccCurve::NistP384, EccCurve::NistP521, EccCurve::BnP256] {
            assert_eq!(crypto_curve(curve).unwrap().coordinate_size(), curve.coordinate_size());
        }
    }
}
