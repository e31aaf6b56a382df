// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server's certificate: given by the operator, or made at the first start together with a CA of its own. And the CAs that
//! the operator names for others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use evtpm_io::file::{write_new, write_private};
use evtpm_io::trust;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ServerConfig};

/// The name of the administrator that a first start makes.
pub(crate) const ADMINISTRATOR: &str = "admin";

/// Days that a certificate made here is valid.
const VALIDITY_DAYS: i64 = 825;

/// Where the server's certificate and key lie, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by its chain.
    pub certificate: PathBuf,
    /// The private key (PKCS#8, SEC1 or PKCS#1).
    pub key: PathBuf,
}

/// What was made at a first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The CA's certificate: agents are told to trust this file.
    pub ca: PathBuf,
    /// The server's own certificate and key.
    pub files: TlsFiles,
    /// A certificate and key for the administrator, with which clients are let in.
    pub administrator: TlsFiles,
    /// Whether they were made now (false: they were there already).
    pub new: bool,
}

/// Finds or makes a CA, a server certificate for `names` and an administrator's certificate in `directory`.
///
/// The CA's key is not kept: it signs these two certificates and is gone, so nobody can steal it.
///
/// # Errors
/// When the directory cannot be written, or holds only a part of the files.
pub fn create(directory: &Path, names: &[String]) -> Result<Created> {
    let ca = directory.join("ca.pem");
    let pair = |name: &str| TlsFiles {
        certificate: directory.join(format!("{name}.pem")),
        key: directory.join(format!("{name}.key")),
    };
    let (files, administrator) = (pair("server"), pair("admin"));
    let all = [&ca, &files.certificate, &files.key, &administrator.certificate, &administrator.key];
    let found = all.into_iter().filter(|path| path.exists()).count();
    if found == all.len() {
        return Ok(Created { ca, files, administrator, new: false });
    }
    anyhow::ensure!(
        found == 0,
        "{} holds some of ca.pem, server.pem, server.key, admin.pem, admin.key but not all of them: \
         remove them or restore the rest",
        directory.display()
    );

    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let ca_key = KeyPair::generate()?;
    let mut ca_parameters = validity(CertificateParams::default());
    ca_parameters.distinguished_name.push(DnType::CommonName, "evtpm verifier CA");
    ca_parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca_parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_certificate = ca_parameters.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca_parameters, ca_key);

    let mut server = CertificateParams::new(names.to_vec()).context("naming the server")?;
    server.distinguished_name.push(DnType::CommonName, "evtpm verifier");
    issue(&issuer, server, ExtendedKeyUsagePurpose::ServerAuth, &files)?;
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, ADMINISTRATOR);
    issue(&issuer, client, ExtendedKeyUsagePurpose::ClientAuth, &administrator)?;
    write_new(&ca, ca_certificate.pem().as_bytes())?;
    Ok(Created { ca, files, administrator, new: true })
}

/// Makes a key and a certificate for one purpose.
fn issue(
    issuer: &Issuer<'_, KeyPair>,
    parameters: CertificateParams,
    purpose: ExtendedKeyUsagePurpose,
    files: &TlsFiles,
) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut parameters = validity(parameters);
    parameters.extended_key_usages = vec![purpose];
    let certificate = parameters.signed_by(&key, issuer)?;
    write_new(&files.certificate, certificate.pem().as_bytes())?;
    write_private(&files.key, key.serialize_pem().as_bytes())
}

fn validity(mut parameters: CertificateParams) -> CertificateParams {
    let now = time::OffsetDateTime::now_utc();
    // A guest's clock may be somewhat behind.
    parameters.not_before = now - time::Duration::days(1);
    parameters.not_after = now + time::Duration::days(VALIDITY_DAYS);
    parameters
}

/// Who has to show a certificate of the CA for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Nobody has to; whoever shows one has to have a good one.
    Optional,
    /// Everybody.
    Required,
}

/// Loads the server's TLS configuration: TLS 1.3 only, since the channel binding is defined for its exporter.
///
/// # Errors
/// Names the file that cannot be read or used.
pub fn server_config(
    files: &TlsFiles,
    client_ca: Option<&Path>,
    clients: ClientCertificate,
) -> Result<Arc<ServerConfig>> {
    let chain = trust::certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| format!("reading {}", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match client_ca {
        Some(ca) => builder.with_client_cert_verifier(client_verifier(ca, clients, provider)?),
        None => builder.with_no_client_auth(),
    };
    let config = builder
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and {} do not fit", files.certificate.display(), files.key.display()))?;
    Ok(Arc::new(config))
}

fn client_verifier(
    ca: &Path,
    clients: ClientCertificate,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trust::roots(ca)?), provider);
    let verifier = match clients {
        ClientCertificate::Optional => verifier.allow_unauthenticated(),
        ClientCertificate::Required => verifier,
    };
    verifier.build().with_context(|| format!("reading {}", ca.display()))
}

/// Makes the configuration of a client that trusts the servers of a CA (a file of PEM).
pub(crate) fn trusting(ca: &Path) -> Result<ClientConfig> {
    Ok(trust::trusting(ca, rustls::DEFAULT_VERSIONS)?.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("evtpm-tls-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        directory
    }

    #[test]
    fn a_first_start_makes_a_working_certificate_and_a_second_keeps_it() {
        let directory = directory("first");
        let created = create(&directory, &["localhost".into(), "127.0.0.1".into()]).unwrap();
        assert!(created.new);
        server_config(&created.files, Some(&created.ca), ClientCertificate::Optional).unwrap();
        let before = std::fs::read(&created.files.certificate).unwrap();
        assert!(!create(&directory, &[]).unwrap().new);
        assert_eq!(std::fs::read(&created.files.certificate).unwrap(), before);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = directory("mode");
        let created = create(&directory, &["localhost".into()]).unwrap();
        for key in [&created.files.key, &created.administrator.key] {
            assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_half_of_the_files_is_an_error_and_nothing_is_overwritten() {
        let directory = directory("half");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("ca.pem"), "mine").unwrap();
        assert!(create(&directory, &["localhost".into()]).is_err());
        assert_eq!(std::fs::read(directory.join("ca.pem")).unwrap(), b"mine");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
