// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Certificates in files of PEM, and clients that believe the servers of a CA.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

/// Reads the certificates of a file.
///
/// # Errors
/// Names the file that is none, or holds something else.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(|| format!("reading {}", path.display()))
}

/// Reads the certificates of a CA: one at least.
///
/// # Errors
/// Names the file that holds none.
pub fn roots(ca: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).with_context(|| format!("{} is not a CA certificate", ca.display()))?;
    }
    ensure!(!roots.is_empty(), "{} holds no certificate", ca.display());
    Ok(roots)
}

/// Begins the configuration of a client that believes the servers of a CA; whether it shows a certificate remains to be said.
///
/// # Errors
/// Names the file that holds no certificate.
pub fn trusting(
    ca: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    Ok(config.with_root_certificates(roots(ca)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_no_ca() {
        let path = std::env::temp_dir().join(format!("evtpm-io-trust-{}", std::process::id()));
        std::fs::write(&path, "nothing\n").unwrap();
        let error = roots(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{} holds no certificate", path.display()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(roots(&path).unwrap_err().to_string(), format!("reading {}", path.display()));
    }
}
