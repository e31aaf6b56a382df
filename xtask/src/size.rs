// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM of the `svsm` profile takes: the linked image, the stack of each command, the heap; as docs/SIZE.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::arguments::Arguments;
use crate::shell::{BARE_METAL, Workspace, output, run};

/// As small as the panic probe is linked: opt-level s, one codegen unit, LTO, panic = abort.
const SMALL: &str = "probe";
/// Compiled for speed, where the compiler gives more of the stack to one function.
const FAST: &str = "release";
/// Text and rodata of the C reference TPM with OpenSSL as COCONUT-SVSM links it, in KiB (1.92 MB).
const REFERENCE_KIB: usize = 1_920_000 / 1024;
/// What a command may use of the stack.
const MOST_STACK: usize = 16 * 1024;

#[derive(Debug, Deserialize)]
struct Measurements {
    stack: BTreeMap<String, usize>,
    heap_reserved: usize,
    heap_peak: BTreeMap<String, usize>,
}

/// Builds, measures, prints; writes docs/SIZE.md when asked; fails when a bar is missed.
pub(crate) fn run_size(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let write = arguments.flag("--write");
    arguments.finish()?;
    let sections = sections(workspace)?;
    let [small, fast] = [measure(workspace, SMALL)?, measure(workspace, FAST)?];
    let text = table(&sections, &small, &fast);
    print!("{text}");
    if write {
        std::fs::write(workspace.path("docs/SIZE.md"), &text).context("docs/SIZE.md")?;
    }
    let linked = sections.code + sections.constants;
    if linked * 3 > REFERENCE_KIB * 1024 {
        bail!("text and rodata are {} KiB, more than a third of {REFERENCE_KIB} KiB", linked / 1024);
    }
    check_stack(&small, SMALL)?;
    check_stack(&fast, FAST)
}

fn check_stack(measurements: &Measurements, profile: &str) -> anyhow::Result<()> {
    match measurements.stack.iter().find(|(_, stack)| **stack > MOST_STACK) {
        Some((command, stack)) => bail!("{command} needs {stack} bytes of stack in {profile}, more than {MOST_STACK}"),
        None => Ok(()),
    }
}

/// Sizes of what the linker put together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sections {
    code: usize,
    constants: usize,
    data: usize,
    zeros: usize,
}

fn sections(workspace: &Workspace) -> anyhow::Result<Sections> {
    let mut build = workspace.cargo();
    build.args(["build", "--quiet", "--package", "evtpm-size", "--bin", "image"]);
    run(build.args(["--target", BARE_METAL, "--profile", SMALL]))?;
    let image = workspace.target().join(BARE_METAL).join(SMALL).join("image");
    Ok(read_sections(&output(workspace.command("size").args(["--format=sysv", "--radix=10"]).arg(image))?))
}

/// Reads the lines `name size address` of `size --format=sysv`.
fn read_sections(listing: &str) -> Sections {
    let mut sections = Sections::default();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(Ok(size))) = (words.next(), words.next().map(str::parse::<usize>)) else { continue };
        match name {
            name if name.starts_with(".text") => sections.code += size,
            name if name.starts_with(".rodata") => sections.constants += size,
            name if name.starts_with(".data") || name.starts_with(".got") => sections.data += size,
            ".bss" => sections.zeros += size,
            _ => {}
        }
    }
    sections
}

/// Measures on this machine what was compiled with a profile.
fn measure(workspace: &Workspace, profile: &str) -> anyhow::Result<Measurements> {
    let mut measure = workspace.cargo();
    measure.args(["run", "--quiet", "--profile", profile, "--package", "evtpm-size", "--bin", "measure"]);
    serde_json::from_str(&output(&mut measure)?).context("what evtpm-size measured")
}

fn table(sections: &Sections, small: &Measurements, fast: &Measurements) -> String {
    let linked = sections.code + sections.constants;
    let mut text = String::from(HEAD);
    let mut row = |what: &str, bytes: usize| {
        let _ = writeln!(text, "| {what} | {bytes} | {} |", kib(bytes));
    };
    row("text", sections.code);
    row("rodata", sections.constants);
    row("**text + rodata**", linked);
    row("data", sections.data);
    row("bss", sections.zeros);
    let _ = writeln!(
        text,
        "\nThe C reference TPM with OpenSSL, linked as COCONUT-SVSM links it, has {REFERENCE_KIB} KiB of text and rodata: \
         {:.1} times as much.\n",
        (REFERENCE_KIB * 1024) as f64 / linked as f64
    );
    text.push_str(STACK_HEAD);
    text.push_str(&stack_rows(small, fast));
    text.push_str(HEAP_HEAD);
    let _ = writeln!(text, "| reserved when the TPM is made | {} |", kib(small.heap_reserved));
    for (scenario, peak) in &small.heap_peak {
        let _ = writeln!(text, "| peak: {scenario} | {} |", kib(*peak));
    }
    text
}

fn stack_rows(small: &Measurements, fast: &Measurements) -> String {
    let mut rows = String::new();
    for (command, stack) in &small.stack {
        let name = command.strip_prefix("TPM2_").unwrap_or(command);
        let _ = writeln!(rows, "| {name} | {stack} | {} |", fast.stack.get(command).copied().unwrap_or_default());
    }
    rows
}

fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

const HEAD: &str = "# Size of a TPM of the `svsm` profile

Measured by `cargo xtask size --write`, which fails when text and rodata exceed a third of the C TPM's 1.92 MB, or a command
16 KiB of stack. What is linked and what is executed stands in `testing/size`.

## Linked image
`x86_64-unknown-none`, opt-level s, LTO, panic = abort; engine and all arithmetic, no SVSM around it.

| section | bytes | |
|---|---:|---:|
";

const STACK_HEAD: &str = "## Stack of each command
Bytes, to 128; compiled as the image (opt-level s) and for speed (`--release`), for x86_64 Linux; the most of all scenarios in
which the command is executed. The figure is what a thread needs below the call of `Tpm::execute`, found by running out of it.

| command | as the image | for speed |
|---|---:|---:|
";

const HEAP_HEAD: &str = "
## Heap
Counted by the allocator, the command's and the response's page not included.

| | |
|---|---:|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_added_up_by_what_they_hold() {
        let listing = "image  :\nsection size addr\n.rodata 100 2000\n.rodata.cst16 16 9\n.text 5000 1\n.data.rel.ro 8 1\n.bss 24 7\n.comment 99 0\nTotal 9\n";
        let expected = Sections { code: 5000, constants: 116, data: 8, zeros: 24 };
        assert_eq!(read_sections(listing), expected);
    }
}
