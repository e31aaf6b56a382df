// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One simulated machine: its TPM, its logs, its attester.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use evtpm_agent::attester::Attester;
use evtpm_agent::logs::Logs;
use evtpm_agent::random::SystemRng;
use evtpm_agent::verifier::Connection;
use evtpm_api::{QuoteChallenge, Registered, RuntimeEvidence, Verdict};
use evtpm_client::{Client, Transport, TransportError};
use evtpm_engine::Profile;
use evtpm_logs::ima::{AggregateRange, boot_aggregate};
use evtpm_logs::{EventLog, HashId};
use evtpm_sp_sim::Host;
use evtpm_sp_simd::Channel;
use evtpm_tpmd::device::Device as _;
use evtpm_tpmd::devices::svsm::SvsmDevice;
use evtpm_verify::logs::CryptoHashes;
use hyper::Method;

use crate::world::launched;
use crate::{RecordedBoot, World, entry, file, measure_files};

/// The TPM of a machine, which the machine resets while its attester has it.
#[derive(Debug, Clone)]
struct Tpm(Arc<Mutex<SvsmDevice<Channel<Host>>>>);

impl Transport for Tpm {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        *response = self.0.lock().unwrap_or_else(PoisonError::into_inner).execute(0, command);
        Ok(())
    }
}

/// How a round is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Files that are opened before it: IMA's list grows by them.
    pub files: u32,
    /// Sends the whole logs, whatever is asked for.
    pub whole: bool,
    /// Wants the verdict as a signed result too.
    pub result: bool,
}

/// A machine that booted.
#[derive(Debug)]
pub struct Machine {
    name: String,
    tpm: Tpm,
    attester: Attester<Tpm, SystemRng>,
    registered: Option<Registered>,
    logs: Logs,
    /// The file that is opened next, and how many the policy knows.
    next: (u32, u32),
}

impl Machine {
    /// Launches a machine and boots it: firmware and kernel measure, then `opened` of the policy's `files` files are opened.
    ///
    /// # Errors
    /// Names the step that failed.
    pub fn boot(world: &World, name: impl Into<String>, files: u32, opened: u32) -> Result<Self> {
        let (channel, processor) = launched()?;
        let tpm = Tpm(Arc::new(Mutex::new(SvsmDevice::new(Profile::svsm(), processor, channel)?)));
        let (attester, logs) = booted(&tpm, &world.boot)?;
        let mut machine = Machine { name: name.into(), tpm, attester, registered: None, logs, next: (0, files) };
        machine.open_files(opened)?;
        Ok(machine)
    }

    /// Resets the guest: a new TPM with new keys, and a new boot, by another name where one is given.
    ///
    /// # Errors
    /// Names the step that failed.
    pub fn reboot(&mut self, world: &World, name: Option<String>) -> Result<()> {
        (self.attester, self.logs) = booted(&self.tpm, &world.boot)?;
        self.registered = None;
        self.next.0 = 0;
        self.name = name.unwrap_or_else(|| self.name.clone());
        Ok(())
    }

    /// Returns the machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the verifier calls this boot, once it is registered.
    #[must_use]
    pub fn registered(&self) -> Option<&Registered> {
        self.registered.as_ref()
    }

    /// Borrows what quotes and registers.
    pub fn attester(&mut self) -> &mut Attester<impl Transport + use<>, SystemRng> {
        &mut self.attester
    }

    /// Registers this boot.
    ///
    /// # Errors
    /// The verifier's refusal, or a lost connection.
    pub async fn register(&mut self, connection: &mut Connection) -> Result<()> {
        let registered = self.attester.register(connection, &self.name).await;
        self.registered = Some(registered.with_context(|| format!("registering {}", self.name))?);
        Ok(())
    }

    /// Opens files: IMA measures each.
    ///
    /// # Errors
    /// When the TPM refuses.
    pub fn open_files(&mut self, count: u32) -> Result<()> {
        let mut list = Vec::new();
        for _ in 0..count {
            let (number, files) = self.next;
            let (path, digest) = file(number % files.max(1))?;
            list.extend(entry(path.as_bytes(), &digest)?);
            self.next.0 = number.wrapping_add(1);
        }
        measure_files(self.attester.tpm(), &list)?;
        self.logs.ima_log.extend(list);
        Ok(())
    }

    /// Attests once.
    ///
    /// # Errors
    /// The verifier's refusal, or a lost connection; a verdict is not an error, whatever it says.
    pub async fn attest(&mut self, connection: &mut Connection, round: Round) -> Result<Verdict> {
        self.open_files(round.files)?;
        self.attester.want_results(round.result);
        let mut challenge = self.challenge(connection).await?;
        if round.whole {
            challenge.event_log = true;
            challenge.ima_from = 0;
        }
        let evidence = self.evidence(connection, &challenge)?;
        self.show(connection, &evidence).await
    }

    /// Asks for a challenge.
    ///
    /// # Errors
    /// As [`Machine::attest`].
    pub async fn challenge(&mut self, connection: &mut Connection) -> Result<QuoteChallenge> {
        connection.request(Method::POST, &self.path("challenges")?, &()).await
    }

    /// Quotes in answer to a challenge.
    ///
    /// # Errors
    /// When the TPM refuses.
    pub fn evidence(&mut self, connection: &Connection, challenge: &QuoteChallenge) -> Result<RuntimeEvidence> {
        let logs = &self.logs;
        self.attester.quote(challenge, connection.binding(), || Ok(logs.clone()))
    }

    /// Shows evidence to the verifier.
    ///
    /// # Errors
    /// As [`Machine::attest`].
    pub async fn show(&mut self, connection: &mut Connection, evidence: &RuntimeEvidence) -> Result<Verdict> {
        connection.request(Method::PUT, &self.path("evidence")?, evidence).await
    }

    fn path(&self, what: &str) -> Result<String> {
        let registered = self.registered.as_ref().context("the machine is not registered")?;
        Ok(format!("/attesters/{}/{what}", registered.attester))
    }

    /// Attests once, and expects that the machine is trusted.
    ///
    /// # Errors
    /// As [`Machine::attest`]; and another verdict.
    pub async fn attest_well(&mut self, connection: &mut Connection, round: Round) -> Result<()> {
        let verdict = self.attest(connection, round).await?;
        let reasons: Vec<_> = verdict.findings.iter().take(3).map(|finding| &finding.message).collect();
        ensure!(verdict.verdict == "trusted", "{} is {}: {reasons:?}", self.name, verdict.verdict);
        Ok(())
    }
}

/// Powers the TPM on (a second time is a reset), and plays the boot into it.
fn booted(tpm: &Tpm, boot: &RecordedBoot) -> Result<(Attester<Tpm, SystemRng>, Logs)> {
    tpm.0.lock().unwrap_or_else(PoisonError::into_inner).power_on()?;
    let mut client = Client::new(tpm.clone(), SystemRng);
    boot.play(&mut client)?;
    let quoted = EventLog::parse(&boot.event_log)?.replay(&[HashId::SHA256], &CryptoHashes)?;
    let bank = quoted.first().context("the boot log has no SHA-256")?;
    let aggregate = boot_aggregate(bank, AggregateRange::of(HashId::SHA256), &CryptoHashes)?;
    let ima_log = entry(b"boot_aggregate", aggregate.as_bytes())?;
    measure_files(&mut client, &ima_log)?;
    let attester = Attester::new(client.into_transport(), SystemRng)?;
    Ok((attester, Logs { event_log: boot.event_log.clone(), ima_log }))
}
