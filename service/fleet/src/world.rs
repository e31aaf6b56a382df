// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all machines of a fleet have in common: the image that is launched, the chip's line, and what a verifier is told.

use anyhow::{Context, Result};
use evtpm_agent::random::SystemRng;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::SnpPolicy;
use evtpm_crypto::Rng as _;
use evtpm_measure::Launch;
use evtpm_snp::launch::VMSA_GPA;
use evtpm_snp::vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa};
use evtpm_snp::{GuestPolicy, PAGE_SIZE, PageType, SigningKey};
use evtpm_sp_sim::{Authority, Host, LaunchFinish, LaunchStart, Platform, Processor, Product, Role};
use evtpm_sp_simd::{Channel, launch};
use evtpm_svsm::GuestChannel;

use crate::{RecordedBoot, ima_policy};

/// A guest that nobody may debug or migrate.
const POLICY: GuestPolicy = GuestPolicy(0x3_0000);
const PRODUCT: Product = Product::Milan;
/// It is public: a simulated chip has no secrets worth keeping.
const CHIP_SEED: [u8; 32] = *b"evtpm simulated chip of a fleet.";

/// The operator's side of a fleet.
#[derive(Debug, Clone)]
pub struct World {
    /// What every machine has to be.
    pub policy: Policy,
    /// The simulated root: its name and its certificate in DER.
    pub root: (String, Vec<u8>),
    /// The chip's certificates, by file name.
    pub collateral: Vec<(String, Vec<u8>)>,
    /// What firmware and kernel of each machine measured, without files.
    pub boot: RecordedBoot,
}

impl World {
    /// Accepts machines of the one image, with any of the first `files` files in their IMA lists.
    ///
    /// # Errors
    /// When the simulated chip cannot be made.
    pub fn new(files: u32) -> Result<Self> {
        let authority = Authority::new(PRODUCT);
        let root = authority.common_name(Role::Ark);
        let snp = SnpPolicy { simulated: vec![root.clone()], ..SnpPolicy::new(measurement()?) };
        let vcek = processor()?.endorsement_certificate(SigningKey::Vcek)?;
        let ask = authority.certificate(Role::Ask)?;
        Ok(World {
            policy: Policy { name: format!("{files} files"), ima: Some(ima_policy(files)?), ..Policy::new(snp) },
            root: (root, authority.certificate(Role::Ark)?),
            collateral: vec![("vcek.der".into(), vcek), ("ask.der".into(), ask)],
            boot: RecordedBoot { ima_log: Vec::new(), ..RecordedBoot::debian() },
        })
    }
}

/// Launches one guest on a chip of its own (all are chips of one seed).
pub(crate) fn launched() -> Result<(GuestChannel, Channel<Host>)> {
    let mut host = Host::new(processor()?);
    let pages = image();
    let pages = pages.iter().map(|(page_type, gpa, contents)| (*page_type, *gpa, contents));
    let launched = launch(&mut host, &LaunchStart::new(POLICY), pages, &LaunchFinish::default())
        .context("launching on the simulated processor")?;
    let [vmpck0, ..] = launched.secrets.vmpck;
    let [messages, ..] = launched.secrets.os_area.message_sequence;
    Ok((GuestChannel::new(vmpck0, 0, messages.get()), Channel::new(host, launched.guest)))
}

fn processor() -> Result<Processor> {
    let mut entropy = [0; 32];
    SystemRng.fill(&mut entropy)?;
    Ok(Processor::new(Platform::new(PRODUCT, CHIP_SEED), &entropy)?)
}

/// The pages of the guest: a little code, the pages that the firmware fills, and the state to start with.
fn image() -> [(PageType, u64, [u8; PAGE_SIZE]); 4] {
    [
        (PageType::Normal, 0x10_0000, [0x90; PAGE_SIZE]),
        (PageType::Secrets, 0x10_1000, [0; PAGE_SIZE]),
        (PageType::Cpuid, 0x10_2000, [0; PAGE_SIZE]),
        (PageType::Vmsa, VMSA_GPA, *Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE).as_bytes()),
    ]
}

/// Predicts the launch digest of the image, without asking any processor.
fn measurement() -> Result<[u8; 48]> {
    let mut launch = Launch::new();
    for (page_type, gpa, contents) in &image() {
        launch.add_page(*page_type, *gpa, contents)?;
    }
    Ok(launch.digest().0)
}
