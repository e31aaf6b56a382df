// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an operator asks a running verifier, and tells it.

mod audit;
pub(crate) mod client;
mod key;
mod machine;
mod policy;
mod resource;
mod token;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

pub(crate) use audit::{AuditCommand, run as audit};
pub(crate) use key::{KeyCommand, run as key};
pub(crate) use machine::{MachineCommand, run as machine};
pub(crate) use policy::{ListPolicies, PutPolicy, RemovePolicy};
pub(crate) use token::{TokenCommand, run as token};

use crate::output::Palette;
use client::{Operator, Way};

/// Which verifier, who asks, and how the answer is written.
#[derive(Debug, Args)]
struct Asked {
    #[command(flatten)]
    address: VerifierAddress,
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// Which verifier, and who asks.
#[derive(Debug, Args)]
pub(crate) struct VerifierAddress {
    /// Where the verifier is.
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8443", global = true)]
    verifier: String,
    /// The verifier's own directory: its CA and administrator's token are taken from there unless they are given.
    #[arg(long, value_name = "DIR", default_value = "evtpm-verifier", global = true)]
    directory: PathBuf,
    /// The CA that signed the verifier's certificate.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// The file with an administrator's token.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// An administrator's certificate, instead of a token.
    #[arg(long, value_name = "FILE", global = true, requires = "key", conflicts_with = "token_file")]
    certificate: Option<PathBuf>,
    /// The private key of --certificate.
    #[arg(long, value_name = "FILE", global = true, requires = "certificate")]
    key: Option<PathBuf>,
}

impl VerifierAddress {
    fn operator(&self) -> Result<Operator> {
        let ca = self.ca.clone().unwrap_or_else(|| self.directory.join("ca.pem"));
        let way = match self.certificate.clone().zip(self.key.clone()) {
            Some((certificate, key)) => Way::Certificate(certificate, key),
            None => {
                let file = self.token_file.clone().unwrap_or_else(|| self.directory.join("admin.token"));
                let token = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
                Way::Token(token.trim().to_owned())
            }
        };
        Operator::new(&self.verifier, &ca, way)
    }
}

/// Prints a list: as JSON, or a line for each.
fn print<T: Serialize>(list: &[T], line: impl Fn(&T, Palette) -> String, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(list)?)?);
    }
    let palette = Palette::of_stdout();
    for one in list {
        writeln!(out, "{}", line(one, palette))?;
    }
    Ok(())
}

/// Writes a moment for people: how long ago it was.
fn ago(at: Option<u64>) -> String {
    let Some(at) = at else { return "never".into() };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match now.saturating_sub(at) {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}
