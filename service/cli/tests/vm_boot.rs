// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policies over the 19 recorded boots of `vm-boot`: learnt ones, and ones from what was booted.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Evtpm, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, evidence, step};

/// The moment makes no difference to evidence without certificates, but has to be the same in every run.
const AT: &str = "2026-03-01T00:00:00Z";

/// What a recorded boot has to come to.
enum Outcome {
    /// Quote and logs verify at every snapshot; the kernel had another register for IMA besides 10, or not.
    Good { more_ima: Option<&'static str> },
    /// A step is refused, for a reason with these words.
    Refused { step: &'static str, reason: &'static str },
}

const GOOD: Outcome = Outcome::Good { more_ima: None };
const NO_QUOTE: Outcome = Outcome::Refused { step: "event log", reason: "no quote vouches for it" };

const BOOTS: [(&str, Outcome); 19] = [
    ("app-cmdline", GOOD),
    ("app-dropper", GOOD),
    ("app-good", GOOD),
    ("app-modified", GOOD),
    ("debian", GOOD),
    ("direct", GOOD),
    ("fde/boot1", NO_QUOTE),
    ("fde/boot2", NO_QUOTE),
    (
        "grub-nolog",
        Outcome::Refused { step: "event log", reason: "the event log is empty, but PCR 0,1,2,3,4,5,6,7,8,9" },
    ),
    ("no-policy", NO_QUOTE),
    ("no-tpm", Outcome::Refused { step: "IMA list", reason: "the kernel found no TPM" }),
    ("policy-mixed", Outcome::Good { more_ima: Some("11") }),
    ("sdboot", GOOD),
    ("seabios", GOOD),
    ("secureboot", GOOD),
    ("tmpl-fmt", GOOD),
    ("tmpl-ima", GOOD),
    ("tmpl-ng", GOOD),
    ("tmpl-sigv2", GOOD),
];

/// Snapshots of a boot that have something to look at, by name.
fn snapshots(boot: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(boot).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("ima.bin").is_file());
    if folders.is_empty() {
        folders.push(boot.to_owned());
    }
    folders.sort();
    folders
}

/// The command line over all that one snapshot has, with the quote of one key.
fn over(command: &str, boot: &Path, snapshot: &Path, key: &str) -> Evtpm {
    let mut command = Evtpm::new(command).with("--at", AT);
    let file = |ending: &str| snapshot.join(format!("{key}.{ending}"));
    if file("msg").is_file() {
        let nonce = fs::read_to_string(snapshot.join("nonce.hex")).unwrap();
        command = command
            .with("--ak", boot.join(format!("keys/ak-{key}.pub")))
            .with("--quote", file("msg"))
            .with("--signature", file("sig"))
            .with("--pcrs", file("pcrs"))
            .with("--quote-nonce", nonce.trim());
    }
    if snapshot.join("bios.bin").is_file() {
        command = command.with("--event-log", snapshot.join("bios.bin"));
    }
    command.with("--ima-log", snapshot.join("ima.bin"))
}

