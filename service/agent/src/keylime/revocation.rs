// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Revocation messages: a verifier posts one to its other agents when an agent fails or is not to be reached any more.
//!
//! A message that the revocation key signed is written down. Programs are run for it only where the command line names them:
//! unlike Keylime's agent, nothing out of a payload is.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::padding::pss::Salt;
use evtpm_crypto::rsa::rsa_pss_verify;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_keylime::agent::Revocation;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use serde_json::value::RawValue;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::start::start;

/// `rsaEncryption`.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Letters of a context that are written down.
const SHOWN: usize = 200;

/// What becomes of revocation messages.
#[derive(Debug, Default)]
pub struct Revocations {
    /// Whose messages count; without it none does.
    key: Option<RevocationKey>,
    /// What is run with the path of a file that holds the message.
    programs: Vec<PathBuf>,
}

/// The key that signs messages.
#[derive(Debug)]
struct RevocationKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// The message's text, as far as it is written down.
#[derive(Debug, Deserialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: String,
    agent_id: String,
    event_id: Option<String>,
    /// A sentence, or a map.
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

impl Revocations {
    /// Takes the file of a certificate or of a public key (PEM), and the programs to run.
    ///
    /// # Errors
    /// Names the file that holds no RSA key.
    pub fn new(certificate: Option<&Path>, programs: Vec<PathBuf>) -> Result<Self> {
        let key = certificate.map(|path| {
            let pem = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            RevocationKey::read(&pem).with_context(|| path.display().to_string())
        });
        Ok(Revocations { key: key.transpose()?, programs })
    }

    /// Checks a message, writes it down, and runs what is to be run.
    ///
    /// # Errors
    /// When the message is not signed by the key or is not what the API says, or a program cannot be started.
    pub(super) fn take(&self, revocation: &Revocation) -> Result<()> {
        let Some(key) = &self.key else {
            // As in Keylime, the verifier hears that it arrived.
            tracing::warn!("a revocation that cannot be checked, without --revocation-certificate");
            return Ok(());
        };
        key.check(revocation)?;
        let said: Said<'_> = serde_json::from_str(&revocation.msg).context("`msg` is not what the API says")?;
        let Said { kind, agent_id, event_id, context } = &said;
        let (event, context) = (event_id.as_deref().unwrap_or_default(), context.map_or("", RawValue::get));
        tracing::warn!(kind, agent = agent_id, event, context = short(context), "a verifier revokes an agent");
        for program in &self.programs {
            run(program, &revocation.msg)?;
        }
        Ok(())
    }
}

fn short(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

impl RevocationKey {
    fn read(pem: &[u8]) -> Result<Self> {
        let key = match CertificateDer::from_pem_slice(pem) {
            Ok(certificate) => {
                let certificate = x509_cert::Certificate::from_der(&certificate).context("it is no certificate")?;
                certificate.tbs_certificate().subject_public_key_info().to_der()?
            }
            Err(_) => {
                SubjectPublicKeyInfoDer::from_pem_slice(pem).context("it is no certificate or public key")?.to_vec()
            }
        };
        let info = SubjectPublicKeyInfoRef::from_der(&key).context("it is no public key")?;
        let bits = info.subject_public_key.as_bytes().filter(|_| info.algorithm.oid == RSA_ENCRYPTION);
        let numbers = SliceReader::new(bits.context("it is no RSA key")?)
            .and_then(|mut reader| reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))));
        let (modulus, exponent) =
            numbers.map_err(|error: x509_cert::der::Error| anyhow::anyhow!("RSA key: {error}"))?;
        Ok(RevocationKey { modulus: modulus.as_bytes().to_vec(), exponent: exponent.as_bytes().to_vec() })
    }

    /// RSASSA-PSS with SHA-256 and the longest salt, as Keylime's verifier signs.
    fn check(&self, revocation: &Revocation) -> Result<()> {
        let Ok(signature) = STANDARD.decode(&revocation.signature) else { bail!("the signature is not base64") };
        let digest = RustCrypto::hash(HashAlg::Sha256, &[revocation.msg.as_bytes()]);
        let digest = digest.as_bytes();
        rsa_pss_verify(&self.modulus, &self.exponent, HashAlg::Sha256, digest, Salt::Any, &signature)
            .map_err(|_| anyhow::anyhow!("the message is not signed by the revocation key"))
    }
}

