// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts the verifier together and serves it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use evtpm_appraise::Policy;
use evtpm_verify::snp::{Anchors, Collateral};
use evtpm_verify::x509::CertificateStore;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::access::{Access, CertificateRoles, Roles, digest};
use crate::app::{App, Parts, Settings, now};
use crate::backend::VerifyWith;
use crate::fronts::{admin, kbs, keylime_v2, keylime_v3, native, page};
use crate::keylime::devices::Devices;
use crate::keylime::revocation::{self, Channels};
use crate::keylime::{self, AgentTls, BootPolicy};
use crate::keys::{self, Vault};
use crate::policies::{Compiled, DEFAULT, Policies};
use crate::results::{ResultForm, ResultSigner};
use crate::store::{Note, PolicyRow, Postgres, Sqlite, Store, TokenRow};
use crate::tls::{self, ClientCertificate, TlsFiles};
use crate::webhook::Webhook;
use crate::{listener, random};

/// What a verifier is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the database, the administrator's token and certificates made at a first start lie.
    pub directory: PathBuf,
    /// The server's certificate; without one, a CA and a certificate are made at the first start.
    pub tls: Option<TlsFiles>,
    /// The CA whose certificates let administrators in, with the roles that their organisational units name; without one, that
    /// of the first start, whose one certificate has all roles.
    pub client_ca: Option<PathBuf>,
    /// Where Keylime's agents and tenants are served; nowhere without it.
    pub keylime: Option<KeylimePorts>,
    /// PostgreSQL, as `host=… user=… dbname=…` or `postgresql://…`; a SQLite file in the directory without it.
    pub database: Option<String>,
    /// Where events are posted; nowhere without it.
    pub webhook: Option<WebhookTarget>,
    /// The names and addresses that a certificate made at the first start is for.
    pub names: Vec<String>,
    /// What machines have to be that have no policy of their own; without one, what the store has under `default`.
    pub policy: Option<Policy>,
    /// How results are signed.
    pub results: ResultForm,
    /// Simulated roots that are trusted, by name, with their certificates (PEM or DER). The policy has to name them too.
    pub simulated_roots: Vec<(String, Vec<u8>)>,
    /// Seconds without a verdict after which a trusted machine is stale; five minutes without it.
    pub stale_after: Option<u64>,
    /// Bytes of each log that are kept of a machine's present boot, to be looked at; 4 MiB without it.
    pub kept_logs: Option<u64>,
    /// Certificates and revocation lists of the processors, by file name (PEM, DER or a certificate table).
    pub collateral: Vec<(String, Vec<u8>)>,
    /// Certificates of TPM vendors, by file name (PEM or DER): whom EK certificates are believed from.
    pub ek_authorities: Vec<(String, Vec<u8>)>,
    /// Whose arithmetic checks the signatures of quotes.
    pub verify_with: VerifyWith,
}

/// Where events are posted, signed with the key in the file `webhook.key` of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    /// `http://…`, or `https://…` with a CA.
    pub url: String,
    /// The CA of the receiver's certificate.
    pub ca: Option<PathBuf>,
}

/// Where Keylime's three services listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeylimePorts {
    /// The registrar's port for agents, without TLS as in Keylime.
    pub registrar: SocketAddr,
    /// The registrar's port for tenants; a client certificate is required.
    pub registrar_tls: SocketAddr,
    /// The verifier's port; a client certificate is required.
    pub verifier: SocketAddr,
    /// The certificate that is shown to agents; that of the administrator which a first start makes without one.
    pub agent_certificate: Option<TlsFiles>,
    /// How measured boot reference states are judged.
    pub measured_boot: BootPolicy,
    /// Certificates of devices' makers, by file name (PEM or DER): whom IAK and IDevID certificates are believed from.
    pub device_authorities: Vec<(String, Vec<u8>)>,
    /// Whether agents have to register with IAK and IDevID.
    pub require_device_keys: bool,
    /// Whether the other agents are told of one that failed.
    pub notify_agents: bool,
    /// Where it is posted too, in Keylime's form, signed as events are.
    pub webhook: Option<WebhookTarget>,
}

/// A verifier that listens.
pub struct Server {
    listener: TcpListener,
    tls: TlsAcceptor,
    app: Arc<App>,
    keylime: Option<KeylimeServices>,
    webhook: Option<Webhook>,
    /// The CA that agents have to trust, if it was made here.
    pub ca: Option<PathBuf>,
    /// The administrator's certificate and key, if they were made here.
    pub administrator: Option<TlsFiles>,
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
        let made = match &config.tls {
            Some(_) => None,
            None => Some(tls::create(&config.directory, &config.names)?),
        };
        let files = config.tls.as_ref().or(made.as_ref().map(|made| &made.files)).context("there is no certificate")?;
        let client_ca = config.client_ca.as_deref().or(made.as_ref().map(|made| made.ca.as_path()));
        let tls = tls::server_config(files, client_ca, ClientCertificate::Optional)?;

