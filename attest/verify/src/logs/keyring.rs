// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures of files in an IMA list, by keys that the verifier names.

use der::Decode;
use der::asn1::{ObjectIdentifier, UintRef};
use evtpm_crypto::padding::pkcs1;
use evtpm_crypto::{Crypto, EccCurve, EccPoint, EccSignature, HashAlg, RustCrypto, secp256k1};
use evtpm_logs::ima::{DigestKind, Entry};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::others;
use crate::Error;

/// What is known of a file's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureState {
    /// The entry has no signature, or its template has no room for one.
    None,
    /// A key of the keyring signed the digest.
    Valid {
        /// The key's identifier.
        key_id: u32,
    },
    /// A key of the keyring has this identifier, but did not sign the digest.
    Invalid {
        /// The key's identifier.
        key_id: u32,
    },
    /// No key of the keyring has this identifier.
    UnknownKey {
        /// The key's identifier.
        key_id: u32,
    },
    /// Nothing is known of it: it is of a kind that is not checked (fs-verity, version 3), or does not name its signer as a keyring
    /// does, and no key of the keyring made it.
    Unchecked,
    /// The attribute is not well formed.
    Malformed,
}

/// Keys that may sign files.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<(u32, FileKey)>,
}

#[derive(Debug, Clone)]
enum FileKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: u32,
    },
    Ecc(EccPoint),
    /// A point of secp256k1, uncompressed: no TPM has the curve, but `evmctl` signs with whatever OpenSSL has.
    Secp256k1(Vec<u8>),
}

/// `ECDSA-Sig-Value` (RFC 3279, 2.2.3).
#[derive(der::Sequence)]
struct EcdsaValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// `RSAPublicKey` (RFC 8017, A.1.1).
#[derive(der::Sequence)]
struct RsaKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl Keyring {
    /// Makes an empty keyring, with which every signature is by an unknown key.
    #[must_use]
    pub const fn new() -> Self {
        Keyring { keys: Vec::new() }
    }

    /// Adds a key given as DER `SubjectPublicKeyInfo` and returns its identifier, as `evmctl` computes it: the last
    /// four bytes of the SHA-1 of the key's bits.
    pub fn add(&mut self, spki: &[u8]) -> Result<u32, Error> {
        let malformed = |detail: der::Error| Error::Malformed { what: "public key", detail: detail.to_string() };
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(malformed)?;
        let bits = info.subject_public_key.as_bytes().unwrap_or_default();
        let unsupported = || Error::UnsupportedKey { of: String::from("an IMA signer") };
        let key = if info.algorithm.oid == RSA_ENCRYPTION {
            let key = RsaKey::from_der(bits).map_err(malformed)?;
            let exponent = key.exponent.as_bytes().iter().try_fold(0_u32, |value, byte| {
                value.checked_mul(256).and_then(|value| value.checked_add(u32::from(*byte)))
            });
            FileKey::Rsa { modulus: key.modulus.as_bytes().to_vec(), exponent: exponent.ok_or_else(unsupported)? }
        } else if curve(&info) == Some(SECP256K1) {
            if !secp256k1::is_point(bits) {
                return Err(unsupported());
            }
            FileKey::Secp256k1(bits.to_vec())
        } else {
            FileKey::Ecc(point(&info, bits).ok_or_else(unsupported)?)
        };

        let digest = RustCrypto::hash(HashAlg::Sha1, &[bits]);
        let key_id = digest.as_bytes().last_chunk::<4>().map_or(0, |last| u32::from_be_bytes(*last));
        self.keys.push((key_id, key));
        Ok(key_id)
    }

    /// Checks an entry's signatures: of its file, one in an attribute and one behind the content (`ima-modsig`), or of its file and
    /// what the file system says about it (`evm-sig`). One that is valid is enough.
    #[must_use]
    pub fn check(&self, entry: &Entry<'_>) -> SignatureState {
        let attribute = self.check_attribute(entry);
        if matches!(attribute, SignatureState::Valid { .. }) || !others::may_stand_in(entry) {
            return attribute;
        }
        [attribute, others::appended(self, entry), others::portable(self, entry)]
            .into_iter()
            .min_by_key(|state| match state {
                SignatureState::Valid { .. } => 0,
                SignatureState::Invalid { .. } => 1,
                SignatureState::Malformed => 2,
                SignatureState::UnknownKey { .. } => 3,
                SignatureState::Unchecked => 4,
                SignatureState::None => 5,
            })
            .unwrap_or(attribute)
    }

