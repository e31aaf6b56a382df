// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-verifier`: registrar and verifier in one process.

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "evtpm-verifier", version)]
struct Cli {
    #[command(flatten)]
    verifier: evtpm_verifierd::program::VerifierArgs,
}

fn main() -> ExitCode {
    match evtpm_verifierd::program::run(&Cli::parse().verifier) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evtpm-verifier: {error:#}");
            ExitCode::from(3)
        }
    }
}
