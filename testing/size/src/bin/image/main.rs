// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM of the `svsm` profile with all of its arithmetic, linked for a machine without an operating system and never run.
//!
//! `cargo xtask size` reads how large its sections are. Unlike testing/panic-probe nothing is stubbed; and nothing of a TPM
//! can be left out by the linker, because every command, every profile value and every answer passes a `black_box`.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use evtpm_crypto::SmallCrypto;
use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::{Ek, Execution, Locality, Pending, Platform, Profile, Tpm};

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: evtpm_heap::Nothing = evtpm_heap::Nothing;

/// The largest command and the largest response.
const PAGE: usize = 4096;

struct Machine;

impl NoiseSource for Machine {
    fn sample(&mut self) -> Option<u64> {
        black_box(Some(0))
    }
}

impl Platform for Machine {
    type Crypto = SmallCrypto;
    type Noise = Self;

    fn noise(&mut self) -> &mut Self {
        self
    }

    fn now_ms(&mut self) -> u64 {
        black_box(0)
    }

    fn physical_presence(&self) -> bool {
        black_box(false)
    }
}

fn serve() {
    let Ok(mut tpm) = Tpm::manufacture(Machine, black_box(Profile::svsm())) else { return };
    let (mut command, mut response) = ([0; PAGE], [0; PAGE]);
    loop {
        let request = black_box(&mut command);
        let size = black_box(request.len());
        let Some(locality) = Locality::new(black_box(0)) else { return };
        let Some(bytes) = request.get_mut(..size) else { return };
        match black_box(tpm.execute(locality, bytes, &mut response)) {
            Execution::Response(_) => {}
            Execution::Pending(Pending::EkCertificate { index }) => serve_host(&mut tpm, index),
        }
        black_box(&response);
        tpm.hash_start();
        tpm.hash_data(&response);
        tpm.hash_end();
        if black_box(false) {
            tpm.power_on();
        }
    }
}

fn serve_host(tpm: &mut Tpm<Machine>, index: u32) {
    let ek = black_box(Ek::Rsa2048);
    let mut host = tpm.host();
    let _ = black_box(host.ek_public(ek).is_ok());
    let _ = black_box(host.define_ek_certificate(index, ek, black_box(1184)));
    let _ = black_box(host.set_ek_certificate(index, black_box(&[])));
    let _ = black_box(host.decline_ek_certificate(index));
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The entry point that the linker looks for.
#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "the linker finds the entry point by its unmangled name")]
// SAFETY: no other item of the image is called `_start`: there is no C runtime on this target.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    serve();
    loop {
        core::hint::spin_loop();
    }
}

/// On a machine with an operating system there is nothing to see; this keeps the image under clippy's eyes.
#[cfg(not(target_os = "none"))]
fn main() {
    if black_box(false) {
        serve();
    }
    println!("build this for x86_64-unknown-none: `cargo xtask size`");
}
