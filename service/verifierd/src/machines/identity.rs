// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who a machine is: what launched it, not its endorsement key, which is new at each boot (rule 10).

use std::sync::Arc;

use evtpm_api::{Binding as Profile, LaunchEvidence};
use evtpm_appraise::LaunchIdentity;
use evtpm_verify::evtpm::{self, BoundEk, SvsmNonce};
use evtpm_verify::snp;
use evtpm_verify::tpm::{AkOrigin, AkPublic, TrustedAk};

use super::{Kept, Live};
use crate::app::{App, now};
use crate::hex::hex;
use crate::inspect::platform;
use crate::refusal::Refusal;
use crate::store::{Binding, KnownBoot, NewBoot};

/// Follows the chain from the root to the endorsement key.
pub(crate) fn believe_ek(
    app: &App,
    profile: Profile,
    nonce: Option<SvsmNonce>,
    evidence: &BindingEvidence<'_>,
) -> Result<BoundEk, Refusal> {
    let mut collateral = app.collateral.clone();
    if let Some(table) = evidence.certificates {
        collateral.add_table(table).map_err(Refusal::evidence)?;
    }
    let at = now();
    let report = snp::verify(evidence.report, &collateral, &app.anchors, at).map_err(Refusal::evidence)?;
    let missing = |field| Refusal::bad_request(format!("this binding needs the field `{field}`"));
    let manifest = || evidence.manifest.ok_or_else(|| missing("manifest"));
    let nonce = || nonce.ok_or_else(|| missing("nonce"));
    let binding = match profile {
        Profile::NvReport => evtpm::Binding::NvReport { ek: evidence.ek_public },
        Profile::SvsmV0 => evtpm::Binding::ManifestV0 { manifest: manifest()?, nonce: nonce()? },
        Profile::SvsmV1 => {
            evtpm::Binding::ManifestV1 { manifest: manifest()?, nonce: nonce()?, ek: evidence.ek_public }
        }
    };
    evtpm::bind(report, binding, at).map_err(Refusal::evidence)
}

/// What vouches for an endorsement key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindingEvidence<'a> {
    pub(crate) report: &'a [u8],
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) certificates: Option<&'a [u8]>,
    pub(crate) ek_public: &'a [u8],
}

impl<'a> BindingEvidence<'a> {
    pub(crate) fn of(evidence: &'a LaunchEvidence) -> Self {
        BindingEvidence {
            report: &evidence.report,
            manifest: evidence.manifest.as_deref(),
            certificates: evidence.certificates.as_deref(),
            ek_public: &evidence.ek_public,
        }
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
    let AkOrigin::Activated(ek) = key.origin() else {
        return Err(Refusal::internal("a key was believed without a credential"));
    };
    let claims = ek.report();
    Ok(NewBoot {
        machine,
        attester,
        launch_identity: LaunchIdentity::of(claims).digest().0.to_vec(),
        measurement: hex(&claims.report.measurement().0),
        ek_public: evidence.ek_public.0,
        ak_public: evidence.ak_public.0,
        report: evidence.report.0,
        binding: Binding {
            profile: profile_name(evidence.binding).to_owned(),
            nonce: (evidence.binding != Profile::NvReport).then(|| nonce.to_vec()),
            manifest: evidence.manifest.map(|manifest| manifest.0),
            certificates: evidence.certificates.map(|certificates| certificates.0),
        },
        platform: Some(serde_json::to_string(&platform(claims)).map_err(Refusal::internal)?),
    })
}

/// Makes belief again after a restart: the report is verified anew, with what is known of revocations today; that the
/// attestation key was proven is on the record's word.
pub(crate) fn recall(app: &App, attester: String, boot: KnownBoot) -> Result<Arc<Live>, Refusal> {
    let Some((ak_public, binding)) = boot.belief else { return Err(unknown_attester()) };
    let profile = profile(&binding.profile).ok_or_else(|| Refusal::internal("a boot has an unknown binding"))?;
    let nonce = binding.nonce.as_deref().and_then(|nonce| <[u8; SvsmNonce::SIZE]>::try_from(nonce).ok());
    let evidence = BindingEvidence {
        report: &boot.report,
        manifest: binding.manifest.as_deref(),
        certificates: binding.certificates.as_deref(),
        ek_public: &boot.ek_public,
    };
    let ek = believe_ek(app, profile, nonce.map(SvsmNonce::answered), &evidence)?;
    let ak = AkPublic::from_tpm2b(&ak_public).map_err(Refusal::internal)?;
    let kept = Kept::of(boot.standing).into();
    Ok(app.live.insert(Live {
        attester,
        machine: boot.machine,
        key: TrustedAk::remembered(ek, ak).with_backend(app.backend),
        kept,
    }))
}

pub(crate) fn unknown_attester() -> Refusal {
    Refusal::unknown("unknown-attester", "this attester is not known here: register again")
}

fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::NvReport => "nv-report",
        Profile::SvsmV0 => "svsm-v0",
        Profile::SvsmV1 => "svsm-v1",
    }
}

fn profile(name: &str) -> Option<Profile> {
    [Profile::NvReport, Profile::SvsmV0, Profile::SvsmV1].into_iter().find(|profile| profile_name(*profile) == name)
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
        for wanted in [Profile::NvReport, Profile::SvsmV0, Profile::SvsmV1] {
            assert_eq!(profile(profile_name(wanted)), Some(wanted));
        }
    }
}
