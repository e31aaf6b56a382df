// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is fuzzed: for each parser one function over bytes, and seeds that it accepts.
//!
//! fuzz/ hands the functions to libFuzzer, which finds its way by coverage; the program `short` mutates the seeds for
//! some seconds without it, on any toolchain.
#![forbid(unsafe_code)]

pub mod mutate;
mod seeds;
mod targets;

/// Something that takes bytes from others.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name for `--target` and for cargo-fuzz.
    pub name: &'static str,
    /// Gives it bytes and says whether they were accepted; panics if a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs that lead deep into it; some come from the evidence folder and may be missing.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target, by name.
pub const TARGETS: &[Target] = targets::ALL;

/// Runs one target.
///
/// # Panics
/// If the target does, which is what a fuzzer looks for, or if there is no target of this name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    assert!(target.is_some(), "no target is called {name}");
    target.map(|target| (target.run)(input));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_accepts_a_seed_that_we_made() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.iter().any(|seed| (target.run)(seed)), "{}: none of {} seeds", target.name, seeds.len());
        }
    }

    #[test]
    fn each_target_refuses_something() {
        for target in TARGETS {
            assert!(!(target.run)(&[0xA5; 3]), "{}", target.name);
        }
    }

    #[test]
    fn cargo_fuzz_has_the_same_targets() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        assert_eq!(files, names);
        let manifest = std::fs::read_to_string(format!("{folder}/../Cargo.toml")).unwrap();
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
