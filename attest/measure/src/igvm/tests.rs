// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that the crate `igvm` writes, measured here and by that crate.

use ::igvm::{
    IgvmDirectiveHeader as Header, IgvmFile, IgvmInitializationHeader, IgvmPlatformHeader, IgvmRevision,
    measurement::generate_snp_measurement, snp_defs::SevVmsa,
};
use evtpm_snp::{
    U64,
    vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa},
};
use igvm_defs::{
    IGVM_VHS_PARAMETER_INSERT, IGVM_VHS_SNP_ID_BLOCK_PUBLIC_KEY, IGVM_VHS_SNP_ID_BLOCK_SIGNATURE,
    IGVM_VHS_SUPPORTED_PLATFORM, IgvmPageDataFlags, IgvmPageDataType, IgvmPlatformType,
};
use zerocopy::{FromBytes as _, FromZeros as _};

use super::*;

const SNP: u32 = 1;
const ES: u32 = 2;

fn page(gpa: u64, mask: u32, data: &[u8]) -> Header {
    typed(gpa, mask, IgvmPageDataType::NORMAL, IgvmPageDataFlags::new(), data)
}

fn typed(gpa: u64, mask: u32, data_type: IgvmPageDataType, flags: IgvmPageDataFlags, data: &[u8]) -> Header {
    Header::PageData { gpa, compatibility_mask: mask, flags, data_type, data: data.to_vec() }
}

fn state(gpa: u64, mask: u32, cr0: u64) -> Header {
    let mut vmsa = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    vmsa.cr0 = U64::new(cr0);
    let vmsa = Box::new(SevVmsa::read_from_bytes(vmsa.as_bytes()).unwrap());
    Header::SnpVpContext { gpa, compatibility_mask: mask, vp_index: 0, vmsa }
}

fn insert(gpa: u64, area: u32) -> Header {
    let (compatibility_mask, parameter_area_index) = (SNP, area);
    Header::ParameterInsert(IGVM_VHS_PARAMETER_INSERT { gpa, compatibility_mask, parameter_area_index })
}

/// One directive of every kind that a launch with SNP can have, and one of another platform.
fn directives() -> Vec<Header> {
    let flags = IgvmPageDataFlags::new();
    vec![
        Header::ParameterArea { number_of_bytes: 0x2000, parameter_area_index: 0, initial_data: vec![] },
        page(0x10_0000, SNP | ES, &[1; PAGE_SIZE]),
        page(0x10_1000, SNP | ES, &[2; PAGE_SIZE]),
        page(0x10_2000, SNP | ES, &[]),
        page(0x20_0000, ES, &[3; PAGE_SIZE]),
        typed(0x10_3000, SNP | ES, IgvmPageDataType::NORMAL, flags.with_unmeasured(true), &[4; PAGE_SIZE]),
        typed(0x10_4000, SNP, IgvmPageDataType::SECRETS, flags, &[]),
        typed(0x10_5000, SNP, IgvmPageDataType::CPUID_DATA, flags, &[5; PAGE_SIZE]),
        typed(0x10_6000, SNP, IgvmPageDataType::NORMAL, flags.with_shared(true), &[6; PAGE_SIZE]),
        Header::RequiredMemory {
            gpa: 0x30_0000,
            compatibility_mask: SNP,
            number_of_bytes: 0x4000,
            vtl2_protectable: false,
        },
        insert(0x10_7000, 0),
        state(VMSA_GPA, SNP, 0x31),
        state(VMSA_GPA, ES, 0x31),
    ]
}

fn write(directives: Vec<Header>) -> Vec<u8> {
    let platform = |compatibility_mask, platform_type| {
        IgvmPlatformHeader::SupportedPlatform(IGVM_VHS_SUPPORTED_PLATFORM {
            compatibility_mask,
            highest_vtl: 0,
            platform_type,
            platform_version: 1,
            shared_gpa_boundary: 0,
        })
    };
    let policy = IgvmInitializationHeader::GuestPolicy { policy: 0x3_0000, compatibility_mask: SNP };
    let platforms = vec![platform(SNP, IgvmPlatformType::SEV_SNP), platform(ES, IgvmPlatformType::SEV_ES)];
    let file = IgvmFile::new(IgvmRevision::V1, platforms, vec![policy], directives).unwrap();
    let mut bytes = Vec::new();
    file.serialize(&mut bytes).unwrap();
    bytes
}

fn digest(bytes: &[u8]) -> LaunchDigest {
    launch(&File::parse(bytes).unwrap(), Loader::default()).unwrap().digest()
}

