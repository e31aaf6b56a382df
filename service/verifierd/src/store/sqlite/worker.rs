// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A thread that owns a connection and commits what waits in groups: one write to the disk makes many rounds durable.

use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Answer, StoreError};

/// Requests that may wait; the next one waits for a place.
const QUEUE: usize = 4_096;

/// Requests of one commit at most, so that the first of them does not wait without end.
const GROUP: usize = 512;

/// What is told to whoever asked, once it is known whether the group was committed.
type Reply = Box<dyn FnOnce(&Result<(), StoreError>) + Send>;

/// A request: what is done in the transaction, and who is told.
type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Reply + Send>;

/// The way to a worker; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(super) struct Worker(mpsc::Sender<Job>);

impl Worker {
    /// Starts the thread.
    pub(super) fn start(
        name: &str,
        mut connection: Connection,
        behavior: TransactionBehavior,
    ) -> Result<Self, StoreError> {
        let (sender, mut jobs) = mpsc::channel(QUEUE);
        let run = move || {
            while let Some(first) = jobs.blocking_recv() {
                let more = std::iter::from_fn(|| jobs.try_recv().ok());
                let group = std::iter::once(first).chain(more).take(GROUP);
                match behavior {
                    // Who asks while others read may know of a write that this snapshot does not have.
                    TransactionBehavior::Deferred => {
                        let group: Vec<Job> = group.collect();
                        commit(&mut connection, behavior, group.into_iter());
                    }
                    _ => commit(&mut connection, behavior, group),
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(|error| StoreError::Database(format!("starting a thread: {error}")))?;
        Ok(Worker(sender))
    }

    /// Does `work` in the next group. What it changed is undone if it fails; its answer comes after the commit.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Savepoint<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let done = in_savepoint(transaction, work);
            // Whoever does not wait any more does not need the answer.
            Box::new(move |committed| drop(sender.send(committed.clone().and(done))))
        });
        Box::pin(async move {
            let gone = || StoreError::Database("it gave no answer".into());
            self.0.send(job).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }
}

fn commit(connection: &mut Connection, behavior: TransactionBehavior, jobs: impl Iterator<Item = Job>) {
    let mut replies: Vec<Reply> = Vec::new();
    let committed = (|| {
        let mut transaction = connection.transaction_with_behavior(behavior)?;
        replies.extend(jobs.map(|job| job(&mut transaction)));
        Ok(transaction.commit()?)
    })();
    replies.into_iter().for_each(|reply| reply(&committed));
}

fn in_savepoint<T>(
    transaction: &mut Transaction<'_>,
    work: impl FnOnce(&Savepoint<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let savepoint = transaction.savepoint()?;
    let done = work(&savepoint)?;
    savepoint.commit()?;
    Ok(done)
}
