// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bench commands` and `fleet` in their short forms: that every row is there, and nothing about how long anything took.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::process::{Command, Output};

use serde_json::Value;

const NOTE: &str = "A hardware VMPL switch is not in these figures";

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evtpm"))
        .args(["bench", "commands", "--runs", "9"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn each_command_has_a_row_for_each_way_and_the_plot_a_bar() {
    let plot = std::env::temp_dir().join(format!("evtpm-bench-{}.svg", std::process::id()));
    let output = bench(&["--swtpm", "none", "--json", "--plot", plot.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    for command in ["PCR_Read", "PCR_Extend", "Quote", "CreatePrimary"] {
        let ways: Vec<&str> =
            rows.iter().filter(|row| row["command"] == command).map(|row| row["way"].as_str().unwrap()).collect();
        assert_eq!(ways, ["SVSM call", "engine in process", "evtpm, unix socket"], "{command}");
    }
    assert!(rows.iter().all(|row| row["p5_us"].as_f64() <= row["p95_us"].as_f64()));
    assert_eq!(document["skipped"][0], "swtpm, unix socket: --swtpm none");
    assert!(document["note"].as_str().unwrap().starts_with(NOTE));
    let svg = std::fs::read_to_string(&plot).unwrap();
    std::fs::remove_file(&plot).unwrap();
    assert_eq!(svg.matches("<title>").count(), rows.len());
    assert!(svg.contains(NOTE));
}

#[test]
fn without_an_swtpm_its_rows_are_skipped_and_say_so() {
    let output = bench(&["--swtpm", "/nowhere/swtpm"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("skipped: swtpm, unix socket: starting /nowhere/swtpm"), "{text}");
    assert!(text.contains(NOTE), "{text}");
}

#[test]
fn a_fleet_s_every_figure_is_there_and_the_plot_draws_the_times() {
    let plot = std::env::temp_dir().join(format!("evtpm-fleet-{}.svg", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_evtpm"))
        .args(["bench", "fleet", "--short", "--json", "--plot", plot.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    let with = |key: &str| rows.iter().filter(|row| !row[key].is_null()).count();
    // Five that Keylime was measured with; memory, the full round and its latency have bars besides.
    assert_eq!((with("keylime"), with("at_most")), (5, 8));
    let svg = std::fs::read_to_string(&plot).unwrap();
    std::fs::remove_file(&plot).unwrap();
    let times = rows.iter().filter(|row| row["unit"] == "ms").count();
    assert_eq!(svg.matches("<title>").count(), times + with("keylime"));
}
