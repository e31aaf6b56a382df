// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A simulated confidential VM: an e-vTPM at VMPL 0, and a guest that reaches it by SVSM calls alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use evtpm_client::{Transport, TransportError};
use evtpm_engine::{Platform, Profile};
use evtpm_snp::PAGE_SIZE;
use evtpm_sp_sim::Host;
use evtpm_sp_simd::Channel;
use evtpm_svsm::{GuestChannel, GuestMemory, NotGuestMemory, Svsm};
use evtpm_svsm_abi::vtpm::{SendCommand, parse_response};
use evtpm_tpmd::devices::platform::HostedPlatform;

use crate::launch::{self, Image};

/// A running machine; a clone is the same machine, which several drivers of its guest share.
#[derive(Debug)]
pub(crate) struct Vm<P: Platform = HostedPlatform> {
    svsm: Arc<Mutex<Svsm<P, Channel<Host>>>>,
}

impl<P: Platform> Clone for Vm<P> {
    fn clone(&self) -> Self {
        Vm { svsm: Arc::clone(&self.svsm) }
    }
}

impl Vm {
    /// Launches an image on a host, and manufactures its TPM.
    pub(crate) fn launch(host: Host, image: &Image<'_>) -> Result<Self> {
        Vm::launch_on(HostedPlatform::new(), host, image)
    }
}

impl<P: Platform> Vm<P> {
    /// As [`Vm::launch`], with other surroundings for the TPM.
    pub(crate) fn launch_on(platform: P, host: Host, image: &Image<'_>) -> Result<Self> {
        let (channel, processor) = launch::launch(host, image)?;
        Vm::manufacture(platform, processor, channel)
    }

    /// Manufactures a TPM at VMPL 0 of a machine that is launched already.
    pub(crate) fn manufacture(platform: P, processor: Channel<Host>, channel: GuestChannel) -> Result<Self> {
        let svsm = Svsm::manufacture(platform, Profile::svsm(), processor, channel)
            .map_err(|_| anyhow::anyhow!("there is not enough memory for a TPM"))?;
        Ok(Vm { svsm: Arc::new(Mutex::new(svsm)) })
    }

    /// Borrows VMPL 0, for one call.
    pub(crate) fn svsm(&self) -> MutexGuard<'_, Svsm<P, Channel<Host>>> {
        self.svsm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guest's driver: one page, the SVSM vTPM protocol's command, one call.
impl<P: Platform> Transport for Vm<P> {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let mut page = [0; PAGE_SIZE];
        SendCommand { locality: 0, tpm_command: command }.write(&mut page).map_err(TransportError::new)?;
        let length = self
            .svsm()
            .vtpm_command(&mut page)
            .map_err(|code| TransportError::new(format!("the SVSM refused the call: {code:?}")))?;
        let answer = parse_response(page.get(..length).unwrap_or_default()).map_err(TransportError::new)?;
        response.clear();
        response.extend_from_slice(answer);
        Ok(())
    }
}

/// The guest's memory, from address 0.
#[derive(Debug)]
pub(crate) struct Memory(pub(crate) Vec<u8>);

impl Memory {
    /// Finds where an address range is.
    pub(crate) fn range(&self, gpa: u64, length: u64) -> Result<std::ops::Range<usize>, NotGuestMemory> {
        let end = gpa.checked_add(length).filter(|end| *end <= self.0.len() as u64).ok_or(NotGuestMemory { gpa })?;
        Ok(gpa as usize..end as usize)
    }
}

impl GuestMemory for Memory {
    fn read(&self, gpa: u64, out: &mut [u8]) -> Result<(), NotGuestMemory> {
        out.copy_from_slice(&self.0[self.range(gpa, out.len() as u64)?]);
        Ok(())
    }

    fn write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), NotGuestMemory> {
        let range = self.range(gpa, bytes.len() as u64)?;
        self.0[range].copy_from_slice(bytes);
        Ok(())
    }

    fn is_writable(&self, gpa: u64, length: u64) -> bool {
        self.range(gpa, length).is_ok()
    }
}
