// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A simulated chip and a guest launched on it, whose VMPL 0 is an e-vTPM.

use evtpm_engine::Profile;
use evtpm_measure::Launch;
use evtpm_snp::launch::VMSA_GPA;
use evtpm_snp::vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa};
use evtpm_snp::{GuestMessage, GuestPolicy, LaunchDigest, PAGE_SIZE, PageType};
use evtpm_sp_sim::{Host, LaunchFinish, LaunchStart, Platform, Processor, Product};
use evtpm_sp_simd::{Channel, Launched};
use evtpm_svsm::{GuestChannel, HostError, SecureProcessor, Svsm};

use crate::{Noise, TestPlatform};

/// A machine.
pub type Machine = Svsm<TestPlatform, Tap>;

/// A policy that asks for nothing special: neither debugging nor migration.
pub const POLICY: GuestPolicy = GuestPolicy(0x3_0000);

/// The host's end of the way to the processor, which keeps what went through it.
#[derive(Debug)]
pub struct Tap {
    channel: Channel<Host>,
    sent: Vec<GuestMessage>,
}

impl Tap {
    /// Borrows the host, to have it misbehave.
    pub fn host(&mut self) -> &mut Host {
        self.channel.firmware()
    }

    /// Returns every message that the guest gave to the host.
    #[must_use]
    pub fn sent(&self) -> &[GuestMessage] {
        &self.sent
    }

    /// Checks that no two different messages were sealed under one sequence number, which is the IV.
    ///
    /// # Panics
    /// When two were.
    pub fn assert_no_iv_reuse(&self) {
        for (index, one) in self.sent.iter().enumerate() {
            for other in &self.sent[index + 1..] {
                let same_iv = one.header.sequence_number == other.header.sequence_number;
                assert!(!same_iv || one.as_bytes() == other.as_bytes(), "an IV was used for two messages");
            }
        }
    }
}

impl SecureProcessor for Tap {
    fn guest_request(
        &mut self,
        request: &GuestMessage,
        response: &mut GuestMessage,
        certificates: Option<&mut [u8]>,
    ) -> Result<(), HostError> {
        self.sent.push(request.clone());
        self.channel.guest_request(request, response, certificates)
    }
}

/// Returns an honest host of a well kept chip, with the chip's certificates installed.
#[must_use]
pub fn chip(product: Product) -> Host {
    host(Platform::new(product, [9; 32]))
}

/// Returns an honest host of this platform, with its certificates installed.
#[must_use]
pub fn host(platform: Platform) -> Host {
    let mut host = Host::new(Processor::new(platform, &[1; 32]).unwrap());
    let table = host.processor().certificate_table().unwrap();
    host.install_certificates(table);
    host
}

/// Returns the pages of a guest: a little code, the pages that the firmware fills, and the state to start with.
#[must_use]
pub fn image() -> Vec<(PageType, u64, [u8; PAGE_SIZE])> {
    vec![
        (PageType::Normal, 0x10_0000, [0x90; PAGE_SIZE]),
        (PageType::Normal, 0x10_1000, [0xcc; PAGE_SIZE]),
        (PageType::Secrets, 0x10_2000, [0; PAGE_SIZE]),
        (PageType::Cpuid, 0x10_3000, [0; PAGE_SIZE]),
        (PageType::Vmsa, VMSA_GPA, *Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE).as_bytes()),
    ]
}

/// Predicts the launch digest of [`image`], without asking any processor.
#[must_use]
pub fn predicted_measurement() -> LaunchDigest {
    let mut launch = Launch::new();
    for (page_type, gpa, contents) in &image() {
        launch.add_page(*page_type, *gpa, contents).unwrap();
    }
    launch.digest()
}

/// Launches [`image`].
pub fn launch(host: &mut Host, policy: GuestPolicy) -> Launched {
    let image = image();
    let pages = image.iter().map(|(page_type, gpa, contents)| (*page_type, *gpa, contents));
    evtpm_sp_simd::launch(host, &LaunchStart::new(policy), pages, &LaunchFinish::default()).unwrap()
}

/// Launches a guest on a host and manufactures its e-vTPM.
#[must_use]
pub fn boot(host: Host) -> Machine {
    boot_on(host, TestPlatform::new(Noise::Good(7)))
}

/// Launches a guest on a host and manufactures its e-vTPM on a platform of the test's own.
#[must_use]
pub fn boot_on(mut host: Host, platform: TestPlatform) -> Machine {
    let launched = launch(&mut host, POLICY);
    let tap = Tap { channel: Channel::new(host, launched.guest), sent: Vec::new() };
    let channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
    Svsm::manufacture(platform, Profile::svsm(), tap, channel).unwrap()
}
