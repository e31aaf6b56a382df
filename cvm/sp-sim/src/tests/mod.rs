// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's side of the simulation, as small as tests need it.

mod chain;
mod host;
mod launch;
mod messages;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::{GuestHandle, Host, LaunchFinish, LaunchPage, LaunchStart, Platform, Processor, Product};
use evtpm_crypto::aead;
use evtpm_snp::launch::VMSA_GPA;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::vmsa::Vmsa;
use evtpm_snp::{GuestMessage, GuestPolicy, MessageHeader, MessageType, PAGE_SIZE, PageType, Report, Status};

pub(crate) const POLICY: GuestPolicy = GuestPolicy(0x3_0000);

/// A page of the image to launch.
pub(crate) type Page = (PageType, u64, Box<[u8; PAGE_SIZE]>);

/// An image with a page of each type, VMSA last.
pub(crate) fn image() -> Vec<Page> {
    let text = |byte| Box::new([byte; PAGE_SIZE]);
    let mut pages = vec![
        (PageType::Normal, 0x10_0000, text(0x90)),
        (PageType::Normal, 0x10_1000, text(0xcc)),
        (PageType::Zero, 0x10_2000, text(0)),
        (PageType::Unmeasured, 0x10_3000, text(7)),
        (PageType::Secrets, 0x10_4000, text(0)),
        (PageType::Cpuid, 0x10_5000, text(0)),
    ];
    pages.push((PageType::Vmsa, VMSA_GPA, Box::new(*Vmsa::qemu_bsp(0x00a0_0f11, 1).as_bytes())));
    pages
}

/// A guest that can speak for one level.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) handle: GuestHandle,
    pub(crate) vmpck: [u8; 32],
    pub(crate) level: u8,
    pub(crate) next: u64,
}

/// Launches pages and returns the guest with the secrets page that it was given.
pub(crate) fn launch(
    processor: &mut Processor,
    pages: Vec<Page>,
    finish: &LaunchFinish<'_>,
) -> Result<(Guest, SecretsPage), Status> {
    let handle = processor.launch_start(&LaunchStart::new(POLICY))?;
    let mut secrets = SecretsPage::zeroed();
    for (page_type, gpa, mut contents) in pages {
        processor.launch_update(handle, LaunchPage::new(page_type, gpa, &mut contents))?;
        if page_type == PageType::Secrets {
            secrets = SecretsPage::view(&contents[..]).unwrap().clone();
        }
    }
    processor.launch_finish(handle, finish)?;
    let guest = Guest { handle, vmpck: secrets.vmpck[0], level: 0, next: 1 };
    Ok((guest, secrets))
}

pub(crate) fn processor(product: Product) -> Processor {
    Processor::new(Platform::new(product, [3; 32]), &[5; 32]).unwrap()
}

/// An honest host with a guest at VMPL 0 on it.
pub(crate) fn host(product: Product) -> (Host, Guest) {
    let mut processor = processor(product);
    let (guest, _) = launch(&mut processor, image(), &LaunchFinish::default()).unwrap();
    (Host::new(processor), guest)
}

impl Guest {
    /// The same guest, speaking for another level.
    pub(crate) fn at(&self, secrets: &SecretsPage, level: u8) -> Self {
        Self { vmpck: secrets.vmpck[usize::from(level)], level, next: 1, ..*self }
    }

    pub(crate) fn seal(&self, message_type: MessageType, version: u8, payload: &[u8]) -> GuestMessage {
        let header = MessageHeader::new(message_type, version, self.next, self.level, payload.len()).unwrap();
        self.seal_as(header, payload)
    }

    /// Seals under a header that need not be a legal one.
    pub(crate) fn seal_as(&self, header: MessageHeader, payload: &[u8]) -> GuestMessage {
        let mut message = GuestMessage::zeroed();
        message.header = header;
        message.room[..payload.len()].copy_from_slice(payload);
        let room = &mut message.room[..payload.len()];
        let tag = aead::seal(&self.vmpck, &header.nonce(), &header.additional_data(), room).unwrap();
        message.header.auth_tag[..16].copy_from_slice(&tag);
        message
    }

    pub(crate) fn open(&self, message: &GuestMessage) -> Option<Vec<u8>> {
        let mut message = message.clone();
        let header = message.header;
        if header.sequence_number.get() != self.next + 1 {
            return None;
        }
        let tag = *header.auth_tag.first_chunk::<16>()?;
        let payload = message.payload_mut().ok()?;
        aead::open(&self.vmpck, &header.nonce(), &header.additional_data(), payload, &tag).ok()?;
        Some(payload.to_vec())
    }

    /// Exchanges one message with the processor itself, with no host between.
    pub(crate) fn ask(
        &mut self,
        processor: &mut Processor,
        message_type: MessageType,
        version: u8,
        payload: &[u8],
    ) -> Result<Vec<u8>, Status> {
        let mut response = GuestMessage::zeroed();
        processor.guest_request(self.handle, &self.seal(message_type, version, payload), &mut response)?;
        let answer = self.open(&response).unwrap();
        assert_eq!(response.header.message_type, message_type.response().unwrap().number());
        self.next += 2;
        Ok(answer)
    }

    /// Asks for a report at the guest's own level.
    pub(crate) fn report(&mut self, processor: &mut Processor, report_data: [u8; 64]) -> Report {
        let request = ReportRequest::new(report_data, self.level.into(), KeySelect::Auto);
        let answer = self.ask(processor, MessageType::ReportRequest, 1, request.as_bytes()).unwrap();
        ReportResponse::parse(&answer).unwrap().unwrap()
    }
}
