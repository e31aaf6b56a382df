// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ML-KEM and ML-DSA by parameter set (FIPS 203, "Parameter Sets"; FIPS 204, "Parameter Sets"), and what ML-DSA signs.
//!
//! Private keys are seeds here, as in a TPM: `d || z` of ML-KEM, `xi` of ML-DSA.

use zeroize::Zeroizing;

use crate::{Crypto, CryptoError, Digest, HashAlg, StreamingHash};

/// Bytes of a private key of ML-KEM, the seed `d || z`.
pub const MLKEM_SEED_SIZE: usize = 64;
/// Bytes of a private key of ML-DSA, the seed `xi`.
pub const MLDSA_SEED_SIZE: usize = 32;
/// Bytes of the message representative `mu` that ML-DSA signs.
pub const MU_SIZE: usize = 64;
/// Bytes of the longest context of a signature.
pub const MAX_SIGNATURE_CONTEXT: usize = 255;

/// A secret that a key encapsulation shares; wiped on drop.
pub type SharedKey = Zeroizing<[u8; 32]>;

/// A parameter set of ML-KEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MlKemSet {
    /// ML-KEM-512, of security category 1.
    MlKem512,
    /// ML-KEM-768, of security category 3.
    MlKem768,
    /// ML-KEM-1024, of security category 5.
    MlKem1024,
}

impl MlKemSet {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlKem512, Self::MlKem768, Self::MlKem1024];

    /// Returns the size of a public (encapsulation) key in bytes.
    #[must_use]
    pub const fn public_size(self) -> usize {
        match self {
            Self::MlKem512 => 800,
            Self::MlKem768 => 1184,
            Self::MlKem1024 => 1568,
        }
    }

    /// Returns the size of a ciphertext in bytes.
    #[must_use]
    pub const fn ciphertext_size(self) -> usize {
        match self {
            Self::MlKem512 => 768,
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
        }
    }
}

/// A parameter set of ML-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MlDsaSet {
    /// ML-DSA-44, of security category 2.
    MlDsa44,
    /// ML-DSA-65, of security category 3.
    MlDsa65,
    /// ML-DSA-87, of security category 5.
    MlDsa87,
}

impl MlDsaSet {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    /// Returns the size of a public key in bytes.
    #[must_use]
    pub const fn public_size(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// Returns the size of a signature in bytes.
    #[must_use]
    pub const fn signature_size(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }
}

/// Starts the message representative of ML-DSA: "`mu = H(BytesToBits(tr) || M', 64)`" with
/// "`M' = BytesToBits(IntegerToBytes(0, 1) || IntegerToBytes(|ctx|, 1) || ctx) || M`" (FIPS 204, "ML-DSA.Sign").
///
/// The message goes into the computation that comes back; its digest is `mu`.
///
/// # Errors
/// [`CryptoError::MessageTooLong`] for a context of more than 255 bytes.
pub fn mu_of_message<C: Crypto>(public: &[u8], context: &[u8]) -> Result<C::Hasher, CryptoError> {
    start_mu::<C>(0, public, context)
}

/// Computes the message representative of HashML-DSA: "`M' = BytesToBits(IntegerToBytes(1, 1) || IntegerToBytes(|ctx|, 1)
/// || ctx || OID || PH(M))`" (FIPS 204, "HashML-DSA.Sign").
///
/// # Errors
/// [`CryptoError::MessageTooLong`] for a context of more than 255 bytes, [`CryptoError::Length`] for a digest of another
/// size than the algorithm's, [`CryptoError::PreHash`] for SHA-1.
pub fn mu_of_digest<C: Crypto>(
    public: &[u8],
    context: &[u8],
    alg: HashAlg,
    digest: &[u8],
) -> Result<Digest, CryptoError> {
    if digest.len() != alg.digest_size() {
        return Err(CryptoError::Length { expected: alg.digest_size(), actual: digest.len() });
    }
    let mut hasher = start_mu::<C>(1, public, context)?;
    hasher.update(&object_identifier(alg).ok_or(CryptoError::PreHash)?);
    hasher.update(digest);
    Ok(hasher.finish())
}

fn start_mu<C: Crypto>(domain: u8, public: &[u8], context: &[u8]) -> Result<C::Hasher, CryptoError> {
    let too_long = CryptoError::MessageTooLong { limit: MAX_SIGNATURE_CONTEXT, actual: context.len() };
    let size = u8::try_from(context.len()).map_err(|_| too_long)?;
    let mut hasher = C::Hasher::new(HashAlg::Shake256_512);
    hasher.update(C::hash(HashAlg::Shake256_512, &[public]).as_bytes());
    hasher.update(&[domain, size]);
    hasher.update(context);
    Ok(hasher)
}

/// The DER encoding of the hash's object identifier in 2.16.840.1.101.3.4.2 ("an approved hash function or XOF"; FIPS 204,
/// "Pre-Hash ML-DSA Signature Generation"): SHA-1 is none.
pub(crate) const fn object_identifier(alg: HashAlg) -> Option<[u8; 11]> {
    let last = match alg {
        HashAlg::Sha1 => return None,
        HashAlg::Sha256 => 0x01,
        HashAlg::Sha384 => 0x02,
        HashAlg::Sha512 => 0x03,
        HashAlg::Sha3_256 => 0x08,
        HashAlg::Sha3_384 => 0x09,
        HashAlg::Sha3_512 => 0x0a,
        HashAlg::Shake256_512 => 0x0c,
    };
    Some([0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last])
}
