// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TPM behind QEMU's `-tpmdev emulator`: swtpm, or a program that takes the same arguments.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The control socket, relative to the boot's folder: socket paths may have only 107 bytes.
pub(crate) const SOCKET: &str = "tpm.sock";
const PATIENCE: Duration = Duration::from_secs(10);

/// How to start a TPM.
#[derive(Debug)]
pub(crate) struct TpmServer {
    program: String,
}

/// A TPM that serves one boot; it ends with this value.
#[derive(Debug)]
pub(crate) struct RunningTpm(Child);

impl TpmServer {
    /// A server program by name or path.
    pub(crate) fn new(program: &str) -> Self {
        Self { program: program.to_owned() }
    }

    /// Starts a TPM whose state folder is new and empty.
    pub(crate) fn start(&self, folder: &Path) -> anyhow::Result<RunningTpm> {
        std::fs::create_dir(folder.join("tpm"))?;
        let log = File::create(folder.join("tpm.log"))?;
        let mut command = Command::new(&self.program);
        command.args([
            "socket",
            "--tpm2",
            "--tpmstate",
            "dir=tpm",
            "--ctrl",
            &format!("type=unixio,path={SOCKET}"),
            "--terminate",
        ]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut running = RunningTpm(command.spawn().with_context(|| format!("start {self}"))?);
        running.wait_for(&folder.join(SOCKET)).with_context(|| format!("{self} (see tpm.log)"))?;
        Ok(running)
    }
}

impl fmt::Display for TpmServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)
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
