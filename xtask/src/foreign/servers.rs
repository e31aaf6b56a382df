// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs called `swtpm`, ours and Debian's, each started with the same arguments on ports and a folder of its own.

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::shell::Workspace;

const PATIENCE: Duration = Duration::from_secs(10);

/// Whose program to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// The one of this repository.
    Ours,
    /// The package swtpm.
    Debian,
}

impl std::str::FromStr for Server {
    type Err = UnknownServer;

    fn from_str(text: &str) -> Result<Self, UnknownServer> {
        match text {
            "ours" => Ok(Self::Ours),
            "debian" => Ok(Self::Debian),
            _ => Err(UnknownServer),
        }
    }
}

/// The word names no server.
#[derive(Debug)]
pub(crate) struct UnknownServer;

impl fmt::Display for UnknownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server is `ours` or `debian`")
    }
}

impl std::error::Error for UnknownServer {}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "our swtpm",
            Self::Debian => "Debian's swtpm",
        })
    }
}

impl Server {
    /// Builds the program if it is ours, and says where it is.
    pub(crate) fn program(self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        match self {
            Self::Ours => Ok(workspace.programs(&["swtpm"])?.join("swtpm")),
            Self::Debian => Ok("swtpm".into()),
        }
    }
}

/// A started TPM that nobody has used yet; it ends with this value.
#[derive(Debug)]
pub(crate) struct FreshTpm {
    server: Child,
    port: u16,
    folder: PathBuf,
}

impl FreshTpm {
    /// Starts `program` after `TPM2_Startup(CLEAR)` with its state in `folder`, which this value owns, and a log beside it.
    pub(crate) fn start(program: &Path, folder: PathBuf) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let port = neighbouring_ports()?;
        let control = port + 1;
        let server = Command::new(program)
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--server", &format!("type=tcp,port={port}")])
            .args(["--ctrl", &format!("type=tcp,port={control}")])
            .args(["--tpmstate", &format!("dir={}", folder.display())])
            .args(["--seccomp", "action=none"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.with_extension("log"))?)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut tpm = Self { server, port, folder };
        tpm.wait_for(control)?;
        Ok(tpm)
    }

    /// The address as a TCTI.
    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// The port of the data channel.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    fn wait_for(&mut self, port: u16) -> anyhow::Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.server.try_wait()? {
                bail!("the TPM ended: {status}");
            }
            if started.elapsed() > PATIENCE {
                bail!("the TPM does not answer on port {port}");
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for FreshTpm {
    fn drop(&mut self) {
        // It may have ended by itself; whatever stays behind is below the target folder.
        drop(self.server.kill());
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Where to look next for two free ports: below those that systems give to clients, where a connection could take one.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// Finds a port that is free together with the next one, where both protocols have their second channel.
pub(crate) fn neighbouring_ports() -> anyhow::Result<u16> {
    let offset = u16::try_from(std::process::id() % 1000).unwrap_or_default() * 10;
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..1000 {
        let port = 20_000 + (NEXT_PORT.fetch_add(2, Ordering::Relaxed).wrapping_add(offset)) % 10_000;
        if is_free(port) && is_free(port + 1) {
            return Ok(port);
        }
    }
    bail!("there are no two neighbouring ports")
}
