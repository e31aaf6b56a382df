// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is launched decides the digest, and the digest is the one that others compute.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use std::format;

use super::{POLICY, Page, image, launch, processor};
use crate::{Identification, LaunchFinish, LaunchPage, LaunchStart, Platform, Processor, Product};
use evtpm_crypto::{Crypto as _, EccCurve, EccPrivate, HashAlg, RustCrypto, drbg::HmacDrbg};
use evtpm_snp::vmsa::{BSP_RESET_EIP, Vmsa};
use evtpm_snp::{
    EcdsaPublicKey, EcdsaSignature, GuestMessage, GuestPolicy, IdAuth, IdBlock, LaunchDigest, PAGE_SIZE, PageType,
    PlatformInfo, Status, U32, U64, cpuid, launch as snp_launch,
};
use proptest::prelude::*;

fn digest_of(pages: Vec<Page>) -> LaunchDigest {
    let mut processor = processor(Product::Milan);
    // Pages other than the secrets page of the image give the guest no key; report through a fresh one if need be.
    let (mut guest, _) = launch(&mut processor, pages, &LaunchFinish::default()).unwrap();
    guest.report(&mut processor, [0; 64]).measurement()
}

/// A firmware file with the tables that tell where the other pages go: parsed by the `sev` crate, never by us.
fn firmware(sections: &[(u32, u32, u32)], ap_eip: u32) -> Vec<u8> {
    let mixed = |digits: u128| {
        let [a, b, c, d, e, f, g, h, rest @ ..] = digits.to_be_bytes();
        [&[d, c, b, a, f, e, h, g][..], &rest].concat()
    };
    let entry = |data: u32, guid: u128| [&data.to_le_bytes()[..], &22_u16.to_le_bytes(), &mixed(guid)].concat();

    let mut metadata = b"ASEV".to_vec();
    for word in [16 + 12 * sections.len() as u32, 1, sections.len() as u32] {
        metadata.extend_from_slice(&word.to_le_bytes());
    }
    for (gpa, size, section) in sections {
        metadata.extend([gpa, size, section].into_iter().flat_map(|word| word.to_le_bytes()));
    }
    let mut table = entry(0x200, 0xdc886566_984a_4798_a75e_5585a7bf67cc);
    table.extend(entry(ap_eip, 0x00f771de_1a7e_4fcb_890e_68c77e2fb44e));
    table.extend((table.len() as u16 + 18).to_le_bytes());
    table.extend(mixed(0x96b582de_1fb2_45f7_baea_a366c55a082d));

    let mut file: Vec<u8> = (0..3 * PAGE_SIZE).map(|position| (position / 7) as u8).collect();
    let size = file.len();
    file[size - 0x200..size - 0x200 + metadata.len()].copy_from_slice(&metadata);
    file[size - 32 - table.len()..size - 32].copy_from_slice(&table);
    file
}

#[test]
fn the_sev_crate_computes_the_same_digest_for_the_same_guest() {
    let sections = [
        (0x80_0000, 0x3000, 1),
        (0x80_a000, 0x1000, 2),
        (0x80_b000, 0x1000, 3),
        (0x80_c000, 0x1000, 4),
        (0x80_d000, 0x2000, 1),
    ];
    let ap_eip = 0x0080_b004;
    let file = firmware(&sections, ap_eip);
    let path = std::env::temp_dir().join(format!("evtpm-sp-sim-firmware-{}", std::process::id()));
    std::fs::write(&path, &file).unwrap();

    for (cpu, signature) in [
        (sev::measurement::vcpu_types::CpuType::EpycMilan, cpuid::signature(25, 1, 1)),
        (sev::measurement::vcpu_types::CpuType::EpycGenoa, cpuid::signature(25, 17, 0)),
    ] {
        for processors in [1, 3] {
            let theirs = sev::measurement::snp::snp_calc_launch_digest(sev::measurement::snp::SnpMeasurementArgs {
                vcpus: processors,
                vcpu_type: cpu,
                ovmf_file: path.clone(),
                guest_features: sev::measurement::vmsa::GuestFeatures(1),
                kernel_file: None,
                initrd_file: None,
                append: None,
                ovmf_hash_str: None,
                vmm_type: Some(sev::measurement::vmsa::VMMType::QEMU),
            })
            .unwrap();

            let ours = digest_of(qemu_pages(&file, &sections, ap_eip, processors, signature));
            assert_eq!(ours.to_string(), theirs.get_hex_ld());
        }
    }
    std::fs::remove_file(path).unwrap();
}

