// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a verified report to the endorsement key that it binds (verification rules 7 to 9): the first step of two-step attestation.
//!
//! ```text
//! Verified<SnpClaims> ─ bind(profile) ─► BoundEk ─ credential ─► TrustedAk
//! ```
//!
//! Whether the code at VMPL 0 is a vTPM at all is for the policy to say, by its launch measurement: without an SVSM the
//! guest's own firmware runs at VMPL 0 and can put any key into its report.

use core::fmt;

use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto, constant_time_eq};
use evtpm_svsm_abi::manifest::{ServicesManifest, VTPM_SERVICE, VtpmManifestV1};

use crate::{Claim, Error, Root, UnixTime, Verified, error::Hex, snp::SnpClaims, tpm::EkPublic};

#[cfg(test)]
mod tests;

/// A way in which a report vouches for an endorsement key.
#[derive(Debug)]
pub enum Binding<'a> {
    /// The report stands at the EK certificate's NV index: REPORT_DATA = SHA-512(TPM2B_PUBLIC), without a nonce.
    NvReport {
        /// The EK as a `TPM2B_PUBLIC`, with its size.
        ek: &'a [u8],
    },
    /// The vTPM service's manifest of version 0: REPORT_DATA = SHA-512(nonce ‖ TPMT_PUBLIC).
    ManifestV0 {
        /// The nonce that was asked with.
        nonce: SvsmNonce,
        /// The manifest, which is the RSA EK's `TPMT_PUBLIC`.
        manifest: &'a [u8],
    },
    /// The vTPM service's manifest of version 1: REPORT_DATA = SHA-512(nonce ‖ manifest).
    ManifestV1 {
        /// The nonce that was asked with.
        nonce: SvsmNonce,
        /// The manifest, a list of keys.
        manifest: &'a [u8],
        /// The EK as a `TPM2B_PUBLIC`, which has to be one of the list.
        ek: &'a [u8],
    },
    /// The manifest of all services, whose vTPM entry is a manifest of version 0.
    Services {
        /// The nonce that was asked with.
        nonce: SvsmNonce,
        /// The manifest, a table of GUIDs.
        manifest: &'a [u8],
    },
}

/// The name of a binding, for results and policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingProfile {
    /// The report at the EK certificate's NV index.
    NvReport,
    /// The vTPM manifest of version 0.
    SvsmManifestV0,
    /// The vTPM manifest of version 1.
    SvsmManifestV1,
    /// The manifest of all services.
    SvsmServices,
}

impl BindingProfile {
    /// Names the profile in results and policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NvReport => "nv-report",
            Self::SvsmManifestV0 => "svsm-manifest-v0",
            Self::SvsmManifestV1 => "svsm-manifest-v1",
            Self::SvsmServices => "svsm-services",
        }
    }
}

/// How fresh the bond between report and key is (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingFreshness {
    /// The key is new at each boot, so the report is of this boot, whenever that was.
    Boot,
    /// The report answers this verifier's nonce.
    Challenged,
    /// The report answers a nonce that came with the evidence.
    Recorded,
    /// The key outlives boots; the clock in what its TPM attests tells them apart.
    Lasting,
}

/// A nonce of the SVSM attestation protocol; used once, since a binding consumes it.
#[derive(PartialEq, Eq)]
pub struct SvsmNonce {
    bytes: [u8; Self::SIZE],
    source: NonceSource,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NonceSource {
    Issued { expires: UnixTime },
    Answered,
    Evidence,
}

impl SvsmNonce {
    /// The size that the protocol asks for.
    pub const SIZE: usize = 64;

    /// Makes a nonce that is worth nothing from the time `expires` on.
    pub fn issue(rng: &mut dyn Rng, expires: UnixTime) -> Result<Self, evtpm_crypto::EntropyError> {
        let mut bytes = [0; Self::SIZE];
        rng.fill(&mut bytes)?;
        Ok(Self { bytes, source: NonceSource::Issued { expires } })
    }

    /// Takes the nonce of recorded evidence from whoever recorded it; the binding will be
    /// [`BindingFreshness::Recorded`].
    pub const fn recorded(bytes: [u8; Self::SIZE]) -> Self {
        Self { bytes, source: NonceSource::Evidence }
    }

    /// Takes a nonce that this verifier issued and accepted the answer to before, from its own record of it.
    pub const fn answered(bytes: [u8; Self::SIZE]) -> Self {
        Self { bytes, source: NonceSource::Answered }
    }

    /// Returns the bytes to send to the attester.
    pub const fn challenge(&self) -> &[u8; Self::SIZE] {
        &self.bytes
    }

    fn consume(self, at: UnixTime) -> Result<([u8; Self::SIZE], BindingFreshness), Error> {
        match self.source {
            NonceSource::Issued { expires } if at >= expires => Err(Error::NonceExpired { expired: expires, at }),
            NonceSource::Issued { .. } | NonceSource::Answered => Ok((self.bytes, BindingFreshness::Challenged)),
            NonceSource::Evidence => Ok((self.bytes, BindingFreshness::Recorded)),
        }
    }
}

impl fmt::Debug for SvsmNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SvsmNonce(..)")
    }
}

