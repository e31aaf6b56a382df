// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A verifier in a process of its own: started, looked at from outside, killed, started again over the same directory.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evtpm_agent::verifier::Verifier;

use crate::World;

/// How a verifier is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program `evtpm`.
    pub program: PathBuf,
    /// Where its files lie; made if it does not exist.
    pub directory: PathBuf,
    /// More options of `evtpm verifier`.
    pub options: Vec<String>,
    /// Serves Keylime's agents too.
    pub keylime: bool,
    /// A program that runs it, with its arguments.
    pub wrapper: Vec<String>,
}

/// A running verifier; it ends with this value, its files stay.
#[derive(Debug)]
pub struct ServerProcess {
    setup: Setup,
    child: Child,
    /// Kept open: the verifier may say more.
    _output: BufReader<ChildStdout>,
    address: SocketAddr,
    registrar: Option<SocketAddr>,
}

impl Setup {
    /// Starts `program` over a directory, and nothing else.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        let (program, directory) = (program.into(), directory.into());
        Setup { program, directory, options: Vec::new(), keylime: false, wrapper: Vec::new() }
    }

    /// Writes what the verifier is to believe into its directory.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn believing(self, world: &World) -> Result<Self> {
        let write = |path: PathBuf, bytes: &[u8]| {
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
        };
        let collateral = self.collateral();
        std::fs::create_dir_all(&collateral).with_context(|| format!("making {}", collateral.display()))?;
        for (name, bytes) in &world.collateral {
            write(collateral.join(name), bytes)?;
        }
        write(self.directory.join("simulated-root"), world.root.0.as_bytes())?;
        write(self.directory.join("simulated-root.der"), &world.root.1)?;
        write(self.directory.join("policy.json"), world.policy.to_json()?.as_bytes())?;
        Ok(self)
    }

    fn collateral(&self) -> PathBuf {
        self.directory.join("collateral")
    }

    fn command(&self) -> Result<Command> {
        let mut words = self.wrapper.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().context("no program")?);
        command.args(words).args(["verifier", "--listen", "127.0.0.1:0", "--directory"]).arg(&self.directory);
        command.arg("--policy").arg(self.directory.join("policy.json"));
        command.arg("--collateral").arg(self.collateral());
        let name = std::fs::read_to_string(self.directory.join("simulated-root")).context("reading the root's name")?;
        let root = self.directory.join("simulated-root.der");
        command.arg("--trust-simulated").arg(format!("{name}={}", root.display()));
        if self.keylime {
            command.args(["--keylime", "127.0.0.1", "--keylime-ports", "0,0,0"]);
        }
        // Of thousands of machines only what fails is of interest.
        command.args(["--log-level", "warn"]);
        command.args(&self.options).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// When it does not come so far; its own words are on standard error.
    pub fn start(self) -> Result<ServerProcess> {
        let mut child = self.command()?.spawn().with_context(|| format!("starting {}", self.program.display()))?;
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        let (mut registrar, mut line) = (None, String::new());
        loop {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                let status = child.wait()?;
                anyhow::bail!("the verifier ended before it listened ({status})");
            }
            if let Some(rest) = line.split_once("registrar ").filter(|(head, _)| head.starts_with("Keylime")) {
                registrar = rest.1.split(' ').next().and_then(|address| address.parse().ok());
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                let address = address.parse().with_context(|| format!("`{address}` is no address"))?;
                return Ok(ServerProcess { setup: self, child, _output: output, address, registrar });
            }
        }
    }
}

impl ServerProcess {
    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where Keylime's agents register.
    ///
    /// # Errors
    /// When it was not asked to serve them.
    pub fn registrar(&self) -> Result<SocketAddr> {
        self.registrar.context("Keylime's agents are not served")
    }

    /// Returns its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.setup.directory
    }

    /// Returns the agents' way to it.
    ///
    /// # Errors
    /// When it made no CA.
    pub fn verifier(&self) -> Result<Verifier> {
        Verifier::new(&format!("https://{}", self.address), &self.setup.directory.join("ca.pem"))
    }

    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the processor time that it took, in user and system mode (proc(5), `/proc/PID/stat`).
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The name in the second field may have blanks and brackets.
        let fields = stat.rsplit_once(')').context("a malformed stat")?.1;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        let mut next = || Ok::<_, anyhow::Error>(ticks.next().context("a malformed stat")??);
        let ticks = next()? + next()?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second.max(1))))
    }

    /// Returns the memory that it has, in bytes.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }

    /// Ends it as a loss of power would, whatever it is at.
    ///
    /// # Errors
    /// When it had ended before, by itself.
    pub fn kill(mut self) -> Result<Setup> {
        self.child.kill()?;
        let status = self.child.wait()?;
        ensure!(status.signal() == Some(9), "the verifier had ended before ({status})");
        Ok(self.setup.clone())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
