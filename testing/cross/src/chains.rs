// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of every kind of chip against the verifier's rules of signatures and certificates.

use evtpm_snp::{EcdsaSignature, Report, ReportVersion, Tcb};
use evtpm_sp_sim::{Authority, Platform, Product, RevocationList, Role, UnixTime as SimTime};
use evtpm_sp_simd::Channel;
use evtpm_svsm::GuestChannel;
use evtpm_testing_support::{POLICY, chip, host, launch, predicted_measurement};
use evtpm_verify::snp::{Anchors, Collateral, Signer};
use evtpm_verify::{Claim, Error, Root, UnixTime, snp};

use crate::verifier::{NOW, anchors, ask, collateral, root_name, verify};

/// A report of a guest on this platform, with the certificates of its chip.
fn report_of(platform: Platform) -> (Vec<u8>, Collateral) {
    let mut host = host(platform);
    let guest = launch(&mut host, POLICY);
    let mut channel = GuestChannel::new(guest.secrets.vmpck[0], 0, 0);
    let mut way = Channel::new(host, guest.guest);
    let report = ask(&mut channel, &mut way, [3; 64], 0).unwrap();
    (report, collateral(way.firmware()))
}

fn every_platform() -> Vec<Platform> {
    let mut platforms = Vec::new();
    for product in Product::ALL {
        for version in product.report_versions() {
            let platform = Platform::new(product, [9; 32]).with_report_version(*version);
            platforms.push(platform.clone());
            platforms.push(platform.with_vlek("CN=simulated provider"));
        }
    }
    platforms
}

#[test]
fn every_kind_of_report_is_verified_up_to_the_named_simulated_root() {
    for platform in every_platform() {
        let product = platform.product;
        let (report, collateral) = report_of(platform.clone());
        let verified = snp::verify(&report, &collateral, &anchors(product), NOW).unwrap();
        assert_eq!(verified.root(), &Root::Simulated { name: root_name(product) });
        assert_eq!(matches!(verified.signer, Signer::Provider { .. }), platform.vlek.is_some());
        assert_eq!(verified.report.measurement(), predicted_measurement());
        assert_eq!(verified.reported_tcb(), platform.reported_tcb);
    }
}

#[test]
fn no_simulated_report_is_trusted_where_its_root_is_not_named() {
    for platform in every_platform() {
        let (report, collateral) = report_of(platform);
        for anchors in [Anchors::none(), Anchors::amd().unwrap()] {
            let refused = snp::verify(&report, &collateral, &anchors, NOW).unwrap_err();
            assert!(matches!(refused, Error::UntrustedRoot { .. }), "{refused}");
        }
    }
}

/// Row 2: every field that is signed, in every version of the report.
#[test]
fn a_changed_byte_of_any_kind_of_report_is_refused() {
    for platform in every_platform() {
        let product = platform.product;
        let (report, collateral) = report_of(platform);
        for offset in (0..0x2a0).step_by(0x1f).chain([0x30, 0x50, 0x90, 0x180, 0x1a0, 0x2a0, 0x2e8, 0x330, 0x49f]) {
            let mut changed = report.clone();
            changed[offset] ^= 1;
            let verdict = snp::verify(&changed, &collateral, &anchors(product), NOW);
            assert!(verdict.is_err(), "{product:?}: offset {offset:#x}");
        }
    }
}

/// Row 2: reports that no chip signed, each refused for what it is.
#[test]
fn reports_that_nobody_signed_have_names_of_their_own() {
    let (report, collateral) = report_of(Platform::new(Product::Milan, [9; 32]));
    let refused = |report: &[u8]| snp::verify(report, &collateral, &anchors(Product::Milan), NOW).unwrap_err();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut report = report.clone();
        change(&mut report);
        refused(&report)
    };
    assert!(matches!(refused(&[0x5a; Report::SIZE]), Error::Snp(_)), "random bytes");
    assert!(matches!(refused(&report[..Report::SIZE - 1]), Error::Snp(_)), "cut short");
    let one = EcdsaSignature::from_be(&std::array::from_fn(|n| u8::from(n == 47)), &[0; 48]);
    let zero_s = with(&|report| report[0x2a0..0x4a0].copy_from_slice(&one.as_bytes()[..0x200]));
    assert_eq!(zero_s, Error::SignatureRange { number: "s" });
    assert_eq!(with(&|report| report[0x2a0..0x330].fill(0)), Error::MaskedChipKey, "r and s of zero");
    assert_eq!(with(&|report| report[0x2a0..0x2e8].fill(0xff)), Error::SignatureRange { number: "r" });
    assert_eq!(with(&|report| report[0x400] = 1), Error::SignaturePadding);
    assert_eq!(with(&|report| report[0x48] |= 2), Error::MaskedChipKey);
    assert!(matches!(with(&|report| report[0x2a0] ^= 1), Error::BadSignature { .. }));

    let mut masked = Platform::new(Product::Milan, [9; 32]);
    masked.mask_chip_key = true;
    let (unsigned, _) = report_of(masked);
    assert_eq!(refused(&unsigned), Error::MaskedChipKey, "a chip that is not allowed to sign");
}

