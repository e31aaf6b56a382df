// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules 5, 7, 10 to 14 and 17 of verification at the level of policy: each test spoils one thing and names the finding.

use evtpm_logs::{Digest, HashId, PcrSet};
use evtpm_roots::AmdProduct;
use evtpm_verify::{
    UnixTime,
    endorsement::LaunchEndorsement,
    evtpm::{BindingFreshness, BindingProfile},
    logs::{CommandLine, SignatureState},
    snp::Signer,
    tpm, x509,
};

use super::*;
use crate::{
    claims::EndorsedLaunch,
    policy::{
        Bank, Bytes, CommandLineRule, Endorser, MitigationBit, PlatformFlag, ProductName, RevocationRule, TcbField,
        TcbFloor, ViolationRule,
    },
    testing::{CHIP, SIMULATED, claims, event, file, pcr, policy, report, sha256, snp},
};

/// The codes and weights of all findings that a spoilt attester or policy gives.
fn findings(spoil: impl FnOnce(&mut Policy, &mut Claims)) -> (Verdict, Vec<(&'static str, Severity)>) {
    let (mut policy, mut claims) = (policy(), claims());
    spoil(&mut policy, &mut claims);
    let appraisal = appraise(&policy, &claims).unwrap();
    (appraisal.verdict(), appraisal.findings().map(|finding| (finding.code(), finding.severity())).collect())
}

fn untrusted(code: &'static str) -> (Verdict, Vec<(&'static str, Severity)>) {
    (Verdict::Untrusted, vec![(code, Severity::Failure)])
}

fn unknown(code: &'static str) -> (Verdict, Vec<(&'static str, Severity)>) {
    (Verdict::Unknown, vec![(code, Severity::Missing)])
}

