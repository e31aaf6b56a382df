// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links themselves: what each is in this boot, decoded, with its bytes.

use evtpm_describe::BootLog;
use evtpm_logs::HashId;
use evtpm_logs::ima::BinaryList;
use evtpm_tpm_wire::{Supported, TpmsAttest, TpmsPcrSelection, TpmuAttest, from_bytes};

use super::super::Shown;
use super::super::logs::contiguous;
use super::{Draft, voucher};
use crate::app::App;
use crate::hex::hex;
use crate::store::{KeptLogs, PresentBoot};

const NO_QUOTE: &str = "No quote was judged since this boot.";
pub(super) const NOT_ASKED: &str = "The last appraisal did not reach it, or the policy does not ask for it.";

pub(super) fn links(app: &App, present: &PresentBoot, logs: &KeptLogs, shown: Option<&Shown>) -> Vec<Draft> {
    let mut links = voucher::links(app, present);
    links.extend([endorsement_key(present), attestation_key(present), quote(shown), boot_log(logs, shown)]);
    links.push(ima(logs, shown));
    links
}

fn endorsement_key(present: &PresentBoot) -> Draft {
    let profile = present.boot.belief.as_ref().map(|(_, binding)| binding.profile.as_str()).unwrap_or_default();
    let good = match profile {
        "nv-report" => "The report's REPORT_DATA is SHA-512 of this key.",
        "svsm-v0" | "svsm-v1" => "The report's REPORT_DATA is SHA-512 of our nonce and of the manifest with this key.",
        "azure-hcl" => "The paravisor's claims, of which REPORT_DATA is the digest, name this key.",
        "ek-certificate" => "The vendor's certificate is for this key.",
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
