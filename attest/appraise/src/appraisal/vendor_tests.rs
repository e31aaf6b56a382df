// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policies about hardware other than AMD's: each test spoils one thing and names the finding.

use evtpm_verify::{
    UnixTime, Vendor,
    azure::{ParavisorClaims, VmConfiguration},
    cca::{PlatformClaims, RealmClaims},
    csv::{CsvClaims, GuestPolicy},
    dcap::{DcapClaims, PckFacts, TcbStatus, TdClaims, Tee},
    nitro::NitroClaims,
    nvidia::DeviceClaims,
    psa::PsaClaims,
    s390::SeClaims,
    software::Component,
    x509::Revocation,
};

use super::*;
use crate::{
    claims::Challenge,
    policy::{Bytes, CsvPolicy, HexBytes, Index, IntelTcb, LifecycleState, RevocationRule},
    vector::TrustClaim,
};

const NOW: UnixTime = UnixTime(1_800_000_000);

fn proven<T>(claims: T, root: Vendor) -> Proven<T> {
    Proven { claims, root, challenge: Challenge::Issued }
}

fn quote(tee: Tee) -> Proven<DcapClaims> {
    let claims = DcapClaims {
        tee,
        version: 4,
        report_data: [0x0d; 64],
        debug: false,
        platform: PckFacts {
            fmspc: [1; 6],
            pce_id: [0; 2],
            components: [0; 16],
            pce_svn: 0,
            authority: "CA".into(),
            validity: (UnixTime(0), NOW),
        },
        tcb: TcbStatus::Judged { status: "UpToDate".into(), advisories: Vec::new() },
        revocation: Revocation::Checked { next_update: Some(NOW) },
        quoting_enclave_checked: true,
    };
    proven(claims, Vendor::Intel)
}

fn td() -> Claims {
    let td = TdClaims {
        mr_td: [0x3d; 48],
        mr_seam: [0x5e; 48],
        rtmrs: [[1; 48], [2; 48], [3; 48], [0; 48]],
        attributes: [0, 0, 0, 0x10, 0, 0, 0, 0],
        xfam: [0xe7, 0, 0, 0, 0, 0, 0, 0],
        tcb_svn: [3; 16],
        mr_config_id: [0xc1; 48],
        mr_owner: [0; 48],
        mr_owner_config: [0; 48],
    };
    Claims { dcap: Some(quote(Tee::Tdx(Box::new(td)))), ..Claims::new() }
}

fn enclave() -> Claims {
    let tee = Tee::Sgx { mr_enclave: [0xe0; 32], mr_signer: [0x51; 32], product_id: 7, security_version: 3 };
    Claims { dcap: Some(quote(tee)), ..Claims::new() }
}

fn nitro() -> Claims {
    let claims = NitroClaims {
        module_id: "i-0-enc0".into(),
        made: NOW,
        pcrs: (0..5).map(|number| (number, vec![number + 1; 48])).collect(),
        debug: false,
        public_key: None,
        user_data: Some(vec![0xda]),
        nonce: None,
        validity: (UnixTime(0), NOW),
    };
    Claims { nitro: Some(proven(claims, Vendor::Aws)), ..Claims::new() }
}

fn component() -> Component {
    Component {
        kind: Some("BL".into()),
        measurement: vec![0xb1; 32],
        version: Some("1.0".into()),
        signer: vec![0x51; 32],
    }
}

fn owner() -> Vendor {
    Vendor::Named { name: "owner.pem".into() }
}

fn realm() -> Claims {
    let platform = PlatformClaims {
        implementation_id: vec![0x1a; 32],
        instance_id: vec![1; 33],
        lifecycle: 0x3003,
        config: vec![0xcf],
        components: vec![component()],
        challenge: vec![0; 32],
    };
    let realm = RealmClaims {
        challenge: vec![0; 64],
        personalization: vec![0x9e; 64],
        initial_measurement: vec![0x31; 32],
        extensible_measurements: (0..4).map(|number| vec![number; 32]).collect(),
    };
    let (cca_platform, cca_realm) = (Some(proven(platform, owner())), Some(proven(realm, owner())));
    Claims { cca_platform, cca_realm, ..Claims::new() }
}

