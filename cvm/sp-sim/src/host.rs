// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The hypervisor between guests and the processor (GHCB, "SNP Guest Request"), which can be told to misbehave.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use evtpm_snp::{GuestMessage, PAGE_SIZE, Status};

use crate::command::GuestHandle;
use crate::processor::Processor;

/// Why the host did not answer a guest request with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// SNP_GUEST_VMM_ERR_BUSY: the guest has to send the identical message again later.
    Busy,
    /// SNP_GUEST_VMM_ERR_INVALID_LEN: the certificates need this many pages.
    CertificateBufferTooSmall {
        /// The number of pages.
        pages: u64,
    },
    /// The firmware's status.
    Firmware(Status),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the host is busy"),
            Self::CertificateBufferTooSmall { pages } => write!(f, "the certificates need {pages} pages"),
            Self::Firmware(status) => write!(f, "the firmware refused: {status}"),
        }
    }
}

impl core::error::Error for Refusal {}

/// One deviation from what a host should do with one guest request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Says that it is busy, and does not deliver the request.
    Busy,
    /// Delivers the request, keeps the response, and says that it is busy.
    DropResponse,
    /// Does not deliver the request, and leaves the response page as it was.
    DropRequest,
    /// Does not deliver the request, and answers with the response before.
    ReplayResponse,
    /// Delivers the request before instead of this one.
    ReplayRequest,
    /// Keeps the request back, says that it is busy, and delivers it when the next one comes, before that.
    Reorder,
    /// Cuts the response off after this many bytes.
    TruncateResponse(usize),
    /// Flips bits of one byte of the request.
    CorruptRequest {
        /// The position of the byte in the page.
        offset: usize,
        /// The bits to flip.
        mask: u8,
    },
    /// Flips bits of one byte of the response.
    CorruptResponse {
        /// The position of the byte in the page.
        offset: usize,
        /// The bits to flip.
        mask: u8,
    },
    /// Claims a failure of the firmware, and does not deliver the request.
    Firmware(Status),
}

/// A host with its secure processor.
#[derive(Debug)]
pub struct Host {
    processor: Processor,
    certificates: Vec<u8>,
    plan: VecDeque<Misbehaviour>,
    always: Option<Misbehaviour>,
    last_request: Option<(GuestHandle, GuestMessage)>,
    last_response: Option<GuestMessage>,
    withheld: Option<(GuestHandle, GuestMessage)>,
    delivered: u64,
}

impl Host {
    /// Returns an honest host that has no certificates to give.
    #[must_use]
    pub fn new(processor: Processor) -> Self {
        Self {
            processor,
            certificates: Vec::new(),
            plan: VecDeque::new(),
            always: None,
            last_request: None,
            last_response: None,
            withheld: None,
            delivered: 0,
        }
    }

    /// Returns the processor, to which the host may give commands as it likes.
    pub fn processor(&mut self) -> &mut Processor {
        &mut self.processor
    }

    /// Installs the certificate table that guests get with an extended request; any bytes will do.
    pub fn install_certificates(&mut self, table: Vec<u8>) {
        self.certificates = table;
    }

    /// Plans deviations: one for each of the next guest requests, in this order; afterwards the host is honest again.
    pub fn misbehave(&mut self, plan: impl IntoIterator<Item = Misbehaviour>) {
        self.plan.extend(plan);
    }

    /// Plans the same deviation for every request that has none of its own, until told otherwise.
    pub fn misbehave_always(&mut self, misbehaviour: Option<Misbehaviour>) {
        self.always = misbehaviour;
    }

    /// Returns how many messages the processor has been given.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Handles a guest request; with `certificates` it is an extended one, and the table goes to the start of that buffer.
    ///
    /// # Errors
    /// [`Refusal`], as EXITINFO2 would carry it. The request has not reached the processor if the certificate buffer is
    /// too small.
    pub fn guest_request(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), Refusal> {
        if let Some(buffer) = certificates {
            // A guest without certificates still gets the entry that closes the table, where there is room for it.
            let Some(place) = buffer.get_mut(..self.certificates.len()) else {
                return Err(Refusal::CertificateBufferTooSmall {
                    pages: self.certificates.len().div_ceil(PAGE_SIZE) as u64,
                });
            };
            place.copy_from_slice(&self.certificates);
            if let Some(rest) = buffer.get_mut(self.certificates.len()..) {
                rest.fill(0);
            }
        }

        if let Some((guest, message)) = self.withheld.take() {
            // There is nobody to whom the host could give the answer, or tell that there is none.
            let _late = self.deliver(guest, &message, &mut GuestMessage::zeroed());
        }
        let before = self.last_request.replace((guest, request.clone()));
        match self.plan.pop_front().or_else(|| self.always.clone()) {
            None => self.deliver(guest, request, response),
            Some(misbehaviour) => self.deviate(&misbehaviour, guest, request, response, before),
        }
    }

    fn deliver(
        &mut self,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
    ) -> Result<(), Refusal> {
        self.delivered += 1;
        self.processor.guest_request(guest, request, response).map_err(Refusal::Firmware)?;
        self.last_response = Some(response.clone());
        Ok(())
    }

    fn deviate(
        &mut self,
        misbehaviour: &Misbehaviour,
        guest: GuestHandle,
        request: &GuestMessage,
        response: &mut GuestMessage,
        before: Option<(GuestHandle, GuestMessage)>,
    ) -> Result<(), Refusal> {
        match misbehaviour {
            Misbehaviour::Busy => Err(Refusal::Busy),
            Misbehaviour::DropResponse => {
                self.deliver(guest, request, &mut GuestMessage::zeroed())?;
                Err(Refusal::Busy)
            }
            Misbehaviour::DropRequest => Ok(()),
            Misbehaviour::ReplayResponse => {
                if let Some(old) = &self.last_response {
                    *response = old.clone();
                }
                Ok(())
            }
            Misbehaviour::ReplayRequest => {
                let (guest, old) = before.unwrap_or_else(|| (guest, request.clone()));
                self.deliver(guest, &old, response)
            }
            Misbehaviour::Reorder => {
                self.withheld = Some((guest, request.clone()));
                Err(Refusal::Busy)
            }
            Misbehaviour::TruncateResponse(length) => {
                self.deliver(guest, request, response)?;
                edit(response, |page| page.iter_mut().skip(*length).for_each(|byte| *byte = 0));
                Ok(())
            }
            Misbehaviour::CorruptRequest { offset, mask } => {
                let mut request = request.clone();
                edit(&mut request, |page| flip(page, *offset, *mask));
                self.deliver(guest, &request, response)
            }
            Misbehaviour::CorruptResponse { offset, mask } => {
                self.deliver(guest, request, response)?;
                edit(response, |page| flip(page, *offset, *mask));
                Ok(())
            }
            Misbehaviour::Firmware(status) => Err(Refusal::Firmware(*status)),
        }
    }
}

fn flip(page: &mut [u8], offset: usize, mask: u8) {
    if let Some(byte) = page.get_mut(offset) {
        *byte ^= mask;
    }
}

fn edit(message: &mut GuestMessage, change: impl FnOnce(&mut [u8])) {
    let mut page = *message.as_bytes();
    change(&mut page);
    if let Ok(changed) = GuestMessage::view(&page) {
        *message = changed.clone();
    }
}
