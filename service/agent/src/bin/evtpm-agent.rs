// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent`: one static program for a guest, or for its initramfs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "evtpm-agent", version)]
struct Cli {
    /// A file of options, in TOML: `verifier = "https://…"`; those of a command in a table of its name. What the command
    /// line says counts more.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    agent: evtpm_agent::program::AgentArgs,
}

fn main() -> ExitCode {
    let run = || {
        // The file was taken out of the line, its options are in it: --config stands above for --help alone.
        let Cli { agent, config: _ } = Cli::parse_from(evtpm_agent::config::command_line(std::env::args_os())?);
        evtpm_agent::program::run(&agent)
    };
    run().unwrap_or_else(|error| {
        eprintln!("evtpm-agent: {error:#}");
        ExitCode::from(3)
    })
}
