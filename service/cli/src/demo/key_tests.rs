// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key broker against the agent that asks it: who gets a key, what it is good for, and when its lease ends.

use evtpm_agent::broker::{self, Parent};
use evtpm_agent::disk::SealedKey;
use evtpm_agent::verifier::Connection;
use evtpm_api::broker::{KeyRequest, ReleasedKey};
use evtpm_api::{KeySummary, Lease, Registered};
use evtpm_client::Object;
use evtpm_protocol::templates::storage_root_key;
use evtpm_sp_sim::Product;
use evtpm_tpm_wire::TpmiRhHierarchy;
use hyper::Method;
use serde_json::{Value, json};

use super::continuous_tests::{Machine, Restartable, listen, refusal, unchanged};
use super::world::World;

const FOR_VM: &str = r#"{"grants":{"machines":["vm"]}}"#;

impl Machine<'_> {
    /// Asks for a key on a connection of its own.
    fn obtain(
        &mut self,
        verifier: &Restartable<'_>,
        as_whom: &Registered,
        key: &str,
        parent: Parent,
    ) -> anyhow::Result<Object> {
        let mut connection = verifier.connect();
        let keys = self.attester.keys();
        self.world.runtime.block_on(broker::obtain(keys, &mut connection, as_whom, key, parent))
    }

    /// Asks for a key, and lets it go again.
    pub(super) fn ask(&mut self, verifier: &Restartable<'_>, as_whom: &Registered, key: &str) -> Result<(), String> {
        let object = self.obtain(verifier, as_whom, key, Parent::StorageRootKey).map_err(refusal)?;
        self.attester.tpm().flush(object.handle).unwrap();
        Ok(())
    }

    /// Registers as `vm`, is found good, and gets the key.
    fn unlock(&mut self, verifier: &Restartable<'_>, key: &str) -> (Registered, Object) {
        self.unlock_below(verifier, key, Parent::StorageRootKey)
    }

    fn unlock_below(&mut self, verifier: &Restartable<'_>, key: &str, parent: Parent) -> (Registered, Object) {
        let registered = self.register(verifier, "vm").unwrap();
        assert_eq!(self.attest(verifier, &registered, unchanged).unwrap().1.verdict, "trusted");
        let object = self.obtain(verifier, &registered, key, parent).unwrap();
        (registered, object)
    }
}

impl Restartable<'_> {
    pub(super) fn add_key(&self, name: &str, new: &str) {
        let _: KeySummary = self.by_token().ask(Method::PUT, &format!("/keys/{name}"), Some(new.to_owned())).unwrap();
    }

    fn leases(&self) -> Vec<Lease> {
        self.by_token().ask(Method::GET, "/machines/vm/leases", None).unwrap()
    }

    /// Why each lease ended; `None` for a live one.
    fn ends(&self) -> Vec<Option<String>> {
        self.leases().into_iter().map(|lease| lease.ended_because).collect()
    }

    fn audit(&self) -> Vec<(String, String)> {
        let lines: Vec<evtpm_api::AuditLine> = self.by_token().ask(Method::GET, "/audit", None).unwrap();
        lines.into_iter().map(|line| (line.event, line.detail)).collect()
    }
}

#[test]
fn what_one_boot_seals_below_a_key_the_next_boot_opens_whatever_it_is_wrapped_for() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "keys");
    for (key, new) in [("disk", FOR_VM), ("rsa-disk", r#"{"kind":"rsa","grants":{"policies":["default"]}}"#)] {
        verifier.add_key(key, new);
        let mut first = Machine::boot(&world);
        let (_, parent) = first.unlock_below(&verifier, key, Parent::EndorsementKey);
        let (sealed, disk_key) = SealedKey::make(first.attester.keys(), &parent, key).unwrap();

        // The key is in the store, and what encrypts it is in a file.
        verifier.stop();
        verifier.start(None);
        for below in [Parent::StorageRootKey, Parent::EndorsementKey] {
            let mut next = Machine::boot(&world);
            let (_, parent) = next.unlock_below(&verifier, key, below);
            assert_eq!(sealed.open(next.attester.keys(), &parent).unwrap(), disk_key, "{below:?}");
        }
    }
    std::fs::remove_file(verifier.directory.join("keys.key")).unwrap();
    verifier.stop();
    verifier.start(None);
    let mut third = Machine::boot(&world);
    let registered = third.register(&verifier, "vm").unwrap();
    third.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!(third.ask(&verifier, &registered, "disk").unwrap_err(), "internal");
}

