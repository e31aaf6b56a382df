// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm verify` and `evtpm policy learn` over the world's evidence of hardware other than AMD's.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Evtpm, FAILED, NOT_APPRAISED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, evidence, step};

/// One item: where it is, the options that its files go with, and the steps that have to be verified.
struct Item {
    folder: &'static str,
    files: &'static [(&'static str, &'static str)],
    at: &'static str,
    steps: &'static [&'static str],
    /// What a policy that was learnt from it is about.
    section: &'static str,
    /// The file and the bit of it that a signature covers.
    signed: (&'static str, usize),
}

const ITEMS: [Item; 9] = [
    Item {
        folder: "dcap/tdx-v4-phala-collateral",
        files: &[("--dcap-quote", "quote.bin"), ("--dcap-collateral", "collateral.json")],
        at: "2025-06-20T00:00:00Z",
        steps: &["TD quote"],
        section: "[tdx]",
        signed: ("--dcap-quote", 8 * 300),
    },
    Item {
        folder: "dcap/sgx-v3-phala-collateral",
        files: &[("--dcap-quote", "quote.bin"), ("--dcap-collateral", "collateral.json")],
        at: "2025-06-20T00:00:00Z",
        steps: &["enclave quote"],
        section: "[sgx]",
        signed: ("--dcap-quote", 8 * 200),
    },
    Item {
        folder: "dcap/tdx-v5-15",
        files: &[("--dcap-quote", "quote.bin")],
        at: "2024-06-01T00:00:00Z",
        steps: &["TD quote"],
        section: "[tdx]",
        signed: ("--dcap-quote", 8 * 300),
    },
    Item {
        folder: "nitro/dstack-2025",
        files: &[("--nitro-document", "document.cbor")],
        at: "2025-12-25T13:15:37Z",
        steps: &["attestation document"],
        section: "[nitro]",
        signed: ("--nitro-document", 8 * 300),
    },
    Item {
        folder: "arm-cca/tf-rmm",
        files: &[("--cca-token", "token.cbor"), ("--cca-key", "cca_platform_pub.pem")],
        at: "2026-01-01T00:00:00Z",
        steps: &["platform token", "realm token"],
        section: "[cca]",
        signed: ("--cca-token", 8 * 100),
    },
    Item {
        folder: "arm-cca/veraison-cca-good",
        files: &[("--cca-token", "token.cbor"), ("--cca-key", "platform-pub.jwk.json")],
        at: "2026-01-01T00:00:00Z",
        steps: &["platform token", "realm token"],
        section: "[cca]",
        signed: ("--cca-token", 8 * 100),
    },
    Item {
        folder: "arm-psa/psa-2_0_0_sign1",
        files: &[("--psa-token", "token.cbor"), ("--psa-key", "public.pem")],
        at: "2026-01-01T00:00:00Z",
        steps: &["PSA token"],
        section: "[psa]",
        signed: ("--psa-token", 8 * 100),
    },
    Item {
        folder: "nvidia/hopper-nvtrust",
        files: &[("--nvidia-report", "spdm-report.bin"), ("--nvidia-chain", "cert-chain.pem")],
        at: "2026-01-01T00:00:00Z",
        steps: &["device report"],
        section: "[nvidia]",
        signed: ("--nvidia-report", 8 * 100),
    },
    Item {
        folder: "nvidia/hopper-8gpu-ppcie",
        files: &[("--nvidia-evidence", "evidence.json")],
        at: "2026-01-01T00:00:00Z",
        steps: &["device report"],
        section: "[nvidia]",
        signed: ("--nvidia-evidence", 8 * 4000),
    },
];

impl Item {
    fn command(&self, words: &str, folder: &Path) -> Evtpm {
        let start = Evtpm::new(words).with("--at", self.at);
        let add =
            |command: Evtpm, (option, name): &(&str, &str)| command.with(option, folder.join(self.folder).join(name));
        self.files.iter().fold(start, add)
    }

    fn path(&self, folder: &Path) -> std::path::PathBuf {
        let (_, name) = self.files.iter().find(|(option, _)| *option == self.signed.0).unwrap();
        folder.join(self.folder).join(name)
    }
}

