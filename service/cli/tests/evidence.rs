// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm evidence check` over the evidence folder: the table test of everything that is verified.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn evidence() -> Option<PathBuf> {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if root.join("index.json").is_file() {
        return Some(root);
    }
    println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

fn check(index: &Path, folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evtpm"))
        .args(["evidence", "check", "--json", "--index"])
        .arg(index)
        .arg(folder)
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    std::str::from_utf8(&output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_item_matches_the_index() {
    let Some(folder) = evidence() else { return };
    let mut lines = lines(&check(&folder.join("index.json"), &folder));
    let count = lines.pop().unwrap();
    let items: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    assert_eq!((lines.len(), count["items"].as_u64()), (items.len(), Some(items.len() as u64)));
    for line in &lines {
        assert_eq!(line["matches"], true, "{line}");
    }
}

/// Writes an index of one item into a folder of its own and returns what the check says about it.
fn check_one(name: &str, item: &Value, files: &[(&str, &[u8])]) -> (Option<i32>, Value) {
    let folder = std::env::temp_dir().join(format!("evtpm-evidence-{name}-{}", std::process::id()));
    let own = folder.join(item["kind"].as_str().unwrap()).join(item["id"].as_str().unwrap());
    std::fs::create_dir_all(&own).unwrap();
    for (name, bytes) in files {
        std::fs::write(own.join(name), bytes).unwrap();
    }
    let index = folder.join("index.json");
    std::fs::write(&index, serde_json::to_vec(&[item]).unwrap()).unwrap();
    let output = check(&index, &folder);
    std::fs::remove_dir_all(&folder).unwrap();
    (output.status.code(), lines(&output).remove(0))
}

#[test]
fn an_unknown_kind_is_a_failure() {
    let item = serde_json::json!({"kind": "tarot", "id": "x", "files": [], "expect": {}});
    let (code, line) = check_one("kind", &item, &[]);
    assert_eq!(code, Some(1));
    assert!(line["failures"][0].as_str().unwrap().contains("tarot"), "{line}");
}

/// A log of one event.
fn log() -> Vec<u8> {
    [[4, 0, 0, 0, 5, 0, 0, 0].as_slice(), &[0xAA; 20], &[0; 4]].concat()
}

fn item(id: &str, expect: Value) -> Value {
    serde_json::json!({"kind": "tcg-eventlog", "id": id, "files": [{"name": "eventlog.bin"}], "expect": expect})
}

#[test]
fn an_expectation_that_nobody_checks_is_named_and_not_passed() {
    let known = item("x", serde_json::json!({"format": "sha1", "events": 1}));
    let unknown = item("x", serde_json::json!({"format": "sha1", "events": 1, "mood": "good"}));
    assert_eq!(check_one("known", &known, &[("eventlog.bin", &log())]).0, Some(0));
    let (code, line) = check_one("unknown", &unknown, &[("eventlog.bin", &log())]);
    assert_eq!((code, &line["matches"], &line["not_checked"][0]), (Some(1), &Value::from(false), &Value::from("mood")));
    assert_eq!(line["failures"].as_array().unwrap().len(), 0, "{line}");
}

#[test]
fn a_malformed_log_without_a_format_has_to_be_refused_unless_it_only_must_do_no_harm() {
    let empty = item("malformed-x", serde_json::json!({}));
    assert_eq!(check_one("refused", &empty, &[("eventlog.bin", &log()[..20])]).0, Some(0));
    assert_eq!(check_one("accepted", &empty, &[("eventlog.bin", &log())]).0, Some(1));
    let harmless = item("malformed-x", serde_json::json!({"notes": "must not crash"}));
    assert_eq!(check_one("harmless", &harmless, &[("eventlog.bin", &log())]).0, Some(0));
}

#[test]
fn a_missing_file_is_the_failure_of_its_item_alone() {
    let folder = std::env::temp_dir().join(format!("evtpm-evidence-missing-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("tcg-eventlog/there")).unwrap();
    std::fs::write(folder.join("tcg-eventlog/there/eventlog.bin"), log()).unwrap();
    let index = folder.join("index.json");
    let expect = serde_json::json!({"events": 1});
    std::fs::write(&index, serde_json::to_vec(&[item("gone", expect.clone()), item("there", expect)]).unwrap())
        .unwrap();
    let output = check(&index, &folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let lines = lines(&output);
    assert!(lines[0]["failures"][0].as_str().unwrap().contains("eventlog.bin"), "{}", lines[0]);
    assert_eq!((&lines[1]["matches"], lines[2]["failing"].as_u64()), (&Value::from(true), Some(1)));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_expectation_that_is_not_met_is_a_failure() {
    let item = item("x", serde_json::json!({"events": 2}));
    assert_eq!(check_one("unmet", &item, &[("eventlog.bin", &log())]).0, Some(1));
}

#[test]
fn a_file_that_is_not_the_one_of_the_index_is_a_failure() {
    let file = serde_json::json!({"name": "eventlog.bin", "sha256": "00", "size": 3});
    let item = serde_json::json!({"kind": "tcg-eventlog", "id": "x", "files": [file], "expect": {}});
    assert_eq!(check_one("hash", &item, &[("eventlog.bin", &[1, 2, 3])]).0, Some(1));
}