fn psa() -> Claims {
    let claims = PsaClaims {
        profile: evtpm_verify::psa::Profile::Registered,
        nonce: vec![0; 32],
        instance_id: vec![1; 33],
        implementation_id: vec![0x1a; 32],
        client_id: 1,
        lifecycle: 0x3000,
        components: vec![component()],
    };
    Claims { psa: Some(proven(claims, owner())), ..Claims::new() }
}

fn device(serial: u8) -> Proven<DeviceClaims> {
    let claims = DeviceClaims {
        device: "GH100 FW".into(),
        serial: vec![serial],
        nonce: [0; 32],
        measurements: vec![(1, vec![0x11; 48]), (2, vec![0x22; 48])],
        driver_version: Some("550.90.07".into()),
        vbios_version: Some(vec![0, 0x9f, 0, 0x96, 1, 0, 0, 0]),
        revocation: Revocation::Unchecked,
        comparison: None,
    };
    proven(claims, Vendor::Nvidia)
}

fn devices() -> Claims {
    Claims { nvidia: vec![device(1), device(2)], ..Claims::new() }
}

fn guest() -> Claims {
    let claims =
        SeClaims { image_tag: [0x7a; 16], config_uid: vec![1; 16], user_data: vec![0xda], additional: vec![0xad] };
    Claims { s390: Some(proven(claims, owner())), ..Claims::new() }
}

fn paravisor() -> Claims {
    let configuration = VmConfiguration {
        console_enabled: Some(true),
        secure_boot: Some(true),
        tpm_enabled: Some(true),
        tpm_persisted: Some(false),
        vm_id: Some("0000-11".into()),
    };
    Claims { azure: Some(ParavisorClaims { configuration, user_data: Some("00AB".into()) }), ..td() }
}

fn csv_guest() -> Claims {
    let claims = CsvClaims {
        version: evtpm_verify::csv::Version::V2,
        owner_key_digest: [0x0e; 32],
        vm_id: [1; 16],
        vm_version: [2; 16],
        report_data: [3; 64],
        measurement: [0xc5; 32],
        policy: GuestPolicy(0x4d),
        registers: Some([[4; 32]; 5]),
    };
    Claims { csv: Some(proven(claims, Vendor::Hygon)), ..Claims::new() }
}

const KINDS: [fn() -> Claims; 9] = [td, enclave, nitro, realm, psa, devices, guest, paravisor, csv_guest];

/// Verdict and codes of what weighs, for a spoilt attester under the policy that it taught before.
fn spoilt(good: fn() -> Claims, spoil: impl FnOnce(&mut Policy, &mut Claims)) -> (Verdict, Vec<&'static str>) {
    let (mut policy, mut claims) = (Policy::learn(&good()).unwrap(), good());
    spoil(&mut policy, &mut claims);
    let appraisal = appraise(&policy, &claims).unwrap();
    let weighty = appraisal.findings().filter(|finding| finding.severity() > Severity::Notice);
    (appraisal.verdict(), weighty.map(Finding::code).collect())
}

fn untrusted(code: &'static str) -> (Verdict, Vec<&'static str>) {
    (Verdict::Untrusted, vec![code])
}

fn tee(claims: &mut Claims) -> &mut DcapClaims {
    &mut claims.dcap.as_mut().unwrap().claims
}

fn td_of(claims: &mut Claims) -> &mut TdClaims {
    match &mut tee(claims).tee {
        Tee::Tdx(td) => td,
        Tee::Sgx { .. } => unreachable!("a TD"),
    }
}

#[test]
fn every_kind_of_hardware_is_trusted_by_what_it_taught_and_by_nothing_of_another_kind() {
    for (number, good) in KINDS.into_iter().enumerate() {
        assert_eq!(spoilt(good, |_, _| {}), (Verdict::Trusted, vec![]), "kind {number}");
        let policy = Policy::learn(&good()).unwrap();
        for (other_number, other) in KINDS.into_iter().enumerate().filter(|(other, _)| *other != number) {
            let is_td_below_a_paravisor = (number, other_number) == (0, 7);
            let expected = if is_td_below_a_paravisor { Verdict::Trusted } else { Verdict::Unknown };
            assert_eq!(
                appraise(&policy, &other()).unwrap().verdict(),
                expected,
                "policy {number}, evidence {other_number}"
            );
        }
    }
}