fn codes(record: &Value, severity: &str) -> Vec<String> {
    let of_severity = record["findings"].as_array().unwrap().iter().filter(|found| found["severity"] == severity);
    of_severity.map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_kind_has_the_same_record_out_of_a_bundle() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("bundled");
    for item in &ITEMS {
        let is_key = |(option, _): &&(&str, &str)| option.ends_with("-key");
        let add =
            |command: Evtpm, (option, name): &(&str, &str)| command.with(option, folder.join(item.folder).join(name));
        let expected = item.command("verify", &folder).json(NOT_APPRAISED);
        for ending in ["cbor", "json"] {
            let bundle = scratch.file(&format!("bundle.{ending}"), "");
            let pack = Evtpm::new("bundle pack").with("--out", &bundle);
            item.files.iter().filter(|file| !is_key(file)).fold(pack, add).expect(TRUSTED);
            // What the operator vouches for is no part of the bundle.
            let verify = Evtpm::new("verify").word(&bundle).with("--at", item.at);
            let verify = item.files.iter().filter(is_key).fold(verify, add);
            assert_eq!(verify.json(NOT_APPRAISED), expected, "{} {ending}", item.folder);
        }
    }
}

#[test]
fn every_kind_is_verified_learnt_and_trusted_by_what_it_taught() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("kinds");
    for item in ITEMS {
        let what = item.folder;
        let record = item.command("verify", &folder).json(NOT_APPRAISED);
        for name in item.steps {
            assert_eq!(step(&record, name).0, "verified", "{what}: {record:#}");
        }
        assert!(!record["not_checked"].as_array().unwrap().is_empty(), "{what}");
        let (policy, _) = item.command("policy learn", &folder).expect(TRUSTED);
        assert!(policy.contains(item.section) && policy.contains("allow_recorded = true"), "{what}: {policy}");
        let judged = item.command("verify", &folder).with("--policy", scratch.file("policy.toml", &policy));
        let record = judged.json(TRUSTED);
        assert_eq!(codes(&record, "failure"), [""; 0], "{what}");
        let submods = record["ear"]["submods"].as_object().unwrap();
        assert!(submods.values().all(|layer| layer["ear_status"] != "contraindicated"), "{what}: {submods:#?}");
        let again = judged.json(TRUSTED);
        assert_eq!(record, again, "{what}");

        let stale = scratch.file("stale.toml", policy.replace("allow_recorded = true", "allow_recorded = false"));
        let record = item.command("verify", &folder).with("--policy", stale).json(NOT_TRUSTED);
        assert_eq!(record["conclusion"], "stale", "{what}");
    }
}

#[test]
fn one_flipped_bit_is_refused_and_teaches_nothing() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("bits");
    for item in ITEMS {
        let what = item.folder;
        let flipped = scratch.flipped(&item.path(&folder), item.signed.1);
        for (words, code) in [("verify", NOT_TRUSTED), ("policy learn", FAILED)] {
            let mut command = item.command(words, &folder);
            let at = command.0.iter().position(|word| word == item.signed.0).unwrap();
            command.0[at + 1] = flipped.clone().into();
            let (out, err) = command.expect(code);
            assert!(format!("{out}{err}").contains("refused"), "{what}: {out}{err}");
        }
    }
}

#[test]
fn a_policy_of_one_kind_is_not_met_by_another() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("others");
    for item in [&ITEMS[0], &ITEMS[3], &ITEMS[7]] {
        let (policy, _) = item.command("policy learn", &folder).expect(TRUSTED);
        let policy = scratch.file("policy.toml", policy);
        for other in ITEMS.iter().filter(|other| other.section != item.section) {
            let record = other.command("verify", &folder).with("--policy", &policy).json(NOT_TRUSTED);
            assert_eq!(record["conclusion"], "unknown", "{} by {}", other.folder, item.folder);
            assert!(codes(&record, "missing").contains(&"evidence.missing".to_owned()), "{}", other.folder);
            assert!(codes(&record, "notice").contains(&"evidence.unjudged".to_owned()), "{}", other.folder);
        }
    }
}

#[test]
fn without_collateral_the_platform_is_said_to_be_unchecked_and_never_passed() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("collateral");
    let (policy, _) = ITEMS[0].command("policy learn", &folder).expect(TRUSTED);
    let path = scratch.file("policy.toml", &policy);
    let quote = folder.join("dcap/tdx-v4-phala-collateral/quote.bin");
    let bare = Evtpm::new("verify").with("--at", ITEMS[0].at).with("--dcap-quote", quote);
    let record = bare.clone().json(NOT_APPRAISED);
    assert_eq!(record["facts"]["intel_tcb"], "unchecked");
    let record = bare.with("--policy", path).json(NOT_TRUSTED);
    assert_eq!(record["conclusion"], "unknown");
    assert!(codes(&record, "missing").contains(&"intel.tcb".to_owned()));
}

