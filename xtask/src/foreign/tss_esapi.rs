// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tests of the crate tss-esapi (Rust over tpm2-tss's ESAPI), each with a TPM of its own: all pass on Debian's swtpm.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::crate_source::PublishedCrate;
use super::servers::{FreshTpm, Server};
use crate::arguments::Arguments;
use crate::shell::{Workspace, output};

/// The last version that builds against tpm2-tss 3.2.1, which Debian 12 has.
const CRATE: PublishedCrate = PublishedCrate { name: "tss-esapi", version: "7.7.0" };

/// How long one test may take: the slowest make a few RSA keys.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run needs to know of one test after another.
struct Suite<'a> {
    tests: &'a Path,
    server: &'a Path,
    folder: &'a Path,
}

/// Builds the tests once and runs each in a process of its own, against a server of its own.
pub(super) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let server = arguments.value("--server")?.unwrap_or(Server::Ours);
    let jobs = arguments.value("--jobs")?.unwrap_or_else(processors);
    let only: Option<String> = arguments.value("--only")?;
    arguments.finish()?;

    let tests = CRATE.build_tests(workspace, "integration_tests")?;
    let (all, ignored) = (list(&tests, &[])?, list(&tests, &["--ignored"])?);
    let is_chosen = |name: &&String| !ignored.contains(name) && only.as_ref().is_none_or(|text| name.contains(text));
    let chosen: Vec<&str> = all.iter().filter(is_chosen).map(String::as_str).collect();

    anyhow::ensure!(!chosen.is_empty(), "no test has such a name");

    let program = server.program(workspace)?;
    let folder = workspace.target().join("foreign").join(CRATE.name).join(format!("run-{}", std::process::id()));
    let started = Instant::now();
    let failed = Suite { tests: &tests, server: &program, folder: &folder }.run(&chosen, jobs)?;
    let seconds = started.elapsed().as_secs();
    let (total, ignored) = (all.len(), ignored.len());
    println!("{} {} has {total} tests, {ignored} of which it ignores itself", CRATE.name, CRATE.version);
    println!("{} run against {server} in {seconds} s", chosen.len());
    println!("{} passed, {} failed", chosen.len() - failed.len(), failed.len());
    anyhow::ensure!(failed.is_empty(), "see {} for what these said: {failed:?}", folder.display());
    Ok(std::fs::remove_dir(&folder)?)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The tests that the program has, or those that it would ignore.
fn list(tests: &Path, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let listing = output(Command::new(tests).args(["--list", "--format", "terse"]).args(arguments))?;
    Ok(listing.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

impl Suite<'_> {
    /// Runs the tests, `jobs` at a time, and returns those that failed.
    fn run(&self, chosen: &[&str], jobs: usize) -> anyhow::Result<BTreeSet<String>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut failed = BTreeSet::new();
            while let Some(name) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !self.passes(name).with_context(|| (*name).to_owned())? {
                    println!("failed: {name}");
                    failed.insert((*name).to_owned());
                }
            }
            anyhow::Ok(failed)
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
            let mut failed = BTreeSet::new();
            for worker in workers {
                match worker.join() {
                    Ok(part) => failed.append(&mut part?),
                    Err(_) => bail!("a worker panicked"),
                }
            }
            Ok(failed)
        })
    }

    /// Runs one test; what it and the TPM said stays behind when it fails.
    fn passes(&self, name: &str) -> anyhow::Result<bool> {
        let folder = self.folder.join(name.replace("::", "."));
        let tpm = FreshTpm::start(self.server, folder.join("tpm"))?;
        let log = folder.join("log");
        let said = std::fs::File::create(&log)?;
        let mut test = Command::new(self.tests)
            .args(["--exact", name, "--test-threads", "1", "--nocapture"])
            .env("TEST_TCTI", tpm.tcti())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let started = Instant::now();
        while test.try_wait()?.is_none() {
            if started.elapsed() > PATIENCE {
                test.kill()?;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A test that is unknown ends well too: only one that ran counts.
        let text = std::fs::read(&log)?;
        let passed = String::from_utf8_lossy(&text).contains("test result: ok. 1 passed");
        drop(tpm);
        if passed {
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(passed)
    }
}
