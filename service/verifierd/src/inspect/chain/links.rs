// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links themselves: what each is in this boot, decoded, with its bytes.

use evtpm_describe::BootLog;
use evtpm_logs::HashId;
use evtpm_logs::ima::BinaryList;
use evtpm_tpm_wire::{Supported, TpmsAttest, TpmsPcrSelection, TpmuAttest, from_bytes};
use evtpm_verify::UnixTime;
use evtpm_verify::snp::{self, VekKind};
use evtpm_verify::x509::Certificate;

use super::super::Shown;
use super::super::logs::contiguous;
use super::Draft;
use crate::app::{App, now};
use crate::hex::hex;
use crate::store::{KeptLogs, PresentBoot};

const NO_QUOTE: &str = "No quote was judged since this boot.";
const NOT_ASKED: &str = "The last appraisal did not reach it, or the policy does not ask for it.";

pub(super) fn links(app: &App, present: &PresentBoot, logs: &KeptLogs, shown: Option<&Shown>) -> Vec<Draft> {
    let mut links = hardware(app, present);
    links.extend([endorsement_key(present), attestation_key(present), quote(shown), boot_log(logs, shown)]);
    links.push(ima(logs, shown));
    links
}

/// Root, endorsement key of the processor, report.
fn hardware(app: &App, present: &PresentBoot) -> Vec<Draft> {
    let report = &present.boot.report;
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
    let measurement = present.boot.report.get(0x90..0xC0).map(hex).unwrap_or_default();
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

fn endorsement_key(present: &PresentBoot) -> Draft {
    let profile = present.boot.belief.as_ref().map(|(_, binding)| binding.profile.as_str()).unwrap_or_default();
    let good = match profile {
        "nv-report" => "The report's REPORT_DATA is SHA-512 of this key.",
        "svsm-v0" | "svsm-v1" => "The report's REPORT_DATA is SHA-512 of our nonce and of the manifest with this key.",
        _ => "It was verified at registration.",
    };
    let manifest = present.boot.belief.as_ref().and_then(|(_, binding)| binding.manifest.as_ref());
    let draft = Draft::new("ek", format!("EK, boot {}", present.boot.number), key_kind(&present.boot.ek_public))
        .field("binding", profile)
        .fields(evtpm_describe::public_key(&present.boot.ek_public))
        .bytes("TPM2B_PUBLIC", &present.boot.ek_public)
        .good(good);
    match manifest {
        Some(manifest) => draft.bytes("SVSM manifest", manifest),
        None => draft,
    }
}

fn attestation_key(present: &PresentBoot) -> Draft {
    let Some((ak_public, _)) = &present.boot.belief else {
        return Draft::new("ak", "AK", "").good("It was registered by an earlier version of the verifier.");
    };
    Draft::new("ak", "AK", key_kind(ak_public))
        .fields(evtpm_describe::public_key(ak_public))
        .bytes("TPM2B_PUBLIC", ak_public)
        .good("Its TPM opened a credential that was made for it and the EK (TPM2_ActivateCredential).")
}

fn key_kind(public: &[u8]) -> String {
    let fields = evtpm_describe::public_key(public).unwrap_or_default();
    fields.first().map(evtpm_describe::Field::text).unwrap_or_default()
}

fn quote(shown: Option<&Shown>) -> Draft {
    let Some(shown) = shown else { return Draft::new("quote", "Quote", "none yet").judged_as("tpm", NO_QUOTE) };
    let mut draft = Draft::new("quote", "Quote", format!("{} PCRs", shown.pcrs.len()))
        .judged_as("tpm", NOT_ASKED)
        .good("Signed by the AK over our nonce and this connection, with the PCR values below.")
        .fields(evtpm_describe::attestation(&shown.message))
        .fields(evtpm_describe::signature(&shown.signature))
        .bytes("TPMS_ATTEST", &shown.message)
        .bytes("TPMT_SIGNATURE", &shown.signature);
    for (register, value) in registers(shown).into_iter().zip(&shown.pcrs) {
        draft = draft.field(&register, hex(value));
    }
    draft
}

/// Names the registers whose values came with a quote, in its order.
fn registers(shown: &Shown) -> Vec<String> {
    let attest = from_bytes::<TpmsAttest<'_>>(&shown.message, &Supported::ALL);
    let Ok(TpmsAttest { attested: TpmuAttest::Quote(info), .. }) = attest else { return Vec::new() };
    let of_bank = |bank: &TpmsPcrSelection| {
        let hash = HashId(bank.hash.id().0);
        bank.select.iter().map(|pcr| format!("{hash} pcr {}", pcr.number())).collect::<Vec<_>>()
    };
    info.pcr_select.iter().flat_map(of_bank).collect()
}

fn boot_log(logs: &KeptLogs, shown: Option<&Shown>) -> Draft {
    let open = if shown.is_none() { NO_QUOTE } else { NOT_ASKED };
    let Some(bytes) = &logs.event_log else {
        return Draft::new("boot-log", "Boot log", "not kept")
            .judged_as("boot", open)
            .good("It was replayed to the quote.");
    };
    let draft = match BootLog::read(bytes) {
        Ok(log) => {
            Draft::new("boot-log", "Boot log", format!("{} events", log.lines.len())).field("format", log.format)
        }
        Err(error) => Draft::new("boot-log", "Boot log", "malformed").field("malformed", error.to_string()),
    };
    draft
        .judged_as("boot", open)
        .good("Replayed, it leads to the quoted PCRs, and its events are what the policy names.")
        .bytes("event log", bytes)
}

fn ima(logs: &KeptLogs, shown: Option<&Shown>) -> Draft {
    let open = if shown.is_none() { NO_QUOTE } else { NOT_ASKED };
    let parts = contiguous(logs);
    let entries: usize = parts.iter().map(|part| BinaryList::new(part).count()).sum();
    let subject = if parts.is_empty() { "not kept".to_owned() } else { format!("{entries} files") };
    let draft = Draft::new("ima", "IMA", subject)
        .judged_as("runtime", open)
        .good("Replayed, it leads to the quoted PCR 10, and each file is one that the policy knows.");
    match parts.last() {
        Some(last) => draft.field("entries", entries.to_string()).bytes("newest part of the list", last),
        None => draft,
    }
}
