// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm measure launch-measure`: the authentication code by which SEV and SEV-ES attest a launch.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use evtpm_measure::sev::{Attested, Firmware, IntegrityKey, SevDigest};
use serde_json::json;

use super::{bytes, number};
use crate::{Outcome, file};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("nonce or measurement").required(true).args(["measurement", "nonce"]))]
pub(super) struct LaunchMeasure {
    /// The launch digest, as `evtpm measure ovmf --mode sev` predicts it.
    #[arg(long, value_name = "HEX", value_parser = bytes::<32>)]
    digest: [u8; 32],
    /// The transport integrity key: a file of 16 bytes.
    #[arg(long, value_name = "FILE")]
    tik: PathBuf,
    /// The guest's policy.
    #[arg(long, value_name = "BITS", value_parser = policy)]
    policy: u32,
    /// The version of the firmware's interface, MAJOR.MINOR, as `query-sev` and `sevctl show version` tell it.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    api: (u8, u8),
    /// The build of the firmware.
    #[arg(long, value_name = "NUMBER")]
    build: u8,
    /// Check this measurement: 48 bytes in base64, as `query-sev-launch-measure` returns them.
    #[arg(long, value_name = "BASE64")]
    measurement: Option<String>,
    /// Predict the measurement with this nonce.
    #[arg(long, value_name = "HEX", value_parser = bytes::<16>)]
    nonce: Option<[u8; 16]>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl LaunchMeasure {
    pub(super) fn run(&self) -> Result<Outcome> {
        let (api_major, api_minor) = self.api;
        let firmware = Firmware { api_major, api_minor, build: self.build, policy: self.policy };
        let key = IntegrityKey::new(&key_file(&self.tik)?)?;
        let digest = SevDigest(self.digest);
        let shown = self.measurement.as_deref().map(measurement).transpose()?;
        let nonce = shown.map(|shown| shown.nonce).or(self.nonce).context("neither a measurement nor a nonce")?;
        let predicted = Attested::predict(digest, firmware, nonce, &key);
        let attested = shown.map(|shown| shown.attests(digest, firmware, &key));
        let text = STANDARD.encode([predicted.measure.as_slice(), &predicted.nonce].concat());
        let mut out = std::io::stdout().lock();
        if self.json {
            let object = json!({"measurement": text, "attested": attested});
            writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
        } else {
            match attested {
                None => writeln!(out, "{text}")?,
                Some(true) => writeln!(out, "attested: this launch, by a processor that holds the key")?,
                Some(false) => writeln!(out, "not attested: this launch would give {text}")?,
            }
        }
        Ok(if attested == Some(false) { Outcome::NotTrusted } else { Outcome::Good })
    }
}

/// Reads a measurement in base64.
pub(super) fn measurement(text: &str) -> Result<Attested> {
    let bytes = STANDARD.decode(text.trim()).context("the measurement is not base64")?;
    Ok(Attested::from_bytes(&bytes)?)
}

/// Reads a transport key.
pub(super) fn key_file(path: &Path) -> Result<Vec<u8>> {
    file::read(path, 16)
}

fn policy(text: &str) -> Result<u32> {
    u32::try_from(number(text)?).context("a policy has 32 bits")
}

fn version(text: &str) -> Result<(u8, u8)> {
    let (major, minor) = text.split_once('.').context("not MAJOR.MINOR")?;
    Ok((major.parse().context("the major version")?, minor.parse().context("the minor version")?))
}
