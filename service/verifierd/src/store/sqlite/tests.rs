// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the file keeps, over restarts and over versions.

use std::path::PathBuf;

use super::*;
use crate::audit;
use crate::store::testing::{boot, item_of, note_of, round};

/// A file of its own, gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evtpm-store-{name}-{}.sqlite", std::process::id()));
        let file = File(path);
        file.remove();
        file
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.0).unwrap()
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(ending);
            drop(std::fs::remove_file(path));
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.remove();
    }
}

#[tokio::test]
async fn a_second_boot_revokes_the_first() {
    let file = File::new("second");
    let store = file.open();
    assert_eq!(store.register(boot("vm", b"id", "a1", b"ek1"), 10).await, Ok((1, None)));
    assert_eq!(store.register(boot("vm", b"id", "a2", b"ek2"), 20).await, Ok((2, Some("a1".into()))));
    assert!(store.boot("a1").await.unwrap().unwrap().revoked);
    assert!(!store.boot("a2").await.unwrap().unwrap().revoked);
    let history = store.boots("vm").await.unwrap();
    assert_eq!(
        history.iter().map(|boot| (boot.number, boot.revoked_at)).collect::<Vec<_>>(),
        [(2, None), (1, Some(20))]
    );
}

#[tokio::test]
async fn a_machine_keeps_its_launch_identity_and_a_refused_registration_changes_nothing() {
    let file = File::new("identity");
    let store = file.open();
    store.register(boot("vm", b"id", "a1", b"ek1"), 10).await.unwrap();
    let refused = store.register(boot("vm", b"other", "a2", b"ek2"), 20).await;
    assert!(matches!(refused, Err(StoreError::OtherIdentity { .. })), "{refused:?}");
    assert!(!store.boot("a1").await.unwrap().unwrap().revoked);
}

