// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A folder with a verifier's files, gone with the test; and how much of everything is done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use evtpm_fleet::{Machine, Round, ServerProcess, Setup, World};

/// Files of the policy.
pub(crate) const FILES: u32 = 100;

/// Whether the large figures are asked for.
pub(crate) fn is_full() -> bool {
    std::env::var_os("EVTPM_FAULTS").is_some_and(|value| value == "full")
}

/// One of two figures.
pub(crate) fn amount(short: u32, full: u32) -> u32 {
    if is_full() { full } else { short }
}

/// Everything of one test.
pub(crate) struct Stage {
    pub(crate) world: World,
    directory: PathBuf,
}

impl Stage {
    pub(crate) fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("evtpm-faults-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        std::fs::create_dir_all(&directory).unwrap();
        Stage { world: World::new(FILES).unwrap(), directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn setup(&self) -> Setup {
        Setup::new(env!("CARGO_BIN_EXE_evtpm"), self.directory.join("verifier")).believing(&self.world).unwrap()
    }

    pub(crate) fn boot(&self, name: &str) -> Machine {
        Machine::boot(&self.world, name, FILES, 3).unwrap()
    }

    /// Boots a machine that is registered and healthy.
    pub(crate) async fn healthy(&self, server: &ServerProcess, name: &str) -> Machine {
        let mut machine = self.boot(name);
        let mut connection = server.verifier().unwrap().connect().await.unwrap();
        machine.register(&mut connection).await.unwrap();
        machine.attest_well(&mut connection, Round::default()).await.unwrap();
        machine
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// A round on a connection of its own.
pub(crate) async fn attest(server: &ServerProcess, machine: &mut Machine) -> anyhow::Result<()> {
    let mut connection = server.verifier()?.connect().await?;
    machine.attest_well(&mut connection, Round { files: 1, ..Round::default() }).await
}

/// A time below a bound that nobody can foresee.
pub(crate) fn random(below: Duration) -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    below.mul_f64(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}
