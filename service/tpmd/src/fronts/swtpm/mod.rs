// SPDX-License-Identifier: Apache-2.0 OR MIT
//! swtpm's protocol (manual pages `swtpm(8)` and `swtpm_ioctls(3)`): a control channel and a data channel.

pub mod args;
pub mod control;
mod data;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::endpoint::{Listener, Stream};
use crate::machine::Shared;

/// What an instance of this front serves on, and how it starts and ends.
#[derive(Debug, Default)]
pub struct Config {
    /// Listens for control requests.
    pub control: Option<Listener>,
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
    /// End when the control client goes.
    pub end_with_control: bool,
    /// End when the data client goes.
    pub end_with_data: bool,
    /// Close the data connection after each command.
    pub disconnect: bool,
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
        config.control.is_some() || config.data.is_some() || config.inherited.is_some(),
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
    let (control, data, inherited) = (config.control, config.data, config.inherited);
    let options = control::Options {
        orderly: !config.no_auto_shutdown,
        allow_set_locality: config.allow_set_locality,
        end_with_client: config.end_with_control,
    };
    let data_options = data::Options { end_with_client: config.end_with_data, disconnect: config.disconnect };
    let current: CurrentData = Arc::default();

    if let Some(listener) = control {
        let (machine, ended, current) = (machine.clone(), ended.clone(), current.clone());
        spawn("swtpm-control", move || {
            let served = control::serve(&machine, &listener, options, &current, data_options);
            // Whoever hears of the end may end the process: the socket's file must be gone by then.
            drop(listener);
            drop(ended.send(served));
        })?;
    }
    if let Some(listener) = data {
        let (machine, ended) = (machine.clone(), ended.clone());
        spawn("swtpm-data", move || {
            let served = data::listen(&machine, &listener, data_options);
            drop(listener);
            drop(ended.send(served));
        })?;
    }
    if let Some(stream) = inherited {
        let machine = machine.clone();
        spawn("swtpm-inherited", move || {
            drop(data::converse(&machine, stream, data_options));
            drop(ended.send(Ok(())));
        })?;
    }
    end.recv().context("every channel is closed")?
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
