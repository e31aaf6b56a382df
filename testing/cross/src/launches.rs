// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was launched: the digest that the chip reports is the one predicted from the file, and every change shows.

use evtpm_appraise::policy::{ProductName, SnpPolicy, TcbFloor};
use evtpm_measure::{Launch, elf};
use evtpm_snp::{GuestPolicy, LaunchDigest, Report, Tcb};
use evtpm_sp_sim::{Host, LaunchFinish, LaunchStart, Platform, Processor, Product};
use evtpm_sp_simd::Channel;
use evtpm_svsm::GuestChannel;
use evtpm_testing_support::{POLICY, chip, host, launch, predicted_measurement};
use evtpm_verify::Verified;
use evtpm_verify::snp::SnpClaims;

use crate::verifier::{ask, judge, objections, verify};

const PRODUCT: Product = Product::Turin;

/// Launches what a prediction is made of, and returns what the chip reports.
fn reported(prediction: &Launch) -> LaunchDigest {
    let mut host = chip(PRODUCT);
    let pages: Vec<_> = prediction.pages().map(|page| (page.page_type, page.gpa, *page.contents)).collect();
    let pages = pages.iter().map(|(page_type, gpa, contents)| (*page_type, *gpa, contents));
    let guest = evtpm_sp_simd::launch(&mut host, &LaunchStart::new(POLICY), pages, &LaunchFinish::default()).unwrap();
    let mut channel = GuestChannel::new(guest.secrets.vmpck[0], 0, 0);
    let report = ask(&mut channel, &mut Channel::new(host, guest.guest), [0; 64], 0).unwrap();
    Report::parse(&report).unwrap().measurement()
}

/// An executable of 16 KiB of code at 1 MiB, with a page and a bit beyond the file's bytes.
fn executable() -> Vec<u8> {
    let mut file = vec![0; 0x1000];
    file[..0x10].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file[0x10..0x14].copy_from_slice(&[2, 0, 62, 0]);
    file[0x18..0x20].copy_from_slice(&0x10_0010_u64.to_le_bytes());
    file[0x20..0x28].copy_from_slice(&0x40_u64.to_le_bytes());
    file[0x36..0x3a].copy_from_slice(&[56, 0, 1, 0]);
    file[0x40..0x48].copy_from_slice(&[1, 0, 0, 0, 5, 0, 0, 0]);
    for (offset, value) in [(0x48, 0x1000_u64), (0x50, 0x10_0000), (0x58, 0x10_0000), (0x60, 0x4000), (0x68, 0x5010)] {
        file[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    file.extend((0..0x4000_u32).map(|n| ((n * 31) >> 3) as u8));
    file
}

#[test]
fn the_chip_reports_the_digest_predicted_from_an_executable() {
    let prediction = elf::launch(&executable(), None).unwrap();
    assert_eq!(reported(&prediction), prediction.digest());
}

#[test]
fn the_chip_reports_the_digest_predicted_from_this_very_program() {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let prediction = elf::launch(&program, None).unwrap();
    assert_eq!(reported(&prediction), prediction.digest());
}

/// Row 7: whatever an attacker changes of the SVSM, the chip reports another digest.
#[test]
fn one_changed_bit_of_the_executable_is_another_measurement() {
    let (file, good) = (executable(), elf::launch(&executable(), None).unwrap().digest());
    // Code, the entry point, and where the code goes.
    for (offset, bit) in [(0x1000, 0), (0x2345, 7), (0x4fff, 3), (0x18, 4), (0x5a, 4)] {
        let mut changed = file.clone();
        changed[offset] ^= 1 << bit;
        let launched = elf::launch(&changed, None).unwrap();
        assert_ne!(reported(&launched), good, "offset {offset:#x}");
    }
}

/// A verified report of a guest with this policy on this platform.
fn verified(platform: Platform, policy: GuestPolicy) -> Verified<SnpClaims> {
    let product = platform.product;
    let mut host: Host = host(platform);
    let guest = launch(&mut host, policy);
    let mut channel = GuestChannel::new(guest.secrets.vmpck[0], 0, 0);
    let mut way = Channel::new(host, guest.guest);
    let report = ask(&mut channel, &mut way, [0; 64], 0).unwrap();
    verify(&report, way.firmware(), product).unwrap()
}

/// Row 8: each weakness is genuine, signed and refused by its own rule.
#[test]
fn weak_launches_and_platforms_are_refused_one_by_one() {
    let platform = Platform::new(PRODUCT, [9; 32]);
    let judged = |report: &Verified<SnpClaims>, change: fn(&mut SnpPolicy)| {
        objections(&judge(report, predicted_measurement(), PRODUCT, change))
    };
    let good = verified(platform.clone(), POLICY);
    assert_eq!(judged(&good, |_| {}), Vec::<String>::new());

    let debugged = verified(platform.clone(), GuestPolicy(POLICY.0 | GuestPolicy::DEBUG));
    assert_eq!(judged(&debugged, |_| {}), ["snp.guest-policy"]);
    let migratable = verified(platform.clone(), GuestPolicy(POLICY.0 | GuestPolicy::MIGRATE_MA));
    assert_eq!(judged(&migratable, |_| {}), ["snp.guest-policy"]);
    assert_eq!(judged(&good, |rules| rules.min_guest_svn = 1), ["snp.guest-svn"]);

    let vlek = verified(platform.clone().with_vlek("CN=simulated provider"), POLICY);
    assert_eq!(judged(&vlek, |_| {}), ["snp.signer"]);

    let old = Tcb { snp: platform.current_tcb.snp - 1, ..platform.current_tcb };
    let rolled_back = verified(platform.with_tcb(old), POLICY);
    let with_floor: fn(&mut SnpPolicy) = |rules| {
        let Tcb { fmc, bootloader, tee, snp, microcode } = Platform::new(PRODUCT, [9; 32]).current_tcb;
        rules.tcb.insert(ProductName::Turin, TcbFloor { fmc, bootloader, tee, snp, microcode });
    };
    assert_eq!(judged(&rolled_back, with_floor), ["snp.tcb"]);
    assert_eq!(judged(&good, with_floor), Vec::<String>::new());
}

#[test]
fn the_digest_does_not_depend_on_the_chip() {
    for seed in [[1; 32], [2; 32]] {
        let mut host = Host::new(Processor::new(Platform::new(PRODUCT, seed), &[1; 32]).unwrap());
        let guest = launch(&mut host, POLICY);
        let mut channel = GuestChannel::new(guest.secrets.vmpck[0], 0, 0);
        let report = ask(&mut channel, &mut Channel::new(host, guest.guest), [0; 64], 0).unwrap();
        assert_eq!(Report::parse(&report).unwrap().measurement(), predicted_measurement());
    }
}
