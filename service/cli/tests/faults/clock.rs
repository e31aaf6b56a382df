// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A clock that jumps; without Debian's package `faketime` the test says so and skips.

use std::path::Path;

use evtpm_api::MachineState;

use crate::books::{details, operator};
use crate::stage::{Stage, attest};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_either_way_fails_no_machine_whose_next_round_is_good() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("skipped: there is no {LIBRARY}");
        return;
    }
    let stage = Stage::new("clock");
    let offset = stage.directory().join("offset");
    std::fs::write(&offset, "+0").unwrap();
    let mut setup = stage.setup();
    setup.wrapper = vec![
        "env".into(),
        format!("LD_PRELOAD={LIBRARY}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", offset.display()),
        "FAKETIME_NO_CACHE=1".into(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
    ];
    let server = setup.start().unwrap();
    let mut machine = stage.healthy(&server, "vm").await;
    for jump in ["+2d", "-2d", "+0"] {
        // A challenge from before the jump: whatever its answer comes to, the next one counts.
        let mut connection = server.verifier().unwrap().connect().await.unwrap();
        let challenge = machine.challenge(&mut connection).await.unwrap();
        std::fs::write(&offset, jump).unwrap();
        let evidence = machine.evidence(&connection, &challenge).unwrap();
        let early = machine.show(&mut connection, &evidence).await.unwrap();
        let expired = jump == "+2d" || jump == "+0";
        assert_eq!(early.verdict == "trusted", !expired, "{jump}: {early:?}");

        attest(&server, &mut machine).await.unwrap_or_else(|error| panic!("{jump}: {error:#}"));
        assert_eq!(details(&server, "vm").machine.state, MachineState::Healthy, "{jump}");
    }
    let verified = operator(&server, &["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}