/// An endorsement key that a verified report at VMPL 0 vouches for.
#[derive(Clone, Debug)]
pub struct BoundEk {
    area: Vec<u8>,
    ek: EkPublic,
    report: Verified<SnpClaims>,
    profile: BindingProfile,
    freshness: BindingFreshness,
}

impl BoundEk {
    /// Returns the EK's `TPMT_PUBLIC`, as received.
    pub fn public_area(&self) -> &[u8] {
        &self.area
    }

    /// Returns the EK, parsed and checked against the EK templates' rules.
    pub const fn ek(&self) -> &EkPublic {
        &self.ek
    }

    /// Returns the report that vouches for the key.
    pub const fn report(&self) -> &Verified<SnpClaims> {
        &self.report
    }

    /// Returns the root that the report's chain ends in.
    pub const fn root(&self) -> &Root {
        self.report.root()
    }

    /// Returns how the report binds the key.
    pub const fn profile(&self) -> BindingProfile {
        self.profile
    }

    /// Returns how fresh the bond is.
    pub const fn freshness(&self) -> BindingFreshness {
        self.freshness
    }
}

/// Checks that a report was made at VMPL 0 and commits to an endorsement key by one of the profiles.
pub fn bind(report: Verified<SnpClaims>, binding: Binding<'_>, at: UnixTime) -> Result<BoundEk, Error> {
    let vmpl = report.report.vmpl();
    if vmpl != 0 {
        return Err(Error::mismatch(Claim::Vmpl, 0, vmpl));
    }
    let (profile, freshness, area) = match binding {
        Binding::NvReport { ek } => {
            check_report_data(&report, &[ek])?;
            (BindingProfile::NvReport, BindingFreshness::Boot, public_area(ek)?)
        }
        Binding::ManifestV0 { nonce, manifest } => {
            let freshness = check_manifest(&report, nonce, manifest, at)?;
            (BindingProfile::SvsmManifestV0, freshness, manifest)
        }
        Binding::ManifestV1 { nonce, manifest, ek } => {
            let freshness = check_manifest(&report, nonce, manifest, at)?;
            if !VtpmManifestV1::parse(manifest).map_err(svsm)?.keys().any(|key| key == ek) {
                return Err(Error::mismatch(Claim::EndorsementKey, "a key of the manifest", Hex(ek)));
            }
            (BindingProfile::SvsmManifestV1, freshness, public_area(ek)?)
        }
        Binding::Services { nonce, manifest } => {
            let freshness = check_manifest(&report, nonce, manifest, at)?;
            let services = ServicesManifest::parse(manifest).map_err(svsm)?;
            let area = services.get(VTPM_SERVICE).map_err(svsm)?.ok_or_else(|| {
                Error::mismatch(Claim::EndorsementKey, "an entry of the vTPM service", "none in the manifest")
            })?;
            (BindingProfile::SvsmServices, freshness, area)
        }
    };
    let ek = EkPublic::from_tpmt(area).map_err(Error::EndorsementKey)?;
    Ok(BoundEk { area: area.to_vec(), ek, report, profile, freshness })
}

/// Checks that a report commits to the runtime claims of an Azure HCL: REPORT_DATA = SHA-256(claims), then zeros.
pub fn check_azure_runtime_claims(report: &Verified<SnpClaims>, claims: &[u8]) -> Result<(), Error> {
    let mut expected = [0; 64];
    let digest = RustCrypto::hash(HashAlg::Sha256, &[claims]);
    expected.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    compare_report_data(report, &expected)
}

fn check_manifest(
    report: &Verified<SnpClaims>,
    nonce: SvsmNonce,
    manifest: &[u8],
    at: UnixTime,
) -> Result<BindingFreshness, Error> {
    let (nonce, freshness) = nonce.consume(at)?;
    check_report_data(report, &[&nonce, manifest])?;
    Ok(freshness)
}

/// Compares REPORT_DATA with SHA-512 over the parts.
fn check_report_data(report: &Verified<SnpClaims>, parts: &[&[u8]]) -> Result<(), Error> {
    compare_report_data(report, RustCrypto::hash(HashAlg::Sha512, parts).as_bytes())
}

/// Compares all 64 bytes, so that nothing can hide in an unused rest.
fn compare_report_data(report: &Verified<SnpClaims>, expected: &[u8]) -> Result<(), Error> {
    let actual = report.report.report_data();
    if constant_time_eq(actual, expected) {
        return Ok(());
    }
    Err(Error::mismatch(Claim::ReportData, Hex(expected), Hex(actual)))
}

/// Takes the size off a `TPM2B_PUBLIC`, which has to be that of exactly the bytes behind it.
pub(crate) fn public_area(tpm2b: &[u8]) -> Result<&[u8], Error> {
    match tpm2b.split_first_chunk::<2>() {
        Some((size, area)) if usize::from(u16::from_be_bytes(*size)) == area.len() => Ok(area),
        _ => Err(Error::Malformed { what: "TPM2B_PUBLIC", detail: format!("{} bytes in all", tpm2b.len()) }),
    }
}

fn svsm(error: evtpm_svsm_abi::Error) -> Error {
    Error::Svsm(error)
}