#[test]
fn an_outdated_platform_and_an_open_enclave_are_untrusted_by_a_strict_policy() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("strict");
    let strict = "version = 1\n[sgx]\nsigners = [\"83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e\"]\n\
                  allow_recorded = true\n[sgx.platform]\nallow_unchecked_tcb = true\n";
    let quote = |item: &str, at: &str| {
        Evtpm::new("verify").with("--at", at).with("--dcap-quote", folder.join("dcap").join(item).join("quote.bin"))
    };
    let debug = quote("sgx-v3-occlum-debug", "2024-01-01T00:00:00Z");
    let record = debug.with("--policy", scratch.file("sgx.toml", strict)).json(NOT_TRUSTED);
    assert_eq!(codes(&record, "failure"), ["sgx.debug"]);
    let (_, err) = {
        let learn = Evtpm::new("policy learn").with("--at", "2024-01-01T00:00:00Z");
        learn.with("--dcap-quote", folder.join("dcap/tdx-v4-debug/quote.bin")).expect(FAILED)
    };
    assert!(err.contains("tdx: open to debugging"), "{err}");
    // No chain inside: nobody offline can say whose platform it is.
    let record = quote("sgx-v3-eppid", "2024-01-01T00:00:00Z").json(NOT_TRUSTED);
    assert_eq!(step(&record, "quote of the TEE").0, "refused");
}

#[test]
fn a_challenge_has_to_be_answered() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("dcap/tdx-v4-gcp-cos113-ccel");
    let nonce = hex::encode(fs::read(item.join("nonce.bin")).unwrap());
    let verify = Evtpm::new("verify").with("--at", "2024-09-01T00:00:00Z").with("--dcap-quote", item.join("quote.bin"));
    verify.clone().with("--challenge", &nonce).expect(NOT_APPRAISED);
    let wrong = verify.with("--challenge", nonce.replace('0', "1")).json(NOT_TRUSTED);
    assert_eq!(step(&wrong, "challenge").0, "refused");
}

/// A quote as Azure's sample stores it, in the form that the tools write: a TPMT_SIGNATURE by RSASSA with SHA-256.
fn azure_quote(folder: &Path, scratch: &Scratch, command: Evtpm) -> Evtpm {
    let stored: Value = serde_json::from_slice(&fs::read(folder.join("tpm-quote.json")).unwrap()).unwrap();
    let bytes = |name: &str| hex::decode(stored[name].as_str().unwrap()).unwrap();
    let (message, signature) = (bytes("message"), bytes("signature"));
    let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
    let signature = [[0, 0x14, 0, 0x0b].as_slice(), &length, &signature].concat();
    let values = stored["pcrs_sha256"].as_array().unwrap().iter().enumerate();
    let pcrs: String = values.map(|(pcr, value)| format!("sha256:{pcr}={}\n", value.as_str().unwrap())).collect();
    // Magic, type, the signer's name, then the qualifying data.
    let name = usize::from(u16::from_be_bytes([message[6], message[7]]));
    let data = &message[8 + name..];
    let nonce = &data[2..2 + usize::from(u16::from_be_bytes([data[0], data[1]]))];
    command
        .with("--quote", scratch.file("quote.msg", &message))
        .with("--signature", scratch.file("quote.sig", signature))
        .with("--pcrs", scratch.file("pcrs.txt", pcrs))
        .with("--quote-nonce", hex::encode(nonce))
}

#[test]
fn azures_paravisor_leads_to_the_key_that_signed_the_quote() {
    let Some(folder) = evidence() else { return };
    let scratch = Scratch::new("azure");
    for (item, certificate, at) in [
        ("snp-milan-v3-lunal", Some("vcek.der"), "2026-03-01T00:00:00Z"),
        ("snp-genoa-v3-evidence", Some("vcek.pem"), "2026-03-01T00:00:00Z"),
        ("tdx-evidence1", None, "2026-03-01T00:00:00Z"),
    ] {
        let item = folder.join("az-vtpm").join(item);
        let command = |words: &str| {
            let command = Evtpm::new(words).with("--at", at).with("--hcl-report", item.join("hcl-report.bin"));
            let command = match certificate {
                Some(name) => command.with("--certificates", item.join(name)),
                None => command.with("--dcap-quote", item.join("td-quote.bin")),
            };
            azure_quote(&item, &scratch, command)
        };
        let record = command("verify").json(NOT_APPRAISED);
        for name in ["paravisor", "attestation key", "quote"] {
            assert_eq!(step(&record, name).0, "verified", "{}: {record:#}", item.display());
        }
        let (policy, _) = command("policy learn").expect(TRUSTED);
        assert!(policy.contains("[azure]") && policy.contains("azure-runtime-claims"), "{policy}");
        let record = command("verify").with("--policy", scratch.file("policy.toml", &policy)).json(TRUSTED);
        assert!(record["ear"]["submods"]["azure"].is_object(), "{record:#}");
        let policy = policy.replace("[azure]", "[azure]\nvm_ids = [\"another\"]");
        let record = command("verify").with("--policy", scratch.file("policy.toml", policy)).json(NOT_TRUSTED);
        assert_eq!(codes(&record, "failure"), ["azure.vm-id"]);
    }
}

