// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The four commands, as a guest sends them, and a client that times nothing but the way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use evtpm_agent::random::SystemRng;
use evtpm_client::{Client, Object, Transport, TransportError};
use evtpm_protocol::templates;
use evtpm_tpm_wire::{
    Cc, HashAlg, PcrIndex, PcrSelect, TpmSu, TpmiRhHierarchy, TpmlPcrSelection, TpmsPcrSelection, TpmtHa,
};

use super::ways::Way;

type Tpm = Client<Timed, SystemRng>;

/// A command that is timed.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    code: Cc,
    run: fn(&mut Tpm, &Object, u32) -> Result<()>,
}

/// Figure 4's. All TPMs have the SHA-256 bank, so that all are asked for that one.
pub(crate) const COMMANDS: &[Measured] = &[
    Measured { name: "PCR_Read", code: Cc::PCR_READ, run: pcr_read },
    Measured { name: "PCR_Extend", code: Cc::PCR_EXTEND, run: pcr_extend },
    Measured { name: "Quote", code: Cc::QUOTE, run: quote },
    Measured { name: "CreatePrimary", code: Cc::CREATE_PRIMARY, run: create_primary },
];

/// The first eight PCRs: as many values as one response holds.
fn pcr_read(tpm: &mut Tpm, _: &Object, _: u32) -> Result<()> {
    let pcrs: Vec<PcrIndex> = (0..8).filter_map(PcrIndex::new).collect();
    let values = tpm.pcr_read(&selection(&pcrs)?)?;
    anyhow::ensure!(values.len() == 8, "{} values of eight PCRs", values.len());
    Ok(())
}

/// One PCR of one bank.
fn pcr_extend(tpm: &mut Tpm, _: &Object, number: u32) -> Result<()> {
    let value = TpmtHa::new(HashAlg::Sha256, &[number.to_be_bytes(); 8].concat()).context("a digest of 32 bytes")?;
    Ok(tpm.pcr_extend(PcrIndex::Pcr16, &[value])?)
}

/// PCRs 16 to 18, signed by a key on P-256.
fn quote(tpm: &mut Tpm, ak: &Object, number: u32) -> Result<()> {
    let pcrs = selection(&[PcrIndex::Pcr16, PcrIndex::Pcr17, PcrIndex::Pcr18])?;
    tpm.quote(ak, &[], &number.to_be_bytes(), &pcrs)?;
    Ok(())
}

/// A storage key on P-256.
fn create_primary(tpm: &mut Tpm, _: &Object, _: u32) -> Result<()> {
    let created = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &templates::storage_root_key())?;
    Ok(tpm.flush(created.handle)?)
}

fn selection(pcrs: &[PcrIndex]) -> Result<TpmlPcrSelection> {
    let bank = TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(pcrs) };
    TpmlPcrSelection::from_slice(&[bank]).map_err(|_| anyhow::anyhow!("a selection of one bank"))
}

/// A TPM that is started and has an attestation key.
pub(crate) struct Workload {
    pub(crate) way: &'static str,
    tpm: Tpm,
    clock: Rc<Clock>,
    ak: Object,
}

impl Workload {
    pub(crate) fn prepare(way: Way) -> Result<Self> {
        let Way { name, transport } = way;
        let clock = Rc::new(Clock::default());
        let mut tpm = Client::new(Timed { transport, clock: Rc::clone(&clock) }, SystemRng);
        tpm.startup(TpmSu::Clear).context(name)?;
        let ak = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &templates::attestation_key()).context(name)?;
        Ok(Workload { way: name, tpm, clock, ak })
    }

    /// Executes a command so many times and gives the times.
    pub(crate) fn time(&mut self, command: &Measured, count: u32) -> Result<Vec<Duration>> {
        self.clock.code.set(command.code.0);
        for number in 0..count {
            (command.run)(&mut self.tpm, &self.ak, number)
                .with_context(|| format!("{}: {}", self.way, command.name))?;
        }
        Ok(self.clock.times.take())
    }
}

/// The times of the commands with one code.
#[derive(Default)]
struct Clock {
    code: Cell<u32>,
    times: RefCell<Vec<Duration>>,
}

/// A way with a clock: from the bytes of a command to the bytes of its response.
struct Timed {
    transport: Box<dyn Transport>,
    clock: Rc<Clock>,
}

impl Transport for Timed {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let start = Instant::now();
        let result = self.transport.transmit(command, response);
        let time = start.elapsed();
        if command.get(6..10) == Some(&self.clock.code.get().to_be_bytes()) {
            self.clock.times.borrow_mut().push(time);
        }
        result
    }
}
