// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Azure's confidential VMs: the paravisor's runtime claims, a hardware report that commits to them, and the vTPM's
//! attestation key inside.
//!
//! ```text
//! Verified<SnpClaims> at VMPL 0, or Verified<DcapClaims, Vendor> ─ REPORT_DATA = hash(claims) ─► HCLAkPub ─► TrustedAk
//! ```
//!
//! That the code which made the claims is Azure's paravisor is for a policy to say, by the launch measurement.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto, constant_time_eq};
pub use evtpm_evidence::hcl::VmConfiguration;
use evtpm_evidence::hcl::{ClaimsHash, HardwareReport, HclReport, RuntimeClaims};
use evtpm_evidence::jwk::JwkKey;

use crate::dcap::DcapClaims;
use crate::ek_certificate::public_key;
use crate::error::Hex;
use crate::evtpm::public_area;
use crate::snp::SnpClaims;
use crate::tpm::{EkPublic, SignatureScheme, TrustedAk};
use crate::x509::PublicKey;
use crate::{Claim, Error, Vendor, Verified};

/// The vTPM's attestation key.
const AK: &str = "HCLAkPub";

/// The vTPM's endorsement key.
const EK: &str = "HCLEkPub";

/// The hardware's word for a paravisor's claims.
#[derive(Clone, Debug)]
pub enum HardwareProof {
    /// An SEV-SNP report.
    Snp(Box<Verified<SnpClaims>>),
    /// A TD's quote.
    Tdx(Box<Verified<DcapClaims, Vendor>>),
}

/// A paravisor's claims with the hardware's word for them.
#[derive(Clone, Debug)]
pub struct Paravisor {
    /// The hardware's word.
    pub proof: HardwareProof,
    /// What the paravisor says besides the key.
    pub claims: ParavisorClaims,
}

/// What a paravisor says of the virtual machine, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParavisorClaims {
    /// How the virtual machine is set up.
    pub configuration: VmConfiguration,
    /// What the guest had put in, in hexadecimal as the paravisor writes it.
    pub user_data: Option<String>,
}

/// Takes the attestation key out of claims that a verified SEV-SNP report at VMPL 0 commits to.
pub fn bind_snp(hcl: &HclReport<'_>, report: Verified<SnpClaims>) -> Result<TrustedAk, Error> {
    let HardwareReport::Snp(received) = hcl.report else {
        return Err(Error::mismatch(Claim::HardwareReport, "an SEV-SNP report", "a TDREPORT"));
    };
    // The report inside of the claims' envelope is the one that was verified, not another one of the same machine.
    if received != report.report.as_bytes() {
        return Err(Error::mismatch(Claim::HardwareReport, "the verified report", "another one"));
    }
    let vmpl = report.report.vmpl();
    if vmpl != 0 {
        return Err(Error::mismatch(Claim::Vmpl, 0, vmpl));
    }
    check_claims(hcl, report.report.report_data())?;
    attestation_key(hcl, HardwareProof::Snp(Box::new(report)))
}

/// A paravisor's endorsement key, and the attestation key that its claims name beside it.
#[derive(Clone, Debug)]
pub struct ParavisorEk {
    ek: EkPublic,
    ak: TrustedAk,
}

impl ParavisorEk {
    /// Takes both keys out of claims that a verified SEV-SNP report at VMPL 0 commits to; `ek` is the endorsement key's
    /// `TPM2B_PUBLIC`, of which the claims have the number alone.
    ///
    /// The claims answer nobody's nonce: that their TPM is alive is for a credential to prove.
    pub fn bind_snp(hcl: &HclReport<'_>, report: Verified<SnpClaims>, ek: &[u8]) -> Result<Self, Error> {
        let ak = bind_snp(hcl, report)?;
        let area = public_area(ek)?;
        let ek = EkPublic::from_tpmt(area).map_err(Error::EndorsementKey)?;
        let claims = RuntimeClaims::parse(hcl.runtime_claims)?;
        let JwkKey::Rsa { modulus, exponent } = claims.key(EK)?.key()? else {
            return Err(Error::UnsupportedKey { of: EK.to_owned() });
        };
        if public_key(ek.public()) != Some(PublicKey::Rsa { modulus, exponent }) {
            return Err(Error::mismatch(Claim::EndorsementKey, EK, Hex(area)));
        }
        Ok(Self { ek, ak })
    }

    /// Returns the endorsement key.
    pub const fn ek(&self) -> &EkPublic {
        &self.ek
    }

    /// Returns the attestation key that the claims name.
    pub const fn attestation_key(&self) -> &TrustedAk {
        &self.ak
    }
}

/// Takes the attestation key out of claims that a verified quote commits to.
pub fn bind_tdx(hcl: &HclReport<'_>, quote: Verified<DcapClaims, Vendor>) -> Result<TrustedAk, Error> {
    let HardwareReport::Tdx(received) = hcl.report else {
        return Err(Error::mismatch(Claim::HardwareReport, "a TDREPORT", "an SEV-SNP report"));
    };
    if received.report_data() != quote.report_data {
        return Err(Error::mismatch(Claim::ReportData, Hex(&quote.report_data), Hex(&received.report_data())));
    }
    check_claims(hcl, &quote.report_data)?;
    attestation_key(hcl, HardwareProof::Tdx(Box::new(quote)))
}

/// Checks that REPORT_DATA is the hash of the claims, then zeros.
pub fn check_claims(hcl: &HclReport<'_>, report_data: &[u8; 64]) -> Result<(), Error> {
    let hash = match hcl.hash {
        ClaimsHash::Sha256 => HashAlg::Sha256,
        ClaimsHash::Sha384 => HashAlg::Sha384,
        ClaimsHash::Sha512 => HashAlg::Sha512,
    };
    let digest = RustCrypto::hash(hash, &[hcl.runtime_claims]);
    let mut expected = [0; 64];
    expected.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    if constant_time_eq(report_data, &expected) {
        return Ok(());
    }
    Err(Error::mismatch(Claim::ReportData, Hex(&expected), Hex(report_data)))
}

/// The paravisor's key signs by RSASSA with SHA-256 (OpenHCL, "AK template").
fn attestation_key(hcl: &HclReport<'_>, proof: HardwareProof) -> Result<TrustedAk, Error> {
    let claims = RuntimeClaims::parse(hcl.runtime_claims)?;
    let JwkKey::Rsa { modulus, exponent } = claims.key(AK)?.key()? else {
        return Err(Error::UnsupportedKey { of: AK.to_owned() });
    };
    let said =
        ParavisorClaims { configuration: claims.vm_configuration.unwrap_or_default(), user_data: claims.user_data };
    let paravisor = Paravisor { proof, claims: said };
    TrustedAk::claimed(&PublicKey::Rsa { modulus, exponent }, SignatureScheme::RsaSsa(HashAlg::Sha256), paravisor)
        .map_err(Error::AttestationKey)
}
