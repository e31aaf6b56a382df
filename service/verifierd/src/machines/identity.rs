// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who a machine is: what launched it, not its endorsement key, which is new at each boot (rule 10).

use std::sync::Arc;

use evtpm_api::{Binding as Profile, LaunchEvidence};
use evtpm_evidence::hcl::{HardwareReport, HclReport};
use evtpm_verify::Verified;
use evtpm_verify::azure::ParavisorEk;
use evtpm_verify::ek_certificate::CertifiedEk;
use evtpm_verify::evtpm::{self, Binding, BoundEk, SvsmNonce};
use evtpm_verify::snp::{self, SnpClaims};
use evtpm_verify::tpm::{AkPublic, Endorsement, TrustedAk};

use super::{Kept, KnownBy, Live};
use crate::app::{App, now};
use crate::refusal::Refusal;
use crate::store::{self, KnownBoot, NewBoot};

/// Follows the chain from a root to the endorsement key, by what the evidence says that vouches for it.
pub(crate) fn believe_ek(
    app: &App,
    profile: Profile,
    nonce: Option<SvsmNonce>,
    evidence: &BindingEvidence<'_>,
) -> Result<Endorsement, Refusal> {
    let missing = |field| Refusal::bad_request(format!("this binding needs the field `{field}`"));
    let manifest = || evidence.manifest.ok_or_else(|| missing("manifest"));
    let nonce = || nonce.ok_or_else(|| missing("nonce"));
    let ek = evidence.ek_public;
    let binding = match profile {
        Profile::NvReport => Binding::NvReport { ek },
        Profile::SvsmV0 => Binding::ManifestV0 { manifest: manifest()?, nonce: nonce()? },
        Profile::SvsmV1 => Binding::ManifestV1 { manifest: manifest()?, nonce: nonce()?, ek },
        Profile::EkCertificate => {
            let certified = CertifiedEk::verify(evidence.statement, ek, &app.ek_authorities, now());
            return certified.map(Endorsement::from).map_err(Refusal::evidence);
        }
        Profile::AzureHcl => return believe_paravisor(app, evidence),
    };
    bound(app, evidence, binding).map(Endorsement::from)
}

/// Verifies a report at VMPL 0, and that it binds an endorsement key.
pub(crate) fn bound(app: &App, evidence: &BindingEvidence<'_>, binding: Binding<'_>) -> Result<BoundEk, Refusal> {
    let report = believe_report(app, evidence.statement, evidence.certificates)?;
    evtpm::bind(report, binding, now()).map_err(Refusal::evidence)
}

fn believe_paravisor(app: &App, evidence: &BindingEvidence<'_>) -> Result<Endorsement, Refusal> {
    let hcl = HclReport::parse(evidence.statement).map_err(Refusal::evidence)?;
    let HardwareReport::Snp(report) = hcl.report else {
        return Err(Refusal::evidence("the paravisor's report is not of SEV-SNP"));
    };
    let report = believe_report(app, report, evidence.certificates)?;
    let ek = ParavisorEk::bind_snp(&hcl, report, evidence.ek_public);
    ek.map(Endorsement::from).map_err(Refusal::evidence)
}

fn believe_report(app: &App, report: &[u8], certificates: Option<&[u8]>) -> Result<Verified<SnpClaims>, Refusal> {
    let mut collateral = app.collateral.clone();
    if let Some(table) = certificates {
        collateral.add_table(table).map_err(Refusal::evidence)?;
    }
    snp::verify(report, &collateral, &app.anchors, now()).map_err(Refusal::evidence)
}

/// What vouches for an endorsement key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindingEvidence<'a> {
    /// The report, or the certificate in its stead.
    pub(crate) statement: &'a [u8],
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) certificates: Option<&'a [u8]>,
    pub(crate) ek_public: &'a [u8],
}

impl<'a> BindingEvidence<'a> {
    pub(crate) fn of(evidence: &'a LaunchEvidence) -> Self {
        BindingEvidence {
            statement: statement(evidence),
            manifest: evidence.manifest.as_deref(),
            certificates: evidence.certificates.as_deref(),
            ek_public: &evidence.ek_public,
        }
    }
}

