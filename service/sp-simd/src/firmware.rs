// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host's commands, whether the processor is in this process or behind a socket.

use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::{GuestMessage, PAGE_SIZE, PageType};
use evtpm_sp_sim::{GuestHandle, Host, LaunchFinish, LaunchPage, LaunchStart, Refusal};

use crate::error::Error;

/// What a host can ask of a secure processor.
pub trait Firmware {
    /// Begins a launch: SNP_LAUNCH_START.
    ///
    /// # Errors
    /// The firmware refuses, or cannot be reached.
    fn launch_start(&mut self, start: &LaunchStart) -> Result<GuestHandle, Error>;

    /// Adds a page, and has the firmware write into it where the page's type says so: SNP_LAUNCH_UPDATE.
    ///
    /// # Errors
    /// The firmware refuses, or cannot be reached.
    fn launch_update(&mut self, guest: GuestHandle, page: LaunchPage<'_>) -> Result<(), Error>;

    /// Ends a launch: SNP_LAUNCH_FINISH.
    ///
    /// # Errors
    /// The firmware refuses, or cannot be reached.
    fn launch_finish(&mut self, guest: GuestHandle, finish: &LaunchFinish<'_>) -> Result<(), Error>;

    /// Carries a guest's message: SNP_GUEST_REQUEST, or the extended request if there is a buffer for certificates.
    ///
    /// # Errors
    /// The host or the firmware refuses, or cannot be reached.
    fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), Error>;

    /// Forgets a guest: SNP_DECOMMISSION.
    ///
    /// # Errors
    /// The firmware refuses, or cannot be reached.
    fn decommission(&mut self, guest: GuestHandle) -> Result<(), Error>;
}

impl Firmware for Host {
    fn launch_start(&mut self, start: &LaunchStart) -> Result<GuestHandle, Error> {
        Ok(self.processor().launch_start(start).map_err(Refusal::Firmware)?)
    }

    fn launch_update(&mut self, guest: GuestHandle, page: LaunchPage<'_>) -> Result<(), Error> {
        Ok(self.processor().launch_update(guest, page).map_err(Refusal::Firmware)?)
    }

    fn launch_finish(&mut self, guest: GuestHandle, finish: &LaunchFinish<'_>) -> Result<(), Error> {
        Ok(self.processor().launch_finish(guest, finish).map_err(Refusal::Firmware)?)
    }

    fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        Ok(Host::guest_request(self, guest, request, response, certificates)?)
    }

    fn decommission(&mut self, guest: GuestHandle) -> Result<(), Error> {
        Ok(self.processor().decommission(guest).map_err(Refusal::Firmware)?)
    }
}

impl<F: Firmware + ?Sized> Firmware for &mut F {
    fn launch_start(&mut self, start: &LaunchStart) -> Result<GuestHandle, Error> {
        (**self).launch_start(start)
    }

    fn launch_update(&mut self, guest: GuestHandle, page: LaunchPage<'_>) -> Result<(), Error> {
        (**self).launch_update(guest, page)
    }

    fn launch_finish(&mut self, guest: GuestHandle, finish: &LaunchFinish<'_>) -> Result<(), Error> {
        (**self).launch_finish(guest, finish)
    }

    fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        (**self).guest_request(guest, request, response, certificates)
    }

    fn decommission(&mut self, guest: GuestHandle) -> Result<(), Error> {
        (**self).decommission(guest)
    }
}

/// A guest that runs.
#[derive(Debug)]
pub struct Launched {
    /// The guest, as the host refers to it.
    pub guest: GuestHandle,
    /// The secrets page that the firmware wrote into the guest; all zero if none was launched.
    pub secrets: SecretsPage,
}

/// Launches pages in the given order, and keeps what the firmware wrote into the last secrets page for the one who plays
/// the guest.
///
/// # Errors
/// The firmware refuses, and the guest is decommissioned; or it cannot be reached.
pub fn launch<'p>(
    firmware: &mut (impl Firmware + ?Sized),
    start: &LaunchStart,
    pages: impl IntoIterator<Item = (PageType, u64, &'p [u8; PAGE_SIZE])>,
    finish: &LaunchFinish<'_>,
) -> Result<Launched, Error> {
    let guest = firmware.launch_start(start)?;
    let launched = launch_pages(firmware, guest, pages).and_then(|secrets| {
        firmware.launch_finish(guest, finish)?;
        Ok(Launched { guest, secrets })
    });
    launched.inspect_err(|_| {
        // The launch's error is the one to report, whether the guest is forgotten now or with the connection.
        drop(firmware.decommission(guest));
    })
}

fn launch_pages<'p>(
    firmware: &mut (impl Firmware + ?Sized),
    guest: GuestHandle,
    pages: impl IntoIterator<Item = (PageType, u64, &'p [u8; PAGE_SIZE])>,
) -> Result<SecretsPage, Error> {
    let mut secrets = SecretsPage::zeroed();
    for (page_type, gpa, contents) in pages {
        let mut contents = *contents;
        firmware.launch_update(guest, LaunchPage::new(page_type, gpa, &mut contents))?;
        if page_type == PageType::Secrets {
            secrets = SecretsPage::view(&contents).map_err(|_| Error::Malformed { what: "secrets page" })?.clone();
        }
    }
    Ok(secrets)
}
