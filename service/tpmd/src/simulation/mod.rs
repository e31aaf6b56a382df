// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A simulated confidential VM around an e-vTPM: a chip, a host, and a launch of real bytes.

mod launch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::{GuestMessage, GuestPolicy};
use evtpm_sp_sim::{GuestHandle, Host, LaunchFinish, LaunchStart, Platform, Processor, Refusal};
use evtpm_svsm::{GuestChannel, HostError, SecureProcessor};

/// The policy of a guest that nobody may debug or migrate: SMT allowed, ABI 0.0 or later, reserved bit 17.
pub const POLICY: GuestPolicy = GuestPolicy(0x3_0000);

/// A host with its secure processor, shared by the guests that it runs.
#[derive(Debug, Clone)]
pub struct SimulatedHost(Arc<Mutex<Host>>);

impl SimulatedHost {
    /// Powers a platform on, with a host that hands out the right certificates.
    ///
    /// # Errors
    /// When the platform is one that cannot exist.
    pub fn new(platform: Platform) -> Result<Self> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).context("the system gives no randomness")?;
        let mut host = Host::new(Processor::new(platform, &entropy)?);
        let table = host.processor().certificate_table()?;
        host.install_certificates(table);
        Ok(SimulatedHost(Arc::new(Mutex::new(host))))
    }

    /// Borrows the host, to command its processor or to make it misbehave.
    pub fn lock(&self) -> MutexGuard<'_, Host> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Launches an executable as VMPL 0, with the firmware that it starts for the guest.
    ///
    /// The pages are those of `evtpm measure`'s rules for an ELF launch, made here by other code: the launch digest comes
    /// out of the simulated processor, the expected one out of the predictor.
    ///
    /// # Errors
    /// When the executable cannot be laid out, or the processor refuses the launch.
    pub fn launch(&self, image: &Image<'_>) -> Result<SimulatedGuest> {
        let mut host = self.lock();
        let processor = host.processor();
        let guest = processor.launch_start(&LaunchStart::new(image.policy)).context("LAUNCH_START")?;
        let secrets = launch::feed(processor, guest, image)?;
        processor
            .launch_finish(guest, &LaunchFinish { identification: None, host_data: image.host_data })
            .context("LAUNCH_FINISH")?;
        Ok(SimulatedGuest { host: self.clone(), guest, secrets })
    }
}

/// What is launched, and under which terms.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// The ELF executable that plays VMPL 0.
    pub executable: &'a [u8],
    /// The firmware of the guest, if there is one.
    pub firmware: Option<&'a [u8]>,
    /// The guest policy.
    pub policy: GuestPolicy,
    /// HOST_DATA.
    pub host_data: [u8; 32],
}

/// A launched guest, as its VMPL 0 sees it: the secrets page, and the host to talk through.
#[derive(Debug)]
pub struct SimulatedGuest {
    host: SimulatedHost,
    guest: GuestHandle,
    secrets: SecretsPage,
}

impl SimulatedGuest {
    /// The secrets page that the firmware wrote at launch.
    #[must_use]
    pub fn secrets(&self) -> &SecretsPage {
        &self.secrets
    }

    /// Gives VMPL 0's channel and the way for its messages. A guest has one: a second would use sequence numbers twice.
    #[must_use]
    pub fn into_channel(self) -> (GuestChannel, SimulatedProcessor) {
        let [vmpck0, ..] = self.secrets.vmpck;
        let [messages, ..] = self.secrets.os_area.message_sequence;
        (GuestChannel::new(vmpck0, 0, messages.get()), SimulatedProcessor { host: self.host, guest: self.guest })
    }
}

/// A guest's way to the simulated processor.
#[derive(Debug, Clone)]
pub struct SimulatedProcessor {
    host: SimulatedHost,
    guest: GuestHandle,
}

impl SecureProcessor for SimulatedProcessor {
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), HostError> {
        self.host.lock().guest_request(self.guest, request, response, certificates).map_err(|refusal| match refusal {
            Refusal::Busy => HostError::Busy,
            Refusal::CertificateBufferTooSmall { pages } => HostError::BufferTooSmall { pages },
            Refusal::Firmware(status) => HostError::Firmware(status),
        })
    }
}
