// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What else Debian has for a TPM, against our server: clevis, OpenSSL's provider, IBM's TSS. docs/foreign/clients.md has the
//! results.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::PathBuf;
use std::process::Command;

use evtpm_engine::Profile;
use evtpm_testing_foreign::host::scratch;
use evtpm_testing_foreign::server::{mssim, swtpm};
use evtpm_tpmd::devices::engine::EngineDevice;

/// A shell with the variables that lead its programs to a server of ours, in a folder of its own.
struct Shell {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    fn new(variables: Vec<(&'static str, String)>) -> Self {
        Self { folder: scratch("clients"), variables }
    }

    /// Runs one line, which must succeed, and returns what it printed.
    fn run(&self, line: &str) -> String {
        let (succeeded, text) = self.attempt(line);
        assert!(succeeded, "{line}\n{text}");
        text
    }

    /// Runs one line, which must fail.
    fn refuse(&self, line: &str) {
        let (succeeded, text) = self.attempt(line);
        assert!(!succeeded, "{line} succeeded\n{text}");
    }

    fn attempt(&self, line: &str) -> (bool, String) {
        let variables = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(&self.folder).envs(variables).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Whatever stays behind is in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Says whether something is installed, by a line that succeeds then; a test that needs it is skipped otherwise.
fn is_there(line: &str) -> bool {
    let found = Command::new("sh").args(["-c", line]).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: `{line}` fails");
    }
    found
}

fn device() -> Box<EngineDevice> {
    Box::new(EngineDevice::new(Profile::pc_client()).unwrap())
}

/// A shell with a started TPM behind swtpm's protocol.
fn over_swtpm() -> Shell {
    let tcti = swtpm(device());
    let shell = Shell::new(vec![("TPM2TOOLS_TCTI", tcti.clone()), ("TPM2OPENSSL_TCTI", tcti)]);
    shell.run("tpm2 startup -c");
    shell
}

#[test]
fn clevis_opens_what_it_sealed_until_a_pcr_changes() {
    if !is_there("clevis encrypt tpm2 --summary && tpm2 --version") {
        return;
    }
    let shell = over_swtpm();
    // Without a resource manager, every program leaves its objects and sessions.
    let clean = "tpm2 flushcontext -t; tpm2 flushcontext -l";
    shell.run("printf secret > plain");
    for policy in ["{}", r#"{"key":"rsa"}"#, r#"{"hash":"sha1"}"#, r#"{"pcr_bank":"sha256","pcr_ids":"7,16"}"#] {
        shell.run(&format!("clevis encrypt tpm2 '{policy}' < plain > jwe"));
        shell.run(clean);
        assert_eq!(shell.run("clevis decrypt < jwe"), "secret", "{policy}");
        shell.run(clean);
    }
    shell.run(&format!("tpm2 pcrextend 16:sha256={}", "11".repeat(32)));
    shell.refuse("clevis decrypt < jwe");
}

#[test]
fn openssl_signs_decrypts_and_agrees_with_keys_of_the_tpm() {
    if !is_there("ls /usr/lib/*/ossl-modules/tpm2.so && tpm2 --version") {
        return;
    }
    let shell = over_swtpm();
    let with_base = "-provider tpm2 -provider base";
    shell.run("printf secret > plain; openssl rand -provider tpm2 -hex 16");
    for (number, options) in
        ["-algorithm RSA -pkeyopt bits:2048", "-algorithm EC -pkeyopt group:P-256"].iter().enumerate()
    {
        shell.run("tpm2 flushcontext -t");
        shell.run(&format!("openssl genpkey -provider tpm2 {options} -out key{number}.pem"));
        shell.run(&format!("openssl pkey {with_base} -in key{number}.pem -pubout -out key{number}.pub"));
        shell.run(&format!(
            "openssl pkeyutl {with_base} -sign -inkey key{number}.pem -rawin -in plain -digest sha256 -out sig"
        ));
        shell.run(&format!(
            "openssl pkeyutl -verify -pubin -inkey key{number}.pub -rawin -in plain -digest sha256 -sigfile sig"
        ));
    }
    shell.run("openssl pkeyutl -encrypt -pubin -inkey key0.pub -in plain -out secret");
    let decrypted = shell.run(&format!("openssl pkeyutl {with_base} -decrypt -inkey key0.pem -in secret"));
    assert_eq!(decrypted, "secret");
    let with_default = "-provider tpm2 -provider default -propquery '?provider=tpm2'";
    shell.run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out peer.pem; openssl pkey -in peer.pem -pubout -out peer.pub");
    shell.run(&format!("openssl pkeyutl {with_default} -derive -inkey key1.pem -peerkey peer.pub -out shared"));
    shell.run("openssl pkeyutl -derive -inkey peer.pem -peerkey key1.pub -out other; cmp shared other");
    shell.run(&format!("openssl req {with_default} -x509 -key key1.pem -subj /CN=tpm -out certificate.pem -days 3"));
    shell.run("openssl verify -CAfile certificate.pem certificate.pem");
}

#[test]
fn ibms_programs_sign_quote_and_write_over_mssim() {
    if !is_there("command -v tsspowerup tssquote tssnvwrite") {
        return;
    }
    let tcti = mssim(device());
    let port: u16 = tcti.rsplit('=').next().unwrap().parse().unwrap_or_else(|_| panic!("{tcti}"));
    let shell = Shell::new(vec![
        ("TPM_INTERFACE_TYPE", "socsim".into()),
        ("TPM_SERVER_NAME", "127.0.0.1".into()),
        ("TPM_SERVER_TYPE", "mssim".into()),
        ("TPM_COMMAND_PORT", port.to_string()),
        ("TPM_PLATFORM_PORT", (port + 1).to_string()),
        ("TPM_DATA_DIR", ".".into()),
    ]);
    for line in [
        "tsspowerup",
        "tssstartup -c",
        "tssgetcapability -cap 0",
        "tssgetcapability -cap 2",
        "tsspcrextend -ha 16 -ic abc",
        "tsscreateprimary -hi o -pwdk sto",
        "tsscreate -hp 80000000 -si -opr s.priv -opu s.pub -pwdp sto -pwdk sig",
        "tssload -hp 80000000 -ipr s.priv -ipu s.pub -pwdp sto",
        "echo hello > message",
        "tsssign -hk 80000001 -halg sha256 -if message -os signature -pwdk sig",
        "tssverifysignature -hk 80000001 -halg sha256 -if message -is signature",
        "tssquote -hp 16 -hk 80000001 -os q.sig -oa q.att -pwdk sig",
        "tssnvdefinespace -hi o -ha 01000000 -sz 16 -pwdn nnn",
        "tssnvwrite -ha 01000000 -pwdn nnn -ic hi",
        "tssnvread -ha 01000000 -pwdn nnn -sz 2",
        "tssnvundefinespace -hi o -ha 01000000",
        "tssflushcontext -ha 80000001",
        "tssshutdown",
    ] {
        shell.run(line);
    }
    shell.refuse("tssnvread -ha 01000000 -pwdn nnn -sz 2");
    // A second power-up is a reset: the key is gone.
    shell.run("tsspowerup && tssstartup -c");
    shell.refuse("tssreadpublic -ho 80000000");
}