#[test]
fn a_learnt_policy_of_every_kind_survives_both_forms_and_merges_with_itself() {
    for good in KINDS {
        let policy = Policy::learn(&good()).unwrap();
        assert_eq!(Policy::from_toml(&policy.to_toml().unwrap()), Ok(policy.clone()));
        assert_eq!(Policy::from_json(&policy.to_json().unwrap()), Ok(policy.clone()));
        let mut merged = policy.clone();
        merged.merge(policy.clone());
        assert_eq!(merged, policy);
    }
}

#[test]
fn layers_have_vectors_and_roots_of_their_own() {
    let appraisal = appraise(&Policy::learn(&realm()).unwrap(), &realm()).unwrap();
    let layers: Vec<_> = appraisal.layers().iter().map(|layer| (layer.layer(), layer.status())).collect();
    assert_eq!(layers, [(Layer::CcaPlatform, Tier::Affirming), (Layer::CcaRealm, Tier::Affirming)]);
    assert_eq!(appraisal.vendor(Layer::CcaPlatform), Some(&owner()));
    let appraisal = appraise(&Policy::learn(&td()).unwrap(), &td()).unwrap();
    assert_eq!(appraisal.vector().runtime_opaque, TrustClaim::BEST);
    assert_eq!((appraisal.vendor(Layer::Tdx), appraisal.vendor(Layer::Sgx)), (Some(&Vendor::Intel), None));
}

#[test]
fn evidence_beside_the_policy_is_noted() {
    let both = Claims { nvidia: vec![device(1)], ..td() };
    let appraisal = appraise(&Policy::learn(&td()).unwrap(), &both).unwrap();
    let codes: Vec<_> = appraisal.findings().map(Finding::code).collect();
    assert_eq!((appraisal.verdict(), codes), (Verdict::Trusted, vec!["evidence.unjudged"]));
}

#[test]
fn a_changed_td_is_named() {
    assert_eq!(spoilt(td, |_, claims| td_of(claims).mr_td[0] ^= 1), untrusted("tdx.measurement"));
    assert_eq!(spoilt(td, |_, claims| td_of(claims).rtmrs[2][0] ^= 1), untrusted("tdx.register"));
    assert_eq!(spoilt(td, |_, claims| td_of(claims).attributes[3] ^= 0x40), untrusted("tdx.attributes"));
    assert_eq!(spoilt(td, |_, claims| td_of(claims).xfam[0] ^= 1), untrusted("tdx.attributes"));
    assert_eq!(spoilt(td, |_, claims| td_of(claims).mr_config_id[0] ^= 1), untrusted("tdx.owner"));
    assert_eq!(spoilt(td, |_, claims| tee(claims).debug = true), untrusted("tdx.debug"));
    let rules = |policy: &mut Policy| policy.tdx.as_mut().unwrap().modules = vec![Bytes([0; 48])];
    assert_eq!(spoilt(td, |policy, _| rules(policy)), untrusted("tdx.module"));
    let data = |policy: &mut Policy| policy.tdx.as_mut().unwrap().report_data = vec![Bytes([0; 64])];
    assert_eq!(spoilt(td, |policy, _| data(policy)), untrusted("tdx.report-data"));
}

#[test]
fn a_register_says_what_it_was_and_what_it_is() {
    let (policy, mut claims) = (Policy::learn(&td()).unwrap(), td());
    td_of(&mut claims).rtmrs[1] = [9; 48];
    let appraisal = appraise(&policy, &claims).unwrap();
    let text = appraisal.findings().next().unwrap().explain();
    assert_eq!(text.sentence, format!("RTMR 1 changed: it was {}, it is {}.", "02".repeat(48), "09".repeat(48)));
    assert!(text.suggestion.contains("rtmr of its number in [tdx]"), "{text:?}");
}

