// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A policy learnt from a recorded good boot names exactly what differs in the others (`vm-boot/app-*`).

use std::{fs, path::PathBuf};

use evtpm_logs::{HashId, PcrSet};
use evtpm_verify::{
    UnixTime,
    logs::{Keyring, MeasuredBoot, MeasuredRuntime, RuntimeRules},
    tpm::{AkPublic, Issued, QuoteEvidence, Selection, TrustedAk},
};

use super::*;
use crate::{Finding, Verdict, appraise, testing::report};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from)
        .join("vm-boot");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

/// Reads tpm2-tools' dump of PCR values: a selection of 132 bytes, a count, lists of up to eight digests of 2 + 64 bytes.
fn pcr_values(dump: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap()) as usize;
    let lists = (0..word(132)).map(|list| 136 + list * (4 + 8 * 66));
    lists
        .flat_map(|list| (0..word(list)).map(move |digest| list + 4 + digest * 66))
        .map(|at| {
            let size = usize::from(u16::from_le_bytes([dump[at], dump[at + 1]]));
            dump[at + 2..at + 2 + size].to_vec()
        })
        .collect()
}

/// Everything that one recorded boot proves, above a report that is the same for all of them.
fn recorded(name: &str) -> Option<Claims> {
    let boot = folder()?.join(name);
    let read = |file: &str| fs::read(boot.join(file)).unwrap();
    let key = TrustedAk::named(AkPublic::from_tpm2b(&read("keys/ak-ecdsa.pub")).unwrap());
    let values = pcr_values(&read("q/ecdsa.pcrs"));
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let (message, signature) = (read("q/ecdsa.msg"), read("q/ecdsa.sig"));
    let evidence = QuoteEvidence { message: &message, signature: &signature, values: &values };
    let nonce = hex::decode(String::from_utf8(read("q/nonce.hex")).unwrap().trim()).unwrap();
    let asked = Selection::new().with(HashId::SHA256, PcrSet::from_mask(0x7fff).unwrap()).unwrap();
    let quote = key.verify(evidence, Issued::recorded(&nonce), &asked, UnixTime(1_790_000_000)).unwrap();

    let (events, files) = (read("q/bios.bin"), read("q/ima.bin"));
    let boot = MeasuredBoot::verify(quote, &events, PcrSet::from_mask(1 << 10).unwrap()).unwrap();
    let runtime = MeasuredRuntime::verify(boot, &files, RuntimeRules::default()).unwrap();
    let claims = Claims::new().with_key(&key).with_runtime(&runtime, &Keyring::new()).unwrap();
    Some(Claims { snp: Some(report(|_| {})), ..claims })
}

/// The objections of a policy learnt from the good boot, without the ones that any recording gives.
fn objections(name: &str) -> Option<(Verdict, Vec<String>)> {
    let policy = Policy::learn(&recorded("app-good")?).unwrap();
    let appraisal = appraise(&policy, &recorded(name)?).unwrap();
    let weighty = appraisal.findings().filter(|finding| finding.severity() == crate::Severity::Failure);
    let show = |finding: &Finding| match finding.code() {
        "runtime.file" => finding.explain().sentence.split(' ').next().unwrap().to_owned(),
        code => code.to_owned(),
    };
    Some((appraisal.verdict(), weighty.map(show).collect()))
}

fn expect(name: &str, verdict: Verdict, expected: &[&str]) {
    let Some(actual) = objections(name) else { return };
    assert_eq!(actual, (verdict, expected.iter().map(|code| (*code).to_owned()).collect()));
}

#[test]
fn the_good_boot_passes_its_own_policy() {
    expect("app-good", Verdict::Trusted, &[]);
}

// Each of the other boots has an initial RAM disk of its own (its digest is in `inputs.json`), and QEMU writes the disk's
// size into the kernel image before firmware measures it: both differ, beside the file or the command line meant.

#[test]
fn a_modified_program_is_named() {
    expect("app-modified", Verdict::Untrusted, &["boot.application", "boot.loaded", "/opt/app/server"]);
}

#[test]
fn a_dropped_program_is_named() {
    expect("app-dropper", Verdict::Untrusted, &["boot.application", "boot.loaded", "/opt/app/dropper"]);
}

#[test]
fn a_changed_command_line_is_named() {
    expect("app-cmdline", Verdict::Untrusted, &["boot.command-line", "boot.application", "boot.loaded"]);
}

#[test]
fn a_command_line_can_be_required_by_its_text() {
    let Some(good) = recorded("app-good") else { return };
    let text = "console=ttyS0 ima_policy=tcb job=app root=/dev/ram0 rdinit=/init quiet initrd=initrd";
    let with = |text: &str| {
        let mut policy = Policy::learn(&good).unwrap();
        policy.boot.as_mut().unwrap().command_lines = vec![CommandLineRule::Exact(text.into())];
        appraise(&policy, &good).unwrap().verdict()
    };
    assert_eq!(with(text), Verdict::Trusted);
    assert_eq!(with(&text.replace(" quiet", "")), Verdict::Untrusted);
}

#[test]
fn a_learnt_policy_of_a_real_boot_survives_both_forms() {
    let Some(good) = recorded("app-good") else { return };
    let policy = Policy::learn(&good).unwrap();
    assert_eq!(Policy::from_toml(&policy.to_toml().unwrap()), Ok(policy.clone()));
    assert_eq!(Policy::from_json(&policy.to_json().unwrap()), Ok(policy));
}
