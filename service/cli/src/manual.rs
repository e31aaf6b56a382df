// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm manual DIR`: man pages and completions of the three programs, written from their command lines.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::{Cli, Outcome};

/// Write man pages and completions of evtpm, evtpm-agent and evtpm-verifier, as packages contain them.
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Where to: man1/ and completions/ are made below it.
    directory: PathBuf,
}

pub(crate) fn run(manual: &Manual) -> Result<Outcome> {
    let pages = manual.directory.join("man1");
    let completions = manual.directory.join("completions");
    for folder in [&pages, &completions] {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    for program in programs() {
        clap_mangen::generate_to(program.clone(), &pages).with_context(|| format!("writing to {}", pages.display()))?;
        complete(program, &completions)?;
    }
    Ok(Outcome::Good)
}

/// The command lines of all three.
fn programs() -> [Command; 3] {
    let version = env!("CARGO_PKG_VERSION");
    let config = clap::Arg::new("config").long("config").value_name("FILE").global(true);
    let config = config.help("A file of options, in TOML; what the command line says counts more");
    let agent = evtpm_agent::program::AgentArgs::augment_args(Command::new("evtpm-agent").version(version).arg(config));
    let verifier = Command::new("evtpm-verifier").version(version);
    [Cli::command(), agent, evtpm_verifierd::program::VerifierArgs::augment_args(verifier)]
}

fn complete(mut program: Command, folder: &Path) -> Result<()> {
    let name = program.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut program, &name, folder)
            .with_context(|| format!("writing to {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_and_each_command_has_a_page_and_each_program_completions() {
        let directory = std::env::temp_dir().join(format!("evtpm-manual-{}", std::process::id()));
        run(&Manual { directory: directory.clone() }).unwrap();
        for page in ["evtpm.1", "evtpm-bench-fleet.1", "evtpm-agent.1", "evtpm-agent-unlock.1", "evtpm-verifier.1"] {
            let text = std::fs::read_to_string(directory.join("man1").join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
        }
        for file in ["evtpm.bash", "_evtpm-agent", "evtpm-verifier.fish"] {
            assert!(directory.join("completions").join(file).is_file(), "{file}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
