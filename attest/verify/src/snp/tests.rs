// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rule 6 of verification, as negative tests over a synthetic chain: each spoils one thing and names the culprit.

use super::{
    testing::{CHIP_ID, NOW, Pss, ROOT_NAME, World, asn1},
    *,
};
use crate::{Claim, Root, x509::Revocation};

const PRODUCT: &str = "1.3.6.1.4.1.3704.1.2";
const SNP_LEVEL: &str = "1.3.6.1.4.1.3704.1.3.3";
const HARDWARE_ID: &str = "1.3.6.1.4.1.3704.1.4";
const CSP_ID: &str = "1.3.6.1.4.1.3704.1.5";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";

fn refusal(spoil: impl FnOnce(&mut World)) -> Error {
    let mut world = World::new();
    spoil(&mut world);
    world.verify().unwrap_err()
}

fn mismatch(error: &Error) -> Claim {
    match error {
        Error::Mismatch { what, .. } => *what,
        other => panic!("expected a mismatch, got {other:?}"),
    }
}

#[test]
fn an_untampered_report_is_verified_up_to_the_named_root() {
    let verified = World::new().verify().unwrap();
    assert_eq!(verified.root(), &Root::Simulated { name: ROOT_NAME.into() });
    assert_eq!(verified.signer, Signer::Chip { id: CHIP_ID });
    assert_eq!(verified.revocation, Revocation::Unchecked);
    assert_eq!((verified.reported_tcb().snp, verified.reported_tcb().microcode), (24, 219));
}

#[test]
fn a_simulated_root_is_not_trusted_unless_named() {
    let mut world = World::new();
    world.sign_report();
    let verdict = verify(&world.report, &world.collateral().unwrap(), &Anchors::amd().unwrap(), NOW);
    assert_eq!(verdict.unwrap_err(), Error::UntrustedRoot { of: "SIMULATED SEV-Milan".into(), root: ROOT_NAME.into() });
}

#[test]
fn the_name_of_a_simulated_root_has_to_be_the_one_that_the_caller_gives() {
    let ark = World::new().ark_der();
    let refused = Anchors::none().and_simulated("SIMULATED ARK-Genoa", &ark).unwrap_err();
    assert_eq!(refused, Error::NotSimulated { expected: "SIMULATED ARK-Genoa".into(), actual: ROOT_NAME.into() });
}

#[test]
fn a_root_presented_with_the_evidence_earns_no_trust() {
    let mut world = World::new();
    world.sign_report();
    let mut collateral = world.collateral().unwrap();
    collateral.add_certificates(&world.ark_der()).unwrap();
    let verdict = verify(&world.report, &collateral, &Anchors::none(), NOW);
    assert!(matches!(verdict, Err(Error::UntrustedRoot { .. })), "{verdict:?}");
}

#[test]
fn a_flipped_bit_of_every_signed_byte_is_noticed() {
    let mut world = World::new();
    world.sign_report();
    let anchors = Anchors::none().and_simulated(ROOT_NAME, &world.ark_der()).unwrap();
    let collateral = world.collateral().unwrap();
    let certificate = collateral.endorsement_keys(VekKind::Vcek).next().unwrap();
    let key = EndorsementKey::verify(certificate, &collateral, &anchors, NOW).unwrap();
    assert!(verify_with(&world.report, &key, NOW).is_ok());
    for byte in 0..0x2a0 {
        let mut tampered = world.report.clone();
        tampered[byte] ^= 1 << (byte % 8);
        assert!(verify_with(&tampered, &key, NOW).is_err(), "byte {byte}");
    }
}

#[test]
fn bytes_behind_r_and_s_have_to_be_zero() {
    for offset in [0x330, 0x400, 0x49f] {
        let error = refusal(|world| world.report[offset] = 1);
        assert_eq!(error, Error::SignaturePadding);
    }
}

#[test]
fn r_and_s_have_to_be_in_range() {
    let order = evtpm_crypto::EccCurve::P384.parameters().n;
    let order: Vec<u8> = order.iter().rev().copied().collect();
    for (number, offset) in [("r", 0x2a0), ("s", 0x2e8)] {
        for value in [&[0; 48][..], &order, &[0xff; 48], &[0xff; 72]] {
            let mut world = World::new();
            world.sign_report();
            world.report[offset..offset + 72].fill(0);
            world.report[offset..offset + value.len()].copy_from_slice(value);
            assert_eq!(world.verify_as_is().unwrap_err(), Error::SignatureRange { number });
        }
    }
}

