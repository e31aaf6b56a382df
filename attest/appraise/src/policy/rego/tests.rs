// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Modules that object, modules that cannot, and modules that are none.

use evtpm_verify::UnixTime;

use super::*;
use crate::{
    appraisal::appraise,
    policy::{HardwareRule, Policy},
    testing::{claims, file, policy},
    verdict::Verdict,
};

fn module(rules: &str) -> Result<RegoModule, PolicyError> {
    RegoModule::new(format!("package evtpm\n{rules}"))
}

/// What the module's objections to a good attester are: verdict, and sentences with their layers and weights.
fn judged(rules: &str) -> (Verdict, Vec<(String, Layer, Severity)>) {
    let policy = Policy { rego: Some(RegoPolicy { module: module(rules).unwrap() }), ..policy() };
    let appraisal = appraise(&policy, &claims()).unwrap();
    let findings =
        appraisal.findings().map(|finding| (finding.explain().sentence, finding.layer(), finding.severity()));
    (appraisal.verdict(), findings.collect())
}

fn flaw_of(rules: &str) -> String {
    module(rules).unwrap_err().detail
}

#[test]
fn a_module_that_finds_nothing_lets_the_other_sections_decide() {
    let rules = "deny contains \"debug\" if input.snp.debug\nallow if input.snp.vmpl == 0";
    assert_eq!(judged(rules), (Verdict::Trusted, vec![]));

    let mut policy = Policy { rego: Some(RegoPolicy { module: module("allow := true").unwrap() }), ..policy() };
    policy.snp.as_mut().unwrap().measurements = vec![crate::policy::Bytes([0; 48])];
    assert_eq!(appraise(&policy, &claims()).unwrap().verdict(), Verdict::Untrusted, "a module cannot excuse anything");
}

#[test]
fn each_reason_is_a_finding_of_its_layer() {
    let rules = r#"
deny contains "The guest has an old security version." if input.snp.guest_svn < 8
deny contains {"message": sprintf("PCR 7 is %s", [value]), "layer": "boot", "severity": "warning"} if {
    value := substring(input.tpm.pcrs.sha256["7"], 0, 4)
}"#;
    let (verdict, findings) = judged(rules);
    assert_eq!(verdict, Verdict::Untrusted);
    assert_eq!(findings[0], ("The guest has an old security version.".into(), Layer::Snp, Severity::Failure));
    let (sentence, layer, severity) = &findings[1];
    assert!(sentence.starts_with("PCR 7 is "), "{sentence}");
    assert_eq!((findings.len(), *layer, *severity), (2, Layer::Boot, Severity::Warning));
}

#[test]
fn an_allow_that_is_not_true_is_an_objection() {
    for rules in
        ["allow if input.snp.vmpl == 3", "default allow := false", "allow := \"true\"", "allow if input.no.such"]
    {
        let (verdict, findings) = judged(rules);
        assert_eq!((verdict, findings.len()), (Verdict::Untrusted, 1), "{rules}");
    }
}

#[test]
fn a_module_that_could_not_object_is_no_module() {
    for rules in ["", "x := 1", "denied contains \"x\" if input.snp.debug"] {
        assert!(flaw_of(rules).contains("everything would pass"), "{rules}: {}", flaw_of(rules));
    }
    assert!(RegoModule::new("package other\nallow := true".into()).unwrap_err().detail.contains("package is other"));
    assert!(RegoModule::new("allow := true".into()).is_err());
    assert!(RegoModule::new(format!("package evtpm\nallow := true\n#{}", "x".repeat(MAX_BYTES))).is_err());
}

#[test]
fn a_module_alone_is_no_policy() {
    let alone = Policy {
        rego: Some(RegoPolicy { module: module("allow := true").unwrap() }),
        ..Policy::empty(HardwareRule::None)
    };
    assert!(Policy::from_toml(&alone.to_toml().unwrap()).unwrap_err().detail.contains("no rule"));
    assert_eq!(appraise(&alone, &claims()).unwrap().verdict(), Verdict::Unknown);
}

#[test]
fn what_is_wrong_with_a_module_is_wrong_with_the_policy_and_no_verdict() {
    for rules in [
        "deny contains {",
        "deny[msg] { msg := \"old syntax\" }",
        "allow if { x > 3 }",
        "allow if deny\ndeny if allow",
        "allow := true\nallow := false",
    ] {
        assert!(module(rules).is_err(), "{rules}");
    }
    // What only these claims bring out ends the appraisal.
    for rules in [
        "deny contains \"x\" if startswith(input.snp.vmpl, \"0\")",
        "deny contains \"x\" if to_number(input.snp.measurement) > 3",
        "deny contains 7 if input.snp",
        "deny contains {\"sentence\": \"x\"} if input.snp",
        "deny contains {\"message\": \"x\", \"layer\": \"cellar\"} if input.snp",
        "deny := true if input.snp",
    ] {
        let policy = Policy { rego: Some(RegoPolicy { module: module(rules).unwrap() }), ..policy() };
        let error = appraise(&policy, &claims()).unwrap_err();
        assert!(error.detail.starts_with("its Rego module: "), "{rules}: {error}");
    }
}