#[test]
fn an_intel_platform_is_judged_by_its_collateral_and_unchecked_without() {
    let status = |name: &str| TcbStatus::Judged { status: name.into(), advisories: vec!["INTEL-SA-1".into()] };
    assert_eq!(spoilt(td, |_, claims| tee(claims).tcb = status("OutOfDate")), untrusted("intel.tcb"));
    assert_eq!(spoilt(enclave, |_, claims| tee(claims).tcb = status("Revoked")), untrusted("intel.tcb"));
    assert_eq!(spoilt(td, |_, claims| tee(claims).tcb = TcbStatus::BelowEveryLevel), untrusted("intel.tcb"));
    let unchecked = spoilt(td, |_, claims| tee(claims).tcb = TcbStatus::Unchecked);
    assert_eq!(unchecked, (Verdict::Unknown, vec!["intel.tcb"]));
    let allowed = spoilt(td, |policy, claims| {
        policy.tdx.as_mut().unwrap().platform.allow_unchecked_tcb = true;
        tee(claims).tcb = TcbStatus::Unchecked;
    });
    assert_eq!(allowed, (Verdict::Trusted, vec!["intel.tcb"]), "trusted, with a warning");
    let advisory = spoilt(td, |policy, claims| {
        let platform = &mut policy.tdx.as_mut().unwrap().platform;
        platform.tcb.insert(IntelTcb::SWHardeningNeeded);
        platform.advisories = vec!["INTEL-SA-2".into()];
        tee(claims).tcb = status("SWHardeningNeeded");
    });
    assert_eq!(advisory, untrusted("intel.advisories"));
    assert_eq!(spoilt(td, |_, claims| tee(claims).platform.fmspc[0] ^= 1), untrusted("intel.fmspc"));
}

#[test]
fn revocation_that_nobody_checked_weighs_what_the_policy_says() {
    for (rule, known, verdict) in [
        (RevocationRule::Optional, Revocation::Unchecked, Verdict::Trusted),
        (RevocationRule::Required, Revocation::Unchecked, Verdict::Unknown),
        (RevocationRule::Required, Revocation::Stale { next_update: NOW }, Verdict::Stale),
    ] {
        let result = spoilt(td, |policy, claims| {
            policy.tdx.as_mut().unwrap().platform.revocation = rule;
            tee(claims).revocation = known;
        });
        assert_eq!(result.0, verdict, "{result:?}");
    }
}

#[test]
fn evidence_that_answers_no_challenge_of_ours_is_stale_unless_allowed() {
    for challenge in [Challenge::Unchecked, Challenge::Recorded] {
        let recorded = |_: &mut Policy, claims: &mut Claims| claims.dcap.as_mut().unwrap().challenge = challenge;
        assert_eq!(spoilt(td, recorded), (Verdict::Stale, vec!["evidence.recorded"]));
        let allowed = spoilt(td, |policy, claims| {
            policy.tdx.as_mut().unwrap().allow_recorded = true;
            recorded(policy, claims);
        });
        assert_eq!(allowed, (Verdict::Trusted, vec![]));
    }
}

#[test]
fn a_changed_enclave_is_named() {
    let changed = |mr_enclave: u8, mr_signer: u8, product_id, security_version| {
        spoilt(enclave, |_, claims| {
            tee(claims).tee =
                Tee::Sgx { mr_enclave: [mr_enclave; 32], mr_signer: [mr_signer; 32], product_id, security_version };
        })
    };
    assert_eq!(changed(1, 0x51, 7, 3), untrusted("sgx.enclave"));
    assert_eq!(changed(0xe0, 1, 7, 3), untrusted("sgx.signer"));
    assert_eq!(changed(0xe0, 0x51, 8, 3), untrusted("sgx.product"));
    assert_eq!(changed(0xe0, 0x51, 7, 2), untrusted("sgx.security-version"));
    assert_eq!(changed(0xe0, 0x51, 7, 9), (Verdict::Trusted, vec![]));
    assert_eq!(spoilt(enclave, |_, claims| tee(claims).debug = true), untrusted("sgx.debug"));
    let data = |policy: &mut Policy| policy.sgx.as_mut().unwrap().report_data = vec![Bytes([0; 64])];
    assert_eq!(spoilt(enclave, |policy, _| data(policy)), untrusted("sgx.report-data"));
}

