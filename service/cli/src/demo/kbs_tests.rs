// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest of Confidential Containers, as its components speak by the protocol's documents, and our server.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evtpm_api::kbs::SnpEvidence;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::SnpPolicy;
use evtpm_crypto::{Crypto, EccCurve, EccPrivate, HashAlg, RustCrypto};
use evtpm_io::{Connection, trust};
use evtpm_snp::MessageType;
use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
use evtpm_sp_sim::Product;
use evtpm_svsm::GuestChannel;
use hyper::{Method, Request};
use serde_json::{Value, json};
use sev::parser::ByteParser as _;

use super::continuous_tests::Restartable;
use super::world::World;
use crate::launch::{self, Image};
use evtpm_agent::random::SystemRng;

/// The guest's own level, below the SVSM's.
const VMPL: u32 = 2;

/// A guest with its key.
struct Guest<'a> {
    verifier: &'a Restartable<'a>,
    world: &'a World,
    key: Value,
    cookie: Option<String>,
}

impl<'a> Guest<'a> {
    fn new(world: &'a World, verifier: &'a Restartable<'a>) -> Self {
        let private = EccPrivate::generate(EccCurve::P256, &mut SystemRng).unwrap();
        let public = RustCrypto::ecc_public(&private).unwrap();
        let [x, y] = [public.x(), public.y()].map(|number| URL_SAFE_NO_PAD.encode(number));
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": x, "y": y });
        Guest { verifier, world, key, cookie: None }
    }

    /// One request; the cookie is kept, as a browser does.
    fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let exchange = async {
            let ca = self.verifier.directory.join("ca.pem");
            let tls = trust::trusting(&ca, rustls::DEFAULT_VERSIONS).unwrap().with_no_client_auth();
            let url: hyper::Uri = self.verifier.url().parse().unwrap();
            let (address, port) = (url.authority().unwrap().as_str(), url.port_u16().unwrap());
            let mut connection = Connection::open("127.0.0.1", port, Some(&Arc::new(tls))).await.unwrap();
            let mut request = Request::builder().method(method).uri(path).header("host", address);
            request = request.header("content-type", "application/json");
            if let Some(cookie) = &self.cookie {
                request = request.header("cookie", format!("theme=dark; {cookie}"));
            }
            let response = connection.send(request.body(body).unwrap()).await.unwrap();
            let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
            let status = response.status().as_u16();
            (status, evtpm_io::body(response, 1 << 20).await.unwrap(), cookie)
        };
        let (status, body, cookie) = self.world.runtime.block_on(exchange);
        if let Some(cookie) = cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn auth(&mut self) -> String {
        let request = json!({
            "version": "0.4.0",
            "tee": "snp",
            "extra-params": { "supported-hash-algorithms": ["sha256", "sha384", "sha512"] },
        });
        let (status, challenge) = self.send(Method::POST, "/kbs/v0/auth", Some(&request));
        assert_eq!(status, 200, "{challenge}");
        challenge["nonce"].as_str().unwrap().to_owned()
    }

    /// What the guest's components send: canonical JSON is hashed into the report, which the `sev` crate writes as JSON.
    fn attestation(&self, nonce: &str) -> Value {
        let key = &self.key;
        let field = |name: &str| key[name].as_str().unwrap();
        let canonical = format!(
            r#"{{"additional-evidence":"","nonce":"{nonce}","tee-pubkey":{{"alg":"{}","crv":"{}","kty":"{}","x":"{}","y":"{}"}}}}"#,
            field("alg"),
            field("crv"),
            field("kty"),
            field("x"),
            field("y")
        );
        let mut report_data = [0; 64];
        let digest = RustCrypto::hash(HashAlg::Sha384, &[canonical.as_bytes()]);
        report_data[..48].copy_from_slice(digest.as_bytes());
        let report = self.report(report_data);
        let report = sev::firmware::guest::AttestationReport::from_bytes(&report).unwrap();
        json!({
            "runtime-data": { "nonce": nonce, "tee-pubkey": key },
            "tee-evidence": {
                "primary_evidence": { "attestation_report": report, "cert_chain": null },
                "additional_evidence": "",
            },
        })
    }

    fn report(&self, report_data: [u8; 64]) -> Vec<u8> {
        let image = Image::new(&self.world.executable);
        let (secrets, mut way) = launch::launch_with_secrets(self.world.host().unwrap(), &image).unwrap();
        let mut channel = GuestChannel::new(secrets.vmpck[2], 2, 0);
        let request = ReportRequest::new(report_data, VMPL, KeySelect::Auto);
        let answer = channel.request(&mut way, MessageType::ReportRequest, request.as_bytes(), None).unwrap();
        ReportResponse::parse(answer).unwrap().unwrap().as_bytes().to_vec()
    }

    fn attest(&mut self) -> (u16, Value) {
        let nonce = self.auth();
        let attestation = self.attestation(&nonce);
        self.send(Method::POST, "/kbs/v0/attest", Some(&attestation))
    }
}

/// A server with a policy for guests, and a resource for them.
fn serve<'a>(world: &'a World, name: &str) -> Restartable<'a> {
    let verifier = Restartable::new(world, name);
    let operator = verifier.by_token();
    let mut snp = SnpPolicy::new(world.measurement);
    snp.vmpl = VMPL;
    snp.simulated = world.beliefs.simulated_roots.iter().map(|(name, _)| name.clone()).collect();
    let policy = Policy::new(snp).to_json().unwrap();
    let _: Value = operator.ask(Method::PUT, "/policies/guests", Some(policy)).unwrap();
    for (resource, policy) in [("default/key/disk", "guests"), ("default/key/other", "default")] {
        let new = json!({ "policies": [policy], "content": "YSByZXNvdXJjZQ==" }).to_string();
        let _: Value = operator.ask(Method::PUT, &format!("/resources/{resource}"), Some(new)).unwrap();
    }
    verifier
}

