// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Servers of this process on free TCP ports, for clients that are programs.

use std::net::{Ipv4Addr, SocketAddr};

use evtpm_tpmd::device::Device;
use evtpm_tpmd::endpoint::{Endpoint, Listener};
use evtpm_tpmd::fronts;
use evtpm_tpmd::machine::{Machine, Shared};

use crate::overheard::Overheard;

/// How often two neighbouring ports are looked for.
const ATTEMPTS: usize = 100;

/// Serves the device with swtpm's protocol, powered on, and returns the TCTI to reach it.
///
/// # Panics
/// When there are no ports to be had.
#[must_use]
pub fn swtpm(device: Box<dyn Device>) -> String {
    let (port, data, control) = neighbours();
    let config = fronts::swtpm::Config {
        control: Some(control),
        data: Some(data),
        power_on: true,
        allow_set_locality: true,
        ..fronts::swtpm::Config::default()
    };
    let machine = Shared::new(Machine::new(Box::new(Overheard(device))));
    std::thread::spawn(move || fronts::swtpm::serve(&machine, config).unwrap());
    format!("swtpm:host=127.0.0.1,port={port}")
}

/// Serves the device with the simulator's protocol, and returns the TCTI to reach it.
///
/// # Panics
/// When there are no ports to be had.
#[must_use]
pub fn mssim(device: Box<dyn Device>) -> String {
    unheard_mssim(Box::new(Overheard(device)))
}

/// Does as [`mssim`], without a second opinion: for responses of version 1.85, which the other codec cannot read.
///
/// # Panics
/// When there are no ports to be had.
#[must_use]
pub fn unheard_mssim(device: Box<dyn Device>) -> String {
    let (port, commands, platform) = neighbours();
    let machine = Shared::new(Machine::new(device));
    std::thread::spawn(move || fronts::mssim::serve(&machine, commands, platform).unwrap());
    format!("mssim:host=127.0.0.1,port={port}")
}

/// Binds a port that the system chooses and the next one: both protocols put their second channel there.
fn neighbours() -> (u16, Listener, Listener) {
    let bind = |port: u16| Listener::bind(&Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    let two = || {
        let first = bind(0).ok()?;
        let Ok(Endpoint::Tcp(address)) = first.endpoint() else { return None };
        Some((address.port(), first, bind(address.port().checked_add(1)?).ok()?))
    };
    (0..ATTEMPTS).find_map(|_| two()).expect("two neighbouring ports are free")
}
