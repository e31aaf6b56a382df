// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the verifier's audit log has at the end, against what machines were told.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use evtpm_api::{AuditLine, MachineDetails};
use evtpm_fleet::ServerProcess;

/// What one machine did and heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Boots whose registration was answered.
    pub(crate) boots: u64,
    /// Rounds that were begun, and those whose verdict was heard.
    pub(crate) begun: u64,
    pub(crate) heard: u64,
}

/// Runs a command of the operator.
pub(crate) fn operator(server: &ServerProcess, words: &[&str]) -> Output {
    let url = format!("https://{}", server.address());
    Command::new(env!("CARGO_BIN_EXE_evtpm"))
        .args(words)
        .args(["--json", "--verifier", &url, "--directory"])
        .arg(server.directory())
        .output()
        .unwrap()
}

pub(crate) fn details(server: &ServerProcess, machine: &str) -> MachineDetails {
    let shown = operator(server, &["machine", "show", machine]);
    serde_json::from_slice(&shown.stdout).unwrap_or_else(|error| panic!("{error}: {shown:?}"))
}

/// No accepted evidence is lost, none is counted twice, and the chain of the log is whole.
pub(crate) fn balance(server: &ServerProcess, told: &BTreeMap<String, Told>) {
    let verified = operator(server, &["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let listed = operator(server, &["audit", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    let lines: Vec<AuditLine> =
        listed.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();

    for (machine, told) in told {
        let of_machine = || lines.iter().filter(|line| line.machine.as_ref() == Some(machine));
        let mut boots: Vec<&str> = of_machine()
            .filter(|line| line.event == "registered" && !line.detail.contains("again"))
            .filter_map(|line| line.detail.split(',').next())
            .collect();
        let registered = boots.len();
        boots.sort_unstable();
        boots.dedup();
        assert_eq!(boots.len(), registered, "{machine}: a boot was registered twice");
        let details = details(server, machine);
        assert_eq!(details.history.len() as u64, told.boots, "{machine}: {told:?}");
        assert_eq!(registered as u64, told.boots, "{machine}: {told:?}");

        let verdicts = of_machine().filter(|line| line.event == "verdict").count() as u64;
        let rounds: u64 = details.history.iter().map(|boot| boot.rounds).sum();
        assert_eq!(rounds, verdicts, "{machine}: what is counted is what is logged");
        assert!(told.heard <= rounds, "{machine}: {} verdicts were heard, {rounds} are known", told.heard);
        assert!(rounds <= told.begun, "{machine}: {} rounds were begun, {rounds} are known", told.begun);
        assert!(!details.machine.clone_alarm, "{machine}: there was one of it");
    }
}
