// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links our no_std crates for a machine without an operating system; `xtask check` looks for `panic_is_possible` in it.
//!
//! Nothing here is ever run. Every input passes through `black_box`, so the optimiser must expect any value, and the
//! panic handler stays in the image exactly if some code that is reached could panic.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod probes;
mod stub;

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: evtpm_heap::Nothing = evtpm_heap::Nothing;

/// The symbol that must not be in the image.
#[cfg(target_os = "none")]
#[inline(never)]
fn panic_is_possible() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    panic_is_possible()
}

/// The entry point that the linker looks for.
#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "the linker finds the entry point by its unmangled name")]
// SAFETY: no other item of the image is called `_start`: there is no C runtime on this target.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    probes::all();
    loop {
        core::hint::spin_loop();
    }
}

/// On a machine with an operating system there is nothing to see; this keeps the probes under clippy's eyes.
#[cfg(not(target_os = "none"))]
fn main() {
    probes::all();
    println!("build this for x86_64-unknown-none: `cargo xtask check --only panic-probe`");
}