fn trusted() -> (Verdict, Vec<(&'static str, Severity)>) {
    (Verdict::Trusted, Vec::new())
}

/// Changes bytes of the report.
fn with_report(change: impl FnOnce(&mut [u8])) -> impl FnOnce(&mut Policy, &mut Claims) {
    |_, claims| claims.snp = Some(report(change))
}

#[test]
fn a_good_attester_is_trusted_without_a_word() {
    assert_eq!(findings(|_, _| {}), trusted());
    let appraisal = appraise(&policy(), &claims()).unwrap();
    assert_eq!(appraisal.layers().len(), 4);
    for layer in appraisal.layers() {
        assert_eq!(layer.status(), Tier::Affirming, "{layer:?}");
    }
    assert_eq!(appraisal.vector().executables, TrustClaim::BEST);
    assert_eq!(appraisal.simulated_root(), None);
}

#[test]
fn an_unknown_measurement_is_untrusted() {
    assert_eq!(findings(with_report(|report| report[0x90] ^= 1)), untrusted("snp.measurement"));
}

#[test]
fn a_known_measurement_among_several_is_enough() {
    let result = findings(|policy, _| {
        snp(policy).measurements = vec![Bytes([1; 48]), Bytes([0x3e; 48])];
    });
    assert_eq!(result, trusted());
}

#[test]
fn a_report_that_leads_to_no_key_has_to_answer_the_quotes_nonce_where_the_policy_asks() {
    let with = |shared: Option<bool>| {
        findings(|policy, claims| {
            let rules = policy.tpm.get_or_insert_with(Default::default);
            (rules.require_shared_challenge, rules.allow_named_ak) = (true, true);
            claims.key.as_mut().unwrap().binding = None;
            claims.shared_challenge = shared;
        })
    };
    let named = ("tpm.attestation-key", Severity::Warning);
    assert_eq!(with(Some(true)), (Verdict::Trusted, vec![named]));
    assert_eq!(with(Some(false)), (Verdict::Untrusted, vec![named, ("tpm.shared-challenge", Severity::Failure)]));
    assert_eq!(with(None), (Verdict::Unknown, vec![named, ("tpm.shared-challenge", Severity::Missing)]));
    let bound = findings(|policy, _| policy.tpm.get_or_insert_with(Default::default).require_shared_challenge = true);
    assert_eq!(bound, trusted(), "a report that binds the key needs no such thing");
}

#[test]
fn a_launch_that_a_named_issuer_endorses_is_enough() {
    const ISSUER: &str = "did:x509:0:sha256:AA::eku:1.2";
    let with = |change: fn(&mut EndorsedLaunch)| {
        findings(|policy, claims| {
            let feeds = crate::policy::AtLeastOne::new("UVM".to_owned());
            snp(policy).measurements.clear();
            snp(policy).endorsers = vec![Endorser { issuer: ISSUER.into(), feeds, min_svn: 7 }];
            let launch = LaunchEndorsement { feed: "UVM".into(), guest_svn: 7, launch_measurement: "3E".repeat(48) };
            let mut endorsed = EndorsedLaunch { launch, issuer: ISSUER.into() };
            change(&mut endorsed);
            claims.endorsements.push(endorsed);
        })
    };
    assert_eq!(with(|_| {}), trusted());
    let changes: [fn(&mut EndorsedLaunch); 5] = [
        |endorsed| endorsed.launch.guest_svn = 6,
        |endorsed| endorsed.launch.feed = "other".into(),
        |endorsed| endorsed.issuer.push('3'),
        |endorsed| endorsed.launch.launch_measurement = "3f".repeat(48),
        |endorsed| endorsed.launch.launch_measurement = "3e".repeat(47),
    ];
    for change in changes {
        assert_eq!(with(change), untrusted("snp.measurement"));
    }
}

#[test]
fn an_endorsement_that_the_policy_does_not_name_counts_for_nothing() {
    let result = findings(|policy, claims| {
        snp(policy).measurements = vec![Bytes([1; 48])];
        let launch = LaunchEndorsement { feed: "UVM".into(), guest_svn: 7, launch_measurement: "3e".repeat(48) };
        claims.endorsements.push(EndorsedLaunch { launch, issuer: "did:x509:0:sha256:AA::eku:1.2".into() });
    });
    assert_eq!(result, untrusted("snp.measurement"));
}

#[test]
fn another_vmpl_is_untrusted() {
    for vmpl in [1_u32, 3, u32::MAX] {
        let result = findings(with_report(|report| report[0x30..0x34].copy_from_slice(&vmpl.to_le_bytes())));
        assert_eq!(result, untrusted("snp.vmpl"));
    }
}

#[test]
fn debug_and_migration_are_refused_unless_allowed_by_name() {
    for (byte, bit) in [(0x0a, 0x08), (0x0a, 0x04)] {
        assert_eq!(findings(with_report(|report| report[byte] |= bit)), untrusted("snp.guest-policy"));
    }
    let allowed = findings(|policy, claims| {
        (snp(policy).allow_debug, snp(policy).allow_migration) = (true, true);
        claims.snp = Some(report(|report| report[0x0a] |= 0x0c));
    });
    assert_eq!(allowed, trusted());
    let only_debug = findings(|policy, claims| {
        snp(policy).allow_debug = true;
        claims.snp = Some(report(|report| report[0x0a] |= 0x0c));
    });
    assert_eq!(only_debug, untrusted("snp.guest-policy"));
}

#[test]
fn a_debug_guest_has_no_secrets() {
    let mut claims = claims();
    claims.snp = Some(report(|report| report[0x0a] |= 0x08));
    assert_eq!(appraise(&policy(), &claims).unwrap().vector().runtime_opaque, TrustClaim::VISIBLE);
}

#[test]
fn each_tcb_component_has_a_floor_of_its_own() {
    // The other components are far above the floor: none makes up for another.
    for (offset, lower) in [(0, 3), (6, 23), (7, 218)] {
        let result = findings(with_report(|report| {
            report[0x180..0x188].fill(255);
            report[0x180 + offset] = lower;
        }));
        assert_eq!(result, untrusted("snp.tcb"), "byte {offset}");
    }
    assert_eq!(findings(with_report(|report| report[0x180..0x188].fill(255))), trusted());
}

#[test]
fn the_floors_hold_for_the_other_tcbs_where_the_policy_says_so() {
    let fields = [(TcbField::Current, 0x038), (TcbField::Committed, 0x1e0), (TcbField::Launch, 0x1f0)];
    for (field, offset) in fields {
        let older = |report: &mut [u8]| {
            for (_, offset) in fields {
                report[offset..offset + 8].fill(255);
            }
            report[offset + 7] = 1;
        };
        let asked = |fields: Vec<TcbField>| {
            findings(|policy, claims| {
                snp(policy).tcb_fields = fields;
                claims.snp = Some(report(older));
            })
        };
        assert_eq!(asked(vec![field]), untrusted("snp.tcb"), "{field:?}");
        let others = fields.map(|(other, _)| other).into_iter().filter(|other| *other != field);
        assert_eq!(asked(others.collect()), trusted(), "{field:?}");
    }
}

#[test]
fn mitigations_have_to_be_there_at_launch_and_now() {
    let asked = |version: u8, launch: u8, current: u8| {
        findings(|policy, claims| {
            snp(policy).mitigations = [0, 2].map(|bit| MitigationBit::try_from(bit).unwrap()).into();
            claims.snp = Some(report(|report| {
                report[0] = version;
                (report[0x1f8], report[0x200]) = (launch, current);
            }));
        })
    };
    assert_eq!(asked(5, 0b101, 0b111), trusted());
    assert_eq!(asked(5, 0b100, 0b111), untrusted("snp.mitigations"));
    assert_eq!(asked(5, 0b111, 0b001), untrusted("snp.mitigations"));
    assert_eq!(asked(2, 0, 0), unknown("snp.mitigations"));
    assert!(MitigationBit::try_from(64).is_err());
}

#[test]
fn the_platform_says_what_it_has_to_and_nothing_that_it_must_not() {
    let asked = |info: u8| {
        findings(|policy, claims| {
            snp(policy).platform_required = vec![PlatformFlag::AliasCheckComplete];
            snp(policy).platform_refused = vec![PlatformFlag::Smt];
            claims.snp = Some(report(|report| report[0x40] = info));
        })
    };
    assert_eq!(asked(0x20), trusted());
    assert_eq!(asked(0x00), untrusted("snp.platform"));
    assert_eq!(asked(0x21), untrusted("snp.platform"));
}

#[test]
fn a_floor_for_other_products_alone_leaves_the_verdict_open() {
    let result = findings(|policy, _| {
        snp(policy).tcb = [(ProductName::Genoa, TcbFloor::default())].into();
    });
    assert_eq!(result, unknown("snp.tcb"));
}

#[test]
fn a_policy_without_floors_is_mentioned() {
    let result = findings(|policy, _| snp(policy).tcb.clear());
    assert_eq!(result, (Verdict::Trusted, vec![("snp.tcb", Severity::Notice)]));
}

#[test]
fn an_older_guest_is_untrusted() {
    assert_eq!(findings(with_report(|report| report[4] = 6)), untrusted("snp.guest-svn"));
    assert_eq!(findings(with_report(|report| report[6] = 1)), trusted());
}

#[test]
fn the_keys_of_the_id_block_have_to_be_the_named_ones() {
    assert_eq!(findings(with_report(|report| report[0xe0] ^= 1)), untrusted("snp.id-block"));
    let author = findings(|policy, _| snp(policy).author_keys = vec![Bytes([5; 48])]);
    assert_eq!(author, untrusted("snp.id-block"));
}

#[test]
fn a_relayed_report_of_another_machine_is_untrusted() {
    let relayed = findings(|policy, claims| {
        snp(policy).host_data = vec![Bytes([0x40; 32])];
        claims.snp = Some(report(|report| report[0xc0] ^= 1));
    });
    assert_eq!(relayed, untrusted("snp.host-data"));
    assert_eq!(findings(|policy, _| snp(policy).host_data = vec![Bytes([0x40; 32])]), trusted());
}

#[test]
fn a_chip_that_is_not_named_is_untrusted() {
    assert_eq!(findings(|policy, _| snp(policy).chips = vec![Bytes([1; 64])]), untrusted("snp.signer"));
    assert_eq!(findings(|policy, _| snp(policy).chips = vec![Bytes(CHIP)]), trusted());
}

fn signed_by_a_provider(claims: &mut Claims) {
    let mut report = report(|report| report[0x1a0..0x1e0].fill(0));
    report.claims.signer = Signer::Provider { csp_id: "a cloud".into() };
    claims.snp = Some(report);
}

#[test]
fn a_vlek_is_refused_unless_allowed() {
    assert_eq!(findings(|_, claims| signed_by_a_provider(claims)), untrusted("snp.signer"));
    let allowed = findings(|policy, claims| {
        snp(policy).allow_vlek = true;
        signed_by_a_provider(claims);
    });
    assert_eq!(allowed, trusted());
    let other = findings(|policy, claims| {
        snp(policy).allow_vlek = true;
        snp(policy).providers = vec!["another cloud".into()];
        signed_by_a_provider(claims);
    });
    assert_eq!(other, untrusted("snp.signer"));
}

#[test]
fn a_vlek_cannot_show_which_chip_it_is() {
    let result = findings(|policy, claims| {
        snp(policy).allow_vlek = true;
        snp(policy).chips = vec![Bytes(CHIP)];
        signed_by_a_provider(claims);
    });
    assert_eq!(result, untrusted("snp.signer"));
}

#[test]
fn another_product_line_is_untrusted() {
    assert_eq!(findings(|policy, _| snp(policy).products = vec![ProductName::Genoa]), untrusted("snp.root"));
    assert_eq!(findings(|policy, _| snp(policy).products.clear()), untrusted("snp.root"));
}

fn simulate(claims: &mut Claims) {
    let report = claims.snp.as_mut().unwrap();
    assert_eq!(report.root, Root::Amd(AmdProduct::Milan));
    report.root = Root::Simulated { name: SIMULATED.into() };
}

#[test]
fn a_simulated_root_is_untrusted_unless_the_policy_names_it() {
    assert_eq!(findings(|_, claims| simulate(claims)), untrusted("snp.root"));
    let other = findings(|policy, claims| {
        snp(policy).simulated = vec!["SIMULATED ARK-Genoa".into()];
        simulate(claims);
    });
    assert_eq!(other, untrusted("snp.root"));
}

#[test]
fn a_named_simulated_root_is_trusted_and_never_silent() {
    let (mut policy, mut claims) = (policy(), claims());
    snp(&mut policy).simulated = vec![SIMULATED.into()];
    simulate(&mut claims);
    let appraisal = appraise(&policy, &claims).unwrap();
    assert_eq!(appraisal.verdict(), Verdict::Trusted);
    assert_eq!(appraisal.simulated_root(), Some(SIMULATED));
    assert_eq!(appraisal.layers()[0].status(), Tier::Warning);
    let finding = appraisal.findings().next().unwrap().explain();
    assert_eq!((finding.code.as_str(), finding.severity), ("snp.root", Severity::Warning));
    assert!(finding.sentence.contains("SIMULATED"), "{}", finding.sentence);
}

#[test]
fn revocation_lists_weigh_what_the_policy_says() {
    let with = |revocation, rule| {
        findings(|policy, claims| {
            snp(policy).revocation = rule;
            claims.snp.as_mut().unwrap().claims.revocation = revocation;
        })
    };
    let stale = x509::Revocation::Stale { next_update: UnixTime(1) };
    let notice = (Verdict::Trusted, vec![("snp.revocation", Severity::Notice)]);
    assert_eq!(with(x509::Revocation::Unchecked, RevocationRule::Optional), notice);
    assert_eq!(with(x509::Revocation::Unchecked, RevocationRule::Required), unknown("snp.revocation"));
    assert_eq!(with(stale, RevocationRule::Required), (Verdict::Stale, vec![("snp.revocation", Severity::Stale)]));
}

#[test]
fn refused_evidence_makes_the_attester_untrusted_whatever_else_is_good() {
    let mut claims = claims();
    claims = claims.with_refusal(Layer::Tpm, &"the quote answers another nonce");
    let appraisal = appraise(&policy(), &claims).unwrap();
    assert_eq!(appraisal.verdict(), Verdict::Untrusted);
    let tpm = appraisal.layers().iter().find(|layer| layer.layer() == Layer::Tpm).unwrap();
    assert_eq!(tpm.vector().instance_identity, TrustClaim::CRYPTO_FAILED);
}

#[test]
fn what_the_policy_asks_for_and_nobody_sends_is_unknown() {
    assert_eq!(findings(|_, claims| claims.snp = None), unknown("evidence.missing"));
    assert_eq!(findings(|_, claims| claims.boot = None), unknown("evidence.missing"));
    assert_eq!(findings(|_, claims| claims.runtime = None), unknown("evidence.missing"));
    assert_eq!(findings(|_, claims| claims.quote = None), unknown("evidence.missing"));
    assert_eq!(findings(|_, claims| *claims = Claims::new()).0, Verdict::Unknown);
}

#[test]
fn a_policy_for_the_launch_alone_asks_for_no_more() {
    let result = findings(|policy, claims| {
        (policy.tpm, policy.boot, policy.ima) = (None, None, None);
        *claims = Claims { snp: claims.snp.take(), ..Claims::new() };
    });
    assert_eq!(result, trusted());
}

#[test]
fn four_states_are_not_one_another() {
    let untrusted = findings(with_report(|report| report[0x90] ^= 1)).0;
    let unknown = findings(|_, claims| claims.quote = None).0;
    let stale = findings(|_, claims| claims.quote.as_mut().unwrap().freshness = tpm::Freshness::Recorded).0;
    let unreachable = Appraisal::unreachable().verdict();
    assert_eq!(
        [untrusted, unknown, stale, unreachable],
        [Verdict::Untrusted, Verdict::Unknown, Verdict::Stale, Verdict::Unreachable]
    );
}

#[test]
fn a_recorded_quote_is_stale_unless_allowed() {
    let record = |claims: &mut Claims| claims.quote.as_mut().unwrap().freshness = tpm::Freshness::Recorded;
    let stale = (Verdict::Stale, vec![("tpm.freshness", Severity::Stale)]);
    assert_eq!(findings(|_, claims| record(claims)), stale);
    let allowed = findings(|policy, claims| {
        policy.tpm.as_mut().unwrap().allow_recorded = true;
        record(claims);
    });
    assert_eq!(allowed, (Verdict::Trusted, vec![("tpm.freshness", Severity::Notice)]));
}

#[test]
fn a_recorded_report_nonce_is_stale_too() {
    let result = findings(|policy, claims| {
        policy.tpm.as_mut().unwrap().bindings.clear();
        claims.key.as_mut().unwrap().binding =
            Some((BindingProfile::SvsmManifestV0.name(), BindingFreshness::Recorded));
    });
    assert_eq!(result, (Verdict::Stale, vec![("tpm.freshness", Severity::Stale)]));
}

#[test]
fn a_key_on_the_operators_word_is_not_enough() {
    let named = |claims: &mut Claims| claims.key.as_mut().unwrap().binding = None;
    assert_eq!(findings(|_, claims| named(claims)), unknown("tpm.attestation-key"));
    let allowed = findings(|policy, claims| {
        policy.tpm.as_mut().unwrap().allow_named_ak = true;
        named(claims);
    });
    assert_eq!(allowed, (Verdict::Trusted, vec![("tpm.attestation-key", Severity::Warning)]));
}

#[test]
fn another_binding_profile_is_untrusted() {
    let result = findings(|policy, _| policy.tpm.as_mut().unwrap().bindings = vec!["svsm-manifest-v1".into()]);
    assert_eq!(result, untrusted("tpm.attestation-key"));
}

#[test]
fn a_vendors_certificate_is_accepted_by_its_name_alone() {
    let certified = |bindings: &[&str]| {
        findings(|policy, claims| {
            policy.tpm.as_mut().unwrap().bindings = bindings.iter().map(|name| (*name).to_owned()).collect();
            claims.key.as_mut().unwrap().binding = Some(("ek-certificate", BindingFreshness::Lasting));
        })
    };
    assert_eq!(certified(&[]), untrusted("tpm.attestation-key"));
    assert_eq!(certified(&["nv-report"]), untrusted("tpm.attestation-key"));
    assert_eq!(certified(&["nv-report", "ek-certificate"]), (Verdict::Trusted, Vec::new()));
}

#[test]
fn an_unsafe_clock_is_reported() {
    let result = findings(|_, claims| claims.quote.as_mut().unwrap().clock.safe = false);
    assert_eq!(result, (Verdict::Trusted, vec![("tpm.clock", Severity::Notice)]));
}

#[test]
fn a_bank_that_is_not_quoted_is_unknown() {
    let result = findings(|policy, _| policy.tpm.as_mut().unwrap().banks.push(Bank(HashId::SHA384)));
    assert_eq!(result, unknown("tpm.bank"));
}

#[test]
fn a_pcr_with_another_value_is_untrusted() {
    let result = findings(|_, claims| claims.quote.as_mut().unwrap().banks[0].values[7].1[0] ^= 1);
    assert_eq!(result, untrusted("tpm.pcr"));
}

#[test]
fn a_pcr_that_is_not_quoted_is_unknown() {
    let result =
        findings(|_, claims| claims.quote.as_mut().unwrap().banks[0].values.retain(|(index, _)| *index != pcr(7)));
    assert_eq!(result, unknown("tpm.pcr"));
}

#[test]
fn a_pcr_that_the_log_does_not_explain_is_unknown() {
    let result = findings(|_, claims| {
        claims.boot.as_mut().unwrap().explained = PcrSet::from_mask(0x0ff).unwrap();
    });
    assert_eq!(result, unknown("boot.unexplained"));
}

fn measured(fill: u8) -> Vec<CommandLine> {
    vec![CommandLine::Digest { pcr: pcr(9), digests: vec![(HashId::SHA256, Digest::new(&[fill; 32]).unwrap())] }]
}

#[test]
fn another_command_line_is_untrusted() {
    let result = findings(|_, claims| claims.boot.as_mut().unwrap().command_lines = measured(0x99));
    assert_eq!(result, untrusted("boot.command-line"));
}

#[test]
fn every_measured_command_line_has_to_be_accepted() {
    let result = findings(|_, claims| claims.boot.as_mut().unwrap().command_lines.extend(measured(0x99)));
    assert_eq!(result, untrusted("boot.command-line"));
}

#[test]
fn a_command_line_that_was_not_measured_is_unknown() {
    let result = findings(|_, claims| claims.boot.as_mut().unwrap().command_lines.clear());
    assert_eq!(result, unknown("boot.command-line"));
}

#[test]
fn a_pattern_needs_a_text() {
    let rule = || vec![CommandLineRule::Pattern("root=* quiet".parse().unwrap())];
    let digest = findings(|policy, _| policy.boot.as_mut().unwrap().command_lines = rule());
    assert_eq!(digest, untrusted("boot.command-line"));
    let text = |text: &str| {
        findings(|policy, claims| {
            policy.boot.as_mut().unwrap().command_lines = rule();
            claims.boot.as_mut().unwrap().command_lines = vec![CommandLine::Text { pcr: pcr(8), text: text.into() }];
        })
    };
    assert_eq!(text("root=LABEL quiet"), trusted());
    assert_eq!(text("root=LABEL quiet init=/bin/sh"), untrusted("boot.command-line"));
}

#[test]
fn secure_boot_that_is_off_or_unproven_is_told_apart() {
    assert_eq!(
        findings(|_, claims| claims.boot.as_mut().unwrap().secure_boot = Some(false)),
        untrusted("boot.secure-boot")
    );
    assert_eq!(findings(|_, claims| claims.boot.as_mut().unwrap().secure_boot = None), unknown("boot.secure-boot"));
}

#[test]
fn an_unknown_boot_loader_is_untrusted_whatever_the_log_calls_it() {
    let result = findings(|_, claims| {
        let mut event = event(4, 0x66);
        event.label = "EV_EFI_ACTION".into();
        claims.boot.as_mut().unwrap().events.push(event);
    });
    assert_eq!(result, untrusted("boot.application"));
}

#[test]
fn an_unknown_initial_ram_disk_is_untrusted() {
    let result = findings(|_, claims| claims.boot.as_mut().unwrap().events.push(event(9, 0x66)));
    assert_eq!(result, untrusted("boot.loaded"));
}

#[test]
fn a_file_that_claims_to_be_the_command_line_is_judged_by_some_rule() {
    let result = findings(|policy, claims| {
        policy.boot.as_mut().unwrap().command_lines.clear();
        let boot = claims.boot.as_mut().unwrap();
        boot.events.retain(|event| !event.is_load_options);
        boot.events.push(crate::claims::BootEvent { is_load_options: true, ..event(9, 0x66) });
    });
    assert_eq!(result, untrusted("boot.loaded"));
}

#[test]
fn a_changed_file_is_named_with_what_it_was_and_what_it_is() {
    let mut claims = claims();
    claims.runtime.as_mut().unwrap().files[0] = file("/usr/bin/true", 0xee);
    let appraisal = appraise(&policy(), &claims).unwrap();
    assert_eq!(appraisal.verdict(), Verdict::Untrusted);
    let finding = appraisal.findings().next().unwrap().explain();
    assert_eq!(finding.code, "runtime.file");
    assert_eq!(finding.sentence, format!("/usr/bin/true changed: it was {}, it is {}.", sha256(0xa1), sha256(0xee)));
    assert!(finding.suggestion.contains(&sha256(0xee).to_string()));
}

#[test]
fn a_dropped_file_is_untrusted_and_an_excluded_one_is_not_judged() {
    let drop = |claims: &mut Claims| claims.runtime.as_mut().unwrap().files.push(file("/tmp/dropper", 0xdd));
    assert_eq!(findings(|_, claims| drop(claims)), untrusted("runtime.file"));
    let excluded = findings(|policy, claims| {
        policy.ima.as_mut().unwrap().excludes = vec!["/tmp/*".parse().unwrap()];
        drop(claims);
    });
    assert_eq!(excluded, trusted());
    let anchored = findings(|policy, claims| {
        policy.ima.as_mut().unwrap().excludes = vec!["/tmp".parse().unwrap(), "tmp/*".parse().unwrap()];
        drop(claims);
    });
    assert_eq!(anchored, untrusted("runtime.file"));
}

#[test]
fn a_digest_under_any_path_is_accepted() {
    let result = findings(|policy, claims| {
        policy.ima.as_mut().unwrap().digests = vec![sha256(0xdd)];
        claims.runtime.as_mut().unwrap().files.push(file("/anywhere", 0xdd));
    });
    assert_eq!(result, trusted());
}

#[test]
fn a_valid_signature_by_a_key_that_the_policy_does_not_name_counts_nothing() {
    let result = findings(|_, claims| {
        let mut file = file("/opt/tool", 0xdd);
        file.signature = SignatureState::Valid { key_id: 0x1234_5678 };
        claims.runtime.as_mut().unwrap().files.push(file);
    });
    assert_eq!(result, untrusted("runtime.file"));
}

#[test]
fn a_file_without_a_known_digest_is_untrusted() {
    let result = findings(|_, claims| claims.runtime.as_mut().unwrap().files[0].digest = None);
    assert_eq!(result, untrusted("runtime.file"));
}

#[test]
fn violations_fail_by_default() {
    let violate = |claims: &mut Claims| claims.runtime.as_mut().unwrap().violations = 2;
    assert_eq!(findings(|_, claims| violate(claims)), untrusted("runtime.violations"));
    let reported = findings(|policy, claims| {
        policy.ima.as_mut().unwrap().violations = ViolationRule::Report;
        violate(claims);
    });
    assert_eq!(reported, (Verdict::Trusted, vec![("runtime.violations", Severity::Warning)]));
}

#[test]
fn a_boot_aggregate_that_the_quote_does_not_cover_is_unknown() {
    let result = findings(|_, claims| claims.runtime.as_mut().unwrap().aggregate_verified = false);
    assert_eq!(result, unknown("runtime.boot-aggregate"));
}

#[test]
fn entries_behind_the_quote_are_mentioned() {
    let result = findings(|_, claims| claims.runtime.as_mut().unwrap().uncovered = 3);
    assert_eq!(result, (Verdict::Trusted, vec![("runtime.uncovered", Severity::Notice)]));
}

#[test]
fn padded_banks_are_warned_about() {
    let result = findings(|_, claims| claims.runtime.as_mut().unwrap().weak_banks = vec![HashId::SHA384]);
    assert_eq!(result, (Verdict::Trusted, vec![("runtime.weak-bank", Severity::Warning)]));
}

#[test]
fn a_flood_of_unknown_files_is_counted_rather_than_listed() {
    let (_, findings) = findings(|_, claims| {
        let flood = (0..5000).map(|number| file(&format!("/f/{number}"), 0xdd));
        claims.runtime.as_mut().unwrap().files.extend(flood);
    });
    assert_eq!(findings.len(), 101);
    assert_eq!(findings.last().unwrap().0, "runtime.more-files");
}

#[test]
fn a_machine_without_hardware_passes_only_where_the_policy_says_so_and_the_result_says_it_too() {
    let nobody = Claims { snp: None, ..claims() };
    let mut policy = policy();
    assert_eq!(appraise(&policy, &nobody).unwrap().verdict(), Verdict::Unknown);
    (policy.snp, policy.hardware) = (None, crate::policy::HardwareRule::None);
    let appraisal = appraise(&policy, &nobody).unwrap();
    let codes: Vec<_> = appraisal.findings().map(Finding::code).collect();
    assert_eq!((appraisal.verdict(), codes), (Verdict::Trusted, vec!["evidence.no-hardware"]));
    assert_eq!(appraisal.vector().hardware, TrustClaim::UNSAFE);
}

#[test]
fn a_policy_that_was_emptied_in_memory_passes_nothing() {
    for hardware in [crate::policy::HardwareRule::Required, crate::policy::HardwareRule::None] {
        let result = findings(|policy, _| {
            *policy = Policy { hardware, snp: None, tpm: None, boot: None, ima: None, ..policy.clone() };
        });
        assert_eq!(result.0, Verdict::Unknown, "{result:?}");
        assert!(result.1.contains(&("evidence.empty-policy", Severity::Missing)), "{result:?}");
    }
}

#[test]
fn a_policy_that_is_tried_out_finds_and_decides_nothing() {
    let (mut policy, mut other) = (policy(), claims());
    policy.mode = crate::policy::Mode::Audit;
    assert_eq!(
        (appraise(&policy, &other).unwrap().verdict(), appraise(&policy, &other).unwrap().would_be()),
        (Verdict::Audit, Some(Verdict::Trusted))
    );
    other.runtime.as_mut().unwrap().files = vec![file("/usr/bin/sh", 0xb2)];
    let appraisal = appraise(&policy, &other).unwrap();
    assert_eq!((appraisal.verdict(), appraisal.would_be()), (Verdict::Audit, Some(Verdict::Untrusted)));
    assert_eq!(appraisal.findings().map(Finding::code).collect::<Vec<_>>(), ["runtime.file"]);
}

#[test]
fn every_finding_explains_itself() {
    let mut claims = claims();
    let mut policy = policy();
    snp(&mut policy).measurements = vec![Bytes([0; 48])];
    snp(&mut policy).products.clear();
    snp(&mut policy).min_guest_svn = 99;
    snp(&mut policy).chips = vec![Bytes([0; 64])];
    claims.runtime.as_mut().unwrap().violations = 1;
    claims.quote.as_mut().unwrap().clock.safe = false;
    let appraisal = appraise(&policy, &claims).unwrap();
    assert!(appraisal.findings().count() >= 6);
    for finding in appraisal.findings() {
        let text = finding.explain();
        for part in [&text.expected, &text.actual, &text.suggestion] {
            assert!(!part.is_empty(), "{text:?}");
        }
        assert!(text.sentence.ends_with('.'), "{}", text.sentence);
    }
}

#[test]
fn the_same_input_gives_the_same_appraisal() {
    assert_eq!(appraise(&policy(), &claims()).unwrap(), appraise(&policy(), &claims()).unwrap());
}
