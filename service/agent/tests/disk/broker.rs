// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A broker of one process: believes any machine whose attestation key opens a credential, and wraps by rule 16.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use evtpm_agent::verifier::{Connection, Verifier};
use evtpm_api::broker::{KEY_LABEL, KeyChallenge, KeyRequest, ReleasedKey};
use evtpm_api::{
    CredentialChallenge, CredentialProof, EXPORTER_LABEL, EXPORTER_SIZE, LaunchEvidence, Registered, RegistrationOpened,
};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::credential::{self, Credential};
use evtpm_protocol::intermediate::IntermediateKey;
use evtpm_testing_support::Noise;
use evtpm_tpm_wire::{Marshal, Supported, Tpm2b, Tpm2bName, TpmtPublic, Writer, from_bytes};
use evtpm_verify::UnixTime;
use evtpm_verify::tpm::{AkPublic, CertifyEvidence, Issued, Nonce, TrustedAk};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const NOW: UnixTime = UnixTime(1_800_000_000);
const LATER: UnixTime = UnixTime(1_800_000_060);

/// A running broker.
pub(super) struct Broker {
    address: SocketAddr,
    ca: PathBuf,
    state: Arc<Mutex<State>>,
}

struct State {
    key: IntermediateKey,
    credential: Option<(AkPublic, Credential)>,
    endorsement_key: Option<TpmtPublic>,
    believed: Option<TrustedAk>,
    nonce: Option<Issued<Nonce>>,
    last: Option<ReleasedKey>,
    replay: bool,
    rng: Noise,
}

impl Broker {
    pub(super) async fn start() -> Self {
        let (tls, ca_pem) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ca = std::env::temp_dir().join(format!("evtpm-broker-{}-{}.pem", std::process::id(), address.port()));
        std::fs::write(&ca, ca_pem).unwrap();
        let mut rng = Noise::Good(u64::from(address.port()));
        let key = IntermediateKey::generate::<RustCrypto>(&mut rng).unwrap();
        let state = State {
            key,
            credential: None,
            endorsement_key: None,
            believed: None,
            nonce: None,
            last: None,
            replay: false,
            rng,
        };
        let state = Arc::new(Mutex::new(state));
        tokio::spawn(serve(listener, tls, state.clone()));
        Broker { address, ca, state }
    }

    pub(super) async fn connect(&self) -> Connection {
        let url = format!("https://localhost:{}", self.address.port());
        Verifier::new(&url, &self.ca).unwrap().connect().await.unwrap()
    }

    /// From now on, the answer to a request is that to the one before.
    pub(super) fn replay_last_release(&self) {
        self.state.lock().unwrap().replay = true;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.ca));
    }
}

fn tls() -> (TlsAcceptor, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = parameters.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &Issuer::new(parameters, ca_key)).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca)
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            let stream = tls.accept(stream).await.unwrap();
            let session = stream.get_ref().1;
            let binding = session.export_keying_material([0; EXPORTER_SIZE], EXPORTER_LABEL, Some(&[])).unwrap();
            let service = service_fn(move |request| answer(request, state.clone(), binding));
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    binding: [u8; EXPORTER_SIZE],
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut state = state.lock().unwrap();
    let answer = match (head.method.as_str(), head.uri.path()) {
        ("POST", "/v1/registrations") => {
            json(&RegistrationOpened { registration: "r".into(), nonce: vec![0; 64].into(), expires_in: 60 })
        }
        ("PUT", "/v1/registrations/r/evidence") => json(&state.challenge(&read(&body))),
        ("PUT", "/v1/registrations/r/proof") => json(&state.believe(&read(&body))),
        ("POST", "/v1/attesters/a/keys/disk/challenges") => json(&state.key_challenge()),
        ("PUT", "/v1/attesters/a/keys/disk") => json(&state.release(&read(&body), &binding)),
        other => panic!("the agent asks for {other:?}"),
    };
    Ok(Response::new(Full::new(Bytes::from(answer))))
}

fn read<A: DeserializeOwned>(body: &[u8]) -> A {
    serde_json::from_slice(body).unwrap()
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap()
}

fn bytes(value: &impl Marshal) -> Vec<u8> {
    let mut buffer = vec![0; 2048];
    value.to_bytes(&mut buffer).unwrap().to_vec()
}

impl State {
    fn challenge(&mut self, evidence: &LaunchEvidence) -> CredentialChallenge {
        let ak = AkPublic::from_tpm2b(&evidence.ak_public).unwrap();
        let ek: Tpm2b<TpmtPublic> = from_bytes(&evidence.ek_public, &Supported::ALL).unwrap();
        let secret = Credential::new(&[0x5E; 32]).unwrap();
        let name = Tpm2bName::new(ak.name()).unwrap();
        let (blob, encrypted) = credential::make::<RustCrypto>(&ek.0, &secret, &name, &mut self.rng).unwrap();
        self.credential = Some((ak, secret));
        self.endorsement_key = Some(ek.0);
        CredentialChallenge { credential: bytes(&blob).into(), secret: bytes(&encrypted).into() }
    }

    fn believe(&mut self, proof: &CredentialProof) -> Registered {
        let (ak, secret) = self.credential.take().unwrap();
        assert_eq!(secret.as_bytes(), &*proof.secret);
        self.believed = Some(TrustedAk::named(ak));
        Registered { attester: "a".into(), machine: "vm-7".into(), boot: 1 }
    }

    fn key_challenge(&mut self) -> KeyChallenge {
        let nonce = Issued::<Nonce>::issue(&mut self.rng, LATER).unwrap();
        let challenge = nonce.challenge().to_vec();
        self.nonce = Some(nonce);
        KeyChallenge { challenge: "c".into(), nonce: challenge.into(), expires_in: 60 }
    }

    /// Rule 16, and the duplicate.
    fn release(&mut self, request: &KeyRequest, binding: &[u8]) -> ReleasedKey {
        assert_eq!(request.challenge, "c");
        let nonce = self.nonce.take().unwrap().on_channel(KEY_LABEL, binding);
        let (message, signature) = (&request.message, &request.signature);
        let believed = self.believed.as_ref().unwrap();
        let parent = match &request.storage_public {
            Some(public) => {
                let evidence = CertifyEvidence { message, signature, public };
                believed.certify(evidence, nonce, NOW).unwrap().public().clone()
            }
            None => {
                believed.possession(message, signature, nonce, NOW).unwrap();
                self.endorsement_key.clone().unwrap()
            }
        };
        if let Some(last) = self.last.clone().filter(|_| self.replay) {
            return last;
        }
        let duplicate = self.key.duplicate_for::<RustCrypto>(&parent, &mut self.rng).unwrap();
        let mut buffer = [0; 256];
        let mut public = Writer::new(&mut buffer);
        public.sized(self.key.public()).unwrap();
        let released = ReleasedKey {
            public: public.into_written().into(),
            duplicate: duplicate.duplicate.as_bytes().into(),
            secret: duplicate.secret.as_bytes().into(),
            lease: "l".into(),
        };
        self.last = Some(released.clone());
        released
    }
}
