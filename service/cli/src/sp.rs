// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm sp`: the simulated secure processor: its root certificate, and a process that serves it.

use anyhow::{Context, Result};
use clap::Subcommand;
use evtpm_sp_sim::{Authority, Role};

use crate::Outcome;
use crate::tpm::ProductName;

/// What makes the simulated chip another than the next. It is public: a simulated chip has no secrets worth keeping.
pub(crate) const CHIP_SEED: [u8; 32] = *b"evtpm simulated chip, number one";

#[derive(Debug, Subcommand)]
pub(crate) enum SpCommand {
    /// Print the root certificate of the simulated processors in PEM, for a verifier that is told to trust it.
    ///
    /// Its private key is public. Trust it in tests and demonstrations only.
    Root {
        /// The processor line.
        #[arg(long, value_enum, default_value_t = ProductName::Milan)]
        product: ProductName,
    },
}

pub(crate) fn run(command: &SpCommand) -> Result<Outcome> {
    match command {
        SpCommand::Root { product } => {
            print!("{}", pem("CERTIFICATE", &Authority::new((*product).into()).certificate(Role::Ark)?));
            Ok(Outcome::Good)
        }
    }
}

/// Reads the executable that runs now: in a simulated launch it plays VMPL 0.
pub(crate) fn this_executable() -> Result<Vec<u8>> {
    let path = std::env::current_exe().context("finding this executable")?;
    std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

/// Armours DER (RFC 7468: lines of 64 characters).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_has_lines_of_64_characters() {
        let text = pem("CERTIFICATE", &[0; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[1].len(), 64);
        assert_eq!(lines[0], "-----BEGIN CERTIFICATE-----");
    }
}
