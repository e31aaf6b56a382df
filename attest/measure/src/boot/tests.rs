// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel's digest follows what QEMU writes into it, and nothing that a signature could change.

use super::*;

const HEADERS: usize = 0x400;

/// A bzImage of two sections, whose PE header lies at 80h and whose setup header is of protocol 2.15.
fn kernel(certificates: &[u8]) -> Vec<u8> {
    let mut image = vec![0; HEADERS];
    let mut put = |offset: usize, bytes: &[u8]| image[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    put(0x86, &2_u16.to_le_bytes());
    put(0x94, &(112 + 16 * 8_u16).to_le_bytes());
    put(0x98, &0x20b_u16.to_le_bytes());
    put(0x98 + 60, &u32::try_from(HEADERS).unwrap().to_le_bytes());
    put(0x98 + 108, &16_u32.to_le_bytes());
    let directory = 0x98 + 112 + 32;
    put(directory, &0x800_u32.to_le_bytes());
    put(directory + 4, &u32::try_from(certificates.len()).unwrap().to_le_bytes());
    // The table names the later section first.
    for (number, start) in [(0, 0x600_u32), (1, 0x400)] {
        let entry = 0x98 + 240 + number * 40;
        put(entry + 16, &0x200_u32.to_le_bytes());
        put(entry + 20, &start.to_le_bytes());
    }
    put(0x202, b"HdrS");
    put(0x206, &0x20f_u16.to_le_bytes());
    put(0x211, &[1]);
    put(0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(0x236, &0x3f_u16.to_le_bytes());
    image.extend([0x11; 0x200]);
    image.extend([0x22; 0x200]);
    image.extend_from_slice(certificates);
    image
}

fn boot<'a>(kernel: &'a [u8], initrd: Option<&'a [u8]>) -> DirectBoot<'a> {
    DirectBoot { kernel, initrd, command_line: "quiet", memory_below_4g: 512 << 20 }
}

fn sha256(image: &[u8]) -> Digest {
    authenticode(image, HashAlg::Sha256).unwrap()
}

#[test]
fn a_signature_or_checksum_leaves_the_digest_as_it_was() {
    let plain = kernel(&[]);
    let mut signed = kernel(&[0xce; 0x30]);
    assert_eq!(sha256(&plain), sha256(&signed));
    signed[0x98 + 64] ^= 1;
    assert_eq!(sha256(&plain), sha256(&signed));
    for offset in [0, 0x98 + 63, 0x98 + 68, 0x98 + 143, 0x98 + 152, 0x3ff, 0x400, 0x7ff] {
        let mut changed = plain.clone();
        changed[offset] ^= 1;
        assert!(authenticode(&changed, HashAlg::Sha256).ok() != Some(sha256(&plain)), "{offset:#x}");
    }
    let longer = [plain.as_slice(), &[0]].concat();
    assert_ne!(sha256(&plain), sha256(&longer));
}

#[test]
fn the_digest_is_that_of_the_pieces_in_the_files_order() {
    let image = kernel(&[0xce; 8]);
    let directory = 0x98 + 144;
    let expected = RustCrypto::hash(
        HashAlg::Sha256,
        &[&image[..0x98 + 64], &image[0x98 + 68..directory], &image[directory + 8..0x800]],
    );
    assert_eq!(sha256(&image), expected);
}

#[test]
fn qemu_writes_what_the_boot_protocol_asks_for() {
    let image = kernel(&[]);
    let loaded = boot(&image, Some(&[7; 5000])).loaded_kernel().unwrap();
    assert_eq!(loaded[0x210..0x212], [0xb0, 0x81]);
    // (512 MiB − 28000h − 1 − 5000), down to a page
    assert_eq!(loaded[0x218..0x220], [0x00, 0x60, 0xfd, 0x1f, 0x88, 0x13, 0, 0]);
    assert_eq!(loaded[0x224..0x226], [0x00, 0xfe]);
    assert_eq!(loaded[0x228..0x22c], [0x00, 0x00, 0x02, 0x00]);
    let touched = (0..image.len()).filter(|offset| image[*offset] != loaded[*offset]);
    assert!(touched.clone().all(|offset| (0x210..0x22c).contains(&offset)), "{:x?}", touched.collect::<Vec<_>>());
}

#[test]
fn memory_and_initial_ram_disk_show_in_the_kernels_digest() {
    let image = kernel(&[]);
    let digest = |boot: DirectBoot<'_>| boot.kernel_digest(HashAlg::Sha256).unwrap();
    let good = digest(boot(&image, Some(&[0; 5000])));
    assert_eq!(digest(boot(&image, Some(&[1; 5000]))), good, "only its size");
    assert_ne!(digest(boot(&image, Some(&[0; 5001]))), good);
    assert_ne!(digest(boot(&image, None)), good);
    assert_ne!(digest(DirectBoot { memory_below_4g: 1 << 30, ..boot(&image, Some(&[0; 5000])) }), good);
    assert_ne!(sha256(&image), good);
}

#[test]
fn an_old_kernels_own_limit_is_kept() {
    let mut image = kernel(&[]);
    image[0x236] = 0;
    let loaded = DirectBoot { memory_below_4g: 0xb000_0000, ..boot(&image, Some(&[0; 4096])) }.loaded_kernel().unwrap();
    assert_eq!(loaded[0x218..0x21c], 0x7fff_e000_u32.to_le_bytes());
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let image = kernel(&[]);
    let vga = DirectBoot { command_line: "quiet vga=791", ..boot(&image, None) };
    assert!(matches!(vga.kernel_digest(HashAlg::Sha256), Err(Error::Invalid { what: "command line", .. })));
    let small = DirectBoot { memory_below_4g: 0x2_8000, ..boot(&image, Some(&[0; 10])) };
    assert!(small.kernel_digest(HashAlg::Sha256).is_err());
    let mut old = image.clone();
    old[0x206] = 2;
    assert!(matches!(boot(&old, None).kernel_digest(HashAlg::Sha256), Err(Error::Missing { .. })));
    for length in (0..image.len()).step_by(64) {
        assert!(boot(&image[..length], None).kernel_digest(HashAlg::Sha256).is_err(), "{length}");
    }
}

#[test]
fn memory_above_a_machines_hole_leaves_a_round_number_below() {
    let cases =
        [(Machine::Q35, 4 << 30, 2_u64 << 30), (Machine::Pc, 4 << 30, 3 << 30), (Machine::Pc, 3 << 30, 3 << 30)];
    for (machine, memory, below) in cases {
        assert_eq!(u64::from(machine.memory_below_4g(memory)), below, "{machine:?}");
    }
}

#[test]
fn the_loader_names_the_initial_ram_disk() {
    let image = kernel(&[]);
    assert_eq!(boot(&image, Some(&[1])).loaded_command_line(), "quiet initrd=initrd");
    assert_eq!(boot(&image, None).loaded_command_line(), "quiet");
    assert_eq!(boot(&image, None).initrd_digest(HashAlg::Sha256), None);
}
