// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verified claims as JSON, for policy engines outside; docs/POLICY.md lists the members.
//!
//! A member is there if the evidence is: nothing stands for what is not known.

use evtpm_verify::{
    dcap::{TcbStatus, Tee},
    logs::{CommandLine, SignatureState},
    rim::Comparison,
    snp::Signer,
    software::Component,
    tpm::Freshness,
    x509::Revocation,
};
use serde_json::{Map, Value, json};

use super::{BootClaims, Challenge, Claims, EndorsedLaunch, Proven, QuoteClaims, ReportClaims, RuntimeClaims};
use crate::policy::LifecycleState;

impl Claims {
    /// Writes all verified claims as JSON.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        let mut add = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.to_owned(), value)));
        add("time", self.time.map(|time| json!(time.0)));
        add("snp", self.snp.as_ref().map(snp));
        let endorsements = || self.endorsements.iter().map(endorsement).collect();
        add("endorsements", (!self.endorsements.is_empty()).then(endorsements));
        add("tdx", self.td().map(dcap));
        add("sgx", self.enclave().map(dcap));
        add("azure", self.azure.as_ref().map(azure));
        add("nitro", self.nitro.as_ref().map(nitro));
        add("cca_platform", self.cca_platform.as_ref().map(cca_platform));
        add("cca_realm", self.cca_realm.as_ref().map(cca_realm));
        add("psa", self.psa.as_ref().map(psa));
        add("nvidia", (!self.nvidia.is_empty()).then(|| self.nvidia.iter().map(nvidia).collect()));
        add("s390", self.s390.as_ref().map(s390));
        add("csv", self.csv.as_ref().map(csv));
        add("tpm", self.quote.as_ref().map(|quote| tpm(quote, self)));
        add("boot", self.boot.as_ref().map(boot));
        add("ima", self.runtime.as_ref().map(ima));
        let refused = |(layer, reason): &(crate::Layer, String)| json!({ "layer": layer.name(), "reason": reason });
        add("refused", (!self.refusals.is_empty()).then(|| self.refusals.iter().map(refused).collect()));
        Value::Object(members)
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(bytes)
}

fn revocation(known: Revocation) -> &'static str {
    match known {
        Revocation::Unchecked => "unchecked",
        Revocation::Stale { .. } => "stale",
        Revocation::Checked { .. } => "checked",
    }
}

fn challenge<T>(proven: &Proven<T>) -> &'static str {
    match proven.challenge() {
        Challenge::Unchecked => "unchecked",
        Challenge::Recorded => "recorded",
        Challenge::Key => "key",
        Challenge::Issued => "issued",
    }
}

fn snp(claims: &ReportClaims) -> Value {
    let (facts, report) = (claims.claims(), &claims.claims().report);
    let tcb = |tcb: evtpm_snp::Tcb| {
        json!({
            "fmc": tcb.fmc, "bootloader": tcb.bootloader, "tee": tcb.tee, "snp": tcb.snp, "microcode": tcb.microcode,
        })
    };
    let (chip, provider) = match &facts.signer {
        Signer::Chip { id } => (Some(text(id)), None),
        Signer::Provider { csp_id } => (None, Some(csp_id)),
    };
    json!({
        "root": claims.root().to_string(),
        "simulated": claims.root().is_simulated(),
        "generation": facts.generation.name(),
        "chip": chip,
        "provider": provider,
        "version": report.version().number(),
        "vmpl": report.vmpl(),
        "measurement": text(report.measurement().0),
        "report_data": text(report.report_data()),
        "host_data": text(report.host_data()),
        "id_key_digest": text(report.id_key_digest()),
        "author_key_digest": text(report.author_key_digest()),
        "family_id": text(report.family_id()),
        "image_id": text(report.image_id()),
        "guest_svn": report.guest_svn(),
        "policy": report.policy().0,
        "debug": report.policy().debug(),
        "migration": report.policy().migrate_ma(),
        "reported_tcb": tcb(facts.reported_tcb()),
        "committed_tcb": tcb(facts.committed_tcb()),
        "current_tcb": tcb(facts.current_tcb()),
        "launch_tcb": tcb(facts.launch_tcb()),
        "platform_info": report.platform_info().0,
        "launch_mit_vector": report.launch_mit_vector(),
        "current_mit_vector": report.current_mit_vector(),
        "revocation": revocation(facts.revocation),
    })
}

