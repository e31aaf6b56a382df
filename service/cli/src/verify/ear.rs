// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signed attestation result that `evtpm verify` leaves behind.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use evtpm_crypto::{EntropyError, Rng};
use evtpm_result::Ear;

use super::args::HexBytes;
use crate::result::keys;

/// Where the result goes, and in which form.
#[derive(Debug, Args)]
#[command(next_help_heading = "Attestation result")]
pub(super) struct EarArgs {
    /// Write the attestation result (EAR) to a file, signed; whatever the verdict is.
    #[arg(long, value_name = "FILE", requires_all = ["policy", "ear_key"])]
    ear: Option<PathBuf>,
    /// The key that signs it: a JWK as `evtpm result key` makes one, or PEM (PKCS #8); P-256, P-384 or Ed25519.
    #[arg(long, value_name = "FILE", requires = "ear")]
    ear_key: Option<PathBuf>,
    /// Its form.
    #[arg(long, value_enum, value_name = "FORM", default_value = "jwt")]
    ear_format: Form,
    /// The seconds for which it may be relied upon; without it, the result does not expire.
    #[arg(long, value_name = "SECONDS", requires = "policy")]
    ear_lifetime: Option<u64>,
    /// The nonce of whoever asked for the result, 8 to 64 bytes.
    #[arg(long, value_name = "HEX", requires = "policy", value_parser = nonce)]
    ear_nonce: Option<HexBytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// JSON Web Token.
    Jwt,
    /// CBOR Web Token: COSE_Sign1.
    Cwt,
}

/// RFC 9711, "eat_nonce": a nonce has 8 to 64 bytes.
fn nonce(text: &str) -> Result<HexBytes, String> {
    let bytes: HexBytes = text.parse().map_err(|error: hex::FromHexError| error.to_string())?;
    if (8..=64).contains(&bytes.0.len()) { Ok(bytes) } else { Err("not 8 to 64 bytes".to_owned()) }
}

impl EarArgs {
    pub(super) const fn lifetime(&self) -> Option<u64> {
        self.ear_lifetime
    }

    pub(super) fn nonce(&self) -> Option<&[u8]> {
        self.ear_nonce.as_ref().map(|HexBytes(bytes)| bytes.as_slice())
    }

    /// Signs and writes the result, if a file is named.
    pub(super) fn write(&self, ear: &Ear) -> Result<()> {
        let (Some(path), Some(key)) = (&self.ear, &self.ear_key) else { return Ok(()) };
        let key = keys::private(key)?;
        let token = match self.ear_format {
            Form::Jwt => ear.sign(&key, &mut NoRandomness)?.into_bytes(),
            Form::Cwt => ear.sign_cwt(&key, &mut NoRandomness)?,
        };
        std::fs::write(path, token).with_context(|| format!("writing {}", path.display()))
    }
}

/// The same evidence, policy, moment and key give the same token: the signature's nonce is RFC 6979's, from key and message
/// alone.
struct NoRandomness;

impl Rng for NoRandomness {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0);
        Ok(())
    }
}
