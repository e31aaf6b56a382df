// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm … show`: files of evidence so that a person understands them; nothing of them is verified, but by `quote check`.

mod event_log;
mod ima;
mod quote;
mod quote_check;
mod report;
mod sheet;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::{Outcome, file};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Print a report so that a person understands it. Nothing is verified: use `evtpm verify` for that.
    ///
    /// The file is an SEV-SNP report of 1184 bytes, a firmware answer (MSG_REPORT_RSP) that holds as many, or a Hygon CSV report: bare,
    /// or in the JSON of Confidential Containers' attestation agent.
    Show(Source),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuoteCommand {
    /// Print an attestation of a TPM (TPMS_ATTEST), bare or behind its size. Nothing is verified.
    Show {
        #[command(flatten)]
        source: Source,
        /// Its signature (TPMT_SIGNATURE), to be printed beside it.
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
    Check(Box<quote_check::Check>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Print a firmware's event log, a CCEL or a canonical event log, and the registers that it leads to.
    ///
    /// Data are marked: `=` the digest is that of the data, `~` the data are only what the log says about the digest.
    /// Whether the digests are those that were extended, only a quote tells: use `evtpm verify` for that.
    Show {
        #[command(flatten)]
        source: Source,
        /// The bank whose digests are printed; the strongest if none is named.
        #[arg(long, value_name = "HASH")]
        bank: Option<String>,
        /// Only the events of this register.
        #[arg(long, value_name = "NUMBER")]
        pcr: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImaCommand {
    /// Print a list of the Linux kernel's measurements, binary, as text or in a canonical event log, and the registers that it leads
    /// to.
    ///
    /// Entries are marked: `=` the template hash is that of the entry, `!` a violation: the file changed while it was
    /// measured, and nothing is known of it.
    Show {
        #[command(flatten)]
        source: Source,
        /// Only entries whose path contains this text.
        #[arg(long, value_name = "TEXT")]
        path: Option<String>,
    },
}

/// What is shown, and how.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The file; `-` for standard input.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn report(ReportCommand::Show(source): &ReportCommand) -> Result<Outcome> {
    source.print(|bytes| report::show(bytes, source.json))
}

pub(crate) fn quote(command: &QuoteCommand) -> Result<Outcome> {
    let (source, signature) = match command {
        QuoteCommand::Show { source, signature } => (source, signature),
        QuoteCommand::Check(check) => return quote_check::run(check),
    };
    let signature = signature.as_deref().map(|file| read(file, quote::LIMIT)).transpose()?;
    source.print(|bytes| quote::show(bytes, signature.as_deref(), source.json))
}

pub(crate) fn log(LogCommand::Show { source, bank, pcr }: &LogCommand) -> Result<Outcome> {
    source.print(|bytes| event_log::show(bytes, bank.as_deref(), *pcr, source.json))
}

pub(crate) fn ima(ImaCommand::Show { source, path }: &ImaCommand) -> Result<Outcome> {
    source.print(|bytes| ima::show(bytes, path.as_deref(), source.json))
}

/// A list of a machine that runs for years is larger than all other evidence.
const LIMIT: u64 = 1 << 30;

impl Source {
    fn print(&self, show: impl FnOnce(&[u8]) -> Result<()>) -> Result<Outcome> {
        let bytes = read(&self.file, LIMIT)?;
        show(&bytes).with_context(|| self.file.display().to_string())?;
        Ok(Outcome::Good)
    }
}

/// Reads a file, or standard input where it is called `-`.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    if path == Path::new("-") { file::read_from(std::io::stdin(), path, limit) } else { file::read(path, limit) }
}

fn print_json(value: &serde_json::Value) -> Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}
