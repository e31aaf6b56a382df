// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The boots: what is changed before each, and what must come of it.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};

use super::results::Results;

/// The boot that the others are compared with.
pub(crate) const GOOD: &str = "good";
/// `root=` makes the first file system a ramfs, which IMA's "tcb" policy measures (a tmpfs it would skip).
const COMMAND_LINE: &str = "console=ttyS0 quiet ima_policy=tcb root=/dev/ram0 rdinit=/init panic=-1";
/// The banks that the TPM has allocated.
const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// One boot.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) change: Change,
    /// PCRs whose values must differ from the good boot's; all others must not.
    differing: &'static [u8],
    /// The checks that fail, as the verdict names them; none where it is "trusted".
    failing: &'static [&'static str],
}

/// What is changed before the boot.
#[derive(Debug)]
pub(crate) enum Change {
    Nothing,
    /// More words on the kernel's command line.
    CommandLine(&'static str),
    /// Another configuration file for the application.
    File,
}

/// OVMF measures the command line and the initial file system into PCR 9, IMA the files into PCR 10; IMA's log starts
/// with a digest of PCRs 0 to 9.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: GOOD,
        about: "the machine as it should be",
        change: Change::Nothing,
        differing: &[],
        failing: &[],
    },
    Scenario {
        name: "same-again",
        about: "the same once more: measurements repeat",
        change: Change::Nothing,
        differing: &[],
        failing: &[],
    },
    Scenario {
        name: "changed-command-line",
        about: "the kernel is told to be lax",
        change: Change::CommandLine("ima_appraise=off"),
        differing: &[9, 10],
        failing: &["boot.command-line"],
    },
    Scenario {
        name: "changed-file",
        about: "the application's configuration is another",
        change: Change::File,
        differing: &[9, 10],
        failing: &["runtime.file"],
    },
];

impl Scenario {
    /// The kernel's command line.
    pub(crate) fn command_line(&self) -> String {
        match self.change {
            Change::CommandLine(words) => format!("{COMMAND_LINE} {words}"),
            _ => COMMAND_LINE.to_owned(),
        }
    }

    /// Compares what a boot measured with what it had to.
    pub(crate) fn check(&self, results: &Results, good: &Results) -> anyhow::Result<String> {
        let complaints = results.complaints()?;
        if !complaints.is_empty() {
            bail!("the guest's kernel complains:\n{}", complaints.join("\n"));
        }
        let status = results.text("app.status")?.trim();
        ensure!(status == "exit status: 0", "the application: {status}\n{}", results.text("app.err")?);
        for bank in BANKS {
            let (ours, theirs) = (results.pcrs(bank)?, good.pcrs(bank)?);
            let differing: Vec<u8> = ours.keys().copied().filter(|pcr| ours.get(pcr) != theirs.get(pcr)).collect();
            ensure!(
                differing == self.differing,
                "{bank} PCRs {differing:?} differ from the good boot, not {:?}",
                self.differing
            );
        }
        let log = results.text("ima.txt")?;
        ensure!(log.contains(" /bin/app "), "IMA did not measure the application");
        let verdict = self.check_verdict(results)?;
        Ok(format!(
            "{verdict}; {} bytes of event log, {} IMA entries, PCRs {:?} differ",
            results.file("bios.bin")?.len(),
            log.lines().count(),
            self.differing
        ))
    }

    /// Compares the verdict with what it has to be: which checks failed, and that no other did.
    fn check_verdict(&self, results: &Results) -> anyhow::Result<String> {
        let Some(verdict) = results.verdict()? else { return Ok("not verified".to_owned()) };
        let failed: BTreeSet<&str> = verdict
            .findings
            .iter()
            .filter(|finding| finding.severity == "failure")
            .map(|finding| finding.check.as_str())
            .collect();
        let expected = if self.failing.is_empty() { "trusted" } else { "untrusted" };
        ensure!(
            verdict.verdict == expected && failed == self.failing.iter().copied().collect(),
            "the verdict is {:?} instead of {expected:?}, because of\n{}",
            verdict.verdict,
            verdict.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()
        );
        Ok(format!("{} {failed:?}", verdict.verdict))
    }
}
