// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A learnt policy accepts what it was learnt from, and names what differs.

use super::*;
use crate::{
    Finding, Verdict, appraise,
    testing::{claims, file, policy, report, sha256},
};

fn codes(policy: &Policy, claims: &Claims) -> Vec<&'static str> {
    appraise(policy, claims).unwrap().findings().map(Finding::code).collect()
}

#[test]
fn a_learnt_policy_trusts_its_teacher() {
    assert_eq!(appraise(&policy(), &claims()).unwrap().verdict(), Verdict::Trusted);
}

#[test]
fn nothing_is_learnt_without_a_report() {
    let unknown = Claims { snp: None, ..claims() };
    assert_eq!(Policy::learn(&unknown), Err(LearnError::NoReport));
}

#[test]
fn nothing_is_learnt_from_a_debug_guest() {
    let debug = Claims { snp: Some(report(|report| report[0x0a] |= 8)), ..claims() };
    assert_eq!(Policy::learn(&debug), Err(LearnError::OpenGuest { policy: 0xb0000 }));
}

#[test]
fn nothing_is_learnt_from_refused_evidence() {
    let refused = claims().with_refusal(crate::Layer::Boot, &"replay");
    assert_eq!(Policy::learn(&refused), Err(LearnError::Refused { reason: "replay".into() }));
}

#[test]
fn two_teachers_are_both_trusted() {
    let mut other = claims();
    other.snp = Some(report(|report| report[0x90] ^= 1));
    other.runtime.as_mut().unwrap().files = vec![file("/usr/bin/sh", 0xb2)];
    let mut policy = policy();
    assert_eq!(codes(&policy, &other), ["snp.measurement", "runtime.file"]);
    policy.merge(Policy::learn(&other).unwrap());
    assert_eq!(codes(&policy, &other), [""; 0]);
    assert_eq!(codes(&policy, &claims()), [""; 0]);
    let third = Claims { snp: Some(report(|report| report[0x90] ^= 2)), ..claims() };
    assert_eq!(codes(&policy, &third), ["snp.measurement"]);
}

#[test]
fn merging_takes_the_lower_floor() {
    let mut older = claims();
    older.snp = Some(report(|report| report[0x187] = 200));
    let mut policy = policy();
    policy.merge(Policy::learn(&older).unwrap());
    assert_eq!(appraise(&policy, &older).unwrap().verdict(), Verdict::Trusted);
    assert_eq!(policy.snp.unwrap().tcb[&ProductName::Milan].microcode, 200);
}

#[test]
fn a_learnt_policy_survives_both_forms() {
    let policy = policy();
    assert_eq!(Policy::from_toml(&policy.to_toml().unwrap()), Ok(policy.clone()));
    assert_eq!(Policy::from_json(&policy.to_json().unwrap()), Ok(policy));
}

#[test]
fn without_an_event_log_the_pcr_values_themselves_are_learnt() {
    let bare = Claims { boot: None, runtime: None, ..claims() };
    let policy = Policy::learn(&bare).unwrap();
    let pcrs: Vec<u32> = policy.tpm.unwrap().pcrs.iter().map(|rule| u32::from(rule.pcr)).collect();
    assert_eq!(pcrs, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn files_of_one_path_gather_their_digests() {
    let mut policy = policy();
    let mut other = claims();
    other.runtime.as_mut().unwrap().files = vec![file("/usr/bin/sh", 0xb2)];
    policy.merge(Policy::learn(&other).unwrap());
    let known = &policy.ima.unwrap().files["/usr/bin/sh"];
    assert_eq!(known.to_vec(), [sha256(0xa2), sha256(0xb2)]);
}
