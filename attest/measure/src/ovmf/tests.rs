// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The predictor against two others: the vectors of sev-snp-measure and the `sev` crate on Debian's firmware files.

use std::{collections::BTreeMap, fs, path::PathBuf};

use evtpm_snp::LaunchDigest;
use serde::Deserialize;
use sev::measurement::{
    sev_hashes::SevHashes,
    snp::{SnpMeasurementArgs, snp_calc_launch_digest},
    vcpu_types::CpuType,
    vmsa::{GuestFeatures, VMMType, VMSA},
};

use evtpm_layout::Guid;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    ovmf: BTreeMap<String, Ovmf>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Ovmf {
    sev_es_reset_block_eip: u32,
    sev_hash_table_rv: [u32; 2],
    metadata: Metadata,
    ovmf_launch_digest: String,
}

#[derive(Deserialize)]
struct Metadata {
    sections: Vec<RawSection>,
}

#[derive(Deserialize)]
struct RawSection {
    gpa: u32,
    size: u32,
    r#type: u32,
}

/// `args`: mode, processors, processor model, firmware, kernel, initrd, command line, features.
#[derive(Deserialize)]
struct Vector {
    origin: String,
    args: [String; 8],
    vmm: String,
    expected: String,
}

fn vectors() -> Option<Vectors> {
    let folder = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    let Ok(file) = fs::read(folder.join("launch-measurement/sev-snp-measure/vectors.json")) else {
        eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
        return None;
    };
    Some(serde_json::from_slice(&file).unwrap())
}

fn digest(text: &str) -> LaunchDigest {
    LaunchDigest(hex::decode(text).unwrap().try_into().unwrap())
}

