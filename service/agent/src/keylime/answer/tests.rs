// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verifier and a tenant see, with a TPM of ours behind.

use evtpm_client::Client;
use evtpm_engine::{Profile, Tpm};
use evtpm_keylime::agent::Revocation;
use evtpm_keylime::quote::QuoteText;
use evtpm_testing_support::{Direct, Noise, TestPlatform};
use evtpm_tpm_wire::TpmSu;
use serde::Deserialize;

use super::super::payload::tests::{NAME, tenant};
use super::super::revocation::tests::{MESSAGE, Notifier};
use super::super::transport_key::tests::seal;
use super::*;

type Agent = PullAgent<Direct, Noise>;

fn agent() -> Agent {
    let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(11)), Profile::pc_client()).unwrap();
    let mut tpm = Client::new(Direct(tpm), Noise::Good(2));
    tpm.startup(TpmSu::Clear).unwrap();
    let transport_key = TransportKey::generate(&mut Noise::Good(3)).unwrap();
    let ima = ImaList::new(Path::new("/nowhere"));
    PullAgent::new(NAME.into(), Keys::new(tpm).unwrap(), transport_key, ima, Path::new("/nowhere"), None)
}

fn get_from(agent: &mut Agent, path: &str, query: &str) -> Reply {
    agent.answer(&Method::GET, path, query, &[])
}

fn results<A: DeserializeOwned>(reply: &Reply) -> A {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice::<Envelope<A>>(&reply.body).unwrap().results
}

fn said(reply: &Reply) -> (u16, String) {
    let envelope: Envelope<Nothing> = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(envelope.code, reply.status);
    (reply.status, envelope.status)
}

#[test]
fn both_fields_name_our_versions() {
    let versions: Versions = results(&get_from(&mut agent(), "/version", ""));
    assert_eq!(versions.supported_version.to_string(), "2.6");
    assert_eq!(versions.supported_versions.len(), 6);
}

#[test]
fn another_version_is_refused_in_the_verifier_s_words() {
    let reply = get_from(&mut agent(), "/v1.0/agent/info", "");
    assert_eq!(said(&reply), (400, "API version not supported: v1.0".into()));
}

#[test]
fn an_old_client_hears_an_algorithm_without_its_size() {
    let mut agent = agent();
    let mut algorithm = |path| results::<AgentInfo>(&get_from(&mut agent, path, "")).tpm_enc_alg;
    assert_eq!((algorithm("/v2.4/agent/info"), algorithm("/v2.5/agent/info")), ("ecc".into(), "ecc256".into()));
}

#[test]
fn a_quote_is_over_the_nonce_the_asked_pcrs_and_the_transport_key() {
    let mut agent = agent();
    let query = "nonce=Ai5M5SjYjnkyv4P7itH1&mask=0x401&partial=0&ima_ml_entry=0";
    let answer: Quote = results(&get_from(&mut agent, "/v2.6/quotes/integrity", query));
    let quote = QuoteText::parse(&answer.quote).unwrap();
    let nonce = b"Ai5M5SjYjnkyv4P7itH1";
    assert!(quote.message.windows(nonce.len()).any(|window| window == nonce));

    let pcrs: Vec<_> = quote.pcrs.iter().map(|(_, pcr, _)| pcr).collect();
    assert_eq!(pcrs, [0, 10, 16]);
    let key = RustCrypto::hash(HashAlg::Sha256, &[answer.pubkey.unwrap().as_bytes()]);
    let extended = RustCrypto::hash(HashAlg::Sha256, &[&[0; 32], key.as_bytes()]);
    assert_eq!(quote.pcrs.values()[2], extended.as_bytes());

    // The same at the next time: the register is reset before.
    let again: Quote = results(&get_from(&mut agent, "/v2.6/quotes/identity", "nonce=b"));
    assert_eq!(QuoteText::parse(&again.quote).unwrap().pcrs.values()[0], extended.as_bytes());
}

#[test]
fn a_partial_answer_leaves_the_key_out() {
    let query = "nonce=a&mask=0x400&partial=1&ima_ml_entry=0";
    let answer: Quote = results(&get_from(&mut agent(), "/v2.6/quotes/integrity", query));
    assert_eq!((answer.pubkey, answer.ima_measurement_list, answer.mb_measurement_list), (None, None, None));
}

#[test]
fn a_question_with_other_letters_is_refused_before_the_tpm_is_asked() {
    let mut agent = agent();
    let long = format!("mask=0x400&partial=0&nonce={}", "a".repeat(65));
    for (query, word) in [
        ("mask=0x400&partial=0", "nonce"),
        ("mask=0x400&partial=0&nonce=", "nonce"),
        ("mask=0x400&partial=0&nonce=a%20b", "nonce"),
        (&long, "nonce"),
        ("nonce=a&partial=0", "mask"),
        ("nonce=a&mask=0x1000000&partial=0", "mask"),
        ("nonce=a&mask=0x400&partial=2", "partial"),
        ("nonce=a&mask=0x400&partial=0&ima_ml_entry=-1", "ima_ml_entry"),
    ] {
        let (status, reason) = said(&get_from(&mut agent, "/v2.6/quotes/integrity", query));
        assert_eq!(status, 400);
        assert!(reason.contains(word), "{query}: {reason}");
    }
}

