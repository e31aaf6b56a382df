// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the workspace is, and how other programs are run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The bare-metal target of the `no_std` crates (rust-toolchain.toml installs it).
pub(crate) const BARE_METAL: &str = "x86_64-unknown-none";

/// See [`Workspace::programs`].
const SMALLEST_TEST: &str = "recorded";

/// The root of this repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the root: the folder above this package.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().with_context(|| format!("{}", root.display()))?;
        Ok(Self { root })
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A folder for files that chores make, below Cargo's target folder.
    pub(crate) fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// A command that starts in the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The Cargo that runs us.
    pub(crate) fn cargo(&self) -> Command {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = self.command(&cargo);
        // Set by the outer `cargo run` for xtask itself; it would mark other packages as changed.
        for variable in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            command.env_remove(variable);
        }
        command
    }

    /// Builds programs of this workspace as its tests use them, and gives the folder that they are in.
    ///
    /// Cargo chooses features for all that it is asked to build at once. With `--package` it would choose fewer than for
    /// the tests, and compile a hundred libraries a second time. The features of dev-dependencies come with any test:
    /// the smallest is taken.
    pub(crate) fn programs(&self, names: &[&str]) -> anyhow::Result<PathBuf> {
        let mut build = self.cargo();
        build.args(["build", "--quiet", "--workspace", "--test", SMALLEST_TEST]);
        build.args(names.iter().flat_map(|name| ["--bin", name]));
        run(&mut build)?;
        Ok(self.target().join("debug"))
    }

    /// The Rust files that Git tracks or would track, relative to the root and sorted.
    pub(crate) fn rust_files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut git = self.command("git");
        let listing = output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"]))?;
        let mut files: Vec<PathBuf> = listing.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The packages of the workspace as Cargo sees them.
    pub(crate) fn packages(&self) -> anyhow::Result<Vec<Package>> {
        let json = output(self.cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
        let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata")?;
        Ok(metadata.packages)
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package of this workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    manifest_path: PathBuf,
}

impl Package {
    /// The package's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// Whether the package has a library.
    pub(crate) fn has_library(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }
}

/// An edge of the dependency graph, as the manifest declares it.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// Set when the dependency is a folder of this repository.
    pub(crate) path: Option<PathBuf>,
}

/// Something that Cargo builds of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

/// Runs a command whose output the user sees; fails when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = describe(command);
    let status = command.status().with_context(|| line.clone())?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs tests that `cargo test` chooses by a text, with options for the program that it builds; fails when none has it in
/// its name, where Cargo would be content.
pub(crate) fn run_tests(cargo_test: impl Fn() -> Command, options: &[&str]) -> anyhow::Result<()> {
    let listing = output(cargo_test().args(["--", "--list", "--format", "terse"]))?;
    if !listing.lines().any(|line| line.ends_with(": test")) {
        bail!("{}: no test has such a name", describe(&cargo_test()));
    }
    run(cargo_test().arg("--").args(options))
}

/// Runs a command and gives its standard output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = describe(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| line.clone())?;
    if !output.status.success() {
        bail!("{line}: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{line}: output is not UTF-8"))
}

/// Whether a program of this name can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The command as a person would type it.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_names_itself() {
        let error = run(Command::new("false").arg("--really")).unwrap_err();
        assert!(error.to_string().starts_with("false --really: exit status"), "{error}");
    }

    #[test]
    fn the_workspace_knows_this_package_and_this_file() {
        let workspace = Workspace::locate().unwrap();
        assert!(workspace.packages().unwrap().iter().any(|package| package.name == "xtask"));
        assert!(workspace.rust_files().unwrap().contains(&PathBuf::from("xtask/src/shell.rs")));
    }
}
