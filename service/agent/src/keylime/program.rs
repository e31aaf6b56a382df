// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent pull`: a Keylime agent for a stock Keylime verifier.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_protocol::templates::attestation_key;
use tokio::net::TcpListener;

use super::options::AgentOptions;
use super::{Contact, PayloadFolder, PullAgent, Revocations, Shown, State, server};
use crate::back_off::BackOff;
use crate::random::SystemRng;

/// Be a Keylime agent of the pull model: register at a registrar, then answer a verifier and a tenant on a port (HTTPS).
///
/// API versions 2.1 to 2.6. Without --payload-dir no payload is taken; what is taken is never run.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// What every Keylime agent takes.
    #[command(flatten)]
    pub options: AgentOptions,
    /// The CA whose certificates a client must have: the verifier's (Keylime's `cacert.crt`).
    #[arg(long, value_name = "FILE")]
    pub trusted_client_ca: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9002")]
    pub listen: SocketAddr,
    /// The address that the verifier is told; needed where --listen names all interfaces.
    #[arg(long, value_name = "IP")]
    pub contact_ip: Option<String>,
    /// The port that the verifier is told, if another than that of --listen.
    #[arg(long, value_name = "PORT")]
    pub contact_port: Option<u16>,
    /// A file for the agent's two keys, so that a restart changes nothing; best in /run.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// A folder in memory (tmpfs) for the payload, which is put there as the file `payload`.
    #[arg(long, value_name = "DIR")]
    pub payload_dir: Option<PathBuf>,
    /// A program of this machine that is started with the payload's path once it is there.
    #[arg(long, value_name = "PROGRAM", requires = "payload_dir")]
    pub payload_program: Option<PathBuf>,
    /// The certificate (or public key, PEM) of the key that signs revocation messages; without it they are not believed.
    #[arg(long, value_name = "FILE")]
    pub revocation_certificate: Option<PathBuf>,
    /// A program of this machine that is started with the path of a file that holds a revocation message, once its signature is
    /// checked; may be repeated.
    #[arg(long, value_name = "PROGRAM", requires = "revocation_certificate")]
    pub revocation_program: Vec<PathBuf>,
}

/// Runs the agent until its listener fails.
///
/// # Errors
/// What keeps it from working at all.
pub fn run(args: &PullArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(args))
}

async fn serve(args: &PullArgs) -> Result<()> {
    let options = &args.options;
    let name = options.name()?;
    let registrar = options.registrar()?;
    let clients = evtpm_io::trust::roots(&args.trusted_client_ca)?;
    let payloads = args.payload_dir.as_deref().map(|folder| PayloadFolder::new(folder, args.payload_program.clone()));
    let revocations = Revocations::new(args.revocation_certificate.as_deref(), args.revocation_program.clone())?;
    let ip = contact_ip(args)?;

    let (mut keys, certificate) = options.keys(&attestation_key())?;
    let state = State::open(args.state.as_deref(), name, &ip, &mut SystemRng)?;
    let tls = server::tls(&state, clients)?;
    // Before anybody is told where we are.
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listening on {}", args.listen))?;
    let port = args.contact_port.unwrap_or(listener.local_addr()?.port());

    let contact = Contact { ip, port, certificate: state.certificate };
    let mut back_off = BackOff::starting_at(1);
    let shown = Shown { certificate: certificate.as_deref(), device: Some(&options.device), contact: Some(&contact) };
    while let Err(error) = registrar.register(name, &mut keys, shown).await {
        back_off.wait("registering", &error, None).await;
    }
    tracing::info!(agent = name, address = %listener.local_addr()?, "registered, and listening");
    let ima = options.ima_list();
    let mut agent =
        PullAgent::new(name.to_owned(), keys, state.transport_key, ima, &options.event_log, payloads.transpose()?);
    agent.revocations = revocations;
    server::serve(listener, tls, agent).await
}

fn contact_ip(args: &PullArgs) -> Result<String> {
    match &args.contact_ip {
        Some(ip) => Ok(ip.clone()),
        None if args.listen.ip().is_unspecified() => {
            anyhow::bail!(
                "--listen {} is every address: say with --contact-ip which one a verifier may use",
                args.listen
            )
        }
        None => Ok(args.listen.ip().to_string()),
    }
}
