// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An agent that pushes, with a TPM of ours behind, against the routes as they are served.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_client::{Client, Object};
use evtpm_crypto::{Crypto, HashAlg as CryptoHash, RustCrypto};
use evtpm_engine::{Profile, Tpm};
use evtpm_keylime::push::{
    AttestationState, CertificationParameters, Document, EvidenceRequested, Negotiated, SessionChallenge, SessionResult,
};
use evtpm_keylime::quote::{BankSelection, PcrBlob};
use evtpm_keylime::verifier::AddAgent;
use evtpm_protocol::templates::attestation_key;
use evtpm_testing_support::{Direct, Noise, TestPlatform};
use evtpm_tpm_wire::{HashAlg, Marshal as _, PcrIndex, PcrSelect, TpmSu, TpmiRhHierarchy, TpmtHa};
use evtpm_verify::tpm::{AkPublic, Issued, QuoteEvidence, Selection, TrustedAk};
use serde_json::{Value, json};

use super::*;
use crate::app::testing::TestApp;
use crate::fronts::keylime_v3;
use crate::keylime::testing::{Answer, Caller};
use crate::keylime::watches::POLICY;

/// A firmware's log of a boot that this project made.
const FIRMWARE: &[u8] = include_bytes!("../../../../../testing/vectors/debian-boot/bios.bin");

/// The quote of all registers of a machine whose firmware wrote this log.
pub(in crate::keylime) fn quote_after(log: &[u8]) -> evtpm_verify::tpm::Quote {
    let mut agent = Agent::start();
    agent.start_firmware(log);
    let pcrs = Client::<Direct, Noise>::selection(&[HashAlg::Sha256], PcrSelect::ALL).unwrap();
    let quote = agent.tpm.quote(&agent.ak, &[], b"nonce of a test.", &pcrs).unwrap();
    let values = agent.tpm.pcr_read(&pcrs).unwrap();
    let values: Vec<&[u8]> = values.iter().map(|value| value.digest.as_bytes()).collect();
    let mut buffer = [0; 512];
    let signature = quote.signature.to_bytes(&mut buffer).unwrap();
    let evidence = QuoteEvidence { message: quote.attest.as_bytes(), signature, values: &values };
    let all = evtpm_logs::PcrSet::from_mask(0xFF_FFFF).unwrap();
    let asked = Selection::new().with(evtpm_logs::HashId::SHA256, all).unwrap();
    let ak = AkPublic::from_tpm2b(&STANDARD.decode(agent.ak_tpm()).unwrap()).unwrap();
    TrustedAk::named(ak).verify(evidence, Issued::recorded(b"nonce of a test."), &asked, now()).unwrap()
}

/// A machine with a TPM and an IMA list, and its token.
struct Agent {
    tpm: Client<Direct, Noise>,
    ak: Object,
    list: Vec<String>,
    token: String,
    boot_time: &'static str,
}

impl Agent {
    fn boot() -> Self {
        let mut agent = Self::start();
        agent.measure("boot_aggregate", 1);
        agent.measure("/usr/bin/app", 2);
        agent
    }

    /// A machine whose firmware wrote the log, and whose IMA list begins with the digest of what it measured.
    fn boot_by_firmware() -> Self {
        let mut agent = Self::start();
        agent.start_firmware(FIRMWARE);
        let first = PcrSelect::NONE.with(PcrIndex::Pcr0);
        let all = (1..10).fold(first, |select, pcr| select.with(PcrIndex::new(pcr).unwrap()));
        let pcrs = Client::<Direct, Noise>::selection(&[HashAlg::Sha256], all).unwrap();
        let values = agent.tpm.pcr_read(&pcrs).unwrap();
        let values: Vec<&[u8]> = values.iter().map(|value| value.digest.as_bytes()).collect();
        let aggregate = RustCrypto::hash(CryptoHash::Sha256, &values);
        agent.measure_digest("boot_aggregate", aggregate.as_bytes());
        agent.measure("/usr/bin/app", 2);
        agent
    }