/// Codes of findings of one severity; for a file its path, too.
fn findings(record: &Value, severity: &str) -> BTreeSet<String> {
    let of_severity = record["findings"].as_array().unwrap().iter().filter(|found| found["severity"] == severity);
    let name = |found: &Value| match found["code"].as_str().unwrap() {
        "runtime.file" => found["sentence"].as_str().unwrap().split(' ').next().unwrap().to_owned(),
        code => code.to_owned(),
    };
    of_severity.map(name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_recorded_boot_is_accepted_by_what_it_taught_or_refused_for_its_reason() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("vm-boot");
    for (name, outcome) in BOOTS {
        let boot = folder.join("vm-boot").join(name);
        for snapshot in snapshots(&boot) {
            let quotes =
                ["ecdsa", "rsassa", "rsapss"].into_iter().filter(|key| snapshot.join(format!("{key}.msg")).is_file());
            let quotes: Vec<&str> = quotes.collect();
            match &outcome {
                Outcome::Refused { step: what, reason } => {
                    let key = quotes.first().copied().unwrap_or("ecdsa");
                    if name == "grub-nolog" && quotes.is_empty() {
                        continue;
                    }
                    let record = over("verify", &boot, &snapshot, key).json(NOT_TRUSTED);
                    let (state, detail) = step(&record, what);
                    assert_eq!(state, "refused", "{}", snapshot.display());
                    assert!(detail.contains(reason), "{}: {detail}", snapshot.display());
                    assert!(over("policy learn --without-hardware", &boot, &snapshot, key).run().stdout.is_empty());
                }
                Outcome::Good { more_ima } => {
                    for key in quotes {
                        let with = |command| {
                            let command = over(command, &boot, &snapshot, key);
                            more_ima
                                .map_or(command.clone(), |pcr| command.with("--ima-pcr", "10").with("--ima-pcr", pcr))
                        };
                        with("verify").expect(NOT_APPRAISED);
                        if key != "ecdsa" {
                            continue;
                        }
                        let (policy, _) = with("policy learn --without-hardware").expect(TRUSTED);
                        let judged = with("verify").with("--policy", scratch.file("policy.toml", policy));
                        let record = judged.json(TRUSTED);
                        assert_eq!(findings(&record, "failure"), set(&[]), "{} {key}", snapshot.display());
                        let warnings = findings(&record, "warning");
                        assert!(warnings.contains("evidence.no-hardware"), "{warnings:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_policy_learnt_from_the_good_application_names_exactly_what_differs() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("apps");
    let app = |name: &str, command: &str| {
        let boot = folder.join("vm-boot").join(name);
        over(command, &boot, &boot.join("q"), "ecdsa")
    };
    let (policy, _) = app("app-good", "policy learn --without-hardware").expect(TRUSTED);
    let policy = scratch.file("policy.toml", policy);
    // Each boot has an initial RAM disk of its own, whose size QEMU writes into the kernel: both differ, too.
    for (name, code, expected) in [
        ("app-good", TRUSTED, set(&[])),
        ("app-modified", NOT_TRUSTED, set(&["boot.application", "boot.loaded", "/opt/app/server"])),
        ("app-dropper", NOT_TRUSTED, set(&["boot.application", "boot.loaded", "/opt/app/dropper"])),
        ("app-cmdline", NOT_TRUSTED, set(&["boot.application", "boot.loaded", "boot.command-line"])),
    ] {
        let record = app(name, "verify").with("--policy", &policy).json(code);
        assert_eq!(findings(&record, "failure"), expected, "{name}");
        assert_eq!(findings(&record, "missing"), set(&[]), "{name}");
    }
    let record = app("app-modified", "verify").with("--policy", policy).json(NOT_TRUSTED);
    let files = record["findings"].as_array().unwrap().iter().filter(|found| found["code"] == "runtime.file");
    let sentences: Vec<&str> = files.map(|found| found["sentence"].as_str().unwrap()).collect();
    assert!(
        matches!(sentences[..], [one] if one.starts_with("/opt/app/server changed: it was sha256:")),
        "{sentences:?}"
    );
}

/// The policy document of what `inputs.json` says that a direct boot was made of: digests of files, and a text.
fn from_inputs(boot: &Path) -> String {
    let inputs: Value = serde_json::from_slice(&fs::read(boot.join("inputs.json")).unwrap()).unwrap();
    let digest = |what: &str| {
        let digests = inputs["expected_digests"].as_array().unwrap();
        let found = digests.iter().find(|digest| digest["what"].as_str().unwrap().starts_with(what)).unwrap();
        found["sha256"].as_str().unwrap().to_owned()
    };
    format!(
        "version = 1\nhardware = \"none\"\n\
         [tpm]\nallow_named_ak = true\nallow_recorded = true\n\
         [boot]\ncommand_lines = [{{ exact = {} }}]\napplications = [\"sha256:{}\"]\nloaded = [\"sha256:{}\"]\n",
        inputs["proc_cmdline"],
        digest("kernel image as QEMU changed it"),
        digest("initrd"),
    )
}

#[test]
fn a_direct_boot_passes_the_policy_of_its_own_inputs_and_no_others() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("inputs");
    let boots = ["app-good", "app-cmdline", "direct", "policy-mixed", "tmpl-fmt", "tmpl-ima", "tmpl-ng", "tmpl-sigv2"];
    let judge = |name: &str, policy: &Path, code: i32| {
        let boot = folder.join("vm-boot").join(name);
        let snapshot = snapshots(&boot).pop().unwrap();
        let command = over("verify", &boot, &snapshot, "ecdsa").with("--policy", policy);
        let command =
            if name == "policy-mixed" { command.with("--ima-pcr", "10").with("--ima-pcr", "11") } else { command };
        command.json(code)
    };
    for name in boots {
        let policy = scratch.file("policy.toml", from_inputs(&folder.join("vm-boot").join(name)));
        assert_eq!(judge(name, &policy, TRUSTED)["conclusion"], "trusted", "{name}");
        for other in boots.into_iter().filter(|other| *other != name) {
            let record = judge(other, &policy, NOT_TRUSTED);
            assert!(findings(&record, "failure").contains("boot.command-line"), "{name} {other}");
        }
    }
}
