// SPDX-License-Identifier: Apache-2.0 OR MIT
//! kill -9 of the verifier, and of its database, at random points of registrations and rounds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use evtpm_agent::verifier::{Connection, Refused, Verifier};
use evtpm_fleet::{Machine, Round, ServerProcess, World};

use crate::books::{Told, balance};
use crate::postgres::Postgres;
use crate::stage::{Stage, amount, attest, random};

/// A machine that got nowhere for so long is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// The verifier that runs at the moment.
type Running = Arc<Mutex<Option<ServerProcess>>>;

fn verifier(running: &Running) -> Option<Verifier> {
    running.lock().unwrap().as_ref().map(|server| server.verifier().unwrap())
}

/// What a machine tries next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Register,
    Attest,
}

/// Tries until it is answered, over as many connections as that takes.
async fn insist(running: &Running, machine: &mut Machine, step: Step, told: &mut Told) {
    let began = Instant::now();
    loop {
        if matches!(step, Step::Attest) {
            told.begun += 1;
        }
        match attempt(running, machine, step).await {
            Ok(()) => return,
            Err(error) => {
                // The verifier may say that it failed itself, and not that anything is wrong with an honest machine.
                if let Some(refused) = error.downcast_ref::<Refused>() {
                    assert_eq!(refused.error.error, "internal", "{}: {error:#}", machine.name());
                }
                assert!(began.elapsed() < STUCK, "{} is stuck at {step:?}: {error:#}", machine.name());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn attempt(running: &Running, machine: &mut Machine, step: Step) -> Result<()> {
    let verifier = verifier(running).ok_or_else(|| anyhow::anyhow!("there is no verifier at the moment"))?;
    let mut connection: Connection = verifier.connect().await?;
    match step {
        Step::Register => machine.register(&mut connection).await,
        Step::Attest => machine.attest_well(&mut connection, Round { files: 1, ..Round::default() }).await,
    }
}

/// Boots one machine again and again, and attests twice in each boot.
async fn live(world: World, running: Running, mut machine: Machine, boots: u32) -> (Machine, Told) {
    let mut told = Told::default();
    for boot in 0..boots {
        if boot > 0 {
            machine.reboot(&world, None).unwrap();
        }
        insist(&running, &mut machine, Step::Register, &mut told).await;
        told.boots += 1;
        insist(&running, &mut machine, Step::Attest, &mut told).await;
        told.heard += 1;
    }
    (machine, told)
}

/// Has machines live while `kill` does its work, then looks into the books.
async fn under_fire(stage: &Stage, server: ServerProcess, mut kill: impl FnMut(&Running) + Send + 'static) {
    let (machines, boots) = (amount(4, 50), amount(4, 20));
    let running: Running = Arc::new(Mutex::new(Some(server)));
    let over = Arc::new(AtomicBool::new(false));
    let killing = {
        let (running, over) = (Arc::clone(&running), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut kills = 0;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(random(Duration::from_millis(1500)));
                kill(&running);
                kills += 1;
            }
            kills
        })
    };
    let mut lives = tokio::task::JoinSet::new();
    for number in 0..machines {
        let machine = stage.boot(&format!("vm-{number}"));
        lives.spawn(live(stage.world.clone(), Arc::clone(&running), machine, boots));
    }
    let mut told = BTreeMap::new();
    let mut survivors = Vec::new();
    while let Some(ended) = lives.join_next().await {
        let (machine, heard) = ended.unwrap();
        told.insert(machine.name().to_owned(), heard);
        survivors.push(machine);
    }
    over.store(true, Ordering::Relaxed);
    let kills = tokio::task::spawn_blocking(|| killing.join().unwrap()).await.unwrap();
    println!("{} registrations and rounds, {kills} kills", machines * boots);
    assert!(kills > 0);

    let server = running.lock().unwrap().take().unwrap();
    for machine in &mut survivors {
        let told = told.get_mut(machine.name()).unwrap();
        let began = Instant::now();
        loop {
            told.begun += 1;
            match attest(&server, machine).await {
                Ok(()) => break,
                Err(error) => assert!(began.elapsed() < STUCK, "{} is stuck: {error:#}", machine.name()),
            }
        }
        told.heard += 1;
    }
    balance(&server, &told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_verifier_loses_no_verdict_counts_none_twice_and_leaves_no_machine_behind() {
    let stage = Stage::new("verifier");
    let server = stage.setup().start().unwrap();
    under_fire(&stage, server, |running| {
        let mut running = running.lock().unwrap();
        let setup = running.take().unwrap().kill().unwrap();
        *running = Some(setup.start().unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_loses_no_verdict_counts_none_twice_and_leaves_no_machine_behind() {
    let stage = Stage::new("database");
    let Some(database) = Postgres::start(stage.directory()) else { return };
    let mut setup = stage.setup();
    setup.options = vec!["--database".into(), database.url()];
    let server = setup.start().unwrap();
    // It has to outlive the one who kills it.
    let database = Arc::new(database);
    let killed = Arc::clone(&database);
    under_fire(&stage, server, move |_| {
        killed.kill_and_start();
        // Time to recover, and to do something.
        std::thread::sleep(Duration::from_secs(1));
    })
    .await;
}
