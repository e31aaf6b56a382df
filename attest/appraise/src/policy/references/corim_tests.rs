// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the profiles' values become, and what is refused.

use evtpm_verify::reference::{Component, Svn};

use super::*;
use crate::policy::{HardwareRule, TcbFloor};

const BY_CHIP: &[u8] = b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x01";
const BY_PROVIDER: &[u8] = b"\x2b\x06\x01\x04\x01\x9c\x78\x03\x02";
const SEAM: &[u8] = b"\x60\x86\x48\x01\x86\xf8\x4d\x01\x02\x03\x04\x03";

fn sha384(byte: u8) -> Digests {
    vec![(7, vec![byte; 48])]
}

fn field(number: i64) -> Reference {
    Reference { component: Component::Numbered(number), ..Reference::default() }
}

fn measurement(byte: u8) -> Reference {
    Reference { digests: sha384(byte), ..field(641) }
}

fn svn(number: i64, svn: Svn) -> Reference {
    Reference { svn: Some(svn), ..field(number) }
}

fn chip(references: Vec<Reference>) -> Environment {
    Environment { class: Some(BY_CHIP.to_vec()), references, ..Environment::default() }
}

fn document(profile: &str, environments: Vec<Environment>) -> ReferenceValues {
    ReferenceValues { profile: Some(profile.to_owned()), environments }
}

fn milan() -> ReferenceOptions {
    ReferenceOptions { products: vec![ProductName::Milan], svn_floors: false }
}

fn added(documents: &[ReferenceValues], options: &ReferenceOptions) -> Result<Policy, ReferenceError> {
    let mut policy = Policy::empty(HardwareRule::Required);
    policy.add_values(documents, options)?;
    Ok(policy)
}

#[test]
fn fields_of_a_report_become_rules_about_them() {
    let host = Reference { raw_value: Some(vec![0xda; 32]), ..field(642) };
    let tcb = svn(647, Svn::Minimum(0xdb18_0000_0000_0004));
    let level = Reference { raw_int: Some(2), ..field(5) };
    let fields = vec![measurement(0x3e), svn(1, Svn::Minimum(7)), host, tcb, level];
    let policy = added(&[document(SNP[0], vec![chip(fields)])], &milan()).unwrap();
    let snp = policy.snp.unwrap();
    assert_eq!((snp.measurements, snp.min_guest_svn, snp.vmpl), (vec![Bytes([0x3e; 48])], 7, 2));
    assert_eq!((snp.host_data, snp.allow_vlek), (vec![Bytes([0xda; 32])], false));
    let floor = TcbFloor { fmc: None, bootloader: 4, tee: 0, snp: 0x18, microcode: 0xdb };
    assert_eq!(snp.tcb.into_iter().collect::<Vec<_>>(), [(ProductName::Milan, floor)]);
}

#[test]
fn alternatives_are_measurements_and_may_differ_in_nothing_else() {
    let both = [chip(vec![measurement(1)]), chip(vec![measurement(2)])];
    let policy = added(&[document(SNP[1], both.to_vec())], &milan()).unwrap();
    assert_eq!(policy.snp.unwrap().measurements.len(), 2);
    let mixed = [chip(vec![measurement(1)]), chip(vec![measurement(2), svn(1, Svn::Minimum(9))])];
    let refused = added(&[document(SNP[1], mixed.to_vec())], &milan());
    assert_eq!(refused, Err(ReferenceError::Mixed { section: "snp" }));
}

#[test]
fn a_version_that_is_named_exactly_is_a_floor_only_on_the_operators_word() {
    let documents = [document(SNP[0], vec![chip(vec![measurement(1), svn(1, Svn::Exact(7))])])];
    let refused = added(&documents, &milan());
    assert_eq!(refused, Err(ReferenceError::ExactVersion { component: "measurement 1".into() }));
    let policy = added(&documents, &ReferenceOptions { svn_floors: true, ..milan() }).unwrap();
    assert_eq!(policy.snp.unwrap().min_guest_svn, 7);
}

