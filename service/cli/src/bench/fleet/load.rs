// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts load on a verifier: rounds by many machines over some connections, as fast as they come or at a rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use evtpm_agent::verifier::Verifier;
use evtpm_fleet::{Machine, Round, ServerProcess};
use tokio::task::JoinSet;

/// How rounds come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// How many there are, of all machines together.
    pub(super) rounds: u32,
    /// What each does.
    pub(super) round: Round,
    /// Opens a connection for each round, instead of keeping one.
    pub(super) reconnect: bool,
    /// Rounds that begin in a second; as many as there can be without it.
    pub(super) rate: Option<f64>,
}

/// What rounds cost.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    /// The server's processor time for one.
    pub(super) cpu: Duration,
    /// Rounds that were done in a second.
    pub(super) rate: f64,
    /// How long each took, rising: from the time it was due to its verdict, with the quote in it.
    latencies: Vec<Duration>,
}

impl Cost {
    /// The time that so many of a thousand rounds did not exceed.
    pub(super) fn quantile(&self, per_mille: usize) -> Duration {
        let at = self.latencies.len().saturating_sub(1) * per_mille / 1000;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Rounds that are still to be done, and when.
struct Schedule {
    began: Instant,
    load: Load,
    next: AtomicU32,
}

impl Schedule {
    /// Takes the next round and returns when it is due; `None` when all are taken.
    fn take(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.load.rate.map(|rate| self.began + Duration::from_secs_f64(f64::from(number) / rate));
        (number < self.load.rounds).then(|| due.unwrap_or_else(Instant::now))
    }
}

/// Runs the load: each lane has a connection and its share of the machines, which take turns on it.
pub(super) async fn run(server: &ServerProcess, lanes: &mut Vec<Vec<Machine>>, load: Load) -> Result<Cost> {
    let verifier = server.verifier()?;
    let schedule = Arc::new(Schedule { began: Instant::now(), load, next: AtomicU32::new(0) });
    let before = server.cpu()?;
    let mut running = JoinSet::new();
    for machines in lanes.drain(..) {
        running.spawn(lane(verifier.clone(), machines, Arc::clone(&schedule)));
    }
    let mut latencies = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (machines, times) = ended??;
        latencies.extend(times);
        lanes.push(machines);
    }
    let elapsed = schedule.began.elapsed();
    let cpu = server.cpu()?.saturating_sub(before) / load.rounds.max(1);
    latencies.sort_unstable();
    Ok(Cost { cpu, rate: f64::from(load.rounds) / elapsed.as_secs_f64(), latencies })
}

async fn lane(
    verifier: Verifier,
    mut machines: Vec<Machine>,
    schedule: Arc<Schedule>,
) -> Result<(Vec<Machine>, Vec<Duration>)> {
    let mut connection = verifier.connect().await?;
    let (mut latencies, mut turn) = (Vec::new(), 0);
    while let Some(due) = schedule.take() {
        tokio::time::sleep_until(due.into()).await;
        let count = machines.len().max(1);
        let machine = machines.get_mut(turn % count).context("a lane without machines")?;
        turn += 1;
        if schedule.load.reconnect {
            connection = verifier.connect().await?;
        }
        machine.attest_well(&mut connection, schedule.load.round).await?;
        latencies.push(due.elapsed());
    }
    Ok((machines, latencies))
}

/// Boots machines, registers them, and has each attest once, so that what follows is the steady state.
pub(super) async fn registered(server: &ServerProcess, machines: Vec<Machine>) -> Result<Vec<Machine>> {
    let mut connection = server.verifier()?.connect().await?;
    let mut ready = Vec::new();
    for mut machine in machines {
        machine.register(&mut connection).await?;
        machine.attest_well(&mut connection, Round::default()).await?;
        ready.push(machine);
    }
    Ok(ready)
}

/// Deals machines out to lanes.
pub(super) fn lanes(machines: Vec<Machine>, count: usize) -> Vec<Vec<Machine>> {
    let count = count.clamp(1, machines.len().max(1));
    let mut lanes: Vec<Vec<Machine>> = (0..count).map(|_| Vec::new()).collect();
    for (number, machine) in machines.into_iter().enumerate() {
        lanes[number % count].push(machine);
    }
    lanes
}