#[test]
fn the_vectors_of_sev_snp_measure_are_reproduced() {
    let Some(Vectors { ovmf, vectors }) = vectors() else { return };
    let mut checked = 0;
    for vector in vectors {
        let [mode, processors, model, firmware, kernel, _, command_line, features] = &vector.args;
        if mode != "SevMode.SEV_SNP" {
            continue;
        }
        let facts = &ovmf[firmware];
        let sections =
            facts.metadata.sections.iter().map(|raw| Section::new(raw.gpa, raw.size, raw.r#type).unwrap()).collect();
        let firmware =
            Firmware::from_facts(sections, Some(facts.sev_es_reset_block_eip), Some(facts.sev_hash_table_rv[0]));
        // The vectors' kernel and initrd are empty files.
        let hashes = (kernel != "None").then(|| KernelHashes::new(&[], &[], command_line));
        let machine = Machine {
            vmm: match (vector.vmm.as_str(), model.as_str()) {
                ("QEMU", "EPYC-v4") => Vmm::Qemu { cpu_signature: 0x0080_0f12 },
                ("ec2", _) => Vmm::Ec2,
                ("gce", _) => Vmm::Gce,
                other => panic!("unknown machine {other:?}"),
            },
            processors: processors.parse().unwrap(),
            sev_features: features.parse().unwrap(),
            kernel: hashes.as_ref(),
        };
        let base = Launch::resume(digest(&facts.ovmf_launch_digest));
        let launch = add_sections_and_states(base, &firmware, &machine).unwrap();
        assert_eq!(launch.digest(), digest(&vector.expected), "{}", vector.origin);
        checked += 1;
    }
    assert_eq!(checked, 10);
}

#[test]
fn debians_firmware_files_measure_as_the_sev_crate_says() {
    let mut compared = 0;
    for path in ["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"] {
        let Ok(file) = fs::read(path) else { continue };
        let firmware = match Firmware::parse(&file) {
            Ok(firmware) => firmware,
            Err(error) => {
                eprintln!("{path} cannot be launched with SNP: {error}");
                continue;
            }
        };
        let takes_hashes = firmware.sections().any(|section| section.kind == SectionKind::KernelHashes);
        for processors in [1, 4] {
            let machine =
                Machine { vmm: Vmm::Qemu { cpu_signature: 0x00a0_0f11 }, processors, sev_features: 1, kernel: None };
            let theirs = snp_calc_launch_digest(SnpMeasurementArgs {
                vcpus: processors,
                vcpu_type: CpuType::EpycMilan,
                ovmf_file: path.into(),
                guest_features: GuestFeatures(1),
                kernel_file: None,
                initrd_file: None,
                append: None,
                ovmf_hash_str: None,
                vmm_type: Some(VMMType::QEMU),
            })
            .unwrap();
            assert_eq!(hex::encode(launch(&file, &machine).unwrap().digest().0), theirs.get_hex_ld(), "{path}");
            compared += 1;
        }
        eprintln!("{path}: takes kernel hashes: {takes_hashes}");
    }
    if compared == 0 {
        eprintln!("skipped: no OVMF files with SNP metadata (apt-get install ovmf)");
    }
}

/// A firmware file of one page with a table of GUIDs and metadata at its start.
fn firmware(sections: &[(u32, u32, u32)]) -> Vec<u8> {
    let mut file = vec![0; PAGE_SIZE];
    file[..4].copy_from_slice(b"ASEV");
    file[8] = 1;
    file[12] = sections.len() as u8;
    for (index, (gpa, size, kind)) in sections.iter().enumerate() {
        for (field, value) in [gpa, size, kind].iter().enumerate() {
            let at = 16 + index * 12 + field * 4;
            file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    let entry = |guid: [u8; 16], data: &[u8]| [data, &(data.len() as u16 + 18).to_le_bytes(), &guid].concat();
    let mut table = entry(Guid::new(0xdc886566_984a_4798_a75e_5585a7bf67cc).0, &(PAGE_SIZE as u32).to_le_bytes());
    table.extend(entry(Guid::new(0x00f771de_1a7e_4fcb_890e_68c77e2fb44e).0, &0x80b004u32.to_le_bytes()));
    let hash_table = [0x81_0c00u32.to_le_bytes(), 0x400u32.to_le_bytes()].concat();
    table.extend(entry(Guid::new(0x7255371f_3a3b_4b04_927b_1da6efa8d454).0, &hash_table));
    let length = table.len() as u16 + 18;
    table.extend([&length.to_le_bytes()[..], &Guid::new(0x96b582de_1fb2_45f7_baea_a366c55a082d).0].concat());
    let end = PAGE_SIZE - 0x20;
    file[end - table.len()..end].copy_from_slice(&table);
    file
}

const QEMU: Machine<'_> =
    Machine { vmm: Vmm::Qemu { cpu_signature: 0x00a0_0f11 }, processors: 1, sev_features: 1, kernel: None };

#[test]
fn sections_are_launched_in_the_order_of_the_metadata() {
    let file = firmware(&[(0x80_0000, 0x2000, 1), (0x80_d000, 0x1000, 2), (0x80_e000, 0x1000, 3)]);
    let pages: Vec<_> = launch(&file, &QEMU).unwrap().pages().map(|page| (page.page_type, page.gpa)).collect();
    assert_eq!(
        pages,
        [
            (PageType::Normal, 0xffff_f000),
            (PageType::Zero, 0x80_0000),
            (PageType::Zero, 0x80_1000),
            (PageType::Secrets, 0x80_d000),
            (PageType::Cpuid, 0x80_e000),
            (PageType::Vmsa, 0xffff_ffff_f000),
        ]
    );
}

#[test]
fn the_number_of_processors_changes_the_digest() {
    let file = firmware(&[]);
    let digests: Vec<_> =
        [1, 2, 3].map(|processors| launch(&file, &Machine { processors, ..QEMU }).unwrap().digest()).to_vec();
    assert!(digests[0] != digests[1] && digests[1] != digests[2]);
    assert!(launch(&file, &Machine { processors: 0, ..QEMU }).is_err());
}

#[test]
fn a_kernel_needs_a_firmware_that_checks_it() {
    let hashes = KernelHashes::new(b"kernel", b"", "console=ttyS0");
    let refused = launch(&firmware(&[]), &Machine { kernel: Some(&hashes), ..QEMU });
    assert_eq!(refused.unwrap_err(), Error::Missing { what: "section for kernel hashes" });
}

#[test]
fn before_snp_the_file_the_table_and_the_states_of_the_sev_crate_are_hashed() {
    let file = firmware(&[]);
    let empty = PathBuf::from("/dev/null");
    let table = SevHashes::new(empty.clone(), Some(empty), Some("console=ttyS0")).unwrap().construct_table().unwrap();
    let states = VMSA::new(0x80_b004, CpuType::EpycV4, VMMType::QEMU, None, GuestFeatures(0)).pages(3).unwrap();
    let kernel = KernelHashes::new(&[], &[], "console=ttyS0");

    let mut expected = SevLaunch::new();
    expected.add_data(0, &[file.as_slice(), &table].concat()).unwrap();
    assert_eq!(sev_launch(&file, Some(&kernel), None).unwrap().digest(), expected.digest());

    states.iter().for_each(|state| expected.add_state(state).unwrap());
    let ours = sev_launch(&file, Some(&kernel), Some((3, 0x0080_0f12))).unwrap();
    assert_eq!(ours.digest(), expected.digest());
    assert_eq!(ours.steps().last().unwrap().after, ours.digest());
}

#[test]
fn before_snp_a_kernel_needs_a_firmware_with_a_table_too() {
    let hashes = KernelHashes::new(b"kernel", b"", "");
    let refused = sev_launch(&[0; PAGE_SIZE], Some(&hashes), None);
    assert_eq!(refused.unwrap_err(), Error::Missing { what: "table of GUIDs" });
    assert!(sev_launch(&[0; PAGE_SIZE], None, None).is_ok());
    assert!(sev_launch(&[0; PAGE_SIZE], None, Some((0, 0))).is_err());
}

/// The published digests of launches that take the files themselves; `EVTPM_SEV_SNP_MEASURE` names a checkout of
/// github.com/virtee/sev-snp-measure, whose `tests/fixtures` they are (`tests/test_guest.py`).
#[test]
fn the_published_digests_of_sev_sev_es_and_svsm_launches_are_reproduced() {
    let Some(checkout) = std::env::var_os("EVTPM_SEV_SNP_MEASURE").map(PathBuf::from) else {
        eprintln!("skipped: no checkout of sev-snp-measure (EVTPM_SEV_SNP_MEASURE)");
        return;
    };
    let read = |name: &str| fs::read(checkout.join("tests/fixtures").join(name)).unwrap();
    let amd_sev = read("ovmf_AmdSev_suffix.bin");
    let epyc_v4 = crate::cpu::signature("EPYC-v4").unwrap();
    let kernel = |command_line| KernelHashes::new(&[], &[], command_line);
    for (launch, expected) in [
        (
            sev_launch(&amd_sev, Some(&kernel("")), Some((4, epyc_v4))),
            "0dccbcaba8e90b261bd0d2e1863a2f9da714768b7b2a19363cd6ae35aa90de91",
        ),
        (
            sev_launch(&amd_sev, Some(&kernel("console=ttyS0 loglevel=7")), None),
            "82a3ee5d537c3620628270c292ae30cb40c3c878666a7890ee7ef2a08fb535ff",
        ),
        (
            sev_launch(&read("ovmf_OvmfX64_suffix.bin"), None, None),
            "b4c021e085fb83ceffe6571a3d357b4a98773c83c474e47f76c876708fe316da",
        ),
    ] {
        assert_eq!(launch.unwrap().digest().to_string(), expected);
    }
    let (svsm, firmware) = (read("svsm.bin"), read("svsm_ovmf.fd"));
    for (processors, expected) in [
        (2, "9b94745036aafddf4f7f8b00c7513abb5b7703178cb95aaa57928bd963d68d3bfcb715d6019b9167ee2517b11b0d9be7"),
        (4, "27d154c27b7b359c935e250ec6fee72aa0ae8c1225e3b0e1cf46a9567e938066d7d6f94bbdc4a857818bdb79277a44b2"),
    ] {
        let launch = crate::svsm::launch(&svsm, &firmware, 540_672, processors, epyc_v4).unwrap();
        assert_eq!(launch.digest(), digest(expected));
    }
}

#[test]
fn an_unknown_section_is_refused() {
    let refused = launch(&firmware(&[(0, 0x1000, 9)]), &QEMU);
    assert!(matches!(refused, Err(Error::Invalid { what: "SNP metadata", .. })), "{refused:?}");
}

#[test]
fn a_file_without_the_table_is_refused() {
    assert_eq!(launch(&[0; PAGE_SIZE], &QEMU).unwrap_err(), Error::Missing { what: "table of GUIDs" });
    assert_eq!(launch(&[], &QEMU).unwrap_err(), Error::Missing { what: "table of GUIDs" });
}
