// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The crates that a confidential VM's firmware links build without an operating system, in debug and in release.

use super::{Outcome, Repository};
use crate::shell::{BARE_METAL, run};

/// What runs, or may run, at VMPL 0.
const CRATES: &[&str] = &[
    "evtpm-tpm-wire",
    "evtpm-layout",
    "evtpm-snp",
    "evtpm-svsm-abi",
    "evtpm-logs",
    "evtpm-crypto",
    "evtpm-protocol",
    "evtpm-engine",
    "evtpm-image",
    "evtpm-svsm",
];

pub(super) fn check(repository: &Repository) -> Outcome {
    for profile in ["dev", "release"] {
        let mut build = repository.workspace.cargo();
        build.args(["build", "--quiet", "--target", BARE_METAL, "--profile", profile]);
        for name in CRATES {
            build.args(["--package", name]);
        }
        run(&mut build)?;
    }
    Ok(format!("{} crates, twice", CRATES.len()))
}
