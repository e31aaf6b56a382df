// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all requests share: what is believed, what is pending, what is remembered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use evtpm_api::LaunchEvidence;
use evtpm_verify::UnixTime;
use evtpm_verify::backend::Backend;
use evtpm_verify::evtpm::SvsmNonce;
use evtpm_verify::snp::{Anchors, Collateral};
use evtpm_verify::tpm::{Credential, Issued, Nonce};
use evtpm_verify::x509::CertificateStore;
use tokio::sync::Semaphore;

use crate::access::{Access, CertificateRoles};
use crate::events::Events;
use crate::inspect::KEPT_LOGS;
use crate::kbs::Kbs;
use crate::keylime::Keylime;
use crate::keys::{Broker, Vault};
use crate::machines::{LiveBoots, STALE_AFTER};
use crate::metrics::Metrics;
use crate::pending::Pending;
use crate::policies::{Compiled, Policies};
use crate::refusal::Refusal;
use crate::results::ResultSigner;
use crate::store::Store;

/// Registrations that may be under way at once.
const REGISTRATIONS: usize = 10_000;

/// Challenges that may be unanswered at once.
const CHALLENGES: usize = 50_000;

/// How long a client may take for its next step.
const STEP: Duration = Duration::from_secs(120);

/// How long a request waits for a processor before it is turned away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A machine on its way to being registered.
#[derive(Debug)]
pub(crate) enum Registration {
    /// It was given a nonce for its chip.
    Opened { machine: String, nonce: SvsmNonce },
    /// Its endorsement key is believed; it was given a credential.
    Challenged { machine: String, credential: Box<Credential>, nonce: Vec<u8>, evidence: Box<LaunchEvidence> },
}

/// A challenge that was given out.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) attester: String,
    pub(crate) nonce: Issued<Nonce>,
    /// What the answer is judged by, even if the operator changes the policy meanwhile.
    pub(crate) policy: Arc<Compiled>,
}

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) anchors: Anchors,
    pub(crate) collateral: Collateral,
    /// The vendors whose certificates vouch for endorsement keys.
    pub(crate) ek_authorities: CertificateStore,
    pub(crate) policies: Policies,
    pub(crate) signer: ResultSigner,
    pub(crate) access: Access,
    pub(crate) store: Box<dyn Store>,
    pub(crate) backend: &'static dyn Backend,
    pub(crate) settings: Settings,
    pub(crate) live: LiveBoots,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) keylime: Keylime,
    pub(crate) broker: Broker,
    pub(crate) kbs: Kbs,
    registrations: Mutex<Pending<Registration>>,
    challenges: Mutex<Pending<Challenge>>,
    processors: Semaphore,
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) anchors: Anchors,
    pub(crate) collateral: Collateral,
    /// The vendors whose certificates vouch for endorsement keys.
    pub(crate) ek_authorities: CertificateStore,
    pub(crate) policies: Policies,
    pub(crate) signer: ResultSigner,
    pub(crate) access: Access,
    pub(crate) store: Box<dyn Store>,
    pub(crate) vault: Vault,
    pub(crate) backend: &'static dyn Backend,
    pub(crate) settings: Settings,
}

/// What the operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Seconds without a verdict after which a trusted machine is stale.
    pub(crate) stale_after: u64,
    /// Bytes of each log that are kept of a boot, to be looked at.
    pub(crate) kept_logs: u64,
    /// What client certificates let administrators do.
    pub(crate) certificates: CertificateRoles,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { stale_after: STALE_AFTER, kept_logs: KEPT_LOGS, certificates: CertificateRoles::All }
    }
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { anchors, collateral, ek_authorities, policies, signer, access, store, vault, backend, settings } =
            parts;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        App {
            anchors,
            collateral,
            ek_authorities,
            policies,
            signer,
            access,
            store,
            backend,
            settings,
            live: LiveBoots::default(),
            events: Events::default(),
            metrics: Metrics::default(),
            keylime: Keylime::default(),
            broker: Broker::new(vault),
            kbs: Kbs::default(),
            registrations: Mutex::new(Pending::new(REGISTRATIONS, STEP)),
            challenges: Mutex::new(Pending::new(CHALLENGES, STEP)),
            processors: Semaphore::new(processors),
        }
    }

    pub(crate) fn registrations(&self) -> MutexGuard<'_, Pending<Registration>> {
        lock(&self.registrations)
    }

    pub(crate) fn challenges(&self) -> MutexGuard<'_, Pending<Challenge>> {
        lock(&self.challenges)
    }

    /// Runs work of a few hundred microseconds where it is, as [`App::busy`] would: handing it over costs more than it is worth.
    pub(crate) async fn brief<T>(&self, work: impl FnOnce(&App) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let waiting = tokio::time::timeout(PATIENCE, self.processors.acquire());
        let _permit = waiting.await.map_err(|_| Refusal::overloaded())?.map_err(Refusal::internal)?;
        work(self)
    }

    /// Runs work that a processor is busy with, at most one a processor: a flood of evidence queues up, and what has
    /// waited too long is turned away instead of piling up.
    pub(crate) async fn busy<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let waiting = tokio::time::timeout(PATIENCE, self.processors.acquire());
        let permit = waiting.await.map_err(|_| Refusal::overloaded())?.map_err(Refusal::internal)?;
        let (app, request) = (self.clone(), tracing::Span::current());
        let done =
            tokio::task::spawn_blocking(move || request.in_scope(|| work(&app))).await.map_err(Refusal::internal)?;
        drop(permit);
        done
    }
}

/// A thread that panicked while it held a lock left the value whole: every change to it is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time of day, for certificates, nonces and records.
pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// When something given out now expires, and how many seconds that is away.
pub(crate) fn expiry() -> (UnixTime, u64) {
    (UnixTime(now().0.saturating_add(STEP.as_secs())), STEP.as_secs())
}

/// The monotonic clock, for what expires.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
pub(crate) mod testing {
    use std::ops::Deref;
    use std::path::PathBuf;

    use crate::results::ResultForm;
    use evtpm_verify::backend::PureRust;

    use super::*;
    use crate::store::Sqlite;

    /// An app over a database of its own, gone with the test; it believes in no chip.
    pub(crate) struct TestApp {
        app: Arc<App>,
        directory: PathBuf,
    }

    impl TestApp {
        pub(crate) fn new(name: &str) -> Self {
            Self::changed(name, |_| {})
        }

        /// An app that is changed before anybody uses it.
        pub(crate) fn changed(name: &str, change: impl FnOnce(&mut App)) -> Self {
            let directory = std::env::temp_dir().join(format!("evtpm-app-{name}-{}", std::process::id()));
            drop(std::fs::remove_dir_all(&directory));
            std::fs::create_dir_all(&directory).unwrap();
            let mut app = App::new(Parts {
                anchors: Anchors::none(),
                collateral: Collateral::new(),
                ek_authorities: CertificateStore::new(),
                policies: Policies::default(),
                signer: ResultSigner::open(&directory, ResultForm::default()).unwrap(),
                access: Access::default(),
                store: Box::new(Sqlite::open(&directory.join("verifier.sqlite")).unwrap()),
                vault: Vault::new(&[2; 32]),
                backend: &PureRust,
                settings: Settings::default(),
            });
            change(&mut app);
            TestApp { app: Arc::new(app), directory }
        }
    }

    impl Deref for TestApp {
        type Target = Arc<App>;

        fn deref(&self) -> &Arc<App> {
            &self.app
        }
    }

    impl Drop for TestApp {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.directory));
        }
    }
}
