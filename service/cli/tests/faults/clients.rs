// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clients that say nothing, stop in the middle, or are ten thousand.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evtpm_fleet::ServerProcess;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::stage::{Stage, amount, attest, is_full};

/// How long an honest machine may wait while others misbehave; the machines that test this are busy themselves.
const SERVED: Duration = Duration::from_secs(30);

/// After so long the verifier has closed what says nothing (it waits for ten seconds), or does not finish (sixty).
const SILENT: Duration = Duration::from_secs(40);
const UNFINISHED: Duration = Duration::from_secs(120);

/// Connects from one of many addresses of the loopback network.
async fn connect_from(client: u32, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::from(0x7f01_0000 + client)), 0).into())?;
    socket.connect(server).await
}

async fn over_tls(server: &ServerProcess, stream: TcpStream) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.directory().join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap()
}

/// Reads until the other side closes, whatever it says before.
async fn is_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin), patience: Duration) -> bool {
    tokio::time::timeout(patience, async { while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {} })
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_stop_in_the_middle_are_let_go_and_others_are_served() {
    let stage = Stage::new("slow");
    let server = stage.setup().start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    let mut silent = Vec::new();
    let mut unfinished = Vec::new();
    for client in 0..amount(10, 50) {
        silent.push(connect_from(1, server.address()).await.unwrap());
        // The head of a TLS record, and a hello that never comes whole.
        let mut half = connect_from(2, server.address()).await.unwrap();
        half.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        silent.push(half);
        let mut stream = over_tls(&server, connect_from(3, server.address()).await.unwrap()).await;
        let path = if client % 2 == 0 { "registrations" } else { "attesters/x/evidence" };
        stream.write_all(format!("POST /v1/{path} HTTP/1.1\r\nhost: a\r\n").as_bytes()).await.unwrap();
        if client % 2 == 0 {
            stream.write_all(b"content-type: application/json\r\ncontent-length: 40\r\n\r\n{\"mach").await.unwrap();
        }
        unfinished.push((client, stream));
    }
    let began = Instant::now();
    attest(&server, &mut machine).await.unwrap();
    assert!(began.elapsed() < SERVED, "{:?}", began.elapsed());
    for stream in &mut silent {
        assert!(is_closed(stream, SILENT.saturating_sub(began.elapsed())).await);
    }
    for (client, stream) in &mut unfinished {
        // A head that does not come is given up soon; a body later, which takes the test a minute.
        let has_head = *client % 2 == 0;
        if is_full() || !has_head {
            let patience = if has_head { UNFINISHED } else { SILENT };
            assert!(is_closed(stream, patience.saturating_sub(began.elapsed())).await, "client {client}");
        }
    }
    attest(&server, &mut machine).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_keep_nobody_out() {
    let stage = Stage::new("many");
    let server = stage.setup().start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    let before = server.memory().unwrap();
    let mut open = Vec::new();
    for client in 0..amount(1_500, 10_000) {
        match connect_from(16 + client / 200, server.address()).await {
            Ok(stream) => open.push(stream),
            // As many as this process may have.
            Err(error) => {
                println!("{} connections: {error}", open.len());
                break;
            }
        }
    }
    let began = Instant::now();
    attest(&server, &mut machine).await.unwrap();
    assert!(began.elapsed() < SERVED, "{:?}", began.elapsed());
    let grown = server.memory().unwrap().saturating_sub(before);
    assert!(grown < 500 << 20, "{} connections take {grown} bytes", open.len());
    drop(open);
    attest(&server, &mut machine).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_take_more_than_its_share() {
    let stage = Stage::new("greedy");
    let server = stage.setup().start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(connect_from(1, server.address()).await.unwrap());
    }
    let last = open.last_mut().unwrap();
    assert!(is_closed(last, SERVED).await);
    attest(&server, &mut machine).await.unwrap();
}
