// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm verify` and `evtpm policy` as an operator runs them, over the world's reports and this project's recorded boots.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use support::{Evtpm, FAILED, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, evidence, step};

/// A moment at which every certificate of the reports used below is valid.
const AT: &str = "2026-03-01T00:00:00Z";

fn verify(report: &Path, at: &str) -> Evtpm {
    Evtpm::new("verify").with("--report", report).with("--at", at)
}

/// One real report of the folder with its chip's certificates and AMD's authorities.
struct RealReport {
    id: String,
    command: Evtpm,
    path: PathBuf,
    measurement: String,
}

/// Every report of the folder's `snp` part that has a signature that can be checked, at its certificate's first day.
fn real_reports(folder: &Path) -> Vec<RealReport> {
    let items: Vec<Value> = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let checked = items.iter().filter(|item| item["kind"] == "snp" && item["expect"]["signature"] == "valid");
    let reports = checked.map(|item| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let id = text(&item["id"]);
        let directory = folder.join("snp").join(&id);
        let path = directory.join("report.bin");
        let not_before = text(&item["expect"]["vek_not_before"]).replace(' ', "T");
        let line = text(&item["expect"]["generation"]).to_ascii_lowercase();
        let command = verify(&path, &not_before)
            .with("--certificates", directory)
            .with("--certificates", folder.join("amd-ca").join(line));
        RealReport { id, command, path, measurement: text(&item["expect"]["measurement"]) }
    });
    reports.collect()
}

#[test]
fn every_real_report_verifies_and_nothing_is_appraised() {
    let Some(folder) = evidence() else { return };
    let reports = real_reports(&folder);
    assert!(reports.len() >= 13, "{}", reports.len());
    for RealReport { id, command, measurement, .. } in reports {
        let record = command.json(NOT_APPRAISED);
        assert_eq!(record["conclusion"], "not appraised", "{id}");
        assert_eq!(step(&record, "report").0, "verified", "{id}");
        assert_eq!(record["facts"]["measurement"], *measurement, "{id}");
        assert!(record["facts"]["root"].as_str().unwrap().starts_with("AMD "), "{id}");
        assert_eq!((&record["ear"], &record["policy"]), (&Value::Null, &Value::Null), "{id}");
    }
}

#[test]
fn one_flipped_bit_in_a_real_report_is_refused() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("flipped");
    for (number, RealReport { id, mut command, path, .. }) in real_reports(&folder).into_iter().enumerate() {
        // Version, policy, VMPL, REPORT_DATA, measurement, reported TCB, the end of the signed part, both signature halves.
        for byte in [0x00, 0x08, 0x30, 0x50, 0x90, 0x180, 0x29f, 0x2a0, 0x2e8] {
            command.0[2] = scratch.flipped(&path, byte * 8 + number % 8).into();
            let (out, _) = command.expect(NOT_TRUSTED);
            assert!(out.contains("refused"), "{id}, byte {byte:#x}: {out}");
        }
    }
}

#[test]
fn a_certificate_table_is_as_good_as_files() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/genoa-v3-tsm");
    let command = verify(&item.join("report.bin"), AT).with("--certificate-table", item.join("auxblob.bin"));
    assert_eq!(command.json(NOT_APPRAISED)["facts"]["revocation"], "not checked");

    let with_list = command.with("--certificates", folder.join("amd-crl/genoa/genoa.crl.der")).json(NOT_APPRAISED);
    assert!(with_list["facts"]["revocation"].as_str().unwrap().starts_with("checked"), "{with_list:#}");

    let broken = verify(&item.join("report.bin"), AT).with("--certificate-table", item.join("report.bin"));
    assert_eq!(step(&broken.json(NOT_TRUSTED), "certificate table").0, "refused");
}

#[test]
fn without_its_chips_certificate_a_report_is_refused() {
    let Some(folder) = evidence() else { return };
    let record = verify(&folder.join("snp/milan-v3-oak/report.bin"), AT).json(NOT_TRUSTED);
    assert_eq!(step(&record, "report"), ("refused", "no VCEK certificate for the report"));
    assert_eq!((&record["conclusion"], &record["facts"]), (&"refused".into(), &serde_json::json!({})));
}

#[test]
fn another_chips_certificate_is_refused() {
    let Some(folder) = evidence() else { return };
    let other = folder.join("snp/milan-v2-virtee/vcek.der");
    let command = verify(&folder.join("snp/milan-v3-oak/report.bin"), AT).with("--certificates", other);
    assert_eq!(step(&command.json(NOT_TRUSTED), "report").0, "refused");
}

#[test]
fn a_providers_key_finds_its_pinned_authority() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v3-vlek-aws-vmpl1");
    let command = verify(&item.join("report.bin"), "2025-06-01T00:00:00Z").with("--certificates", &item);
    command.clone().with("--certificates", folder.join("amd-ca/genoa")).expect(NOT_APPRAISED);
    command.expect(NOT_APPRAISED);
}