    fn start() -> Self {
        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(11)), Profile::pc_client()).unwrap();
        let mut tpm = Client::new(Direct(tpm), Noise::Good(2));
        tpm.startup(TpmSu::Clear).unwrap();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key()).unwrap();
        Agent { tpm, ak, list: Vec::new(), token: String::new(), boot_time: "2026-01-01T00:00:00Z" }
    }

    fn ak_tpm(&self) -> String {
        let mut buffer = [0; 512];
        let area = self.ak.public.to_bytes(&mut buffer).unwrap();
        STANDARD.encode([&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat())
    }

    /// Starts a firmware that writes this log.
    fn start_firmware(&mut self, log: &[u8]) {
        for event in evtpm_logs::EventLog::parse(log).unwrap().events().map(Result::unwrap) {
            let Some(pcr) = event.pcr_index().filter(|_| event.is_extended()) else { continue };
            let digest = event.digests().find(evtpm_logs::HashId::SHA256).unwrap();
            let extended = TpmtHa::new(HashAlg::Sha256, digest).unwrap();
            self.tpm.pcr_extend(PcrIndex::new(u32::from(pcr.value())).unwrap(), &[extended]).unwrap();
        }
    }

    /// Measures a file as Linux does it; its SHA-256 is one byte 32 times.
    fn measure(&mut self, path: &str, byte: u8) {
        self.measure_digest(path, &[byte; 32]);
    }

    fn measure_digest(&mut self, path: &str, content: &[u8]) {
        let mut template = Vec::new();
        for field in [[b"sha256:\0".as_slice(), content].concat(), [path.as_bytes(), b"\0"].concat()] {
            template.extend(u32::try_from(field.len()).unwrap().to_le_bytes());
            template.extend(field);
        }
        let digest = RustCrypto::hash(CryptoHash::Sha256, &[&template]);
        let extended = TpmtHa::new(HashAlg::Sha256, digest.as_bytes()).unwrap();
        self.tpm.pcr_extend(PcrIndex::Pcr10, &[extended]).unwrap();
        let sha1 = RustCrypto::hash(CryptoHash::Sha1, &[&template]);
        self.list.push(format!("10 {} ima-ng sha256:{} {path}", hex(sha1.as_bytes()), hex(content)));
    }

    async fn send(&self, app: &TestApp, method: &str, path: &str, body: &Value) -> Answer {
        send(app, Caller::Token(&self.token), method, path, body).await
    }

    /// Opens a session and answers its challenge.
    async fn authenticate(&mut self, app: &TestApp) -> Answer {
        let opening = json!({"data": {"type": "session", "attributes": {"agent_id": "a", "authentication_supported":
            [{"authentication_class": "pop", "authentication_type": "tpm_pop"}]}}});
        let opened = self.send(app, "POST", "/v3.0/sessions", &opening).await;
        let document: Document<SessionChallenge> = serde_json::from_str(&opened.body).unwrap();
        let id = document.data.id.unwrap();
        let challenge = &document.data.attributes.authentication_requested[0].chosen_parameters.challenge;
        let proof = self.prove(challenge, &id);
        self.send(app, "PATCH", &format!("/v3.0/sessions/{id}"), &proof).await
    }

    fn prove(&mut self, challenge: &str, id: &str) -> Value {
        let certified = self.tpm.certify(&self.ak, &self.ak, &STANDARD.decode(challenge).unwrap()).unwrap();
        let mut buffer = [0; 512];
        let signature = STANDARD.encode(certified.signature.to_bytes(&mut buffer).unwrap());
        let message = STANDARD.encode(certified.attest.as_bytes());
        json!({"data": {"type": "session", "id": id, "attributes": {"agent_id": "a", "authentication_provided":
            [{"authentication_class": "pop", "authentication_type": "tpm_pop",
              "data": {"message": message, "signature": signature}}]}}})
    }

    async fn log_in(&mut self, app: &TestApp) {
        let answer = self.authenticate(app).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self.token = answer.attributes::<SessionResult>().token.unwrap();
    }

    async fn negotiate(&self, app: &TestApp) -> Answer {
        let (ak, count) = (self.ak_tpm(), self.list.len());
        let capabilities = json!({"data": {"type": "attestation", "attributes": {"evidence_supported": [
            {"evidence_class": "certification", "evidence_type": "tpm_quote", "capabilities": {
                "component_version": "2.0", "hash_algorithms": ["sha1", "sha256"], "signature_schemes": ["ecdsa"],
                "available_subjects": {"sha256": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14]},
                "certification_keys": [{"key_class": "asymmetric", "key_algorithm": "ecc", "key_size": 256,
                    "server_identifier": "ak", "local_identifier": "AA==", "public": ak}]}},
            {"evidence_class": "log", "evidence_type": "uefi_log", "capabilities": {
                "entry_count": 30, "formats": ["application/octet-stream"]}},
            {"evidence_class": "log", "evidence_type": "ima_log", "capabilities": {
                "entry_count": count, "supports_partial_access": true, "appendable": true, "formats": ["text/plain"]}}],
            "system_info": {"boot_time": self.boot_time}}}});
        self.send(app, "POST", "/v3.0/agents/a/attestations", &capabilities).await
    }

    /// Quotes what is asked for.
    fn quote(&mut self, parameters: &CertificationParameters) -> Value {
        let asked = parameters.selected_subjects["sha256"].iter();
        let select = asked.fold(PcrSelect::NONE, |select, pcr| select.with(PcrIndex::new(*pcr).unwrap()));
        let pcrs = Client::<Direct, Noise>::selection(&[HashAlg::Sha256], select).unwrap();
        let nonce = STANDARD.decode(&parameters.challenge).unwrap();
        let quote = self.tpm.quote(&self.ak, &[], &nonce, &pcrs).unwrap();
        let values =
            self.tpm.pcr_read(&pcrs).unwrap().into_iter().map(|value| value.digest.as_bytes().to_vec()).collect();
        let bank = BankSelection { hash: 0x000B, select: select.bits() };
        let mut buffer = [0; 512];
        json!({"message": STANDARD.encode(quote.attest.as_bytes()),
            "signature": STANDARD.encode(quote.signature.to_bytes(&mut buffer).unwrap()),
            "subject_data": STANDARD.encode(PcrBlob::new(vec![bank], values).unwrap().to_bytes())})
    }

    /// Collects what was asked for.
    fn collect(&mut self, negotiated: &Answer) -> Value {
        let negotiated: Negotiated = negotiated.attributes();
        let evidence: Vec<Value> = negotiated.evidence_requested.iter().map(|requested| match requested {
            EvidenceRequested::Certification { evidence_type, chosen_parameters } => json!({
                "evidence_class": "certification", "evidence_type": evidence_type, "data": self.quote(chosen_parameters)}),
            EvidenceRequested::Log { evidence_type, .. } if evidence_type == "uefi_log" => json!({
                "evidence_class": "log", "evidence_type": evidence_type, "data": {"entries": STANDARD.encode(FIRMWARE)}}),
            EvidenceRequested::Log { evidence_type, chosen_parameters } => {
                let first = usize::try_from(chosen_parameters.starting_offset.unwrap()).unwrap();
                let entries: String = self.list[first..].iter().map(|line| format!("{line}\n")).collect();
                json!({"evidence_class": "log", "evidence_type": evidence_type,
                    "data": {"entry_count": self.list.len() - first, "entries": entries}})
            }
        }).collect();
        json!({"data": {"type": "attestation", "attributes": {"evidence_collected": evidence}}})
    }

    /// A whole attestation; returns what the tenant sees of it.
    async fn attest(&mut self, app: &TestApp) -> AttestationState {
        let negotiated = self.negotiate(app).await;
        assert_eq!(negotiated.status, StatusCode::CREATED, "{}", negotiated.body);
        let evidence = self.collect(&negotiated);
        let answer = self.send(app, "PATCH", &negotiated.location.unwrap(), &evidence).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        seen(app, "latest").await
    }
}