#[test]
fn a_key_is_given_on_a_good_and_fresh_verdict_alone_and_to_those_it_is_for() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "key-rules");
    verifier.add_key("disk", FOR_VM);
    verifier.add_key("other", r#"{"grants":{"machines":["vm-2"],"policies":["web"]}}"#);
    let mut machine = Machine::boot(&world);
    let registered = machine.register(&verifier, "vm").unwrap();
    let ask =
        |machine: &mut Machine<'_>, verifier: &Restartable<'_>, key: &str| machine.ask(verifier, &registered, key);
    assert_eq!(ask(&mut machine, &verifier, "disk"), Err("not-trusted".into()), "before the first verdict");
    machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!(ask(&mut machine, &verifier, "other"), Err("unknown-key".into()));
    assert_eq!(ask(&mut machine, &verifier, "nothing"), Err("unknown-key".into()));
    assert_eq!(ask(&mut machine, &verifier, "disk"), Ok(()));

    // Verdicts of another policy, or of another life of the verifier, are not enough.
    let operator = verifier.by_token();
    let mut renamed: Value = serde_json::from_str(&world.beliefs.policy.to_json().unwrap()).unwrap();
    renamed["name"] = json!("another one");
    let _: Value = operator.ask(Method::PUT, "/policies/default", Some(renamed.to_string())).unwrap();
    assert_eq!(ask(&mut machine, &verifier, "disk"), Err("not-trusted".into()));
    machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!(ask(&mut machine, &verifier, "disk"), Ok(()));
    verifier.stop();
    verifier.start(None);
    assert_eq!(ask(&mut machine, &verifier, "disk"), Err("not-trusted".into()));

    machine.measure_file("/usr/bin/dropper");
    assert_eq!(machine.attest(&verifier, &registered, unchanged).unwrap().1.verdict, "untrusted");
    assert_eq!(ask(&mut machine, &verifier, "disk"), Err("not-trusted".into()));
    let refused = verifier.audit().into_iter().filter(|(event, _)| event == "key-refused").count();
    assert_eq!(refused, 4, "one for each refusal of a key that is for this machine");
}

#[test]
fn a_lease_ends_when_the_machine_fails_and_the_agent_and_listeners_hear_of_it() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "lease-fails");
    verifier.add_key("disk", FOR_VM);
    let listening = listen(verifier.by_token(), |heard| heard.last().is_some_and(|last| last.event == "lease-ended"));
    let mut machine = Machine::boot(&world);
    let (registered, object) = machine.unlock(&verifier, "disk");
    machine.attester.tpm().flush(object.handle).unwrap();
    machine.ask(&verifier, &registered, "disk").unwrap();
    let lease = verifier.leases().remove(0);
    assert_eq!((lease.boot, lease.releases, lease.is_live()), (1, 2, true));

    machine.measure_file("/usr/bin/dropper");
    machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!(verifier.ends(), [Some("the machine is failed".to_owned())]);
    let heard = listening.join().unwrap().unwrap().into_iter().map(|event| event.event);
    let heard: Vec<String> = heard.collect();
    assert_eq!(heard, ["registered", "trusted", "key-released", "key-released", "untrusted", "lease-ended"]);

    let path = format!("/attesters/{}/leases", registered.attester);
    let mut connection = verifier.connect();
    let told: Vec<Lease> = world.runtime.block_on(connection.request(Method::GET, &path, &())).unwrap();
    assert_eq!(told, verifier.leases());
    let trail = verifier.audit().into_iter().map(|(event, _)| event);
    let trail: Vec<String> = trail.filter(|event| event.starts_with("key-re") || event.starts_with("lease")).collect();
    assert_eq!(trail, ["key-released", "key-released", "lease-ended"]);
}

#[test]
fn a_lease_ends_with_its_boot_its_permission_its_key_and_its_machine() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "lease-ends");
    verifier.add_key("disk", FOR_VM);
    let operator = verifier.by_token();
    Machine::boot(&world).unlock(&verifier, "disk");
    let mut machine = Machine::boot(&world);
    let (registered, object) = machine.unlock(&verifier, "disk");
    machine.attester.tpm().flush(object.handle).unwrap();
    assert_eq!(verifier.ends(), [Some("boot 2 registered".to_owned()), None]);

    let take = json!({ "take": { "machines": ["vm"] } }).to_string();
    let left: KeySummary = operator.ask(Method::PUT, "/keys/disk/grants", Some(take)).unwrap();
    assert_eq!((left.leases, left.grants.machines.len()), (0, 0));
    assert_eq!(machine.ask(&verifier, &registered, "disk").unwrap_err(), "unknown-key");
    let give = json!({ "give": { "machines": ["vm"] } }).to_string();
    let _: KeySummary = operator.ask(Method::PUT, "/keys/disk/grants", Some(give)).unwrap();
    machine.ask(&verifier, &registered, "disk").unwrap();

    let _: Value = operator.ask(Method::DELETE, "/keys/disk", None).unwrap();
    let ended = verifier.ends();
    assert!(ended[2].as_deref().is_some_and(|because| because.contains("not for this machine")), "{ended:?}");
    verifier.add_key("disk", FOR_VM);
    machine.ask(&verifier, &registered, "disk").unwrap();
    let _: Value = operator.ask(Method::DELETE, "/machines/vm", None).unwrap();
    assert_eq!(verifier.ends()[3].as_deref(), Some("the machine was removed"));
    assert_eq!(machine.ask(&verifier, &registered, "disk").unwrap_err(), "unknown-attester");
}

