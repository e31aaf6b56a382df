// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Results are deterministic, say what they stand on, and no change to them goes unnoticed.

use evtpm_appraise::{Claims, Policy, appraise, policy::SnpPolicy};
use evtpm_crypto::EntropyError;
use evtpm_testing_support::spread;

use super::*;
use crate::Algorithm;

const NOW: UnixTime = UnixTime(1_767_225_600);

struct Fixed;

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x5a);
        Ok(())
    }
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::new(algorithm, &[9; 32]).unwrap()
}

fn context<'a>() -> Context<'a> {
    Context { issued: NOW, lifetime: Some(300), policy_id: "sha256:00", nonce: Some(b"nonce"), build: "0.1.0" }
}

/// A result over evidence that was refused, the only kind that can be made without any.
fn ear() -> Ear {
    let policy = Policy::new(SnpPolicy::new([0x3e; 48]));
    let claims = Claims::new().with_refusal(Layer::Snp, &"the chip did not sign the report");
    Ear::new(&appraise(&policy, &claims).unwrap(), &context())
}

fn token(algorithm: Algorithm) -> String {
    ear().sign(&key(algorithm), &mut Fixed).unwrap()
}

fn cwt(algorithm: Algorithm) -> Vec<u8> {
    ear().sign_cwt(&key(algorithm), &mut Fixed).unwrap()
}

fn check_cwt(token: &[u8], algorithm: Algorithm) -> Result<Ear, Error> {
    Ear::check(token, key(algorithm).verifying_key(), Some(b"nonce"), NOW)
}

fn check(token: &str, algorithm: Algorithm) -> Result<Ear, Error> {
    Ear::check(token.as_bytes(), key(algorithm).verifying_key(), Some(b"nonce"), NOW)
}

#[test]
fn a_signed_result_is_read_back_as_it_was() {
    for algorithm in Algorithm::ALL {
        assert_eq!(check(&token(algorithm), algorithm), Ok(ear()));
        assert_eq!(check_cwt(&cwt(algorithm), algorithm), Ok(ear()));
    }
}

#[test]
fn the_json_has_the_names_of_the_draft() {
    let json = ear().to_json().unwrap();
    for name in [
        r##""eat_profile":"tag:ietf.org,2026:rats/ear#04""##,
        r#""iat":1767225600,"exp":1767225900"#,
        r#""eat_nonce":"bm9uY2U""#,
        r#""ear_verifier_id":{"developer":"evtpm","build":"0.1.0"}"#,
        r#""submods":{"snp":{"ear_status":"contraindicated","ear_trustworthiness_vector":{"hardware":99}"#,
        r#""ear_appraisal_policy_ids":["sha256:00"]"#,
        r#""code":"evidence.refused""#,
        r#""ear.evtpm.verdict":"untrusted""#,
    ] {
        assert!(json.contains(name), "{name} in {json}");
    }
}

#[test]
fn the_same_appraisal_gives_the_same_bytes() {
    assert_eq!(ear().to_json(), ear().to_json());
    for algorithm in Algorithm::ALL {
        assert_eq!(token(algorithm), token(algorithm));
        assert_eq!(cwt(algorithm), cwt(algorithm));
    }
}

#[test]
fn no_changed_character_survives() {
    let token = token(Algorithm::Es256);
    for position in 0..token.len() {
        let mut tampered = token.clone().into_bytes();
        tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).unwrap();
        let verdict = check(&tampered, Algorithm::Es256);
        assert!(verdict.is_err(), "character {position}: {verdict:?}");
    }
}

