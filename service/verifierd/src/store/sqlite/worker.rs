// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A thread that owns a connection and commits what waits in groups: one write to the disk makes many rounds durable.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Answer, StoreError};

/// Requests that may wait; the next one waits for a place.
const QUEUE: usize = 4_096;

/// Requests of one commit at most, so that the first of them does not wait without end.
const GROUP: usize = 512;

/// What is told to whoever asked, once it is known whether the group was committed.
type Reply = Box<dyn FnOnce(&Result<(), StoreError>) + Send>;

/// A request.
struct Job {
    /// What is done in the transaction; who is told.
    work: Box<dyn FnOnce(&Connection) -> Reply + Send>,
    durability: Durability,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// The disk has it.
    Disk,
    /// The kernel has it, and with the next answer that means more also the disk: it outlives this process, not a loss of
    /// power. What was written before it is never lost instead.
    Kernel,
}

/// What the thread does with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The way to a worker; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(super) struct Worker(mpsc::Sender<Job>);

impl Worker {
    /// Starts the thread.
    pub(super) fn start(name: &str, connection: Connection, access: Access) -> Result<Self, StoreError> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let run = move || match access {
            Access::Read => read(&connection, jobs),
            Access::Write => write(&connection, jobs),
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(|error| StoreError::Database(format!("starting a thread: {error}")))?;
        Ok(Worker(sender))
    }

    /// Does `work` in the next group. What it changed is undone if it fails; its answer comes after the commit.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.run_until(Durability::Disk, work)
    }

    /// Does `work` as [`Worker::run`] does; its answer may mean less.
    pub(super) fn run_until<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (sender, answer) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| -> Reply {
            let done = in_savepoint(connection, work);
            // Whoever does not wait any more does not need the answer.
            Box::new(move |committed| drop(sender.send(committed.clone().and(done))))
        });
        Box::pin(async move {
            let gone = || StoreError::Database("it gave no answer".into());
            self.0.send(Job { work, durability }).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }
}

fn read(connection: &Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let more = std::iter::from_fn(|| jobs.try_recv().ok());
        // Who asks while others read may know of a write that this snapshot does not have.
        let group: Vec<Job> = std::iter::once(first).chain(more).take(GROUP).collect();
        commit(connection, "BEGIN DEFERRED", group.into_iter());
    }
}

fn write(connection: &Connection, mut jobs: mpsc::Receiver<Job>) {
    let (mut next, mut now) = (None, Durability::Disk);
    while let Some(first) = next.take().or_else(|| jobs.blocking_recv()) {
        let durability = first.durability;
        if durability != now {
            match set_durability(connection, durability) {
                Ok(()) => now = durability,
                // Without an answer: whoever asked hears that there is none.
                Err(_) => continue,
            }
        }
        // Who waits for the disk takes the others along; where nobody does, the first who does begins a group.
        let more = std::iter::from_fn(|| {
            let job = jobs.try_recv().ok()?;
            if durability == Durability::Kernel && job.durability == Durability::Disk {
                next = Some(job);
                return None;
            }
            Some(job)
        });
        commit(connection, "BEGIN IMMEDIATE", std::iter::once(first).chain(more).take(GROUP));
    }
}

/// Says what the next commits mean; SQLite takes it between two transactions alone.
pub(super) fn set_durability(connection: &Connection, durability: Durability) -> Result<(), StoreError> {
    let level = match durability {
        Durability::Disk => "FULL",
        Durability::Kernel => "NORMAL",
    };
    Ok(connection.pragma_update(None, "synchronous", level)?)
}

fn commit(connection: &Connection, begin: &str, jobs: impl Iterator<Item = Job>) {
    let mut replies: Vec<Reply> = Vec::new();
    let committed = (|| {
        control(connection, begin)?;
        replies.extend(jobs.map(|job| (job.work)(connection)));
        control(connection, "COMMIT")
    })();
    if committed.is_err() && !connection.is_autocommit() {
        // If even that fails, so does the next group's begin.
        drop(control(connection, "ROLLBACK"));
    }
    replies.into_iter().for_each(|reply| reply(&committed));
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Some errors (a full disk) end the transaction: a savepoint would be one of its own, and committed by itself.
    if connection.is_autocommit() {
        return Err(StoreError::Database("the transaction ended before its commit".into()));
    }
    control(connection, "SAVEPOINT job")?;
    let done = work(connection);
    if done.is_err() {
        control(connection, "ROLLBACK TO job")?;
    }
    control(connection, "RELEASE job")?;
    done
}

/// One of the few statements that every request needs: parsed once.
fn control(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