#[test]
fn what_no_rule_is_about_is_refused() {
    let refused = |reference: Reference| {
        let documents = [document(SNP[0], vec![chip(vec![measurement(1), reference])])];
        assert!(matches!(added(&documents, &milan()), Err(ReferenceError::Value { .. })));
    };
    refused(Reference { raw_value: Some(vec![0; 8]), ..field(2) });
    refused(Reference { raw_value: Some(vec![0; 31]), ..field(642) });
    refused(Reference { digests: vec![(1, vec![0; 32])], ..field(643) });
    refused(Reference { says_more: true, ..svn(1, Svn::Minimum(1)) });
    refused(measurement(2));
    refused(Reference { digests: sha384(1), ..Reference::default() });
    let classless = Environment { class: None, ..chip(vec![measurement(1)]) };
    assert!(matches!(added(&[document(SNP[0], vec![classless])], &milan()), Err(ReferenceError::Value { .. })));
}

#[test]
fn patch_levels_are_of_a_product_and_a_measurement_is_always_needed() {
    let levels = document(SNP[0], vec![chip(vec![measurement(1), svn(647, Svn::Minimum(1))])]);
    let refused = added(&[levels], &ReferenceOptions::default());
    assert!(matches!(refused, Err(ReferenceError::Incomplete { what }) if what.starts_with("product line")));
    let alone = document(SNP[0], vec![chip(vec![svn(1, Svn::Minimum(1))])]);
    assert_eq!(added(&[alone], &milan()), Err(ReferenceError::Incomplete { what: "launch measurement" }));
}

#[test]
fn a_providers_key_is_accepted_where_the_class_is_by_provider() {
    let class = Some(BY_PROVIDER.to_vec());
    let environment = Environment { class, instance: Some(b"cc-us-east-2".to_vec()), ..chip(vec![measurement(1)]) };
    let snp = added(&[document(SNP[0], vec![environment])], &milan()).unwrap().snp.unwrap();
    assert_eq!((snp.allow_vlek, snp.providers), (true, vec!["cc-us-east-2".to_owned()]));
}

fn td(tee: Digests, registers: Vec<(u64, Digests)>) -> Environment {
    let reference = Reference { tee, registers, ..Reference::default() };
    let (vendor, model) = (Some("Intel".to_owned()), Some("TDX".to_owned()));
    Environment { vendor, model, references: vec![reference], ..Environment::default() }
}

#[test]
fn a_td_and_its_module_become_one_section() {
    let module = Reference { tee: sha384(0x5e), ..Reference::default() };
    let module = Environment { class: Some(SEAM.to_vec()), references: vec![module], ..Environment::default() };
    let documents = [document(INTEL, vec![td(sha384(0x11), vec![(1, sha384(0x22))]), module])];
    let tdx = added(&documents, &ReferenceOptions::default()).unwrap().tdx.unwrap();
    assert_eq!((&*tdx.measurements, tdx.modules), ([Bytes([0x11; 48])].as_slice(), vec![Bytes([0x5e; 48])]));
    assert_eq!((tdx.rtmr0, tdx.rtmr1), (Vec::new(), vec![Bytes([0x22; 48])]));
}

#[test]
fn tds_that_differ_in_registers_and_registers_that_a_td_has_not_are_refused() {
    let refused = |environments: Vec<Environment>| {
        added(&[document(INTEL, environments)], &ReferenceOptions::default()).unwrap_err()
    };
    let mixed = vec![td(sha384(1), vec![(0, sha384(1))]), td(sha384(2), Vec::new())];
    assert_eq!(refused(mixed), ReferenceError::Mixed { section: "tdx" });
    assert!(matches!(refused(vec![td(sha384(1), vec![(4, sha384(1))])]), ReferenceError::Value { .. }));
    assert!(matches!(refused(vec![td(vec![(1, vec![0; 32])], Vec::new())]), ReferenceError::Value { .. }));
    let other = Environment { model: Some("SGX".into()), ..td(sha384(1), Vec::new()) };
    assert!(matches!(refused(vec![other]), ReferenceError::Value { .. }));
}

fn launch(vendor: &str, model: &str, component: &str) -> Environment {
    let component = Component::Named(component.to_owned());
    let reference = Reference { component, digests: sha384(0x77), ..Reference::default() };
    let (vendor, model) = (Some(vendor.to_owned()), Some(model.to_owned()));
    Environment { vendor, model, references: vec![reference], ..Environment::default() }
}

