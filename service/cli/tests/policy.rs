// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy` as an operator runs it: reading, comparing, trying out, reference values.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Evtpm, FAILED, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, evidence};

const AUDITED: i32 = 5;

/// A small policy of one file.
fn document(digest: &str, more: &str) -> String {
    format!(
        "version = 1\n{more}[snp]\nmeasurements = [\"{}\"]\nproducts = [\"Milan\"]\n[ima.files]\n\"/usr/bin/app\" = [\"sha256:{}\"]\n",
        "3e".repeat(48),
        digest.repeat(32)
    )
}

/// The command line over a recorded boot of the small application.
fn app(folder: &Path, name: &str, command: &str) -> Evtpm {
    Evtpm::new(command).with("--at", "2026-03-01T00:00:00Z").with_boot(&folder.join("vm-boot").join(name))
}

fn learnt(folder: &Path, scratch: &Scratch) -> (PathBuf, String) {
    let (policy, _) = app(folder, "app-good", "policy learn --without-hardware").expect(TRUSTED);
    (scratch.file("policy.toml", &policy), policy)
}

#[test]
fn a_difference_is_shown_with_its_direction() {
    let scratch = Scratch::new("diff");
    let old = scratch.file("old.toml", document("aa", ""));
    let new = scratch.file("new.toml", document("bb", "name = \"new\"\n"));
    let (out, _) = Evtpm::new("policy diff").word(&old).word(&new).expect(NOT_TRUSTED);
    let expected = [
        format!("- ima.files./usr/bin/app: without sha256:{} (narrower)", "aa".repeat(32)),
        format!("+ ima.files./usr/bin/app: with sha256:{} (wider)", "bb".repeat(32)),
        "  name: with new (same)".to_owned(),
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    let json = Evtpm::new("policy diff").word(&old).word(&new).json(NOT_TRUSTED);
    assert_eq!((&json[1]["effect"], &json[1]["rule"]), (&"wider".into(), &"ima.files./usr/bin/app".into()));
    assert_eq!(Evtpm::new("policy diff").word(&old).word(&old).expect(TRUSTED).0, "");
}

#[test]
fn a_policy_is_explained_in_sentences() {
    let scratch = Scratch::new("explain");
    let file = scratch.file("policy.toml", document("aa", "name = \"fleet\"\n"));
    let (out, _) = Evtpm::new("policy explain").word(&file).expect(TRUSTED);
    for sentence in ["It is called \"fleet\".", "The launch measurement has to be 3e3e", "there is no [boot]"] {
        assert!(out.contains(sentence), "{sentence}: {out}");
    }
    let json = Evtpm::new("policy explain").word(&file).json(TRUSTED);
    assert_eq!(json[1]["section"], "snp");
}

#[test]
fn the_schema_is_the_published_one() {
    let published = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.schema.json")).unwrap();
    assert_eq!(Evtpm::new("policy schema").expect(TRUSTED).0, published);
}

#[test]
fn a_policy_that_is_tried_out_reports_and_decides_nothing() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("audit");
    let (path, text) = learnt(&folder, &scratch);
    let audited = |name: &str, path: &Path| app(&folder, name, "verify").with("--policy", path);
    for (name, would_be) in [("app-good", "trusted"), ("app-modified", "untrusted")] {
        let record = audited(name, &path).word("--audit").json(AUDITED);
        assert_eq!((&record["conclusion"], &record["would_be"]), (&"audit".into(), &would_be.into()), "{name}");
        assert_eq!(record["ear"]["ear.evtpm.verdict"], "audit");
        assert_eq!(record["ear"]["ear.evtpm.would-be"], would_be);
        let named = record["findings"].to_string().contains("/opt/app/server changed: it was sha256:");
        assert_eq!(named, name == "app-modified", "{name}");
    }
    let in_document = scratch.file("audit.toml", text.replace("version = 1", "version = 1\nmode = \"audit\""));
    let (out, _) = audited("app-modified", &in_document).expect(AUDITED);
    assert!(out.contains("would have come to untrusted"), "{out}");
    Evtpm::new("verify --audit --report r").expect(USAGE);
}

#[test]
fn claims_are_printed_for_other_engines() {
    let Some(folder) = evidence() else { return };
    let (claims, _) = app(&folder, "app-good", "verify").word("--claims").expect(NOT_APPRAISED);
    let claims: Value = serde_json::from_str(&claims).unwrap();
    assert_eq!(claims["time"], 1_772_323_200);
    assert!(claims["ima"]["files"].as_array().unwrap().iter().any(|file| file["path"] == "/opt/app/server"));
    assert_eq!((claims["tpm"]["fresh"].clone(), claims["snp"].clone()), (false.into(), Value::Null));
}

