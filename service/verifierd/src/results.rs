// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How results are signed: the algorithm, its key in the directory, and the form of the token.

use std::path::Path;

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_crypto::Rng as _;
use evtpm_result::{Algorithm, Ear, Error, Format, SigningKey};

use crate::hex::{hex, unhex};
use crate::random::SystemRng;

/// The algorithm and the form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultForm {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The form; a CWT stands in base64url where verdicts are JSON.
    pub format: Format,
}

impl Default for ResultForm {
    fn default() -> Self {
        Self { algorithm: Algorithm::Es256, format: Format::Jwt }
    }
}

/// The key that signs results, and the form that they get.
#[derive(Debug)]
pub(crate) struct ResultSigner {
    key: SigningKey,
    format: Format,
}

impl ResultSigner {
    /// Reads the key of an algorithm, or makes it at the first start, with its public part beside it as a JWK.
    pub(crate) fn open(directory: &Path, form: ResultForm) -> Result<Self> {
        let ResultForm { algorithm, format } = form;
        // Each algorithm has a key of its own; the first one had no name in its file's.
        let stem = match algorithm {
            Algorithm::Es256 => "result".to_owned(),
            other => format!("result-{}", other.name().to_ascii_lowercase()),
        };
        let path = directory.join(format!("{stem}.key"));
        if path.exists() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let wrong = || format!("{} is not a signing key of {algorithm}", path.display());
            let scalar = unhex(text.trim()).with_context(wrong)?;
            return Ok(Self { key: SigningKey::new(algorithm, &scalar).with_context(wrong)?, format });
        }
        let mut scalar = vec![0; if algorithm == Algorithm::Es384 { 48 } else { 32 }];
        SystemRng.fill(&mut scalar).map_err(|error| anyhow::anyhow!("making a key: {error}"))?;
        let key = SigningKey::new(algorithm, &scalar)?;
        evtpm_io::file::write_private(&path, hex(&scalar).as_bytes())?;
        let public = serde_json::to_string_pretty(&key.verifying_key().to_jwk())?;
        evtpm_io::file::write_private(&directory.join(format!("{stem}.jwk")), public.as_bytes())?;
        Ok(Self { key, format })
    }

    /// Signs a result.
    pub(crate) fn sign(&self, ear: &Ear) -> Result<String, Error> {
        match self.format {
            Format::Jwt => ear.sign(&self.key, &mut SystemRng),
            Format::Cwt => Ok(URL_SAFE_NO_PAD.encode(ear.sign_cwt(&self.key, &mut SystemRng)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use evtpm_appraise::{Appraisal, UnixTime};
    use evtpm_result::Context as ResultContext;

    use super::*;

    #[test]
    fn every_form_is_signed_by_a_key_that_the_next_start_finds_again() {
        let directory = std::env::temp_dir().join(format!("evtpm-results-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let now = UnixTime(1_767_225_600);
        let context = ResultContext { issued: now, lifetime: None, policy_id: "p", nonce: None, build: "b" };
        let ear = Ear::new(&Appraisal::unreachable(), &context);
        for algorithm in Algorithm::ALL {
            for format in [Format::Jwt, Format::Cwt] {
                let form = ResultForm { algorithm, format };
                let token = ResultSigner::open(&directory, form).unwrap().sign(&ear).unwrap();
                let again = ResultSigner::open(&directory, form).unwrap();
                let checked = Ear::check(token.as_bytes(), again.key.verifying_key(), None, now);
                assert_eq!(checked.as_ref(), Ok(&ear), "{form:?}");
            }
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