#[test]
fn a_module_has_no_clock_no_dice_and_no_network() {
    for call in [
        "time.now_ns()",
        "rand.intn(\"x\", 9)",
        "opa.runtime()",
        "http.send({\"method\": \"get\", \"url\": \"http://x\"})",
        "uuid.rfc4122(\"x\")",
        "net.lookup_ip_addr(\"x\")",
    ] {
        let error = flaw_of(&format!("deny contains \"x\" if {call} == 1"));
        assert!(error.contains("could not find function"), "{call}: {error}");
    }
}

#[test]
fn a_module_that_does_not_end_is_ended_after_the_same_steps() {
    let rules = "deny contains \"x\" if { input.snp; some i in numbers.range(1, 4000); some j in numbers.range(1, 4000); i * j == 0 }";
    let policy = Policy { rego: Some(RegoPolicy { module: module(rules).unwrap() }), ..policy() };
    let error = appraise(&policy, &claims()).unwrap_err().detail;
    assert!(error.contains("limit"), "{error}");
    // The limit is for one evaluation, and the next one has all of it again.
    assert_eq!(judged("allow := true"), (Verdict::Trusted, vec![]));
}

#[test]
fn of_many_reasons_the_gravest_are_told_and_the_rest_counted() {
    let rules = r#"
deny contains {"message": sprintf("notice %d", [i]), "severity": "notice"} if { input.snp; some i in numbers.range(1, 150) }
deny contains "the one that counts" if input.snp"#;
    let (verdict, findings) = judged(rules);
    assert_eq!((verdict, findings.len()), (Verdict::Untrusted, 101));
    assert!(findings.iter().any(|(sentence, ..)| sentence == "the one that counts"));
    assert!(findings.iter().any(|(sentence, ..)| sentence.contains("51 more reasons")));
}

#[test]
fn a_module_gets_the_whole_logs_each_time() {
    let with = Policy { rego: Some(RegoPolicy { module: module("allow := true").unwrap() }), ..policy() };
    assert!(appraise(&policy(), &claims()).unwrap().may_continue());
    assert!(!appraise(&with, &claims()).unwrap().may_continue());
    let mut grown = claims();
    grown.boot_stands = true;
    assert!(appraise(&with, &grown).unwrap_err().detail.contains("whole logs"));
}

#[test]
fn a_document_with_a_module_reads_as_it_is_written() {
    let with = Policy { rego: Some(RegoPolicy { module: module("allow := true\n").unwrap() }), ..policy() };
    assert_eq!(Policy::from_toml(&with.to_toml().unwrap()), Ok(with.clone()));
    assert_eq!(Policy::from_json(&with.to_json().unwrap()), Ok(with.clone()));
    assert_ne!(with.id(), policy().id());
    let text = with.to_toml().unwrap().replace("[rego]", "[rego]\nmodul = \"x\"");
    assert!(Policy::from_toml(&text).unwrap_err().detail.contains("modul"));
}

/// The module of docs/POLICY.md.
fn documented() -> RegoModule {
    let document = include_str!("../../../../../docs/POLICY.md");
    let (_, after) = document.split_once("```rego\n").unwrap();
    RegoModule::new(after.split_once("```").unwrap().0.into()).unwrap()
}

#[test]
fn the_documents_example_does_what_it_says() {
    let policy = Policy { rego: Some(RegoPolicy { module: documented() }), ..policy() };
    let judged = |claims: Claims| {
        let appraisal = appraise(&policy, &claims).unwrap();
        let by_module = appraisal.findings().filter(|finding| finding.code().starts_with("rego."));
        let found: Vec<_> =
            by_module.map(|finding| (finding.code(), finding.layer(), finding.explain().sentence)).collect();
        (appraisal.verdict(), found)
    };
    let good = || claims().with_time(UnixTime(1_790_000_000));
    assert_eq!(judged(good()), (Verdict::Trusted, vec![]));

    let mut unsigned = good();
    unsigned.runtime.as_mut().unwrap().files.push(file("/opt/tool", 0xa1));
    let finding = ("rego.denied", Layer::Runtime, "/opt/tool is not signed.".to_owned());
    assert!(judged(unsigned).1.contains(&finding));

    let mut reset = good();
    reset.quote.as_mut().unwrap().clock.reset_count = 51;
    assert_eq!(
        judged(reset),
        (Verdict::Trusted, vec![("rego.denied", Layer::Tpm, "The TPM was reset 51 times.".into())])
    );

    for late in [claims().with_time(UnixTime(1_800_000_000)), claims()] {
        let (verdict, found) = judged(late);
        assert_eq!((verdict, found.len(), found[0].0), (Verdict::Untrusted, 1, "rego.not-allowed"));
    }
}

#[test]
fn explaining_and_comparing_know_of_a_module() {
    let with = Policy { rego: Some(RegoPolicy { module: documented() }), ..policy() };
    let paragraphs = with.explain();
    let of_module = paragraphs.iter().find(|paragraph| paragraph.section == "rego").unwrap();
    assert!(of_module.sentences[0].starts_with("A Rego module of 25 lines"), "{of_module:?}");
    assert_eq!(of_module.sentences.len(), 3);
    let changes: Vec<String> = policy().diff(&with).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["rego: with module 25 lines (narrower)"]);
    let other = Policy { rego: Some(RegoPolicy { module: module("allow := true\n").unwrap() }), ..policy() };
    let changes: Vec<String> = with.diff(&other).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["rego.module: was 25 lines, is 2 lines (other)"]);
}
