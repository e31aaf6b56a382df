// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What registrations cost: Keylime's, and those of boots that a report vouches for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evtpm_fleet::{KeylimeTpm, Machine, ServerProcess, World};
use evtpm_io::Connection;
use evtpm_keylime::Envelope;
use evtpm_keylime::registrar::RegistrationBlob;
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde::Serialize;
use tokio::task::JoinSet;

/// TPMs that Keylime registrations are made with: one after the other has another agent's name, the same keys.
const KEYLIME_TPMS: u32 = 2;

/// The largest answer of a registrar.
const MAX_ANSWER: usize = 1 << 20;

/// The server's processor time for one registration of a Keylime agent: the request that asks for a credential, and
/// both requests.
pub(super) async fn keylime(server: &ServerProcess, count: u32) -> Result<(Duration, Duration)> {
    let mut tpms = (0..KEYLIME_TPMS).map(|_| KeylimeTpm::new()).collect::<Result<Vec<_>>>()?;
    let address = server.registrar()?;
    let before = server.cpu()?;
    let mut blobs = Vec::new();
    for number in 0..count {
        let tpm = tpms.get((number % KEYLIME_TPMS) as usize).context("no TPM")?;
        let answer = ask(address, Method::POST, &format!("/v2.1/agents/agent-{number}"), tpm.registration()).await?;
        let envelope: Envelope<RegistrationBlob> = serde_json::from_slice(&answer)?;
        blobs.push(envelope.results.blob);
    }
    let asked = server.cpu()?.saturating_sub(before);
    for (number, blob) in (0..).zip(&blobs) {
        let agent = format!("agent-{number}");
        let tpm = tpms.get_mut((number % KEYLIME_TPMS) as usize).context("no TPM")?;
        let proof = tpm.activate(&agent, blob)?;
        ask(address, Method::PUT, &format!("/v2.1/agents/{agent}/activate"), &proof).await?;
    }
    let both = server.cpu()?.saturating_sub(before);
    Ok((asked / count.max(1), both / count.max(1)))
}

/// One request on a connection of its own, as agents do.
async fn ask(server: std::net::SocketAddr, method: Method, path: &str, body: &impl Serialize) -> Result<Bytes> {
    let mut connection = Connection::open(&server.ip().to_string(), server.port(), None).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, server.to_string())
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(body)?)?;
    let response = connection.send(request).await?;
    let status = response.status();
    let body = evtpm_io::body(response, MAX_ANSWER).await?;
    ensure!(status.is_success(), "the registrar refused {path} ({status}): {}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// What registrations of new boots cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registered {
    /// The server's processor time for one.
    pub(super) cpu: Duration,
    /// Its memory after all of them, in bytes.
    pub(super) memory: u64,
}

/// Registers boots of as many machines, each with a report of the chip on keys of its own. The TPMs are few: each is reset
/// after each registration, which makes it another one.
pub(super) async fn boots(server: &ServerProcess, world: &World, count: u32, tpms: u32) -> Result<Registered> {
    let before = server.cpu()?;
    let mut running = JoinSet::new();
    for tpm in 0..tpms {
        let (world, verifier) = (world.clone(), server.verifier()?);
        running.spawn(async move {
            let mut machine = Machine::boot(&world, format!("boot-{tpm}"), 1, 0)?;
            let mut connection = verifier.connect().await?;
            for number in (tpm..count).step_by(tpms.max(1) as usize) {
                machine.reboot(&world, Some(format!("boot-{number}")))?;
                machine.register(&mut connection).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let cpu = server.cpu()?.saturating_sub(before) / count.max(1);
    Ok(Registered { cpu, memory: server.memory()? })
}
