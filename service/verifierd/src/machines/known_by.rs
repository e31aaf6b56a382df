// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a machine is known by from boot to boot: its launch, where a report tells it; else its TPM, which outlives boots.

use evtpm_api::PlatformSummary;
use evtpm_appraise::{LaunchIdentity, identity_digest};
use evtpm_verify::azure::{HardwareProof, Paravisor};
use evtpm_verify::snp::SnpClaims;
use evtpm_verify::tpm::{AkOrigin, TrustedAk};

use crate::hex::hex;
use crate::inspect::platform;
use crate::refusal::Refusal;

/// What is pinned at a machine's first registration, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownBy {
    pub(crate) identity: Vec<u8>,
    /// The launch measurement, in hexadecimal.
    pub(crate) measurement: Option<String>,
    pub(crate) platform: Option<PlatformSummary>,
}

impl KnownBy {
    /// Reads it from what vouches for a key; `ek_public` is the endorsement key that was verified with it.
    pub(crate) fn of(key: &TrustedAk, ek_public: &[u8]) -> Result<Self, Refusal> {
        match key.origin() {
            AkOrigin::Activated(ek) => {
                let claims = ek.report();
                Ok(Self::launched(LaunchIdentity::of(claims).digest().0, claims))
            }
            AkOrigin::Claimed(paravisor) => Self::below_a_paravisor(paravisor, ek_public),
            AkOrigin::Certified(_) => {
                let identity = identity_digest(b"evtpm ek certificate identity v1\0", &[ek_public]).0;
                Ok(KnownBy { identity: identity.to_vec(), measurement: None, platform: None })
            }
            AkOrigin::Named => Err(Refusal::internal("a key was believed without a credential")),
        }
    }

    /// Azure moves a machine from chip to chip and changes the paravisor below it: it is known by its TPM where that is kept,
    /// else by the identifier that the paravisor gives it.
    fn below_a_paravisor(paravisor: &Paravisor, ek_public: &[u8]) -> Result<Self, Refusal> {
        let HardwareProof::Snp(claims) = &paravisor.proof else {
            return Err(Refusal::evidence("the paravisor's report is not of SEV-SNP"));
        };
        let identity = if is_kept(paravisor) {
            identity_digest(b"evtpm azure tpm identity v1\0", &[ek_public])
        } else {
            let vm_id = paravisor.claims.configuration.vm_id.as_deref();
            let vm_id = vm_id.ok_or_else(|| Refusal::evidence("the paravisor's claims have no vmUniqueId"))?;
            identity_digest(b"evtpm azure machine identity v1\0", &[&claims.report.measurement().0, vm_id.as_bytes()])
        };
        Ok(Self::launched(identity.0, claims))
    }

    fn launched(identity: [u8; 32], claims: &SnpClaims) -> Self {
        let measurement = Some(hex(&claims.report.measurement().0));
        KnownBy { identity: identity.to_vec(), measurement, platform: Some(platform(claims)) }
    }
}

/// Whether the keys outlive boots: then a reset of the TPM's clock is a boot like any other.
pub(crate) fn outlives_boots(key: &TrustedAk) -> bool {
    match key.origin() {
        AkOrigin::Certified(_) => true,
        AkOrigin::Claimed(paravisor) => is_kept(paravisor),
        AkOrigin::Activated(_) | AkOrigin::Named => false,
    }
}

/// Paravisors from before there were others do not say it.
fn is_kept(paravisor: &Paravisor) -> bool {
    paravisor.claims.configuration.tpm_persisted != Some(false)
}