async fn seen(app: &TestApp, index: &str) -> AttestationState {
    let path = format!("/v3.0/agents/a/attestations/{index}");
    send(app, Caller::Tenant, "GET", &path, &Value::Null).await.attributes()
}

async fn send(app: &TestApp, caller: Caller<'_>, method: &str, path: &str, body: &Value) -> Answer {
    let router = keylime_v3::verifier().with_state((**app).clone());
    Answer::to(router, caller, method, path, body).await
}

/// A tenant orders to watch the agent, by a policy that knows its files.
async fn order(app: &TestApp, agent: &Agent) {
    let policy =
        format!(r#"{{"digests":{{"boot_aggregate":["{}"],"/usr/bin/app":["{}"]}}}}"#, hex(&[1; 32]), hex(&[2; 32]));
    let item = |name: &str, body: String| Item { name: name.into(), body, version: 0, due_at: None };
    app.store.put_item(POLICY, item("p", policy), None).await.unwrap();
    let order = AddAgent {
        ak_tpm: agent.ak_tpm(),
        tpm_policy: r#"{"mask":"0x400"}"#.into(),
        accept_tpm_hash_algs: vec!["sha256".into()],
        accept_tpm_signing_algs: vec!["ecdsa".into(), "rsassa".into()],
        ..AddAgent::default()
    };
    let watch = Watch::new(order, Some("p".into()));
    let written = watches::write(&watch, item("a", String::new()), watch.first_due()).unwrap();
    app.store.put_item(WATCHED, written, None).await.unwrap();
}

async fn change(app: &TestApp, change: impl Fn(&mut Watch)) {
    let (mut watch, item) = watches::find(app, "a").await.unwrap().unwrap();
    change(&mut watch);
    app.store.put_item(WATCHED, watches::write(&watch, item, None).unwrap(), None).await.unwrap();
}

/// Lets the pause between two attestations pass.
async fn later(app: &TestApp) {
    change(app, |watch| watch.push.as_mut().unwrap().forget_pause()).await;
}

async fn status(app: &TestApp) -> (String, u64) {
    let (watch, _) = watches::find(app, "a").await.unwrap().unwrap();
    let status = watch.status(true);
    (status.attestation_status, status.attestation_count)
}

#[tokio::test]
async fn an_agent_opens_a_session_attests_and_sends_only_new_entries_the_next_time() {
    let app = TestApp::new("push-attests");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    let first = agent.attest(&app).await;
    assert_eq!((first.stage.as_str(), first.evaluation.as_deref()), ("verification_complete", Some("pass")));
    assert_eq!(status(&app).await, ("PASS".into(), 1));

    later(&app).await;
    agent.measure("/usr/bin/app", 2);
    let negotiated = agent.negotiate(&app).await;
    let asked: Negotiated = negotiated.attributes();
    let EvidenceRequested::Log { chosen_parameters, .. } = &asked.evidence_requested[1] else { panic!("{asked:?}") };
    assert_eq!(chosen_parameters.starting_offset, Some(2));
    let evidence = agent.collect(&negotiated);
    let answer = agent.send(&app, "PATCH", "/v3.0/agents/a/attestations/latest", &evidence).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let acknowledged: AttestationState = answer.attributes();
    assert_eq!((acknowledged.stage.as_str(), acknowledged.evaluation), ("evaluating_evidence", None));
    assert!(answer.body.contains(r#""meta":{"seconds_to_next_attestation":2}"#), "{}", answer.body);
    assert_eq!(status(&app).await, ("PASS".into(), 2));
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_only_the_latest() {
    let app = TestApp::new("push-once");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    let negotiated = agent.negotiate(&app).await;
    let evidence = agent.collect(&negotiated);
    let answer = agent.send(&app, "PATCH", "/v3.0/agents/a/attestations/7", &evidence).await;
    assert_eq!(answer.code(), (403, "old_attestation".into()));
    agent.send(&app, "PATCH", "/v3.0/agents/a/attestations/0", &evidence).await;
    let again = agent.send(&app, "PATCH", "/v3.0/agents/a/attestations/0", &evidence).await;
    assert_eq!(again.code(), (403, "evidence_immutable".into()));
    assert_eq!(status(&app).await, ("PASS".into(), 1));

    later(&app).await;
    assert_eq!(agent.negotiate(&app).await.status, StatusCode::CREATED);
    let replayed = agent.send(&app, "PATCH", "/v3.0/agents/a/attestations/1", &evidence).await;
    // Two entries come where none is missing, and the quote answers another challenge.
    assert_eq!(replayed.status, StatusCode::ACCEPTED);
    let seen = seen(&app, "1").await;
    assert_eq!(
        (seen.evaluation.as_deref(), seen.failure_reason.as_deref()),
        (Some("fail"), Some("broken_evidence_chain"))
    );
    assert_eq!(status(&app).await, ("FAIL".into(), 1));
}

#[tokio::test]
async fn a_file_that_the_policy_does_not_know_fails_and_the_pause_grows() {
    let app = TestApp::new("push-fails");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    agent.measure("/tmp/evil", 6);
    let state = agent.attest(&app).await;
    assert_eq!(state.failure_reason.as_deref(), Some("policy_violation"));
    assert_eq!(status(&app).await, ("FAIL".into(), 0));

    let early = agent.negotiate(&app).await;
    assert_eq!(early.code(), (429, "premature_attestation".into()));
    assert_eq!(early.retry_after.as_deref(), Some("4"));
    // Good evidence, under a policy that knows the file, makes it good again without an operator.
    later(&app).await;
    let item = app.store.item(POLICY, "p").await.unwrap().unwrap();
    let body = item
        .body
        .replace("{\"boot_aggregate\"", &format!("{{\"/tmp/evil\":[\"{}\"],\"boot_aggregate\"", hex(&[6; 32])));
    app.store.put_item(POLICY, Item { body, ..item }, None).await.unwrap();
    assert_eq!(agent.attest(&app).await.evaluation.as_deref(), Some("pass"));
    assert_eq!(status(&app).await, ("PASS".into(), 1));
}

#[tokio::test]
async fn a_changed_list_or_value_breaks_the_chain() {
    let app = TestApp::new("push-broken");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    agent.list[1] = agent.list[1].replace("/usr/bin/app", "/usr/bin/appa");
    assert_eq!(agent.attest(&app).await.failure_reason.as_deref(), Some("broken_evidence_chain"));
}

#[tokio::test]
async fn another_key_s_proof_gives_no_session_and_an_unknown_agent_is_not_told_apart_before() {
    let app = TestApp::new("push-session");
    let mut agent = Agent::boot();
    let nobody = agent.authenticate(&app).await;
    assert_eq!(nobody.status, StatusCode::OK);
    assert_eq!(nobody.attributes::<SessionResult>().evaluation, "fail");

    order(&app, &agent).await;
    change(&app, |watch| watch.order.ak_tpm = STANDARD.encode([0, 1, 2])).await;
    let refused = agent.authenticate(&app).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.attributes::<SessionResult>().token, None);
}

#[tokio::test]
async fn without_the_session_s_token_nothing_is_told() {
    let app = TestApp::new("push-token");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    let good = std::mem::replace(&mut agent.token, "0".into());
    assert_eq!(agent.negotiate(&app).await.code(), (401, "unauthorized".into()));
    let unknown = send(&app, Caller::Token(&good), "GET", "/v3.0/agents/b/attestations", &Value::Null).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);

    // A second session ends the first, and a registration of another key ends both.
    agent.log_in(&app).await;
    let second = std::mem::replace(&mut agent.token, good);
    assert_eq!(agent.negotiate(&app).await.status, StatusCode::UNAUTHORIZED);
    agent.token = second;
    assert_eq!(agent.negotiate(&app).await.status, StatusCode::CREATED);
    change(&app, Watch::restart).await;
    assert_eq!(agent.negotiate(&app).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn silence_is_noted_and_ends_with_the_next_good_evidence() {
    let app = TestApp::new("push-silence");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    agent.attest(&app).await;
    let (watch, item) = watches::find(&app, "a").await.unwrap().unwrap();
    assert!(item.due_at.is_some_and(|due| due > milliseconds() + 9_000));
    note_silence(&app, watch, item).await.unwrap();
    assert_eq!(status(&app).await, ("TIMEOUT".into(), 1));
    later(&app).await;
    agent.attest(&app).await;
    assert_eq!(status(&app).await, ("PASS".into(), 2));
}

#[tokio::test]
async fn a_stopped_agent_is_refused_and_one_of_another_boot_or_a_shorter_list_starts_from_its_beginning() {
    let app = TestApp::new("push-stopped");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    agent.log_in(&app).await;
    agent.attest(&app).await;
    later(&app).await;
    let offset = |answer: Answer| match &answer.attributes::<Negotiated>().evidence_requested[1] {
        EvidenceRequested::Log { chosen_parameters, .. } => chosen_parameters.starting_offset,
        other => panic!("{other:?}"),
    };
    assert_eq!(offset(agent.negotiate(&app).await), Some(2));
    let forgotten = agent.list.pop().unwrap();
    assert_eq!(offset(agent.negotiate(&app).await), Some(0), "the list is shorter");
    agent.list.push(forgotten);
    agent.boot_time = "2026-01-02T00:00:00Z";
    assert_eq!(offset(agent.negotiate(&app).await), Some(0), "another boot");
    change(&app, |watch| watch.state = OperationalState::TenantFailed).await;
    assert_eq!(agent.negotiate(&app).await.code(), (403, "agent_attestations_disabled".into()));
}

/// Orders measured boot to be judged too.
async fn with_measured_boot(app: &TestApp) {
    let state = Item { name: "b".into(), body: r#"{"kernels":[]}"#.into(), version: 0, due_at: None };
    app.store.put_item(watches::BOOT_POLICY, state, None).await.unwrap();
    change(app, |watch| watch.boot_policy = Some("b".into())).await;
}

#[tokio::test]
async fn the_firmware_s_log_is_asked_for_once_in_a_boot_and_leads_to_the_quote() {
    let app = TestApp::new("push-boot-log");
    let mut agent = Agent::boot_by_firmware();
    order(&app, &agent).await;
    with_measured_boot(&app).await;
    agent.log_in(&app).await;
    let asked: Negotiated = agent.negotiate(&app).await.attributes();
    assert_eq!(asked.evidence_requested.len(), 3, "quote, firmware's log, IMA's list");
    assert_eq!(agent.attest(&app).await.evaluation.as_deref(), Some("pass"));
    later(&app).await;
    let asked: Negotiated = agent.negotiate(&app).await.attributes();
    assert_eq!(asked.evidence_requested.len(), 2, "quote and IMA's list");
    assert_eq!(agent.attest(&app).await.evaluation.as_deref(), Some("pass"));
}

#[tokio::test]
async fn a_log_that_does_not_lead_to_the_quote_breaks_the_chain_and_reject_all_rejects() {
    let app = TestApp::new("push-boot-other");
    let mut agent = Agent::boot();
    order(&app, &agent).await;
    with_measured_boot(&app).await;
    agent.log_in(&app).await;
    assert_eq!(agent.attest(&app).await.failure_reason.as_deref(), Some("broken_evidence_chain"));

    let app = TestApp::changed("push-boot-reject", |app| app.keylime.boot = crate::keylime::BootPolicy::RejectAll);
    agent.start_firmware(FIRMWARE);
    order(&app, &agent).await;
    with_measured_boot(&app).await;
    agent.log_in(&app).await;
    assert_eq!(agent.attest(&app).await.failure_reason.as_deref(), Some("policy_violation"));
}
