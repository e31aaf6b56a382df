// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong, and whose fault it is.

use core::fmt;

/// Why a cryptographic operation refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CryptoError {
    /// The noise source or the generator above it failed; nothing was produced.
    Entropy(EntropyError),
    /// The caller's symmetric key has a size that the cipher does not have.
    KeySize {
        /// Bytes given.
        actual: usize,
    },
    /// The caller's data is not a whole number of cipher blocks and the mode needs that.
    PartialBlock {
        /// Bytes given.
        actual: usize,
    },
    /// A buffer or encoded number has another size than the operation needs.
    Length {
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// More key material was asked for than the bits parameter can express or the function may give.
    OutputTooLong {
        /// Bytes asked for.
        actual: usize,
    },
    /// A private scalar is zero or not below the order of the curve.
    PrivateOutOfRange,
    /// A public point is not on the curve that it claims, or is the point at infinity.
    PointNotOnCurve,
    /// A point and a scalar (or signature) of different curves met.
    CurveMismatch,
    /// The result of a multiplication is the point at infinity.
    PointAtInfinity,
    /// The signature does not verify, or is not even well formed.
    SignatureInvalid,
    /// The authentication tag does not match: the data, its associated data, the IV or the key is another.
    TagMismatch,
    /// The RSA modulus has a size that is not supported.
    RsaKeySize {
        /// Bits given.
        bits: usize,
    },
    /// The RSA public exponent is even, below three or otherwise not supported.
    RsaExponent {
        /// The exponent given.
        exponent: u32,
    },
    /// The number to be raised is not below the RSA modulus.
    RsaInputOutOfRange,
    /// The RSA prime does not divide the modulus, or the key is inconsistent in another way.
    RsaKeyInconsistent,
    /// The RSA private operation gave a result that the public operation does not undo: a computation fault.
    RsaFault,
    /// The prime search ended without a key.
    RsaNoPrime,
    /// The message does not fit into one padded block.
    MessageTooLong {
        /// Largest number of bytes that fits.
        limit: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The padding of a decrypted block is wrong; deliberately says nothing more.
    Padding,
    /// A public key of ML-KEM has coefficients that are not reduced.
    LatticeKey,
    /// HashML-DSA does not sign digests of this hash algorithm.
    PreHash,
    /// The implementation was linked without this algorithm.
    Absent,
    /// A known-answer test gave another answer: the implementation must not be used.
    SelfTest,
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entropy(error) => write!(f, "randomness: {error}"),
            Self::KeySize { actual } => write!(f, "the cipher has no key of {actual} bytes"),
            Self::PartialBlock { actual } => write!(f, "{actual} bytes are not a whole number of cipher blocks"),
            Self::Length { expected, actual } => write!(f, "expected {expected} bytes, got {actual}"),
            Self::OutputTooLong { actual } => write!(f, "{actual} bytes of output are more than may be derived"),
            Self::PrivateOutOfRange => f.write_str("the private scalar is not between 1 and n - 1"),
            Self::PointNotOnCurve => f.write_str("the point is not on the curve"),
            Self::CurveMismatch => f.write_str("the operands belong to different curves"),
            Self::PointAtInfinity => f.write_str("the product is the point at infinity"),
            Self::SignatureInvalid => f.write_str("the signature is not valid"),
            Self::TagMismatch => f.write_str("the authentication tag does not match"),
            Self::RsaKeySize { bits } => write!(f, "RSA keys of {bits} bits are not supported"),
            Self::RsaExponent { exponent } => write!(f, "RSA exponent {exponent} is not supported"),
            Self::RsaInputOutOfRange => f.write_str("the number is not below the RSA modulus"),
            Self::RsaKeyInconsistent => f.write_str("the parts of the RSA key do not belong together"),
            Self::RsaFault => f.write_str("the RSA private operation was disturbed"),
            Self::RsaNoPrime => f.write_str("no RSA prime was found"),
            Self::MessageTooLong { limit, actual } => write!(f, "{actual} bytes, where at most {limit} fit"),
            Self::Padding => f.write_str("the padding is not valid"),
            Self::LatticeKey => f.write_str("the coefficients of the ML-KEM key are not reduced"),
            Self::PreHash => f.write_str("HashML-DSA does not sign digests of this algorithm"),
            Self::Absent => f.write_str("the algorithm is not linked"),
            Self::SelfTest => f.write_str("a known-answer test failed"),
        }
    }
}

impl core::error::Error for CryptoError {}

impl From<EntropyError> for CryptoError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

/// Why the noise source, or the generator that it feeds, cannot be trusted (SP 800-90B, clause "Health Tests").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntropyError {
    /// The source gave nothing for too many attempts in a row.
    Exhausted {
        /// Attempts made.
        attempts: u32,
    },
    /// Every bit of the samples is zero.
    StuckAtZeros,
    /// Every bit of the samples is one.
    StuckAtOnes,
    /// The samples repeat with a short period.
    Repeating {
        /// The period in samples.
        period: usize,
    },
    /// One value came more often in a row than chance allows (repetition count test).
    RepetitionCount {
        /// How often in a row.
        count: u32,
    },
    /// One value came more often in a window than chance allows (adaptive proportion test).
    AdaptiveProportion {
        /// How often in the window.
        count: u32,
    },
    /// One request asked for more than the generator may give at once (SP 800-90A, table of limits).
    RequestTooLong {
        /// Largest number of bytes per request.
        limit: usize,
        /// Bytes asked for.
        actual: usize,
    },
    /// The generator has given all it may and needs a reseed (SP 800-90A, "reseed_interval").
    ReseedRequired,
}

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { attempts } => write!(f, "the noise source gave nothing in {attempts} attempts"),
            Self::StuckAtZeros => f.write_str("the noise source gives only zeros"),
            Self::StuckAtOnes => f.write_str("the noise source gives only ones"),
            Self::Repeating { period } => write!(f, "the noise source repeats every {period} samples"),
            Self::RepetitionCount { count } => write!(f, "one sample came {count} times in a row"),
            Self::AdaptiveProportion { count } => write!(f, "one sample came {count} times in a window"),
            Self::RequestTooLong { limit, actual } => {
                write!(f, "{actual} bytes asked for, at most {limit} per request")
            }
            Self::ReseedRequired => f.write_str("the generator needs a reseed"),
        }
    }
}

impl core::error::Error for EntropyError {}