#[test]
fn the_crate_igvm_measures_its_file_alike() {
    let bytes = write(directives());
    let theirs = IgvmFile::new_from_binary(&bytes, None).unwrap();
    let theirs = generate_snp_measurement(theirs.initializations(), theirs.directives(), SNP).unwrap();
    assert_eq!(digest(&bytes), LaunchDigest(theirs));
}

#[test]
fn the_pages_are_handed_over_in_the_order_of_the_file() {
    let bytes = write(directives());
    let launch = launch(&File::parse(&bytes).unwrap(), Loader::default()).unwrap();
    let ranges: Vec<_> = launch.ranges().iter().map(|range| (range.page_type, range.gpa, range.count)).collect();
    assert_eq!(
        ranges,
        [
            (PageType::Normal, 0x10_0000, 2),
            (PageType::Normal, 0x10_2000, 1),
            (PageType::Unmeasured, 0x10_3000, 1),
            (PageType::Secrets, 0x10_4000, 1),
            (PageType::Cpuid, 0x10_5000, 1),
            (PageType::Unmeasured, 0x10_7000, 2),
            (PageType::Vmsa, VMSA_GPA, 1),
        ]
    );
}

#[test]
fn sev_es_hashes_normal_pages_and_states_alone() {
    let bytes = write(directives());
    let launch = sev_launch(&File::parse(&bytes).unwrap(), Platform::SevEs, Loader::default()).unwrap();
    let mut vmsa = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    vmsa.cr0 = U64::new(0x31);
    let mut expected = SevLaunch::new();
    for contents in [[1; PAGE_SIZE], [2; PAGE_SIZE], [0; PAGE_SIZE], [3; PAGE_SIZE], *vmsa.as_bytes()] {
        expected.add_data(0, &contents).unwrap();
    }
    assert_eq!(launch.digest(), expected.digest());
}

#[test]
fn zero_pages_are_another_type_only_where_the_loader_makes_them_so() {
    let bytes = write(directives());
    let file = File::parse(&bytes).unwrap();
    let native = launch(&file, Loader { native_zero: true, ..Loader::default() }).unwrap();
    assert!(native.ranges().iter().any(|range| range.page_type == PageType::Zero && range.gpa == 0x10_2000));
    assert_ne!(native.digest(), digest(&bytes));
}

#[test]
fn what_kvm_would_launch_otherwise_is_refused_for_kvm() {
    let refused = |directives: Vec<Header>| {
        let bytes = write(directives);
        let kvm = Loader { kvm: true, ..Loader::default() };
        launch(&File::parse(&bytes).unwrap(), kvm).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused(directives()), Ok(()));
    for (directives, expected) in [
        (vec![state(0x1000, SNP, 0x31)], "at 0x1000"),
        (vec![state(VMSA_GPA, SNP, 0x11)], "CR0 is 0x11"),
        (vec![state(VMSA_GPA, SNP, 0x30), page(0x1000, SNP, &[])], "pages follow it"),
    ] {
        let error = refused(directives).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_digest_of_an_id_block_is_found() {
    let mut directives = directives();
    let signature = || Box::new(IGVM_VHS_SNP_ID_BLOCK_SIGNATURE::new_zeroed());
    let key = || Box::new(IGVM_VHS_SNP_ID_BLOCK_PUBLIC_KEY::new_zeroed());
    directives.push(Header::SnpIdBlock {
        compatibility_mask: SNP,
        author_key_enabled: 0,
        reserved: [0; 3],
        ld: [0x5a; 48],
        family_id: [0; 16],
        image_id: [0; 16],
        version: 1,
        guest_svn: 0,
        id_key_algorithm: 1,
        author_key_algorithm: 0,
        id_key_signature: signature(),
        id_public_key: key(),
        author_key_signature: signature(),
        author_public_key: key(),
    });
    let bytes = write(directives);
    let file = File::parse(&bytes).unwrap();
    assert_eq!(expected_digest(&file), Ok(Some(LaunchDigest([0x5a; 48]))));
    assert_eq!(file.policy(Platform::SevSnp), Some(0x3_0000));
    assert_eq!(file.policy(Platform::SevEs), None);
    assert!(!file.supports(Platform::Sev));
}

#[test]
fn a_file_that_was_cut_or_changed_in_its_headers_is_refused() {
    let bytes = write(directives());
    assert!((0..bytes.len()).all(|length| File::parse(&bytes[..length]).is_err()));
    let headers = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize + 24;
    for bit in 0..headers * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(File::parse(&changed).is_err(), "{bit}");
    }
}

#[test]
fn a_changed_bit_of_a_measured_page_changes_the_digest() {
    let bytes = write(directives());
    let data = bytes.len() - 7 * PAGE_SIZE;
    for at in [data, data + PAGE_SIZE] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_ne!(digest(&changed), digest(&bytes));
    }
}
