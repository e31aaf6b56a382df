// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verifier on the host: told what the machine has to be, then asked over HTTPS by the agent in each guest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use evtpm_vm::plan::HOST;
use serde::Deserialize;

use crate::shell::output;

/// Nothing trusts this root unless it is told to.
const ROOT: &str = "SIMULATED ARK-Milan";
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the guest finds the certificate of the verifier's CA.
pub(crate) const CA: &str = "etc/verifier-ca.pem";

/// What the agent prints: as much of the verdict as is looked at here.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) verdict: String,
    pub(crate) findings: Vec<Finding>,
}

/// One reason for a verdict.
#[derive(Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) check: String,
    pub(crate) severity: String,
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.check, self.message)
    }
}

/// What the machine has to be, known before any boot: from files, not from what a boot said.
#[derive(Debug)]
pub(crate) struct Reference<'a> {
    pub(crate) firmware: &'a Path,
    pub(crate) command_line: String,
    /// Absolute paths in the guest, with their contents; a path may have several.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// A listening verifier; it ends with this value.
#[derive(Debug)]
pub(crate) struct Verifier {
    process: Child,
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

impl Verifier {
    /// Starts a verifier whose state and keys are new, and whose policy is the reference.
    pub(crate) fn start(
        evtpm: &Path,
        folder: &Path,
        address: SocketAddr,
        reference: &Reference<'_>,
    ) -> anyhow::Result<Self> {
        fs::write(folder.join("root.pem"), output(Command::new(evtpm).args(["sp", "root"]))?)?;
        output(Command::new(evtpm).args(["sp", "certificates"]).arg(folder.join("collateral")))?;
        let measurement = output(Command::new(evtpm).args(["measure", "--firmware"]).arg(reference.firmware))?;
        fs::write(folder.join("policy.toml"), policy(measurement.trim(), reference, folder)?)?;

        let log = File::create(folder.join("verifier.log"))?;
        let mut command = Command::new(evtpm);
        command.args([
            "verifier",
            "--listen",
            &address.to_string(),
            "--directory",
            "state",
            "--policy",
            "policy.toml",
            "--name",
            HOST,
            "--name",
            "127.0.0.1",
        ]);
        command.args(["--collateral", "collateral", "--trust-simulated", &format!("{ROOT}=root.pem")]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().context("start the verifier")?;
        let program = evtpm.to_owned();
        let mut verifier = Self { process, program, folder: folder.to_owned(), address };
        verifier.wait().context("the verifier (see verifier.log)")?;
        Ok(verifier)
    }

    /// The certificate that the agent checks the verifier's against.
    pub(crate) fn ca(&self) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join("state/ca.pem");
        fs::read(&path).with_context(|| path.display().to_string())
    }

    /// Asks or tells the verifier something, as its administrator.
    pub(crate) fn operator(&self, command: &[&str]) -> anyhow::Result<String> {
        let mut operator = Command::new(&self.program);
        operator.args(command).args(["--verifier", &format!("https://{}", self.address), "--directory", "state"]);
        output(operator.current_dir(&self.folder))
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        let listening = format!("listening on {}", self.address);
        while !fs::read_to_string(self.folder.join("verifier.log"))?.contains(&listening) {
            if let Some(status) = self.process.try_wait()? {
                bail!("ended before it listened: {status}");
            }
            if start.elapsed() > PATIENCE {
                bail!("does not listen after {PATIENCE:?}");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        // It serves until it is ended; whether it had ended already is no news here.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// An address of this machine that no one listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// The policy document for this machine.
fn policy(measurement: &str, reference: &Reference<'_>, folder: &Path) -> anyhow::Result<String> {
    let mut text = format!(
        "version = 1\nname = \"cargo xtask vm\"\n\n[snp]\nmeasurements = [\"{measurement}\"]\nproducts = [\"Milan\"]\n\
         simulated = [\"{ROOT}\"]\n\n[tpm]\nbanks = [\"sha256\"]\n\n[boot]\n\
         # OVMF's loader appends the name of the initial file system.\n\
         command_lines = [{{ exact = \"{} initrd=initrd\" }}]\n\n\
         # Made after this policy, so no file of this list.\n[ima]\nexcludes = [\"/{CA}\"]\n\n[ima.files]\n",
        reference.command_line
    );
    let sample = folder.join("sample");
    let mut digests: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, content) in &reference.files {
        fs::write(&sample, content)?;
        let line = output(Command::new("sha256sum").arg(&sample))?;
        let digest = line.split_whitespace().next().context("sha256sum prints a digest")?;
        digests.entry(path).or_default().insert(format!("\"sha256:{digest}\""));
    }
    for (path, digests) in digests {
        writeln!(text, "\"{path}\" = [{}]", Vec::from_iter(digests).join(", "))?;
    }
    fs::remove_file(&sample)?;
    Ok(text)
}
