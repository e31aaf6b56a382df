// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm result`: attestation results (EAR) as whoever relies on them sees them.

pub(crate) mod keys;
mod show;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use evtpm_agent::random::SystemRng;
use evtpm_appraise::{Tier, Verdict};
use evtpm_result::{Algorithm, Ear, SigningKey, Token};
use evtpm_verify::UnixTime;

use crate::verify::args::HexBytes;
use crate::verify::moment;
use crate::{Outcome, file};
use show::Shown;

#[derive(Debug, Subcommand)]
pub(crate) enum ResultCommand {
    /// Make a key that signs results: the private key goes to a new file, the public key to standard output, both as JWK.
    Key {
        /// The file of the private key; it must not exist yet.
        private: PathBuf,
        /// ES256, ES384 or EdDSA.
        #[arg(long, value_name = "NAME", default_value = "ES256")]
        algorithm: Algorithm,
    },
    /// Print a result so that a person understands it. Nothing is checked: use `evtpm result check` for that.
    Show {
        /// The token, JWT or CWT.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check that a key signed a result, that it is of now and answers your nonce, and say what it says.
    ///
    /// Exit codes: 0 it is genuine and says trusted (or affirming, where another verifier made it); 1 it is refused, or says
    /// something else; 2 the command line is wrong; 3 a file cannot be read, or is no key; 5 it is of a policy that was
    /// only tried out.
    Check {
        /// The token, JWT or CWT.
        file: PathBuf,
        /// The verifier's public key: a JWK, or PEM (SubjectPublicKeyInfo).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The nonce that the result has to answer.
        #[arg(long, value_name = "HEX")]
        nonce: Option<HexBytes>,
        /// The moment to check at: RFC 3339 or seconds since 1970 [default: now]
        #[arg(long, value_name = "TIME", value_parser = moment::parse)]
        at: Option<UnixTime>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &ResultCommand) -> Result<Outcome> {
    match command {
        ResultCommand::Key { private, algorithm } => {
            let key = SigningKey::generate(*algorithm, &mut SystemRng)?;
            evtpm_io::file::write_private(private, key.to_jwk()?.as_bytes())?;
            writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&key.verifying_key().to_jwk())?)?;
            Ok(Outcome::Good)
        }
        ResultCommand::Show { file, json } => {
            let naming = || file.display().to_string();
            let token = Token::parse(&file::read(file, LIMIT)?).with_context(naming)?;
            let ear = Ear::unverified(&token).with_context(naming)?;
            Shown { token: &token, ear: &ear, checked: false }.print(*json)?;
            Ok(Outcome::Good)
        }
        ResultCommand::Check { file, key, nonce, at, json } => {
            let key = keys::public(key)?;
            let (bytes, at) = (file::read(file, LIMIT)?, at.unwrap_or_else(moment::now));
            let nonce = nonce.as_ref().map(|HexBytes(bytes)| bytes.as_slice());
            let checked =
                Token::parse(&bytes).and_then(|token| Ear::check(&bytes, &key, nonce, at).map(|ear| (token, ear)));
            match checked {
                Ok((token, ear)) => {
                    Shown { token: &token, ear: &ear, checked: true }.print(*json)?;
                    Ok(outcome(&ear))
                }
                Err(error) => {
                    show::refusal(&error, *json)?;
                    Ok(Outcome::NotTrusted)
                }
            }
        }
    }
}

/// As large as a token may be, and a little more, so that the library's own limit speaks.
const LIMIT: u64 = 2 << 20;

/// What a genuine result lets a script do.
fn outcome(ear: &Ear) -> Outcome {
    match (ear.verdict, ear.status()) {
        (Some(Verdict::Trusted), _) | (None, Tier::Affirming) => Outcome::Good,
        (Some(Verdict::Audit), _) => Outcome::Audited,
        _ => Outcome::NotTrusted,
    }
}