#[test]
fn a_certificate_that_no_authority_signed_is_refused() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v2-azure-trustee");
    let forged = verify(&item.join("report.bin"), "2024-01-01T00:00:00Z")
        .with("--certificates", item.join("vcek-invalid-new.der"))
        .json(NOT_TRUSTED);
    assert_eq!(step(&forged, "report").0, "refused", "{forged:#}");
}

#[test]
fn a_certificate_outside_of_its_validity_is_refused_with_the_moment() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v3-oak");
    for (at, reason) in [("2024-01-01T00:00:00Z", "not valid before"), ("2040-01-01T01:00:00+01:00", "expired at")] {
        let record = verify(&item.join("report.bin"), at).with("--certificates", &item).json(NOT_TRUSTED);
        let (state, detail) = step(&record, "report");
        assert!(state == "refused" && detail.contains(reason), "{detail}");
        assert!(detail.ends_with(&format!("verified at {}", record["at"].as_str().unwrap())), "{detail}");
    }
}

/// A recorded boot below a real report: what no hardware joins, the operator may.
fn recorded_boot(folder: &Path, boot: &str, command: &str) -> Evtpm {
    let (item, boot) = (folder.join("snp/milan-v3-oak"), folder.join("vm-boot").join(boot));
    Evtpm::new(command)
        .with("--report", item.join("report.bin"))
        .with("--certificates", item)
        .with("--at", AT)
        .with_boot(&boot)
}

/// Puts another value in the place of an option's.
fn replace(command: &Evtpm, option: &str, value: impl Into<OsString>) -> Evtpm {
    let mut command = command.clone();
    let at = command.0.iter().position(|word| word == option).unwrap();
    command.0[at + 1] = value.into();
    command
}

#[test]
fn a_recorded_quote_with_its_logs_verifies_and_says_what_it_rests_on() {
    let Some(folder) = evidence() else { return };
    let record = recorded_boot(&folder, "app-good", "verify").json(NOT_APPRAISED);
    let states: Vec<(&str, &str)> = ["report", "attestation key", "quote", "event log", "IMA list"]
        .map(|what| (what, step(&record, what).0))
        .to_vec();
    assert_eq!(states[1], ("attestation key", "named"));
    assert!(states.iter().all(|(what, state)| *what == "attestation key" || *state == "verified"), "{states:?}");
    assert!(step(&record, "quote").1.starts_with("sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,"));
    let gaps = record["not_checked"].to_string();
    for gap in ["freshness of the quote", "where the attestation key lives", "whose TPM this is"] {
        assert!(gaps.contains(gap), "{gaps}");
    }
}

#[test]
fn registers_that_no_log_explains_are_named() {
    let Some(folder) = evidence() else { return };
    let mut command = recorded_boot(&folder, "app-good", "verify");
    let explained = command.json(NOT_APPRAISED)["not_checked"].to_string();
    assert!(!explained.contains("what PCRs"), "{explained}");
    // Without the IMA list, then without the event log.
    for registers in ["what PCRs 10 stand", "what PCRs 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14 stand"] {
        command.0.truncate(command.0.len() - 2);
        let gaps = command.json(NOT_APPRAISED)["not_checked"].to_string();
        assert!(gaps.contains(registers), "{gaps}");
    }
}

#[test]
fn the_lists_text_form_says_the_same_as_the_binary_one() {
    let Some(folder) = evidence() else { return };
    let binary = recorded_boot(&folder, "app-good", "verify");
    let text = replace(&binary, "--ima-log", folder.join("vm-boot/app-good/q/ima.txt"));
    assert_eq!(text.expect(NOT_APPRAISED).0, binary.expect(NOT_APPRAISED).0);
}

#[test]
fn registers_as_text_say_the_same_as_the_dump() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("pcrs");
    let dump = recorded_boot(&folder, "app-good", "verify");
    let registers = dump.json(NOT_APPRAISED)["facts"]["pcrs"]["sha256"].clone();
    let line = |(pcr, value): (&String, &Value)| format!("sha256:{pcr}={}\n", value.as_str().unwrap());
    let lines: String = registers.as_object().unwrap().iter().map(line).collect();
    let text = replace(&dump, "--pcrs", scratch.file("pcrs.txt", &lines));
    assert_eq!(text.expect(NOT_APPRAISED).0, dump.expect(NOT_APPRAISED).0);

    let fewer = lines.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    let record = replace(&dump, "--pcrs", scratch.file("fewer.txt", fewer)).json(NOT_TRUSTED);
    assert_eq!((step(&record, "quote").0, step(&record, "event log").0), ("refused", "not-reached"));
}

