// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `evtpm-verifier`, and `evtpm verifier`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use evtpm_appraise::Policy;
use evtpm_log::LogArgs;
use evtpm_result::{Algorithm, Format};

use crate::backend::VerifyWith;
use crate::keylime::BootPolicy;
use crate::results::ResultForm;
use crate::server::{Config, KeylimePorts, Server, WebhookTarget};
use crate::tls::TlsFiles;

/// Register machines, challenge them, judge their evidence, over HTTPS.
///
/// A first start makes a CA, a server certificate, an administrator's token and a key that signs results in the directory,
/// and says where they are.
#[derive(Debug, Args)]
pub struct VerifierArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Where the database and the keys lie; made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "evtpm-verifier")]
    pub directory: PathBuf,
    /// What machines have to be that have no policy of their own: a policy document, TOML or (by the ending .json) JSON.
    /// It replaces the policy `default`; without it, that policy stays as it is.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Certificates and revocation lists of the processors (.pem, .der, .crl), as AMD's key distribution service gives them.
    #[arg(long, value_name = "DIR")]
    pub collateral: Option<PathBuf>,
    /// Certificates of TPM vendors (PEM, DER) that vouch for endorsement keys: roots, and what stands between. Machines of policies
    /// with the binding `ek-certificate` register by them.
    #[arg(long, value_name = "DIR")]
    pub ek_authorities: Option<PathBuf>,
    /// Trust a SIMULATED root by the name of its subject ("SIMULATED ARK-Milan"): the policy has to name it too, and every result says so. For tests and demonstrations.
    #[arg(long, value_name = "NAME=FILE")]
    pub trust_simulated: Vec<String>,
    /// Serve Keylime's agents and tenants (API 2.1 to 2.6, and 3.0) on this address, on ports 8890 (registrar), 8891 (registrar for
    /// tenants) and 8881 (verifier).
    #[arg(long, value_name = "ADDRESS")]
    pub keylime: Option<IpAddr>,
    /// Other ports for Keylime: registrar, registrar for tenants, verifier.
    #[arg(long, value_name = "PORT,PORT,PORT", requires = "keylime", value_delimiter = ',', num_args = 1)]
    pub keylime_ports: Vec<u16>,
    /// The certificate that is shown to Keylime's agents; the administrator's of the first start without one.
    #[arg(long, value_name = "FILE", requires_all = ["keylime", "keylime_agent_key"])]
    pub keylime_agent_certificate: Option<PathBuf>,
    /// The private key of --keylime-agent-certificate.
    #[arg(long, value_name = "FILE", requires = "keylime_agent_certificate")]
    pub keylime_agent_key: Option<PathBuf>,
    /// How Keylime's measured boot reference states are judged, where an order has one that is not `{}`.
    #[arg(long, value_name = "POLICY", requires = "keylime", default_value = "accept-all")]
    pub keylime_measured_boot: BootPolicy,
    /// Certificates of devices' makers (PEM, DER) that vouch for IAK and IDevID of Keylime's agents: roots, and what stands between.
    #[arg(long, value_name = "DIR", requires = "keylime")]
    pub keylime_device_authorities: Option<PathBuf>,
    /// Refuse Keylime's agents that register without IAK and IDevID.
    #[arg(long, requires = "keylime_device_authorities")]
    pub keylime_require_device_keys: bool,
    /// When a Keylime agent fails, post Keylime's revocation message to the other agents that are asked.
    #[arg(long, requires = "keylime")]
    pub keylime_notify_agents: bool,
    /// When a Keylime agent fails, post Keylime's revocation message to this address; --webhook-ca is for it too.
    #[arg(long, value_name = "URL", requires = "keylime")]
    pub keylime_webhook: Option<String>,
    /// A PostgreSQL database instead of a file: any number of verifiers share its machines. `host=… user=… dbname=…` or
    /// `postgresql://…`; the environment's EVTPM_DATABASE without it.
    #[arg(long, value_name = "ADDRESS")]
    pub database: Option<String>,
    /// Post events to this address, signed (HMAC-SHA256) with the key in the directory's file webhook.key.
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// The CA of the webhook's certificate, for https://.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub webhook_ca: Option<PathBuf>,
    /// The algorithm that signs results: ES256, ES384 or EdDSA, each with a key of its own in the directory.
    #[arg(long, value_name = "NAME", default_value = "ES256")]
    pub result_algorithm: Algorithm,
    /// The form of results: jwt, or cwt, which stands in base64url where verdicts are JSON.
    #[arg(long, value_name = "FORM", default_value = "jwt", value_parser = result_format)]
    pub result_format: Format,
    /// Seconds without a verdict after which a trusted machine is stale.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub stale_after: u64,
    /// KiB of each log (boot log, IMA list) that are kept of a machine's present boot for the page, and for policies to be tried
    /// on; 0 keeps none.
    #[arg(long, value_name = "KIB", default_value_t = 4096)]
    pub keep_logs: u64,
    /// A name or address that the certificate of a first start is for.
    #[arg(long = "name", value_name = "NAME", default_values_t = [String::from("localhost"), String::from("127.0.0.1")])]
    pub names: Vec<String>,
    /// The server's certificate with its chain, instead of one made here.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of --tls-certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The CA whose client certificates let administrators in, with the roles that the organisational units of their subjects
    /// name (OU=read, OU=operate, OU=policy, OU=keys). Without one, that of the first start, whose one certificate has all.
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Whose arithmetic checks the signatures of quotes.
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t = VerifyWith::Fastest)]
    pub verify_with: VerifyWith,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Runs the verifier until it is ended.
