// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine's first and only file system: our `init`, an application, the agent, kernel modules, the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use evtpm_vm::cpio::Writer;
use evtpm_vm::plan::{self, HOST, Plan, Step};

use super::kernel::Kernel;
use super::scenario::{Change, Scenario};
use super::verifier::CA;
use crate::shell::{Workspace, output, run};

/// Statically linked programs: the guest has no libraries.
#[derive(Debug)]
pub(crate) struct Programs {
    init: Vec<u8>,
    app: Vec<u8>,
    disk: Vec<u8>,
    agent: Vec<u8>,
    fake_tpm: Vec<u8>,
}

impl Programs {
    /// Builds the programs that go into the guest.
    pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<Self> {
        Ok(Self {
            init: build_static(workspace, "evtpm-vm", "init")?,
            app: build_static(workspace, "evtpm-vm", "app")?,
            disk: build_static(workspace, "evtpm-vm", "disk")?,
            agent: build_static(workspace, "evtpm-agent", "evtpm-agent")?,
            fake_tpm: build_static(workspace, "evtpm-vm-attacker", "fake-tpm")?,
        })
    }
}

/// Only the last link differs from an ordinary build, so the dependencies are shared with it.
fn build_static(workspace: &Workspace, package: &str, binary: &str) -> anyhow::Result<Vec<u8>> {
    let mut build = workspace.cargo();
    build.args(["rustc", "--quiet", "--package", package, "--bin", binary, "--"]);
    build.args(["-C", "target-feature=+crt-static", "-C", "strip=symbols"]);
    run(&mut build)?;
    let path = workspace.target().join("debug").join(binary);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// The files of the guest by path, without the slash in front; programs are those in `bin` and `init`.
#[derive(Debug)]
pub(crate) struct Image(BTreeMap<String, Vec<u8>>);

impl Image {
    /// Puts the files together; with a verifier, the agent asks it after the application has run.
    pub(crate) fn new(
        kernel: &Kernel,
        programs: &Programs,
        scenario: &Scenario,
        verifier: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let mut image = Self::of(kernel, &[], programs, steps(scenario, verifier))?;
        match scenario.change {
            Change::File => image.add("etc/app.conf", b"mode = careless\n".to_vec()),
            Change::FakeTpm => image.add("bin/fake-tpm", programs.fake_tpm.clone()),
            _ => {}
        }
        Ok(image)
    }

    /// A machine that loads some more modules and takes these steps.
    pub(crate) fn of(
        kernel: &Kernel,
        more_modules: &[&str],
        programs: &Programs,
        steps: Vec<Step>,
    ) -> anyhow::Result<Self> {
        let modules = kernel.modules(more_modules)?;
        let module_path = |name: &str| format!("lib/modules/{name}.ko");
        let paths = modules.iter().map(|(name, _)| format!("/{}", module_path(name))).collect();
        let plan = Plan { modules: paths, network: true, steps };
        let mut files = BTreeMap::from([
            ("init".to_owned(), programs.init.clone()),
            ("bin/app".to_owned(), programs.app.clone()),
            ("bin/evtpm-agent".to_owned(), programs.agent.clone()),
            ("etc/app.conf".to_owned(), b"mode = careful\n".to_vec()),
            (plan::PATH.to_owned(), serde_json::to_vec_pretty(&plan)?),
        ]);
        files.extend(modules.into_iter().map(|(name, module)| (module_path(&name), module)));
        Ok(Self(files))
    }

    /// Adds the program that reads and writes a disk, and Debian's `cryptsetup` with its libraries.
    pub(crate) fn add_disk_tools(&mut self, programs: &Programs) -> anyhow::Result<()> {
        const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";
        self.add("bin/disk", programs.disk.clone());
        self.add(plan::CRYPTSETUP, std::fs::read(CRYPTSETUP).context(CRYPTSETUP)?);
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`
        let libraries = output(Command::new("ldd").arg(CRYPTSETUP))?;
        for path in libraries.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))) {
            self.add(path.trim_start_matches('/'), std::fs::read(path).context(path.to_owned())?);
        }
        Ok(())
    }

    /// Adds a program that no policy has heard of: the application, and one byte more.
    pub(crate) fn add_intruder(&mut self, programs: &Programs, path: &str) {
        self.add(path, [programs.app.as_slice(), b"!"].concat());
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, path: &str, content: Vec<u8>) {
        self.0.insert(path.to_owned(), content);
    }

    /// The files by absolute path in the guest.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.iter().map(|(path, content)| (format!("/{path}"), content.clone())).collect()
    }

    /// Writes the archive that the kernel unpacks.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut archive = Writer::new(BufWriter::new(File::create(path)?));
        for folder in self.folders() {
            archive.folder(&folder)?;
        }
        // The kernel opens it as the standard streams of init, before anything is mounted.
        archive.character_device("dev/console", (5, 1))?;
        for (path, content) in &self.0 {
            let is_program = path == "init" || path.starts_with("bin/") || path.contains("/ld-linux");
            archive.file(path, if is_program { 0o755 } else { 0o644 }, content)?;
        }
        archive.finish()?;
        Ok(())
    }

    /// Every folder, behind the one that it is in.
    fn folders(&self) -> BTreeSet<String> {
        let mut folders: BTreeSet<String> = ["dev", "proc", "sys", "tmp", "run"].map(str::to_owned).into();
        for path in self.0.keys() {
            folders.extend(path.match_indices('/').map(|(end, _)| path.get(..end).unwrap_or_default().to_owned()));
        }
        folders
    }
}

/// The application, then the agent if there is a verifier to ask.
fn steps(scenario: &Scenario, verifier: Option<SocketAddr>) -> Vec<Step> {
    const REAL_TPM: &str = "/dev/tpmrm0";
    const FAKE_TPM: &str = "/tmp/tpm";
    let mut steps = vec![Step::new("app", "/bin/app", &[])];
    let Some(address) = verifier else { return steps };
    let tpm = match scenario.change {
        Change::FakeTpm => {
            steps.push(Step::new("fake-tpm", "/bin/fake-tpm", &[REAL_TPM, FAKE_TPM]).ready_when(FAKE_TPM));
            FAKE_TPM
        }
        _ => REAL_TPM,
    };
    let (url, ca) = (format!("https://{HOST}:{}", address.port()), format!("/{CA}"));
    let arguments = ["--once", "--json", "--machine", "vm", "--tpm", tpm, "--verifier", &url, "--ca", &ca];
    steps.push(Step::new("agent", "/bin/evtpm-agent", &arguments));
    steps
}
