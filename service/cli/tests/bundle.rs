// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bundle`, and `evtpm verify` over bundles, as an operator runs them over real reports and recorded boots.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here is the test, in its helpers too")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Evtpm, FAILED, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, evidence, step};

const AT: &str = "2026-03-01T00:00:00Z";

/// A real report with its chip's certificates, a recorded boot, and a policy that was learnt from both.
struct Machine {
    folder: PathBuf,
    scratch: Scratch,
    policy: PathBuf,
}

impl Machine {
    fn new(name: &str) -> Option<Self> {
        let (folder, scratch) = (evidence()?, Scratch::new(name));
        let mut machine = Self { folder, scratch, policy: PathBuf::new() };
        let (policy, _) = machine.files("policy learn", "app-good").with("--at", AT).expect(TRUSTED);
        machine.policy = machine.scratch.file("policy.toml", policy);
        Some(machine)
    }

    /// The files of a boot, in a command that takes them.
    fn files(&self, words: &str, boot: &str) -> Evtpm {
        let report = self.folder.join("snp/milan-v3-oak");
        let command = Evtpm::new(words).with("--report", report.join("report.bin")).with("--certificates", report);
        command.with_boot(&self.folder.join("vm-boot").join(boot))
    }

    /// Packs the files of a boot; the ending of the name tells the encoding.
    fn pack(&self, boot: &str, name: &str) -> PathBuf {
        let path = self.scratch.file(name, "");
        self.files("bundle pack", boot).with("--out", &path).expect(TRUSTED);
        path
    }

    fn verify(&self, bundle: &Path) -> Evtpm {
        Evtpm::new("verify").word(bundle).with("--policy", &self.policy).with("--at", AT)
    }
}

#[test]
fn a_bundle_gets_the_verdict_of_its_files_and_the_same_bytes_in_either_encoding() {
    let Some(machine) = Machine::new("verdict") else { return };
    for (boot, code, verdict) in [("app-good", TRUSTED, "trusted"), ("app-dropper", NOT_TRUSTED, "untrusted")] {
        let bundles = [machine.pack(boot, "bundle.cbor"), machine.pack(boot, "bundle.json")];
        assert!(fs::read(&bundles[1]).unwrap().starts_with(b"{\"__cmwc_t\":\"tag:github.com,2026:evtpm/bundle#1\""));
        let outputs: Vec<_> = bundles
            .iter()
            .chain(&bundles)
            .map(|bundle| (machine.verify(bundle).expect(code), machine.verify(bundle).word("--json").expect(code)))
            .collect();
        assert!(outputs.iter().all(|output| *output == outputs[0]), "{boot}");

        let of_bundle = machine.verify(&bundles[0]).json(code);
        let files = machine.files("verify", boot).with("--policy", &machine.policy).with("--at", AT).json(code);
        assert_eq!(of_bundle["conclusion"], verdict);
        for member in ["findings", "ear", "facts", "policy", "at"] {
            assert_eq!(of_bundle[member], files[member], "{member}");
        }
        // Only who vouches for the attestation key is another.
        assert!(step(&of_bundle, "attestation key").1.starts_with("on the bundle's word"));
        assert!(of_bundle["not_checked"].to_string().contains("whose the attestation key is"));
    }
}

#[test]
fn a_policy_can_be_learnt_from_a_bundle() {
    let Some(machine) = Machine::new("learn") else { return };
    let bundle = machine.pack("app-good", "bundle.cbor");
    let (policy, _) = Evtpm::new("policy learn").word(&bundle).with("--at", AT).expect(TRUSTED);
    let rules =
        |policy: &str| policy.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rules(&policy), rules(&fs::read_to_string(&machine.policy).unwrap()));
    Evtpm::new("verify").word(&bundle).with("--at", AT).expect(NOT_APPRAISED);
}

#[test]
fn files_beside_a_bundle_take_the_place_of_its_parts() {
    let Some(machine) = Machine::new("beside") else { return };
    let bundle = machine.pack("app-good", "bundle.cbor");
    let boot = machine.folder.join("vm-boot/app-good");
    let vouched = machine.verify(&bundle).with("--ak", boot.join("keys/ak-ecdsa.pub")).json(TRUSTED);
    assert!(step(&vouched, "attestation key").1.starts_with("on your word"));
    let other = machine.verify(&bundle).with("--quote-nonce", "00".repeat(20)).json(NOT_TRUSTED);
    assert_eq!(step(&other, "quote").0, "refused");
    let log = machine.folder.join("vm-boot/app-cmdline/q/bios.bin");
    assert_eq!(step(&machine.verify(&bundle).with("--event-log", log).json(NOT_TRUSTED), "event log").0, "refused");
    machine.verify(&bundle).with("--hcl-report", "nowhere").expect(USAGE);
}

