// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts the verifier together and serves it.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use evtpm_appraise::Policy;
use evtpm_crypto::Rng;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_result::{Algorithm, SigningKey};
use evtpm_verify::snp::{Anchors, Collateral};
use evtpm_verify::tpm::Selection;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::judge::Judge;
use crate::store::{Store, hex};
use crate::tls::{self, TlsFiles};
use crate::{attestation, listener, machines, random, registration};

/// The largest request, except for evidence.
const SMALL_BODY: usize = 64 << 10;

/// The largest evidence: logs of 64 MiB in base64 would be a hundred thousand times what a machine logs in a day.
const EVIDENCE_BODY: usize = 16 << 20;

/// What a verifier is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the database, the administrator's token and certificates made at a first start lie.
    pub directory: PathBuf,
    /// The server's certificate; without one, a CA and a certificate are made at the first start.
    pub tls: Option<TlsFiles>,
    /// The names and addresses that a certificate made at the first start is for.
    pub names: Vec<String>,
    /// What machines have to be.
    pub policy: Policy,
    /// Simulated roots that are trusted, by name, with their certificates (PEM or DER). The policy has to name them too.
    pub simulated_roots: Vec<(String, Vec<u8>)>,
    /// Certificates and revocation lists of the processors, by file name (PEM, DER or a certificate table).
    pub collateral: Vec<(String, Vec<u8>)>,
}

/// A verifier that listens.
pub struct Server {
    listener: TcpListener,
    tls: TlsAcceptor,
    app: Arc<App>,
    /// The CA that agents have to trust, if it was made here.
    pub ca: Option<PathBuf>,
    /// The file with the administrator's token.
    pub admin_token: PathBuf,
    /// Whether certificate and token were made just now.
    pub first_start: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).field("ca", &self.ca).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens everything that the verifier needs.
    ///
    /// # Errors
    /// Names what cannot be opened or used.
    pub async fn bind(config: Config) -> Result<Self> {
        std::fs::create_dir_all(&config.directory).with_context(|| format!("making {}", config.directory.display()))?;
        let (files, ca, first_start) = match config.tls {
            Some(files) => (files, None, false),
            None => {
                let created = tls::create(&config.directory, &config.names)?;
                (created.files, Some(created.ca), created.new)
            }
        };
        let store = Store::open(&config.directory.join("verifier.sqlite"))?;
        let token_file = config.directory.join("admin.token");
        let token = admin_token(&token_file)?;
        let key = signing_key(&config.directory)?;

        let mut anchors = Anchors::amd()?;
        for (name, certificate) in &config.simulated_roots {
            anchors = anchors.and_simulated(name, certificate)?;
        }
        let mut collateral = Collateral::new();
        collateral.add_files(config.collateral.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
        let selection = selection(&config.policy)?;
        let judge = Judge::new(config.policy, key)?;
        let app = App::new(anchors, collateral, judge, selection, store, token);
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
        let tls = TlsAcceptor::from(tls::server_config(&files)?);
        Ok(Server { listener, tls, app: Arc::new(app), ca, admin_token: token_file, first_start })
    }

    /// Returns the address that was really bound.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> Result<()> {
        listener::serve(self.listener, self.tls, router(self.app)).await
    }
}

fn router(app: Arc<App>) -> Router {
    let evidence = Router::new()
        .route("/attesters/{id}/evidence", put(attestation::evidence))
        .layer(DefaultBodyLimit::max(EVIDENCE_BODY));
    let rest = Router::new()
        .route("/registrations", post(registration::open))
        .route("/registrations/{id}/evidence", put(registration::evidence))
        .route("/registrations/{id}/proof", put(registration::proof))
        .route("/attesters/{id}/challenges", post(attestation::challenge))
        .route("/machines", get(machines::list))
        .route("/machines/{name}", get(machines::show))
        .layer(DefaultBodyLimit::max(SMALL_BODY));
    Router::new().nest(evtpm_api::PREFIX, evidence.merge(rest)).with_state(app)
}

/// Firmware, boot loader, kernel and IMA (PCR 0 to 14), in the banks that the policy names, SHA-256 unless it does.
fn selection(policy: &Policy) -> Result<Selection> {
    let banks: Vec<HashId> = policy.tpm.iter().flat_map(|tpm| tpm.banks.iter().map(|bank| bank.0)).collect();
    let banks = if banks.is_empty() { vec![HashId::SHA256] } else { banks };
    let pcrs: PcrSet = PcrIndex::all().filter(|pcr| pcr.value() <= 14).collect();
    banks.into_iter().try_fold(Selection::new(), |selection, bank| {
        selection.with(bank, pcrs).with_context(|| format!("the policy names the bank {bank} twice"))
    })
}

/// Reads the administrator's token, or makes it at the first start.
fn admin_token(path: &Path) -> Result<String> {
    if path.exists() {
        let token = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        anyhow::ensure!(token.trim().len() >= 16, "{} holds no token of at least 16 characters", path.display());
        return Ok(token.trim().to_owned());
    }
    let token = random::name().map_err(|error| anyhow::anyhow!("making a token: {error}"))?;
    write_private(path, format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// Reads the key that signs results, or makes it at the first start, with its public part beside it as a JWK.
fn signing_key(directory: &Path) -> Result<SigningKey> {
    let path = directory.join("result.key");
    if !path.exists() {
        let mut scalar = [0; 32];
        random::SystemRng.fill(&mut scalar).map_err(|error| anyhow::anyhow!("making a key: {error}"))?;
        let key = SigningKey::new(Algorithm::Es256, &scalar)?;
        write_private(&path, hex(&scalar).as_bytes())?;
        let public = serde_json::to_string_pretty(&key.verifying_key().to_jwk())?;
        write_private(&directory.join("result.jwk"), public.as_bytes())?;
        return Ok(key);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let scalar = unhex(text.trim()).with_context(|| format!("{} is not a signing key", path.display()))?;
    SigningKey::new(Algorithm::Es256, &scalar).with_context(|| format!("{} is not a signing key", path.display()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("writing {}", path.display()))
}
