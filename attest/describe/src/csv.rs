// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A report of a Hygon CSV guest, bare or in the JSON of Confidential Containers' attestation agent.

use evtpm_evidence::csv::{Evidence, Report, Version};
use hex::encode as hex;
use serde_json::{Value, json};

use crate::{Error, Field};

/// Describes the evidence, if it is such.
pub(crate) fn report(bytes: &[u8]) -> Option<Result<Vec<Field>, Error>> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        let evidence = Evidence::parse(bytes);
        return Some(evidence.map_err(Error::from).and_then(|evidence| Ok(fields(&evidence.report()?))));
    }
    Report::recognize(bytes).map(|report| Ok(fields(&report)))
}

fn fields(report: &Report<'_>) -> Vec<Field> {
    let (version, mask) = match report.version {
        Version::V1 => (1, "under a mask that nobody signed: true only if the report data are what you asked with"),
        Version::V2 => (2, ""),
    };
    let policy = report.policy();
    let registers: Option<Vec<Value>> =
        report.registers().map(|all| all.iter().map(|value| json!(hex(value))).collect());
    let mut fields = vec![
        Field::new("csv_report_version", version).note(mask),
        Field::new("policy", format!("{:#x}", policy.0)).note(policy.to_string()),
        Field::new("measurement", hex(report.measurement())),
        Field::new("report_data", hex(report.report_data())),
        Field::new("vm_id", hex(report.vm_id())),
        Field::new("vm_version", hex(report.vm_version())),
        Field::new("owner_key_digest", hex(report.owner_key_digest())),
        Field::new("nonce", hex(report.nonce())),
        Field::new("chip_serial_number", String::from_utf8_lossy(&report.serial_number()).into_owned())
            .note("nobody signed it"),
    ];
    fields.extend(report.build().map(|build| Field::new("firmware_build", build)));
    fields.extend(registers.map(|registers| Field::new("registers", registers)));
    fields
}
