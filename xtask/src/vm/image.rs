// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine's first and only file system: our `init`, an application, kernel modules, the plan.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use evtpm_vm::cpio::Writer;
use evtpm_vm::plan::{self, Plan, Step};

use super::kernel::Kernel;
use super::scenario::{Change, Scenario};
use crate::shell::{Workspace, run};

/// Statically linked programs: the guest has no libraries.
#[derive(Debug)]
pub(crate) struct Programs {
    init: Vec<u8>,
    app: Vec<u8>,
}

impl Programs {
    /// Builds the programs that go into the guest.
    pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<Self> {
        Ok(Self {
            init: build_static(workspace, "evtpm-vm", "init")?,
            app: build_static(workspace, "evtpm-vm", "app")?,
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

/// Writes the archive that the kernel unpacks.
pub(crate) fn write(path: &Path, kernel: &Kernel, programs: &Programs, scenario: &Scenario) -> anyhow::Result<()> {
    let modules = kernel.modules()?;
    let plan = Plan {
        modules: modules.iter().map(|(name, _)| format!("/lib/modules/{name}.ko")).collect(),
        network: true,
        steps: vec![Step::new("app", "/bin/app", &[])],
    };
    let mut configuration = "mode = careful\n".to_owned();
    if let Change::File = scenario.change {
        configuration = "mode = careless\n".to_owned();
    }

    let mut archive = Writer::new(BufWriter::new(File::create(path)?));
    for folder in ["dev", "bin", "etc", "lib", "lib/modules", "proc", "sys", "tmp"] {
        archive.folder(folder)?;
    }
    // The kernel opens it as the standard streams of init, before anything is mounted.
    archive.character_device("dev/console", (5, 1))?;
    archive.file("init", 0o755, &programs.init)?;
    archive.file("bin/app", 0o755, &programs.app)?;
    archive.file("etc/app.conf", 0o644, configuration.as_bytes())?;
    archive.file(plan::PATH, 0o644, &serde_json::to_vec_pretty(&plan)?)?;
    for (name, module) in &modules {
        archive.file(&format!("lib/modules/{name}.ko"), 0o644, module)?;
    }
    archive.finish()?;
    Ok(())
}