#[test]
fn a_boot_whose_lease_an_operator_ended_does_not_get_the_key_again() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "lease-revoked");
    verifier.add_key("disk", FOR_VM);
    let mut machine = Machine::boot(&world);
    let (registered, _) = machine.unlock(&verifier, "disk");
    let path = format!("/machines/vm/leases/{}", verifier.leases()[0].lease);
    let operator = verifier.by_token();
    let _: Value = operator.ask(Method::DELETE, &path, None).unwrap();
    assert!(operator.ask::<Value>(Method::DELETE, &path, None).is_err(), "it has ended");
    machine.attest(&verifier, &registered, unchanged).unwrap();
    assert_eq!(machine.ask(&verifier, &registered, "disk").unwrap_err(), "not-trusted");
    assert_eq!(verifier.ends(), [Some("revoked by admin".to_owned())]);
    Machine::boot(&world).unlock(&verifier, "disk");
}

#[test]
fn a_certificate_counts_once_on_its_own_connection_and_for_the_key_that_was_asked_for() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = Restartable::new(&world, "certificates");
    verifier.add_key("disk", FOR_VM);
    verifier.add_key("other", FOR_VM);
    let mut machine = Machine::boot(&world);
    let (registered, object) = machine.unlock(&verifier, "disk");
    machine.attester.tpm().flush(object.handle).unwrap();
    let root = machine.attester.tpm().create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key()).unwrap();
    let path = |key: &str| format!("/attesters/{}/keys/{key}", registered.attester);
    let mut connection = verifier.connect();
    let mut certificate = |connection: &mut Connection, of: Option<&Object>| {
        let path = format!("{}/challenges", path("disk"));
        let asked = connection.request(Method::POST, &path, &());
        let challenge = world.runtime.block_on(asked).unwrap();
        let binding = *connection.binding();
        broker::certificate(machine.attester.keys(), of, &challenge, &binding).unwrap()
    };
    let send = |connection: &mut Connection, key: &str, request: &KeyRequest| {
        let path = path(key);
        let sent = connection.request::<_, ReleasedKey>(Method::PUT, &path, request);
        world.runtime.block_on(sent).map(drop).map_err(refusal)
    };

    let request = certificate(&mut connection, Some(&root));
    assert_eq!(send(&mut connection, "disk", &request), Ok(()));
    assert_eq!(send(&mut connection, "disk", &request), Err("unknown-challenge".into()), "twice");
    let request = certificate(&mut connection, Some(&root));
    assert_eq!(send(&mut connection, "other", &request), Err("unknown-challenge".into()), "for another key");
    let request = certificate(&mut connection, Some(&root));
    assert_eq!(send(&mut verifier.connect(), "disk", &request), Err("evidence-refused".into()), "relayed");
    let mut request = certificate(&mut connection, Some(&root));
    // A key that the host made: the last byte of the public area is one of the point's.
    *request.storage_public.as_mut().unwrap().0.last_mut().unwrap() ^= 1;
    assert_eq!(send(&mut connection, "disk", &request), Err("evidence-refused".into()), "another key's");

    // For the endorsement key, the attestation key answers for itself; neither certificate is good for the other purpose.
    let request = certificate(&mut connection, None);
    assert_eq!(send(&mut connection, "disk", &request), Ok(()));
    let request = certificate(&mut connection, None);
    assert_eq!(send(&mut verifier.connect(), "disk", &request), Err("evidence-refused".into()), "relayed");
    let request = KeyRequest { storage_public: None, ..certificate(&mut connection, Some(&root)) };
    assert_eq!(send(&mut connection, "disk", &request), Err("evidence-refused".into()), "of a storage key");
    let storage_public = certificate(&mut connection, Some(&root)).storage_public;
    let request = KeyRequest { storage_public, ..certificate(&mut connection, None) };
    assert_eq!(send(&mut connection, "disk", &request), Err("evidence-refused".into()), "of the attestation key");
}

#[test]
fn an_agent_that_is_started_again_is_the_same_boot() {
    let world = World::new(Product::Milan).unwrap();
    let mut verifier = Restartable::new(&world, "same-boot");
    let mut machine = Machine::boot(&world);
    let first = machine.register(&verifier, "vm").unwrap();
    assert_eq!(machine.register(&verifier, "vm").unwrap(), first);
    verifier.stop();
    verifier.start(None);
    assert_eq!(machine.register(&verifier, "vm").unwrap(), first);
    assert_eq!(refusal(machine.register(&verifier, "vm-2").unwrap_err()), "evidence-refused");
    Machine::boot(&world).register(&verifier, "vm").unwrap();
    assert_eq!(refusal(machine.register(&verifier, "vm").unwrap_err()), "evidence-refused", "its boot is over");
}
