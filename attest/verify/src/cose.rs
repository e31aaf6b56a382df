// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures of COSE messages (RFC 9053, "Signature Algorithms"; RFC 8230 for RSASSA-PSS).

use evtpm_crypto::{EccCurve, HashAlg};
use evtpm_evidence::cose::Sign1;

use crate::Error;
use crate::x509::{PublicKey, Scheme};

/// Checks that `key` signed a message by the algorithm in its protected header, which has to be one for that key.
pub(crate) fn check(of: &str, message: &Sign1<'_>, key: &PublicKey, by: &str) -> Result<(), Error> {
    let algorithm = message.algorithm()?;
    let (curve, hash) = match algorithm {
        -7 => (Some(EccCurve::P256), HashAlg::Sha256),
        -35 => (Some(EccCurve::P384), HashAlg::Sha384),
        -36 => (Some(EccCurve::P521), HashAlg::Sha512),
        -37 => (None, HashAlg::Sha256),
        -38 => (None, HashAlg::Sha384),
        -39 => (None, HashAlg::Sha512),
        _ => {
            let detail = format!("COSE algorithm {algorithm} is not on the allow-list");
            return Err(Error::UnsupportedSignature { of: of.to_owned(), detail });
        }
    };
    let genuine = match (key, curve) {
        (PublicKey::Ecc(point), Some(curve)) if point.curve() == curve => {
            let signature = message.signature();
            let size = curve.coordinate_size();
            // RFC 9053, 2.1: r and s are concatenated, each as long as the curve's order.
            let halves = signature.split_at_checked(size).filter(|(_, s)| s.len() == size);
            halves.is_some_and(|(r, s)| key.verifies_raw(hash, &message.signed(), r, s))
        }
        (PublicKey::Rsa { .. }, None) => {
            key.verifies(Scheme::Pss(hash), &message.signed(), message.signature()) == Some(true)
        }
        _ => return Err(Error::UnsupportedKey { of: by.to_owned() }),
    };
    if genuine { Ok(()) } else { Err(Error::BadSignature { of: of.to_owned(), by: by.to_owned() }) }
}
