// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An attestation report of an AMD processor (56860, "ATTESTATION_REPORT"), or of a Hygon one.

use evtpm_snp::{Generation, Report, SigningKey, StatedGeneration, Tcb, TcbVersion};

use hex::encode as hex;

use crate::{Error, Field};

/// Describes a report of 1184 bytes, or one inside of a firmware's answer (MSG_REPORT_RSP), or one of a CSV guest.
pub fn report(bytes: &[u8]) -> Result<Vec<Field>, Error> {
    match crate::csv::report(bytes) {
        Some(described) => described,
        None => Ok(fields(&parse(bytes)?)),
    }
}

fn parse(bytes: &[u8]) -> Result<Report, Error> {
    if bytes.len() > Report::SIZE
        && let Ok(Ok(report)) = evtpm_snp::request::ReportResponse::parse(bytes.get(..0x4c0).unwrap_or(bytes))
    {
        return Ok(report);
    }
    Ok(Report::parse(bytes)?)
}

fn fields(report: &Report) -> Vec<Field> {
    let generation = generation(report);
    let policy = report.policy();
    let key = report.key_info();
    let tcb = |name, version: TcbVersion| {
        Field::new(name, format!("{:#018x}", version.0)).note(tcb_note(version, generation))
    };
    vec![
        Field::new("version", report.body().version.get()),
        Field::new("generation", generation_text(report.generation())),
        Field::new("vmpl", report.vmpl()).note(if report.vmpl() == 0 { "" } else { "not the most privileged level" }),
        Field::new("guest_svn", report.guest_svn()),
        Field::new("policy", format!("{:#x}", policy.0)).note(policy_note(policy)),
        Field::new("platform_info", format!("{:#x}", report.platform_info().0)),
        Field::new("signing_key", signing_key(key.signing_key())).note(if key.mask_chip_key() {
            "MASK_CHIP_KEY: the signature is zeros"
        } else {
            ""
        }),
        Field::new("measurement", hex(report.measurement().0)),
        Field::new("report_data", hex(report.report_data())),
        Field::new("host_data", hex(report.host_data())),
        Field::new("family_id", hex(report.family_id())),
        Field::new("image_id", hex(report.image_id())),
        Field::new("id_key_digest", hex(report.id_key_digest())),
        Field::new("author_key_digest", hex(report.author_key_digest())),
        Field::new("report_id", hex(report.report_id())),
        Field::new("report_id_ma", hex(report.report_id_ma())),
        Field::new("chip_id", hex(report.chip_id())).note(if report.chip_id_is_masked() { "masked" } else { "" }),
        tcb("reported_tcb", report.reported_tcb()),
        tcb("committed_tcb", report.committed_tcb()),
        tcb("current_tcb", report.current_tcb()),
        tcb("launch_tcb", report.launch_tcb()),
    ]
}

/// Returns the processor line that a report states itself to be of.
pub fn generation(report: &Report) -> Option<Generation> {
    match report.generation() {
        StatedGeneration::Known(generation) => Some(generation),
        StatedGeneration::NotStated | StatedGeneration::Unknown { .. } => None,
    }
}

fn generation_text(generation: StatedGeneration) -> String {
    match generation {
        StatedGeneration::Known(generation) => generation.name().to_owned(),
        StatedGeneration::NotStated => "not stated (version 2)".to_owned(),
        StatedGeneration::Unknown { family, model } => format!("unknown (family {family:#x}, model {model:#x})"),
    }
}

fn signing_key(key: SigningKey) -> String {
    match key {
        SigningKey::Vcek => "VCEK".to_owned(),
        SigningKey::Vlek => "VLEK".to_owned(),
        SigningKey::None => "none".to_owned(),
        SigningKey::Reserved(value) => format!("reserved ({value})"),
    }
}

fn policy_note(policy: evtpm_snp::GuestPolicy) -> String {
    let (major, minor) = policy.abi();
    let mut notes = vec![format!("ABI {major}.{minor}")];
    notes.extend(policy.debug().then(|| "DEBUG allowed".to_owned()));
    notes.extend(policy.migrate_ma().then(|| "migration agent allowed".to_owned()));
    notes.join(", ")
}

fn tcb_note(version: TcbVersion, generation: Option<Generation>) -> String {
    let Some(generation) = generation else {
        return "layout unknown without the generation".to_owned();
    };
    let parts = tcb_components(version.decode(generation));
    parts.iter().map(|(name, level)| format!("{name} {level}")).collect::<Vec<_>>().join(", ")
}

/// Names the components of a TCB version that the processor line has.
pub fn tcb_components(tcb: Tcb) -> Vec<(&'static str, u8)> {
    let fmc = tcb.fmc.map(|fmc| ("fmc", fmc));
    let rest = [("bootloader", tcb.bootloader), ("tee", tcb.tee), ("snp", tcb.snp), ("microcode", tcb.microcode)];
    fmc.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_of_a_report_is_shown_by_its_name() {
        let mut bytes = [0; Report::SIZE];
        bytes[0] = 3;
        bytes[0x188..0x18a].copy_from_slice(&[0x19, 0x11]);
        bytes[0x30] = 1;
        let fields = fields(&parse(&bytes).unwrap());
        let value = |name| fields.iter().find(|field| field.name == name).map(|field| field.value.clone());
        assert_eq!(value("vmpl"), Some(json!(1)));
        assert_eq!(value("generation"), Some(json!("Genoa")));
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        assert!(parse(&[0; 100]).is_err());
    }
}
