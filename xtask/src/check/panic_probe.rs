// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No panic is reachable in the linked TPM: the image of testing/panic-probe lacks the symbol of its panic handler.

use std::collections::BTreeSet;
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

/// Where the image calls into `core::panicking` and its like, as lines of source with what they were inlined into.
fn blame(workspace: &Workspace, image: &Path) -> anyhow::Result<String> {
    let assembly = output(workspace.command("objdump").args(["--disassemble", "--no-show-raw-insn"]).arg(image))?;
    let callers = panicking_calls(&assembly);
    let mut lines = workspace.command("addr2line");
    lines.args(["--functions", "--inlines", "--demangle", "--pretty-print", "--basenames", "--exe"]).arg(image);
    lines.args(callers.iter().map(|address| format!("{address:#x}")));
    output(&mut lines)
}

/// Addresses of the calls and tail jumps that lead from code which does not panic itself to code which does.
fn panicking_calls(assembly: &str) -> BTreeSet<u64> {
    let mut callers = BTreeSet::new();
    let mut inside_panic = false;
    for line in assembly.lines() {
        if let Some(name) = function_heading(line) {
            inside_panic = is_panic(name);
        } else if !inside_panic
            && let Some((address, instruction)) = line.trim_start().split_once(':')
            && let Some((_, target)) = instruction.split_once('<')
            && (instruction.contains("call") || instruction.contains("jmp"))
            && is_panic(target)
            && let Ok(address) = u64::from_str_radix(address, 16)
        {
            callers.insert(address);
        }
    }
    callers
}

/// `0000000000401000 <name>:`
fn function_heading(line: &str) -> Option<&str> {
    line.strip_suffix(">:")?.split_once(" <").map(|(_, name)| name)
}

/// Whether a mangled name belongs to the ways in which core and alloc panic.
fn is_panic(name: &str) -> bool {
    const WAYS: [&str; 9] = [
        "panicking",
        "panic_",
        "rust_begin_unwind",
        "_fail",
        "unwrap_failed",
        "expect_failed",
        "handle_error",
        "handle_alloc_error",
        "capacity_overflow",
    ];
    WAYS.iter().any(|way| name.contains(way))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSEMBLY: &str = "\
0000000000201000 <_ZN5probe3all17h0E>:
  201000:\tpush   %rax
  201001:\tcall   201020 <_ZN4core9panicking18panic_bounds_check17h1E>
  201006:\tcall   201030 <_ZN5probe5other17h2E>

0000000000201020 <_ZN4core9panicking18panic_bounds_check17h1E>:
  201020:\tcall   201040 <_ZN4core9panicking9panic_fmt17h3E>

0000000000201030 <_ZN5probe5other17h2E>:
  201030:\tjmp    201050 <_ZN4core6option13unwrap_failed17h4E>
";

    #[test]
    fn blame_falls_on_the_last_caller_that_is_ours() {
        assert_eq!(panicking_calls(ASSEMBLY), BTreeSet::from([0x20_1001, 0x20_1030]));
    }

    #[test]
    fn code_without_panics_is_not_blamed() {
        assert_eq!(panicking_calls("201006:\tcall   201030 <_ZN5probe5other17h2E>"), BTreeSet::new());
    }
}