/// Row 9: certificates of another chip, of another TCB, of another product.
#[test]
fn only_the_certificate_of_this_chip_at_this_tcb_vouches_for_a_report() {
    for product in Product::ALL {
        let platform = Platform::new(product, [9; 32]);
        let (report, _) = report_of(platform.clone());
        let other_chip = report_of(Platform::new(product, [8; 32])).1;
        let refused = snp::verify(&report, &other_chip, &anchors(product), NOW).unwrap_err();
        let is_named = matches!(refused, Error::Mismatch { what: Claim::ChipId, .. } | Error::BadSignature { .. });
        assert!(is_named, "{product:?}: {refused}");

        let old = Tcb { microcode: platform.current_tcb.microcode - 1, ..platform.current_tcb };
        let other_tcb = report_of(platform.with_tcb(old)).1;
        let refused = snp::verify(&report, &other_tcb, &anchors(product), NOW).unwrap_err();
        let is_named = matches!(refused, Error::Mismatch { what: Claim::ReportedTcb, .. } | Error::BadSignature { .. });
        assert!(is_named, "{product:?}: {refused}");
    }
}

#[test]
fn a_chain_of_another_product_vouches_for_nothing() {
    for (of, with) in
        [(Product::Milan, Product::Genoa), (Product::Genoa, Product::Turin), (Product::Turin, Product::Milan)]
    {
        let (report, _) = report_of(Platform::new(of, [9; 32]));
        let (_, collateral) = report_of(Platform::new(with, [9; 32]));
        for anchors in [anchors(of), anchors(with)] {
            snp::verify(&report, &collateral, &anchors, NOW).unwrap_err();
        }
    }
}

/// Row 9: an authority's certificate, or none, where the endorsement key's should be.
#[test]
fn an_authority_is_no_endorsement_key() {
    let (report, _) = report_of(Platform::new(Product::Milan, [9; 32]));
    let authority = Authority::new(Product::Milan);
    for roles in [&[Role::Ark, Role::Ask][..], &[]] {
        let mut collateral = Collateral::new();
        for role in roles {
            collateral.add_certificates(&authority.certificate(*role).unwrap()).unwrap();
        }
        let refused = snp::verify(&report, &collateral, &anchors(Product::Milan), NOW).unwrap_err();
        assert_eq!(refused, Error::MissingEndorsementKey { kind: "VCEK" });
    }
}

#[test]
fn expired_and_future_certificates_are_refused() {
    for vlek in [false, true] {
        let platform = Platform::new(Product::Genoa, [9; 32]);
        let platform = if vlek { platform.with_vlek("CN=simulated provider") } else { platform };
        let (report, collateral) = report_of(platform);
        let at = |years: i64| UnixTime(NOW.0.checked_add_signed(years * 31_557_600).unwrap());
        let verdict = |years| snp::verify(&report, &collateral, &anchors(Product::Genoa), at(years)).map(drop);
        assert_eq!(verdict(0), Ok(()));
        assert!(matches!(verdict(-1), Err(Error::NotYetValid { .. })));
        assert!(matches!(verdict(8), Err(Error::Expired { .. })));
        assert_eq!(verdict(2).is_err(), vlek, "a VLEK lives for one year, a VCEK for seven");
    }
}

/// Row 9: the root's list names the intermediate.
#[test]
fn a_revoked_intermediate_ends_every_chain_through_it() {
    for platform in every_platform() {
        let authority = Authority::new(platform.product);
        let role = if platform.vlek.is_some() { Role::Asvk } else { Role::Ask };
        let (report, _) = report_of(platform.clone());
        let serial = authority.serial_number(role);
        for (revoked, is_good) in
            [(vec![], true), (vec![(serial + 1, SimTime(0))], true), (vec![(serial, SimTime(0))], false)]
        {
            let list = RevocationList {
                number: 1,
                this_update: SimTime(NOW.0 - 60),
                next_update: SimTime(NOW.0 + 86_400),
                revoked,
            };
            let mut collateral = report_of(platform.clone()).1;
            collateral.add_revocation_lists(&list.sign(&authority).unwrap()).unwrap();
            let verdict = snp::verify(&report, &collateral, &anchors(platform.product), NOW);
            match verdict {
                Ok(_) => assert!(is_good),
                Err(error) => assert!(!is_good && matches!(error, Error::Revoked { .. }), "{error}"),
            }
        }
    }
}

/// Row 10: each generation has its own layout of the TCB, and a version that nobody knows is no report.
#[test]
fn the_tcb_is_read_as_the_generation_has_it() {
    for product in Product::ALL {
        let (report, _) = report_of(Platform::new(product, [9; 32]));
        let verified = verify(&report, &mut chip(product), product).unwrap();
        assert_eq!(verified.reported_tcb().fmc.is_some(), product == Product::Turin);
        assert_eq!(verified.reported_tcb(), Platform::new(product, [9; 32]).reported_tcb);

        for version in [0, 1, 6, 0x0100_0005] {
            let mut unknown = report.clone();
            unknown[..4].copy_from_slice(&u32::to_le_bytes(version));
            assert!(matches!(verify(&unknown, &mut chip(product), product), Err(Error::Snp(_))), "{version}");
        }
    }
}

#[test]
fn a_milan_report_that_claims_to_be_a_turin_is_refused() {
    let platform = Platform::new(Product::Milan, [9; 32]).with_report_version(ReportVersion::V3);
    let (mut report, collateral) = report_of(platform);
    report[0x188..0x18a].copy_from_slice(&[0x1a, 0x02]);
    snp::verify(&report, &collateral, &anchors(Product::Milan), NOW).unwrap_err();
    snp::verify(&report, &collateral, &anchors(Product::Turin), NOW).unwrap_err();
}
