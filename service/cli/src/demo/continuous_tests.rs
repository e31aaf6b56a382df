// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines that attest again and again to a verifier that is restarted, changes its mind, or sees two of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use evtpm_agent::attester::Attester;
use evtpm_agent::logs::Logs;
use evtpm_agent::random::SystemRng;
use evtpm_agent::verifier::{Connection, Refused, Verifier};
use evtpm_api::{AuditLine, Event, MachineDetails, MachineState, QuoteChallenge, Registered, RuntimeEvidence, Verdict};
use evtpm_appraise::Policy;
use evtpm_client::Transport;
use evtpm_logs::ima::BinaryList;
use evtpm_sp_sim::Product;
use evtpm_verifierd::{Config, Server, VerifyWith};
use hyper::Method;
use serde_json::{Value, json};

use super::world::{World, logs_of};
use crate::operator::client::{Operator, Way};
use crate::vm::Vm;

/// A verifier that can be stopped and started again over the same directory.
pub(super) struct Restartable<'a> {
    world: &'a World,
    pub(super) directory: PathBuf,
    running: Option<(tokio::task::JoinHandle<anyhow::Result<()>>, SocketAddr)>,
}

impl<'a> Restartable<'a> {
    pub(super) fn new(world: &'a World, name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("evtpm-continuous-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        let mut verifier = Restartable { world, directory, running: None };
        verifier.start(Some(world.beliefs.policy.clone()));
        verifier
    }

    pub(super) fn start(&mut self, policy: Option<Policy>) {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            directory: self.directory.clone(),
            tls: None,
            client_ca: None,
            keylime: None,
            database: None,
            webhook: None,
            stale_after: None,
            kept_logs: None,
            names: vec!["127.0.0.1".into()],
            policy,
            results: evtpm_verifierd::ResultForm::default(),
            simulated_roots: self.world.beliefs.simulated_roots.clone(),
            collateral: self.world.beliefs.collateral.clone(),
            ek_authorities: self.world.beliefs.ek_authorities.clone(),
            verify_with: VerifyWith::Fastest,
        };
        let server = self.world.runtime.block_on(Server::bind(config)).unwrap();
        let address = server.address().unwrap();
        self.running = Some((self.world.runtime.spawn(server.run()), address));
    }

    pub(super) fn stop(&mut self) {
        let (task, _) = self.running.take().unwrap();
        task.abort();
        assert!(self.world.runtime.block_on(task).unwrap_err().is_cancelled());
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.running.as_ref().unwrap().1)
    }

    pub(super) fn connect(&self) -> Connection {
        let verifier = Verifier::new(&self.url(), &self.directory.join("ca.pem")).unwrap();
        self.world.runtime.block_on(verifier.connect()).unwrap()
    }

    pub(super) fn operator(&self, way: Way) -> Operator {
        Operator::new(&self.url(), &self.directory.join("ca.pem"), way).unwrap()
    }

    pub(super) fn by_token(&self) -> Operator {
        let token = std::fs::read_to_string(self.directory.join("admin.token")).unwrap();
        self.operator(Way::Token(token.trim().to_owned()))
    }

    pub(super) fn details(&self, machine: &str) -> MachineDetails {
        self.by_token().ask(Method::GET, &format!("/machines/{machine}"), None).unwrap()
    }
}

impl Drop for Restartable<'_> {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// A machine with its attester.
pub(super) struct Machine<'a, T = Vm> {
    pub(super) world: &'a World,
    pub(super) attester: Attester<T, SystemRng>,
    logs: Logs,
}

impl<'a> Machine<'a> {
    pub(super) fn boot(world: &'a World) -> Self {
        let (vm, _) = world.play(world.launch().unwrap(), &world.boot).unwrap();
        Machine::with(world, Attester::new(vm, SystemRng).unwrap())
    }
}

impl<'a, T: Transport> Machine<'a, T> {
    /// A machine that booted the world's system.
    pub(super) fn with(world: &'a World, attester: Attester<T, SystemRng>) -> Self {
        Machine { world, attester, logs: logs_of(&world.boot) }
    }

    pub(super) fn register(&mut self, verifier: &Restartable<'_>, name: &str) -> anyhow::Result<Registered> {
        let mut connection = verifier.connect();
        self.world.runtime.block_on(self.attester.register(&mut connection, name))
    }

    fn challenge(&self, connection: &mut Connection, as_whom: &Registered) -> anyhow::Result<QuoteChallenge> {
        let path = format!("/attesters/{}/challenges", as_whom.attester);
        self.world.runtime.block_on(connection.request(Method::POST, &path, &()))
    }

    fn evidence(&mut self, connection: &Connection, challenge: &QuoteChallenge) -> RuntimeEvidence {
        let logs = self.logs.clone();
        self.attester.quote(challenge, connection.binding(), || Ok(logs)).unwrap()
    }

