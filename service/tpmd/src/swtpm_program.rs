// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `swtpm`: the command line that QEMU's, libvirt's and tpm2-tools' users start a software TPM with.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Args, Parser, Subcommand};
use evtpm_engine::Profile;

use crate::devices::engine::EngineDevice;
use crate::fronts::swtpm;
use crate::fronts::swtpm::args::{SocketArgs, capabilities};
use crate::machine::{Machine, Shared};

/// Set in the environment of a process that was started to go on in the background.
const BACKGROUND: &str = "EVTPM_SWTPM_BACKGROUND";

/// What a background process says on its standard output once its sockets are there.
const READY: &[u8] = b"ready\n";

/// A software TPM 2.0 with the command line of swtpm. Nothing is written to storage unless --tpmstate names a folder.
#[derive(Debug, Parser)]
#[command(name = "swtpm", version, disable_help_subcommand = true, disable_version_flag = true)]
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
    /// Not offered: serve over a character device.
    Chardev(Ignored),
    /// Not offered: serve as a character device in user space.
    Cuse(Ignored),
}

/// What stands after the name of an interface that is not offered.
#[derive(Debug, Args)]
struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

/// Runs the program with the process's arguments.
///
/// # Errors
/// Names the option or the system call that failed.
pub fn run() -> Result<()> {
    match Cli::parse().interface {
        Interface::Socket(args) => serve(&args),
        Interface::Chardev(_) => bail!("the interface chardev is not offered: use `swtpm socket`"),
        Interface::Cuse(_) => bail!("the interface cuse is not offered: use `swtpm socket`"),
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
    if args.print_states {
        println!("{}", args.states()?);
        return Ok(());
    }
    let in_background = std::env::var_os(BACKGROUND).is_some();
    if args.daemon && !in_background {
        return go_to_background();
    }

    let mut log = args.log_file()?;
    let config = args.open()?;
    let _pid_file = args.pid_file()?;
    let device = EngineDevice::new(Profile::pc_client())?;
    let machine = Shared::new(match args.state()? {
        Some((store, migration_key)) => Machine::persistent(Box::new(device), store, migration_key),
        None => Machine::new(Box::new(device)),
    });
    if in_background {
        // The parent waits for this line; afterwards nobody reads our standard output.
        std::io::stdout().write_all(READY).context("telling the parent")?;
    }
    let served = swtpm::serve(&machine, config);
    if let (Some(log), Err(error)) = (&mut log, &served) {
        writeln!(log, "swtpm: {error:#}").context("writing the log")?;
    }
    served
}

/// Starts this program again in a session of its own and leaves when its sockets are there.
fn go_to_background() -> Result<()> {
    let this = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(this)
        .args(std::env::args_os().skip(1))
        .env(BACKGROUND, "1")
        .process_group(0)
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