#[test]
fn launch_measurements_of_igvm_feed_the_section_of_their_platform() {
    let environments = vec![launch("AMD", "SEV-SNP", "MEASUREMENT"), launch("Intel", "TDX", "MRTD")];
    let policy = added(&[document(LAUNCH, environments)], &milan()).unwrap();
    assert_eq!(policy.snp.unwrap().measurements, [Bytes([0x77; 48])]);
    assert_eq!(*policy.tdx.unwrap().measurements, [Bytes([0x77; 48])]);
    for (vendor, model, component) in [
        ("AMD", "SEV-SNP", "MRTD"),
        ("AMD", "TDX", "MEASUREMENT"),
        ("Intel", "TDX", "x"),
        ("Microsoft", "VBS", "MEASUREMENT"),
    ] {
        let refused = added(&[document(LAUNCH, vec![launch(vendor, model, component)])], &milan());
        assert!(matches!(refused, Err(ReferenceError::Value { .. })), "{vendor} {model} {component}");
    }
}

#[test]
fn components_of_a_device_become_its_section() {
    let component = Reference {
        component: Component::Named("psa.software-component".into()),
        digests: vec![(1, vec![0xc0; 32])],
        signers: vec![vec![0x51; 32]],
        ..Reference::default()
    };
    let device = |reference: Reference| Environment {
        class: Some(vec![0x1a; 32]),
        references: vec![reference],
        ..Environment::default()
    };
    let psa =
        added(&[document(PSA, vec![device(component.clone())])], &ReferenceOptions::default()).unwrap().psa.unwrap();
    assert_eq!((psa.components, psa.signers), (vec![HexBytes(vec![0xc0; 32])], vec![HexBytes(vec![0x51; 32])]));
    let unsigned = Reference { signers: Vec::new(), ..component };
    let refused = added(&[document(PSA, vec![device(unsigned)])], &ReferenceOptions::default());
    assert!(matches!(refused, Err(ReferenceError::Value { .. })));
}

#[test]
fn another_profile_and_none_are_refused() {
    for profile in [Some("tag:example.com,2026:x".to_owned()), None] {
        let values = ReferenceValues { profile, environments: vec![chip(vec![measurement(1)])] };
        assert!(matches!(added(&[values], &milan()), Err(ReferenceError::Profile { .. })));
    }
}

#[test]
fn a_section_that_restricts_other_things_is_not_added_to() {
    let mut policy = crate::testing::policy();
    let before = policy.clone();
    let mut refused = |reference: Reference| {
        let documents = [document(SNP[0], vec![chip(vec![measurement(9), reference])])];
        let refused = policy.add_values(&documents, &ReferenceOptions::default());
        assert_eq!(refused, Err(ReferenceError::Mixed { section: "snp" }));
        assert_eq!(policy, before);
    };
    let known = before.snp.as_ref().unwrap();
    refused(svn(1, Svn::Minimum(u64::from(known.min_guest_svn) + 1)));
    refused(svn(1, Svn::Minimum(u64::from(known.min_guest_svn) - 1)));
    refused(svn(647, Svn::Minimum(u64::MAX)));
    refused(Reference { raw_int: Some(i64::from(known.vmpl) + 1), ..field(5) });
    refused(Reference { raw_value: Some(vec![0xda; 32]), ..field(642) });
    refused(Reference { digests: sha384(1), ..field(643) });
    refused(Reference { digests: sha384(1), ..field(644) });
    refused(Reference { raw_value: Some(vec![1; 64]), ..field(3328) });
    let class = Some(BY_PROVIDER.to_vec());
    let by_provider = Environment { class, ..chip(vec![measurement(9)]) };
    let refused = policy.add_values(&[document(SNP[0], vec![by_provider])], &ReferenceOptions::default());
    assert_eq!(refused, Err(ReferenceError::Mixed { section: "snp" }));
    crate::testing::snp(&mut policy).allow_vlek = true;
    let by_chip = [document(SNP[0], vec![chip(vec![measurement(9)])])];
    let refused = policy.add_values(&by_chip, &ReferenceOptions::default());
    assert_eq!(refused, Err(ReferenceError::Mixed { section: "snp" }));
}

