// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Chores of this repository: `cargo xtask CHORE`; without one, what there is.

mod agent;
mod arguments;
mod check;
mod coverage;
mod deny;
mod differential;
mod dist;
mod faults;
mod foreign;
mod fuzz;
mod miri;
mod page;
mod shell;
mod size;
mod source;
mod speed;
mod sweep;
mod test;
mod vm;

use std::process::ExitCode;

use arguments::Arguments;
use shell::Workspace;

/// A subcommand: its name, what `--help` says, and what it does.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, Arguments) -> anyhow::Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "check",
        about: "what a developer runs before handing over  [--list] [--only NAME]… [--skip NAME]…",
        run: check::run,
    },
    Chore {
        name: "test",
        about: "every test of the workspace and every doc example  [-- ARGUMENTS OF THE RUNNER]",
        run: test::run,
    },
    Chore {
        name: "fuzz",
        about: "mutates inputs of every parser  [--seconds N] [--target NAME] [--input FILE] | --minutes N [TARGET]… | --write-seeds FOLDER",
        run: fuzz::run,
    },
    Chore {
        name: "dist",
        about: "Debian packages with man pages, completions and units  [--programs FOLDER | --unoptimised]",
        run: dist::run,
    },
    Chore {
        name: "faults",
        about: "kills, full disks, jumping clocks, bad clients, with the large figures  [--short] [--only TEXT]",
        run: faults::run,
    },
    Chore {
        name: "miri",
        about: "unit tests under Miri (nightly)  [--quick] [--package NAME]… [--seconds N] [-- FILTER…]",
        run: miri::run,
    },
    Chore {
        name: "foreign",
        about: "other people's test suites against our server  SUITE [--help]",
        run: foreign::run,
    },
    Chore {
        name: "coverage",
        about: "writes docs/COVERAGE.md: the commands that the TPM has, and has not  [--print]",
        run: coverage::run,
    },
    Chore {
        name: "differential",
        about: "the same commands to our TPM and to libtpms  [--commands N] [--seed S] [--steps N,…] [--survey] [--table] [--release]",
        run: differential::run,
    },
    Chore {
        name: "size",
        about: "image, stack of each command and heap of a TPM for an SVSM  [--write]",
        run: size::run_size,
    },
    Chore {
        name: "speed",
        about: "every common command beside libtpms and Debian's swtpm  [--rounds N] [--keys N] [--only TEXT] [--swtpm PATH]",
        run: speed::run,
    },
    Chore {
        name: "sweep",
        about: "a thousand changed bits of everything that is signed or hashed in the evidence  [--changes N]",
        run: sweep::run,
    },
    Chore {
        name: "page",
        about: "the verifier's page in a real Chromium; pictures in target/page",
        run: page::run_page,
    },
    Chore { name: "agent", about: "the agent as an initramfs takes it: static, and below 8 MB", run: agent::run_agent },
    Chore { name: "vm", about: "boots a real machine in QEMU and looks at what it measured  [--help]", run: vm::run },
    Chore { name: "deny", about: "licences, sources and banned crates, with cargo-deny  [--install]", run: deny::run },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut arguments = Arguments::from_environment();
    let Some(name) = arguments.next_word() else {
        print!("{}", usage());
        return Ok(());
    };
    if name == "--help" || name == "-h" || name == "help" {
        print!("{}", usage());
        return Ok(());
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        anyhow::bail!("no chore is called {name:?}\n{}", usage());
    };
    (chore.run)(&Workspace::locate()?, arguments)
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask CHORE\n\n");
    for chore in CHORES {
        text.push_str(&format!("  {:<10} {}\n", chore.name, chore.about));
    }
    text
}
