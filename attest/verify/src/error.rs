// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why evidence was refused: each variant names the thing at fault, and what was expected of it.

use core::fmt;

use crate::UnixTime;

/// The reason for which a piece of evidence was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are not the structure that they claim to be.
    Malformed {
        /// The structure.
        what: &'static str,
        /// What the parser said.
        detail: String,
    },
    /// Bytes are not an SNP structure of a known version.
    Snp(evtpm_snp::Error),
    /// Bytes are not evidence of a known form.
    Evidence(evtpm_evidence::Error),
    /// Bytes are not an SVSM structure of a known version.
    Svsm(evtpm_svsm_abi::Error),
    /// A certificate carries a key of a kind that is not looked at.
    UnsupportedKey {
        /// The certificate's subject.
        of: String,
    },
    /// A certificate or list is signed by an algorithm that is not on the allow-list.
    UnsupportedSignature {
        /// The certificate's subject.
        of: String,
        /// What is not supported.
        detail: String,
    },
    /// A certificate or list has a critical extension that is not understood.
    UnknownCriticalExtension {
        /// The certificate's subject.
        of: String,
        /// The extension.
        oid: String,
    },
    /// A certificate that issues others may not do so.
    NotAnAuthority {
        /// The certificate's subject.
        of: String,
        /// The reason.
        detail: String,
    },
    /// An authority's certificate stands where an endorsement key is expected.
    AuthorityAsLeaf {
        /// The certificate's subject.
        of: String,
    },
    /// The validity period is still to come.
    NotYetValid {
        /// The certificate's or list's name.
        of: String,
        /// The first second of the period.
        from: UnixTime,
        /// The moment of verification.
        at: UnixTime,
    },
    /// The validity period is over.
    Expired {
        /// The certificate's subject.
        of: String,
        /// The last second of the period.
        until: UnixTime,
        /// The moment of verification.
        at: UnixTime,
    },
    /// The authority revoked the certificate.
    Revoked {
        /// The certificate's subject.
        of: String,
        /// Its serial number.
        serial: Vec<u8>,
    },
    /// No certificate of the named issuer is at hand.
    MissingIssuer {
        /// The certificate's subject.
        of: String,
        /// The issuer that it names.
        issuer: String,
    },
    /// The chain ends in a root that the verifier does not hold.
    UntrustedRoot {
        /// The subject of the certificate whose issuer is not held.
        of: String,
        /// The root that it names.
        root: String,
    },
    /// A root that the caller offers as simulated does not say so in its name, or is not the one named.
    NotSimulated {
        /// The name that the caller gave.
        expected: String,
        /// The certificate's subject.
        actual: String,
    },
    /// A signature is wrong.
    BadSignature {
        /// What is signed.
        of: String,
        /// Whose key should have signed it.
        by: String,
    },
    /// The collateral has no endorsement key certificate of the kind that the report names.
    MissingEndorsementKey {
        /// `VCEK` or `VLEK`.
        kind: &'static str,
    },
    /// The platform masks its chip key, so that its reports carry no signature.
    MaskedChipKey,
    /// A number of the report's signature is not in [1, n).
    SignatureRange {
        /// `r` or `s`.
        number: &'static str,
    },
    /// The unsigned rest of the report's signature field is not zero.
    SignaturePadding,
    /// Two things that have to be equal are not.
    Mismatch {
        /// The claim that is at fault.
        what: Claim,
        /// What it has to be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// The SVSM nonce was answered too late.
    NonceExpired {
        /// When it expired.
        expired: UnixTime,
        /// The moment of verification.
        at: UnixTime,
    },
    /// The quote brings no certificates for its platform's key, so that it cannot be verified offline.
    NoPckChain {
        /// The type of its certification data.
        kind: u16,
    },
    /// Intel's collateral does not fit the quote, or `dcap-qvl` refuses one of them.
    Collateral {
        /// What was said.
        detail: String,
    },
    /// A key is not of the kind that claims or a certificate say it is.
    AttestationKey(crate::tpm::Error),
    /// The bound public area is not that of an endorsement key.
    EndorsementKey(crate::tpm::Error),
}

