// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first program of the test machine: carries out its plan, sends what was measured to the host, powers off.

mod network;
mod results;
mod setup;
mod steps;

use anyhow::Context as _;
use evtpm_vm::plan::{self, Plan};
use rustix::system::{RebootCommand, reboot};

fn main() {
    println!("{}", plan::STARTED);
    if let Err(error) = run() {
        println!("evtpm-vm: {error:#}");
    }
    rustix::fs::sync();
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        // Returning would make the kernel panic, which ends the machine too (panic=-1).
        println!("evtpm-vm: power-off: {error}");
    }
}

fn run() -> anyhow::Result<()> {
    setup::mount_all()?;
    let plan = std::fs::read(format!("/{}", plan::PATH)).context(plan::PATH)?;
    let plan: Plan = serde_json::from_slice(&plan).context(plan::PATH)?;
    setup::load_modules(&plan.modules)?;
    if plan.network {
        network::up()?;
    }
    let mut results = results::Results::open()?;
    steps::run_all(&plan.steps, &mut results)?;
    results.measurements()?;
    results.finish()
}