#[test]
fn no_flipped_bit_of_a_jwt_survives() {
    for algorithm in Algorithm::ALL {
        let token = token(algorithm);
        for bit in spread(token.len() * 8, 100) {
            let mut tampered = token.clone().into_bytes();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let verdict = Ear::check(&tampered, key(algorithm).verifying_key(), Some(b"nonce"), NOW);
            assert!(verdict.is_err(), "{algorithm}, bit {bit}: {verdict:?}");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_cwt_survives() {
    for algorithm in Algorithm::ALL {
        let token = cwt(algorithm);
        // Each bit of the one whose signatures are cheapest to check; of the others a bit of about each byte.
        let bits = token.len() * 8;
        let bits: Vec<usize> =
            if algorithm == Algorithm::EdDsa { (0..bits).collect() } else { spread(bits, bits / 9).collect() };
        for bit in bits {
            let mut tampered = token.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let verdict = check_cwt(&tampered, algorithm);
            assert!(verdict.is_err(), "{algorithm}, bit {bit}: {verdict:?}");
        }
        assert!(check_cwt(&[token.as_slice(), &[0]].concat(), algorithm).is_err(), "{algorithm}: a byte behind it");
        (0..token.len()).for_each(|end| assert!(check_cwt(&token[..end], algorithm).is_err(), "{algorithm}: {end}"));
    }
}

#[test]
fn a_cwt_may_stand_behind_its_own_tag_or_without_any() {
    let token = cwt(Algorithm::EdDsa);
    assert_eq!(token[0], 0xd2);
    let both = [&[0xd8, 61], token.as_slice()].concat();
    assert_eq!(check_cwt(&both, Algorithm::EdDsa), Ok(ear()));
    assert_eq!(check_cwt(&token[1..], Algorithm::EdDsa), Ok(ear()));
    let other = [&[0xd8, 62], token.as_slice()].concat();
    assert!(matches!(check_cwt(&other, Algorithm::EdDsa), Err(Error::Malformed { .. })));
}

#[test]
fn an_algorithm_that_is_not_signed_does_not_count() {
    // `[h'', {1: -8}, h'a0', h'']`
    let token = [0x84, 0x40, 0xa1, 0x01, 0x27, 0x41, 0xa0, 0x40];
    assert!(matches!(check_cwt(&token, Algorithm::EdDsa), Err(Error::Malformed { what: "header", .. })));
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let payload = crate::cbor::encode(&ear()).unwrap();
    // One more member, `6: 0`, in front of the others.
    let twice = [&[payload[0] + 1, 6, 0], &payload[1..]].concat();
    let token = crate::cwt::sign(twice, &key(Algorithm::Es256), &mut Fixed).unwrap();
    assert_eq!(
        check_cwt(&token, Algorithm::Es256),
        Err(Error::Malformed { what: "iat", detail: "it is there twice".into() })
    );
}

#[test]
fn a_claim_that_is_unknown_is_passed_over() {
    let payload = crate::cbor::encode(&ear()).unwrap();
    // `-70001: "x"`
    let more = [&[payload[0] + 1, 0x3a, 0, 1, 0x11, 0x70, 0x61, b'x'], &payload[1..]].concat();
    let token = crate::cwt::sign(more, &key(Algorithm::Es256), &mut Fixed).unwrap();
    assert_eq!(check_cwt(&token, Algorithm::Es256), Ok(ear()));
}

#[test]
fn another_key_did_not_sign() {
    let other = SigningKey::new(Algorithm::Es256, &[8; 32]).unwrap();
    let verdict = Ear::check(token(Algorithm::Es256).as_bytes(), other.verifying_key(), None, NOW);
    assert_eq!(verdict, Err(Error::Signature));
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    assert_eq!(
        check(&token(Algorithm::Es256), Algorithm::Es384),
        Err(Error::Algorithm { expected: "ES384", actual: "ES256".into() })
    );
    let none = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(ear().to_json().unwrap())
    );
    assert_eq!(check(&none, Algorithm::Es256), Err(Error::Algorithm { expected: "ES256", actual: "none".into() }));
}

#[test]
fn critical_extensions_are_not_ignored() {
    let payload = ear().to_json().unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = key(Algorithm::Es256).sign(message.as_bytes(), &mut Fixed).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert!(matches!(check(&token, Algorithm::Es256), Err(Error::Malformed { what: "header", .. })));
}

#[test]
fn a_result_expires_and_does_not_come_from_the_future() {
    let token = token(Algorithm::Es256);
    let at = |now| Ear::check(token.as_bytes(), key(Algorithm::Es256).verifying_key(), None, UnixTime(now));
    assert!(at(NOW.0 + 299).is_ok());
    assert_eq!(at(NOW.0 + 300), Err(Error::Expired { expires: UnixTime(NOW.0 + 300), now: UnixTime(NOW.0 + 300) }));
    assert!(at(NOW.0 - 60).is_ok());
    assert_eq!(at(NOW.0 - 61), Err(Error::NotYetIssued { issued: NOW, now: UnixTime(NOW.0 - 61) }));
}

#[test]
fn a_result_for_another_nonce_is_a_replay() {
    let token = token(Algorithm::Es256);
    let verdict = Ear::check(token.as_bytes(), key(Algorithm::Es256).verifying_key(), Some(b"other"), NOW);
    assert_eq!(verdict, Err(Error::Nonce));
    let without = Ear { eat_nonce: None, ..ear() }.sign(&key(Algorithm::Es256), &mut Fixed).unwrap();
    assert_eq!(check(&without, Algorithm::Es256), Err(Error::Nonce));
}

#[test]
fn another_profile_is_refused() {
    let other = Ear { eat_profile: "tag:example.com,2026:other".into(), ..ear() };
    let token = other.sign(&key(Algorithm::Es256), &mut Fixed).unwrap();
    assert!(matches!(check(&token, Algorithm::Es256), Err(Error::Profile { .. })));
}

#[test]
fn an_unreachable_attester_has_a_result_that_affirms_nothing() {
    let ear = Ear::new(&Appraisal::unreachable(), &context());
    assert_eq!(ear.verdict, Some(Verdict::Unreachable));
    assert_eq!(ear.submods["snp"].status, Tier::None);
    assert_eq!(ear.submods.len(), 1);
}

#[test]
fn a_simulated_root_is_shown_by_its_name() {
    let root = RootClaim::from(&Root::Simulated { name: "SIMULATED ARK-Milan".into() });
    let ear = Ear { root: Some(root), ..ear() };
    assert_eq!(ear.simulated_root(), Some("SIMULATED ARK-Milan"));
    assert!(ear.to_json().unwrap().contains(r#""ear.evtpm.root":{"simulated":"SIMULATED ARK-Milan"}"#));
    assert_eq!(super::tests::ear().simulated_root(), None);
}

#[test]
fn results_of_other_verifiers_are_read_without_our_extensions() {
    let json = r#"{"ear.verifier-id":{"build":"N/A","developer":"Veraison Project"},
        "eat_profile":"tag:github.com,2023:veraison/ear","iat":1706023979,
        "submods":{"PSA_IOT":{"ear.appraisal-policy-id":"policy:PSA_IOT","ear.status":"affirming",
        "ear.trustworthiness-vector":{"configuration":0,"executables":2,"file-system":0,"hardware":2,
        "instance-identity":2,"runtime-opaque":2,"sourced-data":0,"storage-opaque":2}}}}"#;
    let ear: Ear = serde_json::from_str(json).unwrap();
    assert_eq!((ear.verdict, ear.submods["PSA_IOT"].status), (None, Tier::Affirming));
    assert_eq!(ear.submods["PSA_IOT"].policy_id.as_deref(), Some("policy:PSA_IOT"));
    // The same in the names of the current draft.
    let json = r##"{"ear_verifier_id":{"build":"N/A","developer":"Veraison Project"},
        "eat_profile":"tag:ietf.org,2026:rats/ear#04","iat":1706023979,
        "submods":{"PSA_IOT":{"ear_appraisal_policy_ids":["policy:PSA_IOT","another"],"ear_status":"affirming"}}}"##;
    let current: Ear = serde_json::from_str(json).unwrap();
    assert_eq!(current.submods["PSA_IOT"].policy_id, ear.submods["PSA_IOT"].policy_id);
}

#[test]
fn a_result_of_the_earlier_profile_is_checked_like_one_of_ours() {
    let earlier = || Ear { eat_profile: EARLIER_PROFILE.to_owned(), ..ear() };
    let token = earlier().sign(&key(Algorithm::Es256), &mut Fixed).unwrap();
    assert_eq!(check(&token, Algorithm::Es256), Ok(earlier()));
    let token = earlier().sign_cwt(&key(Algorithm::Es256), &mut Fixed).unwrap();
    assert_eq!(check_cwt(&token, Algorithm::Es256), Ok(earlier()));
}

#[test]
fn texts_that_are_no_tokens_are_malformed() {
    for text in ["", "a", "a.b", "....", "é.é.é", &"a".repeat(2_000_000)] {
        assert!(matches!(check(text, Algorithm::Es256), Err(Error::Malformed { .. })), "{:.20}", text);
    }
}
