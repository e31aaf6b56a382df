// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our tokens as others read them (jsonwebtoken, minicbor, ring), and theirs as we do.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built fails the test that wants it")]

use std::sync::Once;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_appraise::{Claims, Layer, Policy, UnixTime, Verdict, appraise, policy::SnpPolicy};
use evtpm_crypto::{EntropyError, Rng};
use evtpm_result::{Algorithm, Context, Ear, Error, Jwk, SigningKey, Token, VerifyingKey};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::signature::{Error as BadSignature, Signer, Verifier};
use jsonwebtoken::{Algorithm as TheirAlgorithm, DecodingKey, EncodingKey, Header, Validation};
use minicbor::Decoder;
use ring::rand::SystemRandom;
use ring::signature::{self, Ed25519KeyPair, KeyPair, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime(1_767_225_600);

struct Fixed;

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x5a);
        Ok(())
    }
}

fn ear() -> Ear {
    let policy = Policy::new(SnpPolicy::new([0x3e; 48]));
    let claims = Claims::new().with_refusal(Layer::Snp, &"the chip did not sign the report");
    let (lifetime, nonce) = (Some(300), Some(b"at least eight bytes".as_slice()));
    let context = Context { issued: NOW, lifetime, policy_id: "sha256:00", nonce, build: "0.1.0" };
    Ear::new(&appraise(&policy, &claims).unwrap(), &context)
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::new(algorithm, &[9; 32]).unwrap()
}

/// A public key as ring takes it: SEC 1's uncompressed point, or the key of Ed25519.
fn public_bytes(jwk: &Jwk) -> Vec<u8> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    match &jwk.y {
        Some(y) => [&[4], decode(&jwk.x).as_slice(), &decode(y)].concat(),
        None => decode(&jwk.x),
    }
}

fn ring_algorithm(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDsa => &signature::ED25519,
    }
}

/// jsonwebtoken over ring.
struct Ring(TheirAlgorithm, &'static dyn VerificationAlgorithm, Vec<u8>);

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(self.1, &self.2).verify(message, signature).map_err(|_| BadSignature::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> TheirAlgorithm {
        self.0
    }
}

/// Ed25519 of ring, as jsonwebtoken wants it.
struct RingSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, BadSignature> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> TheirAlgorithm {
        TheirAlgorithm::EdDSA
    }
}

fn theirs(algorithm: Algorithm) -> TheirAlgorithm {
    match algorithm {
        Algorithm::Es256 => TheirAlgorithm::ES256,
        Algorithm::Es384 => TheirAlgorithm::ES384,
        Algorithm::EdDsa => TheirAlgorithm::EdDSA,
    }
}

fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, key| Ok(Box::new(RingSigner(Ed25519KeyPair::from_pkcs8(key.as_bytes()).unwrap()))),
        verifier_factory: |algorithm, key| {
            let ours = Algorithm::ALL.into_iter().find(|ours| theirs(*ours) == *algorithm).unwrap();
            Ok(Box::new(Ring(*algorithm, ring_algorithm(ours), key.try_get_as_bytes()?.to_vec())))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| PROVIDER.install_default().unwrap());
}

#[test]
fn jsonwebtoken_believes_our_jwt_until_it_expires() {
    install();
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let public = public_bytes(&key.verifying_key().to_jwk());
        let decoding = match algorithm {
            Algorithm::EdDsa => DecodingKey::from_ed_der(&public),
            _ => DecodingKey::from_ec_der(&public),
        };
        let token = ear().sign(&key, &mut Fixed).unwrap();
        let mut validation = Validation::new(theirs(algorithm));
        // Its clock cannot be told the time, and the result expired in 2026.
        let expired = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap_err();
        assert_eq!(expired.to_string(), "ExpiredSignature");
        validation.validate_exp = false;
        let read = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(read.claims, serde_json::to_value(ear()).unwrap());
        assert_eq!(read.header.kid, Some(key.verifying_key().id()));

        let other = SigningKey::new(algorithm, &[8; 32]).unwrap();
        let forged = ear().sign(&other, &mut Fixed).unwrap();
        assert!(jsonwebtoken::decode::<Value>(&forged, &decoding, &validation).is_err(), "{algorithm}");
    }
}

#[test]
fn we_believe_a_jwt_of_jsonwebtoken() {
    install();
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let public = VerifyingKey::new(Algorithm::EdDsa, pair.public_key().as_ref(), &[]).unwrap();
    let claims = serde_json::to_value(ear()).unwrap();
    let encoding = EncodingKey::from_ed_der(document.as_ref());
    let token = jsonwebtoken::encode(&Header::new(TheirAlgorithm::EdDSA), &claims, &encoding).unwrap();
    assert_eq!(Ear::check(token.as_bytes(), &public, None, NOW), Ok(ear()));
}

