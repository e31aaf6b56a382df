// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine's first and only file system: our `init`, an application, the agent, kernel modules, the plan.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use evtpm_vm::cpio::Writer;
use evtpm_vm::plan::{self, HOST, Plan, Step};

use super::kernel::Kernel;
use super::scenario::{Change, Scenario};
use super::verifier::CA;
use crate::shell::{Workspace, run};

/// Statically linked programs: the guest has no libraries.
#[derive(Debug)]
pub(crate) struct Programs {
    init: Vec<u8>,
    app: Vec<u8>,
    agent: Vec<u8>,
    fake_tpm: Vec<u8>,
}

impl Programs {
    /// Builds the programs that go into the guest.
    pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<Self> {
        Ok(Self {
            init: build_static(workspace, "evtpm-vm", "init")?,
            app: build_static(workspace, "evtpm-vm", "app")?,
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
        let modules = kernel.modules()?;
        let module_path = |name: &str| format!("lib/modules/{name}.ko");
        let paths = modules.iter().map(|(name, _)| format!("/{}", module_path(name))).collect();
        let plan = Plan { modules: paths, network: true, steps: steps(scenario, verifier) };
        let configuration = match scenario.change {
            Change::File => "mode = careless\n",
            _ => "mode = careful\n",
        };

        let mut files = BTreeMap::from([
            ("init".to_owned(), programs.init.clone()),
            ("bin/app".to_owned(), programs.app.clone()),
            ("bin/evtpm-agent".to_owned(), programs.agent.clone()),
            ("etc/app.conf".to_owned(), configuration.as_bytes().to_vec()),
            (plan::PATH.to_owned(), serde_json::to_vec_pretty(&plan)?),
        ]);
        if let Change::FakeTpm = scenario.change {
            files.insert("bin/fake-tpm".to_owned(), programs.fake_tpm.clone());
        }
        files.extend(modules.into_iter().map(|(name, module)| (module_path(&name), module)));
        Ok(Self(files))
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
        for folder in ["dev", "bin", "etc", "lib", "lib/modules", "proc", "sys", "tmp"] {
            archive.folder(folder)?;
        }
        // The kernel opens it as the standard streams of init, before anything is mounted.
        archive.character_device("dev/console", (5, 1))?;
        for (path, content) in &self.0 {
            let is_program = path == "init" || path.starts_with("bin/");
            archive.file(path, if is_program { 0o755 } else { 0o644 }, content)?;
        }
        archive.finish()?;
        Ok(())
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