#[test]
fn a_masked_chip_key_is_refused() {
    assert_eq!(refusal(|world| world.report[0x48] |= 2), Error::MaskedChipKey);
    let unsigned = World::new();
    assert_eq!(unsigned.verify_as_is().unwrap_err(), Error::MaskedChipKey);
}

#[test]
fn another_signature_algorithm_is_refused() {
    let error = refusal(|world| world.report[0x34] = 2);
    assert_eq!(mismatch(&error), Claim::SignatureAlgorithm);
}

#[test]
fn unknown_report_versions_fail_closed() {
    for version in [0, 1, 6, 255] {
        let error = refusal(|world| world.report[0] = version);
        assert_eq!(
            error,
            Error::Snp(evtpm_snp::Error::Version { what: "attestation report", actual: u32::from(version) })
        );
    }
}

#[test]
fn a_report_of_another_length_is_refused() {
    let world = World::new();
    for report in [&world.report[..0x49f], &[&world.report[..], &[0]].concat()[..], &[]] {
        let verdict = verify(report, &Collateral::new(), &Anchors::none(), NOW);
        assert!(matches!(verdict, Err(Error::Snp(evtpm_snp::Error::Length { .. }))), "{verdict:?}");
    }
}

#[test]
fn patch_levels_of_the_certificate_have_to_be_the_reported_ones() {
    let error = refusal(|world| world.vek.set_extension(SNP_LEVEL, asn1::integer(&[23])));
    assert_eq!(mismatch(&error), Claim::ReportedTcb);
    let error = refusal(|world| world.report[0x182] = 1); // a reserved byte of REPORTED_TCB
    assert_eq!(mismatch(&error), Claim::ReportedTcb);
}

#[test]
fn a_patch_level_beyond_one_byte_is_malformed() {
    let error = refusal(|world| world.vek.set_extension(SNP_LEVEL, asn1::integer(&[1, 24])));
    assert!(matches!(error, Error::Malformed { what: "endorsement key certificate", .. }), "{error:?}");
}

#[test]
fn the_chip_id_has_to_be_the_certificates() {
    let error = refusal(|world| world.report[0x1a0] ^= 1);
    assert_eq!(mismatch(&error), Claim::ChipId);
}

#[test]
fn a_chip_id_may_be_wrapped_in_an_octet_string() {
    let mut world = World::new();
    world.vek.set_extension(HARDWARE_ID, asn1::tlv(4, &CHIP_ID));
    assert_eq!(world.verify().unwrap().signer, Signer::Chip { id: CHIP_ID });
    world.vek.set_extension(HARDWARE_ID, asn1::tlv(4, &CHIP_ID[1..]));
    assert!(matches!(world.verify().unwrap_err(), Error::Malformed { .. }));
}

#[test]
fn a_masked_chip_id_is_taken_from_the_certificate() {
    let mut world = World::new();
    world.report[0x1a0..0x1e0].fill(0);
    assert_eq!(world.verify().unwrap().signer, Signer::Chip { id: CHIP_ID });
}

#[test]
fn a_vlek_carries_a_provider_and_no_chip() {
    let mut world = World::new();
    world.report[0x48] = 1 << 2;
    world.ask.subject = "SIMULATED SEV-VLEK-Milan".into();
    world.vek.issuer = "SIMULATED SEV-VLEK-Milan".into();
    world.vek.subject = "SIMULATED SEV-VLEK".into();
    world.vek.drop_extension(HARDWARE_ID);
    world.vek.set_extension(CSP_ID, asn1::tlv(0x16, b"a cloud"));
    assert_eq!(world.verify().unwrap().signer, Signer::Provider { csp_id: "a cloud".into() });

    world.vek.set_extension(HARDWARE_ID, CHIP_ID.to_vec());
    assert_eq!(world.verify().unwrap_err(), Error::MissingEndorsementKey { kind: "VLEK" });
}

