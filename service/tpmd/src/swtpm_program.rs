// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `swtpm`: the command line that QEMU's, libvirt's and tpm2-tools' users start a software TPM with.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use clap::{ArgAction, Parser, Subcommand};
use evtpm_engine::Profile;
use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::devices::engine::EngineDevice;
use crate::fronts::swtpm;
use crate::fronts::swtpm::args::{SocketArgs, capabilities, nobody};
use crate::fronts::swtpm::owner;
use crate::machine::{Machine, Shared};

/// Set in the environment of a process that was started to go on in the background.
const BACKGROUND: &str = "EVTPM_SWTPM_BACKGROUND";

/// What a background process says on its standard output once it serves.
const READY: &[u8] = b"ready\n";

/// A software TPM 2.0 with the command line of swtpm. Nothing is written to storage unless --tpmstate or TPM_PATH names a place.
#[derive(Debug, Parser)]
#[command(
    name = "swtpm",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_override_self = true
)]
struct Cli {
    /// Print version.
    #[arg(short, long, action = ArgAction::Version)]
    _version: (),
    #[command(subcommand)]
    interface: Interface,
}

#[derive(Debug, Subcommand)]
enum Interface {
    /// Serve over sockets.
    Socket(Box<SocketArgs>),
    /// Every other name, `chardev` and `cuse` among them.
    #[command(external_subcommand)]
    Unsupported(Vec<String>),
}

/// Runs the program with the process's arguments.
///
/// # Errors
/// Names the option or the system call that failed.
pub fn run() -> Result<()> {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.kind() == ErrorKind::DisplayVersion {
            // Programs know swtpm by these words.
            println!("TPM emulator version {}, evtpm", env!("CARGO_PKG_VERSION"));
            std::process::exit(0);
        }
        // swtpm's callers know of no other code than 1.
        drop(error.print());
        std::process::exit(i32::from(error.use_stderr()))
    });
    match cli.interface {
        Interface::Socket(args) => serve(&args),
        // By this sentence scripts know which interfaces a build of swtpm has.
        Interface::Unsupported(words) => {
            bail!("Unsupported TPM interface type '{}'.", words.first().map_or("", String::as_str))
        }
    }
}

/// Serves one TPM as `swtpm socket` does.
///
/// # Errors
/// As [`run`].
pub fn serve(args: &SocketArgs) -> Result<()> {
    if args.print_capabilities {
        println!("{}", capabilities());
        return Ok(());
    }
    let in_background = std::env::var_os(BACKGROUND).is_some();
    if args.daemon && !in_background {
        return go_to_background();
    }
    if in_background {
        // No terminal that closes, and nobody who interrupts our parent, ends us.
        setsid().context("starting a session")?;
    }
    // "change process ownership before accessing files": while there is one thread, whose owner all others inherit.
    if let Some(user) = &args.runas {
        owner::change(user)?;
    }
    if args.print_states {
        println!("{}", args.states()?);
        return Ok(());
    }

    let log = args.log_file()?;
    if let Some(log) = &log {
        // From here on every message goes there, that of an error that ends us too.
        dup2_stderr(log).context("--log: directing messages")?;
    }
    let config = args.open()?;
    let _pid_file = args.pid_file()?;
    let device = EngineDevice::new(Profile::pc_client())?;
    let machine = Shared::new(match args.state()? {
        Some((store, migration_key)) => Machine::persistent(Box::new(device), store, migration_key),
        None => Machine::new(Box::new(device)),
    });
    let service = swtpm::start(&machine, config)?;
    if in_background {
        tell_parent(log.is_some())?;
    }
    service.wait()
}

/// Says that we serve, and lets go of the caller's output: who waits for its end would wait for ours.
fn tell_parent(has_log: bool) -> Result<()> {
    let nobody = nobody()?;
    if !has_log {
        dup2_stderr(&nobody).context("leaving standard error")?;
    }
    std::io::stdout().write_all(READY).context("telling the parent")?;
    dup2_stdout(&nobody).context("leaving standard output")
}

/// Starts this program again and leaves when it serves.
fn go_to_background() -> Result<()> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(this)
        .args(std::env::args_os().skip(1))
        .env(BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the background process")?;
    let mut said = Vec::new();
    if let Some(output) = child.stdout.take() {
        std::io::Read::read_to_end(&mut std::io::Read::take(output, READY.len() as u64), &mut said)?;
    }
    anyhow::ensure!(said == READY, "the background process ended: {}", child.wait()?);
    Ok(())
}
