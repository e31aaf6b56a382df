// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of the service.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use evtpm_sp_sim::{Platform, Product};

use crate::server::Event;

/// What to simulate, and where to listen.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path of the socket; its owner alone can connect.
    pub socket: PathBuf,
    /// The platform.
    pub platform: Platform,
    /// From where the processor's random numbers follow; the operating system's generator unless a test needs repetition.
    pub entropy: Option<[u8; 32]>,
    /// Gives the certificate table to guests that ask for it.
    pub certificates: bool,
    /// Is told what happens.
    pub on_event: fn(&Event),
}

impl Config {
    /// Returns the configuration of a well kept platform whose host has certificates, and that tells nobody.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>, product: Product, chip_seed: [u8; 32]) -> Self {
        Self {
            socket: socket.into(),
            platform: Platform::new(product, chip_seed),
            entropy: None,
            certificates: true,
            on_event: |_| {},
        }
    }

    pub(crate) fn entropy(&self) -> io::Result<[u8; 32]> {
        if let Some(entropy) = self.entropy {
            return Ok(entropy);
        }
        let mut entropy = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut entropy)?;
        Ok(entropy)
    }
}