        let store: Box<dyn Store> = match &config.database {
            Some(url) => Box::new(Postgres::open(url).await?),
            None => Box::new(Sqlite::open(&config.directory.join("verifier.sqlite"))?),
        };
        let token_file = config.directory.join("admin.token");
        let access = Access::default();
        let admin = token(&token_file)?;
        read_tokens(store.as_ref(), &access, Some(&admin)).await?;
        if let Some(policy) = config.policy {
            give_default(store.as_ref(), policy).await?;
        }
        let policies = Policies::default();
        read_policies(store.as_ref(), &policies).await?;
        let mut anchors = Anchors::amd()?;
        for (name, certificate) in &config.simulated_roots {
            anchors = anchors.and_simulated(name, certificate)?;
        }
        let mut collateral = Collateral::new();
        collateral.add_files(config.collateral.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
        let ek_authorities = authorities("TPM vendor", &config.ek_authorities)?;
        let signer = ResultSigner::open(&config.directory, config.results)?;
        let vault = Vault::open(&config.directory.join("keys.key"))?;
        let backend = config.verify_with.backend()?;
        let by_default = Settings::default();
        let settings = Settings {
            stale_after: config.stale_after.unwrap_or(by_default.stale_after),
            kept_logs: config.kept_logs.unwrap_or(by_default.kept_logs),
            certificates: match config.client_ca {
                Some(_) => CertificateRoles::ByUnit,
                None => CertificateRoles::All,
            },
        };
        let mut app = App::new(Parts {
            anchors,
            collateral,
            ek_authorities,
            policies,
            signer,
            access,
            store,
            vault,
            backend,
            settings,
        });
        let listener = bind(config.listen).await?;
        let webhook = match config.webhook {
            Some(target) => Some(open_webhook(target, &config.directory)?),
            None => None,
        };
        let keylime = match config.keylime {
            Some(ports) => {
                app.keylime.boot = ports.measured_boot;
                let makers = authorities("device maker", &ports.device_authorities)?;
                app.keylime.devices = Devices::new(makers, ports.require_device_keys);
                let notified =
                    ports.webhook.clone().map(|target| open_webhook(target, &config.directory)).transpose()?;
                let channels = Channels { agents: ports.notify_agents, webhook: notified };
                Some(KeylimeServices::bind(ports, channels, files, client_ca, made.as_ref()).await?)
            }
            None => None,
        };
        Ok(Server {
            listener,
            tls: TlsAcceptor::from(tls),
            app: Arc::new(app),
            keylime,
            webhook,
            first_start: made.as_ref().is_some_and(|made| made.new),
            ca: made.as_ref().map(|made| made.ca.clone()),
            administrator: made.map(|made| made.administrator),
            admin_token: token_file,
        })
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
        if let Some(webhook) = self.webhook {
            tokio::spawn(webhook.run(self.app.events.listen()));
        }
        tokio::spawn(follow_other_processes(self.app.clone(), self.admin_token.clone()));
        tokio::spawn(keys::leases::watch(self.app.clone()));
        let native = listener::serve(self.listener, Some(self.tls), router(self.app.clone()));
        match self.keylime {
            Some(keylime) => tokio::select! {
                ended = native => ended,
                ended = keylime.run(self.app) => ended,
            },
            None => native.await,
        }
    }

    /// Returns the addresses of Keylime's services that were really bound: registrar, registrar for tenants, verifier.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn keylime_addresses(&self) -> Result<Option<[SocketAddr; 3]>> {
        let Some(keylime) = &self.keylime else { return Ok(None) };
        let [first, second, third] = &keylime.listeners;
        Ok(Some([first.local_addr()?, second.local_addr()?, third.local_addr()?]))
    }
}

/// Reads the key that posts are signed with, or makes it.
fn open_webhook(WebhookTarget { url, ca }: WebhookTarget, directory: &Path) -> Result<Webhook> {
    let key = token(&directory.join("webhook.key"))?.into_bytes();
    Webhook::new(&url, ca.as_deref(), key)
}

/// Reads certificates that others are believed by; a file that cannot be read is the operator's mistake.
fn authorities(whose: &str, files: &[(String, Vec<u8>)]) -> Result<CertificateStore> {
    let mut store = CertificateStore::new();
    files.iter().for_each(|(name, bytes)| store.add(name, bytes));
    if let Some((name, error)) = store.refused().next() {
        anyhow::bail!("the {whose}'s certificate {name}: {error}");
    }
    Ok(store)
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}

/// Keylime's services: registrar, registrar for tenants, verifier, and the rounds.
struct KeylimeServices {
    listeners: [TcpListener; 3],
    tenants: TlsAcceptor,
    anyone: TlsAcceptor,
    agents: Arc<AgentTls>,
    channels: Channels,
}

