// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The boots: what is changed before each, and what must come of it.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};

use super::results::Results;

/// The boot that the others are compared with.
pub(crate) const GOOD: &str = "good";
/// `no_timer_check`: on a busy host an emulated timer may be late, which the kernel takes for a broken one and panics.
/// `root=` makes the first file system a ramfs, which IMA's "tcb" policy measures (a tmpfs it would skip).
pub(crate) const COMMAND_LINE: &str =
    "console=ttyS0 quiet no_timer_check ima_policy=tcb root=/dev/ram0 rdinit=/init panic=-1";
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
    expected: Expected,
}

/// What must come of a boot.
#[derive(Debug)]
enum Expected {
    Trusted,
    /// The checks that fail, as the verdict names them, and no others.
    Untrusted(&'static [&'static str]),
    /// The verifier does not even register the machine, for a reason with these words.
    Refused(&'static str),
}

/// What is changed before the boot.
#[derive(Debug)]
pub(crate) enum Change {
    Nothing,
    /// More words on the kernel's command line.
    CommandLine(&'static str),
    /// Another configuration file for the application.
    File,
    /// A software TPM in the guest, which shows the real TPM's report.
    FakeTpm,
}

/// OVMF measures the command line and the initial file system into PCR 9, IMA the files into PCR 10; IMA's log starts
/// with a digest of PCRs 0 to 9.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: GOOD,
        about: "the machine as it should be",
        change: Change::Nothing,
        differing: &[],
        expected: Expected::Trusted,
    },
    Scenario {
        name: "same-again",
        about: "the same once more: measurements repeat",
        change: Change::Nothing,
        differing: &[],
        expected: Expected::Trusted,
    },
    Scenario {
        name: "changed-command-line",
        about: "the kernel is told to be lax",
        change: Change::CommandLine("ima_appraise=off"),
        differing: &[9, 10],
        expected: Expected::Untrusted(&["boot.command-line"]),
    },
    Scenario {
        name: "changed-file",
        about: "the application's configuration is another",
        change: Change::File,
        differing: &[9, 10],
        expected: Expected::Untrusted(&["runtime.file"]),
    },
    Scenario {
        name: "fake-tpm",
        about: "the agent is given a software TPM with a stolen report",
        change: Change::FakeTpm,
        // QEMU writes the size of the initial file system into the kernel that OVMF measures: one program more shows in PCR 4.
        differing: &[4, 9, 10],
        expected: Expected::Refused("report data: expected"),
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

    /// Compares what the agent heard with what it had to.
    fn check_verdict(&self, results: &Results) -> anyhow::Result<String> {
        if !results.has("agent.out") {
            return Ok("not verified".to_owned());
        }
        if let Expected::Refused(words) = self.expected {
            let said = results.text("agent.err")?.trim();
            ensure!(results.text("agent.out")?.is_empty(), "the verifier gave a verdict instead of a refusal");
            ensure!(said.contains(words), "refused for another reason than {words:?}: {said}");
            return Ok(format!("refused because of {words:?}"));
        }
        let verdict = results.verdict()?;
        let failures = verdict.findings.iter().filter(|finding| finding.severity == "failure");
        let failed: BTreeSet<&str> = failures.map(|finding| finding.check.as_str()).collect();
        let (expected, checks): (_, &[&str]) = match self.expected {
            Expected::Untrusted(checks) => ("untrusted", checks),
            _ => ("trusted", &[]),
        };
        ensure!(
            verdict.verdict == expected && failed == checks.iter().copied().collect(),
            "the verdict is {:?} instead of {expected:?}, because of\n{}",
            verdict.verdict,
            verdict.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()
        );
        Ok(format!("{} {failed:?}", verdict.verdict))
    }
}
