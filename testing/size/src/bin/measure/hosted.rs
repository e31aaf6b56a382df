// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measuring process and the processes that it measures.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use evtpm_client::{Transport, TransportError};
use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_heap::counting as heap;
use evtpm_testing_support::{Noise, TestPlatform};
use evtpm_tpm_wire::Cc;
use serde::Serialize;

use crate::scenarios::{SCENARIOS, Scenario};

/// The stack of a measured thread. Only differences matter, so it is generous.
const STACK: usize = 512 * 1024;
/// Bytes that one level of [`descend`] uses up, at least.
const LEVEL: usize = 64;
/// More levels than any stack has room for.
const LEVELS: usize = STACK / LEVEL;

/// What is printed.
#[derive(Debug, Serialize)]
struct Measurements {
    /// Bytes of stack by command, of the scenario that needs most.
    stack: BTreeMap<String, usize>,
    /// Bytes of heap that a TPM reserves when it is made.
    heap_reserved: usize,
    /// The most bytes of heap during any command, reservation included, by scenario.
    heap_peak: BTreeMap<&'static str, usize>,
}

/// Measures, or is measured.
pub(crate) fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            println!("{}", serde_json::to_string_pretty(&measure()?)?);
            Ok(())
        }
        ["codes", scenario] => {
            let probe = Probe::default();
            play(scenario, &probe)?;
            let codes: Vec<u32> = probe.seen().into_keys().collect();
            println!("{}", serde_json::to_string(&codes)?);
            Ok(())
        }
        ["heap", scenario] => {
            let before = heap::mark();
            let probe = Probe::default();
            play(scenario, &probe)?;
            let peak = probe.heap();
            println!("{}", serde_json::to_string(&(peak.0.saturating_sub(before), peak.1.saturating_sub(before)))?);
            Ok(())
        }
        ["nothing", depth] => {
            on_small_stack(depth.parse()?, || ());
            Ok(())
        }
        ["probe", scenario, code, depth] => {
            play(scenario, &Probe { deep: Some((code.parse()?, depth.parse()?)), ..Probe::default() })
        }
        _ => anyhow::bail!("usage: measure"),
    }
}

fn measure() -> Result<Measurements> {
    let mut measurements = Measurements { stack: BTreeMap::new(), heap_reserved: 0, heap_peak: BTreeMap::new() };
    let nothing = deepest(|depth| vec!["nothing".into(), depth.to_string()])?;
    for Scenario { name, measured, .. } in SCENARIOS {
        let (reserved, peak): (usize, usize) = ask(&["heap", name])?;
        measurements.heap_reserved = reserved;
        measurements.heap_peak.insert(name, peak);
        let codes = ask::<Vec<u32>>(&["codes", name])?;
        for code in codes.into_iter().filter(|code| measured.is_empty() || measured.contains(&Cc(*code))) {
            let probe = |depth: usize| vec!["probe".into(), (*name).into(), code.to_string(), depth.to_string()];
            let used = nothing.saturating_sub(deepest(probe)?);
            let most = measurements.stack.entry(Cc(code).to_string()).or_default();
            *most = used.max(*most);
        }
    }
    Ok(measurements)
}

/// Finds how many bytes of stack may be used up so that a process still survives.
fn deepest(arguments: impl Fn(usize) -> Vec<String>) -> Result<usize> {
    let (mut survives, mut dies, mut used) = (0, LEVELS, None);
    while dies - survives > 1 {
        let middle = usize::midpoint(survives, dies);
        let mut process = this_program()?;
        // A process that dies says so, at length.
        let output = process.args(arguments(middle)).stderr(Stdio::null()).output()?;
        if output.status.success() {
            survives = middle;
            let said = String::from_utf8(output.stdout)?;
            used = Some(said.lines().next().context("a probe says how much it used up")?.parse()?);
        } else {
            let by_stack = output.status.code().is_none();
            anyhow::ensure!(by_stack, "{:?} failed otherwise than by its stack", arguments(middle));
            dies = middle;
        }
    }
    anyhow::ensure!(dies < LEVELS, "{:?} does not use up its stack", arguments(survives));
    used.context("nothing survives")
}

fn ask<T: serde::de::DeserializeOwned>(arguments: &[&str]) -> Result<T> {
    let output = this_program()?.args(arguments).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "{arguments:?}: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("finding this program")?))
}

/// Runs something at the bottom of a stack that was used up to a depth.
fn on_small_stack<T: Send>(depth: usize, body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            let top = 0u8;
            let top = (&raw const top).addr();
            descend(depth, || {
                let bottom = 0u8;
                let used = top.saturating_sub((&raw const bottom).addr());
                (used, body())
            })
        });
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok((used, value))) => {
                // Said afterwards and elsewhere: printing takes stack, too.
                println!("{used}");
                value
            }
            _ => std::process::exit(1),
        }
    })
}

/// Uses up stack and then runs `body`: each level holds a block that the compiler cannot remove.
#[inline(never)]
fn descend<T>(depth: usize, body: impl FnOnce() -> T) -> T {
    let block = black_box([0u8; LEVEL]);
    let value = match depth.checked_sub(1) {
        Some(depth) => black_box(descend(depth, body)),
        None => bottom(body),
    };
    black_box(&block);
    value
}

/// Keeps what runs at the bottom out of every frame of [`descend`].
#[inline(never)]
fn bottom<T>(body: impl FnOnce() -> T) -> T {
    body()
}

fn play(name: &str, probe: &Probe) -> Result<()> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).context("no such scenario")?;
    // The noise is the same in every process, so that every process does the same.
    let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(7)), Profile::svsm())
        .map_err(|_| anyhow::anyhow!("no memory"))?;
    probe.note_heap(heap::mark());
    let transport = InProcess { tpm, probe: probe.clone() };
    (scenario.play)(&mut evtpm_client::Client::new(transport, Noise::Good(8)))
}

/// Which command runs deep in its stack, and what was seen of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe {
    deep: Option<(u32, usize)>,
    seen: Arc<Mutex<BTreeMap<u32, usize>>>,
    heap: Arc<Mutex<(usize, usize)>>,
}

impl Probe {
    fn seen(&self) -> BTreeMap<u32, usize> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn heap(&self) -> (usize, usize) {
        *self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_heap(&self, reserved: usize) {
        *self.heap.lock().unwrap_or_else(PoisonError::into_inner) = (reserved, reserved);
    }

    fn note(&self, code: u32, more: usize) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.1 = heap.1.max(heap.0 + more);
    }
}

/// The TPM behind the client.
#[derive(Debug)]
pub(crate) struct InProcess {
    tpm: Tpm<TestPlatform>,
    probe: Probe,
}

impl Transport for InProcess {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let code = command.get(6..10).and_then(|code| code.try_into().ok()).map_or(0, u32::from_be_bytes);
        let mut command = command.to_vec();
        response.clear();
        response.resize(4096, 0);
        let before = heap::mark();
        let tpm = &mut self.tpm;
        let mut execute = || tpm.execute(Locality::ZERO, &mut command, response);
        let execution = match self.probe.deep {
            Some((deep, depth)) if deep == code => on_small_stack(depth, execute),
            _ => execute(),
        };
        self.probe.note(code, heap::peak().saturating_sub(before));
        let Execution::Response(size) = execution else { return Err(TransportError::new("nothing can be pending")) };
        response.truncate(size);
        Ok(())
    }
}
