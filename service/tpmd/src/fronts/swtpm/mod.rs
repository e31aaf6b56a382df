// SPDX-License-Identifier: Apache-2.0 OR MIT
//! swtpm's protocol (manual pages `swtpm(8)` and `swtpm_ioctls(3)`): a control channel and a data channel.

pub mod args;
pub mod control;
mod data;
pub mod owner;
mod spec;

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::iterator::Signals;

use crate::endpoint::{Listener, SocketFile, Stream};
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
/// As [`start`], and when a channel fails.
pub fn serve(machine: &Shared, config: Config) -> Result<()> {
    start(machine, config)?.wait()
}

/// Gives a TPM its power, if that was asked for, and begins to serve it.
///
/// # Errors
/// When the device cannot be powered on, or there is nothing to listen on.
pub fn start(machine: &Shared, config: Config) -> Result<Service> {
    anyhow::ensure!(
        config.control.is_some()
            || config.inherited_control.is_some()
            || config.data.is_some()
            || config.inherited.is_some(),
        "neither a control channel nor a data channel to serve on"
    );
    if config.power_on {
        power_on(machine, config.startup)?;
    }

    let (ended, end) = mpsc::channel();
    let (orderly, files) = (!config.no_auto_shutdown, socket_files(&config));
    start_threads(machine, config, &files, &ended)?;
    Ok(Service { machine: machine.clone(), orderly, files, end })
}

fn power_on(machine: &Shared, startup: Option<Startup>) -> Result<()> {
    let mut machine = machine.lock();
    machine.power_on().context("powering the TPM on")?;
    if let Some(startup) = startup {
        let response = machine.execute(0, &startup.command());
        // As with swtpm: whoever comes may still send the right TPM2_Startup.
        if let Some(code) = response.get(6..10).filter(|code| *code != [0; 4]) {
            eprintln!("swtpm: TPM2_Startup({startup:?}) was answered with the code {code:02x?}");
        }
    }
    Ok(())
}

/// Whichever thread ends first ends the service.
fn start_threads(machine: &Shared, config: Config, files: &[SocketFile], ended: &Ended) -> Result<()> {
    let data_options = data::Options { end_with_client: config.end_with_data, disconnect: config.disconnect };
    let control = control::Server::new(
        machine.clone(),
        control::Options {
            orderly: !config.no_auto_shutdown,
            allow_set_locality: config.allow_set_locality,
            reject_locality_4: config.reject_locality_4,
            end_with_client: config.end_with_control,
        },
        data_options,
        files.to_vec(),
        ended.clone(),
    );
    if let Some(mut signals) = config.signals {
        spawn_to_end("swtpm-signals", ended, move || {
            signals.forever().next();
            Ok(())
        })?;
    }
    match (config.control, config.inherited_control) {
        (Some(listener), _) => spawn_to_end("swtpm-control", ended, move || control.serve(&listener))?,
        (None, Some(stream)) => spawn_to_end("swtpm-control", ended, move || {
            control.serve_one(stream);
            Ok(())
        })?,
        (None, None) => {}
    }
    if let Some(listener) = config.data {
        let machine = machine.clone();
        spawn_to_end("swtpm-data", ended, move || data::listen(&machine, &listener, data_options))?;
    }
    if let Some(stream) = config.inherited {
        let machine = machine.clone();
        spawn_to_end("swtpm-inherited", ended, move || {
            drop(data::converse(&machine, stream, data_options));
            Ok(())
        })?;
    }
    Ok(())
}

/// Starts a thread with whose end the service ends.
fn spawn_to_end(name: &str, ended: &Ended, body: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let ended = ended.clone();
    spawn(name, move || drop(ended.send(body()))).map(drop)
}

/// Tells a service that it has ended.
type Ended = Sender<Result<()>>;

/// A TPM that is being served.
#[derive(Debug)]
pub struct Service {
    machine: Shared,
    orderly: bool,
    files: Vec<SocketFile>,
    end: Receiver<Result<()>>,
}

impl Service {
    /// Waits until the host ends it, whatever the way, and powers off.
    ///
    /// # Errors
    /// When a channel failed.
    pub fn wait(self) -> Result<()> {
        let served = self.end.recv().context("every channel is closed")?;
        self.machine.lock().power_off(self.orderly);
        // Threads that still wait for clients hold their listeners, and the process may end before they drop them.
        self.files.iter().for_each(SocketFile::remove);
        served
    }
}

/// The files of the sockets that we made.
fn socket_files(config: &Config) -> Vec<SocketFile> {
    [&config.control, &config.data].into_iter().flatten().filter_map(Listener::file).cloned().collect()
}

pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(body).with_context(|| format!("starting the thread {name}"))
}