impl KeylimeServices {
    async fn bind(
        ports: KeylimePorts,
        channels: Channels,
        files: &TlsFiles,
        client_ca: Option<&Path>,
        made: Option<&tls::Created>,
    ) -> Result<Self> {
        let client_ca = client_ca.context("Keylime's tenants need a CA for their certificates: give --client-ca")?;
        let tenants = tls::server_config(files, Some(client_ca), ClientCertificate::Required)?;
        // Agents that push show no certificate to the verifier; what tenants ask of it needs one all the same.
        let anyone = tls::server_config(files, Some(client_ca), ClientCertificate::Optional)?;
        let shown = ports.agent_certificate.as_ref().or(made.map(|made| &made.administrator));
        let shown = shown.context("Keylime's agents have to be shown a certificate: give one")?;
        Ok(KeylimeServices {
            listeners: [bind(ports.registrar).await?, bind(ports.registrar_tls).await?, bind(ports.verifier).await?],
            tenants: TlsAcceptor::from(tenants),
            anyone: TlsAcceptor::from(anyone),
            agents: Arc::new(AgentTls::read(&shown.certificate, &shown.key)?),
            channels,
        })
    }

    async fn run(self, app: Arc<App>) -> Result<()> {
        let [registrar, registrar_tls, verifier] = self.listeners;
        let for_agents = keylime_v2::registrar_for_agents().with_state(app.clone());
        let for_tenants = keylime_v2::registrar_for_tenants().with_state(app.clone());
        let for_both = keylime_v2::verifier().merge(keylime_v3::verifier()).with_state(app.clone());
        tokio::select! {
            ended = listener::serve(registrar, None, for_agents) => ended,
            ended = listener::serve(registrar_tls, Some(self.tenants), for_tenants) => ended,
            ended = listener::serve(verifier, Some(self.anyone), for_both) => ended,
            () = revocation::run(app.clone(), self.agents.clone(), self.channels) => Ok(()),
            () = keylime::rounds::run(app, self.agents) => Ok(()),
        }
    }
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(page::router())
        .route("/metrics", get(admin::metrics))
        .nest(evtpm_api::PREFIX, native::router().merge(admin::router()))
        .nest("/kbs/v0", kbs::router())
        .with_state(app)
}

/// How often is looked whether another process changed policies or tokens.
const LOOK: Duration = Duration::from_secs(1);

/// Takes over what other processes on the same database change.
async fn follow_other_processes(app: Arc<App>, admin_token: PathBuf) {
    let mut known = app.store.generation().await.unwrap_or_default();
    loop {
        tokio::time::sleep(LOOK).await;
        let refreshed = async {
            let generation = app.store.generation().await?;
            if generation != known {
                read_tokens(app.store.as_ref(), &app.access, Some(&token(&admin_token)?)).await?;
                read_policies(app.store.as_ref(), &app.policies).await?;
                known = generation;
            }
            anyhow::Ok(())
        };
        if let Err(error) = refreshed.await {
            tracing::error!(error = format!("{error:#}"), "looking for changes of other processes");
        }
    }
}

/// Lets in the administrator's token of the first start, which has all roles, and those that were made later.
async fn read_tokens(store: &dyn Store, access: &Access, admin_token: Option<&str>) -> Result<()> {
    let first = admin_token.map(|token| TokenRow {
        name: tls::ADMINISTRATOR.into(),
        digest: digest(token.as_bytes()),
        roles: Roles::ALL.to_string(),
        created_at: 0,
    });
    let tokens: Vec<TokenRow> = store.tokens().await?.into_iter().chain(first).collect();
    access.replace(&tokens).map_err(|error| anyhow::anyhow!("tokens: {error}"))
}

/// Makes a policy that was given at the start the default one.
async fn give_default(store: &dyn Store, policy: Policy) -> Result<()> {
    let row = PolicyRow { name: DEFAULT.into(), document: policy.to_json()?, changed_at: now().0 };
    let rows = store.policies().await?;
    if rows.iter().any(|known| known.name == row.name && known.document == row.document) {
        return Ok(());
    }
    let detail = format!("at the start: {DEFAULT} is {}", policy.id()?);
    let note = Note { at: row.changed_at, machine: None, event: "policy-changed", detail };
    Ok(store.put_policy(row, note).await?)
}

/// Puts the policies of the store on the shelf, in place of those that are there.
async fn read_policies(store: &dyn Store, policies: &Policies) -> Result<()> {
    let mut compiled = Vec::new();
    for PolicyRow { name, document, .. } in store.policies().await? {
        let policy = Policy::from_json(&document).with_context(|| format!("policy `{name}` of the store"))?;
        compiled.push((name, Compiled::new(policy)?));
    }
    policies.replace(compiled, store.policy_of_machines().await?);
    Ok(())
}

/// Reads a token (the administrator's, or the webhook's key), or makes it at the first start.
fn token(path: &Path) -> Result<String> {
    if path.exists() {
        let token = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        anyhow::ensure!(token.trim().len() >= 16, "{} holds no token of at least 16 characters", path.display());
        return Ok(token.trim().to_owned());
    }
    let token = random::name().map_err(|error| anyhow::anyhow!("making a token: {error}"))?;
    evtpm_io::file::write_private(path, format!("{token}\n").as_bytes())?;
    Ok(token)
}
