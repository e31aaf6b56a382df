// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What verified evidence says, by name, and what it does not say.

use evtpm_appraise::Claims;
use evtpm_logs::{PcrIndex, PcrSet};
use evtpm_snp::Tcb;
use evtpm_verify::Verified;
use evtpm_verify::evtpm::{BindingFreshness, BoundEk};
use evtpm_verify::gce::CertifiedKey;
use evtpm_verify::logs::{Aggregate, CommandLine, Keyring, MeasuredBoot, MeasuredRuntime, SignatureState};
use evtpm_verify::snp::{Signer, SnpClaims};
use evtpm_verify::tpm::Quote;
use evtpm_verify::x509::Revocation;
use serde_json::{Value, json};

use super::args::Evidence;
use crate::bundle::role::GOOGLE_ENDORSEMENT;
use crate::output::hex;

/// One thing that was proven.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
}

impl Fact {
    pub(crate) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into() }
    }
}

pub(crate) fn of_report(report: &Verified<SnpClaims>) -> Vec<Fact> {
    let (raw, policy) = (&report.report, report.report.policy());
    let mut facts = vec![
        Fact::new("root", report.root().to_string()),
        Fact::new("signer", signer(report)),
        Fact::new("signer_valid_until", report.valid_until.to_string()),
        Fact::new("revocation", revocation(report.revocation)),
        Fact::new("generation", report.generation.name()),
        Fact::new("vmpl", raw.vmpl()),
        Fact::new("measurement", hex(&raw.measurement().0)),
        Fact::new("report_data", hex(raw.report_data())),
        Fact::new("host_data", hex(raw.host_data())),
        Fact::new("guest_policy", format!("{:#x}", policy.0)),
        Fact::new("debug_allowed", policy.debug()),
        Fact::new("migration_allowed", policy.migrate_ma()),
        Fact::new("guest_svn", raw.guest_svn()),
        Fact::new("id_key_digest", hex(raw.id_key_digest())),
        Fact::new("author_key_digest", hex(raw.author_key_digest())),
    ];
    let tcb = [
        ("reported_tcb", report.reported_tcb()),
        ("committed_tcb", report.committed_tcb()),
        ("current_tcb", report.current_tcb()),
        ("launch_tcb", report.launch_tcb()),
    ];
    facts.extend(tcb.map(|(name, tcb)| Fact::new(name, tcb_text(tcb))));
    facts
}

/// Names the key that signed a report.
pub(crate) fn signer(claims: &SnpClaims) -> String {
    let product = &claims.product_name;
    match &claims.signer {
        Signer::Chip { id } => format!("the VCEK of {product} chip {}", hex(id.get(..8).unwrap_or_default())),
        Signer::Provider { csp_id } => {
            format!("the VLEK of provider \"{}\" on {product}", crate::output::printable(csp_id))
        }
    }
}

fn tcb_text(tcb: Tcb) -> String {
    let fmc = tcb.fmc.map(|fmc| format!("fmc {fmc}, ")).unwrap_or_default();
    format!("{fmc}bootloader {}, tee {}, snp {}, microcode {}", tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode)
}

fn revocation(known: Revocation) -> String {
    match known {
        Revocation::Unchecked => "not checked".to_owned(),
        Revocation::Stale { next_update } => format!("checked, by a list outdated since {next_update}"),
        Revocation::Checked { next_update: Some(next_update) } => {
            format!("checked, by a list good until {next_update}")
        }
        Revocation::Checked { next_update: None } => "checked".to_owned(),
    }
}

pub(crate) fn of_binding(ek: &BoundEk) -> Vec<Fact> {
    let freshness = match ek.freshness() {
        BindingFreshness::Boot => "the report is of the boot that made the key, whenever that was",
        BindingFreshness::Challenged => "the report answers this verifier's nonce",
        BindingFreshness::Recorded => "the report answers the nonce that came with it",
        BindingFreshness::Lasting => "the key outlives boots",
    };
    vec![Fact::new("binding", ek.profile().name()), Fact::new("binding_freshness", freshness)]
}

pub(crate) fn of_instance(key: &CertifiedKey) -> Vec<Fact> {
    let Some(instance) = &key.instance else { return Vec::new() };
    vec![
        Fact::new("gce_zone", instance.zone.clone()),
        Fact::new("gce_project", format!("{} ({})", instance.project_id, instance.project_number)),
        Fact::new("gce_instance", format!("{} ({})", instance.instance_name, instance.instance_id)),
    ]
}

pub(crate) fn of_quote(quote: &Quote) -> Vec<Fact> {
    let clock = quote.clock();
    let mut banks = serde_json::Map::new();
    for bank in quote.banks() {
        let values: serde_json::Map<String, Value> =
            bank.iter().map(|(pcr, value)| (pcr_name(pcr), json!(value.to_string()))).collect();
        banks.insert(bank.algorithm().to_string(), Value::Object(values));
    }
    vec![
        Fact::new("pcrs", banks),
        Fact::new("clock_ms", clock.milliseconds),
        Fact::new("resets", clock.reset_count),
        Fact::new("restarts", clock.restart_count),
        Fact::new("clock_safe", clock.safe),
        Fact::new("firmware_version", format!("{:#018x}", quote.firmware_version())),
    ]
}

/// Two digits, so that names sort as numbers do.
fn pcr_name(pcr: PcrIndex) -> String {
    format!("{:02}", pcr.value())
}