#[test]
fn a_section_that_restricts_the_same_things_is_added_to() {
    let mut policy = crate::testing::policy();
    let before = policy.snp.clone().unwrap();
    let level = Reference { raw_int: Some(i64::from(before.vmpl)), ..field(5) };
    let fields = vec![measurement(9), svn(1, Svn::Minimum(before.min_guest_svn.into())), level];
    policy.add_values(&[document(SNP[0], vec![chip(fields)])], &ReferenceOptions::default()).unwrap();
    let measurements = [before.measurements.as_slice(), &[Bytes([9; 48])]].concat();
    assert_eq!(policy.snp.unwrap(), crate::policy::SnpPolicy { measurements, ..before });
}

#[test]
fn registers_and_modules_narrow_no_section_and_are_not_lost_in_one() {
    let bare = || added(&[document(INTEL, vec![td(sha384(1), Vec::new())])], &ReferenceOptions::default()).unwrap();
    let add = |policy: &mut Policy, environment| {
        policy.add_values(&[document(INTEL, vec![environment])], &ReferenceOptions::default())
    };
    let module = |byte| {
        let module = Reference { tee: sha384(byte), ..Reference::default() };
        Environment { class: Some(SEAM.to_vec()), references: vec![module], ..Environment::default() }
    };
    let mixed = Err(ReferenceError::Mixed { section: "tdx" });
    assert_eq!(add(&mut bare(), td(sha384(2), vec![(0, sha384(3))])), mixed);
    assert_eq!(add(&mut bare(), module(4)), mixed);
    let mut policy = bare();
    policy.tdx.as_mut().unwrap().modules = vec![Bytes([3; 48])];
    add(&mut policy, module(4)).unwrap();
    add(&mut policy, td(sha384(2), Vec::new())).unwrap();
    let tdx = policy.tdx.unwrap();
    assert_eq!((tdx.modules.len(), tdx.measurements.len()), (2, 2));
}

fn device(implementation: u8, component: u8) -> Environment {
    let component = Reference {
        component: Component::Named("psa.software-component".into()),
        digests: vec![(1, vec![component; 32])],
        signers: vec![vec![0x51; 32]],
        ..Reference::default()
    };
    Environment { class: Some(vec![implementation; 32]), references: vec![component], ..Environment::default() }
}

#[test]
fn components_of_one_implementation_are_not_accepted_on_another() {
    let psa = |environments: Vec<Environment>| added(&[document(PSA, environments)], &ReferenceOptions::default());
    let mixed = ReferenceError::Mixed { section: "psa" };
    assert_eq!(psa(vec![device(1, 0xa), device(2, 0xb)]), Err(mixed.clone()));
    assert_eq!(psa(vec![device(1, 0xa), device(2, 0xa)]).unwrap().psa.unwrap().implementations.len(), 2);
    let mut policy = psa(vec![device(1, 0xa)]).unwrap();
    let refused = policy.add_values(&[document(PSA, vec![device(2, 0xb)])], &ReferenceOptions::default());
    assert_eq!(refused, Err(mixed.clone()));
    policy.add_values(&[document(PSA, vec![device(1, 0xb)])], &ReferenceOptions::default()).unwrap();
    assert_eq!(policy.psa.as_ref().unwrap().components.len(), 2);
    policy.psa.as_mut().unwrap().components.clear();
    let refused = policy.add_values(&[document(PSA, vec![device(1, 0xc)])], &ReferenceOptions::default());
    assert_eq!(refused, Err(mixed));
}

fn cca(name: &str, digest: u8) -> Reference {
    Reference {
        component: Component::Named(name.to_owned()),
        digests: vec![(1, vec![digest; 32])],
        ..Reference::default()
    }
}

#[test]
fn a_platforms_configuration_may_be_masked_and_nothing_else_of_arm() {
    let config = Reference { digests: Vec::new(), raw_value: Some(vec![1, 2, 3]), ..cca("cca.platform-config", 0) };
    let masked = Reference { says_more: true, is_masked: true, ..config.clone() };
    let add = |platform: Vec<Reference>, realm: Vec<Reference>| {
        let platform = Environment { class: Some(vec![7; 32]), references: platform, ..Environment::default() };
        let realm = Environment { references: realm, ..Environment::default() };
        let documents = [document(CCA_PLATFORM, vec![platform]), document(CCA_REALM, vec![realm])];
        added(&documents, &ReferenceOptions::default())
    };
    let policy = add(vec![masked], vec![cca("cca.rim", 1)]).unwrap();
    assert_eq!(policy.cca.unwrap().configs, [HexBytes(vec![1, 2, 3])]);
    let more = |reference: Reference| Reference { says_more: true, ..reference };
    for (platform, rim) in [
        (more(config.clone()), cca("cca.rim", 1)),
        (more(cca("cca.software-component", 2)), cca("cca.rim", 1)),
        (config.clone(), more(cca("cca.rim", 1))),
        (config, Reference { is_masked: true, ..more(cca("cca.rim", 1)) }),
    ] {
        assert!(matches!(add(vec![platform], vec![rim]), Err(ReferenceError::Value { .. })));
    }
}

