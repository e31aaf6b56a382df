// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask miri`: unit tests under Miri, which looks for undefined behaviour in what our dependencies do for us.
//!
//! Miri executes some ten thousand times slower than the processor. So the tests run natively first and keep what arithmetic
//! of large numbers gave, where their crate can do that (the engine's `testing/answers.rs`); Miri looks it up and interprets
//! all the rest. A test that does not end in its time is stopped and named; it is no failure, and no success either.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::arguments::Arguments;
use crate::shell::{Workspace, output, run as run_command};

/// Enough for each test of the engine, on a processor that does something else as well.
const SECONDS: u64 = 600;
/// Tests for one interpreter, at most: it begins each time with the tests' crate, which takes half a minute.
const BATCH: usize = 64;
/// And at least, as long as there are that many.
const LEAST: usize = 6;

/// What became of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    TooSlow,
}

/// What Miri looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    /// All that it can.
    All,
    /// Accesses to memory that is not there, not initialized or freed, leaks, and what else ends an execution; neither who may
    /// alias a reference nor whether each value is one of its type. In a third of the time.
    Memory,
}

/// Runs the tests of each package, as many at once as there are processors.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let limit = Duration::from_secs(arguments.value("--seconds")?.unwrap_or(SECONDS));
    let checks = if arguments.flag("--quick") { Checks::Memory } else { Checks::All };
    let mut packages = arguments.values("--package")?;
    let filters = arguments.finish()?;
    if packages.is_empty() {
        packages.push("evtpm-engine".to_owned());
    }
    let mut failed = 0;
    for package in &packages {
        failed += run_package(workspace, package, &filters, checks, limit)?;
    }
    if failed > 0 {
        bail!("{failed} tests failed under Miri");
    }
    Ok(())
}

fn run_package(
    workspace: &Workspace,
    package: &str,
    filters: &[String],
    checks: Checks,
    limit: Duration,
) -> anyhow::Result<usize> {
    let listing = output(miri(workspace, package, checks).args(["--list", "--format", "terse"]))
        .context("is Miri there? rustup toolchain install nightly --component miri,rust-src")?;
    let tests: VecDeque<String> = listing
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|name| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())))
        .map(str::to_owned)
        .collect();
    let answers = record(workspace, package)?;
    let miri = || {
        let mut command = miri(workspace, package, checks);
        command.env("EVTPM_REPLAY_ANSWERS", &answers);
        command
    };
    println!("{package}: {} tests, each for at most {} s", tests.len(), limit.as_secs());

    let begun = Instant::now();
    let queue = Mutex::new(tests);
    let results = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let work = |worker: usize| -> anyhow::Result<()> {
            let log = answers.with_extension(format!("{worker}.log"));
            loop {
                let mut left = take(&queue, workers);
                if left.is_empty() {
                    return Ok(());
                }
                while !left.is_empty() {
                    run_batch(miri(), &mut left, limit, &log, &mut |name, outcome| {
                        println!("{:<9}{name}", format!("{outcome:?}").to_lowercase());
                        results.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                    })?;
                }
            }
        };
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;

    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = |outcome| results.iter().filter(|result| **result == outcome).count();
    println!(
        "{package}: {} passed, {} failed, {} not ended in time; {} s",
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::TooSlow),
        begun.elapsed().as_secs()
    );
    Ok(count(Outcome::Failed))
}

/// Runs the tests natively and has them keep their answers, in a folder that is made anew.
fn record(workspace: &Workspace, package: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.target().join("miri-answers").join(package);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut tests = workspace.cargo();
    tests.args(["test", "--quiet", "--package", package, "--lib"]).env("EVTPM_RECORD_ANSWERS", &folder);
    run_command(&mut tests)?;
    Ok(folder)
}

/// The test program of a package's library, to which the test runner's arguments are still to be added.
fn miri(workspace: &Workspace, package: &str, checks: Checks) -> Command {
    let mut command = workspace.command("cargo");
    // The answers are files, so that the file system is not isolated. None of these tests has a second thread.
    let mut miri_flags = "-Zmiri-disable-isolation -Zmiri-disable-data-race-detector".to_owned();
    let mut rust_flags = String::new();
    if cfg!(target_arch = "x86_64") {
        // The code that real processors take, which is where the hashes are unsafe; and it is quicker. Those of AES and SHA-1
        // have instructions which Miri does not know.
        rust_flags.push_str("-Ctarget-feature=+sha,+ssse3,+sse4.1 --cfg sha1_backend=\"soft\"");
    }
    if checks == Checks::Memory {
        miri_flags.push_str(" -Zmiri-disable-stacked-borrows -Zmiri-disable-validation");
        // What is inlined is fewer steps for the interpreter.
        rust_flags.push_str(" -Zmir-opt-level=3 -Zinline-mir=yes -Zcross-crate-inline-threshold=always");
    }
    command.env("MIRIFLAGS", miri_flags).env("RUSTFLAGS", rust_flags);
    // A wrapper for the stable compiler does not know Miri's driver; the toolchain of this repository is not for it either.
    command.env_remove("RUSTC_WRAPPER").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command.args(["+nightly", "miri", "test", "--package", package, "--lib", "--"]);
    command
}