#[test]
fn ring_and_minicbor_read_our_cwt() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let token = ear().sign_cwt(&key, &mut Fixed).unwrap();
        let mut decoder = Decoder::new(&token);
        assert_eq!(decoder.tag().unwrap().as_u64(), 18);
        assert_eq!(decoder.array().unwrap(), Some(4));
        let protected = decoder.bytes().unwrap();
        assert_eq!(decoder.map().unwrap(), Some(0));
        let (payload, signature) = (decoder.bytes().unwrap(), decoder.bytes().unwrap());
        assert_eq!(decoder.position(), token.len());

        let mut header = Decoder::new(protected);
        assert_eq!(
            (header.map().unwrap(), header.u8().unwrap(), header.i64().unwrap()),
            (Some(2), 1, algorithm.number())
        );
        assert_eq!((header.u8().unwrap(), header.bytes().unwrap()), (4, key.verifying_key().id().as_bytes()));

        let mut signed = minicbor::Encoder::new(Vec::new());
        signed.array(4).unwrap().str("Signature1").unwrap();
        signed.bytes(protected).unwrap().bytes(&[]).unwrap().bytes(payload).unwrap();
        let public = public_bytes(&key.verifying_key().to_jwk());
        UnparsedPublicKey::new(ring_algorithm(algorithm), public).verify(&signed.into_writer(), signature).unwrap();
        assert_eq!(claims_of(payload), [4, 6, 10, 265, 266, 1004, -72000]);
    }
}

/// The numbers of the claims, in the order in which they stand.
fn claims_of(payload: &[u8]) -> Vec<i64> {
    let mut decoder = Decoder::new(payload);
    let members = decoder.map().unwrap().unwrap();
    let mut member = || {
        let number = decoder.i64().unwrap();
        decoder.skip().unwrap();
        number
    };
    (0..members).map(|_| member()).collect()
}

#[test]
fn the_signed_text_of_rfc_8037_verifies() {
    // RFC 8037, A.1, A.2 and A.4.
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let token = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = VerifyingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
    assert_eq!(Token::parse(token).unwrap().verify(&key), Ok(b"Example of Ed25519 signing".as_slice()));
}

#[test]
fn the_signed_text_of_rfc_7515_verifies() {
    // RFC 7515, A.3.
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let token = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = VerifyingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
    assert!(Token::parse(token).unwrap().verify(&key).is_ok());
}

#[test]
fn the_signed_cwt_of_rfc_8392_verifies_and_is_no_result() {
    // RFC 8392, A.2.3 and A.3.
    let x = "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f";
    let y = "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9";
    let token = "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f\
        6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007\
        420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee7\
        43a52b9b63632c57209120e1c9e30";
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let key = VerifyingKey::new(Algorithm::Es256, &hex(x), &hex(y)).unwrap();
    let parsed = Token::parse(&hex(token)).unwrap();
    assert_eq!(parsed.verify(&key).unwrap().len(), 80);
    assert!(matches!(Ear::check(&hex(token), &key, None, NOW), Err(Error::Malformed { .. })));
}

#[test]
fn the_drafts_cbor_example_is_read_by_its_numbers() {
    // draft-ietf-rats-ear, the CBOR form of its first example, without raw evidence, in the profile that is in use.
    let mut payload = minicbor::Encoder::new(Vec::new());
    payload.map(4).unwrap();
    payload.u16(265).unwrap().str("tag:github.com,2023:veraison/ear").unwrap();
    payload.u8(6).unwrap().u32(1_666_529_184).unwrap();
    payload.u16(1004).unwrap().map(2).unwrap();
    payload.u8(0).unwrap().str("https://veraison-project.org").unwrap().u8(1).unwrap().str("vsts 0.0.1").unwrap();
    payload.u16(266).unwrap().map(1).unwrap().str("PSA").unwrap().map(3).unwrap();
    payload.u16(1000).unwrap().u8(96).unwrap();
    payload.u16(1001).unwrap().map(3).unwrap();
    payload.u8(0).unwrap().u8(2).unwrap().u8(2).unwrap().u8(96).unwrap().u8(4).unwrap().u8(2).unwrap();
    payload.u16(1003).unwrap().str("https://veraison.example/policy/1/60a0068d").unwrap();
    let payload = payload.into_writer();

    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let mut signed = minicbor::Encoder::new(Vec::new());
    signed.array(4).unwrap().str("Signature1").unwrap();
    signed.bytes(&[0xa1, 1, 0x27]).unwrap().bytes(&[]).unwrap().bytes(&payload).unwrap();
    let mut token = minicbor::Encoder::new(Vec::new());
    token.array(4).unwrap().bytes(&[0xa1, 1, 0x27]).unwrap().map(0).unwrap().bytes(&payload).unwrap();
    token.bytes(pair.sign(&signed.into_writer()).as_ref()).unwrap();

    let key = VerifyingKey::new(Algorithm::EdDsa, pair.public_key().as_ref(), &[]).unwrap();
    let ear = Ear::check(&token.into_writer(), &key, None, NOW).unwrap();
    let psa = &ear.submods["PSA"];
    assert_eq!((psa.status.name(), psa.vector.executables.0, psa.vector.hardware.0), ("contraindicated", 96, 2));
    assert_eq!((ear.verdict, ear.status()), (None::<Verdict>, psa.status));
}