pub(crate) fn of_boot(boot: &MeasuredBoot<'_>) -> Vec<Fact> {
    let command_lines: Vec<Value> = boot.command_lines().iter().map(command_line).collect();
    let secure_boot = match boot.secure_boot() {
        Some(true) => "on",
        Some(false) => "off",
        None => "not measured",
    };
    vec![Fact::new("secure_boot", secure_boot), Fact::new("command_lines", command_lines)]
}

fn command_line(line: &CommandLine) -> Value {
    match line {
        CommandLine::Text { pcr, text } => json!(format!("PCR {}: {text}", pcr.value())),
        CommandLine::Digest { pcr, digests } => {
            let digests: Vec<String> = digests.iter().map(|(bank, digest)| format!("{bank}:{digest}")).collect();
            json!(format!("PCR {}: {}", pcr.value(), digests.join(" ")))
        }
    }
}

pub(crate) fn of_runtime(runtime: &MeasuredRuntime<'_>, keyring: &Keyring) -> Vec<Fact> {
    let mut signatures = [("valid", 0_u64), ("invalid", 0), ("not checked", 0), ("none", 0)];
    let mut files = 0_u64;
    for file in runtime.files(keyring) {
        files += 1;
        let state = match file.signature {
            SignatureState::Valid { .. } => 0,
            SignatureState::Invalid { .. } | SignatureState::Malformed => 1,
            SignatureState::UnknownKey { .. } | SignatureState::Unchecked => 2,
            SignatureState::None => 3,
        };
        if let Some((_, count)) = signatures.get_mut(state) {
            *count += 1;
        }
    }
    let signatures: Vec<String> = signatures.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let aggregate = match runtime.aggregate() {
        Aggregate::Verified { algorithm, .. } => format!("recomputed from the quoted {algorithm} bank"),
        Aggregate::NotCovered { algorithm } => format!("not recomputed: the quote lacks its {algorithm} registers"),
    };
    vec![
        Fact::new("files", files),
        Fact::new("file_signatures", signatures.join(", ")),
        Fact::new("ima_entries_uncovered", runtime.uncovered_entries()),
        Fact::new("ima_violations", runtime.violations()),
        Fact::new("boot_aggregate", aggregate),
        Fact::new("ima_weak_banks", runtime.weak_banks().map(|bank| json!(bank.to_string())).collect::<Vec<Value>>()),
    ]
}

/// Lists what the reader might take for checked and is not.
pub(crate) fn not_checked(claims: &Claims, evidence: &Evidence) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut gap = |is_open: bool, text: &str| gaps.extend(is_open.then(|| text.to_owned()));
    let revocation = claims.report().map(|report| report.claims().revocation);
    gap(
        revocation == Some(Revocation::Unchecked),
        "revocation: no list of the authority that issued the report's signer was given",
    );
    gap(
        matches!(revocation, Some(Revocation::Stale { .. })),
        "revocation since the list's next update: a newer list might revoke the signer",
    );
    gap(
        evidence.report.is_none() && evidence.hardware.is_empty(),
        "what hardware this is and what it launched: no report was given, and no hardware vouches for anything",
    );
    let has_ek = evidence.ek.is_some() || evidence.manifest.is_some();
    gap(
        evidence.report.is_some() && evidence.hardware.hcl.is_none() && !has_ek,
        "whose TPM this is: no endorsement key was given, so the report leads to no TPM",
    );
    let is_certified = claims.key().is_some_and(|key| key.certified_by.is_some());
    gap(
        !evidence.ak_certificates.is_empty() && evidence.ak_authorities.is_empty(),
        "the attestation key's certificate: nobody said whose such certificates count (--ak-authority)",
    );
    gap(
        evidence.endorsement_authorities.is_empty()
            && evidence.endorsements.iter().any(|part| part.media == GOOGLE_ENDORSEMENT),
        "Google's endorsement of the launch: nobody named the authority that it is signed below (--endorsement-authority)",
    );
    gap(
        evidence.is_ak_bundled && !is_certified && evidence.certification.is_none(),
        "whose the attestation key is: it came in the bundle, from whoever packed that; name one that you know by --ak",
    );
    gap(
        evidence.ak.is_some() && !evidence.is_ak_bundled && !is_certified,
        "where the attestation key lives: it is yours to vouch for; only a live TPM can activate a credential for it",
    );
    gap(evidence.ak.is_some() && evidence.quote.is_none(), "what the attestation key signs: no quote was given");
    gap(evidence.quote.is_none(), "what the machine booted: no quote was given");
    gap(evidence.quote.is_some(), "freshness of the quote: its nonce came with it, so it is whole, but may be old");
    let unexplained = unexplained(claims);
    if !unexplained.is_empty() {
        gaps.push(format!("what PCRs {unexplained} stand for: no log that verified explains them"));
    }
    gaps
}

/// Returns the quoted registers that are nothing but numbers so far.
fn unexplained(claims: &Claims) -> PcrSet {
    let quoted = claims.quote().into_iter().flat_map(|quote| &quote.banks).flat_map(|bank| &bank.values);
    let quoted: PcrSet = quoted.map(|(pcr, _)| *pcr).collect();
    quoted.without(claims.boot().map_or(PcrSet::EMPTY, |boot| boot.explained))
}