#[test]
fn what_is_unpacked_and_packed_again_is_the_same() {
    let Some(machine) = Machine::new("unpack") else { return };
    let bundle = machine.pack("app-good", "bundle.json");
    let directory = machine.scratch.file("parts", "");
    fs::remove_file(&directory).unwrap();
    Evtpm::new("bundle unpack").word(&bundle).word(&directory).expect(TRUSTED);
    assert!(Evtpm::new("bundle unpack").word(&bundle).word(&directory).expect(FAILED).1.contains("making"));

    let shown = Evtpm::new("bundle show").word(&bundle).json(TRUSTED);
    let parts: Vec<&Value> = shown["parts"].as_array().unwrap().iter().collect();
    assert!(parts.len() >= 9, "{shown:#}");
    for part in &parts {
        let bytes = fs::read(directory.join(part["label"].as_str().unwrap())).unwrap();
        assert_eq!(part["size"], bytes.len());
    }
    let again = machine.scratch.file("again.json", "");
    let nonce = fs::read(directory.join("quote-nonce")).unwrap();
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let pack = Evtpm::new("bundle pack").with("--out", &again).with("--quote-nonce", nonce);
    let named = parts.iter().map(|part| part["label"].as_str().unwrap()).filter(|label| *label != "quote-nonce");
    let add = |command: Evtpm, label: &str| {
        command.with(&format!("--{}", label.split('.').next().unwrap()), directory.join(label))
    };
    named.fold(pack, add).expect(TRUSTED);
    assert_eq!(fs::read(again).unwrap(), fs::read(bundle).unwrap());
}

#[test]
fn no_change_to_a_bundle_is_trusted() {
    let Some(machine) = Machine::new("tamper") else { return };
    let bundle = machine.pack("app-good", "bundle.cbor");
    let (original, _) = machine.verify(&bundle).expect(TRUSTED);
    let bytes = fs::read(&bundle).unwrap();
    let mut refused = 0;
    for number in 0..150 {
        let mut changed = bytes.clone();
        let bit = (number * 7919 + 13) * 8 * 11 % (bytes.len() * 8) + number % 8;
        changed[bit / 8] ^= 1 << (bit % 8);
        let output = machine.verify(&machine.scratch.file("changed.cbor", changed)).run();
        let code = output.status.code().unwrap();
        assert!([TRUSTED, NOT_TRUSTED, USAGE, FAILED].contains(&code), "bit {bit}: {code}");
        // Some bits mean nothing: a certificate that is not used, a digest of a bank that nobody quoted.
        assert!(code != TRUSTED || output.stdout == original.as_bytes(), "bit {bit}");
        refused += usize::from(code != TRUSTED);
    }
    assert!(refused > 20, "{refused}");
    for end in (0..bytes.len()).step_by(bytes.len() / 20) {
        machine.verify(&machine.scratch.file("short.cbor", &bytes[..end])).expect(FAILED);
    }
    machine.verify(&machine.scratch.file("long.cbor", [bytes.as_slice(), &[0]].concat())).expect(FAILED);
}

