// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No panic is reachable in the linked TPM: the image of testing/panic-probe lacks the symbol of its panic handler.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Outcome, Repository};
use crate::shell::{BARE_METAL, Workspace, output, run};

const PROBE: &str = "evtpm-panic-probe";
const PROFILE: &str = "probe";
const SYMBOL: &str = "panic_is_possible";

pub(super) fn check(repository: &Repository) -> Outcome {
    let workspace = &repository.workspace;
    run(workspace.cargo().args([
        "build",
        "--quiet",
        "--package",
        PROBE,
        "--target",
        BARE_METAL,
        "--profile",
        PROFILE,
    ]))?;
    let image = workspace.target().join(BARE_METAL).join(PROFILE).join(PROBE);
    let symbols = output(workspace.command("nm").arg(&image))?;
    if !symbols.contains("_start") {
        bail!("{}: has no entry point, so the probe shows nothing", image.display());
    }
    if symbols.contains(SYMBOL) {
        bail!("{SYMBOL} is linked; calls that can panic:\n{}", blame(workspace, &image)?);
    }
    let size = std::fs::metadata(&image).with_context(|| image.display().to_string())?.len();
    Ok(format!("{} KiB linked, of which nothing can panic", size / 1024))
}

/// Where the image calls into `core::panicking` and its like: the way of panicking, then the line of source and what it
/// was inlined into.
fn blame(workspace: &Workspace, image: &Path) -> anyhow::Result<String> {
    let assembly =
        output(workspace.command("objdump").args(["--disassemble", "--no-show-raw-insn", "--demangle"]).arg(image))?;
    let mut blame = String::new();
    for (address, way) in panicking_calls(&assembly) {
        let mut lines = workspace.command("addr2line");
        lines.args(["--functions", "--inlines", "--demangle", "--pretty-print", "--basenames", "--exe"]).arg(image);
        let lines = output(lines.arg(format!("{address:#x}")))?;
        blame.push_str(&format!("{way}\n  by {}\n", lines.trim_end().replace("(inlined by)", "  in")));
    }
    Ok(blame)
}

/// Calls and tail jumps that lead from code which does not panic itself to code which does: address and target.
fn panicking_calls(assembly: &str) -> BTreeMap<u64, &str> {
    let mut calls = BTreeMap::new();
    let mut inside_panic = false;
    for line in assembly.lines() {
        if let Some(name) = function_heading(line) {
            inside_panic = is_panic(name);
        } else if !inside_panic
            && let Some((address, instruction)) = line.trim_start().split_once(':')
            && let Some((_, target)) = instruction.split_once('<')
            && (instruction.contains("call") || instruction.contains("jmp"))
            && let target = target.trim_end_matches('>')
            && is_panic(target)
            && let Ok(address) = u64::from_str_radix(address, 16)
        {
            calls.insert(address, target);
        }
    }
    calls
}

/// `0000000000401000 <name>:`
fn function_heading(line: &str) -> Option<&str> {
    line.strip_suffix(">:")?.split_once(" <").map(|(_, name)| name)
}

/// Whether a name belongs to the ways in which core and alloc panic; a jump inside a function ends in `+0x…`.
fn is_panic(name: &str) -> bool {
    const WAYS: [&str; 11] = [
        "::reserve::do_reserve_and_handle",
        "::grow_one",
        "core::panicking::",
        "::unwrap_failed",
        "::expect_failed",
        "core::slice::index::slice_",
        "copy_from_slice::len_mismatch",
        "alloc::raw_vec::handle_error",
        "alloc::raw_vec::capacity_overflow",
        "alloc::alloc::handle_alloc_error",
        "rust_begin_unwind",
    ];
    !name.contains("+0x") && WAYS.iter().any(|way| name.contains(way))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSEMBLY: &str = "\
0000000000201000 <probe::all>:
  201000:\tpush   %rax
  201001:\tcall   201020 <core::panicking::panic_bounds_check>
  201006:\tcall   201030 <<probe::Probe as probe::Other>::other>

0000000000201020 <core::panicking::panic_bounds_check>:
  201020:\tcall   201040 <core::panicking::panic_fmt>

0000000000201030 <<probe::Probe as probe::Other>::other>:
  201030:\tjmp    201050 <core::option::unwrap_failed>
";

    #[test]
    fn blame_falls_on_the_last_caller_that_is_ours() {
        let blamed = [(0x20_1001, "core::panicking::panic_bounds_check"), (0x20_1030, "core::option::unwrap_failed")];
        assert_eq!(panicking_calls(ASSEMBLY), BTreeMap::from(blamed));
    }

    #[test]
    fn code_without_panics_is_not_blamed() {
        assert_eq!(panicking_calls("201006:\tcall   201030 <probe::other>"), BTreeMap::new());
    }
}
