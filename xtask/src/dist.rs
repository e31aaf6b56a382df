// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask dist`: Debian packages of the three programs, with man pages, completions and units, in target/dist.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::arguments::Arguments;
use crate::shell::{Workspace, output, run as run_command};

/// One package.
struct Package {
    /// Its name, and its program's.
    name: &'static str,
    about: &'static str,
    /// A file of /etc, as it is in the repository, and where it goes.
    configuration: Option<(&'static str, &'static str)>,
    has_unit: bool,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "evtpm",
        about: "ephemeral virtual TPM and attestation: command line",
        configuration: None,
        has_unit: false,
    },
    Package {
        name: "evtpm-agent",
        about: "remote attestation agent for confidential VMs",
        configuration: None,
        has_unit: true,
    },
    Package {
        name: "evtpm-verifier",
        about: "remote attestation verifier for confidential VMs",
        configuration: Some(("packaging/debian/evtpm-verifier.default", "etc/default/evtpm-verifier")),
        has_unit: true,
    },
];

/// Builds the programs (or takes them from `--programs`), and packs them.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let programs: Option<PathBuf> = arguments.value("--programs")?;
    arguments.finish()?;
    let programs = match programs {
        Some(programs) => programs,
        None => build(workspace)?,
    };
    let dist = workspace.target().join("dist");
    drop(fs::remove_dir_all(&dist));
    let manual = dist.join("manual");
    run_command(workspace.command(&programs.join("evtpm").to_string_lossy()).arg("manual").arg(&manual))?;
    for package in PACKAGES {
        pack(workspace, package, &programs, &manual, &dist)?;
    }
    Ok(())
}

fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--package", "evtpm", "--package", "evtpm-agent", "--package"]);
    run_command(build.args(["evtpm-verifierd", "--features", "evtpm/aws-lc-rs,evtpm-verifierd/aws-lc-rs"]))?;
    Ok(workspace.target().join("release"))
}

fn pack(workspace: &Workspace, package: &Package, programs: &Path, manual: &Path, dist: &Path) -> anyhow::Result<()> {
    let name = package.name;
    let root = dist.join(name);
    let program = root.join("usr/bin").join(name);
    copy(&programs.join(name), &program)?;
    run_command(workspace.command("strip").arg(&program))?;
    for page in entries(&manual.join("man1"))?.into_iter().filter(|page| belongs(page, name)) {
        let to = root.join("usr/share/man/man1").join(&page);
        copy(&manual.join("man1").join(&page), &to)?;
        run_command(workspace.command("gzip").args(["-9n"]).arg(&to))?;
    }
    let completions = manual.join("completions");
    for (file, to) in [
        (format!("{name}.bash"), format!("usr/share/bash-completion/completions/{name}")),
        (format!("_{name}"), format!("usr/share/zsh/vendor-completions/_{name}")),
        (format!("{name}.fish"), format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ] {
        copy(&completions.join(file), &root.join(to))?;
    }
    let documents = root.join("usr/share/doc").join(name);
    copyright(&documents.join("copyright"))?;
    copy(&workspace.path("CHANGELOG.md"), &documents.join("changelog"))?;
    run_command(workspace.command("gzip").arg("-9n").arg(documents.join("changelog")))?;
    if package.has_unit {
        let unit = format!("{name}.service");
        let to = root.join("lib/systemd/system").join(&unit);
        copy(&workspace.path("packaging/systemd").join(unit), &to)?;
    }
    let control = root.join("DEBIAN");
    fs::create_dir_all(&control)?;
    if let Some((from, to)) = package.configuration {
        copy(&workspace.path(from), &root.join(to))?;
        fs::write(control.join("conffiles"), format!("/{to}\n"))?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let architecture = output(workspace.command("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let about = package.about;
    let text = format!(
        "Package: {name}\nVersion: {version}-1\nArchitecture: {architecture}\nSection: admin\nPriority: optional\n\
         Maintainer: The evtpm authors <evtpm@example.org>\nDepends: libc6 (>= 2.36), libgcc-s1\n\
         Homepage: https://github.com/evtpm/evtpm\nDescription: {about}\n \
         An ephemeral virtual TPM for confidential VMs, and the attestation that\n makes it worth trusting.\n"
    );
    fs::write(control.join("control"), text)?;
    let file = dist.join(format!("{name}_{version}-1_{architecture}.deb"));
    let mut build = workspace.command("dpkg-deb");
    run_command(build.args(["--root-owner-group", "--build"]).arg(&root).arg(&file))
}

/// Whether a page is of this program: `evtpm-bench.1` is of evtpm, `evtpm-agent-pull.1` of the agent.
fn belongs(page: &str, name: &str) -> bool {
    let of = |program: &str| page == format!("{program}.1") || page.starts_with(&format!("{program}-"));
    let owner = ["evtpm-agent", "evtpm-verifier"].into_iter().find(|program| of(program)).unwrap_or("evtpm");
    owner == name && (name != "evtpm" || of(name))
}

fn copyright(path: &Path) -> anyhow::Result<()> {
    let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
        Source: https://github.com/evtpm/evtpm\n\nFiles: *\nCopyright: The evtpm authors\nLicense: Apache-2.0 or MIT\n \
        Either the Apache License, version 2.0 (/usr/share/common-licenses/Apache-2.0),\n or the MIT license.\n";
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map(drop).with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_one_package() {
        for (page, owner) in [
            ("evtpm.1", "evtpm"),
            ("evtpm-bench-fleet.1", "evtpm"),
            ("evtpm-agent.1", "evtpm-agent"),
            ("evtpm-agent-pull.1", "evtpm-agent"),
            ("evtpm-verifier.1", "evtpm-verifier"),
        ] {
            let owners: Vec<_> =
                PACKAGES.iter().map(|package| package.name).filter(|name| belongs(page, name)).collect();
            assert_eq!(owners, [owner], "{page}");
        }
    }
}
