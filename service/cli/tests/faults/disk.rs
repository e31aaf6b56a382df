// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A disk that is full, and has room again later.

use std::collections::BTreeMap;
use std::process::Command;

use evtpm_agent::verifier::Refused;

use crate::books::{Told, balance};
use crate::stage::{Stage, attest};

/// The largest file that the verifier may write at first: its database fits, and the log of some dozen transactions.
const ROOM: u64 = 600_000;

/// More rounds than there is room for.
const ROUNDS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_rounds_and_tells_no_verdict_that_it_did_not_keep() {
    let stage = Stage::new("disk");
    let mut setup = stage.setup();
    // Whoever ignores the signal gets an error from the system, as on a full disk. The log is on it too, and full from the
    // beginning.
    let log = stage.directory().join("log");
    std::fs::write(&log, vec![b'\n'; usize::try_from(ROOM).unwrap()]).unwrap();
    let limit = format!("exec env --ignore-signal=XFSZ prlimit --fsize={ROOM}:unlimited \"$@\" 2>>'{}'", log.display());
    setup.wrapper = ["sh", "-c", &limit, "sh"].map(str::to_owned).to_vec();
    let server = setup.start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    let mut told = Told { boots: 1, begun: 1, heard: 1 };
    let mut refusal = None;
    while refusal.is_none() && told.begun < ROUNDS {
        told.begun += 1;
        match attest(&server, &mut machine).await {
            Ok(()) => told.heard += 1,
            Err(error) => refusal = Some(error),
        }
    }
    let refusal = refusal.expect("the disk was full");
    let refused = refusal.downcast_ref::<Refused>().unwrap_or_else(|| panic!("{refusal:#}"));
    assert_eq!((refused.status, refused.error.error.as_str()), (500, "internal"));

    let more_room =
        Command::new("prlimit").args(["--fsize=unlimited:unlimited", "--pid", &server.id().to_string()]).status();
    assert!(more_room.unwrap().success());
    for _ in 0..3 {
        told.begun += 1;
        attest(&server, &mut machine).await.unwrap();
        told.heard += 1;
    }
    let told = BTreeMap::from([("vm".to_owned(), told)]);
    balance(&server, &told);
    let setup = server.kill().unwrap();
    balance(&setup.start().unwrap(), &told);
}
