// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections that are used again, and replaced when they break.

use std::fmt;
use std::ops::AsyncFnOnce;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::tls::Address;
use crate::store::StoreError;

/// Connections of one process at most.
const CONNECTIONS: usize = 16;

/// The connections that are free, and the right to have one.
pub(super) struct Pool {
    address: Address,
    free: Mutex<Vec<Client>>,
    slots: Semaphore,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl Pool {
    /// Takes the address; nothing is connected yet.
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        Ok(Pool { address: Address::parse(url)?, free: Mutex::default(), slots: Semaphore::new(CONNECTIONS) })
    }

    /// Runs `work` in a transaction, which is committed if it succeeds.
    pub(super) async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _slot = self.slots.acquire().await.map_err(|_| StoreError::Database("it was closed".into()))?;
        let mut client = self.client().await?;
        let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
        let done = work(&transaction).await;
        match done {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await?,
        }
        self.lock().push(client);
        done
    }

    async fn client(&self) -> Result<Client, StoreError> {
        while let Some(client) = self.take() {
            if !client.is_closed() {
                return Ok(client);
            }
        }
        self.address.connect().await
    }

    fn take(&self) -> Option<Client> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Client>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        use std::error::Error as _;
        let reason = error.source().map(|reason| format!(": {reason}")).unwrap_or_default();
        StoreError::Database(format!("{error}{reason}"))
    }
}

/// PostgreSQL's integers have a sign; times and counters do not come near it.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