#[test]
fn half_a_piece_of_evidence_is_a_wrong_command_line() {
    for words in [
        "verify",
        "verify --cca-token t",
        "verify --psa-key k",
        "verify --nvidia-report r",
        "verify --report r --rim m",
        "verify --se-exchange x",
    ] {
        Evtpm::new(words).expect(USAGE);
    }
}

#[test]
fn measurements_are_compared_with_manifests_or_said_to_be_unchecked() {
    let Some(folder) = evidence() else { return };
    let rim = folder.join("nvidia-rim/gh100");
    let device = |at: &str| {
        let report = folder.join("nvidia/hopper-nvtrust");
        Evtpm::new("verify")
            .with("--nvidia-report", report.join("spdm-report.bin"))
            .with("--nvidia-chain", report.join("cert-chain.pem"))
            .with("--at", at)
    };
    let gaps = |record: &Value| record["not_checked"].to_string();
    let alone = device("2025-06-01T00:00:00Z").json(NOT_APPRAISED);
    for gap in ["no manifest of version 550.90.07", "no manifest of version 96.00.9F.00.01"] {
        assert!(gaps(&alone).contains(gap), "{alone:#}");
    }
    // Genuine manifests of other versions: believed, and nothing is compared with them.
    let others = device("2025-06-01T00:00:00Z")
        .with("--rim", rim.join("driver_550.144.03.xml"))
        .with("--rim", rim.join("vbios_96005E0001.swidtag"));
    let record = others.json(NOT_APPRAISED);
    assert_eq!((step(&record, "manifest").0, gaps(&record)), ("verified", gaps(&alone)), "{record:#}");

    let scratch = Scratch::new("rim-verify");
    let rules = "version = 1\n[nvidia]\nrequire_manifests = true\nallow_recorded = true\n";
    let policy = scratch.file("policy.toml", rules);
    let record = others.clone().with("--policy", &policy).json(NOT_TRUSTED);
    assert_eq!(record["conclusion"], "unknown");
    assert!(codes(&record, "missing").contains(&"nvidia.manifest".to_owned()), "{record:#}");
    assert_eq!(record["ear"]["submods"]["nvidia"]["ear_trustworthiness_vector"]["executables"], Value::Null);

    for bad in ["driver_incorrect_signature.xml", "driver_535.86.09_measurement_mismatch.xml"] {
        let record = device("2025-06-01T00:00:00Z").with("--rim", rim.join(bad)).json(NOT_TRUSTED);
        assert_eq!(step(&record, "manifest").0, "refused", "{bad}");
    }
}

#[test]
fn a_csv_report_without_its_chain_is_shown_and_not_believed() {
    let Some(folder) = evidence() else { return };
    let evidence = folder.join("csv/trustee-csv/evidence.json");
    let (shown, _) = Evtpm::new("report show").word(&evidence).expect(TRUSTED);
    assert!(shown.contains("NODBG, ES, CSV3") && shown.contains("under a mask"), "{shown}");
    let command = || Evtpm::new("verify").with("--csv-evidence", &evidence);
    let record = command().json(NOT_TRUSTED);
    let (state, detail) = step(&record, "CSV report");
    assert!(state == "refused" && detail.contains("HSK and CEK"), "{record:#}");
    let scratch = Scratch::new("csv");
    let measurements = format!("version = 1\n[csv]\nmeasurements = [\"{}\"]\n", "00".repeat(32));
    let policy = scratch.file("policy.toml", measurements);
    let record = command().with("--policy", policy).json(NOT_TRUSTED);
    assert!(codes(&record, "missing").contains(&"evidence.missing".to_owned()), "{record:#}");
    // Certificates that are none of Hygon's end no chain.
    let zeros = scratch.file("hsk_cek.cert", [0; 832 + 2084]);
    let record = command().with("--csv-certificates", zeros).with("--challenge", "00").json(NOT_TRUSTED);
    assert_eq!(step(&record, "CSV report").0, "refused");
}