fn statement(evidence: &LaunchEvidence) -> &[u8] {
    match evidence.binding {
        Profile::EkCertificate => evidence.ek_certificate.as_deref().unwrap_or_default(),
        _ => &evidence.report,
    }
}

/// Writes down a boot whose key was proven, with what belief can be made of again.
pub(crate) fn new_boot(
    attester: String,
    machine: String,
    key: &TrustedAk,
    nonce: &[u8],
    evidence: LaunchEvidence,
) -> Result<NewBoot, Refusal> {
    let KnownBy { identity, measurement, platform } = KnownBy::of(key, &evidence.ek_public)?;
    let asked = matches!(evidence.binding, Profile::SvsmV0 | Profile::SvsmV1);
    Ok(NewBoot {
        machine,
        attester,
        launch_identity: identity,
        measurement,
        report: statement(&evidence).to_vec(),
        ek_public: evidence.ek_public.0,
        ak_public: evidence.ak_public.0,
        binding: store::Binding {
            profile: profile_name(evidence.binding).to_owned(),
            nonce: asked.then(|| nonce.to_vec()),
            manifest: evidence.manifest.map(|manifest| manifest.0),
            certificates: evidence.certificates.map(|certificates| certificates.0),
        },
        platform: platform.map(|platform| serde_json::to_string(&platform)).transpose().map_err(Refusal::internal)?,
    })
}

/// Makes belief again after a restart: the report is verified anew, with what is known of revocations today; that the
/// attestation key was proven is on the record's word.
pub(crate) fn recall(app: &App, attester: String, boot: KnownBoot) -> Result<Arc<Live>, Refusal> {
    let Some((ak_public, binding)) = boot.belief else { return Err(unknown_attester()) };
    let profile = profile(&binding.profile).ok_or_else(|| Refusal::internal("a boot has an unknown binding"))?;
    let nonce = binding.nonce.as_deref().and_then(|nonce| <[u8; SvsmNonce::SIZE]>::try_from(nonce).ok());
    let evidence = BindingEvidence {
        statement: &boot.report,
        manifest: binding.manifest.as_deref(),
        certificates: binding.certificates.as_deref(),
        ek_public: &boot.ek_public,
    };
    let ek = believe_ek(app, profile, nonce.map(SvsmNonce::answered), &evidence)?;
    let ak = AkPublic::from_tpm2b(&ak_public).map_err(Refusal::internal)?;
    let key = TrustedAk::remembered(ek, ak).map_err(Refusal::evidence)?.with_backend(app.backend);
    let kept = Kept::of(boot.standing).into();
    Ok(app.live.insert(Live { attester, machine: boot.machine, key, kept }))
}

pub(crate) fn unknown_attester() -> Refusal {
    Refusal::unknown("unknown-attester", "this attester is not known here: register again")
}

const PROFILES: [Profile; 5] =
    [Profile::NvReport, Profile::SvsmV0, Profile::SvsmV1, Profile::EkCertificate, Profile::AzureHcl];

fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::NvReport => "nv-report",
        Profile::SvsmV0 => "svsm-v0",
        Profile::SvsmV1 => "svsm-v1",
        Profile::EkCertificate => "ek-certificate",
        Profile::AzureHcl => "azure-hcl",
    }
}

fn profile(name: &str) -> Option<Profile> {
    PROFILES.into_iter().find(|profile| profile_name(*profile) == name)
}

/// The rule for the names that operators give to machines, policies and tokens.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    let is_good = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if is_good { Ok(()) } else { Err(Refusal::bad_request(format!("a {what}'s name is 1 to 64 of a-z A-Z 0-9 . _ -"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "vm-7.example_x"] {
            assert!(check_name("machine", name).is_ok(), "{name}");
        }
        for name in ["", "a b", "../x", "a\n", &"x".repeat(65)] {
            assert!(check_name("machine", name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_profile_is_found_by_the_name_it_is_stored_under() {
        for wanted in PROFILES {
            assert_eq!(profile(profile_name(wanted)), Some(wanted));
        }
    }
}
