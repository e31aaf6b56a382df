// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask dist`: Debian packages of the three programs (Debian Policy 4.6), with man pages, completions and units, in
//! target/dist. The same programs and the same SOURCE_DATE_EPOCH give the same packages.

mod notices;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::arguments::Arguments;
use crate::shell::{Workspace, output, run as run_command};
use notices::notices;
use tree::{DATA, PROGRAM, SCRIPT, SECRET, Tree};

const MAINTAINER: &str = "The evtpm authors <evtpm@example.org>";
const SOURCE: &str = "https://github.com/evtpm/evtpm";

/// One package.
struct Package {
    /// Its name, and its program's.
    name: &'static str,
    about: &'static str,
    /// What `about` does not say.
    more: &'static str,
    /// Packages beside the libraries that the program is linked with.
    depends: &'static str,
    suggests: &'static str,
    /// A file of /etc that holds secrets, as it is in the repository, and where it goes.
    configuration: Option<(&'static str, &'static str)>,
    examples: &'static [&'static str],
    documents: &'static [&'static str],
    has_unit: bool,
    /// Folders that the unit makes, and that go when the package is purged.
    state: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "evtpm",
        about: "ephemeral virtual TPM and attestation for confidential VMs",
        more: "The command line: a TPM 2.0 for virtual machines, verification and appraisal\n\
               of evidence (SEV-SNP, TDX and others, TPM quotes, boot and IMA logs),\n\
               policies, and the administration of verifiers.",
        depends: "",
        suggests: "evtpm-verifier",
        configuration: None,
        examples: &[],
        documents: &["README.md", "docs/POLICY.md", "docs/RESULTS.md", "docs/BUNDLES.md"],
        has_unit: false,
        state: "",
    },
    Package {
        name: "evtpm-agent",
        about: "remote attestation agent for confidential VMs",
        more: "It runs inside of the machine, proves by the TPM and the report of the launch\n\
               what was booted and what runs, and opens disks by keys that only a trusted\n\
               machine gets. It serves verifiers of evtpm and of Keylime.",
        // The package that makes the group tss and gives it the TPM.
        depends: "tpm-udev",
        suggests: "cryptsetup-bin",
        configuration: None,
        examples: &["packaging/debian/agent.toml"],
        documents: &["docs/AGENT.md", "docs/KEYS.md"],
        has_unit: true,
        state: "",
    },
    Package {
        name: "evtpm-verifier",
        about: "remote attestation verifier for confidential VMs",
        more: "Registrar, verifier and key broker in one program: it knows machines with\n\
               ephemeral TPMs by what launched them, watches them while they run, and shows\n\
               why it trusts them or does not. Keylime's agents and tenant are served too.",
        depends: "",
        suggests: "evtpm, postgresql",
        configuration: Some(("packaging/debian/evtpm-verifier.default", "etc/default/evtpm-verifier")),
        examples: &[],
        documents: &["docs/VERIFIER.md", "docs/POLICY.md", "docs/KEYS.md", "docs/PAGE.md"],
        has_unit: true,
        // systemd.exec(5): with DynamicUser= the state is in the first, and the second leads there.
        state: "/var/lib/private/evtpm-verifier /var/lib/evtpm-verifier",
    },
];

/// What all packages of one run have in common.
struct Run<'a> {
    workspace: &'a Workspace,
    /// Where the programs are.
    programs: PathBuf,
    /// Where man pages and completions are.
    manual: PathBuf,
    /// Where packages go.
    dist: PathBuf,
    architecture: String,
    /// Seconds since 1970: no file of a package is newer.
    epoch: String,
}

/// Builds the programs (or takes them from `--programs`), and packs them; `--unoptimised` for a look at the packages alone.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let programs: Option<PathBuf> = arguments.value("--programs")?;
    let unoptimised = arguments.flag("--unoptimised");
    arguments.finish()?;
    ensure!(programs.is_none() || !unoptimised, "either --programs or --unoptimised");
    let programs = match programs {
        Some(programs) => programs.canonicalize().with_context(|| programs.display().to_string())?,
        None if unoptimised => workspace.programs(&PACKAGES.iter().map(|package| package.name).collect::<Vec<_>>())?,
        None => build(workspace)?,
    };
    let dist = workspace.target().join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("removing {}", dist.display()))?;
    }
    let manual = dist.join("manual");
    run_command(workspace.command(programs.join("evtpm")).arg("manual").arg(&manual))?;
    let architecture = output(workspace.command("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let run = Run { workspace, programs, manual, dist, architecture, epoch: epoch(workspace)? };
    PACKAGES.iter().try_for_each(|package| run.pack(package))
}

fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--locked", "--package", "evtpm", "--package", "evtpm-agent", "--package"]);
    run_command(build.args(["evtpm-verifierd", "--features", "evtpm/aws-lc-rs,evtpm-verifierd/aws-lc-rs"]))?;
    Ok(workspace.target().join("release"))
}

