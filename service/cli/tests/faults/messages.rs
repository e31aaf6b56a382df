// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages that come twice or in another order, and two agents of one identity.

use evtpm_agent::verifier::{Connection, Refused};
use evtpm_api::{CredentialChallenge, CredentialProof, Registered, RegistrationOpened, RegistrationRequest};
use evtpm_fleet::{Round, ServerProcess};
use hyper::Method;

use crate::books::details;
use crate::stage::{Stage, attest};

async fn connect(server: &ServerProcess) -> Connection {
    server.verifier().unwrap().connect().await.unwrap()
}

fn refusal<T: std::fmt::Debug>(answer: anyhow::Result<T>) -> String {
    let error = answer.unwrap_err();
    let refused = error.downcast_ref::<Refused>().map(|refused| refused.error.error.clone());
    refused.unwrap_or_else(|| panic!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_counts_once_and_for_its_own_challenge_on_its_own_connection() {
    let stage = Stage::new("replay");
    let server = stage.setup().start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    let mut connection = connect(&server).await;
    let challenge = machine.challenge(&mut connection).await.unwrap();
    let evidence = machine.evidence(&connection, &challenge).unwrap();
    assert_eq!(machine.show(&mut connection, &evidence).await.unwrap().verdict, "trusted");
    assert_eq!(refusal(machine.show(&mut connection, &evidence).await), "unknown-challenge");

    // On another connection, a quote of the first says nothing: that round fails, and the next one is good.
    let challenge = machine.challenge(&mut connection).await.unwrap();
    let evidence = machine.evidence(&connection, &challenge).unwrap();
    let mut other = connect(&server).await;
    assert_eq!(machine.show(&mut other, &evidence).await.unwrap().verdict, "untrusted");
    attest(&server, &mut machine).await.unwrap();

    // The later quote first: the clock of the earlier one has then gone backwards.
    let (first, second) =
        (machine.challenge(&mut connection).await.unwrap(), machine.challenge(&mut connection).await.unwrap());
    let first = machine.evidence(&connection, &first).unwrap();
    // The TPM's clock counts milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let second = machine.evidence(&connection, &second).unwrap();
    assert_eq!(machine.show(&mut connection, &second).await.unwrap().verdict, "trusted");
    assert_eq!(machine.show(&mut connection, &first).await.unwrap().verdict, "untrusted");
    attest(&server, &mut machine).await.unwrap();

    // After a restart nothing that was asked before counts.
    let challenge = machine.challenge(&mut connection).await.unwrap();
    let evidence = machine.evidence(&connection, &challenge).unwrap();
    let server = server.kill().unwrap().start().unwrap();
    let mut connection = connect(&server).await;
    assert_eq!(refusal(machine.show(&mut connection, &evidence).await), "unknown-challenge");
    attest(&server, &mut machine).await.unwrap();
    assert_eq!(details(&server, "vm").history[0].rounds, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_s_steps_count_once_and_in_their_order() {
    let stage = Stage::new("steps");
    let server = stage.setup().start().unwrap();
    let mut machine = stage.boot("vm");
    let mut connection = connect(&server).await;
    let request = RegistrationRequest { machine: "vm".into() };
    let opened: RegistrationOpened = connection.request(Method::POST, "/registrations", &request).await.unwrap();
    let path = format!("/registrations/{}", opened.registration);
    let early = CredentialProof { secret: vec![0; 32].as_slice().into() };
    let answer = connection.request::<_, Registered>(Method::PUT, &format!("{path}/proof"), &early).await;
    assert_eq!(refusal(answer), "unknown-registration");

    let opened: RegistrationOpened = connection.request(Method::POST, "/registrations", &request).await.unwrap();
    let path = format!("/registrations/{}", opened.registration);
    let evidence = machine.attester().launch_evidence(&opened.nonce).unwrap();
    let challenge: CredentialChallenge =
        connection.request(Method::PUT, &format!("{path}/evidence"), &evidence).await.unwrap();
    let again = connection.request::<_, CredentialChallenge>(Method::PUT, &format!("{path}/evidence"), &evidence).await;
    assert_eq!(refusal(again), "unknown-registration");
    // Whoever sent the evidence twice has to begin anew: it was taken both times.
    let proof = machine.attester().open_credential(&challenge).unwrap();
    let lost = connection.request::<_, Registered>(Method::PUT, &format!("{path}/proof"), &proof).await;
    assert_eq!(refusal(lost), "unknown-registration");

    machine.register(&mut connection).await.unwrap();
    // An agent that never heard of its registration, or was started again, is the boot that it was.
    let before = machine.registered().unwrap().clone();
    machine.register(&mut connection).await.unwrap();
    assert_eq!(machine.registered(), Some(&before));
    machine.attest_well(&mut connection, Round::default()).await.unwrap();
    assert_eq!(details(&server, "vm").history.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_agents_with_one_identity_one_is_trusted_and_the_alarm_stands() {
    let stage = Stage::new("twins");
    let server = stage.setup().start().unwrap();
    let mut first = stage.healthy(&server, "vm").await;
    let mut second = stage.healthy(&server, "vm").await;
    let mut connection = connect(&server).await;
    assert!(!details(&server, "vm").machine.clone_alarm);
    let answer = first.attest_well(&mut connection, Round::default()).await;
    assert_eq!(refusal(answer), "revoked-attester");
    assert!(!details(&server, "vm").machine.clone_alarm);
    // The first one's key is revoked for good: it does not come back by registering, and proves that it is alive.
    assert_eq!(refusal(first.register(&mut connection).await), "evidence-refused");
    assert!(details(&server, "vm").machine.clone_alarm);
    attest(&server, &mut second).await.unwrap();

    let server = server.kill().unwrap().start().unwrap();
    assert!(details(&server, "vm").machine.clone_alarm);
    attest(&server, &mut second).await.unwrap();
    // Which of both spoke is in the books.
    assert_eq!(details(&server, "vm").history.len(), 2);
}
