// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The crates that verify compile for WebAssembly, where there is no clock, no randomness, no file and no network.

use super::{Outcome, Repository};
use crate::shell::run;

const TARGET: &str = "wasm32-unknown-unknown";

/// What a browser or a plug-in needs to verify evidence and to appraise it.
const CRATES: &[&str] = &[
    "evtpm-tpm-wire",
    "evtpm-layout",
    "evtpm-snp",
    "evtpm-svsm-abi",
    "evtpm-evidence",
    "evtpm-logs",
    "evtpm-crypto",
    "evtpm-protocol",
    "evtpm-roots",
    "evtpm-measure",
    "evtpm-verify",
    "evtpm-appraise",
    "evtpm-result",
    "evtpm-api",
    "evtpm-keylime",
];

pub(super) fn check(repository: &Repository) -> Outcome {
    let mut cargo = repository.workspace.cargo();
    cargo.args(["check", "--quiet", "--target", TARGET]);
    for name in CRATES {
        cargo.args(["--package", name]);
    }
    run(&mut cargo)?;
    Ok(format!("{} crates", CRATES.len()))
}
