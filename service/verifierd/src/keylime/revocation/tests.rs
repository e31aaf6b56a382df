// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message as the agents of Keylime check it.

use evtpm_crypto::padding::pss::Salt;
use evtpm_keylime::registrar::Port;
use evtpm_keylime::verifier::AddAgent;
use serde_json::Value;

use super::*;
use crate::store::Item;

/// An INTEGER of DER.
fn integer(number: &[u8]) -> Vec<u8> {
    tagged(0x02, &[&[0], number].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    // DER has the shortest form of a length.
    let length = match content.len() {
        short @ 0..=0x7F => vec![u8::try_from(short).unwrap()],
        long @ 0x80..=0xFF => vec![0x81, u8::try_from(long).unwrap()],
        longer => [&[0x82], u16::try_from(longer).unwrap().to_be_bytes().as_slice()].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}

/// A key, in PKCS #1 with the numbers left out that nobody reads, and its modulus.
fn key() -> (Vec<u8>, Vec<u8>) {
    let (mut modulus, mut prime) = ([0; 256], [0; 128]);
    RustCrypto::rsa_generate(65_537, &mut SystemRng, &mut modulus, &mut prime).unwrap();
    let one = || vec![0x02, 1, 1];
    let version = vec![0x02, 1, 0];
    let numbers = [version, integer(&modulus), one(), one(), integer(&prime), one(), one(), one(), one()].concat();
    (tagged(0x30, &numbers), modulus.to_vec())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn failed(revocation_key: Option<String>) -> Failed {
    let order = AddAgent {
        cloudagent_ip: Some("10.0.0.7".into()),
        cloudagent_port: Some(Port(9002)),
        mtls_cert: Some("disabled".into()),
        tpm_policy: "{}".into(),
        metadata: Some("{}".into()),
        revocation_key,
        ..AddAgent::default()
    };
    let failure = Failure::new("ima.validation.ima-ng.not_in_allowlist", "File not found in allowlist: /tmp/x");
    Failed { kind: Kind::Revocation, agent: "a".into(), watch: Watch::new(order, None), failure, at: 1_731_428_477 }
}

#[test]
fn a_message_says_who_failed_and_why_and_is_signed_by_the_order_s_key() {
    let (der, modulus) = key();
    let algorithm = tagged(0x30, &[0x05, 0x00]);
    let pkcs8 = tagged(0x30, &[&[0x02, 1, 0], algorithm.as_slice(), &tagged(0x04, &der)].concat());
    for pem in [pem("RSA PRIVATE KEY", &der), pem("PRIVATE KEY", &pkcs8)] {
        let message = message(&failed(Some(pem))).unwrap();
        let said: Value = serde_json::from_str(&message.msg).unwrap();
        assert_eq!(
            (&said["type"], &said["agent_id"], &said["port"]),
            (&"revocation".into(), &"a".into(), &9002.into())
        );
        assert_eq!(said["event_id"], "ima.validation.ima-ng.not_in_allowlist");
        assert_eq!(said["event_time"], "2024-11-12T16:21:17Z");

        let mut block = STANDARD.decode(&message.signature).unwrap();
        RustCrypto::rsa_public(&modulus, 65_537, &mut block).unwrap();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[message.msg.as_bytes()]);
        let longest = Salt::Exactly(256 - 32 - 2);
        pss::verify::<RustHasher>(HashAlg::Sha256, digest.as_bytes(), longest, 2048, &mut block).unwrap();
    }
}

#[test]
fn without_a_key_the_signature_is_empty_and_with_a_bad_one_there_is_no_message() {
    assert_eq!(message(&failed(None)).unwrap().signature, "");
    assert_eq!(message(&failed(Some(String::new()))).unwrap().signature, "");
    assert!(message(&failed(Some("a key".into()))).is_err());
    assert!(message(&failed(Some(pem("RSA PRIVATE KEY", &[0x30, 0])))).is_err());
}

#[tokio::test]
async fn a_webhook_gets_the_message() {
    let app = crate::app::testing::TestApp::new("revocation-webhook");
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let receiver = move |body: String| {
        sender.send(body).unwrap();
        async {}
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = axum::Router::new().route("/", axum::routing::post(receiver));
    let serving = tokio::spawn(async move { axum::serve(listener, server).await });
    let webhook = Webhook::new(&url, None, b"key".to_vec()).unwrap();
    let channels = Channels { agents: false, webhook: Some(webhook) };
    let failed = failed(None);
    send(&app, None, &channels, &failed).await.unwrap();
    let message: Revocation = serde_json::from_str(&received.recv().await.unwrap()).unwrap();
    assert!(message.msg.contains("not_in_allowlist"), "{}", message.msg);
    serving.abort();
}

#[tokio::test]
async fn of_an_agent_that_was_good_and_does_not_answer_the_others_are_told_once() {
    let revoked = Revoked::default();
    let mut listener = revoked.0.subscribe();
    let mut watch = failed(None).watch;
    let mut ask = |attestation_count| {
        watch.attestation_count = attestation_count;
        for unanswered in 1..20 {
            watch.unanswered = unanswered;
            revoked.tell_of_silence("a", &watch);
        }
    };
    ask(0);
    assert!(listener.try_recv().is_err(), "it never was good");
    ask(3);
    let told = listener.try_recv().unwrap();
    let said: Value = serde_json::from_str(&message(&told).unwrap().msg).unwrap();
    assert_eq!((&said["type"], &said["agent_id"]), (&"comm_error".into(), &"a".into()));
    assert_eq!(said["event_id"], "internal.verifier.not_reachable");
    assert!(listener.try_recv().is_err());
}

/// Keeps an order to watch an agent at this address, which has no TLS.
async fn watch(app: &App, agent: &str, port: u16, pushes: bool) {
    let order = AddAgent {
        cloudagent_ip: (!pushes).then(|| "127.0.0.1".into()),
        cloudagent_port: Some(Port(port)),
        mtls_cert: Some("disabled".into()),
        supported_version: Some("2.6".into()),
        ..AddAgent::default()
    };
    let item = Item { name: agent.into(), body: String::new(), version: 0, due_at: None };
    let item = watches::write(&Watch::new(order, None), item, None).unwrap();
    app.store.put_item(watches::WATCHED, item, None).await.unwrap();
}

#[tokio::test]
async fn the_other_agents_that_are_asked_get_the_message_and_the_failed_one_does_not() {
    let app = crate::app::testing::TestApp::new("revocation-agents");
    let directory = std::env::temp_dir().join(format!("evtpm-revocation-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let made = crate::tls::create(&directory, &["127.0.0.1".into()]).unwrap();
    let tls = Arc::new(AgentTls::read(&made.administrator.certificate, &made.administrator.key).unwrap());
    std::fs::remove_dir_all(&directory).unwrap();

    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let take = move |body: String| {
        sender.send(body).unwrap();
        async { r#"{"code":200,"status":"Success","results":{}}"# }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = axum::Router::new().route("/v2.6/notifications/revocation", axum::routing::post(take));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    // The failed one, one that pushes, and one that is asked: all at the same address, which is told once.
    watch(&app, "a", port, false).await;
    watch(&app, "b", port, true).await;
    watch(&app, "c", port, false).await;
    let channels = Channels { agents: true, webhook: None };
    send(&app, Some(&tls), &channels, &failed(None)).await.unwrap();
    let message: Revocation = serde_json::from_str(&received.recv().await.unwrap()).unwrap();
    assert!(message.msg.contains(r#""agent_id":"a""#), "{}", message.msg);
    let more = tokio::time::timeout(std::time::Duration::from_millis(300), received.recv()).await;
    assert!(more.is_err(), "nobody else is told");
    serving.abort();
}