#[test]
fn a_changed_piece_is_refused_where_it_stands() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("pieces");
    let good = recorded_boot(&folder, "app-good", "verify");
    let boot = folder.join("vm-boot/app-good");
    for (option, file, bit, what) in [
        ("--ak", "keys/ak-ecdsa.pub", 600, "attestation key"),
        ("--quote", "q/ecdsa.msg", 400, "quote"),
        ("--signature", "q/ecdsa.sig", 400, "quote"),
        ("--pcrs", "q/ecdsa.pcrs", 142 * 8, "quote"),
        ("--event-log", "q/bios.bin", 8 * 2000, "event log"),
        // In the template data; the template hash before it is a claim that no SHA-256 bank covers.
        ("--ima-log", "q/ima.bin", 8 * 60, "IMA list"),
    ] {
        let record = replace(&good, option, scratch.flipped(&boot.join(file), bit)).json(NOT_TRUSTED);
        let refused: Vec<&Value> =
            record["steps"].as_array().unwrap().iter().filter(|step| step["state"] == "refused").collect();
        assert_eq!(refused.len(), 1, "{option}: {record:#}");
        assert_eq!(refused[0]["what"], what, "{option}: {record:#}");
        assert_eq!(step(&record, "report").0, "verified", "{option}");
    }
    let old = replace(&good, "--quote-nonce", "00".repeat(20)).json(NOT_TRUSTED);
    assert_eq!(step(&old, "quote").0, "refused");
}

#[test]
fn a_policy_learnt_from_a_good_boot_tells_the_others_apart() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("learn");
    let learn = recorded_boot(&folder, "app-good", "policy learn").with("--name", "the good boot");
    let (policy, _) = learn.expect(TRUSTED);
    assert!(policy.starts_with("# not checked: ") && policy.contains("the good boot"), "{policy}");
    let path = scratch.file("policy.toml", &policy);
    let (id, _) = Evtpm::new("policy check").word(&path).expect(TRUSTED);

    for (boot, code, verdict, finding) in [
        ("app-good", TRUSTED, "trusted", "tpm.attestation-key"),
        ("app-modified", NOT_TRUSTED, "untrusted", "runtime.file"),
        ("app-dropper", NOT_TRUSTED, "untrusted", "runtime.file"),
        ("app-cmdline", NOT_TRUSTED, "untrusted", "boot.command-line"),
    ] {
        let record = recorded_boot(&folder, boot, "verify").with("--policy", &path).json(code);
        assert_eq!((&record["conclusion"], &record["policy"]), (&verdict.into(), &id.trim().into()), "{boot}");
        let codes: Vec<&Value> = record["findings"].as_array().unwrap().iter().map(|found| &found["code"]).collect();
        assert!(codes.contains(&&finding.into()), "{boot}: {codes:?}");
        assert_eq!(record["ear"]["ear.evtpm.verdict"], verdict, "{boot}");
        assert_eq!(record["ear"]["iat"], 1_772_323_200, "{boot}");
    }
}

#[test]
fn a_named_key_and_a_recorded_quote_need_the_policys_leave() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("leave");
    let (policy, _) = recorded_boot(&folder, "app-good", "policy learn").expect(TRUSTED);
    let good = recorded_boot(&folder, "app-good", "verify");
    for (rule, verdict) in [("allow_named_ak = true", "unknown"), ("allow_recorded = true", "stale")] {
        assert!(policy.contains(rule));
        let stricter = scratch.file("stricter.toml", policy.replace(rule, &rule.replace("true", "false")));
        assert_eq!(good.clone().with("--policy", stricter).json(NOT_TRUSTED)["conclusion"], verdict);
    }
}

#[test]
fn a_predicted_measurement_goes_before_the_reports() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("measurement");
    let learn = recorded_boot(&folder, "app-good", "policy learn");
    let (policy, _) = learn.clone().with("--measurement", "ab".repeat(48)).expect(TRUSTED);
    let path = scratch.file("policy.toml", policy);
    let record = recorded_boot(&folder, "app-good", "verify").with("--policy", path).json(NOT_TRUSTED);
    assert_eq!(record["findings"][0]["code"], "snp.measurement");
    assert_eq!(record["findings"][0]["expected"], "ab".repeat(48));
    let (_, err) = learn.with("--measurement", "abcd").expect(FAILED);
    assert!(err.contains("expected 48 bytes, got 2"), "{err}");
}