#[test]
fn what_is_no_bundle_is_named_with_the_reason() {
    let scratch = Scratch::new("broken");
    for (json, reason) in [
        (r#"["application/vnd.evtpm.snp-report","AA"]"#, "no collection"),
        (r#"{"report":["application/vnd.evtpm.snp-report","AA"]}"#, "a collection of type none"),
        (
            r#"{"__cmwc_t":"tag:github.com,2026:evtpm/bundle#1","policy":["application/toml","AA"]}"#,
            "unknown label \"policy\"",
        ),
        (
            r#"{"__cmwc_t":"tag:github.com,2026:evtpm/bundle#1","report":["application/toml","AA"]}"#,
            "a part of type \"application/toml\"",
        ),
        (
            r#"{"__cmwc_t":"tag:github.com,2026:evtpm/bundle#1","quote":["application/vnd.evtpm.tpms-attest","AA"]}"#,
            "--quote needs --signature, --pcrs, --quote-nonce",
        ),
    ] {
        let path = scratch.file("broken.json", json);
        for words in ["verify", "bundle show", "policy learn"] {
            let (_, error) = Evtpm::new(words).word(&path).expect(FAILED);
            assert!(error.contains("broken.json") && error.contains(reason), "{words}: {error}");
        }
    }
    Evtpm::new("bundle pack --out nowhere/x --ak k").expect(USAGE);
    Evtpm::new("bundle pack --out nowhere/x --report").word(scratch.file("r", "r")).expect(FAILED);
}

/// A field of a Protocol Buffers message that holds bytes.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let varint = |mut value: usize| {
        let mut out = Vec::new();
        while value > 0x7F {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    };
    [varint((number as usize) << 3 | 2), varint(bytes.len()), bytes.to_vec()].concat()
}

/// The message that recorded quotes came in, put together again.
fn attestation(recorded: &Value, log: &[u8]) -> Vec<u8> {
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let quotes = recorded["quotes"].as_array().unwrap().iter().flat_map(|quote| {
        let hash: u8 = match quote["bank"].as_str().unwrap() {
            "sha1" => 4,
            "sha256" => 11,
            "sha384" => 12,
            other => panic!("{other}"),
        };
        let values = quote["pcrs"].as_object().unwrap().iter().flat_map(|(pcr, value)| {
            let key = [8, pcr.parse::<u8>().unwrap()];
            field(2, &[key.as_slice(), &field(2, &bytes(value))].concat())
        });
        let registers = [vec![8, hash], values.collect()].concat();
        let parts =
            [field(1, &bytes(&quote["attest"])), field(2, &bytes(&quote["tpmt_signature"])), field(3, &registers)];
        field(2, &parts.concat())
    });
    [field(1, &bytes(&recorded["ak_tpmt_public"])), quotes.collect(), field(3, log)].concat()
}

#[test]
fn an_attestation_of_go_tpm_tools_becomes_a_bundle_that_verifies() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("go-tpm-tools");
    let quotes: Value =
        serde_json::from_slice(&fs::read(folder.join("tpm-quote/gce-cos85-nonce9009/quotes.json")).unwrap()).unwrap();
    let log = fs::read(folder.join("tpm-quote/gce-cos85-nonce9009/eventlog.bin")).unwrap();
    let message = attestation(&quotes, &log);
    let file = scratch.file("attestation.pb", message);
    let bundle = scratch.file("bundle.cbor", "");
    let import = |nonce: &str| {
        Evtpm::new("bundle import").word(&file).with("--quote-nonce", nonce).with("--out", &bundle).expect(TRUSTED);
        Evtpm::new("verify").word(&bundle).with("--at", AT)
    };
    let record = import("9009").json(NOT_APPRAISED);
    assert_eq!(step(&record, "quote").0, "verified", "{record:#}");
    assert_eq!(step(&record, "event log").0, "verified", "{record:#}");
    let record = import("9008").json(NOT_TRUSTED);
    assert_eq!(step(&record, "quote").0, "refused", "{record:#}");
    // The key's certificate is its own, and whoever does not name its authority is told so.
    let item = folder.join("tpm-quote/gce-cos85-nonce9009");
    let own = fs::read(item.join("ak-cert.der")).unwrap();
    fs::write(&file, [attestation(&quotes, &log), field(6, &own)].concat()).unwrap();
    let record = import("9009").json(NOT_APPRAISED);
    assert!(record["not_checked"].to_string().contains("--ak-authority"), "{record:#}");
    let authorities = folder.join("tpm-ek-ca/gce-ek-ak-2022");
    let root = authorities.join("gcp_ek_ak_ca_root.crt");
    import("9009").json(NOT_APPRAISED);
    let record = Evtpm::new("verify").word(&bundle).with("--at", AT).with("--ak-authority", &root).json(NOT_TRUSTED);
    assert_eq!(step(&record, "key's certificate").0, "refused", "it is of an older authority");
    let record = Evtpm::new("verify")
        .word(&bundle)
        .with("--at", AT)
        .with("--ak-authority", root)
        .with("--ak-certificate", authorities.join("pca_tpm_rsa_sign_cert.pem"))
        .with("--ak-certificate", authorities.join("gcp_ek_ak_ca_intermediate_v3.crt"))
        .json(NOT_TRUSTED);
    assert!(step(&record, "key's certificate").1.contains("another key"), "{record:#}");
    let cut = scratch.file("cut.pb", &fs::read(&file).unwrap()[..100]);
    Evtpm::new("bundle import").word(cut).with("--quote-nonce", "00").with("--out", &bundle).expect(FAILED);
}
