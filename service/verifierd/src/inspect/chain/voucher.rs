// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links that stand before the endorsement key: the chip and its report, Azure's paravisor on them, or a TPM's vendor.

use evtpm_evidence::hcl::{HardwareReport, HclReport, RuntimeClaims};
use evtpm_verify::UnixTime;
use evtpm_verify::snp::{self, VekKind};
use evtpm_verify::x509::Certificate;

use super::Draft;
use super::links::NOT_ASKED;
use crate::app::{App, now};
use crate::hex::hex;
use crate::store::PresentBoot;

/// Begins with the root.
pub(super) fn links(app: &App, present: &PresentBoot) -> Vec<Draft> {
    let statement = &present.boot.report;
    match present.boot.belief.as_ref().map(|(_, binding)| binding.profile.as_str()) {
        Some("ek-certificate") => vendor(app, statement),
        Some("azure-hcl") => match HclReport::parse(statement) {
            Ok(HclReport { report: HardwareReport::Snp(report), runtime_claims, .. }) => {
                let mut links = chip(app, present, report);
                links.push(paravisor(runtime_claims));
                links
            }
            _ => {
                vec![Draft::new("paravisor", "Azure's paravisor", "not shown").good("It was verified at registration.")]
            }
        },
        _ => chip(app, present, statement),
    }
}

/// Root, endorsement key of the processor, report.
fn chip(app: &App, present: &PresentBoot, report: &[u8]) -> Vec<Draft> {
    let mut collateral = app.collateral.clone();
    let table = present.boot.belief.as_ref().and_then(|(_, binding)| binding.certificates.as_ref());
    // A table that cannot be read did not help at registration either.
    drop(table.map(|table| collateral.add_table(table)));
    let kind = key_kind_of(report);
    let (root, vcek) = match snp::certificates(report, &collateral, &app.anchors, now()) {
        Ok([root, intermediate, leaf]) => (
            certificate(Draft::new("root", "AMD root key", root.common_name()), root)
                .good("It is one of the roots that this verifier trusts."),
            certificate(Draft::new("vcek", kind, leaf.common_name()), leaf)
                .field("signed_by", intermediate.common_name())
                .bytes("intermediate certificate (DER)", intermediate.der())
                .good("Its chain leads to the root, and its TCB and chip are those of the report."),
        ),
        Err(error) => (
            Draft::new("root", "AMD root key", "")
                .field("not_shown", error.to_string())
                .good("It was found at registration."),
            Draft::new("vcek", kind, "").field("not_shown", error.to_string()).good("It was verified at registration."),
        ),
    };
    let measurement = report.get(0x90..0xC0).map(hex).unwrap_or_default();
    let subject = format!("{}…", measurement.get(..16).unwrap_or_default());
    let statement = Draft::new("report", "SNP report", subject)
        .fields(evtpm_describe::report(report))
        .bytes("ATTESTATION_REPORT", report)
        .good("Signed by the chip's key; the launch is what the policy names.");
    vec![root, vcek, statement]
}

fn key_kind_of(report: &[u8]) -> &'static str {
    evtpm_snp::Report::parse(report)
        .ok()
        .and_then(|report| VekKind::of_report(&report).ok())
        .map_or("VCEK", VekKind::name)
}

fn certificate(draft: Draft, certificate: &Certificate) -> Draft {
    let (from, until) = certificate.validity();
    let day = |UnixTime(seconds): UnixTime| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        time::OffsetDateTime::from_unix_timestamp(seconds)
            .map_or_else(|_| seconds.to_string(), |time| time.date().to_string())
    };
    draft
        .field("subject", certificate.common_name())
        .field("issuer", certificate.issuer_common_name())
        .field("serial", hex(certificate.serial()))
        .field("not_before", day(from))
        .field("not_after", day(until))
        .bytes("certificate (DER)", certificate.der())
}

fn paravisor(claims: &[u8]) -> Draft {
    let configuration =
        RuntimeClaims::parse(claims).ok().and_then(|claims| claims.vm_configuration).unwrap_or_default();
    let flags = [
        ("secure_boot", configuration.secure_boot),
        ("console", configuration.console_enabled),
        ("tpm_persisted", configuration.tpm_persisted),
    ];
    let subject = configuration.vm_id.unwrap_or_default();
    let draft = Draft::new("paravisor", "Azure's paravisor", subject)
        .judged_as("azure", NOT_ASKED)
        .good("The report commits to its claims, which name the vTPM's keys; they are what the policy asks for.")
        .bytes("runtime claims (JSON)", claims);
    let said = flags.into_iter().filter_map(|(name, value)| Some((name, value?)));
    said.fold(draft, |draft, (name, value)| draft.field(name, value.to_string()))
}

/// Root and certificate of a TPM's vendor.
fn vendor(app: &App, der: &[u8]) -> Vec<Draft> {
    const TITLES: [(&str, &str); 2] = [("root", "TPM vendor's root"), ("ek-certificate", "EK certificate")];
    let found = Certificate::from_der(der).and_then(|leaf| {
        let root = app.ek_authorities.path_from(&leaf)?.root().cloned();
        Ok((root, leaf))
    });
    match found {
        Ok((Some(root), leaf)) => {
            [(root, "It is one of the vendors' that this verifier trusts."), (leaf, "Its chain leads to the root.")]
                .into_iter()
                .zip(TITLES)
                .map(|((shown, good), (id, title))| {
                    certificate(Draft::new(id, title, shown.common_name()), &shown).good(good)
                })
                .collect()
        }
        Ok((None, _)) => Vec::new(),
        Err(error) => TITLES
            .map(|(id, title)| {
                Draft::new(id, title, "").field("not_shown", error.to_string()).good("It was found at registration.")
            })
            .into(),
    }
}
