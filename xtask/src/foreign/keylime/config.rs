// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's configuration: as much of it as its programs insist on, and short intervals.

use std::path::Path;

/// The ports of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) verifier: u16,
    pub(super) registrar: u16,
    pub(super) registrar_tls: u16,
    pub(super) agent: u16,
}

/// The parts of Keylime that have a file each.
pub(super) const COMPONENTS: [&str; 5] = ["verifier", "registrar", "tenant", "ca", "logging"];

/// The tenant's check of endorsement keys, in the same folder.
pub(super) const SCRIPT: &str = "ek-check.sh";

/// Writes the files into `folder`; the tenant's certificate is Keylime's own, or that of the administrator in `ours`.
pub(super) fn write(
    folder: &Path,
    ports: Ports,
    (with_script, mode): (bool, &str),
    ours: Option<&Path>,
) -> std::io::Result<()> {
    let Ports { verifier, registrar, registrar_tls, .. } = ports;
    let script = if with_script { folder.join(SCRIPT).display().to_string() } else { String::new() };
    let tls = ours.map_or_else(|| TENANT_TLS.to_owned(), |directory| administrator(&directory.display().to_string()));
    let texts = [
        format!(
            "{VERIFIER}mode = {mode}\nport = {verifier}\nregistrar_port = {registrar_tls}\n\n\
             [revocations]\nenabled_revocation_notifications = []\n"
        ),
        format!("{REGISTRAR}port = {registrar}\ntls_port = {registrar_tls}\n"),
        format!(
            "{TENANT}{tls}ek_check_script = {script}\nverifier_port = {verifier}\nregistrar_port = {registrar_tls}\n"
        ),
        CA.to_owned(),
        LOGGING.to_owned(),
    ];
    for (component, text) in COMPONENTS.iter().zip(texts) {
        std::fs::write(folder.join(format!("{component}.conf")), text)?;
    }
    Ok(())
}

/// What a first start of our verifier has made for its administrator.
fn administrator(directory: &str) -> String {
    format!(
        "tls_dir = {directory}\nclient_key = {directory}/admin.key\nclient_cert = {directory}/admin.pem\n\
         trusted_server_ca = [\"{directory}/ca.pem\"]\n"
    )
}

const TENANT_TLS: &str = "\
tls_dir = default
client_key = default
client_cert = default
trusted_server_ca = default
";

const VERIFIER: &str = "\
[verifier]
version = 2.5
uuid = default
ip = 127.0.0.1
registrar_ip = 127.0.0.1
enable_agent_mtls = True
tls_dir = generate
server_key = default
server_key_password =
server_cert = default
trusted_client_ca = default
client_key = default
client_key_password =
client_cert = default
trusted_server_ca = default
database_url = sqlite
database_pool_sz_ovfl = 5,10
auto_migrate_db = True
num_workers = 1
exponential_backoff = False
retry_interval = 1
max_retries = 30
quote_interval = 1
max_upload_size = 104857600
measured_boot_imports = []
severity_labels = [\"info\", \"notice\", \"warning\", \"error\", \"critical\", \"alert\", \"emergency\"]
severity_policy = [{\"event_id\": \".*\", \"severity_label\": \"emergency\"}]
";

const REGISTRAR: &str = "\
[registrar]
version = 2.5
ip = 127.0.0.1
tls_ip = 127.0.0.1
tls_dir = default
server_key = default
server_key_password =
server_cert = default
trusted_client_ca = default
database_url = sqlite
database_pool_sz_ovfl = 5,10
auto_migrate_db = True
malformed_cert_action = reject
";

const TENANT: &str = "\
[tenant]
version = 2.5
verifier_ip = 127.0.0.1
registrar_ip = 127.0.0.1
enable_agent_mtls = True
client_key_password =
tpm_cert_store = /nowhere
max_payload_size = 1048576
accept_tpm_hash_algs = [\"sha256\"]
accept_tpm_encryption_algs = [\"ecc\", \"rsa\"]
accept_tpm_signing_algs = [\"rsassa\", \"ecdsa\"]
exponential_backoff = False
retry_interval = 1
max_retries = 5
request_timeout = 60
require_ek_cert = False
mb_refstate =
";

const CA: &str = "\
[ca]
version = 2.5
password = default
cert_country = XX
cert_ca_name = test
cert_state = XX
cert_locality = test
cert_organization = test
cert_org_unit = test
cert_ca_lifetime = 30
cert_lifetime = 30
cert_bits = 2048
cert_crl_dist = http://localhost/crl
";

const LOGGING: &str = "\
[logging]
version = 2.5
[loggers]
keys = root,keylime
[handlers]
keys = console
[formatters]
keys = plain
[formatter_plain]
format = %(asctime)s %(name)s %(levelname)s %(message)s
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
level = INFO
formatter = plain
args = (sys.stdout,)
[logger_keylime]
level = INFO
qualname = keylime
handlers =
";
