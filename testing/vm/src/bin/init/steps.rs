// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs the programs of the plan, and keeps what they say.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use evtpm_vm::plan::Step;

use crate::results::Results;

/// A program that serves others must be ready by then.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run_all(steps: &[Step], results: &mut Results) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for step in steps {
        let begun = Instant::now();
        let mut child = start(step).with_context(|| format!("start {}", step.program))?;
        match &step.ready_when {
            Some(path) => {
                wait_for(path, &mut child).with_context(|| step.name.clone())?;
                servers.push((step, child));
            }
            None => {
                keep(step, &mut child, results)?;
                let took = format!("{:.3}\n", begun.elapsed().as_secs_f64());
                results.add(&format!("{}.seconds", step.name), took.as_bytes())?;
            }
        }
    }
    for (step, mut server) in servers {
        server.kill()?;
        keep(step, &mut server, results)?;
    }
    Ok(())
}

fn start(step: &Step) -> anyhow::Result<Child> {
    let output = |stream: &str| File::create(output_path(step, stream));
    let mut command = Command::new(&step.program);
    command.args(&step.arguments).stdin(Stdio::null()).stdout(output("out")?).stderr(output("err")?);
    Ok(command.spawn()?)
}

fn wait_for(path: &str, child: &mut Child) -> anyhow::Result<()> {
    let start = Instant::now();
    while !Path::new(path).exists() {
        if let Some(status) = child.try_wait()? {
            bail!("ended before it was ready: {status}");
        }
        if start.elapsed() > PATIENCE {
            bail!("{path} did not appear in {PATIENCE:?}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn keep(step: &Step, child: &mut Child, results: &mut Results) -> anyhow::Result<()> {
    let status = child.wait()?;
    for stream in ["out", "err"] {
        let said = std::fs::read(output_path(step, stream))?;
        results.add(&format!("{}.{stream}", step.name), &said)?;
    }
    results.add(&format!("{}.status", step.name), format!("{status}\n").as_bytes())
}

fn output_path(step: &Step, stream: &str) -> String {
    format!("/tmp/{}.{stream}", step.name)
}