#[test]
fn a_changed_nitro_enclave_is_named() {
    let of = |claims: &mut Claims, number: usize| claims.nitro.as_mut().unwrap().claims.pcrs[number].1[0] ^= 1;
    assert_eq!(spoilt(nitro, |_, claims| of(claims, 0)), untrusted("nitro.measurement"));
    assert_eq!(spoilt(nitro, |_, claims| of(claims, 2)), untrusted("nitro.register"));
    assert_eq!(spoilt(nitro, |_, claims| of(claims, 3)), (Verdict::Trusted, vec![]), "the parent's role is not learnt");
    assert_eq!(spoilt(nitro, |_, claims| claims.nitro.as_mut().unwrap().claims.debug = true), untrusted("nitro.debug"));
    let missing = spoilt(nitro, |_, claims| claims.nitro.as_mut().unwrap().claims.pcrs.truncate(2));
    assert_eq!(missing, (Verdict::Unknown, vec!["nitro.register"]));
    let data = spoilt(nitro, |policy, _| policy.nitro.as_mut().unwrap().user_data = vec![HexBytes(vec![1])]);
    assert_eq!(data, untrusted("nitro.user-data"));
}

#[test]
fn a_changed_realm_or_platform_is_named() {
    let of = |claims: &mut Claims, spoil: fn(&mut RealmClaims)| spoil(&mut claims.cca_realm.as_mut().unwrap().claims);
    let below = |claims: &mut Claims, spoil: fn(&mut PlatformClaims)| {
        spoil(&mut claims.cca_platform.as_mut().unwrap().claims);
    };
    let rim = spoilt(realm, |_, claims| of(claims, |realm| realm.initial_measurement[0] ^= 1));
    assert_eq!(rim, untrusted("cca-realm.measurement"));
    let rem = spoilt(realm, |_, claims| of(claims, |realm| realm.extensible_measurements[3][0] ^= 1));
    assert_eq!(rem, untrusted("cca-realm.register"));
    let personal = spoilt(realm, |policy, _| policy.cca.as_mut().unwrap().personalizations = vec![Bytes([0; 64])]);
    assert_eq!(personal, untrusted("cca-realm.personalization"));
    let implementation = spoilt(realm, |_, claims| below(claims, |platform| platform.implementation_id[0] ^= 1));
    assert_eq!(implementation, untrusted("arm.implementation"));
    for number in [0x0000, 0x1000, 0x2000, 0x4000, 0x5000, 0x6000, 0x7000] {
        let result = spoilt(realm, |_, claims| claims.cca_platform.as_mut().unwrap().claims.lifecycle = number);
        assert_eq!(result, untrusted("arm.lifecycle"), "{number:#x}");
    }
    let config = spoilt(realm, |_, claims| below(claims, |platform| platform.config[0] ^= 1));
    assert_eq!(config, untrusted("cca-platform.config"));
    let component = spoilt(realm, |_, claims| below(claims, |platform| platform.components[0].measurement[0] ^= 1));
    assert_eq!(component, untrusted("arm.component"));
    let signer = spoilt(realm, |_, claims| below(claims, |platform| platform.components[0].signer[0] ^= 1));
    assert_eq!(signer, untrusted("arm.signer"));
    let alone = spoilt(realm, |_, claims| claims.cca_realm = None);
    assert_eq!(alone, (Verdict::Unknown, vec!["evidence.missing"]));
}