/// The time that the package says it is of: SOURCE_DATE_EPOCH, else that of the last commit.
fn epoch(workspace: &Workspace) -> anyhow::Result<String> {
    let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => epoch,
        Err(_) => output(workspace.command("git").args(["log", "-1", "--format=%ct"]))?.trim().to_owned(),
    };
    ensure!(epoch.parse::<u32>().is_ok(), "SOURCE_DATE_EPOCH is `{epoch}`, and should be seconds since 1970");
    Ok(epoch)
}

impl Run<'_> {
    fn pack(&self, package: &Package) -> anyhow::Result<()> {
        let name = package.name;
        let tree = Tree::new(self.dist.join(name))?;
        let program = tree.copy(&self.programs.join(name), &format!("usr/bin/{name}"), PROGRAM)?;
        let strip = ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"];
        run_command(self.workspace.command("strip").args(strip).arg(&program))?;
        self.add_manual(&tree, name)?;
        self.add_documents(&tree, package)?;
        if package.has_unit {
            let unit = format!("{name}.service");
            let from = self.workspace.path("packaging/systemd").join(&unit);
            tree.copy(&from, &format!("usr/lib/systemd/system/{unit}"), DATA)?;
            // What the units' options name goes there.
            tree.folder("etc/evtpm")?;
        }
        // These packages are not uploaded to Debian, whose bugs the first upload would close.
        let mut tags = format!("{name}: initial-upload-closes-no-bugs\n");
        if let Some((from, to)) = package.configuration {
            tree.copy(&self.workspace.path(from), to, SECRET)?;
            tags.push_str(&format!("{name}: non-standard-file-perm 0640 != 0644 [{to}]\n"));
        }
        tree.write(&tags, &format!("usr/share/lintian/overrides/{name}"), DATA)?;
        self.add_control(&tree, package, &program)?;
        let file = self.dist.join(format!("{name}_{}_{}.deb", version(), self.architecture));
        let mut build = self.workspace.command("dpkg-deb");
        build.env("SOURCE_DATE_EPOCH", &self.epoch).args(["--root-owner-group", "-Zxz", "--build"]);
        run_command(build.arg(tree.root()).arg(&file))
    }

    fn add_manual(&self, tree: &Tree, name: &str) -> anyhow::Result<()> {
        let pages = self.manual.join("man1");
        for page in entries(&pages)?.into_iter().filter(|page| belongs(page, name)) {
            let page = tree.copy(&pages.join(&page), &format!("usr/share/man/man1/{page}"), DATA)?;
            self.compress(&page)?;
        }
        for (file, to) in [
            (format!("{name}.bash"), format!("usr/share/bash-completion/completions/{name}")),
            (format!("_{name}"), format!("usr/share/zsh/vendor-completions/_{name}")),
            (format!("{name}.fish"), format!("usr/share/fish/vendor_completions.d/{name}.fish")),
        ] {
            tree.copy(&self.manual.join("completions").join(file), &to, DATA)?;
        }
        Ok(())
    }

    fn add_documents(&self, tree: &Tree, package: &Package) -> anyhow::Result<()> {
        let folder = format!("usr/share/doc/{}", package.name);
        for document in package.documents {
            let name = document.rsplit('/').next().unwrap_or(document);
            tree.copy(&self.workspace.path(document), &format!("{folder}/{name}"), DATA)?;
        }
        for example in package.examples {
            let name = example.rsplit('/').next().unwrap_or(example);
            tree.copy(&self.workspace.path(example), &format!("{folder}/examples/{name}"), DATA)?;
        }
        let licence = fs::read_to_string(self.workspace.path("LICENSE-MIT")).context("LICENSE-MIT")?;
        tree.write(&copyright(&licence), &format!("{folder}/copyright"), DATA)?;
        let notices = tree.write(&notices(self.workspace, package.name)?, &format!("{folder}/THIRD-PARTY"), DATA)?;
        self.compress(&notices)?;
        self.compress(&tree.copy(&self.workspace.path("CHANGELOG.md"), &format!("{folder}/changelog"), DATA)?)?;
        let date = format!("@{}", self.epoch);
        let date = output(self.workspace.command("date").args(["--utc", "--rfc-email", "--date", &date]))?;
        let (version, name) = (version(), package.name);
        let changes = format!(
            "{name} ({version}) unstable; urgency=medium\n\n  * What is new: changelog.gz.\n\n -- {MAINTAINER}  {date}"
        );
        self.compress(&tree.write(&changes, &format!("{folder}/changelog.Debian"), DATA)?)
    }

    /// Writes what dpkg reads: deb-control(5), deb-md5sums(5), deb-conffiles(5), and the maintainer's scripts.
    fn add_control(&self, tree: &Tree, package: &Package, program: &Path) -> anyhow::Result<()> {
        let name = package.name;
        let mut conffiles = Vec::new();
        if let Some((_, to)) = package.configuration {
            conffiles.push(to);
            tree.write(&format!("/{to}\n"), "DEBIAN/conffiles", DATA)?;
        }
        let sums = output(self.workspace.command("md5sum").current_dir(tree.root()).args(tree.files(&conffiles)?))?;
        tree.write(&sums, "DEBIAN/md5sums", DATA)?;
        let depends: Vec<_> = [self.libraries(program)?, package.depends.to_owned()].into();
        let depends = depends.into_iter().filter(|depends| !depends.is_empty()).collect::<Vec<_>>().join(", ");
        let (version, architecture, about) = (version(), &self.architecture, package.about);
        let (size, suggests, more) = (tree.size()?, package.suggests, package.more.replace('\n', "\n "));
        let text = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
             Installed-Size: {size}\nDepends: {depends}\nSuggests: {suggests}\nSection: admin\nPriority: optional\n\
             Homepage: {SOURCE}\nDescription: {about}\n {more}\n"
        );
        tree.write(&text, "DEBIAN/control", DATA)?;
        if package.has_unit {
            for script in ["postinst", "prerm", "postrm"] {
                let path = self.workspace.path(&format!("packaging/debian/service.{script}"));
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let text = text.replace("@NAME@", name).replace("@STATE@", package.state);
                tree.write(&text, &format!("DEBIAN/{script}"), SCRIPT)?;
            }
        }
        Ok(())
    }

    /// The packages that have the libraries which a program is linked with, as dpkg-shlibdeps(1) finds them.
    fn libraries(&self, program: &Path) -> anyhow::Result<String> {
        let folder = self.dist.join("shlibdeps");
        fs::create_dir_all(folder.join("debian"))?;
        // It reads the names of the source and of its packages from there, and needs no more.
        fs::write(folder.join("debian/control"), "Source: evtpm\n\nPackage: evtpm\nArchitecture: any\n")?;
        let mut shlibdeps = self.workspace.command("dpkg-shlibdeps");
        let found = output(shlibdeps.current_dir(&folder).arg("-O").arg("-e").arg(program))?;
        let depends = found.trim().strip_prefix("shlibs:Depends=");
        Ok(depends.with_context(|| format!("dpkg-shlibdeps said `{found}`"))?.to_owned())
    }

    fn compress(&self, path: &Path) -> anyhow::Result<()> {
        run_command(self.workspace.command("gzip").arg("-9n").arg(path))
    }
}

