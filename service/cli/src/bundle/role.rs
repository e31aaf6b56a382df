// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the parts of a bundle are: for each its label, which is the option of `evtpm verify` too, and its media types.

use evtpm_evidence::cmw::indicator::{ENDORSEMENTS, EVIDENCE, REFERENCE_VALUES};

/// One kind of evidence, or what vouches for the keys that sign it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Report,
    Certificates,
    CertificateTable,
    Endorsement,
    Ek,
    Manifest,
    Nonce,
    Ak,
    AkCertificate,
    Quote,
    Signature,
    Pcrs,
    QuoteNonce,
    EventLog,
    UserspaceLog,
    ImaLog,
    DcapQuote,
    DcapCollateral,
    HclReport,
    NitroDocument,
    CcaToken,
    PsaToken,
    NvidiaReport,
    NvidiaChain,
    NvidiaEvidence,
    Rim,
    SeExchange,
    SeHeader,
    CsvEvidence,
    CsvCertificates,
}

/// One DER certificate.
pub(super) const CERTIFICATE: &str = "application/pkix-cert";
/// Certificates in PEM (RFC 8555, 9.1).
pub(super) const PEM_CERTIFICATES: &str = "application/pem-certificate-chain";
/// Revocation lists, DER or PEM.
pub(crate) const REVOCATION_LISTS: &str = "application/pkix-crl";
/// An endorsement of Google's, where others are COSE_Sign1.
pub(crate) const GOOGLE_ENDORSEMENT: &str = "application/vnd.evtpm.gce-launch-endorsement";
/// A manifest, by its version.
pub(crate) const MANIFESTS: [&str; 3] = [
    "application/vnd.evtpm.svsm-manifest; version=0",
    "application/vnd.evtpm.svsm-manifest; version=1",
    "application/vnd.evtpm.svsm-manifest; version=services",
];

impl Role {
    pub(crate) const ALL: [Self; 30] = [
        Self::Report,
        Self::Certificates,
        Self::CertificateTable,
        Self::Endorsement,
        Self::Ek,
        Self::Manifest,
        Self::Nonce,
        Self::Ak,
        Self::AkCertificate,
        Self::Quote,
        Self::Signature,
        Self::Pcrs,
        Self::QuoteNonce,
        Self::EventLog,
        Self::UserspaceLog,
        Self::ImaLog,
        Self::DcapQuote,
        Self::DcapCollateral,
        Self::HclReport,
        Self::NitroDocument,
        Self::CcaToken,
        Self::PsaToken,
        Self::NvidiaReport,
        Self::NvidiaChain,
        Self::NvidiaEvidence,
        Self::Rim,
        Self::SeExchange,
        Self::SeHeader,
        Self::CsvEvidence,
        Self::CsvCertificates,
    ];