/// The pages that QEMU launches: firmware below 4 GiB, metadata sections, one VMSA per processor.
fn qemu_pages(file: &[u8], sections: &[(u32, u32, u32)], ap_eip: u32, processors: u32, signature: u32) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let base = 0x1_0000_0000 - file.len() as u64;
    for (number, page) in file.chunks(PAGE_SIZE).enumerate() {
        let contents = Box::new(page.try_into().unwrap());
        pages.push((PageType::Normal, base + (number * PAGE_SIZE) as u64, contents));
    }
    for (gpa, size, section) in sections {
        let page_type = match section {
            2 => PageType::Secrets,
            3 => PageType::Cpuid,
            _ => PageType::Zero,
        };
        for offset in (0..*size).step_by(PAGE_SIZE) {
            pages.push((page_type, u64::from(gpa + offset), Box::new([0; PAGE_SIZE])));
        }
    }
    for processor in 0..processors {
        let eip = if processor == 0 { BSP_RESET_EIP } else { ap_eip };
        let vmsa = Vmsa::qemu_reset(eip, signature, 1);
        pages.push((PageType::Vmsa, snp_launch::VMSA_GPA, Box::new(*vmsa.as_bytes())));
    }
    pages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_flipped_bit_of_a_measured_page_changes_the_digest(page in 0_usize..3, position in 0_usize..PAGE_SIZE, bit in 0_u32..8) {
        let page = [0, 1, 6][page];
        let mut changed = image();
        changed[page].2[position] ^= 1 << bit;
        prop_assert_ne!(digest_of(changed), digest_of(image()));
    }

    #[test]
    fn each_flipped_bit_of_an_address_changes_the_digest(page in 0_usize..7, bit in 12_u32..64) {
        let mut changed = image();
        changed[page].1 ^= 1 << bit;
        prop_assert_ne!(digest_of(changed), digest_of(image()));
    }

    #[test]
    fn exchanging_two_pages_changes_the_digest(first in 0_usize..7, second in 0_usize..7) {
        prop_assume!(first != second);
        let mut changed = image();
        changed.swap(first, second);
        prop_assert_ne!(digest_of(changed), digest_of(image()));
    }
}

#[test]
fn another_page_type_changes_the_digest() {
    for page in [0, 1, 2, 3] {
        for page_type in [PageType::Normal, PageType::Vmsa, PageType::Zero, PageType::Unmeasured] {
            let mut changed = image();
            if changed[page].0 != page_type {
                changed[page].0 = page_type;
                assert_ne!(digest_of(changed), digest_of(image()), "{page} {page_type:?}");
            }
        }
    }
}

#[test]
fn permissions_of_lower_levels_are_measured() {
    let digest = |vmpl_permissions| {
        let mut processor = processor(Product::Milan);
        let handle = processor.launch_start(&LaunchStart::new(POLICY)).unwrap();
        let mut page = [0; PAGE_SIZE];
        let update = LaunchPage { vmpl_permissions, ..LaunchPage::new(PageType::Secrets, 0x1000, &mut page) };
        processor.launch_update(handle, update).unwrap();
        processor.launch_finish(handle, &LaunchFinish::default()).unwrap();
        let vmpck = page[0x20..0x40].try_into().unwrap();
        super::Guest { handle, vmpck, level: 0, next: 1 }.report(&mut processor, [0; 64]).measurement()
    };
    assert_ne!(digest([0, 0, 0]), digest([1, 0, 0]));
    assert_ne!(digest([1, 0, 0]), digest([0, 0, 1]));
}

#[test]
fn pages_that_are_not_measured_may_differ() {
    let mut changed = image();
    changed[3].2.fill(0xee);
    assert_eq!(digest_of(changed), digest_of(image()));
}

