// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm sp`: the simulated secure processor: its root certificate, and a process that serves it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use evtpm_snp::SigningKey;
use evtpm_sp_sim::{Authority, Platform, Processor, Product, Role};

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
    /// Write the certificates of the simulated chip, as the key distribution service would give them, in PEM: vcek.pem, ask.pem.
    Certificates {
        /// The processor line.
        #[arg(long, value_enum, default_value_t = ProductName::Milan)]
        product: ProductName,
        /// The directory to write to; it is made if it does not exist.
        directory: PathBuf,
    },
    /// Serve a simulated processor on a unix socket, for `evtpm tpm serve --svsm --sp unix:PATH`.
    Serve {
        /// Where to listen.
        socket: PathBuf,
        /// The processor line.
        #[arg(long, value_enum, default_value_t = ProductName::Milan)]
        product: ProductName,
    },
}

pub(crate) fn run(command: &SpCommand) -> Result<Outcome> {
    match command {
        SpCommand::Root { product } => {
            write!(
                std::io::stdout(),
                "{}",
                pem("CERTIFICATE", &Authority::new((*product).into()).certificate(Role::Ark)?)
            )?;
            Ok(Outcome::Good)
        }
        SpCommand::Certificates { product, directory } => {
            let product = Product::from(*product);
            let mut host = crate::launch::host(Platform::new(product, CHIP_SEED))?;
            std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
            for (name, bytes) in collateral(product, host.processor())? {
                let path = directory.join(name);
                std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
                writeln!(std::io::stdout(), "{}", path.display())?;
            }
            Ok(Outcome::Good)
        }
        SpCommand::Serve { socket, product } => {
            writeln!(std::io::stdout(), "simulated {} on unix:{}", Product::from(*product).name(), socket.display())?;
            evtpm_sp_simd::run(evtpm_sp_simd::Config::new(socket, (*product).into(), CHIP_SEED))?;
            Ok(Outcome::Good)
        }
    }
}

/// What the key distribution service has on a chip, by file name: its certificate, and the intermediate's.
pub(crate) fn collateral(product: Product, processor: &Processor) -> Result<Vec<(String, Vec<u8>)>> {
    let vcek = processor.endorsement_certificate(SigningKey::Vcek)?;
    let ask = Authority::new(product).certificate(Role::Ask)?;
    Ok([("vcek.pem", vcek), ("ask.pem", ask)]
        .map(|(name, der)| (name.to_owned(), pem("CERTIFICATE", &der).into_bytes()))
        .to_vec())
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