#[test]
fn a_guest_of_confidential_containers_fetches_what_its_policy_gives_it() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = serve(&world, "kbs");
    let mut guest = Guest::new(&world, &verifier);
    let (status, refused) = guest.send(Method::GET, "/kbs/v0/resource/default/key/disk", None);
    assert_eq!((status, refused["type"].as_str()), (401, Some("evtpm-verifier/evidence-refused")), "before it attests");
    let (status, token) = guest.attest();
    assert_eq!(status, 200, "{token}");
    let claims = token["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert!(claims["exp"].is_u64(), "guests ask for a new token when this one has expired: {claims}");

    let (status, jwe) = guest.send(Method::GET, "/kbs/v0/resource/default/key/disk", None);
    assert_eq!(status, 200, "{jwe}");
    let header = String::from_utf8(URL_SAFE_NO_PAD.decode(jwe["protected"].as_str().unwrap()).unwrap()).unwrap();
    assert!(
        header.starts_with(r#"{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{"crv":"P-256","kty":"EC","x":""#),
        "{header}"
    );
    assert_eq!(URL_SAFE_NO_PAD.decode(jwe["ciphertext"].as_str().unwrap()).unwrap().len(), "a resource".len());

    let (status, refused) = guest.send(Method::GET, "/kbs/v0/resource/default/key/other", None);
    assert_eq!(status, 403, "a report alone is less than the default policy asks for: {refused}");
    let (status, _) = guest.send(Method::GET, "/kbs/v0/resource/default/key/nothing", None);
    assert_eq!(status, 404);
    let lines: Vec<evtpm_api::AuditLine> = verifier.by_token().ask(Method::GET, "/audit", None).unwrap();
    let events: Vec<&str> = lines.iter().map(|line| line.event.as_str()).collect();
    assert!(events.ends_with(&["resource-put", "resource-put", "resource-released", "resource-refused"]), "{events:?}");

    let _: Value = verifier.by_token().ask(Method::DELETE, "/resources/default/key/disk", None).unwrap();
    assert_eq!(guest.send(Method::GET, "/kbs/v0/resource/default/key/disk", None).0, 404);
}

#[test]
fn evidence_of_another_nonce_key_or_device_is_refused() {
    let world = World::new(Product::Milan).unwrap();
    let verifier = serve(&world, "kbs-refused");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut guest = Guest::new(&world, &verifier);
        let nonce = guest.auth();
        let mut attestation = guest.attestation(&nonce);
        change(&mut attestation);
        let (status, refused) = guest.send(Method::POST, "/kbs/v0/attest", Some(&attestation));
        assert_eq!(guest.send(Method::GET, "/kbs/v0/resource/default/key/disk", None).0, 401);
        (status, refused["detail"].as_str().unwrap_or_default().to_owned())
    };
    let other = Guest::new(&world, &verifier);
    for (change, expected) in [
        (&(|a: &mut Value| a["runtime-data"]["nonce"] = json!("00")) as &dyn Fn(&mut Value), "nonce"),
        (&|a: &mut Value| a["runtime-data"]["tee-pubkey"] = other.key.clone(), "REPORT_DATA"),
        (&|a: &mut Value| a["tee-evidence"]["additional_evidence"] = json!("{\"nvidia\":[]}"), "further devices"),
        (
            &|a: &mut Value| a["tee-evidence"]["primary_evidence"]["attestation_report"]["measurement"][0] = json!(1),
            "not signed",
        ),
        (
            &|a: &mut Value| a["tee-evidence"]["primary_evidence"]["attestation_report"]["chip_id"] = json!([1]),
            "chip_id",
        ),
    ] {
        let (status, detail) = changed(change);
        assert!(status == 401 && detail.contains(expected), "{expected}: {status} {detail}");
    }

    let mut guest = Guest::new(&world, &verifier);
    let nonce = guest.auth();
    let attestation = guest.attestation(&nonce);
    assert_eq!(guest.send(Method::POST, "/kbs/v0/attest", Some(&attestation)).0, 200);
    assert_eq!(guest.send(Method::POST, "/kbs/v0/attest", Some(&attestation)).0, 401, "played again");
    for (version, tee) in [("0.1.0", "snp"), ("0.4.0", "tdx")] {
        let request = json!({ "version": version, "tee": tee, "extra-params": "" });
        assert_eq!(guest.send(Method::POST, "/kbs/v0/auth", Some(&request)).0, 401);
    }
}

#[test]
fn a_report_that_the_sev_crate_writes_is_read_back_byte_for_byte() {
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        let world = World::new(product).unwrap();
        let verifier = Restartable::new(&world, "kbs-bytes");
        let report = Guest::new(&world, &verifier).report([7; 64]);
        let parsed = sev::firmware::guest::AttestationReport::from_bytes(&report).unwrap();
        let evidence = json!({ "attestation_report": parsed, "cert_chain": [{ "cert_type": "VCEK", "data": [1, 2] }] });
        let evidence: SnpEvidence = serde_json::from_value(evidence).unwrap();
        assert_eq!(evidence.attestation_report.to_bytes().unwrap(), report, "{product:?}");
    }
}