#[test]
fn reference_values_of_a_corim_become_a_policy() {
    let Some(folder) = evidence() else { return };
    let corim = folder.join("corim/veraison-arm-cca");
    let add = || {
        Evtpm::new("policy add")
            .with("--corim", corim.join("corim-cca-platform-valid.cbor"))
            .with("--corim", corim.join("corim-cca-realm-valid.cbor"))
    };
    let (_, err) = add().expect(FAILED);
    assert!(err.contains("--unsigned"), "{err}");
    let (policy, _) = add().word("--unsigned").expect(TRUSTED);
    assert!(policy.starts_with("# reference values taken without signature"), "{policy}");
    for part in ["[cca]", "implementations = ", "components = ", "rem3 = ", &"43".repeat(64)] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    let signers = policy.lines().find(|line| line.starts_with("signers = ")).unwrap();
    assert_eq!(signers.matches('"').count(), 2, "two components of one signer: {signers}");
    let scratch = Scratch::new("corim");
    Evtpm::new("policy check").word(scratch.file("policy.toml", policy)).expect(TRUSTED);
    // A platform alone is no policy: no realm is named.
    let (_, err) =
        Evtpm::new("policy add --unsigned").with("--corim", corim.join("corim-cca-platform-valid.cbor")).expect(FAILED);
    assert!(err.contains("no initial measurement of a realm"), "{err}");
    let (_, err) = Evtpm::new("policy add --unsigned")
        .with("--corim", folder.join("corim/veraison-signed/unsigned-good-corim.cbor"))
        .expect(FAILED);
    assert!(err.contains("CoRIM profile"), "{err}");
}

/// A bare CoRIM of the SEV-SNP profile: one launch measurement, and guest SVN 7 (behind this tag) or later.
fn snp_corim(svn: &[u8]) -> Vec<u8> {
    let measurement = [b"\xa2\x00\x19\x02\x81\x01\xa1\x02\x81\x82\x07\x58\x30".as_slice(), &[0x3e; 48]].concat();
    let version = [b"\xa2\x00\x01\x01\xa1\x01".as_slice(), svn, b"\x07"].concat();
    let class = b"\xa1\x00\xa1\x00\xd8\x6f\x49\x2b\x06\x01\x04\x01\x9c\x78\x03\x01";
    let triples = [b"\xa1\x00\x81\x82".as_slice(), class, b"\x82", &measurement, &version].concat();
    let comid = [b"\xa2\x01\xa0\x04".as_slice(), &triples].concat();
    let tag = [b"\xd9\x01\xfa\x58".as_slice(), &[comid.len() as u8], &comid].concat();
    let profile = b"\x03\xd8\x20\x78\x22tag:amd.com,2024:snp-corim-profile";
    [b"\xd9\x01\xf5\xa3\x00\x61i\x01\x81".as_slice(), &tag, profile].concat()
}

#[test]
fn reference_values_of_a_processor_become_a_policy_that_is_no_wider() {
    let scratch = Scratch::new("snp-corim");
    let lowest = scratch.file("lowest.cbor", snp_corim(b"\xd9\x02\x29"));
    let exact = scratch.file("exact.cbor", snp_corim(b"\xd9\x02\x28"));
    let add = |path: &Path| Evtpm::new("policy add --unsigned --product Milan").with("--corim", path);
    let (policy, _) = add(&lowest).expect(TRUSTED);
    for part in ["[snp]", "products = [\"Milan\"]", "min_guest_svn = 7", &"3e".repeat(48)] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    let (_, err) = add(&exact).expect(FAILED);
    assert!(err.contains("exactly one security version"), "{err}");
    assert_eq!(add(&exact).word("--svn-floors").expect(TRUSTED).0, policy);
    let cut = &snp_corim(b"\xd9\x02\x29")[..100];
    add(&scratch.file("cut.cbor", cut)).expect(FAILED);
}