/// A claim that can contradict another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Claim {
    /// The number of the report's signature algorithm.
    SignatureAlgorithm,
    /// The kind of key that signed a report.
    SigningKey,
    /// The processor generation.
    Generation,
    /// The common name of a certificate.
    CommonName,
    /// The security patch levels that the endorsement key was derived from.
    ReportedTcb,
    /// The chip's identity.
    ChipId,
    /// The privilege level that a report was made for.
    Vmpl,
    /// The data that the requester had put into a report.
    ReportData,
    /// The endorsement key in a manifest.
    EndorsementKey,
    /// The key of a device's certificate.
    DeviceKey,
    /// A runtime measurement register of a TD.
    RuntimeRegister,
    /// The commitment of a quoting enclave's report to the attestation key.
    AttestationKeyBinding,
    /// The commitment of a platform's challenge to the realm's key.
    RealmKeyBinding,
    /// The hardware's report inside of other evidence.
    HardwareReport,
    /// Who issued an endorsement.
    Issuer,
    /// What a certificate's key may be used for.
    KeyUsage,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignatureAlgorithm => "signature algorithm",
            Self::SigningKey => "signing key",
            Self::Generation => "processor generation",
            Self::CommonName => "common name",
            Self::ReportedTcb => "reported TCB",
            Self::ChipId => "chip id",
            Self::Vmpl => "VMPL",
            Self::ReportData => "report data",
            Self::EndorsementKey => "endorsement key",
            Self::DeviceKey => "key in a device's certificate",
            Self::RuntimeRegister => "runtime measurement register",
            Self::AttestationKeyBinding => "report data of the quoting enclave",
            Self::RealmKeyBinding => "platform's challenge",
            Self::HardwareReport => "hardware report",
            Self::Issuer => "issuer",
            Self::KeyUsage => "extended key usage",
        })
    }
}

impl Error {
    /// Says that `what` is `actual` where it has to be `expected`.
    pub(crate) fn mismatch(what: Claim, expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        Self::Mismatch { what, expected: expected.to_string(), actual: actual.to_string() }
    }
}

impl From<evtpm_snp::Error> for Error {
    fn from(error: evtpm_snp::Error) -> Self {
        Self::Snp(error)
    }
}

impl From<evtpm_evidence::Error> for Error {
    fn from(error: evtpm_evidence::Error) -> Self {
        Self::Evidence(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, detail } => write!(f, "malformed {what}: {detail}"),
            Self::Snp(error) => error.fmt(f),
            Self::Evidence(error) => error.fmt(f),
            Self::Svsm(error) => error.fmt(f),
            Self::UnsupportedKey { of } => write!(f, "{of}: its public key is of an unsupported kind"),
            Self::UnsupportedSignature { of, detail } => write!(f, "{of}: unsupported signature: {detail}"),
            Self::UnknownCriticalExtension { of, oid } => write!(f, "{of}: unknown critical extension {oid}"),
            Self::NotAnAuthority { of, detail } => write!(f, "{of}: may not issue: {detail}"),
            Self::AuthorityAsLeaf { of } => write!(f, "{of}: is an authority, not an endorsement key"),
            Self::NotYetValid { of, from, at } => write!(f, "{of}: not valid before {from}, verified at {at}"),
            Self::Expired { of, until, at } => write!(f, "{of}: expired at {until}, verified at {at}"),
            Self::Revoked { of, serial } => write!(f, "{of}: serial number {} is revoked", Hex(serial)),
            Self::MissingIssuer { of, issuer } => write!(f, "{of}: no certificate of its issuer {issuer}"),
            Self::UntrustedRoot { of, root } => write!(f, "{of}: its root {root} is not trusted"),
            Self::NotSimulated { expected, actual } => {
                write!(f, "{actual}: not a simulated root of the name \"{expected}\"")
            }
            Self::BadSignature { of, by } => write!(f, "{of}: not signed by {by}"),
            Self::MissingEndorsementKey { kind } => write!(f, "no {kind} certificate for the report"),
            Self::MaskedChipKey => f.write_str("the platform masks its chip key: the report is not signed"),
            Self::SignatureRange { number } => write!(f, "the report's signature: {number} is not in [1, n)"),
            Self::SignaturePadding => f.write_str("the report's signature is followed by bytes that are not zero"),
            Self::Mismatch { what, expected, actual } => write!(f, "{what}: expected {expected}, got {actual}"),
            Self::NonceExpired { expired, at } => write!(f, "the nonce expired at {expired}, verified at {at}"),
            Self::NoPckChain { kind } => write!(f, "the quote brings no certificate chain, but data of type {kind}"),
            Self::Collateral { detail } => write!(f, "Intel's collateral: {detail}"),
            Self::AttestationKey(error) | Self::EndorsementKey(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// Shows bytes as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