#[test]
fn realms_that_differ_in_more_than_their_initial_measurement_are_refused() {
    let realm = |references| Environment { references, ..Environment::default() };
    let platform = Environment {
        class: Some(vec![7; 32]),
        references: vec![cca("cca.software-component", 2)],
        ..Environment::default()
    };
    let add = |realms| {
        let documents = [document(CCA_PLATFORM, vec![platform.clone()]), document(CCA_REALM, realms)];
        added(&documents, &ReferenceOptions::default())
    };
    let alike = vec![realm(vec![cca("cca.rim", 1)]), realm(vec![cca("cca.rim", 2)])];
    assert_eq!(add(alike).unwrap().cca.unwrap().measurements.len(), 2);
    let mixed = vec![realm(vec![cca("cca.rim", 1)]), realm(vec![cca("cca.rim", 2), cca("cca.rem0", 3)])];
    assert_eq!(add(mixed), Err(ReferenceError::Mixed { section: "cca" }));
}

#[test]
fn environments_of_which_more_is_said_and_instances_that_no_rule_is_about_are_refused() {
    let refused = |profile: &str, environment: Environment| {
        let refused = added(&[document(profile, vec![environment])], &milan());
        assert!(matches!(refused, Err(ReferenceError::Value { .. })), "{refused:?}");
    };
    let instance = Some(vec![1; 33]);
    refused(PSA, Environment { instance: instance.clone(), ..device(1, 1) });
    refused(INTEL, Environment { instance: instance.clone(), ..td(sha384(1), Vec::new()) });
    refused(LAUNCH, Environment { instance, ..launch("AMD", "SEV-SNP", "MEASUREMENT") });
    refused(PSA, Environment { says_more: true, ..device(1, 1) });
    refused(SNP[0], Environment { says_more: true, ..chip(vec![measurement(1)]) });
    refused(LAUNCH, Environment { says_more: true, ..launch("Intel", "TDX", "MRTD") });
}

#[test]
fn values_besides_those_that_are_read_are_refused() {
    let refused = |profile: &str, environment: Environment| {
        let refused = added(&[document(profile, vec![environment])], &milan());
        assert!(matches!(refused, Err(ReferenceError::Value { .. })), "{refused:?}");
    };
    refused(SNP[0], chip(vec![Reference { svn: Some(Svn::Minimum(1)), ..measurement(1) }]));
    refused(SNP[0], chip(vec![Reference { raw_value: Some(vec![0; 32]), digests: sha384(1), ..field(642) }]));
    let with = |mut environment: Environment, change: fn(&mut Reference)| {
        environment.references.iter_mut().for_each(change);
        environment
    };
    refused(PSA, with(device(1, 1), |reference| reference.svn = Some(Svn::Exact(1))));
    refused(INTEL, with(td(sha384(1), Vec::new()), |reference| reference.raw_int = Some(1)));
    refused(LAUNCH, with(launch("AMD", "SEV-SNP", "MEASUREMENT"), |reference| reference.signers = vec![vec![1]]));
}

#[test]
fn adding_refuses_nothing_that_was_accepted() {
    let mut policy = crate::testing::policy();
    let before = policy.snp.clone().unwrap();
    policy.add_values(&[document(SNP[0], vec![chip(vec![measurement(9)])])], &ReferenceOptions::default()).unwrap();
    let after = policy.snp.unwrap();
    assert_eq!(after.measurements.len(), before.measurements.len() + 1);
    assert_eq!((after.tcb, after.products, after.min_guest_svn), (before.tcb, before.products, before.min_guest_svn));
}