#[test]
fn a_vcek_does_not_vouch_for_a_report_that_names_a_vlek() {
    let error = refusal(|world| world.report[0x48] = 1 << 2);
    assert_eq!(error, Error::MissingEndorsementKey { kind: "VLEK" });

    let mut world = World::new();
    let anchors = Anchors::none().and_simulated(ROOT_NAME, &world.ark_der()).unwrap();
    let collateral = world.collateral().unwrap();
    let certificate = collateral.endorsement_keys(VekKind::Vcek).next().unwrap();
    let key = EndorsementKey::verify(certificate, &collateral, &anchors, NOW).unwrap();
    world.report[0x48] = 1 << 2;
    world.sign_report();
    assert_eq!(mismatch(&verify_with(&world.report, &key, NOW).unwrap_err()), Claim::SigningKey);
}

#[test]
fn the_processor_of_the_report_has_to_be_the_certified_one() {
    for cpuid in [[0x19, 0x11], [0x1a, 0x02], [0x17, 0x31]] {
        let error = refusal(|world| world.report[0x188..0x18a].copy_from_slice(&cpuid));
        assert_eq!(mismatch(&error), Claim::Generation);
    }
}

#[test]
fn an_unknown_product_is_refused() {
    let error = refusal(|world| world.vek.set_extension(PRODUCT, asn1::tlv(0x16, b"Rome")));
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[test]
fn the_chain_has_to_be_the_products() {
    let error = refusal(|world| {
        world.ask.subject = "SIMULATED SEV-Genoa".into();
        world.vek.issuer = "SIMULATED SEV-Genoa".into();
    });
    assert_eq!(mismatch(&error), Claim::CommonName);
}

#[test]
fn serial_number_zero_is_accepted() {
    assert_eq!(World::new().vek.serial, [0]);
    assert!(World::new().verify().is_ok());
}

#[test]
fn the_pss_trailer_may_be_stated_or_left_out() {
    for trailer in [None, Some(1)] {
        let mut world = World::new();
        world.vek.pss.trailer = trailer;
        assert!(world.verify().is_ok(), "{trailer:?}");
    }
    let error = refusal(|world| world.vek.pss.trailer = Some(2));
    assert!(matches!(error, Error::UnsupportedSignature { .. }), "{error:?}");
}

#[test]
fn other_signature_schemes_are_refused() {
    let sha256 = "2.16.840.1.101.3.4.2.1";
    let schemes = [
        Pss { algorithm: "1.2.840.113549.1.1.12", ..Pss::AMD }, // sha384WithRSAEncryption
        Pss { hash: sha256, ..Pss::AMD },
        Pss { mask_hash: sha256, ..Pss::AMD },
        Pss { salt: 32, ..Pss::AMD },
    ];
    for pss in schemes {
        let error = refusal(|world| world.vek.pss = pss);
        assert!(matches!(error, Error::UnsupportedSignature { .. }), "{error:?}");
    }
}

#[test]
fn every_certificate_of_the_chain_has_to_be_valid_at_the_time() {
    let error = refusal(|world| world.at = UnixTime(2_000_000_000));
    assert!(matches!(error, Error::Expired { ref of, .. } if of == "SIMULATED SEV-VCEK"), "{error:?}");
    let error = refusal(|world| world.at = UnixTime(1_700_000_000));
    assert!(matches!(error, Error::NotYetValid { ref of, .. } if of == "SIMULATED SEV-VCEK"), "{error:?}");
    let error = refusal(|world| world.ask.not_after = "250101000000Z");
    assert!(matches!(error, Error::Expired { ref of, .. } if of == "SIMULATED SEV-Milan"), "{error:?}");
    let error = refusal(|world| world.ark.not_after = "250101000000Z");
    assert!(matches!(error, Error::Expired { ref of, .. } if of == ROOT_NAME), "{error:?}");
}

#[test]
fn a_kept_endorsement_key_expires_too() {
    let mut world = World::new();
    world.sign_report();
    let anchors = Anchors::none().and_simulated(ROOT_NAME, &world.ark_der()).unwrap();
    let collateral = world.collateral().unwrap();
    let certificate = collateral.endorsement_keys(VekKind::Vcek).next().unwrap();
    let key = EndorsementKey::verify(certificate, &collateral, &anchors, NOW).unwrap();
    assert!(verify_with(&world.report, &key, NOW).is_ok());
    let later = verify_with(&world.report, &key, UnixTime(2_000_000_000));
    assert!(matches!(later, Err(Error::Expired { .. })), "{later:?}");
}

#[test]
fn an_intermediate_has_to_be_an_authority() {
    let error = refusal(|world| world.ask.drop_extension(BASIC_CONSTRAINTS));
    assert!(matches!(error, Error::NotAnAuthority { .. }), "{error:?}");
    let error = refusal(|world| world.ask.set_extension(BASIC_CONSTRAINTS, asn1::sequence(&[])));
    assert!(matches!(error, Error::NotAnAuthority { .. }), "{error:?}");
    let error = refusal(|world| world.ask.set_extension("2.5.29.15", vec![3, 2, 7, 0x80])); // digitalSignature only
    assert!(matches!(error, Error::NotAnAuthority { .. }), "{error:?}");
}

#[test]
fn a_path_length_constraint_is_kept() {
    let none_below = asn1::sequence(&[vec![1, 1, 0xff], asn1::integer(&[0])]);
    let error = refusal(|world| world.ark.set_extension(BASIC_CONSTRAINTS, none_below));
    assert!(matches!(error, Error::NotAnAuthority { ref of, .. } if of == ROOT_NAME), "{error:?}");
}

#[test]
fn an_authority_is_no_endorsement_key() {
    let authority = asn1::sequence(&[vec![1, 1, 0xff]]);
    let error = refusal(|world| world.vek.set_extension(BASIC_CONSTRAINTS, authority));
    assert_eq!(error, Error::AuthorityAsLeaf { of: "SIMULATED SEV-VCEK".into() });
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let error = refusal(|world| world.vek.extensions.push(("1.2.3.4".into(), true, vec![5, 0])));
    assert_eq!(error, Error::UnknownCriticalExtension { of: "SIMULATED SEV-VCEK".into(), oid: "1.2.3.4".into() });
}

#[test]
fn an_extension_that_occurs_twice_is_refused() {
    let error = refusal(|world| world.vek.extensions.push((SNP_LEVEL.into(), false, asn1::integer(&[24]))));
    assert!(matches!(error, Error::Malformed { what: "certificate", .. }), "{error:?}");
}

#[test]
fn a_certificate_of_another_issuer_is_refused() {
    let error = refusal(|world| world.vek.issuer = "SIMULATED SEV-Genoa".into());
    assert!(matches!(error, Error::MissingIssuer { .. }), "{error:?}");
}

#[test]
fn a_revoked_intermediate_is_refused_even_by_a_stale_list() {
    for crl_next_update in ["270101000000Z", "250601000000Z"] {
        let error = refusal(|world| {
            world.revoked = Some(vec![2]);
            world.crl_next_update = crl_next_update;
        });
        assert_eq!(error, Error::Revoked { of: "SIMULATED SEV-Milan".into(), serial: vec![2] });
    }
}

#[test]
fn a_current_list_that_names_others_is_reported_as_checked() {
    let mut world = World::new();
    world.revoked = Some(vec![3]);
    let next_update = UnixTime(1_798_761_600);
    assert_eq!(world.verify().unwrap().revocation, Revocation::Checked { next_update: Some(next_update) });
    world.crl_next_update = "250601000000Z";
    let next_update = UnixTime(1_748_736_000);
    assert_eq!(world.verify().unwrap().revocation, Revocation::Stale { next_update });
}

#[test]
fn a_revocation_list_has_to_be_signed_by_the_root() {
    let mut world = World::new();
    world.sign_report();
    let anchors = Anchors::none().and_simulated(ROOT_NAME, &world.ark_der()).unwrap();
    let mut collateral = world.collateral().unwrap();
    collateral.add_revocation_lists(&world.forged_revocation_list()).unwrap();
    let verdict = verify(&world.report, &collateral, &anchors, NOW);
    assert!(matches!(verdict, Err(Error::BadSignature { .. })), "{verdict:?}");
}
