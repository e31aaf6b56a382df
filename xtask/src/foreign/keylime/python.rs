// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime from the package index, in a virtual environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{output, run};

/// Exact versions, of everything.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The module that no package index has: Debian's python3-gpg, compiled for Debian's Python.
const GPG: &str = "import gpg; print(gpg.__path__[0])";

/// An installed Keylime.
#[derive(Debug, Clone)]
pub(super) struct Keylime {
    programs: PathBuf,
}

impl Keylime {
    /// Installs it, or finds it installed. The inner error is a sentence on what this machine lacks.
    pub(super) fn install(folder: &Path) -> anyhow::Result<Result<Self, String>> {
        let environment = folder.join("venv");
        let installed = environment.join("installed");
        let keylime = Self { programs: environment.join("bin") };
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
            return Ok(Ok(keylime));
        }
        let Some(gpg) = debian_gpg() else {
            return Ok(Err("Debian's python3 with python3-gpg is not installed".to_owned()));
        };
        std::fs::create_dir_all(folder)?;
        let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment).output();
        if !made.is_ok_and(|made| made.status.success()) {
            return Ok(Err("python3 makes no virtual environment with pip here".to_owned()));
        }
        let requirements = folder.join("requirements.txt");
        std::fs::write(&requirements, REQUIREMENTS)?;
        let pip = keylime.programs.join("pip");
        run(Command::new(pip).args(["install", "--quiet", "--no-deps", "--requirement"]).arg(&requirements))?;

        let python = keylime.programs.join("python");
        let site =
            output(Command::new(&python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?;
        std::os::unix::fs::symlink(gpg, Path::new(site.trim()).join("gpg"))?;
        if !Command::new(&python).args(["-c", GPG]).output()?.status.success() {
            return Ok(
                Err("python3 on the path is another version than Debian's, for which python3-gpg is".to_owned()),
            );
        }
        std::fs::write(installed, REQUIREMENTS)?;
        Ok(Ok(keylime))
    }

    /// One of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

fn debian_gpg() -> Option<PathBuf> {
    let said = Command::new("/usr/bin/python3").args(["-c", GPG]).output().ok()?;
    let path = said.status.success().then(|| String::from_utf8(said.stdout).ok()).flatten()?;
    Some(PathBuf::from(path.trim()))
}