    /// One round; returns what was asked for, and the verdict.
    pub(super) fn attest(
        &mut self,
        verifier: &Restartable<'_>,
        as_whom: &Registered,
        change: impl FnOnce(&mut RuntimeEvidence),
    ) -> anyhow::Result<(QuoteChallenge, Verdict)> {
        let mut connection = verifier.connect();
        let challenge = self.challenge(&mut connection, as_whom)?;
        let mut evidence = self.evidence(&connection, &challenge);
        change(&mut evidence);
        let path = format!("/attesters/{}/evidence", as_whom.attester);
        let verdict = self.world.runtime.block_on(connection.request(Method::PUT, &path, &evidence))?;
        Ok((challenge, verdict))
    }

    /// Lets the kernel measure a file: the list grows, and the register is extended.
    pub(super) fn measure_file(&mut self, name: &str) {
        use evtpm_logs::HashId;
        use evtpm_logs::ima::TemplateDigests;
        use evtpm_tpm_wire::{PcrIndex, TpmtHa};
        use evtpm_verify::logs::CryptoHashes;

        let start = self.logs.ima_log.len();
        let name = [name.as_bytes(), b"\0"].concat();
        let digest = [b"sha256:\0".as_slice(), &[0x5A; 32]].concat();
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
        let data = [field(&digest), field(&name)].concat();
        // PCR, SHA-1 template hash (which the SHA-256 bank does not look at), template name, template data
        let entry = [&10u32.to_le_bytes(), [1; 20].as_slice(), &field(b"ima-ng"), &field(&data)].concat();
        self.logs.ima_log.extend(entry);

        let added = BinaryList::new(&self.logs.ima_log[start..]).next().unwrap().unwrap();
        let tpm = self.attester.tpm();
        let digests: Vec<TpmtHa> = tpm
            .pcr_banks()
            .unwrap()
            .iter()
            .filter(|bank| !bank.select.is_empty())
            .map(|bank| {
                let digest = added.extension(HashId(bank.hash.id().0), TemplateDigests::OfBank, &CryptoHashes).unwrap();
                TpmtHa::new(bank.hash, digest.as_bytes()).unwrap()
            })
            .collect();
        tpm.pcr_extend(PcrIndex::new(10).unwrap(), &digests).unwrap();
    }
}

pub(super) fn unchanged(_: &mut RuntimeEvidence) {}

pub(super) fn refusal(error: anyhow::Error) -> String {
    error.downcast_ref::<Refused>().map(|refused| refused.error.error.clone()).unwrap_or_else(|| panic!("{error:#}"))
}

/// Hears of events, from now on until it has heard enough.
pub(super) fn listen(
    operator: Operator,
    enough: impl Fn(&[Event]) -> bool + Send + 'static,
) -> std::thread::JoinHandle<anyhow::Result<Vec<Event>>> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let told = operator.follow(
            move || ready.send(()).unwrap(),
            |event| {
                heard.push(event);
                Ok(enough(&heard))
            },
        );
        told.map(|()| heard)
    });
    is_ready.recv().unwrap();
    listening
}

#[test]
fn a_restarted_verifier_goes_on_where_it_was_without_a_new_registration() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "restart");
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    let (first, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!((first.event_log, first.ima_from, verdict.verdict.as_str()), (true, 0, "trusted"));

    verifier.stop();
    verifier.start(None);
    let (second, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!((second.event_log, second.ima_from, verdict.verdict.as_str()), (false, 350, "trusted"));
    let details = verifier.details("vm");
    assert_eq!((details.machine.state, details.history[0].rounds), (MachineState::Healthy, 2));
}

#[test]
fn only_what_the_list_grew_by_travels_and_it_is_judged() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "grown");
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    machine.attest(&verifier, &registered, unchanged).unwrap();
    let nothing_new =
        |evidence: &mut RuntimeEvidence| assert!(evidence.ima_log.is_empty() && evidence.event_log.is_empty());
    let (_, verdict) = machine.attest(&verifier, &registered, nothing_new).unwrap();
    assert_eq!(verdict.verdict, "trusted");

    machine.measure_file("/usr/bin/dropper");
    let one_entry = |evidence: &mut RuntimeEvidence| assert_eq!(BinaryList::new(&evidence.ima_log).count(), 1);
    let (_, verdict) = machine.attest(&verifier, &registered, one_entry).unwrap();
    assert_eq!(verdict.verdict, "untrusted");
    assert!(verdict.findings.iter().any(|finding| finding.message.contains("/usr/bin/dropper")), "{verdict:?}");

    // What failed is asked for again, and fails again: a machine does not become healthy by waiting.
    let (challenge, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!((challenge.ima_from, verdict.verdict.as_str()), (0, "untrusted"));
    assert_eq!(verifier.details("vm").machine.state, MachineState::Failed);
}

#[test]
fn a_list_that_hides_its_new_entry_is_asked_for_again_as_a_whole() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "hidden");
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    machine.attest(&verifier, &registered, unchanged).unwrap();
    machine.measure_file("/usr/bin/dropper");
    let hide = |evidence: &mut RuntimeEvidence| evidence.ima_log.0.clear();
    assert_eq!(refusal(machine.attest(&verifier, &registered, hide).unwrap_err()), "resend-logs");
    let (challenge, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!((challenge.event_log, verdict.verdict.as_str()), (true, "untrusted"));
}