#[test]
fn the_firmware_writes_zero_and_secrets_pages() {
    let mut processor = processor(Product::Genoa);
    let guest = processor.launch_start(&LaunchStart { gosvw: [9; 16], ..LaunchStart::new(POLICY) }).unwrap();
    let mut page = [0xff; PAGE_SIZE];
    processor.launch_update(guest, LaunchPage::new(PageType::Zero, 0, &mut page)).unwrap();
    assert_eq!(page, [0; PAGE_SIZE]);
    processor.launch_update(guest, LaunchPage::new(PageType::Secrets, 0, &mut page)).unwrap();
    let secrets = evtpm_snp::secrets::SecretsPage::view(&page).unwrap();
    assert_eq!((secrets.gosvw, secrets.fms.get()), ([9; 16], cpuid::signature(25, 17, 1)));
    let keys: std::collections::BTreeSet<_> = secrets.vmpck.into_iter().collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn commands_out_of_order_are_refused() {
    let mut processor = processor(Product::Milan);
    let guest = processor.launch_start(&LaunchStart::new(POLICY)).unwrap();
    let (mut page, request) = ([0; PAGE_SIZE], GuestMessage::zeroed());
    let mut response = GuestMessage::zeroed();
    assert_eq!(processor.guest_request(guest, &request, &mut response), Err(Status::INVALID_GUEST_STATE));
    processor.launch_finish(guest, &LaunchFinish::default()).unwrap();
    let update = LaunchPage::new(PageType::Normal, 0, &mut page);
    assert_eq!(processor.launch_update(guest, update), Err(Status::INVALID_GUEST_STATE));
    assert_eq!(processor.launch_finish(guest, &LaunchFinish::default()), Err(Status::INVALID_GUEST_STATE));
    processor.decommission(guest).unwrap();
    assert_eq!(processor.decommission(guest), Err(Status::INVALID_GUEST));
    assert_eq!(processor.guest_request(guest, &request, &mut response), Err(Status::INVALID_GUEST));
}

#[test]
fn malformed_pages_are_refused() {
    let mut processor = processor(Product::Milan);
    let guest = processor.launch_start(&LaunchStart::new(POLICY)).unwrap();
    let mut page = [0; PAGE_SIZE];
    let unaligned = LaunchPage::new(PageType::Normal, 0x1001, &mut page);
    assert_eq!(processor.launch_update(guest, unaligned), Err(Status::INVALID_ADDRESS));
    page[0] = 65;
    let cpuid = LaunchPage::new(PageType::Cpuid, 0x1000, &mut page);
    assert_eq!(processor.launch_update(guest, cpuid), Err(Status::INVALID_PARAM));
}

#[test]
fn a_policy_that_the_platform_does_not_meet_is_refused() {
    let start = |policy, info| {
        let platform = Platform { platform_info: PlatformInfo(info), ..Platform::new(Product::Milan, [3; 32]) };
        Processor::new(platform, &[5; 32]).unwrap().launch_start(&LaunchStart::new(GuestPolicy(policy))).map(|_| ())
    };
    assert_eq!(start(0x3_0000, 0), Ok(()));
    assert_eq!(start(0x1_0000, 0), Err(Status::INVALID_PARAM));
    assert_eq!(start(0x3_0000 | 1 << 40, 0), Err(Status::INVALID_PARAM));
    assert_eq!(start(0x3_0200, 0), Err(Status::POLICY_FAILURE));
    assert_eq!(start(0x3_01ff, 0), Err(Status::POLICY_FAILURE));
    assert_eq!(start(0x2_0000, PlatformInfo::SMT), Err(Status::POLICY_FAILURE));
    assert_eq!(start(0x3_0000 | GuestPolicy::CIPHERTEXT_HIDING, 0), Err(Status::POLICY_FAILURE));
    assert_eq!(start(0x3_0000 | GuestPolicy::RAPL_DISABLED, PlatformInfo::RAPL_DISABLED), Ok(()));
}

struct Signer {
    private: EccPrivate,
    rng: HmacDrbg<RustCrypto>,
}

impl Signer {
    fn new(seed: u8) -> Self {
        let mut rng = HmacDrbg::new(&[seed; 32], &[], b"id key");
        Self { private: EccPrivate::generate(EccCurve::P384, &mut rng).unwrap(), rng }
    }

    fn public(&self) -> EcdsaPublicKey {
        let point = RustCrypto::ecc_public(&self.private).unwrap();
        EcdsaPublicKey::from_be(point.x().try_into().unwrap(), point.y().try_into().unwrap())
    }

    fn sign(&mut self, message: &[u8]) -> EcdsaSignature {
        let digest = RustCrypto::hash(HashAlg::Sha384, &[message]);
        let signature = RustCrypto::ecdsa_sign(&self.private, digest.as_bytes(), &mut self.rng).unwrap();
        EcdsaSignature::from_be(signature.r().try_into().unwrap(), signature.s().try_into().unwrap())
    }
}

fn sha384(data: &[u8]) -> [u8; 48] {
    RustCrypto::hash(HashAlg::Sha384, &[data]).as_bytes().try_into().unwrap()
}

/// An ID block that fits the test image, and its authentication by an ID key and an author key.
fn identification() -> (IdBlock, IdAuth) {
    let block = IdBlock {
        family_id: [1; 16],
        image_id: [2; 16],
        guest_svn: U32::new(0x1_0009),
        ..IdBlock::new(digest_of(image()), POLICY)
    };
    (block, authenticate(&block))
}

fn authenticate(block: &IdBlock) -> IdAuth {
    let (mut id, mut author) = (Signer::new(1), Signer::new(2));
    let id_key_signature = author.sign(id.public().as_bytes());
    IdAuth::new(id.public(), id.sign(block.as_bytes())).with_author(author.public(), id_key_signature)
}

fn finish_with(block: &IdBlock, auth: &IdAuth, author_key_enabled: bool) -> Result<evtpm_snp::Report, Status> {
    let mut processor = processor(Product::Milan);
    let identification = Some(Identification { block, auth, author_key_enabled });
    let finish = LaunchFinish { identification, host_data: [0xab; 32] };
    let (mut guest, _) = launch(&mut processor, image(), &finish)?;
    Ok(guest.report(&mut processor, [0; 64]))
}

#[test]
fn an_id_block_is_reported_with_the_digests_of_its_keys() {
    let (block, auth) = identification();
    let report = finish_with(&block, &auth, true).unwrap();
    assert_eq!((report.family_id(), report.image_id(), report.guest_svn()), ([1; 16], [2; 16], 0x1_0009));
    assert_eq!(report.id_key_digest(), &sha384(auth.id_key.as_bytes()));
    assert_eq!(report.author_key_digest(), &sha384(auth.author_key.as_bytes()));
    assert!(report.key_info().author_key_enabled());
    assert_eq!(report.host_data(), &[0xab; 32]);

    let report = finish_with(&block, &auth, false).unwrap();
    assert_eq!(report.author_key_digest(), &[0; 48]);
    assert!(!report.key_info().author_key_enabled());
}

#[test]
fn an_id_block_that_was_not_signed_so_is_refused() {
    let (block, auth) = identification();
    let altered = IdBlock { guest_svn: U32::new(0), ..block };
    assert_eq!(finish_with(&altered, &auth, false).unwrap_err(), Status::BAD_SIGNATURE);

    let mut forged = auth.clone();
    forged.id_block_signature.s[0] ^= 1;
    assert_eq!(finish_with(&block, &forged, false).unwrap_err(), Status::BAD_SIGNATURE);

    let mut other_author = auth.clone();
    other_author.author_key = Signer::new(3).public();
    assert_eq!(finish_with(&block, &other_author, true).unwrap_err(), Status::BAD_SIGNATURE);
    assert!(finish_with(&block, &other_author, false).is_ok());

    let mut other_curve = auth.clone();
    other_curve.id_key.curve = U32::new(1);
    assert_eq!(finish_with(&block, &other_curve, false).unwrap_err(), Status::INVALID_PARAM);
}

#[test]
fn a_signed_id_block_for_another_guest_is_refused() {
    let (block, _) = identification();
    let other_digest = IdBlock { launch_digest: [1; 48], ..block };
    assert_eq!(finish_with(&other_digest, &authenticate(&other_digest), true).unwrap_err(), Status::BAD_MEASUREMENT);
    let other_policy = IdBlock { policy: U64::new(0x3_0000 | GuestPolicy::DEBUG), ..block };
    assert_eq!(finish_with(&other_policy, &authenticate(&other_policy), true).unwrap_err(), Status::POLICY_FAILURE);
    let other_version = IdBlock { version: U32::new(2), ..block };
    assert_eq!(finish_with(&other_version, &authenticate(&other_version), true).unwrap_err(), Status::BAD_VERSION);
}

#[test]
fn a_refused_finish_leaves_the_guest_in_launch() {
    let mut processor = processor(Product::Milan);
    let guest = processor.launch_start(&LaunchStart::new(POLICY)).unwrap();
    let (block, auth) = identification();
    let identification = Some(Identification { block: &block, auth: &auth, author_key_enabled: true });
    let refused = LaunchFinish { identification, host_data: [0; 32] };
    assert_eq!(processor.launch_finish(guest, &refused), Err(Status::BAD_MEASUREMENT));
    assert_eq!(processor.launch_finish(guest, &LaunchFinish::default()), Ok(()));
}