#[test]
fn a_devices_manifest_becomes_a_policy_if_nvidia_signed_it() {
    let Some(folder) = evidence() else { return };
    let rim = folder.join("nvidia-rim/gh100");
    let add = |name: &str, at: &str| Evtpm::new("policy add").with("--rim", rim.join(name)).with("--at", at);
    let (policy, _) = add("driver_550.144.03.xml", "2025-06-01T00:00:00Z").expect(TRUSTED);
    assert!(policy.contains("[nvidia.measurements]"), "{policy}");
    assert!(
        policy.contains("7 = [\"4a5e4b3d501fe31f91bd8b6f2921b58437704a504dbedba971440e840c938c805612689ae3ac04b1"),
        "{policy}"
    );
    let scratch = Scratch::new("rim");
    let path = scratch.file("policy.toml", policy);
    Evtpm::new("policy check").word(&path).expect(TRUSTED);
    for (name, at, why) in [
        ("driver_550.144.03.xml", "2027-06-01T00:00:00Z", "expired"),
        ("driver_incorrect_signature.xml", "2025-06-01T00:00:00Z", "not signed by"),
        ("driver_incorrect_chain.xml", "2025-06-01T00:00:00Z", "no certificate of its issuer"),
        ("driver_535.86.09_measurement_mismatch.xml", "2025-06-01T00:00:00Z", "it was changed"),
    ] {
        let (_, err) = add(name, at).expect(FAILED);
        assert!(err.contains(why), "{name}: {err}");
    }
}

#[test]
fn a_manifest_of_files_feeds_a_policy() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("manifest");
    let (path, _) = learnt(&folder, &scratch);
    // The modified program's digest, as the finding suggests it.
    let record = app(&folder, "app-modified", "verify").with("--policy", &path).json(NOT_TRUSTED);
    let changed = record["findings"].as_array().unwrap().iter().find(|found| found["code"] == "runtime.file").unwrap();
    let digest = changed["actual"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let manifest = scratch.file("SHA256SUMS", format!("{digest}  /opt/app/server\n"));
    let (updated, _) = Evtpm::new("policy add").word(&path).with("--manifest", manifest).expect(TRUSTED);
    let updated = scratch.file("updated.toml", updated);
    let record = app(&folder, "app-modified", "verify").with("--policy", &updated).json(NOT_TRUSTED);
    assert!(record["findings"].as_array().unwrap().iter().all(|found| found["code"] != "runtime.file"), "{record:#}");
    let diff = Evtpm::new("policy diff").word(&path).word(&updated).json(NOT_TRUSTED);
    assert_eq!((diff.as_array().unwrap().len(), &diff[0]["effect"]), (1, &"wider".into()));
}

#[test]
fn a_module_in_rego_judges_beside_the_policy() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("rego");
    let (policy, _) = learnt(&folder, &scratch);
    let rules = scratch.file(
        "rules.rego",
        "package evtpm\nallow if count(input.ima.files) > 1\ndeny contains \"no\" if input.refused\n",
    );
    let verify = |policy: &Path| app(&folder, "app-good", "verify").with("--policy", policy);
    verify(&policy).with("--rego", &rules).expect(TRUSTED);

    let strict = scratch.file(
        "strict.rego",
        "package evtpm\ndeny contains sprintf(\"%s runs.\", [file.path]) if { some file in input.ima.files; file.path == \"/bin/busybox\" }\n",
    );
    let (with, _) = Evtpm::new("policy add").word(&policy).with("--rego", &strict).expect(TRUSTED);
    let with = scratch.file("with.toml", with);
    for command in [verify(&with), verify(&policy).with("--rego", &strict)] {
        let record = command.json(NOT_TRUSTED);
        assert_eq!(record["findings"][0]["code"], "rego.denied");
        assert!(record["findings"][0]["sentence"].as_str().unwrap().ends_with(" runs."));
        assert_eq!(record["policy"], Evtpm::new("policy check").word(&with).expect(TRUSTED).0.trim());
    }
    assert!(Evtpm::new("policy explain").word(&with).expect(TRUSTED).0.contains("A Rego module of 2 lines"));
    assert!(verify(&with).with("--rego", &strict).expect(FAILED).1.contains("has a Rego module already"));
}

#[test]
fn a_module_that_fails_is_an_error_and_no_verdict() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("rego-error");
    let (policy, _) = learnt(&folder, &scratch);
    let verify = |rules: &str| {
        let rules = scratch.file("rules.rego", format!("package evtpm\n{rules}\n"));
        app(&folder, "app-good", "verify").with("--policy", &policy).with("--rego", rules).expect(FAILED)
    };
    for (rules, said) in [
        ("deny contains {", "expecting expression"),
        ("x := 1", "everything would pass"),
        ("deny contains \"x\" if http.send({}).status_code == 200", "could not find function http.send"),
        ("deny contains \"x\" if startswith(input.tpm.clock.resets, \"1\")", "expects string argument"),
    ] {
        let (out, error) = verify(rules);
        assert!(out.is_empty() && error.contains(said), "{rules}: {out}{error}");
    }
}
