// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests of every store say to it.

use evtpm_verify::tpm::Clock;

use crate::store::{Binding, Item, LogsOfRound, NewBoot, Note, PolicyRow, Round, Store, StoredClock, TokenRow};

pub(crate) fn boot(machine: &str, identity: &[u8], attester: &str, ek_public: &[u8]) -> NewBoot {
    NewBoot {
        machine: machine.into(),
        launch_identity: identity.to_vec(),
        measurement: Some("00ff".into()),
        attester: attester.into(),
        ek_public: ek_public.to_vec(),
        ak_public: vec![2],
        report: vec![1],
        binding: Binding {
            profile: "svsm-v1".into(),
            nonce: Some(vec![3]),
            manifest: Some(vec![4]),
            certificates: None,
        },
        platform: Some("{}".into()),
    }
}

pub(crate) fn round(attester: &str, verdict: &str, at: u64) -> Round {
    let clock = Clock { milliseconds: u64::MAX, reset_count: 7, restart_count: u32::MAX, safe: true };
    Round {
        attester: attester.into(),
        at,
        verdict: verdict.into(),
        findings: "[]".into(),
        clock: Some(StoredClock(clock)),
        progress: Some(("sha256:00".into(), vec![5; 10])),
        shown: Some("{}".into()),
        logs: LogsOfRound::Nothing,
    }
}

pub(super) fn note_of(event: &'static str) -> Note {
    Note { at: 9, machine: None, event, detail: "by test".into() }
}

/// An item that is not there yet.
pub(super) fn item_of(name: &str, due_at: Option<u64>) -> Item {
    Item { name: name.into(), body: "{}".into(), version: 0, due_at }
}

/// Asks a store everything there is to ask, and returns its answers.
pub(super) async fn conversation(store: &dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    let mut heard = |answer: &dyn std::fmt::Debug| answers.push(format!("{answer:?}"));
    heard(&store.register(boot("vm", b"id", "a1", b"ek1"), 10).await);
    heard(&store.record(round("a1", "trusted", 20)).await);
    heard(&store.record(round("a1", "untrusted", 30)).await);
    let whole = LogsOfRound::Whole { event_log: Some(vec![1; 3]), ima_log: Some(vec![2; 4]) };
    let grown = LogsOfRound::Grown { first: 2, ima_log: vec![3; 4], limit: 8 };
    for logs in [whole, grown] {
        heard(&store.record(Round { logs, ..round("a1", "untrusted", 30) }).await);
    }
    heard(&store.logs("a1").await);
    heard(&store.kept_ima("a1").await);
    heard(&store.kept_ima("none").await);
    heard(&store.present_boot("vm").await);
    heard(&store.present_boot("none").await);
    heard(&store.boot("a1").await);
    heard(&store.boot("none").await);
    heard(&store.register(boot("vm", b"other", "a2", b"ek2"), 40).await);
    heard(&store.register(boot("other", b"id", "a2", b"ek1"), 40).await);
    heard(&store.register(boot("vm", b"id", "a2", b"ek2"), 40).await);
    heard(&store.record(round("a1", "trusted", 41)).await);
    heard(&store.logs("a1").await);
    heard(&store.boots("vm").await);
    heard(&store.raise_clone_alarm("vm", "a1", 50).await);
    heard(&store.machines(None).await);
    heard(&store.end_clone_alarm("vm", note_of("ended")).await);
    heard(&store.end_clone_alarm("none", note_of("ended")).await);
    heard(&store.put_machine("new", Some("web"), note_of("added")).await);
    let policy = PolicyRow { name: "web".into(), document: "{}".into(), changed_at: 1 };
    heard(&store.put_policy(policy.clone(), note_of("policy")).await);
    heard(&store.put_policy(PolicyRow { changed_at: 2, ..policy }, note_of("policy")).await);
    heard(&store.policies().await);
    heard(&store.put_machine("new", Some("web"), note_of("added")).await);
    heard(&store.policy_of_machines().await);
    heard(&store.remove_policy("web", note_of("removed")).await);
    heard(&store.register(boot("new", b"id", "a3", b"ek3"), 60).await);
    heard(&store.machines(Some("new")).await);
    heard(&store.remove_machine("new", note_of("removed")).await);
    heard(&store.remove_machine("new", note_of("removed")).await);
    heard(&store.boot("a3").await);
    heard(&store.remove_policy("web", note_of("removed")).await);
    let token = TokenRow { name: "ci".into(), digest: vec![1; 32], roles: "read".into(), created_at: 5 };
    heard(&store.add_token(token.clone(), note_of("token")).await);
    heard(&store.add_token(token, note_of("token")).await);
    heard(&store.tokens().await);
    heard(&store.remove_token("ci", note_of("token")).await);
    heard(&store.put_item("k", item_of("a", Some(5)), Some(note_of("item"))).await);
    heard(&store.put_item("k", item_of("a", None), None).await);
    let seen = store.item("k", "a").await.ok().flatten();
    heard(&seen.as_ref().map(|item| (&item.name, &item.body, item.due_at)));
    if let Some(seen) = seen {
        heard(&store.put_item("k", Item { body: "[]".into(), ..seen.clone() }, None).await);
        heard(&store.put_item("k", seen, None).await);
    }
    heard(&store.claim("k", 4, 90, 10).await.map(|items| items.len()));
    heard(&store.claim("k", 5, 90, 10).await.map(|items| items.iter().map(|item| item.due_at).collect::<Vec<_>>()));
    heard(&store.items("k").await.map(|items| items.iter().map(|item| item.body.clone()).collect::<Vec<_>>()));
    heard(&store.remove_item("k", "a", Some(note_of("item"))).await);
    for (name, body, now, until) in [("a", "1", 1, 5), ("b", "2", 1, 9), ("b", "3", 5, 10)] {
        heard(&store.put_fleeting_item("fleeting", name, body.into(), now, until).await);
    }
    let left = store.items("fleeting").await;
    heard(&left.map(|items| items.into_iter().map(|item| (item.name, item.body, item.due_at)).collect::<Vec<_>>()));
    heard(&store.note(note_of("last")).await);
    heard(&store.audit(0, 100).await);
    heard(&store.audit_newest(None, Some("vm"), 3).await);
    heard(&store.audit_newest(Some(3), None, 100).await);
    answers
}
