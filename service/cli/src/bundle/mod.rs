// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bundle`: all the evidence of a machine in one file, as a collection of conceptual messages (CMW).

mod import;
pub(crate) mod material;
pub(crate) mod role;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde_json::json;

use crate::output::{Palette, Style, hex};
use crate::verify::args::{FileArgs, HexBytes};
use crate::{Outcome, file};
use material::{Given, Material, Source};
use role::Role;

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Pack evidence in files into one: `evtpm verify BUNDLE` then takes it where these files would be named.
    ///
    /// Nothing is verified. What you vouch for yourself (keys, simulated roots, the policy) is not packed: it is yours, and
    /// no evidence of the machine.
    Pack {
        /// The bundle.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Its encoding [default: json where the name ends in .json, else cbor]
        #[arg(long, value_enum, value_name = "ENCODING")]
        encoding: Option<Encoding>,
        #[command(flatten)]
        files: Box<FileArgs>,
    },
    /// Pack what go-tpm-tools' `gotpm attest` wrote (binary Protocol Buffers): an Attestation, or a SevSnpSvsmAttestation.
    ///
    /// Nothing is verified. Of several banks' quotes that of SHA-256 is taken, else the next one. The nonces are in no message: they
    /// are what you gave the tool.
    Import {
        /// What the tool wrote.
        file: PathBuf,
        /// The nonce of the quotes (`--nonce` of gotpm).
        #[arg(long, value_name = "HEX")]
        quote_nonce: HexBytes,
        /// The nonce of the SVSM's report (`--tee-nonce` of gotpm), with a SevSnpSvsmAttestation.
        #[arg(long, value_name = "HEX")]
        nonce: Option<HexBytes>,
        /// The bundle.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Its encoding [default: json where the name ends in .json, else cbor]
        #[arg(long, value_enum, value_name = "ENCODING")]
        encoding: Option<Encoding>,
    },
    /// List the parts of a bundle. Nothing is verified: use `evtpm verify` for that.
    Show {
        /// The bundle.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the parts of a bundle to a new directory, each under its label.
    Unpack {
        /// The bundle.
        file: PathBuf,
        /// The directory; it must not exist yet.
        directory: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// For machines: as large as its parts.
    Cbor,
    /// For people and web services: base64url inside.
    Json,
}

pub(crate) fn run(command: &BundleCommand) -> Result<Outcome> {
    match command {
        BundleCommand::Pack { out, encoding, files } => {
            write(&Material::read(None, &files.given()?, &[])?, out, *encoding)?;
        }
        BundleCommand::Import { file, quote_nonce, nonce, out, encoding } => {
            let bytes = file::read(file, IMPORT_LIMIT)?;
            let mut parts = import::go_tpm_tools(&bytes).with_context(|| file.display().to_string())?;
            for (role, nonce) in [(Role::QuoteNonce, Some(quote_nonce)), (Role::Nonce, nonce.as_ref())] {
                let source = nonce.map(|HexBytes(nonce)| Source::Bytes(nonce.clone()));
                parts.extend(source.map(|source| Given { role, media: None, source }));
            }
            write(&Material::read(None, &parts, &[])?, out, *encoding)?;
        }
        BundleCommand::Show { file, json } => show(&Material::read(Some(file), &[], &[])?, *json)?,
        BundleCommand::Unpack { file, directory } => {
            let material = Material::read(Some(file), &[], &[])?;
            std::fs::create_dir(directory).with_context(|| format!("making {}", directory.display()))?;
            for part in &material.0 {
                evtpm_io::file::write_new(&directory.join(&part.source), &part.bytes)?;
            }
        }
    }
    Ok(Outcome::Good)
}

/// The largest attestation that is imported.
const IMPORT_LIMIT: u64 = 64 << 20;

fn write(material: &Material, out: &Path, encoding: Option<Encoding>) -> Result<()> {
    let packed = material.pack();
    let is_json = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let bytes = match encoding.unwrap_or(if is_json { Encoding::Json } else { Encoding::Cbor }) {
        Encoding::Cbor => packed.to_cbor()?,
        Encoding::Json => packed.to_json()?.into_bytes(),
    };
    std::fs::write(out, bytes).with_context(|| format!("writing {}", out.display()))
}

fn show(material: &Material, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let digest = |bytes: &[u8]| hex(RustCrypto::hash(HashAlg::Sha256, &[bytes]).as_bytes());
    if json {
        let parts: Vec<_> = material.0.iter().map(|part| {
            json!({ "label": part.source, "type": part.media, "size": part.bytes.len(), "sha256": digest(&part.bytes) })
        }).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "type": material::KIND, "parts": parts }))?)?;
        return Ok(());
    }
    let palette = Palette::of_stdout();
    writeln!(out, "{}", palette.paint(Style::Strong, "bundle of evidence (not verified)"))?;
    for part in &material.0 {
        let line = format!("{:<18} {:>9}  {}", part.source, part.bytes.len(), part.media);
        writeln!(out, "{line}  {}", palette.paint(Style::Faint, &format!("sha256:{:.16}…", digest(&part.bytes))))?;
    }
    Ok(())
}
