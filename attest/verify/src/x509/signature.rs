// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signatures that are believed: RSASSA-PSS and RSASSA-PKCS1-v1_5 (RFC 8017, RFC 4055) and ECDSA (RFC 5758), none of them with SHA-1.

use der::{
    Decode, Encode,
    asn1::{AnyRef, BitString, ObjectIdentifier, UintRef},
};
use evtpm_crypto::{
    Crypto, EccSignature, HashAlg, RustCrypto,
    padding::pss::Salt,
    rsa::{rsa_pkcs1_verify, rsa_pss_verify},
};
use x509_cert::spki::{AlgorithmIdentifier, AlgorithmIdentifierOwned};

use super::{Certificate, PublicKey};
use crate::Error;

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

/// The shortest modulus of a key that is believed: RSA-2048; AMD's have 4096 bits.
const MIN_MODULUS_BYTES: usize = 256;

/// A signature scheme of the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSASSA-PSS, with MGF1 over the same hash and a salt as long as its digest.
    Pss(HashAlg),
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(HashAlg),
    /// ECDSA, the signature being `ECDSA-Sig-Value`.
    Ecdsa(HashAlg),
}

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

/// `ECDSA-Sig-Value` (RFC 3279, 2.2.3).
#[derive(der::Sequence)]
struct EcdsaValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Checks that `issuer`'s key signed `message`, which belongs to the thing named `of`.
pub(super) fn check(
    of: &str,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &BitString,
    issuer: &Certificate,
) -> Result<(), Error> {
    let scheme = Scheme::read(algorithm)
        .map_err(|detail| Error::UnsupportedSignature { of: of.to_owned(), detail: detail.to_owned() })?;
    let bad = || Error::BadSignature { of: of.to_owned(), by: issuer.common_name().to_owned() };
    let key = issuer.public_key()?;
    let signature = signature.as_bytes().ok_or_else(bad)?;
    match key.verifies(scheme, message, signature) {
        Some(true) => Ok(()),
        Some(false) => Err(bad()),
        None => Err(Error::UnsupportedKey { of: issuer.common_name().to_owned() }),
    }
}

impl PublicKey {
    /// Tells whether this key signed `message`; `None` if the key is not of the scheme's kind.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Option<bool> {
        match (scheme, self) {
            (Scheme::Pss(hash), Self::Rsa { modulus, exponent }) => {
                let digest = RustCrypto::hash(hash, &[message]);
                // RFC 8017, 8.1.2, with a salt as long as the digest.
                let salt = Salt::Exactly(hash.digest_size());
                let genuine = rsa_pss_verify(modulus, exponent, hash, digest.as_bytes(), salt, signature).is_ok();
                Some(genuine && modulus.len() >= MIN_MODULUS_BYTES)
            }
            (Scheme::Pkcs1(hash), Self::Rsa { modulus, exponent }) => {
                let digest = RustCrypto::hash(hash, &[message]);
                let genuine = rsa_pkcs1_verify(modulus, exponent, hash, digest.as_bytes(), signature).is_ok();
                Some(genuine && modulus.len() >= MIN_MODULUS_BYTES)
            }
            (Scheme::Ecdsa(hash), Self::Ecc(_)) => {
                let value = EcdsaValue::from_der(signature).ok();
                Some(
                    value.is_some_and(|value| self.verifies_raw(hash, message, value.r.as_bytes(), value.s.as_bytes())),
                )
            }
            _ => None,
        }
    }

    /// Tells whether this elliptic curve key signed `message` with ECDSA and SHA-256; the signature is in DER.
    #[must_use]
    pub fn verifies_ecdsa_sha256(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies(Scheme::Ecdsa(HashAlg::Sha256), message, signature) == Some(true)
    }

    /// Tells whether this elliptic curve key signed `message` with the numbers r and s.
    pub(crate) fn verifies_raw(&self, hash: HashAlg, message: &[u8], r: &[u8], s: &[u8]) -> bool {
        let Self::Ecc(point) = self else { return false };
        let digest = RustCrypto::hash(hash, &[message]);
        EccSignature::new(point.curve(), r, s)
            .is_ok_and(|signature| RustCrypto::ecdsa_verify(point, digest.as_bytes(), &signature).is_ok())
    }
}

impl Scheme {
    fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, &'static str> {
        let scheme = match algorithm.oid {
            RSASSA_PSS => return Self::read_pss(algorithm),
            SHA256_WITH_RSA => Self::Pkcs1(HashAlg::Sha256),
            SHA384_WITH_RSA => Self::Pkcs1(HashAlg::Sha384),
            SHA512_WITH_RSA => Self::Pkcs1(HashAlg::Sha512),
            ECDSA_WITH_SHA256 => Self::Ecdsa(HashAlg::Sha256),
            ECDSA_WITH_SHA384 => Self::Ecdsa(HashAlg::Sha384),
            ECDSA_WITH_SHA512 => Self::Ecdsa(HashAlg::Sha512),
            _ => return Err("the algorithm is not on the allow-list"),
        };
        // RFC 4055, 5: "implementations MUST accept the parameters being absent as well as present" as NULL for RSA;
        // RFC 5758, 3.2: for ECDSA "the encoding MUST omit the parameters field".
        match (&algorithm.parameters, scheme) {
            (None, _) => Ok(scheme),
            (Some(parameters), Self::Pkcs1(_)) if parameters.is_null() => Ok(scheme),
            _ => Err("the algorithm has parameters that it cannot have"),
        }
    }

    fn read_pss(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, &'static str> {
        let der = algorithm
            .parameters
            .as_ref()
            .and_then(|parameters| parameters.to_der().ok())
            .ok_or("RSASSA-PSS has no parameters")?;
        let parameters = PssParameters::from_der(&der).map_err(|_| "the RSASSA-PSS parameters are malformed")?;
        let hash = parameters.hash.as_ref().and_then(hash).ok_or("the RSASSA-PSS hash is not on the allow-list")?;
        let mask_hash = parameters
            .mask
            .filter(|mask| mask.oid == MGF1)
            .and_then(|mask| mask.parameters)
            .and_then(|inner| inner.decode_as::<AlgorithmIdentifier<AnyRef<'_>>>().ok());
        if mask_hash.as_ref().and_then(self::hash) != Some(hash) {
            return Err("the RSASSA-PSS mask is not MGF1 with the same hash");
        }
        if parameters.salt_length.map(usize::from) != Some(hash.digest_size()) {
            return Err("the RSASSA-PSS salt is not as long as the digest");
        }
        // RFC 8017, A.2.3: "trailerField … shall be 1".
        match parameters.trailer {
            None | Some(1) => Ok(Self::Pss(hash)),
            Some(_) => Err("the RSASSA-PSS trailer field is not 1"),
        }
    }
}

/// RFC 8017, A.2.1: the parameters of a hash are NULL, or absent.
fn hash(algorithm: &AlgorithmIdentifier<AnyRef<'_>>) -> Option<HashAlg> {
    if !algorithm.parameters.is_none_or(|parameters| parameters.is_null()) {
        return None;
    }
    match algorithm.oid {
        SHA256 => Some(HashAlg::Sha256),
        SHA384 => Some(HashAlg::Sha384),
        SHA512 => Some(HashAlg::Sha512),
        _ => None,
    }
}
