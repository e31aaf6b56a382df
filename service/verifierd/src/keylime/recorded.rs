// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's Rust agent, as it spoke to us once: our recording of its requests, played to the routes as they are served.
//!
//! The secrets and nonces of that day are put in the place of the new ones, in the store; everything else is judged as it
//! was then: the agent's keys, its proofs, its quotes, its lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_keylime::agent::Quote;
use evtpm_keylime::push::{AttestationState, SessionResult};
use evtpm_keylime::quote::QuoteText;
use evtpm_keylime::registrar::RegisteredAgent;
use evtpm_keylime::verifier::{AddAgent, TpmPolicy};
use evtpm_verify::tpm::{AkPublic, Issued, TrustedAk};
use serde::Deserialize;
use serde_json::Value;

use super::evidence::{self, Before, Evidence, Order, Signatures};
use super::registrations;
use super::rules::RuntimeRules;
use super::testing::{Answer, Caller};
use super::watches::{self, POLICY, WATCHED, Watch};
use crate::app::now;
use crate::app::testing::TestApp;
use crate::fronts::{keylime_v2, keylime_v3};
use crate::store::Item;

/// One request, with what our answer had that was random.
#[derive(Debug, Clone, Deserialize)]
struct Recorded {
    method: String,
    path: String,
    body: Value,
    /// The registration's secret, or the challenge of a session or an attestation.
    random: Option<String>,
}

/// The recording: see `testing/vectors/keylime-rust-agent/PROVENANCE.md`.
#[derive(Debug, Deserialize)]
struct Recording {
    agent: String,
    /// Registration and activation.
    registration: [Recorded; 2],
    /// Opening and proof.
    session: [Recorded; 2],
    /// Each with what the agent can show and what it showed: two good ones, and one after a restart of the agent, with a
    /// file that no policy knows.
    attestations: Vec<[Recorded; 2]>,
}

fn push() -> Recording {
    serde_json::from_str(include_str!("../../../../testing/vectors/keylime-rust-agent/push.json")).unwrap()
}