#[test]
fn a_method_or_a_resource_that_is_not_there_is_refused() {
    let mut agent = agent();
    assert_eq!(agent.answer(&Method::POST, "/v2.6/agent/info", "", &[]).status, 405);
    assert_eq!(get_from(&mut agent, "/v2.6/keys/ukey", "").status, 405);
    assert_eq!(get_from(&mut agent, "/v2.6/files", "").status, 404);
    for path in ["", "/", "/agent/info", "/v", "/v2.6", "//", "/v2.06/agent/info"] {
        assert_eq!(get_from(&mut agent, path, "").status, 400, "{path}");
    }
}

/// The tenant's half of a key, under the agent's transport key.
fn tenant_half(agent: &Agent, with_payload: bool) -> Vec<u8> {
    let half = tenant(1, 2, b"secret");
    let message = UKey {
        auth_tag: hex(&half.auth_tag),
        encrypted_key: STANDARD.encode(seal(&agent.transport_key, &*half.half)),
        payload: half.payload.filter(|_| with_payload).map(|payload| STANDARD.encode(payload)),
    };
    serde_json::to_vec(&message).unwrap()
}

fn verifier_half(agent: &Agent) -> Vec<u8> {
    let message = VKey { encrypted_key: STANDARD.encode(seal(&agent.transport_key, &[2; 32])) };
    serde_json::to_vec(&message).unwrap()
}

#[test]
fn both_halves_make_a_key_that_the_agent_can_prove() {
    let mut agent = agent();
    let (tenant, verifier) = (tenant_half(&agent, false), verifier_half(&agent));
    assert_eq!(get_from(&mut agent, "/v2.6/keys/verify", "challenge=abc").status, 400);
    assert_eq!(agent.answer(&Method::POST, "/v2.6/keys/ukey", "", &tenant).status, 200);
    assert_eq!(get_from(&mut agent, "/v2.6/keys/verify", "challenge=abc").status, 400);
    assert_eq!(agent.answer(&Method::POST, "/v2.6/keys/vkey", "", &verifier).status, 200);
    let proof: KeyProof = results(&get_from(&mut agent, "/v2.6/keys/verify", "challenge=abc"));
    assert_eq!(proof.hmac, hex(RustCrypto::hmac(HashAlg::Sha384, &[3; 32], &[b"abc"]).as_bytes()));
}

#[test]
fn a_payload_is_delivered_into_memory() {
    let folder = PathBuf::from(format!("/dev/shm/evtpm-answer-{}", std::process::id()));
    let Ok(payloads) = PayloadFolder::new(&folder, None) else {
        println!("skipped: /dev/shm is no tmpfs");
        return;
    };
    let mut agent = agent();
    agent.payloads = Some(payloads);
    let (tenant, verifier) = (tenant_half(&agent, true), verifier_half(&agent));
    assert_eq!(agent.answer(&Method::POST, "/v2.6/keys/vkey", "", &verifier).status, 200);
    assert_eq!(agent.answer(&Method::POST, "/v2.6/keys/ukey", "", &tenant).status, 200);
    assert_eq!(std::fs::read(folder.join("payload")).unwrap(), b"secret");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_payload_that_has_no_place_is_refused() {
    let mut agent = agent();
    let tenant = tenant_half(&agent, true);
    let (status, reason) = said(&agent.answer(&Method::POST, "/v2.6/keys/ukey", "", &tenant));
    assert!(status == 400 && reason.contains("--payload-dir"), "{reason}");
}

#[test]
fn a_key_message_that_is_none_is_refused() {
    #[derive(Deserialize)]
    struct Anything {}
    let mut agent = agent();
    for body in ["", "{}", "[]", r#"{"encrypted_key":"AA=="}"#, r#"{"encrypted_key":"!"}"#] {
        let reply = agent.answer(&Method::POST, "/v2.6/keys/vkey", "", body.as_bytes());
        assert_eq!(reply.status, 400, "{body}");
        serde_json::from_slice::<Envelope<Anything>>(&reply.body).unwrap();
    }
}

#[test]
fn a_revocation_is_taken_if_its_signature_is_good() {
    let notifier = Notifier::new();
    let mut agent = Agent { revocations: notifier.revocations(Vec::new()), ..agent() };
    let mut tell = |message: &Revocation| {
        let body = serde_json::to_vec(message).unwrap();
        said(&agent.answer(&Method::POST, "/v2.6/notifications/revocation", "", &body))
    };
    let message = notifier.sign(MESSAGE);
    assert_eq!(tell(&message), (200, "Success".into()));
    let forged = Revocation { msg: MESSAGE.replace("ima.x", "ima.y"), ..message };
    assert_eq!(tell(&forged), (400, "the message is not signed by the revocation key".into()));
    assert_eq!(said(&get_from(&mut agent, "/v2.6/notifications/revocation", "")).0, 405);
}