fn dcap(quote: &Proven<evtpm_verify::dcap::DcapClaims>) -> Value {
    let claims = quote.claims();
    let mut value = match &claims.tee {
        Tee::Tdx(td) => json!({
            "mrtd": text(td.mr_td), "mrseam": text(td.mr_seam), "rtmrs": td.rtmrs.map(text),
            "attributes": text(td.attributes), "xfam": text(td.xfam), "tcb_svn": text(td.tcb_svn),
            "mrconfigid": text(td.mr_config_id), "mrowner": text(td.mr_owner), "mrownerconfig": text(td.mr_owner_config),
        }),
        Tee::Sgx { mr_enclave, mr_signer, product_id, security_version } => json!({
            "mrenclave": text(mr_enclave), "mrsigner": text(mr_signer), "product_id": product_id,
            "security_version": security_version,
        }),
    };
    let (status, advisories) = match &claims.tcb {
        TcbStatus::Unchecked => ("unchecked", &[] as &[String]),
        TcbStatus::BelowEveryLevel => ("below-every-level", &[] as &[String]),
        TcbStatus::Judged { status, advisories } => (status.as_str(), advisories.as_slice()),
    };
    let shared = json!({
        "report_data": text(claims.report_data), "debug": claims.debug, "fmspc": text(claims.platform.fmspc),
        "tcb": status, "advisories": advisories, "revocation": revocation(claims.revocation),
        "challenge": challenge(quote),
    });
    if let (Value::Object(value), Value::Object(shared)) = (&mut value, shared) {
        value.extend(shared);
    }
    value
}

fn azure(claims: &evtpm_verify::azure::ParavisorClaims) -> Value {
    let vm = &claims.configuration;
    json!({
        "secure_boot": vm.secure_boot, "console": vm.console_enabled, "tpm": vm.tpm_enabled,
        "tpm_persisted": vm.tpm_persisted, "vm_id": vm.vm_id, "user_data": claims.user_data,
    })
}

fn nitro(document: &Proven<evtpm_verify::nitro::NitroClaims>) -> Value {
    let claims = document.claims();
    let pcrs: Map<String, Value> =
        claims.pcrs.iter().map(|(number, value)| (number.to_string(), json!(text(value)))).collect();
    json!({
        "module_id": claims.module_id, "made": claims.made.0, "pcrs": pcrs, "debug": claims.debug,
        "public_key": claims.public_key.as_ref().map(text), "user_data": claims.user_data.as_ref().map(text),
        "nonce": claims.nonce.as_ref().map(text), "challenge": challenge(document),
    })
}

fn component(component: &Component) -> Value {
    json!({
        "kind": component.kind, "version": component.version, "measurement": text(&component.measurement),
        "signer": text(&component.signer),
    })
}

fn lifecycle(number: u16) -> Value {
    LifecycleState::from_number(number).map_or_else(|| json!(number), |state| json!(state.to_string()))
}

fn cca_platform(platform: &Proven<evtpm_verify::cca::PlatformClaims>) -> Value {
    let claims = platform.claims();
    json!({
        "key": platform.root().to_string(), "implementation_id": text(&claims.implementation_id),
        "instance_id": text(&claims.instance_id), "lifecycle": lifecycle(claims.lifecycle),
        "config": text(&claims.config), "components": claims.components.iter().map(component).collect::<Vec<_>>(),
    })
}

fn cca_realm(realm: &Proven<evtpm_verify::cca::RealmClaims>) -> Value {
    let claims = realm.claims();
    json!({
        "rim": text(&claims.initial_measurement),
        "rems": claims.extensible_measurements.iter().map(text).collect::<Vec<_>>(),
        "personalization": text(&claims.personalization), "realm_challenge": text(&claims.challenge),
        "challenge": challenge(realm),
    })
}

fn psa(token: &Proven<evtpm_verify::psa::PsaClaims>) -> Value {
    let claims = token.claims();
    json!({
        "key": token.root().to_string(), "implementation_id": text(&claims.implementation_id),
        "instance_id": text(&claims.instance_id), "client_id": claims.client_id, "nonce": text(&claims.nonce),
        "lifecycle": lifecycle(claims.lifecycle),
        "components": claims.components.iter().map(component).collect::<Vec<_>>(), "challenge": challenge(token),
    })
}

fn nvidia(device: &Proven<evtpm_verify::nvidia::DeviceClaims>) -> Value {
    let claims = device.claims();
    let measurements: Map<String, Value> =
        claims.measurements.iter().map(|(index, value)| (index.to_string(), json!(text(value)))).collect();
    json!({
        "device": claims.device, "serial": text(&claims.serial), "nonce": text(claims.nonce),
        "driver_version": claims.driver_version, "vbios_version": claims.vbios(),
        "measurements": measurements, "manifests": claims.comparison.as_ref().map(manifests), "revocation": revocation(claims.revocation), "challenge": challenge(device),
    })
}

