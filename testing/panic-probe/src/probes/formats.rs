// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an SVSM parses of the host's and the guest's bytes.

use core::hint::black_box;

use evtpm_snp::cert_table::write_table;
use evtpm_snp::request::ReportResponse;
use evtpm_snp::{CertTable, GuestMessage, Report};
use evtpm_svsm_abi::attest::Operation;
use evtpm_svsm_abi::core_protocol::PvalidateList;
use evtpm_svsm_abi::manifest::{ServicesManifest, VtpmManifestV1, write_services, write_vtpm_v1};
use evtpm_svsm_abi::vtpm::{SendCommand, parse_response, write_response};

pub(super) fn all(input: &mut [u8], out: &mut [u8]) {
    from_the_host(input, out);
    from_the_guest(input, out);
}

fn from_the_host(input: &mut [u8], out: &mut [u8]) {
    if let Ok(report) = Report::parse(input) {
        black_box((report.policy(), report.vmpl(), report.version()));
    }
    if let Ok(table) = CertTable::parse(input) {
        table.iter().for_each(|certificate| {
            let _ = black_box(write_table(&[certificate], out));
        });
        black_box(table.extent());
    }
    if let Ok(page) = GuestMessage::view_mut(input) {
        black_box((page.header.nonce(), page.header.additional_data()));
        let _ = black_box(page.payload_mut());
    }
    let _ = black_box(ReportResponse::parse(input));
    let _ = black_box(parse_response(input));
}

fn from_the_guest(input: &[u8], out: &mut [u8]) {
    if let Ok(command) = SendCommand::parse(input) {
        let _ = black_box(command.write(out));
    }
    let _ = black_box(write_response(input, out));
    let _ = black_box(Operation::parse_services(input));
    let _ = black_box(Operation::parse_single_service(input));
    let _ = black_box(PvalidateList::parse(input));
    if let Ok(services) = ServicesManifest::parse(input) {
        services.iter().for_each(|service| {
            let _ = black_box(write_services(&[service], out));
        });
    }
    if let Ok(keys) = VtpmManifestV1::parse(input) {
        keys.keys().for_each(|key| {
            let _ = black_box(write_vtpm_v1(&[key], out));
        });
    }
}
