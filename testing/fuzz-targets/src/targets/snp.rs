// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the host hands to a guest: reports, certificate tables, message pages.

use evtpm_snp::cert_table::{table_size, write_table};
use evtpm_snp::request::ReportResponse;
use evtpm_snp::{CertTable, GuestMessage, MessageHeader, MessageType, Report};

use crate::seeds::evidence;

/// Parses a report, and reads what it says.
pub(super) fn report(input: &[u8]) -> bool {
    let Ok(report) = Report::parse(input) else { return false };
    assert_eq!(report.as_bytes().as_slice(), input, "a report is kept as it came");
    assert_eq!(Some(report.signed_bytes().as_slice()), input.get(..Report::SIGNED_SIZE));
    let _text = format!("{report:?} {:?} {:?} {:?}", report.policy(), report.vmpl(), report.signature());
    true
}

pub(super) fn report_seeds() -> Vec<Vec<u8>> {
    let of_version = |version: u8| {
        let mut report = vec![0; Report::SIZE];
        if let Some(first) = report.first_mut() {
            *first = version;
        }
        report
    };
    let mut seeds = vec![of_version(2), of_version(3), of_version(5)];
    seeds.extend(evidence("snp", ".bin").into_iter().filter(|bytes| bytes.len() == Report::SIZE));
    seeds
}

/// Parses a table; writing its certificates anew gives a table with the same certificates.
pub(super) fn cert_table(input: &[u8]) -> bool {
    let Ok(table) = CertTable::parse(input) else { return false };
    let certificates: Vec<_> = table.iter().collect();
    assert!(table.extent() <= input.len());
    // Overlapping certificates may take more room apart than together.
    if table_size(&certificates) > 1 << 20 {
        return true;
    }
    let mut written = vec![0; table_size(&certificates)];
    assert!(write_table(&certificates, &mut written).is_ok());
    assert!(CertTable::parse(&written).is_ok_and(|again| again.iter().eq(certificates.iter().copied())));
    true
}

pub(super) fn cert_table_seeds() -> Vec<Vec<u8>> {
    let certificates: [(_, &[u8]); 2] =
        [(evtpm_snp::cert_table::VCEK, &[1; 40]), (evtpm_snp::cert_table::ASK, &[2; 60])];
    let mut table = vec![0; table_size(&certificates)];
    let written = write_table(&certificates, &mut table);
    let mut seeds = vec![Vec::new()];
    seeds.extend(written.is_ok().then_some(table));
    seeds
}

/// Reads a message page and, as if it had been opened, the answer in it.
pub(super) fn guest_message(input: &[u8]) -> bool {
    let Ok(page) = GuestMessage::view(input) else { return false };
    let _additional = page.header.additional_data();
    let Ok(payload) = page.payload() else { return false };
    assert!(payload.len() < input.len());
    let _answer = ReportResponse::parse(payload);
    true
}

pub(super) fn guest_message_seeds() -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    for (kind, size) in [(MessageType::ReportRequest, 0x60), (MessageType::ReportResponse, 0x4c0)] {
        if let Ok(header) = MessageHeader::new(kind, 1, 1, 0, size) {
            let mut page = header.as_bytes().to_vec();
            page.resize(evtpm_snp::PAGE_SIZE, 0);
            pages.push(page);
        }
    }
    pages
}
