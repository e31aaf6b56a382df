// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask agent`: the agent as an initramfs takes it: one static file, and small.

use anyhow::{Context as _, ensure};

use crate::arguments::Arguments;
use crate::shell::{Workspace, run};

const TARGET: &str = "x86_64-unknown-linux-musl";
const PROFILE: &str = "initramfs";
/// The bar, in bytes.
const MOST: usize = 8 << 20;
/// `PT_INTERP`: the segment that names a dynamic linker.
const INTERPRETER: u32 = 3;

/// Builds the program, and fails where it is large or needs others.
pub(crate) fn run_agent(workspace: &Workspace, arguments: Arguments) -> anyhow::Result<()> {
    arguments.finish()?;
    let mut build = workspace.cargo();
    build.args(["build", "--quiet", "--package", "evtpm-agent", "--profile", PROFILE, "--target", TARGET]);
    if std::env::var_os("CC_x86_64_unknown_linux_musl").is_none() {
        build.env("CC_x86_64_unknown_linux_musl", "musl-gcc");
    }
    run(&mut build).context("are the Rust target x86_64-unknown-linux-musl and musl-tools installed?")?;
    let path = workspace.target().join(TARGET).join(PROFILE).join("evtpm-agent");
    let program = std::fs::read(&path).with_context(|| path.display().to_string())?;
    println!("{}: {} bytes", path.display(), program.len());
    ensure!(program.len() <= MOST, "that is more than {MOST}");
    ensure!(!segments(&program).context("this is no ELF file")?.contains(&INTERPRETER), "it needs a dynamic linker");
    Ok(())
}

/// The types of an ELF64 file's segments (`p_type` of each program header).
fn segments(elf: &[u8]) -> Option<Vec<u32>> {
    let half = |at: usize| elf.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes).map(usize::from);
    let offset = usize::try_from(u64::from_le_bytes(elf.get(0x20..0x28)?.try_into().ok()?)).ok()?;
    let (size, count) = (half(0x36)?, half(0x38)?);
    let kind = |segment: usize| {
        let at = offset.checked_add(segment * size)?;
        elf.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
    };
    elf.starts_with(b"\x7FELF").then(|| (0..count).map(kind).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_dynamic_linker_is_seen() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(segments(&own).unwrap().contains(&INTERPRETER));
        assert_eq!(segments(b"\x7FELF"), None);
    }
}