/// Runs a program with the path of a file that holds the message, which is removed when the program ends.
fn run(program: &Path, message: &str) -> Result<()> {
    let mut name = [0; 16];
    getrandom::fill(&mut name).context("the system gives no randomness")?;
    let path = std::env::temp_dir().join(format!("evtpm-revocation-{:032x}", u128::from_be_bytes(name)));
    let writing = || format!("writing {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(writing)?;
    let written = file.write_all(message.as_bytes()).with_context(writing);
    let place = path.clone();
    let started = written.and_then(|()| start(program, &path, move || remove(&place)));
    started.inspect_err(|_| remove(&path))
}

/// A file that stays behind harms nobody.
fn remove(path: &Path) {
    drop(std::fs::remove_file(path));
}

#[cfg(test)]
pub(super) mod tests {
    use evtpm_crypto::padding::pss;
    use evtpm_crypto::{RsaKey, RustHasher};

    use super::*;
    use crate::random::SystemRng;

    /// A key that signs messages, and its public part in PEM.
    pub(in super::super) struct Notifier {
        modulus: [u8; 256],
        prime: [u8; 128],
    }

    impl Notifier {
        pub(in super::super) fn new() -> Self {
            let (mut modulus, mut prime) = ([0; 256], [0; 128]);
            RustCrypto::rsa_generate(65_537, &mut SystemRng, &mut modulus, &mut prime).unwrap();
            Notifier { modulus, prime }
        }

        pub(in super::super) fn revocations(&self, programs: Vec<PathBuf>) -> Revocations {
            let key = RevocationKey { modulus: self.modulus.to_vec(), exponent: vec![1, 0, 1] };
            Revocations { key: Some(key), programs }
        }

        pub(in super::super) fn sign(&self, msg: &str) -> Revocation {
            let digest = RustCrypto::hash(HashAlg::Sha256, &[msg.as_bytes()]);
            let salt = pss::longest_salt(HashAlg::Sha256, 2048).unwrap();
            let mut block = [0; 256];
            let digest = digest.as_bytes();
            pss::encode::<RustHasher>(HashAlg::Sha256, digest, salt, 2048, &mut SystemRng, &mut block).unwrap();
            let key = RsaKey { modulus: &self.modulus, exponent: 65_537, prime: &self.prime };
            let mut memory = <RustCrypto as Crypto>::RsaMemory::default();
            RustCrypto::rsa_private(key, &mut block, &mut SystemRng, &mut memory).unwrap();
            Revocation { msg: msg.to_owned(), signature: STANDARD.encode(block) }
        }
    }

    pub(in super::super) const MESSAGE: &str =
        r#"{"type":"revocation","ip":"10.0.0.7","agent_id":"a","event_id":"ima.x","context":{"message":"no"}}"#;

    #[test]
    fn a_message_of_the_revocation_key_is_taken_and_every_other_refused() {
        let notifier = Notifier::new();
        let revocations = notifier.revocations(Vec::new());
        let signed = notifier.sign(MESSAGE);
        revocations.take(&signed).unwrap();

        let changed = Revocation { msg: MESSAGE.replace("10.0.0.7", "10.0.0.8"), ..signed.clone() };
        let unsigned = Revocation { signature: String::new(), ..signed.clone() };
        let stranger = Notifier::new().sign(MESSAGE);
        for other in [changed, unsigned, stranger] {
            let error = revocations.take(&other).unwrap_err();
            assert_eq!(error.to_string(), "the message is not signed by the revocation key");
        }
        assert!(revocations.take(&notifier.sign("[]")).unwrap_err().to_string().contains("`msg`"));
        // Nobody can say whose message it is: it is not believed, and arrives all the same.
        Revocations::default().take(&signed).unwrap();
    }

    #[test]
    fn a_program_gets_the_message_and_the_file_is_removed_after_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("evtpm-revocation-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (program, copy, place) = (folder.join("program"), folder.join("copy"), folder.join("place"));
        let script = format!(
            "#!/bin/sh\ncp \"$1\" {0}/new\necho \"$1\" > {1}\nmv {0}/new {2}\n",
            folder.display(),
            place.display(),
            copy.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let notifier = Notifier::new();
        notifier.revocations(vec![program]).take(&notifier.sign(MESSAGE)).unwrap();
        let began = std::time::Instant::now();
        let wait = |what: &str, is_done: &dyn Fn() -> bool| {
            while !is_done() {
                assert!(began.elapsed().as_secs() < 60, "{what}");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        };
        wait("the program does not end", &|| copy.exists());
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), MESSAGE);
        let message = PathBuf::from(std::fs::read_to_string(&place).unwrap().trim());
        wait("the message stays", &|| !message.exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_program_that_cannot_be_started_is_named_with_the_reason() {
        let notifier = Notifier::new();
        let revocations = notifier.revocations(vec!["/nowhere/program".into()]);
        let error = format!("{:#}", revocations.take(&notifier.sign(MESSAGE)).unwrap_err());
        assert!(error.contains("/nowhere/program") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn the_key_is_read_from_a_certificate_and_from_a_public_key() {
        let notifier = Notifier::new();
        let tagged = |tag: u8, content: &[u8]| {
            [&[tag, 0x82], u16::try_from(content.len()).unwrap().to_be_bytes().as_slice(), content].concat()
        };
        let numbers = [tagged(2, &[&[0], notifier.modulus.as_slice()].concat()), vec![2, 3, 1, 0, 1]].concat();
        let algorithm = [&[0x30, 13, 6, 9], RSA_ENCRYPTION.as_bytes(), &[5, 0]].concat();
        let bits = tagged(3, &[&[0], tagged(0x30, &numbers).as_slice()].concat());
        let der = tagged(0x30, &[algorithm, bits].concat());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let read = RevocationKey::read(pem.as_bytes()).unwrap();
        assert_eq!((read.modulus.as_slice(), read.exponent.as_slice()), (notifier.modulus.as_slice(), &[1, 0, 1][..]));

        let ecc = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let error = RevocationKey::read(ecc.cert.pem().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "it is no RSA key");
        assert!(RevocationKey::read(b"nothing").is_err());
    }

    #[test]
    fn of_a_long_context_the_beginning_is_written_down() {
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"ä".repeat(SHOWN + 1)), "ä".repeat(SHOWN));
    }
}
