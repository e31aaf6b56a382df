// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Object identifiers of signature algorithms and public keys (RFC 8017, RFC 4055, RFC 5758, RFC 5480, NIST CSOR).
use evtpm_tpm_wire::{EccCurve, HashAlg, Overflow, PublicBody, TpmtPublic, TpmtSigScheme};

use super::der::{BIT_STRING, Builder, NULL, OID, SEQUENCE, context};
use crate::{ecc_point, rsa_exponent};

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// 1.2.840.113549.1.1.8
const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08];
/// 1.2.840.113549.1.1.10
const RSASSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];

/// Identifiers of a hash alone, with RSASSA-PKCS1-v1_5 and with ECDSA.
struct Hash {
    alone: &'static [u8],
    pkcs1: &'static [u8],
    ecdsa: &'static [u8],
}

const fn hash(alg: HashAlg) -> Option<Hash> {
    let (alone, pkcs1, ecdsa): (&[u8], &[u8], &[u8]) = match alg {
        HashAlg::Sha1 => (
            &[0x2B, 0x0E, 0x03, 0x02, 0x1A],
            &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05],
            &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01],
        ),
        HashAlg::Sha256 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
            &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B],
            &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02],
        ),
        HashAlg::Sha384 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
            &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C],
            &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03],
        ),
        HashAlg::Sha512 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
            &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D],
            &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04],
        ),
        HashAlg::Sha3_256 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0E],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0A],
        ),
        HashAlg::Sha3_384 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x09],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0F],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0B],
        ),
        HashAlg::Sha3_512 => (
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x0A],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x10],
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x0C],
        ),
        HashAlg::Sm3_256 | HashAlg::Shake256_512 => return None,
    };
    Some(Hash { alone, pkcs1, ecdsa })
}

const fn curve(curve: EccCurve) -> Option<&'static [u8]> {
    Some(match curve {
        EccCurve::NistP256 => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
        EccCurve::NistP384 => &[0x2B, 0x81, 0x04, 0x00, 0x22],
        EccCurve::NistP521 => &[0x2B, 0x81, 0x04, 0x00, 0x23],
        _ => return None,
    })
}

/// Tells whether a signature of this scheme has an identifier.
pub(super) const fn has_signature_algorithm(scheme: TpmtSigScheme) -> bool {
    match scheme {
        TpmtSigScheme::Rsassa(alg) | TpmtSigScheme::Rsapss(alg) | TpmtSigScheme::Ecdsa(alg) => hash(alg).is_some(),
        _ => false,
    }
}

/// Writes the identifier of a signature with this scheme; `salt` is the size of an RSAPSS salt.
pub(super) fn signature_algorithm(
    builder: &mut Builder<'_>,
    scheme: TpmtSigScheme,
    salt: usize,
) -> Result<(), Overflow> {
    let known = hash(scheme.hash_alg()).ok_or(Overflow)?;
    let mark = builder.mark();
    match scheme {
        TpmtSigScheme::Ecdsa(_) => {
            builder.element(OID, known.ecdsa)?;
            builder.wrap(SEQUENCE, mark)
        }
        TpmtSigScheme::Rsassa(_) => with_null(builder, known.pkcs1),
        TpmtSigScheme::Rsapss(_) => {
            pss_parameters(builder, &known, salt, scheme.hash_alg() == HashAlg::Sha1)?;
            builder.element(OID, RSASSA_PSS)?;
            builder.wrap(SEQUENCE, mark)
        }
        _ => Err(Overflow),
    }
}

/// The salt of RFC 4055 when its length is not given.
const DEFAULT_SALT: usize = 20;

/// SEQUENCE { [0] hash, [1] mask generation by MGF1 with the same hash, [2] salt length }, each of them left out where it has
/// its default, which for a hash is SHA-1.
fn pss_parameters(builder: &mut Builder<'_>, known: &Hash, salt: usize, is_default: bool) -> Result<(), Overflow> {
    let mark = builder.mark();
    if salt != DEFAULT_SALT {
        builder.unsigned(&u16::try_from(salt).map_err(|_| Overflow)?.to_be_bytes())?;
        builder.wrap(context(2), mark)?;
    }
    if is_default {
        return builder.wrap(SEQUENCE, mark);
    }

    let mask = builder.mark();
    with_null(builder, known.alone)?;
    builder.element(OID, MGF1)?;
    builder.wrap(SEQUENCE, mask)?;
    builder.wrap(context(1), mask)?;

    let digest = builder.mark();
    with_null(builder, known.alone)?;
    builder.wrap(context(0), digest)?;
    builder.wrap(SEQUENCE, mark)
}

fn with_null(builder: &mut Builder<'_>, oid: &[u8]) -> Result<(), Overflow> {
    let mark = builder.mark();
    builder.element(NULL, &[])?;
    builder.element(OID, oid)?;
    builder.wrap(SEQUENCE, mark)
}

/// Tells whether a key has a SubjectPublicKeyInfo.
pub(super) const fn has_public_key(public: &TpmtPublic) -> bool {
    match &public.body {
        PublicBody::Rsa { .. } => true,
        PublicBody::Ecc { parms, .. } => curve(parms.curve_id).is_some(),
        _ => false,
    }
}

/// Writes the SubjectPublicKeyInfo of a key.
pub(super) fn public_key(builder: &mut Builder<'_>, public: &TpmtPublic) -> Result<(), Overflow> {
    let mark = builder.mark();
    match &public.body {
        PublicBody::Rsa { parms, unique } => {
            builder.unsigned(&rsa_exponent(parms.exponent).to_be_bytes())?;
            builder.unsigned(unique.as_bytes())?;
            builder.wrap(SEQUENCE, mark)?;
            builder.bytes(&[0])?;
            builder.wrap(BIT_STRING, mark)?;
            with_null(builder, RSA_ENCRYPTION)?;
        }
        PublicBody::Ecc { parms, unique } => {
            let point = ecc_point(parms.curve_id, unique).map_err(|_| Overflow)?;
            // No unused bits, an uncompressed point.
            [point.y(), point.x(), &[0, 4]].into_iter().try_for_each(|part| builder.bytes(part))?;
            builder.wrap(BIT_STRING, mark)?;
            let algorithm = builder.mark();
            builder.element(OID, curve(parms.curve_id).ok_or(Overflow)?)?;
            builder.element(OID, EC_PUBLIC_KEY)?;
            builder.wrap(SEQUENCE, algorithm)?;
        }
        _ => return Err(Overflow),
    }
    builder.wrap(SEQUENCE, mark)
}