/// The policy that the tenant gave: the files that were measured at first.
fn policy() -> String {
    format!(r#"{{"digests":{{"boot_aggregate":["{}"],"/usr/bin/app":["{}"]}}}}"#, "01".repeat(32), "02".repeat(32))
}

/// Puts what was random on that day in the place of what is random today.
async fn replace(app: &TestApp, kind: &'static str, name: &str, field: &str, recorded: &Recorded) {
    let item = app.store.item(kind, name).await.unwrap().unwrap();
    let mut body: Value = serde_json::from_str(&item.body).unwrap();
    *body.pointer_mut(field).unwrap() = Value::from(recorded.random.clone().unwrap());
    app.store.put_item(kind, Item { body: body.to_string(), ..item }, None).await.unwrap();
}

async fn register(app: &TestApp, recording: &Recording) -> RegisteredAgent {
    let [registration, activation] = &recording.registration;
    let router = || keylime_v2::registrar_for_agents().with_state((**app).clone());
    let answer = play(router(), Caller::Anybody, registration, &registration.path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    replace(app, "keylime-pending", &recording.agent, "/secret", registration).await;
    let answer = play(router(), Caller::Anybody, activation, &activation.path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    registrations::active(app, &recording.agent).await.unwrap().unwrap()
}

async fn play(router: axum::Router, caller: Caller<'_>, recorded: &Recorded, path: &str) -> Answer {
    Answer::to(router, caller, &recorded.method, path, &recorded.body).await
}

async fn order(app: &TestApp, agent: &RegisteredAgent) {
    let item = |name: &str, body: String| Item { name: name.into(), body, version: 0, due_at: None };
    app.store.put_item(POLICY, item("p", policy()), None).await.unwrap();
    let order = AddAgent {
        ak_tpm: agent.registration.aik_tpm.clone(),
        mtls_cert: agent.registration.mtls_cert.clone(),
        cloudagent_ip: agent.registration.ip.clone(),
        cloudagent_port: agent.registration.port,
        tpm_policy: r#"{"mask":"0x400"}"#.into(),
        accept_tpm_hash_algs: vec!["sha256".into()],
        accept_tpm_signing_algs: vec!["rsassa".into(), "ecdsa".into()],
        ..AddAgent::default()
    };
    let watch = Watch::new(order, Some("p".into()));
    let written = watches::write(&watch, item(&agent.agent_id, String::new()), None).unwrap();
    app.store.put_item(WATCHED, written, None).await.unwrap();
}

/// Opens the recorded session; returns the token.
async fn log_in(app: &TestApp, recording: &Recording) -> String {
    let [opening, proof] = &recording.session;
    let router = || keylime_v3::verifier().with_state((**app).clone());
    let opened = play(router(), Caller::Anybody, opening, &opening.path).await;
    let id = serde_json::from_str::<Value>(&opened.body).unwrap()["data"]["id"].as_str().unwrap().to_owned();
    replace(app, "keylime-session", &id, "/challenge", opening).await;
    let answer = play(router(), Caller::Anybody, proof, &format!("/v3.0/sessions/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.attributes::<SessionResult>().token.unwrap()
}

/// Plays one attestation, and returns what came of it.
async fn attest(app: &TestApp, agent: &str, token: &str, [offered, shown]: &[Recorded; 2]) -> AttestationState {
    let router = || keylime_v3::verifier().with_state((**app).clone());
    let negotiated = play(router(), Caller::Token(token), offered, &offered.path).await;
    assert_eq!(negotiated.status, 201, "{}", negotiated.body);
    let location = negotiated.location.unwrap();
    let place = location.rsplit('/').next().unwrap().parse::<usize>().unwrap().min(2);
    let field = format!("/push/attestations/{place}/evidence/0/chosen_parameters/challenge");
    replace(app, WATCHED, agent, &field, offered).await;
    let answer = play(router(), Caller::Token(token), shown, &location).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    // The pause is for a clock that runs.
    let (mut watch, item) = watches::find(app, agent).await.unwrap().unwrap();
    watch.push.as_mut().unwrap().forget_pause();
    app.store.put_item(WATCHED, watches::write(&watch, item, None).unwrap(), None).await.unwrap();
    let tenant = Answer::to(router(), Caller::Tenant, "GET", &location, &Value::Null).await;
    tenant.attributes()
}

#[tokio::test]
async fn the_push_agent_registers_opens_a_session_attests_and_fails_by_a_file_that_no_policy_knows() {
    let (app, recording) = (TestApp::new("recorded-push"), push());
    let agent = register(&app, &recording).await;
    order(&app, &agent).await;
    let mut token = log_in(&app, &recording).await;
    let mut came = Vec::new();
    for (number, attestation) in recording.attestations.iter().enumerate() {
        if number == 2 {
            // The agent was started anew: it registers again, and shows its whole list.
            register(&app, &recording).await;
            token = log_in(&app, &recording).await;
        }
        let state = attest(&app, &recording.agent, &token, attestation).await;
        came.push((state.evaluation.unwrap(), state.failure_reason));
    }
    let violation = ("fail".to_owned(), Some("policy_violation".to_owned()));
    assert_eq!(came, [("pass".to_owned(), None), ("pass".to_owned(), None), violation]);
}

#[tokio::test]
async fn a_bit_of_the_push_agent_s_quote_breaks_the_chain() {
    let (app, mut recording) = (TestApp::new("recorded-bit"), push());
    let agent = register(&app, &recording).await;
    order(&app, &agent).await;
    let token = log_in(&app, &recording).await;
    let [_, shown] = &mut recording.attestations[0];
    let message = shown.body.pointer_mut("/data/attributes/evidence_collected/0/data/message").unwrap();
    let mut bytes = STANDARD.decode(message.as_str().unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *message = Value::from(STANDARD.encode(bytes));
    let state = attest(&app, &recording.agent, &token, &recording.attestations[0]).await;
    assert_eq!(state.failure_reason.as_deref(), Some("broken_evidence_chain"));
}

#[tokio::test]
async fn the_registrar_s_version_3_takes_the_name_in_the_body_and_both_versions_are_told() {
    let (app, recording) = (TestApp::new("recorded-v3"), push());
    let [registration, activation] = &recording.registration;
    let ask = |method: &'static str, path: String, body: Value| {
        let router = keylime_v2::registrar_for_agents().with_state((*app).clone());
        async move { Answer::to(router, Caller::Anybody, method, &path, &body).await }
    };
    let mut body = registration.body.clone();
    body["agent_id"] = recording.agent.clone().into();
    assert_eq!(ask("POST", "/v3.0/agents".into(), body).await.status, 200);
    replace(&app, "keylime-pending", &recording.agent, "/secret", registration).await;
    let path = format!("/v3.0/agents/{}/activate", recording.agent);
    assert_eq!(ask("POST", path, activation.body.clone()).await.status, 200);
    assert!(registrations::active(&app, &recording.agent).await.unwrap().is_some());

    let versions: Value = serde_json::from_str(&ask("GET", "/version".into(), Value::Null).await.body).unwrap();
    assert_eq!(versions["results"]["current_version"], "2.6");
    assert_eq!(versions["results"]["supported_versions"][6], "3.0");
    let root = ask("GET", "/".into(), Value::Null).await;
    assert_eq!((root.status.as_u16(), root.location.as_deref()), (307, Some("/v3.0/")));
    assert_eq!(ask("GET", "/v3.0/".into(), Value::Null).await.status, 200);
}

/// What the pull agent said.
#[derive(Debug, Deserialize)]
struct Pulled {
    agent: String,
    registration: [Recorded; 2],
    /// The nonce of the question, and the answer.
    nonce: String,
    quote: Quote,
}

fn pulled() -> Pulled {
    serde_json::from_str(include_str!("../../../../testing/vectors/keylime-rust-agent/pull.json")).unwrap()
}

#[tokio::test]
async fn the_pull_agent_s_quote_is_judged_once_for_anybody_and_tenants_requests_need_a_certificate() {
    let (app, pulled) = (TestApp::new("recorded-once"), pulled());
    let ask = |method: &'static str, path: &'static str, body: Value| {
        let router = keylime_v2::verifier().with_state((*app).clone());
        async move { Answer::to(router, Caller::Anybody, method, path, &body).await }
    };
    let registration = &pulled.registration[0].body;
    let evidence = serde_json::json!({"type": "tpm", "data": {
        "quote": pulled.quote.quote, "nonce": pulled.nonce, "hash_alg": "sha256", "tpm_ek": registration["ek_tpm"],
        "tpm_ak": registration["aik_tpm"], "tpm_policy": r#"{"mask":"0x400"}"#, "runtime_policy": policy(),
        "ima_measurement_list": pulled.quote.ima_measurement_list}});
    let verdict = |answer: Answer| {
        let verdict: Value = serde_json::from_str(&answer.body).unwrap();
        let kind = verdict["results"]["failures"][0]["type"].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), verdict["results"]["valid"] == true, kind)
    };
    assert_eq!(verdict(ask("POST", "/v2.6/verify/evidence", evidence.clone()).await), (200, true, String::new()));
    let mut other = evidence.clone();
    other["data"]["runtime_policy"] = r#"{"digests":{}}"#.into();
    let unknown = "ima.validation.ima-ng.not_in_allowlist".to_owned();
    assert_eq!(verdict(ask("POST", "/v2.6/verify/evidence", other).await), (200, false, unknown));
    let mut other = evidence;
    other["data"]["nonce"] = "".into();
    assert_eq!(ask("POST", "/v2.6/verify/evidence", other).await.status, 400);
    assert_eq!(ask("GET", "/v2.6/agents", Value::Null).await.status, 401);
    assert_eq!(ask("DELETE", "/v2.6/agents/a", Value::Null).await.status, 401);
}

#[tokio::test]
async fn the_pull_agent_registers_and_its_quote_holds() {
    let pulled = pulled();
    let app = TestApp::new("recorded-pull");
    let recording = Recording {
        agent: pulled.agent,
        registration: pulled.registration,
        session: push().session,
        attestations: Vec::new(),
    };
    let agent = register(&app, &recording).await;
    assert!(agent.registration.mtls_cert.unwrap().contains("BEGIN CERTIFICATE"));
    let ak = AkPublic::from_tpm2b(&STANDARD.decode(&agent.registration.aik_tpm).unwrap()).unwrap();
    let (key, rules) = (TrustedAk::named(ak), RuntimeRules::read(&policy(), None).unwrap());
    let tpm_policy = TpmPolicy { mask: Some("0x400".into()), values: Default::default() };
    let judge = |nonce: &str, list: &str| {
        let order = Order {
            key: &key,
            tpm_policy: &tpm_policy,
            asked: evidence::asked(&tpm_policy).unwrap(),
            rules: Some(&rules),
            boot: None,
            hashes: &["sha256".into()],
            signatures: Signatures::These(&["rsassa".into()]),
            transport_key: pulled.quote.pubkey.as_deref(),
        };
        let quote = QuoteText::parse(&pulled.quote.quote).unwrap();
        let nonce = Issued::recorded(nonce.as_bytes());
        evidence::judge(
            order,
            Evidence { quote: &quote, ima_list: list, event_log: &[] },
            &Before::default(),
            nonce,
            now(),
        )
    };
    let list = pulled.quote.ima_measurement_list.as_deref().unwrap();
    assert_eq!(judge(&pulled.nonce, list).unwrap().failures, []);
    assert_eq!(judge("another", list).unwrap_err().event_id, "quote_validation.quote_validation");
    let changed = list.replace("/usr/bin/app", "/usr/bin/apx");
    assert_eq!(judge(&pulled.nonce, &changed).unwrap().failures[0].event_id, "ima.pcr_mismatch");
}
