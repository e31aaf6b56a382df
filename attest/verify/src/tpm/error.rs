// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a key or a quote is not believed.

use core::fmt;

use evtpm_crypto::EntropyError;
use evtpm_logs::{Digest, HashId, Hex, PcrIndex};
use evtpm_protocol::ProtocolError;
use evtpm_tpm_wire::Rc;

use crate::UnixTime;
use crate::tpm::{KeyRule, Selection};

/// The error of this module: each variant says who was wrong, and what was expected against what came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There are no random numbers.
    Entropy(EntropyError),
    /// The nonce was answered too late.
    NonceExpired {
        /// When it expired.
        expired: UnixTime,
        /// When the answer came.
        at: UnixTime,
    },
    /// A structure is not what it should be.
    Malformed {
        /// The structure.
        what: &'static str,
        /// What a TPM would answer to it.
        code: Rc,
    },
    /// A key breaks a rule for its kind.
    Key {
        /// "AK", "EK", "IDevID" or "storage key".
        whose: &'static str,
        /// The rule.
        rule: KeyRule,
    },
    /// The signed structure does not begin with TPM_GENERATED_VALUE: no TPM made it.
    NotGeneratedByTpm {
        /// What it begins with.
        actual: u32,
    },
    /// The signed structure is another attestation than the one asked for.
    AttestationType {
        /// The type asked for (`TPM_ST_ATTEST_QUOTE` is 8018h, `TPM_ST_ATTEST_CERTIFY` 8017h).
        expected: u16,
        /// Its type.
        actual: u16,
    },
    /// The signature is by another scheme or hash than the key's.
    SignatureScheme {
        /// The key's.
        expected: String,
        /// The signature's.
        actual: String,
    },
    /// The key did not make the signature.
    Signature(ProtocolError),
    /// The key that was given out to be imported did not make the certificate.
    Certifier(ProtocolError),
    /// The signed qualifying data are not the ones asked for.
    Nonce,
    /// A bank is selected twice.
    BankTwice {
        /// The bank.
        bank: HashId,
    },
    /// The signed selection is not what was asked for.
    Selection {
        /// What was asked for.
        expected: Selection,
        /// What was signed.
        actual: Selection,
    },
    /// The number of PCR values is not the number of selected PCRs.
    PcrCount {
        /// Selected PCRs.
        expected: usize,
        /// Values.
        actual: usize,
    },
    /// A PCR value is not as long as its bank's digests.
    PcrSize {
        /// The bank.
        bank: HashId,
        /// The PCR.
        pcr: PcrIndex,
        /// The bank's digest size.
        expected: usize,
        /// The value's size.
        actual: usize,
    },
    /// The PCR values do not hash to the signed digest.
    PcrDigest {
        /// The signed digest.
        expected: Box<Digest>,
        /// The digest of the values.
        actual: Box<Digest>,
    },
    /// Something else was certified than what came along: another key, another NV index.
    CertifiedName {
        /// The certified Name.
        expected: Vec<u8>,
        /// The Name of what came along.
        actual: Vec<u8>,
    },
    /// The certified creation is one with other creation data.
    CreationHash {
        /// The certified digest.
        actual: Vec<u8>,
    },
    /// The attester did not show the secret that only the TPM with both keys can open.
    CredentialProof,
    /// A paravisor's claims name another attestation key than the one that came along.
    UnclaimedKey,
    /// The credential could not be made for this EK.
    Credential(ProtocolError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Entropy(error) => write!(f, "no random numbers: {error}"),
            Error::NonceExpired { expired, at } => {
                write!(f, "the nonce expired at {}, the answer came at {}", expired.0, at.0)
            }
            Error::Malformed { what, code } => write!(f, "{what} is malformed ({code:?})"),
            Error::Key { whose, rule } => write!(f, "the {whose} is refused: {rule}"),
            Error::NotGeneratedByTpm { actual } => {
                write!(f, "the message begins with {actual:#010x} instead of TPM_GENERATED_VALUE")
            }
            Error::AttestationType { expected, actual } => {
                write!(f, "the message is an attestation of type {actual:#06x} instead of {expected:#06x}")
            }
            Error::SignatureScheme { expected, actual } => {
                write!(f, "the signature is {actual}, the key's scheme is {expected}")
            }
            Error::Signature(error) => write!(f, "the attestation key did not sign this message: {error}"),
            Error::Certifier(error) => {
                write!(f, "the key that was made for this endorsement key did not certify this: {error}")
            }
            Error::Nonce => f.write_str("the quote answers another nonce"),
            Error::BankTwice { bank } => write!(f, "the signed selection has the bank {bank} twice"),
            Error::Selection { expected, actual } => write!(f, "the quote covers {actual}, asked for was {expected}"),
            Error::PcrCount { expected, actual } => write!(f, "{actual} PCR values for {expected} selected PCRs"),
            Error::PcrSize { bank, pcr, expected, actual } => {
                write!(f, "the value of {bank} PCR {pcr} has {actual} bytes instead of {expected}")
            }
            Error::PcrDigest { expected, actual } => {
                write!(f, "the PCR values hash to {actual}, signed was {expected}")
            }
            Error::CertifiedName { expected, actual } => {
                write!(f, "certified is what has the Name {}, what came along has {}", Hex(expected), Hex(actual))
            }
            Error::CreationHash { actual } => {
                write!(
                    f,
                    "the certified creation data have the digest {}, those that came along have another",
                    Hex(actual)
                )
            }
            Error::CredentialProof => f.write_str("the attester could not open the credential"),
            Error::UnclaimedKey => f.write_str("the attestation key is not the one that the paravisor's claims name"),
            Error::Credential(error) => write!(f, "no credential can be made for this EK: {error}"),
        }
    }
}

impl core::error::Error for Error {}
