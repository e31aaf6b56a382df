// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One run's processes: our TPM and our agent, Keylime's verifier, registrar and tenant, each with a log of its own.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::config::{COMPONENTS, Ports};
use super::python::Keylime;
use super::{PATIENCE, config, evtpm, ima};
use crate::foreign::servers::{FreshTpm, Server, neighbouring_ports};
use crate::shell::Workspace;

/// The machine's name.
const UUID: &str = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000";

/// Everything that runs.
pub(super) struct World {
    keylime: Keylime,
    /// Where files and logs are.
    pub(super) folder: PathBuf,
    agent_program: PathBuf,
    evtpm: PathBuf,
    ports: Ports,
    agent: Option<Process>,
    /// The CA whose certificates the agent lets in.
    client_ca: PathBuf,
    /// The order in which they end.
    _services: Vec<Process>,
    services: Services,
    model: Model,
    tpm_port: u16,
    _tpm: Tpm,
}

/// What the agent's keys are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// A TPM that nobody vouches for.
    SoftwareTpm,
    /// An e-vTPM, on a simulated processor.
    Evtpm,
}

/// Whose registrar and verifier there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Services {
    Keylime,
    Ours,
}

/// Who asks whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Pull,
    Push,
}

/// Who plays.
pub(super) type Cast = (Machine, Services, Model);

/// Ends with this value.
#[expect(dead_code, reason = "held for what happens when it is dropped")]
pub(super) enum Tpm {
    Software(FreshTpm),
    Evtpm(Process),
}

/// What the verifier says of the agent.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    /// Not told of an agent that pushes.
    operational_state: Option<String>,
    attestation_status: Option<String>,
    pub(super) attestation_count: u64,
    pub(super) last_event_id: Option<String>,
}

impl Status {
    pub(super) fn has_passed(&self, rounds: u64) -> bool {
        let is_good = match &self.operational_state {
            Some(state) => state == "Get Quote",
            None => self.attestation_status.as_deref() == Some("PASS"),
        };
        is_good && self.attestation_count >= rounds
    }

    pub(super) fn has_failed(&self) -> bool {
        match &self.operational_state {
            Some(state) => ["Failed", "Invalid Quote"].contains(&state.as_str()),
            None => self.attestation_status.as_deref() == Some("FAIL"),
        }
    }
}

impl World {
    /// Starts all but the agent.
    pub(super) fn start(
        workspace: &Workspace,
        keylime: Keylime,
        folder: PathBuf,
        (machine, whose, model): Cast,
    ) -> anyhow::Result<Self> {
        let programs = workspace.programs(&["evtpm", "evtpm-agent", "swtpm"])?;
        let evtpm = programs.join("evtpm");
        std::fs::create_dir_all(&folder)?;
        let (tpm_port, tpm) = match machine {
            Machine::SoftwareTpm => {
                let tpm = FreshTpm::start(&Server::Ours.program(workspace)?, folder.join("tpm"))?;
                (tpm.port(), Tpm::Software(tpm))
            }
            Machine::Evtpm => evtpm::boot(&evtpm, &folder)?,
        };
        let (registrar, verifier) = (neighbouring_ports()?, neighbouring_ports()?);
        let ports = Ports { verifier, registrar, registrar_tls: registrar + 1, agent: verifier + 1 };
        std::fs::create_dir_all(folder.join("keylime"))?;
        let ours = folder.join("verifier");
        let mode = if model == Model::Push { "push" } else { "pull" };
        let administrator = (whose == Services::Ours).then_some(ours.as_path());
        config::write(&folder, ports, (machine == Machine::Evtpm, mode), administrator)?;
        let (services, client_ca) = match whose {
            Services::Keylime => (their_services(&keylime, &folder, ports)?, folder.join("keylime/cv_ca/cacert.crt")),
            Services::Ours => (vec![our_verifier(&evtpm, &folder, &ours, ports)?], ours.join("ca.pem")),
        };
        let agent_program = programs.join("evtpm-agent");
        Ok(World {
            keylime,
            folder,
            agent_program,
            evtpm,
            ports,
            agent: None,
            client_ca,
            _services: services,
            services: whose,
            model,
            tpm_port,
            _tpm: tpm,
        })
    }

