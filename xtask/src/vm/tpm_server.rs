// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TPM behind QEMU's `-tpmdev emulator`: ours in an SVSM above a simulated chip, or swtpm for comparison.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::shell::Workspace;

/// The control socket, relative to the boot's folder: socket paths may have only 107 bytes.
pub(crate) const SOCKET: &str = "tpm.sock";
const PATIENCE: Duration = Duration::from_secs(10);

/// How to start a TPM.
#[derive(Debug)]
pub(crate) enum TpmServer {
    /// `evtpm tpm serve --svsm --sp sim`, which launches this firmware with it.
    Evtpm { program: PathBuf, firmware: PathBuf },
    /// A program that takes swtpm's arguments.
    Swtpm { program: String },
}

/// A TPM that serves one boot; it ends with this value.
#[derive(Debug)]
pub(crate) struct RunningTpm(Child);

impl TpmServer {
    /// Our own, built now.
    pub(crate) fn evtpm(workspace: &Workspace, firmware: &Path) -> anyhow::Result<Self> {
        let program = workspace.programs(&["evtpm"])?.join("evtpm");
        Ok(Self::Evtpm { program, firmware: firmware.to_owned() })
    }

    /// `evtpm`, where the TPM is ours.
    pub(crate) fn program(&self) -> Option<&Path> {
        match self {
            Self::Evtpm { program, .. } => Some(program),
            Self::Swtpm { .. } => None,
        }
    }

    /// Starts a TPM that knows nothing yet: ours never does, swtpm gets an empty folder.
    pub(crate) fn start(&self, folder: &Path) -> anyhow::Result<RunningTpm> {
        let log = File::create(folder.join("tpm.log"))?;
        let mut command = self.command();
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        std::fs::create_dir(folder.join("tpm"))?;
        let mut running = RunningTpm(command.spawn().with_context(|| format!("start {self}"))?);
        running.wait_for(&folder.join(SOCKET)).with_context(|| format!("{self} (see tpm.log)"))?;
        Ok(running)
    }

    fn command(&self) -> Command {
        match self {
            Self::Evtpm { program, firmware } => {
                let mut command = Command::new(program);
                command.args([
                    "tpm",
                    "serve",
                    "--svsm",
                    "--sp",
                    "sim",
                    "--swtpm",
                    &format!("unix:{SOCKET}"),
                    "--firmware",
                ]);
                command.arg(firmware);
                command
            }
            Self::Swtpm { program } => {
                let mut command = Command::new(program);
                command.args(["socket", "--tpm2", "--tpmstate", "dir=tpm", "--terminate"]);
                command.args(["--ctrl", &format!("type=unixio,path={SOCKET}")]);
                command
            }
        }
    }
}

impl fmt::Display for TpmServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evtpm { .. } => f.write_str("evtpm (SVSM, simulated chip)"),
            Self::Swtpm { program } => f.write_str(program),
        }
    }
}

impl RunningTpm {
    fn wait_for(&mut self, socket: &Path) -> anyhow::Result<()> {
        let start = Instant::now();
        while !socket.exists() {
            if let Some(status) = self.0.try_wait()? {
                bail!("ended before it listened: {status}");
            }
            if start.elapsed() > PATIENCE {
                bail!("no socket after {PATIENCE:?}");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for RunningTpm {
    fn drop(&mut self) {
        // It has usually ended with QEMU's connection; both calls then say so, which is no news.
        let _already_ended = self.0.kill();
        let _status = self.0.wait();
    }
}