/// A worker's next tests: half of its share of those that are left, so that no worker has many when the others have none.
fn take(queue: &Mutex<VecDeque<String>>, workers: usize) -> VecDeque<String> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let share = queue.len().div_ceil(2 * workers);
    let end = share.clamp(LEAST, BATCH).min(queue.len());
    queue.drain(..end).collect()
}

/// Runs tests one after the other until the first that is too slow, and tells each verdict when it is there; those that did
/// not begin stay in `left`. What Miri itself says goes to `log`.
fn run_batch(
    mut miri: Command,
    left: &mut VecDeque<String>,
    limit: Duration,
    log: &Path,
    tell: &mut dyn FnMut(&str, Outcome),
) -> anyhow::Result<()> {
    miri.args(["--exact", "--test-threads", "1", "--format", "pretty"]).args(left.iter());
    miri.stdout(Stdio::piped()).stderr(File::create(log)?).process_group(0);
    let mut child = miri.spawn().context("cargo +nightly miri")?;
    let lines = line_parts(&mut child)?;
    let waiting = left.len();
    let mut text = String::new();
    // Before the first test the interpreter itself begins.
    let mut deadline = Instant::now() + limit + Duration::from_secs(600);
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(part) => {
                text.push_str(&part);
                while let Some((line, rest)) = text.split_once('\n') {
                    if let Some((name, outcome)) = verdict(line) {
                        left.retain(|test| *test != name);
                        tell(&name, outcome);
                    }
                    text = rest.to_owned();
                }
                deadline = Instant::now() + limit;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                stop(&child)?;
                tell(&left.pop_front().unwrap_or_default(), Outcome::TooSlow);
                break;
            }
        }
    }
    child.wait().context("cargo +nightly miri")?;
    // Undefined behaviour ends the interpreter in the middle of a test, without a line of its own.
    if left.len() == waiting
        && let Some(name) = left.pop_front()
    {
        fs::read_to_string(log)?
            .lines()
            .filter(|line| line.starts_with("error"))
            .for_each(|line| println!("         {line}"));
        tell(&name, Outcome::Failed);
    }
    Ok(())
}

/// Ends the child with what it started: Cargo starts the interpreter, and would leave it behind.
fn stop(child: &Child) -> anyhow::Result<()> {
    run_command(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())])).context("stopping a slow test")
}

/// What the child writes, as it comes: a test's name is written before it runs, and its verdict on the same line.
fn line_parts(child: &mut Child) -> anyhow::Result<Receiver<String>> {
    let mut stdout = child.stdout.take().context("no output to read")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stdout.read(&mut buffer) {
            let part = buffer.get(..length).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            if sender.send(part).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn verdict(line: &str) -> Option<(String, Outcome)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let outcome = if verdict.starts_with("FAILED") { Outcome::Failed } else { Outcome::Passed };
    Some((name.to_owned(), outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_test_runner_is_a_verdict() {
        assert_eq!(verdict("test a::b ... ok"), Some(("a::b".to_owned(), Outcome::Passed)));
        assert_eq!(verdict("test a::b - should panic ... ok"), Some(("a::b".to_owned(), Outcome::Passed)));
        assert_eq!(verdict("test a::b ... FAILED"), Some(("a::b".to_owned(), Outcome::Failed)));
        assert_eq!(verdict("test result: ok. 3 passed; 0 failed"), None);
        assert_eq!(verdict("running 3 tests"), None);
    }

    #[test]
    fn the_last_batches_are_small() {
        let queue = Mutex::new((0..100).map(|number| number.to_string()).collect());
        let mut sizes = Vec::new();
        loop {
            let batch = take(&queue, 2);
            if batch.is_empty() {
                break;
            }
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [25, 19, 14, 11, 8, 6, 6, 6, 5]);
    }

    /// Runs what stands for Miri, and returns its verdicts.
    fn told(program: Command, left: &mut VecDeque<String>, limit: Duration) -> Vec<(String, Outcome)> {
        let name = format!("evtpm-xtask-miri-{}-{}", std::process::id(), limit.as_millis());
        let log = std::env::temp_dir().join(name);
        let mut results = Vec::new();
        let mut tell = |name: &str, outcome| results.push((name.to_owned(), outcome));
        run_batch(program, left, limit, &log, &mut tell).unwrap();
        fs::remove_file(log).unwrap();
        results
    }

    #[test]
    fn a_test_that_does_not_end_is_stopped_and_the_next_ones_are_left() {
        let mut left: VecDeque<String> = ["one", "two", "three"].map(str::to_owned).into();
        let mut program = Command::new("sh");
        program.args(["-c", "printf 'test one ... ok\\ntest two ... '; sleep 600"]);
        let results = told(program, &mut left, Duration::from_millis(300));
        assert_eq!(results, [("one".to_owned(), Outcome::Passed), ("two".to_owned(), Outcome::TooSlow)]);
        assert_eq!(left, ["three"]);
    }

    #[test]
    fn a_test_that_ends_the_interpreter_has_failed() {
        let mut left: VecDeque<String> = ["one", "two"].map(str::to_owned).into();
        let mut program = Command::new("sh");
        program.args(["-c", "printf 'test one ... '; exit 1"]);
        let results = told(program, &mut left, Duration::from_secs(5));
        assert_eq!(results, [("one".to_owned(), Outcome::Failed)]);
        assert_eq!(left, ["two"]);
    }
}