    /// Checks the signature of `security.ima`.
    fn check_attribute(&self, entry: &Entry<'_>) -> SignatureState {
        let signature = match entry.signature() {
            None => return SignatureState::None,
            Some(Err(_)) => return SignatureState::Malformed,
            Some(Ok(signature)) => signature,
        };
        let Some(digest) = entry.digest().filter(|digest| digest.kind == DigestKind::Content) else {
            return SignatureState::Unchecked;
        };
        if (signature.kind, signature.version) != (3, 2) {
            return SignatureState::Unchecked;
        }

        // The digest is signed as it is, so the algorithm in the signature must be that of the digest.
        let hash = hash(digest.algorithm).filter(|_| signature.hash_name() == Some(digest.algorithm));
        self.judge(signature.key_id, hash, digest.bytes, signature.signature)
    }

    /// Judges a signature over a digest by the key that it names; no hash means that it cannot be right.
    pub(super) fn judge(&self, key_id: u32, hash: Option<HashAlg>, digest: &[u8], signature: &[u8]) -> SignatureState {
        let mut known = self.keys.iter().filter(|(id, _)| *id == key_id).peekable();
        if known.peek().is_none() {
            return SignatureState::UnknownKey { key_id };
        }
        // Identifiers of 32 bits collide: any key of the keyring with this one may be the signer.
        let valid = hash.is_some_and(|hash| known.any(|(_, key)| key.verify(hash, digest, signature)));
        if valid { SignatureState::Valid { key_id } } else { SignatureState::Invalid { key_id } }
    }

    /// Finds the key that made a signature which does not name it.
    pub(super) fn find_signer(&self, hash: HashAlg, digest: &[u8], signature: &[u8]) -> Option<u32> {
        self.keys.iter().find_map(|(key_id, key)| key.verify(hash, digest, signature).then_some(*key_id))
    }
}

impl FileKey {
    fn verify(&self, hash: HashAlg, digest: &[u8], signature: &[u8]) -> bool {
        match self {
            FileKey::Rsa { modulus, exponent } => {
                let mut block = signature.to_vec();
                block.len() == modulus.len()
                    && RustCrypto::rsa_public(modulus, *exponent, &mut block).is_ok()
                    && pkcs1::verify_signature(hash, digest, &block).is_ok()
            }
            FileKey::Ecc(point) => EcdsaValue::from_der(signature)
                .ok()
                .and_then(|value| EccSignature::new(point.curve(), value.r.as_bytes(), value.s.as_bytes()).ok())
                .is_some_and(|signature| RustCrypto::ecdsa_verify(point, digest, &signature).is_ok()),
            FileKey::Secp256k1(point) => EcdsaValue::from_der(signature)
                .is_ok_and(|value| secp256k1::verify(point, digest, value.r.as_bytes(), value.s.as_bytes())),
        }
    }
}

pub(super) fn hash(name: &str) -> Option<HashAlg> {
    Some(match name {
        "sha256" => HashAlg::Sha256,
        "sha384" => HashAlg::Sha384,
        "sha512" => HashAlg::Sha512,
        _ => return None,
    })
}

/// Returns the named curve of an elliptic curve key.
fn curve(info: &SubjectPublicKeyInfoRef<'_>) -> Option<ObjectIdentifier> {
    info.algorithm.parameters?.decode_as().ok().filter(|_| info.algorithm.oid == EC_PUBLIC_KEY)
}

fn point(info: &SubjectPublicKeyInfoRef<'_>, bits: &[u8]) -> Option<EccPoint> {
    let curve = match curve(info)? {
        SECP256R1 => EccCurve::P256,
        SECP384R1 => EccCurve::P384,
        SECP521R1 => EccCurve::P521,
        _ => return None,
    };
    // SEC 1, 2.3.3: 04 ‖ X ‖ Y is the uncompressed point.
    let coordinates = bits.strip_prefix(&[4])?;
    let (x, y) = coordinates.split_at_checked(curve.coordinate_size())?;
    let point = EccPoint::new(curve, x, y).ok().filter(|_| y.len() == x.len())?;
    RustCrypto::ecc_on_curve(&point).then_some(point)
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
