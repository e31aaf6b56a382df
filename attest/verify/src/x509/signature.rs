// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The one signature scheme of AMD's chains: RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 8017, A.2.3).

use der::{
    Decode, Encode,
    asn1::{AnyRef, BitString, ObjectIdentifier},
};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto, padding::pss::Salt, rsa::rsa_pss_verify};
use x509_cert::spki::{AlgorithmIdentifier, AlgorithmIdentifierOwned};

use super::{Certificate, PublicKey};
use crate::Error;

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

const SALT_BYTES: u8 = 48;

/// The shortest modulus of an authority: RSA-2048; AMD's have 4096 bits.
const MIN_MODULUS_BYTES: usize = 256;

/// `RSASSA-PSS-params` (RFC 8017, A.2.3).
///
/// DER leaves out a field that has its default value, yet AMD's ARKs, ASKs and older VCEKs state the trailer
/// field's default, so every field is read as optional.
#[derive(der::Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifier<AnyRef<'a>>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifier<AnyRef<'a>>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_length: Option<u8>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

/// Checks that `issuer`'s key signed `message`, which belongs to the thing named `of`.
pub(super) fn check(
    of: &str,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &BitString,
    issuer: &Certificate,
) -> Result<(), Error> {
    check_algorithm(algorithm)
        .map_err(|detail| Error::UnsupportedSignature { of: of.to_owned(), detail: detail.to_owned() })?;
    let bad = || Error::BadSignature { of: of.to_owned(), by: issuer.common_name().to_owned() };
    let PublicKey::Rsa { modulus, exponent } = issuer.public_key()? else {
        return Err(Error::UnsupportedKey { of: issuer.common_name().to_owned() });
    };
    let signature = signature.as_bytes().ok_or_else(bad)?;
    if modulus.len() < MIN_MODULUS_BYTES || !pss_sha384(&modulus, &exponent, message, signature) {
        return Err(bad());
    }
    Ok(())
}

fn check_algorithm(algorithm: &AlgorithmIdentifierOwned) -> Result<(), &'static str> {
    if algorithm.oid != RSASSA_PSS {
        return Err("the algorithm is not RSASSA-PSS");
    }
    let der = algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.to_der().ok())
        .ok_or("RSASSA-PSS has no parameters")?;
    let parameters = PssParameters::from_der(&der).map_err(|_| "the RSASSA-PSS parameters are malformed")?;
    if !parameters.hash.as_ref().is_some_and(is_sha384) {
        return Err("the RSASSA-PSS hash is not SHA-384");
    }
    let mask_hash = parameters
        .mask
        .filter(|mask| mask.oid == MGF1)
        .and_then(|mask| mask.parameters)
        .and_then(|inner| inner.decode_as::<AlgorithmIdentifier<AnyRef<'_>>>().ok());
    if !mask_hash.as_ref().is_some_and(is_sha384) {
        return Err("the RSASSA-PSS mask is not MGF1 with SHA-384");
    }
    if parameters.salt_length != Some(SALT_BYTES) {
        return Err("the RSASSA-PSS salt is not 48 bytes");
    }
    // RFC 8017, A.2.3: "trailerField … shall be 1".
    match parameters.trailer {
        None | Some(1) => Ok(()),
        Some(_) => Err("the RSASSA-PSS trailer field is not 1"),
    }
}

/// RFC 8017, A.2.1: the parameters of a hash are NULL, or absent.
fn is_sha384(algorithm: &AlgorithmIdentifier<AnyRef<'_>>) -> bool {
    algorithm.oid == SHA384 && algorithm.parameters.is_none_or(|parameters| parameters.is_null())
}

/// RFC 8017, 8.1.2, with SHA-384 and a salt of 48 bytes.
fn pss_sha384(modulus: &[u8], exponent: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let digest = RustCrypto::hash(HashAlg::Sha384, &[message]);
    let salt = Salt::Exactly(usize::from(SALT_BYTES));
    rsa_pss_verify(modulus, exponent, HashAlg::Sha384, digest.as_bytes(), salt, signature).is_ok()
}
