// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent pull`: a Keylime agent for a stock Keylime verifier.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_client::Client;
use evtpm_tpm_wire::Handle;
use tokio::net::TcpListener;

use super::certificate::certificate;
use super::{Contact, ImaList, PayloadFolder, PullAgent, Registrar, Revocations, State, server};
use crate::device::Tpm;
use crate::http;
use crate::keys::{FIRST_EK, Keys};
use crate::random::SystemRng;

/// Seconds before the first new attempt to register, and at most.
const BACK_OFF: (u64, u64) = (1, 60);

/// Be a Keylime agent of the pull model: register at a registrar, then answer a verifier and a tenant on a port (HTTPS).
///
/// API versions 2.1 to 2.6. Without --payload-dir no payload is taken; what is taken is never run.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// The registrar: http://HOST:8890, or https:// with --registrar-ca.
    #[arg(long, value_name = "URL")]
    pub registrar: String,
    /// The certificate of the CA that signed the registrar's.
    #[arg(long, value_name = "FILE")]
    pub registrar_ca: Option<PathBuf>,
    /// The agent's name: its UUID in Keylime's words, 1 to 80 of `a-z A-Z 0-9 . _ -`.
    #[arg(long, value_name = "NAME")]
    pub uuid: String,
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
    /// The TPM: a device, the data channel of a software TPM as tcp:HOST:PORT or unix:PATH, or auto: /dev/tpmrm0, else /dev/tpm0.
    #[arg(long, value_name = "TPM", default_value = "auto")]
    pub tpm: String,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    pub event_log: PathBuf,
    /// IMA's list in ASCII form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/ascii_runtime_measurements")]
    pub ima_list: PathBuf,
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
    check_name(&args.uuid)?;
    let registrar = Registrar::new(&args.registrar, args.registrar_ca.as_deref())?;
    let clients = http::roots(&args.trusted_client_ca)?;
    let payloads = args.payload_dir.as_deref().map(|folder| PayloadFolder::new(folder, args.payload_program.clone()));
    let revocations = Revocations::new(args.revocation_certificate.as_deref(), args.revocation_program.clone())?;
    let ip = contact_ip(args)?;

    let mut tpm = Client::new(Tpm::open(&args.tpm)?, SystemRng);
    // A TPM need not have the index.
    let index = tpm.nv_read(Handle(FIRST_EK.certificate_index()), &[]).unwrap_or_default();
    let mut keys = Keys::new(tpm)?;
    let certificate = certificate(&index, &keys.endorsement_key()?.public)?;
    let state = State::open(args.state.as_deref(), &args.uuid, &ip, &mut SystemRng)?;
    let tls = server::tls(&state, clients)?;
    // Before anybody is told where we are.
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listening on {}", args.listen))?;
    let port = args.contact_port.unwrap_or(listener.local_addr()?.port());

    let contact = Contact { ip, port, certificate: state.certificate };
    let mut wait = BACK_OFF.0;
    while let Err(error) = registrar.register(&args.uuid, &mut keys, certificate.as_deref(), Some(&contact)).await {
        tracing::warn!(error = format!("{error:#}"), seconds = wait, "registering; trying again");
        tokio::time::sleep(Duration::from_secs(wait)).await;
        wait = (wait * 2).min(BACK_OFF.1);
    }
    tracing::info!(agent = args.uuid, address = %listener.local_addr()?, "registered, and listening");
    let ima = ImaList::new(&args.ima_list);
    let mut agent =
        PullAgent::new(args.uuid.clone(), keys, state.transport_key, ima, &args.event_log, payloads.transpose()?);
    agent.revocations = revocations;
    server::serve(listener, tls, agent).await
}

/// The name stands in paths and in file names of others.
pub(super) fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    anyhow::ensure!(plain && (1..=80).contains(&name.len()), "--uuid: `{name}` is not 1 to 80 of a-z A-Z 0-9 . _ -");
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_a_path_is_refused() {
        assert!(check_name("d432fbb3-d2f1-4a97-9ef7-75bd81c00000").is_ok());
        for name in ["", "../x", "a/b", "a b", &"x".repeat(81)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
