// SPDX-License-Identifier: Apache-2.0 OR MIT
//! swtpm's protocol (manual pages `swtpm(8)` and `swtpm_ioctls(3)`): a control channel and a data channel.

pub mod args;
pub mod control;
mod data;
pub mod owner;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::iterator::Signals;

use crate::endpoint::{Listener, Stream};
use crate::machine::Shared;

/// What an instance of this front serves on, and how it starts and ends.
#[derive(Debug, Default)]
pub struct Config {
    /// Listens for control requests.
    pub control: Option<Listener>,
    /// A control connection that exists already (`--ctrl clientfd=`).
    pub inherited_control: Option<Stream>,
    /// Listens for TPM commands; without one the host passes a descriptor with `CMD_SET_DATAFD`.
    pub data: Option<Listener>,
    /// A data connection that exists already (`--fd`).
    pub inherited: Option<Stream>,
    /// Power on at start instead of waiting for `CMD_INIT`.
    pub power_on: bool,
    /// Send this `TPM2_Startup` by ourselves after power-on.
    pub startup: Option<Startup>,
    /// Do not send `TPM2_Shutdown` for a guest that forgot it.
    pub no_auto_shutdown: bool,
    /// Let the host choose the locality.
    pub allow_set_locality: bool,
    /// But not locality 4, which is the processor's own.
    pub reject_locality_4: bool,
    /// End when the control client goes.
    pub end_with_control: bool,
    /// End when the data client goes.
    pub end_with_data: bool,
    /// Close the data connection after each command.
    pub disconnect: bool,
    /// End in good order when one of these signals comes; caught since before the sockets were made.
    pub signals: Option<Signals>,
}

/// The two forms of `TPM2_Startup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Startup {
    /// TPM_SU_CLEAR.
    Clear,
    /// TPM_SU_STATE.
    State,
}

impl Startup {
    fn command(self) -> [u8; 12] {
        let kind = match self {
            Startup::Clear => 0,
            Startup::State => 1,
        };
        [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, kind]
    }
}

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed its connection.
    ClientGone,
    /// The client asked for the end (`CMD_SHUTDOWN`).
    Asked,
}

/// Serves one TPM until the host ends it.
///
/// # Errors
/// When the device cannot be powered on, or there is nothing to listen on.
pub fn serve(machine: &Shared, config: Config) -> Result<()> {
    anyhow::ensure!(
        config.control.is_some()
            || config.inherited_control.is_some()
            || config.data.is_some()
            || config.inherited.is_some(),
        "neither a control channel nor a data channel to serve on"
    );
    if config.power_on {
        let mut machine = machine.lock();
        machine.power_on()?;
        if let Some(startup) = config.startup {
            let response = machine.execute(0, &startup.command());
            anyhow::ensure!(response.get(6..10) == Some(&[0; 4]), "TPM2_Startup failed: {response:02x?}");
        }
    }

    let (ended, end) = std::sync::mpsc::channel();
    let options = control::Options {
        orderly: !config.no_auto_shutdown,
        allow_set_locality: config.allow_set_locality,
        reject_locality_4: config.reject_locality_4,
        end_with_client: config.end_with_control,
    };
    let data_options = data::Options { end_with_client: config.end_with_data, disconnect: config.disconnect };
    let current: CurrentData = Arc::default();
    let files = socket_files(&config);

    if let Some(mut signals) = config.signals {
        let (machine, ended) = (machine.clone(), ended.clone());
        spawn("swtpm-signals", move || {
            signals.forever().next();
            machine.lock().power_off(options.orderly);
            drop(ended.send(Ok(())));
        })?;
    }
    if let Some(listener) = config.control {
        let (machine, ended, current) = (machine.clone(), ended.clone(), current.clone());
        spawn("swtpm-control", move || {
            drop(ended.send(control::serve(&machine, &listener, options, &current, data_options)));
        })?;
    }
    if let Some(stream) = config.inherited_control {
        let (machine, ended) = (machine.clone(), ended.clone());
        spawn("swtpm-control", move || {
            control::serve_one(&machine, stream, options, &current, data_options);
            drop(ended.send(Ok(())));
        })?;
    }
    if let Some(listener) = config.data {
        let (machine, ended) = (machine.clone(), ended.clone());
        spawn("swtpm-data", move || drop(ended.send(data::listen(&machine, &listener, data_options))))?;
    }
    if let Some(stream) = config.inherited {
        let machine = machine.clone();
        spawn("swtpm-inherited", move || {
            drop(data::converse(&machine, stream, data_options));
            drop(ended.send(Ok(())));
        })?;
    }
    let served = end.recv().context("every channel is closed")?;
    // Threads that still wait for clients hold their listeners, and the process may end before they drop them.
    for file in files {
        drop(std::fs::remove_file(file));
    }
    served
}

/// The files of the sockets that we made.
fn socket_files(config: &Config) -> Vec<PathBuf> {
    let listeners = [&config.control, &config.data];
    listeners.into_iter().flatten().filter_map(Listener::path).map(Path::to_owned).collect()
}

/// The data connection that the control client passed last; a new one ends the one before.
type CurrentData = Arc<Mutex<Option<Stream>>>;

fn replace_data(current: &CurrentData, stream: Option<Stream>) {
    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(previous) = std::mem::replace(&mut *current, stream) {
        previous.shutdown();
    }
}

pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(body).with_context(|| format!("starting the thread {name}"))
}
