// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm ak-challenge`: a key that one TPM alone can import, for it to certify its attestation key with.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_agent::random::SystemRng;
use evtpm_evidence::go_tpm_tools::ImportBlob;
use evtpm_verify::tpm::{EkPublic, KeyToImport};

use crate::{Outcome, file};

/// Make a challenge for a TPM by its endorsement key: which attestation keys are in the same TPM, it alone can answer.
///
/// The challenge is a key that this TPM alone can import, as `gotpm register create-challenge` makes it. In the guest, `gotpm register
/// solve-challenge` imports it and has the TPM certify an attestation key with it; `evtpm verify --ak-certification ANSWER
/// --ak-secret SECRET`, with the report that binds the endorsement key, takes the answer. Who knows the secret can make an answer
/// up: keep it here, and use it once.
///
/// Exit codes: 0 both files are written; 2 the command line is wrong; 3 a file cannot be read or written, or is no endorsement key.
#[derive(Debug, Args)]
pub(crate) struct AkChallenge {
    /// The endorsement key (TPM2B_PUBLIC or TPMT_PUBLIC).
    #[arg(long, value_name = "FILE")]
    ek: PathBuf,
    /// Where to write the challenge; the file must not exist yet.
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Where to write the secret, for its owner alone to read; the file must not exist yet.
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
}

/// More than any public area.
const LIMIT: u64 = 1 << 16;

pub(crate) fn run(command: &AkChallenge) -> Result<Outcome> {
    let bytes = file::read(&command.ek, LIMIT)?;
    let ek = EkPublic::from_tpmt(file::without_size(&bytes)).with_context(|| command.ek.display().to_string())?;
    let (key, secret) = KeyToImport::make(&ek, &mut SystemRng)?;
    let challenge = ImportBlob { duplicate: &key.duplicate, encrypted_seed: &key.secret, public: &key.public };
    // A challenge without its secret is of no use, and neither is the other way round; the secret first, since it is never sent.
    evtpm_io::file::write_private(&command.secret, secret.as_bytes())?;
    evtpm_io::file::write_new(&command.challenge, &challenge.to_bytes())?;
    Ok(Outcome::Good)
}