///
/// # Errors
/// Names what cannot be opened or used.
pub fn run(args: &VerifierArgs) -> Result<()> {
    args.log.start();
    let config = args.config()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let server = Server::bind(config).await?;
        announce(&server)?;
        server.run().await
    })
}

impl VerifierArgs {
    fn config(&self) -> Result<Config> {
        let tls = self.tls_certificate.clone().zip(self.tls_key.clone());
        Ok(Config {
            listen: self.listen,
            directory: self.directory.clone(),
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            names: self.names.clone(),
            client_ca: self.client_ca.clone(),
            database: self.database.clone().or_else(|| std::env::var("EVTPM_DATABASE").ok()),
            webhook: self.webhook.clone().map(|url| WebhookTarget { url, ca: self.webhook_ca.clone() }),
            keylime: self.keylime.map(|address| self.keylime_ports(address)).transpose()?,
            stale_after: Some(self.stale_after),
            kept_logs: Some(self.keep_logs.saturating_mul(1024)),
            policy: self.policy.as_deref().map(policy).transpose()?,
            results: ResultForm { algorithm: self.result_algorithm, format: self.result_format },
            simulated_roots: self.trust_simulated.iter().map(|text| simulated_root(text)).collect::<Result<_>>()?,
            collateral: self.collateral.as_deref().map(files).transpose()?.unwrap_or_default(),
            ek_authorities: self.ek_authorities.as_deref().map(files).transpose()?.unwrap_or_default(),
            verify_with: self.verify_with,
        })
    }
}

impl VerifierArgs {
    fn keylime_ports(&self, address: IpAddr) -> Result<KeylimePorts> {
        let [registrar, registrar_tls, verifier] = match self.keylime_ports.as_slice() {
            [] => [8890, 8891, 8881],
            [registrar, registrar_tls, verifier] => [*registrar, *registrar_tls, *verifier],
            others => anyhow::bail!("--keylime-ports: {} ports, expected 3", others.len()),
        };
        let shown = self.keylime_agent_certificate.clone().zip(self.keylime_agent_key.clone());
        Ok(KeylimePorts {
            registrar: (address, registrar).into(),
            registrar_tls: (address, registrar_tls).into(),
            verifier: (address, verifier).into(),
            agent_certificate: shown.map(|(certificate, key)| TlsFiles { certificate, key }),
            measured_boot: self.keylime_measured_boot,
            device_authorities: self.keylime_device_authorities.as_deref().map(files).transpose()?.unwrap_or_default(),
            require_device_keys: self.keylime_require_device_keys,
            notify_agents: self.keylime_notify_agents,
            webhook: self.keylime_webhook.clone().map(|url| WebhookTarget { url, ca: self.webhook_ca.clone() }),
        })
    }
}

fn result_format(text: &str) -> Result<Format, &'static str> {
    match text {
        "jwt" => Ok(Format::Jwt),
        "cwt" => Ok(Format::Cwt),
        _ => Err("not one of jwt, cwt"),
    }
}

fn announce(server: &Server) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let address = server.address()?;
    if server.first_start {
        writeln!(
            out,
            "first start: made a CA, a certificate, an administrator's certificate and token, a key for results"
        )?;
    }
    if let Some(ca) = &server.ca {
        writeln!(out, "agents need:         --verifier https://{address} --ca {}", ca.display())?;
        let token = server.admin_token.display();
        writeln!(out, "administrators need: --verifier https://{address} --ca {} --token-file {token}", ca.display())?;
    }
    if let Some(administrator) = &server.administrator {
        writeln!(out, "or, with mutual TLS: {}", administrator.certificate.display())?;
    }
    writeln!(out, "administrator token: {}", server.admin_token.display())?;
    if let Some([registrar, registrar_tls, verifier]) = server.keylime_addresses()? {
        writeln!(
            out,
            "Keylime:             registrar {registrar} (agents), {registrar_tls} (tenants); verifier {verifier}"
        )?;
    }
    writeln!(out, "listening on {}", server.address()?)?;
    Ok(())
}

fn policy(path: &Path) -> Result<Policy> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let policy = if is_json { Policy::from_json(&text) } else { Policy::from_toml(&text) };
    policy.with_context(|| path.display().to_string())
}

fn simulated_root(text: &str) -> Result<(String, Vec<u8>)> {
    let (name, path) = text.split_once('=').with_context(|| format!("--trust-simulated: `{text}` is not NAME=FILE"))?;
    Ok((name.to_owned(), std::fs::read(path).with_context(|| format!("reading {path}"))?))
}

/// Reads a directory.
fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let reading = || format!("reading {}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        if entry.file_type().with_context(reading)?.is_file() {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            files.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
    }
    // The order of a directory is not defined; results must not depend on it.
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_root_needs_a_name() {
        let error = simulated_root("ark.pem").unwrap_err();
        assert!(error.to_string().contains("NAME=FILE"), "{error}");
    }

    #[test]
    fn a_bad_policy_is_named_by_its_file() {
        let path = std::env::temp_dir().join(format!("evtpm-policy-{}.toml", std::process::id()));
        std::fs::write(&path, "version = 1\n").unwrap();
        let error = format!("{:#}", policy(&path).unwrap_err());
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("evtpm-policy"), "{error}");
    }
}