    /// Measures files: while no agent is there, since the TPM has one client at a time.
    pub(super) fn measure(&mut self, files: &[(&str, u8)]) -> anyhow::Result<()> {
        let lines = ima::measure(self.tpm_port, files)?;
        let list = self.list();
        let before = std::fs::read_to_string(&list).unwrap_or_default();
        Ok(std::fs::write(list, before + &lines)?)
    }

    /// Changes a digit of the last entry, in the list alone.
    pub(super) fn forge_last_entry(&mut self) -> anyhow::Result<()> {
        let list = std::fs::read_to_string(self.list())?;
        let (before, last) = list.trim_end().rsplit_once('\n').context("the list has one entry")?;
        let forged = last.replace("sha256:03", "sha256:13");
        ensure!(forged != last, "the last entry is another one: {last}");
        // In place, as the agent has the file open.
        Ok(std::fs::write(self.list(), format!("{before}\n{forged}\n"))?)
    }

    fn list(&self) -> PathBuf {
        self.folder.join("ima.txt")
    }

    /// The folder of the agent's payload is in memory.
    fn payload_folder(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm/evtpm-foreign-keylime-{}", std::process::id()))
    }

    /// What the agent got.
    pub(super) fn payload(&self) -> Option<String> {
        std::fs::read_to_string(self.payload_folder().join("payload")).ok()
    }

    pub(super) fn start_agent(&mut self) -> anyhow::Result<()> {
        let Ports { registrar, agent, verifier, .. } = self.ports;
        let mut command = Command::new(&self.agent_program);
        command
            .arg(if self.model == Model::Push { "keylime-push" } else { "pull" })
            .args(["--uuid", UUID])
            .args(["--registrar", &format!("http://127.0.0.1:{registrar}")])
            .args(["--tpm", &format!("tcp:127.0.0.1:{}", self.tpm_port)])
            .arg("--ima-list")
            .arg(self.list());
        if self.model == Model::Push {
            command.args(["--verifier", &format!("https://127.0.0.1:{verifier}")]);
            command.arg("--verifier-ca").arg(&self.client_ca);
            self.agent = Some(Process::start(&mut command, &self.folder.join("agent.log"))?);
            return Ok(());
        }
        command
            .args(["--listen", &format!("127.0.0.1:{agent}")])
            .arg("--trusted-client-ca")
            .arg(&self.client_ca)
            .arg("--state")
            .arg(self.folder.join("agent.state"))
            .arg("--payload-dir")
            .arg(self.payload_folder());
        let process = Process::start(&mut command, &self.folder.join("agent.log"))?;
        self.agent = Some(process.listening_on(agent)?);
        Ok(())
    }

    pub(super) fn stop_agent(&mut self) {
        self.agent = None;
    }