    /// Returns the label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Certificates => "certificates",
            Self::CertificateTable => "certificate-table",
            Self::Endorsement => "endorsement",
            Self::Ek => "ek",
            Self::Manifest => "manifest",
            Self::Nonce => "nonce",
            Self::Ak => "ak",
            Self::AkCertificate => "ak-certificate",
            Self::Quote => "quote",
            Self::Signature => "signature",
            Self::Pcrs => "pcrs",
            Self::QuoteNonce => "quote-nonce",
            Self::EventLog => "event-log",
            Self::UserspaceLog => "userspace-log",
            Self::ImaLog => "ima-log",
            Self::DcapQuote => "dcap-quote",
            Self::DcapCollateral => "dcap-collateral",
            Self::HclReport => "hcl-report",
            Self::NitroDocument => "nitro-document",
            Self::CcaToken => "cca-token",
            Self::PsaToken => "psa-token",
            Self::NvidiaReport => "nvidia-report",
            Self::NvidiaChain => "nvidia-chain",
            Self::NvidiaEvidence => "nvidia-evidence",
            Self::Rim => "rim",
            Self::SeExchange => "se-exchange",
            Self::SeHeader => "se-header",
            Self::CsvEvidence => "csv-evidence",
            Self::CsvCertificates => "csv-certificates",
        }
    }

    /// Returns the media types that such a part may have, the usual one first.
    pub(crate) const fn media(self) -> &'static [&'static str] {
        match self {
            Self::Report => &["application/vnd.evtpm.snp-report"],
            Self::Certificates => &[CERTIFICATE, PEM_CERTIFICATES, REVOCATION_LISTS],
            Self::CertificateTable => &["application/vnd.evtpm.snp-certificate-table"],
            Self::Endorsement => &["application/cose", GOOGLE_ENDORSEMENT],
            Self::Ek => &["application/vnd.evtpm.tpm2b-public"],
            Self::Manifest => &MANIFESTS,
            Self::Nonce | Self::QuoteNonce => &["application/octet-stream"],
            Self::Ak => &["application/vnd.evtpm.tpm-public"],
            Self::AkCertificate => &[CERTIFICATE, PEM_CERTIFICATES],
            Self::Quote => &["application/vnd.evtpm.tpms-attest"],
            Self::Signature => &["application/vnd.evtpm.tpmt-signature"],
            Self::Pcrs => &["application/vnd.evtpm.pcr-values"],
            Self::EventLog => &["application/vnd.evtpm.tcg-event-log"],
            Self::UserspaceLog => &["application/vnd.evtpm.canonical-log"],
            Self::ImaLog => &["application/vnd.evtpm.ima-list"],
            Self::DcapQuote => &["application/vnd.evtpm.dcap-quote"],
            Self::DcapCollateral => &["application/vnd.evtpm.dcap-collateral+json"],
            Self::HclReport => &["application/vnd.evtpm.hcl-report"],
            Self::NitroDocument => &["application/vnd.evtpm.nitro-document"],
            Self::CcaToken => &["application/vnd.evtpm.cca-token"],
            Self::PsaToken => &["application/vnd.evtpm.psa-token"],
            Self::NvidiaReport => &["application/vnd.evtpm.spdm-measurements"],
            Self::NvidiaChain => &[PEM_CERTIFICATES],
            Self::NvidiaEvidence => &["application/vnd.evtpm.nvidia-evidence+json"],
            Self::Rim => &["application/vnd.evtpm.nvidia-rim+xml"],
            Self::SeExchange => &["application/vnd.evtpm.se-exchange"],
            Self::SeHeader => &["application/vnd.evtpm.se-header"],
            Self::CsvEvidence => &["application/vnd.evtpm.csv-evidence"],
            Self::CsvCertificates => &["application/vnd.evtpm.csv-certificates"],
        }
    }

    /// Returns the kind of conceptual message that it is.
    pub(crate) const fn indicator(self) -> u32 {
        match self {
            Self::Certificates | Self::CertificateTable | Self::DcapCollateral | Self::NvidiaChain => ENDORSEMENTS,
            Self::CsvCertificates | Self::Endorsement | Self::AkCertificate => ENDORSEMENTS,
            Self::NvidiaEvidence | Self::CsvEvidence => ENDORSEMENTS | EVIDENCE,
            Self::Rim => REFERENCE_VALUES,
            _ => EVIDENCE,
        }
    }

    /// Tells whether there may be several; their labels end in `.0`, `.1` and so on.
    pub(crate) const fn repeats(self) -> bool {
        matches!(
            self,
            Self::Certificates
                | Self::AkCertificate
                | Self::Endorsement
                | Self::NvidiaReport
                | Self::NvidiaChain
                | Self::Rim
        )
    }

    /// Returns what such a part is of no use without.
    pub(crate) const fn needs(self) -> &'static [Self] {
        match self {
            Self::Ek => &[Self::Report],
            Self::AkCertificate => &[Self::Ak],
            Self::Manifest => &[Self::Report, Self::Nonce],
            Self::Nonce => &[Self::Manifest],
            Self::Quote => &[Self::Signature, Self::Pcrs, Self::QuoteNonce],
            Self::Signature | Self::Pcrs | Self::QuoteNonce => &[Self::Quote],
            Self::UserspaceLog => &[Self::EventLog],
            Self::DcapCollateral => &[Self::DcapQuote],
            Self::NvidiaReport => &[Self::NvidiaChain],
            Self::NvidiaChain => &[Self::NvidiaReport],
            Self::SeExchange => &[Self::SeHeader],
            Self::SeHeader => &[Self::SeExchange],
            Self::CsvCertificates => &[Self::CsvEvidence],
            _ => &[],
        }
    }

    /// Returns what such a part is of no use without any of.
    pub(crate) const fn needs_any(self) -> &'static [Self] {
        match self {
            Self::Rim => &[Self::NvidiaReport, Self::NvidiaEvidence],
            Self::Endorsement => &[Self::Report, Self::HclReport],
            _ => &[],
        }
    }

    /// Returns what such a part takes the place of, so that it cannot stand beside it.
    pub(crate) const fn excludes(self) -> &'static [Self] {
        match self {
            Self::HclReport => &[Self::Report, Self::Ak],
            _ => &[],
        }
    }

    /// Tells whether there is anything to verify in such a part alone.
    pub(crate) const fn is_evidence(self) -> bool {
        matches!(
            self,
            Self::Report
                | Self::Quote
                | Self::EventLog
                | Self::ImaLog
                | Self::DcapQuote
                | Self::HclReport
                | Self::NitroDocument
                | Self::CcaToken
                | Self::PsaToken
                | Self::NvidiaReport
                | Self::NvidiaEvidence
                | Self::SeExchange
                | Self::CsvEvidence
        )
    }
}
