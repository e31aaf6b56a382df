// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs together: a verifier that is the key broker, TPMs that are new at each boot, an agent that keeps a disk and
//! secrets over them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "clippy.toml allows it in tests, and these are their helpers")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use evtpm_agent::device::Tpm;
use evtpm_agent::random::SystemRng;
use evtpm_client::Client;
use evtpm_tpm_wire::TpmSu;
use serde_json::Value;

const ROOT: &str = "SIMULATED ARK-Milan";

/// What is launched and measured with the TPM.
const FIRMWARE: &str = "/usr/share/ovmf/OVMF.fd";

/// A folder with everything of one test, and the processes that run in it.
struct World {
    folder: PathBuf,
    verifier: Child,
    url: String,
}

/// A TPM that was manufactured for one boot.
struct Boot(Child);

impl World {
    /// Starts a verifier whose policy is one launch, and nothing else.
    fn new(name: &str) -> Option<Self> {
        if !Path::new(FIRMWARE).exists() {
            println!("skipped: {FIRMWARE} is not there");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("evtpm-keys-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let said = |arguments: &[&str]| {
            let output = evtpm(&folder).args(arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        fs::write(folder.join("root.pem"), said(&["sp", "root"])).unwrap();
        said(&["sp", "certificates", "collateral"]);
        let measurement = String::from_utf8(said(&["measure", "--firmware", FIRMWARE])).unwrap();
        let policy = format!(
            "version = 1\nname = \"keys\"\n\n[snp]\nmeasurements = [\"{}\"]\nsimulated = [\"{ROOT}\"]\n\n[tpm]\n",
            measurement.trim()
        );
        fs::write(folder.join("policy.toml"), policy).unwrap();
        let mut verifier = evtpm(&folder)
            .args(["verifier", "--listen", "127.0.0.1:0", "--directory", "state", "--policy", "policy.toml"])
            .args(["--collateral", "collateral", "--trust-simulated", &format!("{ROOT}=root.pem")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(verifier.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned));
        Some(World { folder, verifier, url: format!("https://{}", address.unwrap()) })
    }

    /// Gives power to a new TPM, as firmware does.
    fn boot(&self) -> Boot {
        for socket in ["control", "tpm"] {
            drop(fs::remove_file(self.folder.join(socket)));
        }
        let serving = evtpm(&self.folder)
            .args(["tpm", "serve", "--svsm", "--firmware", FIRMWARE, "--power-on"])
            .args(["--swtpm", "unix:control,unix:tpm"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let boot = Boot(serving);
        let tpm = format!("unix:{}", self.folder.join("tpm").display());
        let start = Instant::now();
        let tpm = loop {
            match Tpm::open(&tpm) {
                Ok(tpm) => break tpm,
                Err(error) if start.elapsed() > Duration::from_secs(30) => panic!("{error:#}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Client::new(tpm, SystemRng).startup(TpmSu::Clear).unwrap();
        boot
    }

    /// Runs the agent of this boot, as `command` says.
    fn agent(&self, command: &[&str], input: &[u8]) -> Output {
        let mut agent = evtpm(&self.folder)
            .arg("agent")
            .args(command)
            .args(["--verifier", &self.url, "--ca", "state/ca.pem", "--machine", "vm", "--tpm", "unix:tpm"])
            .args(["--report", "nv", "--event-log", "none", "--ima-log", "none"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        agent.stdin.take().unwrap().write_all(input).unwrap();
        agent.wait_with_output().unwrap()
    }

    /// Asks the verifier as its administrator.
    fn operator(&self, command: &[&str]) -> Value {
        let output = evtpm(&self.folder)
            .args(command)
            .args(["--verifier", &self.url, "--directory", "state", "--json"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.verifier.kill());
        drop(self.verifier.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn evtpm(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evtpm"));
    command.current_dir(folder);
    command
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_volume_is_enrolled_at_one_boot_and_unlocked_at_the_next_until_its_lease_is_revoked() {
    let Some(world) = World::new("volume") else { return };
    fs::write(world.folder.join("passphrase"), "a passphrase").unwrap();
    fs::File::create(world.folder.join("image")).unwrap().set_len(32 << 20).unwrap();
    let formatted = Command::new("cryptsetup")
        .args(["luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2"])
        .args(["--pbkdf-force-iterations", "1000", "--key-file", "passphrase", "image"])
        .current_dir(&world.folder)
        .output();
    if !formatted.is_ok_and(|output| output.status.success()) {
        println!("skipped: cryptsetup is not installed");
        return;
    }
    world.operator(&["key", "add", "disk", "--machine", "vm"]);
    let first = world.boot();
    let enroll = ["enroll", "--device", "image", "--key", "disk", "--existing-key-file", "passphrase"];
    assert!(done(&world.agent(&enroll, b"")).contains("key slot 1 opens with disk"));
    drop(first);

    let second = world.boot();
    let unlock = ["unlock", "--device", "image", "--test"];
    assert!(done(&world.agent(&unlock, b"")).contains("image opens with disk"));
    // The same boot may ask again.
    done(&world.agent(&unlock, b""));
    let leases = world.operator(&["key", "leases", "--machine", "vm"]);
    assert_eq!(
        (&leases[0]["boot"], &leases[0]["releases"], leases.as_array().unwrap().len()),
        (&2.into(), &2.into(), 1)
    );
    world.operator(&["key", "revoke", "--lease", leases[0]["lease"].as_str().unwrap()]);
    let refused = world.agent(&unlock, b"");
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("operator ended"), "{refused:?}");
    drop(second);

    let _third = world.boot();
    done(&world.agent(&unlock, b""));
    world.operator(&["key", "revoke", "disk", "--machine", "vm"]);
    assert_eq!(world.agent(&unlock, b"").status.code(), Some(3));
    let ended = world.operator(&["key", "show", "disk"]);
    assert!(ended["held"].as_array().unwrap().iter().all(|lease| lease["ended_at"].is_u64()), "{ended}");
}

#[test]
fn secrets_are_put_at_one_boot_and_got_at_the_next() {
    let Some(world) = World::new("secrets") else { return };
    world.operator(&["key", "add", "tree", "--kind", "rsa", "--policy", "default"]);
    let first = world.boot();
    for (name, secret) in [("tls/server.key", "a private key"), ("token", "a token")] {
        done(&world.agent(&["secrets", "put", "--directory", "tree", "--key", "tree", name], secret.as_bytes()));
    }
    drop(first);
    let listed = evtpm(&world.folder).args(["agent", "secrets", "list", "--directory", "tree"]).output().unwrap();
    assert_eq!(done(&listed), "tls/server.key  (tree)\ntoken  (tree)\n");

    let _second = world.boot();
    assert_eq!(done(&world.agent(&["secrets", "get", "--directory", "tree", "token"], b"")), "a token");
    done(&world.agent(&["secrets", "get", "--directory", "tree", "--key", "tree", "--into", "out"], b""));
    assert_eq!(fs::read_to_string(world.folder.join("out/tls/server.key")).unwrap(), "a private key");
}