#[test]
fn refused_evidence_teaches_nothing_and_is_untrusted_under_any_policy() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("refused");
    let (policy, _) = recorded_boot(&folder, "app-good", "policy learn").expect(TRUSTED);
    let policy = scratch.file("policy.toml", policy);
    let flipped = scratch.flipped(&folder.join("vm-boot/app-good/q/ecdsa.sig"), 400);
    let learn = replace(&recorded_boot(&folder, "app-good", "policy learn"), "--signature", &flipped);
    let (out, err) = learn.expect(FAILED);
    assert!(out.is_empty() && err.contains("quote refused"), "{out}{err}");

    let judged = replace(&recorded_boot(&folder, "app-good", "verify"), "--signature", flipped);
    let record = judged.with("--policy", policy).json(NOT_TRUSTED);
    assert_eq!(record["conclusion"], "untrusted");
    assert_eq!(record["findings"][0]["code"], "evidence.refused");
}

#[test]
fn the_same_question_gets_the_same_bytes() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("same");
    let (policy, _) = recorded_boot(&folder, "app-good", "policy learn").expect(TRUSTED);
    let judged = recorded_boot(&folder, "app-modified", "verify").with("--policy", scratch.file("policy.toml", policy));
    for command in [judged.clone(), judged.word("--json"), recorded_boot(&folder, "app-good", "policy learn")] {
        let (first, second) = (command.run(), command.run());
        assert_eq!((first.stdout, first.status), (second.stdout, second.status));
    }
}

#[test]
fn half_a_quote_is_a_wrong_command_line() {
    let quote = Evtpm::new("verify --report r --quote q");
    let (_, err) = quote.expect(USAGE);
    assert!(err.contains("--signature") && err.contains("--quote-nonce"), "{err}");
    for alone in ["--manifest m", "--at yesterday", "--nonce zz", "--ima-pcr 24"] {
        Evtpm::new(&format!("verify --report r {alone}")).expect(USAGE);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let (out, err) = Evtpm::new("verify --report /nowhere/report.bin").expect(FAILED);
    assert!(out.is_empty() && err.contains("/nowhere/report.bin"), "{out}{err}");
    let (_, err) = Evtpm::new("policy check /nowhere/policy.toml").expect(FAILED);
    assert!(err.contains("/nowhere/policy.toml"), "{err}");
}

const ISSUER: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";

/// A policy that accepts what Microsoft endorses.
fn endorsed(issuer: &str, min_svn: u32) -> String {
    format!(
        "version = 1\n[snp]\nproducts = [\"Milan\"]\nmin_guest_svn = 2\n[snp.tcb.Milan]\nsnp = 8\nmicrocode = 115\n\
         [[snp.endorsers]]\nissuer = \"{issuer}\"\nfeeds = [\"ContainerPlat-AMD-UVM\"]\nmin_svn = {min_svn}\n"
    )
}

#[test]
fn a_launch_that_azure_endorses_is_trusted_out_of_a_bundle_too() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v2-aci-bundle");
    let endorsement = item.join("uvm_reference_info.cose");
    let with = |words: &str, endorsement: &Path| {
        let report = Evtpm::new(words).with("--report", item.join("report.bin"));
        report.with("--certificates", item.join("vcek-chain.pem")).with("--endorsement", endorsement)
    };
    // The signer's certificate was valid in 2023.
    let command = || with("verify", &endorsement).with("--at", "2023-06-01T00:00:00Z");
    let scratch = Scratch::new("endorsed");
    let policy = scratch.file("policy.toml", endorsed(ISSUER, 22));
    let record = command().with("--policy", &policy).json(TRUSTED);
    assert_eq!(step(&record, "endorsement").0, "verified");
    let bundle = scratch.file("bundle.cbor", "");
    with("bundle pack", &endorsement).with("--out", &bundle).expect(TRUSTED);
    let bundled = Evtpm::new("verify").word(&bundle).with("--at", "2023-06-01T00:00:00Z").with("--policy", &policy);
    assert_eq!(bundled.json(TRUSTED), record);

    let other = ISSUER.replace("I__i", "J__i");
    for (rules, expected) in [(endorsed(ISSUER, 23), "SVN 23 or later"), (endorsed(&other, 22), other.as_str())] {
        let record = command().with("--policy", scratch.file("other.toml", rules)).json(NOT_TRUSTED);
        let finding = record["findings"].as_array().unwrap().iter().find(|one| one["code"] == "snp.measurement");
        assert!(finding.unwrap()["expected"].as_str().unwrap().contains(expected), "{record:#}");
    }
    let record = with("verify", &endorsement).with("--at", AT).with("--policy", &policy).json(NOT_TRUSTED);
    assert_eq!(step(&record, "endorsement").0, "refused", "the signer's certificate is over");
    // The signature stands at the end.
    let flipped = scratch.flipped(&endorsement, 8 * 10_800);
    let record = with("verify", &flipped).with("--at", "2023-06-01T00:00:00Z").json(NOT_TRUSTED);
    assert_eq!(step(&record, "endorsement").0, "refused");
    Evtpm::new("verify --endorsement e").expect(USAGE);
}