#[test]
fn a_changed_psa_device_is_named() {
    let of = |claims: &mut Claims, spoil: fn(&mut PsaClaims)| spoil(&mut claims.psa.as_mut().unwrap().claims);
    let lifecycle = spoilt(psa, |_, claims| of(claims, |token| token.lifecycle = 0x4000));
    assert_eq!(lifecycle, untrusted("arm.lifecycle"));
    let instance = spoilt(psa, |policy, _| policy.psa.as_mut().unwrap().instances = vec![HexBytes(vec![0])]);
    assert_eq!(instance, untrusted("psa.instance"));
    let caller = spoilt(psa, |_, claims| of(claims, |token| token.client_id = -1));
    assert_eq!(caller, untrusted("psa.caller"));
    let component = spoilt(psa, |_, claims| of(claims, |token| token.components[0].measurement[0] ^= 1));
    assert_eq!(component, untrusted("arm.component"));
    assert_eq!(LifecycleState::from_number(0x30ff), Some(LifecycleState::Secured));
}

#[test]
fn a_changed_csv_guest_is_named() {
    type Spoil = fn(&mut CsvPolicy, &mut CsvClaims);
    let of = |spoil: Spoil| {
        spoilt(csv_guest, |policy, claims| {
            spoil(policy.csv.as_mut().unwrap(), &mut claims.csv.as_mut().unwrap().claims);
        })
    };
    let cases: [(Spoil, &'static str); 10] = [
        (|_, guest| guest.measurement[0] ^= 1, "csv.measurement"),
        (|_, guest| guest.registers = Some([[4; 32], [5; 32], [4; 32], [4; 32], [4; 32]]), "csv.register"),
        (|_, guest| guest.vm_version[0] ^= 1, "csv.vm-version"),
        (|_, guest| guest.owner_key_digest[0] ^= 1, "csv.owner"),
        (|rules, _| rules.vm_ids = vec![Bytes([9; 16])], "csv.vm-id"),
        (|rules, _| rules.report_data = vec![Bytes([9; 64])], "csv.report-data"),
        (|_, guest| guest.policy = GuestPolicy(0x4c), "csv.policy"),
        (|_, guest| guest.policy = GuestPolicy(0x49), "csv.policy"),
        (|_, guest| guest.policy = GuestPolicy(0x45), "csv.policy"),
        (|_, guest| guest.policy = GuestPolicy(0x0d), "csv.policy"),
    ];
    for (number, (spoil, code)) in cases.into_iter().enumerate() {
        assert_eq!(of(spoil), untrusted(code), "case {number}");
    }
    assert_eq!(of(|_, guest| guest.registers = None).0, Verdict::Unknown, "a guest without registers tells of none");
    let mut debugged = csv_guest();
    debugged.csv.as_mut().unwrap().claims.policy = GuestPolicy(0x4c);
    assert!(Policy::learn(&debugged).is_err());
}

#[test]
fn a_changed_device_is_named() {
    let of = |claims: &mut Claims, spoil: fn(&mut DeviceClaims)| spoil(&mut claims.nvidia[1].claims);
    let measurement = spoilt(devices, |_, claims| of(claims, |device| device.measurements[1].1[0] ^= 1));
    assert_eq!(measurement, untrusted("nvidia.measurement"));
    let driver = spoilt(devices, |_, claims| of(claims, |device| device.driver_version = Some("1".into())));
    assert_eq!(driver, untrusted("nvidia.driver"));
    let vbios = spoilt(devices, |_, claims| of(claims, |device| device.vbios_version = None));
    assert_eq!(vbios, (Verdict::Unknown, vec!["nvidia.vbios"]));
    let fewer = spoilt(devices, |_, claims| claims.nvidia.truncate(1));
    assert_eq!(fewer, untrusted("nvidia.devices"));
    let twice = spoilt(devices, |_, claims| claims.nvidia[1].claims.serial = vec![1]);
    assert_eq!(twice, untrusted("nvidia.devices"), "one device does not count for two");
    let required = |policy: &mut Policy| policy.nvidia.as_mut().unwrap().revocation = RevocationRule::Required;
    assert_eq!(spoilt(devices, |policy, _| required(policy)).0, Verdict::Unknown);
    let missing = spoilt(devices, |policy, _| {
        policy
            .nvidia
            .as_mut()
            .unwrap()
            .measurements
            .insert(Index(9), crate::policy::AtLeastOne::new(HexBytes(vec![0])));
    });
    assert_eq!(missing.0, Verdict::Unknown);
}

#[test]
fn a_changed_secure_execution_guest_is_named() {
    let image = spoilt(guest, |_, claims| claims.s390.as_mut().unwrap().claims.image_tag[0] ^= 1);
    assert_eq!(image, untrusted("s390.image"));
    let data = spoilt(guest, |policy, _| policy.s390.as_mut().unwrap().user_data = vec![HexBytes(vec![0])]);
    assert_eq!(data, untrusted("s390.user-data"));
    let additional = spoilt(guest, |policy, _| policy.s390.as_mut().unwrap().additional_data = vec![HexBytes(vec![0])]);
    assert_eq!(additional, untrusted("s390.additional"));
}

#[test]
fn a_changed_paravisor_is_named() {
    let of = |claims: &mut Claims, spoil: fn(&mut VmConfiguration)| {
        spoil(&mut claims.azure.as_mut().unwrap().configuration);
    };
    let rules = |policy: &mut Policy, spoil: fn(&mut crate::policy::AzurePolicy)| spoil(policy.azure.as_mut().unwrap());
    assert_eq!(
        spoilt(paravisor, |_, claims| of(claims, |vm| vm.secure_boot = Some(false))),
        untrusted("azure.secure-boot")
    );
    let untold = spoilt(paravisor, |_, claims| of(claims, |vm| vm.secure_boot = None));
    assert_eq!(untold, (Verdict::Unknown, vec!["azure.secure-boot"]));
    let persisted = spoilt(paravisor, |_, claims| of(claims, |vm| vm.tpm_persisted = Some(true)));
    assert_eq!(persisted, untrusted("azure.persisted-tpm"));
    let console = spoilt(paravisor, |policy, _| rules(policy, |azure| azure.allow_console = false));
    assert_eq!(console, untrusted("azure.console"));
    let vm = spoilt(paravisor, |policy, _| rules(policy, |azure| azure.vm_ids = vec!["another".into()]));
    assert_eq!(vm, untrusted("azure.vm-id"));
    let good = spoilt(paravisor, |policy, _| rules(policy, |azure| azure.user_data = vec![HexBytes(vec![0, 0xab])]));
    assert_eq!(good, (Verdict::Trusted, vec![]));
    let data = spoilt(paravisor, |policy, _| rules(policy, |azure| azure.user_data = vec![HexBytes(vec![0xab])]));
    assert_eq!(data, untrusted("azure.user-data"));
}

#[test]
fn nothing_is_learnt_from_hardware_that_is_open_or_condemned() {
    let debug = |good: fn() -> Claims| {
        let mut claims = good();
        if let Some(quote) = &mut claims.dcap {
            quote.claims.debug = true;
        }
        if let Some(document) = &mut claims.nitro {
            document.claims.debug = true;
        }
        if let Some(platform) = &mut claims.cca_platform {
            platform.claims.lifecycle = 0x5000;
        }
        Policy::learn(&claims)
    };
    for good in [td, enclave, nitro, realm] {
        assert!(matches!(debug(good), Err(crate::LearnError::Debug { .. })));
    }
    let mut revoked = td();
    tee(&mut revoked).tcb = TcbStatus::Judged { status: "Revoked".into(), advisories: Vec::new() };
    assert!(matches!(Policy::learn(&revoked), Err(crate::LearnError::Platform { .. })));
}

#[test]
fn every_objection_about_a_vendors_hardware_explains_itself() {
    for good in KINDS {
        for other in KINDS {
            let appraisal = appraise(&Policy::learn(&good()).unwrap(), &other()).unwrap();
            for finding in appraisal.findings() {
                let text = finding.explain();
                let parts = [&text.expected, &text.actual, &text.sentence, &text.suggestion];
                assert!(parts.into_iter().all(|part| !part.is_empty()), "{text:?}");
                assert!(text.sentence.ends_with('.') && text.suggestion.ends_with('.'), "{text:?}");
            }
        }
    }
}
