// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A verifier of the demonstration's own, over HTTPS on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use evtpm_agent::verifier::{Connection, Refused, Verifier};
use evtpm_api::{ApiFinding, Verdict};
use evtpm_appraise::Policy;
use evtpm_verifierd::{Config, Server, VerifyWith};
use tokio::runtime::Runtime;

/// A running verifier, and how to reach it.
#[derive(Debug)]
pub(crate) struct LocalVerifier {
    client: Verifier,
    directory: PathBuf,
}

/// What the demonstration's verifier is told to believe.
#[derive(Debug, Clone)]
pub(crate) struct Beliefs {
    pub(crate) policy: Policy,
    pub(crate) simulated_roots: Vec<(String, Vec<u8>)>,
    pub(crate) collateral: Vec<(String, Vec<u8>)>,
    pub(crate) ek_authorities: Vec<(String, Vec<u8>)>,
}

impl LocalVerifier {
    /// Starts a verifier in this process, on a free port, with a new database.
    pub(crate) fn start(runtime: &Runtime, directory: PathBuf, beliefs: Beliefs) -> Result<Self> {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            directory: directory.clone(),
            tls: None,
            names: vec!["localhost".into(), "127.0.0.1".into()],
            client_ca: None,
            keylime: None,
            database: None,
            webhook: None,
            stale_after: None,
            kept_logs: None,
            policy: Some(beliefs.policy),
            results: evtpm_verifierd::ResultForm::default(),
            simulated_roots: beliefs.simulated_roots,
            collateral: beliefs.collateral,
            ek_authorities: beliefs.ek_authorities,
            verify_with: VerifyWith::Fastest,
        };
        let server = runtime.block_on(Server::bind(config)).context("starting the verifier")?;
        let url = format!("https://{}", server.address()?);
        let ca = server.ca.clone().context("the verifier made no CA")?;
        runtime.spawn(server.run());
        Ok(LocalVerifier { client: Verifier::new(&url, &ca)?, directory })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        self.client.connect().await
    }
}

impl Drop for LocalVerifier {
    fn drop(&mut self) {
        // Only files that the verifier made; nothing is lost if they stay.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// What the verifier said of an attempt, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It judged a quote.
    Verdict(Verdict),
    /// It refused before there was anything to judge.
    Refused(String),
    /// The guest's own TPM or SVSM gave nothing to show.
    NoEvidence(String),
}

impl Answer {
    /// Sorts the outcome of the agent's steps: a refusal of the verifier is an answer, a lost connection is an error.
    pub(crate) fn of(outcome: Result<Verdict>) -> Result<Self> {
        match outcome {
            Ok(verdict) => Ok(Answer::Verdict(verdict)),
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(refused) => Ok(Answer::Refused(refused.error.message.clone())),
                None => Err(error),
            },
        }
    }

    /// Says whether the machine is trusted.
    pub(crate) fn is_trusted(&self) -> bool {
        matches!(self, Answer::Verdict(verdict) if verdict.verdict == "trusted")
    }

    /// Returns the words that name the reason.
    pub(crate) fn reasons(&self) -> Vec<String> {
        match self {
            Answer::Verdict(verdict) => {
                // What a refused piece of evidence was refused for stands in `actual`.
                let words = |finding: &ApiFinding| match finding.check.as_str() {
                    "evidence.refused" => format!("{}: {}", finding.check, finding.actual),
                    check => format!("{check}: {}", finding.message),
                };
                verdict.findings.iter().map(words).collect()
            }
            Answer::Refused(message) | Answer::NoEvidence(message) => vec![message.clone()],
        }
    }
}