#[tokio::test]
async fn an_endorsement_key_never_comes_back_and_its_machine_is_not_made() {
    let file = File::new("known-ek");
    let store = file.open();
    store.register(boot("vm", b"id", "a1", b"ek"), 10).await.unwrap();
    assert_eq!(store.register(boot("other", b"id", "a2", b"ek"), 20).await, Err(StoreError::KnownEk));
    assert_eq!(store.machines(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restart_finds_all_that_belief_and_the_next_round_need() {
    let file = File::new("restart");
    let store = file.open();
    let registered = boot("vm", b"id", "a1", b"ek");
    store.register(registered.clone(), 10).await.unwrap();
    store.record(round("a1", "trusted", 20)).await.unwrap();
    store.record(round("a1", "untrusted", 30)).await.unwrap();
    drop(store);

    let known = file.open().boot("a1").await.unwrap().unwrap();
    assert_eq!(known.belief, Some((registered.ak_public, registered.binding)));
    assert_eq!((known.machine.as_str(), known.number, known.revoked), ("vm", 1, false));
    let standing = known.standing.unwrap();
    let last = round("a1", "untrusted", 30);
    assert_eq!((standing.verdict, standing.clock, standing.progress), (last.verdict, last.clock, last.progress));
    assert_eq!((standing.at, standing.trusted_at, standing.rounds), (30, Some(20), 2));
}

#[tokio::test]
async fn a_verdict_of_the_boot_before_says_nothing_of_this_one_nor_can_it_come_late() {
    let file = File::new("late");
    let store = file.open();
    store.register(boot("vm", b"id", "a1", b"ek1"), 10).await.unwrap();
    store.record(round("a1", "trusted", 20)).await.unwrap();
    store.register(boot("vm", b"id", "a2", b"ek2"), 30).await.unwrap();
    assert_eq!(store.machines(None).await.unwrap()[0].standing, None);
    assert_eq!(store.record(round("a1", "trusted", 31)).await, Err(StoreError::Revoked));
}

#[tokio::test]
async fn an_alarm_is_raised_and_ended() {
    let file = File::new("alarm");
    let store = file.open();
    store.register(boot("vm", b"id", "a1", b"ek1"), 10).await.unwrap();
    store.raise_clone_alarm("vm", "a1", 11).await.unwrap();
    assert!(store.machines(Some("vm")).await.unwrap()[0].clone_alarm);
    assert_eq!(store.end_clone_alarm("vm", note_of("clone-alarm-ended")).await, Ok(true));
    assert!(!store.machines(Some("vm")).await.unwrap()[0].clone_alarm);
    assert_eq!(store.end_clone_alarm("none", note_of("clone-alarm-ended")).await, Ok(false));
}

#[tokio::test]
async fn a_machine_may_be_added_before_it_registers_and_needs_a_policy_that_there_is() {
    let file = File::new("added");
    let store = file.open();
    let refused = store.put_machine("vm", Some("web"), note_of("machine-added")).await;
    assert_eq!(refused, Err(StoreError::UnknownPolicy("web".into())));
    let policy = PolicyRow { name: "web".into(), document: "{}".into(), changed_at: 1 };
    store.put_policy(policy, note_of("policy-changed")).await.unwrap();
    store.put_machine("vm", Some("web"), note_of("machine-added")).await.unwrap();
    store.register(boot("vm", b"id", "a1", b"ek1"), 10).await.unwrap();
    let row = store.machines(Some("vm")).await.unwrap().remove(0);
    assert_eq!((row.measurement.as_deref(), row.policy.as_deref()), (Some("00ff"), Some("web")));
    let refused = store.remove_policy("web", note_of("policy-removed")).await;
    assert_eq!(refused, Err(StoreError::PolicyInUse { policy: "web".into(), machines: 1 }));
    assert_eq!(store.remove_machine("vm", note_of("machine-removed")).await, Ok(true));
    assert_eq!(store.remove_policy("web", note_of("policy-removed")).await, Ok(true));
    assert_eq!(store.boot("a1").await, Ok(None));
}

#[tokio::test]
async fn many_writers_at_once_make_one_whole_chain() {
    let file = File::new("chain");
    let store = std::sync::Arc::new(file.open());
    store.register(boot("vm", b"id", "a1", b"ek1"), 10).await.unwrap();
    let write = |at| {
        let store = store.clone();
        tokio::spawn(async move { store.record(round("a1", "trusted", at)).await })
    };
    for written in (0..200).map(write).collect::<Vec<_>>() {
        written.await.unwrap().unwrap();
    }
    let (chain, broken) = audit::walk(store.as_ref()).await.unwrap();
    assert_eq!((chain.lines, broken), (201, None));
}

#[tokio::test]
async fn a_line_that_was_changed_in_the_file_shows() {
    let file = File::new("changed");
    let store = file.open();
    for event in ["one", "two", "three"] {
        store.note(note_of(event)).await.unwrap();
    }
    let shell = Connection::open(&file.0).unwrap();
    shell.execute("UPDATE audit SET detail = 'nothing happened' WHERE id = 2", []).unwrap();
    let (chain, broken) = audit::walk(&store).await.unwrap();
    assert_eq!((chain.lines, broken.map(|broken| broken.id)), (1, Some(2)));
}

#[tokio::test]
async fn a_database_of_the_first_version_is_taken_over() {
    let file = File::new("first-version");
    let old = Connection::open(&file.0).unwrap();
    old.execute_batch(include_str!("migrations/0001.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO machine VALUES ('vm', x'01', '00ff', 1, 5);
         INSERT INTO boot VALUES ('vm', 1, 'a1', x'02', x'03', 6, NULL);
         INSERT INTO verdict VALUES (1, 'a1', 7, 'trusted', '[]', 'ear'), (2, 'a1', 8, 'untrusted', '[]', 'ear');
         INSERT INTO audit VALUES (1, 6, 'vm', 'registered', 'boot 1'), (2, 8, 'vm', 'verdict', 'untrusted');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);

    let store = file.open();
    let row = store.machines(None).await.unwrap().remove(0);
    assert!(row.clone_alarm);
    let standing = row.standing.unwrap();
    assert_eq!((standing.verdict.as_str(), standing.trusted_at, standing.rounds), ("untrusted", Some(7), 2));
    assert_eq!(store.boot("a1").await.unwrap().unwrap().belief, None, "such a boot registers again");
    store.note(note_of("next")).await.unwrap();
    let (chain, broken) = audit::walk(&store).await.unwrap();
    assert_eq!((chain.lines, broken), (3, None));
    assert_eq!(store.register(boot("vm", &[1], "a2", b"ek2"), 20).await, Ok((2, Some("a1".into()))));
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let file = File::new("later");
    Connection::open(&file.0).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert_eq!(Sqlite::open(&file.0).err(), Some(StoreError::Version { found: 7, expected: 4 }));
}

#[tokio::test]
async fn an_item_is_changed_by_whoever_saw_it_last() {
    let file = File::new("item");
    let store = file.open();
    store.put_item("k", item_of("a", None), None).await.unwrap();
    assert_eq!(store.put_item("k", item_of("a", None), None).await, Err(StoreError::Changed("a".into())));
    let first = store.item("k", "a").await.unwrap().unwrap();
    let change = || Item { due_at: Some(5), body: "new".into(), ..first.clone() };
    store.put_item("k", change(), Some(note_of("changed"))).await.unwrap();
    assert_eq!(store.put_item("k", change(), None).await, Err(StoreError::Changed("a".into())));
    let seen = store.item("k", "a").await.unwrap().unwrap();
    assert_eq!((seen.version, seen.due_at, seen.body.as_str()), (first.version + 1, Some(5), "new"));
    assert_eq!(store.item("other", "a").await, Ok(None));
    assert_eq!(store.remove_item("k", "a", None).await, Ok(true));
    assert_eq!(store.items("k").await, Ok(vec![]));
}

#[tokio::test]
async fn an_item_is_read_whole_whatever_its_size() {
    let file = File::new("size");
    let store = file.open();
    let limit = usize::try_from(AT_A_GLANCE).unwrap();
    for size in [0, limit, limit + 1, 3 << 20] {
        let item = Item { body: "x".repeat(size), ..item_of(&size.to_string(), Some(7)) };
        store.put_item("k", item.clone(), None).await.unwrap();
        let read = store.item("k", &item.name).await.unwrap().unwrap();
        assert!(read.body == item.body && read.due_at == item.due_at && read.version > 0, "{size}");
    }
}

#[tokio::test]
async fn an_item_that_was_removed_and_added_again_has_another_version() {
    let file = File::new("again");
    let store = file.open();
    let mut versions = Vec::new();
    for _ in 0..2 {
        store.put_item("k", item_of("a", None), None).await.unwrap();
        versions.push(store.item("k", "a").await.unwrap().unwrap().version);
        store.remove_item("k", "a", None).await.unwrap();
    }
    assert_ne!(versions[0], versions[1]);
}

#[tokio::test]
async fn what_is_due_is_claimed_once_until_its_lease_ends() {
    let file = File::new("lease");
    let store = file.open();
    for (name, due_at) in [("late", Some(30)), ("first", Some(10)), ("second", Some(20)), ("never", None)] {
        store.put_item("k", item_of(name, due_at), None).await.unwrap();
    }
    let names = |items: Vec<Item>| items.into_iter().map(|item| item.name).collect::<Vec<_>>();
    assert_eq!(names(store.claim("k", 20, 25, 1).await.unwrap()), ["first"]);
    assert_eq!(names(store.claim("k", 20, 25, 9).await.unwrap()), ["second"]);
    assert_eq!(names(store.claim("k", 24, 50, 9).await.unwrap()), [""; 0]);
    // Whoever claimed them did nothing until the lease ended: the next one takes over.
    let mut taken = names(store.claim("k", 25, 50, 9).await.unwrap());
    taken.sort();
    assert_eq!(taken, ["first", "second"]);
}

#[tokio::test]
async fn fleeting_items_among_lasting_ones_are_there_after_a_restart() {
    let file = File::new("fleeting");
    let store = file.open();
    for number in 0..20_u64 {
        let fleeting = store.put_fleeting_item("f", "a", number.to_string(), 0, 9);
        let name = format!("k{number}");
        let lasting = store.put_item("k", item_of(&name, None), None);
        let (fleeting, lasting) = tokio::join!(fleeting, lasting);
        fleeting.unwrap();
        lasting.unwrap();
    }
    drop(store);
    let store = file.open();
    let item = store.item("f", "a").await.unwrap().unwrap();
    assert_eq!((item.body.as_str(), item.due_at), ("19", Some(9)));
    assert_eq!(store.items("k").await.unwrap().len(), 20);
}