/// The version, with Debian's revision.
fn version() -> String {
    format!("{}-1", env!("CARGO_PKG_VERSION"))
}

/// Whether a page is of this program: `evtpm-bench.1` is of evtpm, `evtpm-agent-pull.1` of the agent.
fn belongs(page: &str, name: &str) -> bool {
    let of = |program: &str| page == format!("{program}.1") || page.starts_with(&format!("{program}-"));
    let owner = ["evtpm-agent", "evtpm-verifier"].into_iter().find(|program| of(program)).unwrap_or("evtpm");
    owner == name && (name != "evtpm" || of(name))
}

/// The copyright file in Debian's format 1.0: text of a licence is indented, and its empty lines have a dot.
fn copyright(mit: &str) -> String {
    let mit: Vec<_> = mit.lines().skip_while(|line| !line.starts_with("Permission")).collect();
    let mit: String =
        mit.iter().map(|line| if line.is_empty() { " .\n".into() } else { format!(" {line}\n") }).collect();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: evtpm\n\
         Source: {SOURCE}\nComment: The program is linked with other people's crates: THIRD-PARTY.gz has their licences.\n\n\
         Files: *\nCopyright: 2026 The evtpm authors\nLicense: Apache-2.0 or Expat\n\n\
         License: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n\n\
         License: Expat\n{mit}"
    )
}

fn entries(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
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

    #[test]
    fn every_file_that_a_package_names_is_in_the_repository() {
        let workspace = Workspace::locate().unwrap();
        for package in PACKAGES {
            let configuration = package.configuration.map(|(from, _)| from);
            for file in package.documents.iter().chain(package.examples).copied().chain(configuration) {
                assert!(workspace.path(file).is_file(), "{}: {file}", package.name);
            }
        }
    }

    #[test]
    fn the_text_of_a_licence_has_dots_for_empty_lines() {
        let text = copyright("MIT License\n\nCopyright\n\nPermission is\n\ngranted\n");
        assert!(text.ends_with("License: Expat\n Permission is\n .\n granted\n"), "{text}");
    }
}