fn manifests(comparison: &Comparison) -> Value {
    let deviations: Vec<u8> = comparison.deviations.iter().map(|deviation| deviation.index).collect();
    json!({
        "driver": comparison.driver, "vbios": comparison.vbios, "compared": comparison.compared, "deviations": deviations,
    })
}

fn s390(guest: &Proven<evtpm_verify::s390::SeClaims>) -> Value {
    let claims = guest.claims();
    json!({
        "image_tag": text(claims.image_tag), "config_uid": text(&claims.config_uid),
        "user_data": text(&claims.user_data), "additional_data": text(&claims.additional), "challenge": challenge(guest),
    })
}

fn endorsement(endorsed: &EndorsedLaunch) -> Value {
    let launch = &endorsed.launch;
    json!({
        "issuer": endorsed.issuer, "feed": launch.feed, "svn": launch.guest_svn, "measurement": launch.launch_measurement,
    })
}

fn csv(guest: &Proven<evtpm_verify::csv::CsvClaims>) -> Value {
    let claims = guest.claims();
    let registers: Option<Vec<String>> = claims.registers.map(|all| all.iter().map(text).collect());
    json!({
        "measurement": text(claims.measurement), "registers": registers, "policy": claims.policy.0,
        "vm_id": text(claims.vm_id), "vm_version": text(claims.vm_version), "owner_key": text(claims.owner_key_digest),
        "report_data": text(claims.report_data), "challenge": challenge(guest),
    })
}

fn tpm(quote: &QuoteClaims, claims: &Claims) -> Value {
    let banks: Map<String, Value> = quote
        .banks
        .iter()
        .map(|bank| {
            let values = bank.values.iter().map(|(pcr, value)| (pcr.value().to_string(), json!(text(value))));
            (bank.bank.to_string(), Value::Object(values.collect()))
        })
        .collect();
    let clock = quote.clock;
    json!({
        "binding": claims.key.as_ref().and_then(|key| key.binding).map(|(name, _)| name),
        "certified_by": claims.key.as_ref().and_then(|key| key.certified_by.clone()),
        "shared_challenge": claims.shared_challenge,
        "fresh": quote.freshness == Freshness::Challenged,
        "pcrs": banks,
        "clock": {
            "milliseconds": clock.milliseconds, "resets": clock.reset_count, "restarts": clock.restart_count,
            "safe": clock.safe,
        },
    })
}

fn boot(boot: &BootClaims) -> Value {
    let command_line = |line: &CommandLine| match line {
        CommandLine::Text { pcr, text } => json!({ "pcr": pcr.value(), "text": text }),
        CommandLine::Digest { pcr, digests } => {
            let digests: Map<String, Value> =
                digests.iter().map(|(bank, digest)| (bank.to_string(), json!(digest.to_string()))).collect();
            json!({ "pcr": pcr.value(), "digests": digests })
        }
    };
    let event = |event: &super::BootEvent| {
        let digests: Vec<String> = event.digests.iter().map(ToString::to_string).collect();
        json!({ "pcr": event.pcr.value(), "digests": digests, "marker": event.is_marker, "claimed_type": event.label })
    };
    json!({
        "explained": boot.explained.iter().map(|pcr| pcr.value()).collect::<Vec<_>>(),
        "secure_boot": boot.secure_boot,
        "command_lines": boot.command_lines.iter().map(command_line).collect::<Vec<_>>(),
        "events": boot.events.iter().map(event).collect::<Vec<_>>(),
    })
}

fn ima(runtime: &RuntimeClaims) -> Value {
    let file = |file: &super::FileMeasurement| {
        let signature = match file.signature {
            SignatureState::Valid { .. } => "valid",
            SignatureState::Invalid { .. } | SignatureState::Malformed => "invalid",
            SignatureState::UnknownKey { .. } | SignatureState::Unchecked => "unchecked",
            SignatureState::None => "none",
        };
        json!({ "path": file.path, "digest": file.digest.as_ref().map(ToString::to_string), "signature": signature })
    };
    json!({
        "files": runtime.files.iter().map(file).collect::<Vec<_>>(),
        "violations": runtime.violations,
        "uncovered": runtime.uncovered,
        "boot_aggregate": runtime.aggregate_verified,
    })
}
