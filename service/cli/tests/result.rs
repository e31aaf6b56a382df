// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm verify --ear` and `evtpm result` as a verifier and a relying party run them, over a recorded boot.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, and these are their helpers")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Evtpm, FAILED, NOT_TRUSTED, Scratch, TRUSTED, USAGE, evidence};

const AUDITED: i32 = 5;
const AT: &str = "2026-03-01T00:00:00Z";
const NONCE: &str = "00112233445566778899aabbccddeeff";

/// A policy that passes `app-good` and nothing else, and keys to sign with.
struct Verifier {
    folder: PathBuf,
    scratch: Scratch,
    policy: PathBuf,
}

impl Verifier {
    fn new(name: &str) -> Option<Self> {
        let (folder, scratch) = (evidence()?, Scratch::new(name));
        let learn = Evtpm::new("policy learn --without-hardware").with("--at", AT);
        let (policy, _) = learn.with_boot(&folder.join("vm-boot/app-good")).expect(TRUSTED);
        let policy = scratch.file("policy.toml", policy);
        Some(Self { folder, scratch, policy })
    }

    /// Makes a key; gives its private and its public file.
    fn key(&self, algorithm: &str) -> (PathBuf, PathBuf) {
        let private = self.path(&format!("{algorithm}.private.jwk"));
        let (public, _) = Evtpm::new("result key --algorithm").word(algorithm).word(&private).expect(TRUSTED);
        (private, self.scratch.file(&format!("{algorithm}.jwk"), public))
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.scratch.file(name, "");
        fs::remove_file(&path).unwrap();
        path
    }

    fn verify(&self, boot: &str, key: &Path, format: &str, result: &Path) -> Evtpm {
        Evtpm::new("verify")
            .with("--at", AT)
            .with_boot(&self.folder.join("vm-boot").join(boot))
            .with("--policy", &self.policy)
            .with("--ear", result)
            .with("--ear-key", key)
            .with("--ear-format", format)
            .with("--ear-lifetime", "300")
            .with("--ear-nonce", NONCE)
    }
}

fn check(result: &Path, public: &Path) -> Evtpm {
    Evtpm::new("result check").word(result).with("--key", public).with("--at", AT).with("--nonce", NONCE)
}

#[test]
fn a_result_in_either_form_by_any_algorithm_is_checked_with_the_public_key() {
    let Some(verifier) = Verifier::new("forms") else { return };
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let (private, public) = verifier.key(algorithm);
        for format in ["jwt", "cwt"] {
            let result = verifier.path("result");
            let run = verifier.verify("app-good", &private, format, &result);
            let record = run.json(TRUSTED);
            let token = fs::read(&result).unwrap();
            assert_eq!(
                (run.json(TRUSTED), fs::read(&result).unwrap()),
                (record.clone(), token),
                "{algorithm} {format}"
            );

            let checked = check(&result, &public).json(TRUSTED);
            assert_eq!(checked["claims"], record["ear"]);
            assert_eq!((&checked["checked"], &checked["algorithm"]), (&Value::Bool(true), &algorithm.into()));
            assert_eq!(checked["format"], format.to_uppercase());
            let shown = Evtpm::new("result show").word(&result).json(TRUSTED);
            assert_eq!((&shown["checked"], &shown["claims"]), (&Value::Bool(false), &record["ear"]));
        }
    }
}

#[test]
fn a_result_is_refused_that_is_old_or_answers_another_nonce_or_was_signed_by_another() {
    let Some(verifier) = Verifier::new("refused") else { return };
    let ((private, public), (_, other)) = (verifier.key("EdDSA"), verifier.key("ES256"));
    let result = verifier.path("result");
    verifier.verify("app-good", &private, "cwt", &result).expect(TRUSTED);
    let with = |option: &str, value: &str| {
        let mut command = check(&result, &public);
        let at = command.0.iter().position(|word| word == option).unwrap();
        command.0[at + 1] = value.into();
        command.expect(NOT_TRUSTED).0
    };
    assert!(with("--at", "2026-03-01T00:05:00Z").starts_with("refused: expired at"));
    assert!(with("--at", "2026-02-28T00:00:00Z").starts_with("refused: issued at"));
    assert!(with("--nonce", "0011223344556677").starts_with("refused: the result answers another nonce"));
    let refusal = check(&result, &other).json(NOT_TRUSTED);
    assert_eq!(refusal["refused"], "signed by EdDSA, the key is for ES256");
    let flipped = verifier.scratch.flipped(&result, 400 * 8);
    assert_eq!(check(&flipped, &public).json(NOT_TRUSTED)["refused"], "the key did not sign this result");
}

#[test]
fn a_genuine_result_that_says_untrusted_is_no_success() {
    let Some(verifier) = Verifier::new("untrusted") else { return };
    let (private, public) = verifier.key("ES384");
    let result = verifier.path("result");
    verifier.verify("app-modified", &private, "jwt", &result).expect(NOT_TRUSTED);
    let (text, _) = check(&result, &public).expect(NOT_TRUSTED);
    assert!(text.contains("genuine") && text.contains("runtime.file"), "{text}");
    assert!(text.trim_end().ends_with("untrusted"), "{text}");
    verifier.verify("app-modified", &private, "jwt", &result).word("--audit").expect(AUDITED);
    check(&result, &public).expect(AUDITED);
}

#[test]
fn keys_of_openssl_sign_and_check() {
    let Some(verifier) = Verifier::new("openssl") else { return };
    for (name, arguments) in [
        ("p256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        ("ed25519", "genpkey -algorithm ED25519"),
    ] {
        let (private, public) = (verifier.path(&format!("{name}.pem")), verifier.path(&format!("{name}.pub")));
        let openssl = |words: &str, options: [(&str, &Path); 2]| {
            let options = options.map(|(option, path)| [option.into(), path.as_os_str().to_owned()]).concat();
            Command::new("openssl").args(words.split(' ')).args(options).output()
        };
        let Ok(made) = openssl(arguments, [("-out", &private), ("-outform", Path::new("PEM"))]) else {
            eprintln!("skipped: there is no openssl");
            return;
        };
        assert!(made.status.success(), "{made:?}");
        openssl("pkey -pubout", [("-in", &private), ("-out", &public)]).unwrap();
        let result = verifier.path("result");
        verifier.verify("app-good", &private, "cwt", &result).expect(TRUSTED);
        check(&result, &public).expect(TRUSTED);
    }
}

#[test]
fn a_private_key_is_its_owners_alone_and_is_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("keys");
    let path = scratch.file("key.jwk", "");
    fs::remove_file(&path).unwrap();
    let (public, _) = Evtpm::new("result key").word(&path).expect(TRUSTED);
    assert!(!public.contains("\"d\""), "{public}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Evtpm::new("result key").word(&path).expect(FAILED).1.contains("writing"));
}

#[test]
fn what_is_no_token_or_no_key_is_named() {
    let scratch = Scratch::new("none");
    let text = scratch.file("text", "hello");
    assert!(Evtpm::new("result show").word(&text).expect(FAILED).1.contains("malformed token"));
    assert!(check(&text, &text).expect(FAILED).1.contains("no public key"));
    let command = Evtpm::new("verify").with("--quote", &text).with("--ear", &text);
    assert!(command.expect(USAGE).1.contains("--ear-key"));
}