    /// Whose verifier it is, for people.
    pub(super) const fn verifier(&self) -> &'static str {
        match self.services {
            Services::Keylime => "Keylime's verifier",
            Services::Ours => "our verifier",
        }
    }

    /// Whose registrar and verifier there are.
    pub(super) const fn services(&self) -> Services {
        self.services
    }

    /// Whether the registrar believes the agent's keys.
    pub(super) fn is_registered(&self) -> anyhow::Result<bool> {
        Ok(self.tenant(&["-c", "regstatus"])?.contains("\"operational_state\": \"Registered\""))
    }

    /// Has the agent attested by a policy that knows these files, and sends it a payload if it can be reached.
    pub(super) fn add(&self, known: &[(&str, u8)], payload: &str) -> anyhow::Result<()> {
        let digests: serde_json::Map<String, serde_json::Value> =
            known.iter().map(|(path, byte)| ((*path).to_owned(), json!([ima::digest(*byte)]))).collect();
        let policy = json!({
            "meta": { "version": 1, "generator": 2 },
            "release": 0,
            "digests": digests,
            "excludes": [],
            "keyrings": {},
            "ima": { "ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": null },
            "ima-buf": {},
            "verification-keys": "",
        });
        let (policy_file, payload_file) = (self.folder.join("policy.json"), self.folder.join("payload.txt"));
        std::fs::write(&policy_file, policy.to_string())?;
        std::fs::write(&payload_file, payload)?;
        let [policy_file, payload_file] = [policy_file, payload_file].map(|path| path.display().to_string());
        let order = ["-c", "add", "-v", "127.0.0.1", "--runtime-policy", &policy_file];
        let reach = ["-t", "127.0.0.1", "-f", &payload_file];
        let reach = if self.model == Model::Push { &[][..] } else { &reach[..] };
        self.tenant(&[&order[..], reach].concat()).map(drop)
    }

    /// Has the agent attested without a policy for files; false if the tenant does not accept its endorsement key.
    pub(super) fn add_if_accepted(&self) -> anyhow::Result<bool> {
        let payload = self.folder.join("payload.txt");
        std::fs::write(&payload, "a secret of the tenant")?;
        let added =
            self.tenant(&["-c", "add", "-t", "127.0.0.1", "-v", "127.0.0.1", "-f", &payload.display().to_string()]);
        let said = std::fs::read_to_string(self.folder.join("keylime_tenant.log"))?;
        match added {
            Ok(_) => Ok(true),
            Err(_) if said.contains("External check script failed") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// From now on, the tenant's script knows another measurement.
    pub(super) fn expect_another_launch(&self) -> anyhow::Result<()> {
        evtpm::write_script(&self.evtpm, &self.folder, &"5a".repeat(48))
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        self.tenant(&["-c", "delete"]).map(drop)
    }

    /// What the verifier says of the agent.
    pub(super) fn status(&self) -> anyhow::Result<Status> {
        let said = self.tenant(&["-c", "cvstatus"])?;
        let line = said.lines().rev().find(|line| line.starts_with("{\"")).context("the tenant says nothing")?;
        let mut agents: std::collections::BTreeMap<String, Status> = serde_json::from_str(line)?;
        agents.remove(UUID).with_context(|| format!("the tenant speaks of other agents: {line}"))
    }

    fn tenant(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut tenant = command(&self.keylime, &self.folder, "keylime_tenant");
        let model = if self.model == Model::Push { &["--push-model"][..] } else { &[] };
        let output = tenant.args(["--uuid", UUID]).args(arguments).args(model).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        std::fs::write(self.folder.join("keylime_tenant.log"), &said)?;
        ensure!(output.status.success(), "keylime_tenant {arguments:?}: {}", said.lines().last().unwrap_or_default());
        Ok(said)
    }

    /// Asks until it is true.
    pub(super) fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let started = Instant::now();
        while !is_so(self)? {
            ensure!(started.elapsed() < PATIENCE, "no {what} within {} s", PATIENCE.as_secs());
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(self.payload_folder()));
    }
}

/// Keylime's verifier makes the certificates that its registrar uses.
fn their_services(keylime: &Keylime, folder: &Path, ports: Ports) -> anyhow::Result<Vec<Process>> {
    let service = |name: &str, port| {
        let mut command = command(keylime, folder, name);
        Process::start(&mut command, &folder.join(format!("{name}.log")))?.listening_on(port)
    };
    Ok(vec![service("keylime_verifier", ports.verifier)?, service("keylime_registrar", ports.registrar)?])
}

/// Registrar and verifier are one program of ours.
fn our_verifier(evtpm: &Path, folder: &Path, directory: &Path, ports: Ports) -> anyhow::Result<Process> {
    let Ports { verifier, registrar, registrar_tls, .. } = ports;
    let mut command = Command::new(evtpm);
    command
        .args(["verifier", "--listen", "127.0.0.1:0", "--name", "127.0.0.1", "--keylime", "127.0.0.1"])
        .args(["--keylime-ports", &format!("{registrar},{registrar_tls},{verifier}")])
        .arg("--directory")
        .arg(directory);
    Process::start(&mut command, &folder.join("verifier.log"))?.listening_on(verifier)
}

/// A program of Keylime, told where its files are.
fn command(keylime: &Keylime, folder: &Path, name: &str) -> Command {
    let mut command = Command::new(keylime.program(name));
    command.env("KEYLIME_DIR", folder.join("keylime"));
    for component in COMPONENTS {
        let variable = format!("KEYLIME_{}_CONFIG", component.to_uppercase());
        command.env(variable, folder.join(format!("{component}.conf")));
    }
    command
}

/// A started program with its children; they end with this value.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).spawn();
        child.map(Process).with_context(|| format!("{:?}", command.get_program()))
    }

    pub(super) fn listening_on(mut self, port: u16) -> anyhow::Result<Self> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.0.try_wait()? {
                bail!("a program ended before it listened on port {port}: {status}");
            }
            ensure!(started.elapsed() < PATIENCE, "nobody listens on port {port}");
            sleep(Duration::from_millis(50));
        }
        Ok(self)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Keylime's programs have workers, and wait for them when they are asked to end: so all of a group at once.
        drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status());
        drop(self.0.wait());
    }
}
