// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent`: one static program for a guest, or for its initramfs.

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "evtpm-agent", version)]
struct Cli {
    #[command(flatten)]
    agent: evtpm_agent::program::AgentArgs,
}

fn main() -> ExitCode {
    evtpm_agent::program::run(&Cli::parse().agent).unwrap_or_else(|error| {
        eprintln!("evtpm-agent: {error:#}");
        ExitCode::from(3)
    })
}
