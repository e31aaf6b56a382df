// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm measure`: the launch digest that files lead to, for a policy.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::Outcome;
use crate::output::hex;

/// Predict the launch measurement of an executable that plays VMPL 0.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// The ELF executable; this one unless given, as `evtpm tpm serve --svsm` launches itself.
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
    /// The guest's firmware that is launched with it.
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// List the page ranges that the digest is made of.
    #[arg(long)]
    explain: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Measure) -> Result<Outcome> {
    let executable = match &command.executable {
        Some(path) => read(path)?,
        None => crate::sp::this_executable()?,
    };
    let firmware = command.firmware.as_deref().map(read).transpose()?;
    let launch = evtpm_measure::elf::launch(&executable, firmware.as_deref())?;
    let digest = hex(&launch.digest().0);
    if command.json {
        let ranges: Vec<_> = launch
            .ranges()
            .iter()
            .map(|range| json!({"type": format!("{:?}", range.page_type), "gpa": range.gpa, "pages": range.count}))
            .collect();
        writeln!(
            std::io::stdout(),
            "{}",
            serde_json::to_string_pretty(&json!({"measurement": digest, "ranges": ranges}))?
        )?;
    } else {
        if command.explain {
            for range in launch.ranges() {
                writeln!(std::io::stdout(), "{:#014x}  {:6} pages  {:?}", range.gpa, range.count, range.page_type)?;
            }
        }
        writeln!(std::io::stdout(), "{digest}")?;
    }
    Ok(Outcome::Good)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error =
            run(&Measure { executable: Some("/nowhere/svsm".into()), firmware: None, explain: false, json: false })
                .unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/svsm"), "{error:#}");
    }
}