#[test]
fn a_policy_that_changes_at_run_time_judges_the_whole_boot_again() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "policy");
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    machine.attest(&verifier, &registered, unchanged).unwrap();

    let mut stricter = world.beliefs.policy.clone();
    stricter.ima.as_mut().unwrap().files.clear();
    let operator = verifier.by_token();
    let document = stricter.to_json().unwrap();
    let _: Value = operator.ask(Method::PUT, "/policies/strict", Some(document)).unwrap();
    let of_vm = Some(json!({ "policy": "strict" }).to_string());
    let _: Value = operator.ask(Method::PUT, "/machines/vm", of_vm).unwrap();
    let (challenge, verdict) = machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!((challenge.event_log, verdict.verdict.as_str()), (true, "untrusted"));

    // The assignment is kept, and the operator may take it back.
    verifier.stop();
    verifier.start(None);
    assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "untrusted");
    let _: Value = verifier.by_token().ask(Method::PUT, "/machines/vm", Some("{}".into())).unwrap();
    assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "trusted");
}

#[test]
fn a_reboot_registers_by_itself_and_two_of_one_machine_raise_the_alarm() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "clone");
    let mut first = Machine::boot(&world);
    let before = first.register(&verifier, "vm").unwrap();
    first.attest(&verifier, &before, unchanged).unwrap();
    let mut second = Machine::boot(&world);
    let after = second.register(&verifier, "vm").unwrap();
    assert_eq!((before.boot, after.boot), (1, 2));
    assert_eq!(second.attest(&verifier, &after, unchanged).unwrap().1.verdict, "trusted");
    assert!(!verifier.details("vm").machine.clone_alarm);

    // The boot before is over. Anybody can say its name, so that this alone is written down and no alarm.
    assert_eq!(refusal(first.attest(&verifier, &before, unchanged).unwrap_err()), "revoked-attester");
    assert!(!verifier.details("vm").machine.clone_alarm);
    let audit: Vec<AuditLine> = verifier.by_token().ask(Method::GET, "/audit/newest?machine=vm", None).unwrap();
    assert!(audit.iter().any(|line| line.event == "revoked-attester-refused"), "{audit:?}");

    // Who opens a credential for its endorsement key is alive.
    assert_eq!(refusal(first.register(&verifier, "vm").unwrap_err()), "evidence-refused");
    let details = verifier.details("vm");
    assert!(details.machine.clone_alarm);
    assert_eq!(details.history.iter().map(|boot| boot.boot).collect::<Vec<_>>(), [2, 1]);
    assert!(details.history[1].revoked_at.is_some());
    verifier.stop();
    verifier.start(None);
    assert_eq!(refusal(first.attest(&verifier, &before, unchanged).unwrap_err()), "revoked-attester");
}

#[test]
fn whoever_listens_hears_of_registration_and_changes_and_not_of_each_round() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "events");
    let operator =
        verifier.operator(Way::Certificate(verifier.directory.join("admin.pem"), verifier.directory.join("admin.key")));
    let listening = listen(operator, |heard| heard.len() == 3);
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    machine.attest(&verifier, &registered, unchanged).unwrap();
    machine.attest(&verifier, &registered, unchanged).unwrap();
    machine.measure_file("/usr/bin/dropper");
    machine.attest(&verifier, &registered, unchanged).unwrap();
    let heard = listening.join().unwrap().unwrap().into_iter().map(|event| (event.machine, event.event));
    let heard: Vec<_> = heard.collect();
    let expected = ["registered", "trusted", "untrusted"].map(|event| ("vm".to_owned(), event.to_owned()));
    assert_eq!(heard, expected);
}

#[test]
fn a_token_may_do_what_its_roles_say() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "roles");
    let request = json!({ "name": "ci", "roles": ["read"] }).to_string();
    let made: evtpm_api::NewToken = verifier.by_token().ask(Method::POST, "/tokens", Some(request)).unwrap();
    let reader = verifier.operator(Way::Token(made.token));
    let machines: Vec<Value> = reader.ask(Method::GET, "/machines", None).unwrap();
    assert!(machines.is_empty());
    for (method, path) in [
        (Method::PUT, "/machines/vm"),
        (Method::DELETE, "/machines/vm"),
        (Method::PUT, "/policies/p"),
        (Method::DELETE, "/policies/p"),
        (Method::GET, "/tokens"),
        (Method::DELETE, "/tokens/ci"),
    ] {
        let refused = reader.ask::<Value>(method.clone(), path, Some("{}".into())).unwrap_err();
        assert!(format!("{refused:#}").contains("does not have the role"), "{method} {path}: {refused:#}");
    }
    let stranger = verifier.operator(Way::Token("0123456789abcdef".into()));
    assert!(format!("{:#}", stranger.ask::<Value>(Method::GET, "/machines", None).unwrap_err()).contains("401"));
    let _: Value = verifier.by_token().ask(Method::DELETE, "/tokens/ci", None).unwrap();
    assert!(reader.ask::<Value>(Method::GET, "/machines", None).is_err());
}
