// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The targets, one file for each crate that parses.

mod attest;
mod documents;
mod evidence;
mod ima_signatures;
mod image;
mod kbs;
mod keylime;
mod logs;
mod policy;
mod protocol;
mod session;
mod snp;
mod svsm;
mod tpm;
mod wire;

use crate::Target;

pub(crate) const ALL: &[Target] = &[
    Target { name: "event_log", run: logs::event_log, seeds: logs::event_log_seeds },
    Target { name: "efi_signatures", run: logs::efi_signatures, seeds: logs::efi_signatures_seeds },
    Target { name: "ima_binary", run: logs::ima_binary, seeds: logs::ima_binary_seeds },
    Target { name: "ima_ascii", run: logs::ima_ascii, seeds: logs::ima_ascii_seeds },
    Target { name: "snp_report", run: snp::report, seeds: snp::report_seeds },
    Target { name: "snp_cert_table", run: snp::cert_table, seeds: snp::cert_table_seeds },
    Target { name: "snp_guest_message", run: snp::guest_message, seeds: snp::guest_message_seeds },
    Target { name: "svsm_manifest", run: svsm::manifest, seeds: svsm::manifest_seeds },
    Target { name: "svsm_request", run: svsm::request, seeds: svsm::request_seeds },
    Target { name: "tpm_command", run: wire::command, seeds: wire::command_seeds },
    Target { name: "tpm_response", run: wire::response, seeds: wire::response_seeds },
    Target { name: "tpm_structure", run: wire::structure, seeds: wire::structure_seeds },
    Target { name: "tpm_execute", run: tpm::execute, seeds: tpm::execute_seeds },
    Target { name: "tpm_sessions", run: session::sessions, seeds: session::sessions_seeds },
    Target { name: "tpm_image", run: image::image, seeds: image::image_seeds },
    Target {
        name: "partial_certificate",
        run: protocol::partial_certificate,
        seeds: protocol::partial_certificate_seeds,
    },
    Target { name: "x509_certificate", run: attest::certificate, seeds: attest::certificate_seeds },
    Target { name: "x509_crl", run: attest::revocation_list, seeds: attest::revocation_list_seeds },
    Target { name: "elf_launch", run: attest::elf_launch, seeds: attest::elf_launch_seeds },
    Target { name: "ovmf_launch", run: attest::ovmf_launch, seeds: attest::ovmf_launch_seeds },
    Target { name: "igvm_launch", run: attest::igvm_launch, seeds: attest::igvm_launch_seeds },
    Target { name: "ear_token", run: attest::token, seeds: attest::token_seeds },
    Target { name: "td_quote", run: evidence::td_quote, seeds: evidence::td_quote_seeds },
    Target { name: "hcl_report", run: evidence::hcl_report, seeds: evidence::hcl_report_seeds },
    Target { name: "nitro_document", run: evidence::nitro_document, seeds: evidence::nitro_document_seeds },
    Target { name: "cca_token", run: evidence::cca_token, seeds: evidence::cca_token_seeds },
    Target { name: "psa_token", run: evidence::psa_token, seeds: evidence::psa_token_seeds },
    Target { name: "spdm_report", run: evidence::spdm_report, seeds: evidence::spdm_report_seeds },
    Target { name: "corim", run: evidence::corim, seeds: evidence::corim_seeds },
    Target { name: "cmw", run: evidence::cmw, seeds: evidence::cmw_seeds },
    Target { name: "s390_exchange", run: evidence::s390_exchange, seeds: evidence::s390_exchange_seeds },
    Target { name: "cel_log", run: evidence::cel_log, seeds: evidence::cel_log_seeds },
    Target { name: "cel_json", run: evidence::cel_json, seeds: evidence::cel_json_seeds },
    Target { name: "cel_cbor", run: evidence::cel_cbor, seeds: evidence::cel_cbor_seeds },
    Target { name: "ek_certificate", run: evidence::ek_certificate, seeds: evidence::ek_certificate_seeds },
    Target { name: "kbs_attestation", run: kbs::attestation, seeds: kbs::attestation_seeds },
    Target { name: "keylime_quote", run: keylime::quote, seeds: keylime::quote_seeds },
    Target { name: "keylime_push", run: keylime::push, seeds: keylime::push_seeds },
    Target { name: "log_progress", run: attest::progress, seeds: attest::progress_seeds },
    Target { name: "policy", run: policy::document, seeds: policy::document_seeds },
    Target { name: "csv_report", run: documents::csv_report, seeds: documents::csv_report_seeds },
    Target { name: "rim", run: documents::rim, seeds: documents::rim_seeds },
    Target { name: "intel_document", run: documents::intel_document, seeds: documents::intel_document_seeds },
    Target { name: "jwk", run: documents::jwk, seeds: documents::jwk_seeds },
    Target { name: "pe_image", run: documents::pe_image, seeds: documents::pe_image_seeds },
    Target { name: "ima_stream", run: documents::ima_stream, seeds: documents::ima_stream_seeds },
    Target { name: "ima_signatures", run: ima_signatures::check, seeds: ima_signatures::seeds },
    Target { name: "go_tpm_tools", run: documents::go_tpm_tools, seeds: documents::go_tpm_tools_seeds },
    Target { name: "gce_instance", run: documents::gce_instance, seeds: documents::gce_instance_seeds },
];
