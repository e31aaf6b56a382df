// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask vm`: QEMU boots OVMF and a stock Debian kernel with IMA over our vTPM, an agent in
//! the guest attests it to a verifier on the host, and each scenario must come to its verdict.

mod disk;
mod image;
mod kernel;
mod machine;
mod results;
mod scenario;
mod tpm_server;
mod verifier;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::arguments::Arguments;
use crate::shell::Workspace;
use machine::Machine;
use results::Results;
use scenario::{SCENARIOS, Scenario};
use tpm_server::TpmServer;
use verifier::{Reference, Verifier};

const HELP: &str = "\
usage: cargo xtask vm [OPTION]…

  --list             print the scenarios
  --only NAME        boot this scenario only (may be repeated; `good` is booted for all but `disk`, since others are
                     compared with it)
  --tpm KIND         the TPM server: `evtpm` (ours, with SVSM and simulated chip; the default), or the name or path
                     of `swtpm` or a program that takes its arguments
  --kernel FOLDER    an unpacked kernel package (boot/vmlinuz-*, lib/modules) instead of Debian's current cloud kernel
  --firmware FILE    OVMF image, /usr/share/ovmf/OVMF.fd unless given
  --accel NAME       tcg (works everywhere) or kvm
  --seconds N        how long one boot may take, 180 unless given

Everything a boot leaves behind (serial.log, qemu.log, tpm.log, the logs of the guest) stays in target/vm/NAME.
";

/// Boots the scenarios and checks what each of them measured.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    if arguments.flag("--help") {
        print!("{HELP}");
        return Ok(());
    }
    if arguments.flag("--list") {
        for scenario in SCENARIOS {
            println!("{:<22} {}", scenario.name, scenario.about);
        }
        println!("{:<22} {}", disk::NAME, disk::ABOUT);
        return Ok(());
    }
    let only = arguments.values("--only")?;
    let is_known = |name: &str| name == disk::NAME || SCENARIOS.iter().any(|scenario| scenario.name == name);
    if let Some(unknown) = only.iter().find(|name| !is_known(name)) {
        bail!("no scenario is called {unknown:?} (see --list)");
    }
    let folder = workspace.target().join("vm");
    let kernel = match arguments.value::<PathBuf>("--kernel")? {
        Some(folder) => kernel::Kernel::open(&folder)?,
        None => kernel::Kernel::debian(&folder.join("kernel"))?,
    };
    let settings = machine::Settings {
        firmware: arguments.value("--firmware")?.unwrap_or_else(|| PathBuf::from("/usr/share/ovmf/OVMF.fd")),
        accelerator: arguments.value("--accel")?.unwrap_or_else(|| "tcg".to_owned()),
        limit: Duration::from_secs(arguments.value("--seconds")?.unwrap_or(180)),
    };
    let server = arguments.value::<String>("--tpm")?.unwrap_or_else(|| "evtpm".to_owned());
    arguments.finish()?;
    let server = match server.as_str() {
        "evtpm" => TpmServer::evtpm(workspace, &settings.firmware)?,
        _ => TpmServer::Swtpm { program: server },
    };

    println!(
        "kernel {}, firmware {}, TPM {server}, {}",
        kernel.version(),
        settings.firmware.display(),
        settings.accelerator
    );
    let programs = image::Programs::build(workspace)?;
    let mut boot = Boot { kernel: &kernel, settings: &settings, server: &server, programs: &programs, verifier: None };
    let mut failed = boot.scenarios(&only, &folder)?;
    if only.is_empty() && server.program().is_some() || only.iter().any(|name| name == disk::NAME) {
        match disk::play(&boot, &folder.join(disk::NAME)) {
            Ok(summary) => println!("{:<22} ok: {summary}", disk::NAME),
            Err(error) => {
                println!("{:<22} FAILED: {error:#}", disk::NAME);
                failed.push(disk::NAME);
            }
        }
    }
    if !failed.is_empty() {
        bail!("vm failed: {}", failed.join(", "));
    }
    Ok(())
}

/// What all boots of a run share.
struct Boot<'a> {
    kernel: &'a kernel::Kernel,
    settings: &'a machine::Settings,
    server: &'a TpmServer,
    programs: &'a image::Programs,
    /// Only our own TPM has a report that could be verified.
    verifier: Option<(SocketAddr, Verifier)>,
}

impl Boot<'_> {
    /// Boots each wanted scenario, and returns the names of those that did not come out as they had to.
    fn scenarios(&mut self, only: &[String], folder: &Path) -> anyhow::Result<Vec<&'static str>> {
        let is_wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        let mut failed = Vec::new();
        if !SCENARIOS.iter().any(|scenario| is_wanted(scenario.name)) {
            return Ok(failed);
        }
        self.start_verifier(&folder.join("verifier"))?;
        let mut good = None;
        for scenario in SCENARIOS {
            let is_reference = scenario.name == scenario::GOOD;
            if !(is_reference || is_wanted(scenario.name)) {
                continue;
            }
            let results = self.run(scenario, &folder.join(scenario.name)).with_context(|| scenario.name)?;
            match scenario.check(&results, good.as_ref().unwrap_or(&results)) {
                Ok(summary) => println!("{:<22} ok: {summary}", scenario.name),
                Err(error) => {
                    println!("{:<22} FAILED: {error:#}", scenario.name);
                    failed.push(scenario.name);
                }
            }
            if is_reference {
                good = Some(results);
            }
        }
        Ok(failed)
    }

    /// Tells a new verifier what the good machine is made of.
    fn start_verifier(&mut self, folder: &Path) -> anyhow::Result<()> {
        let TpmServer::Evtpm { program, firmware } = self.server else { return Ok(()) };
        renew(folder)?;
        let good = SCENARIOS.iter().find(|scenario| scenario.name == scenario::GOOD).context("no good scenario")?;
        let address = verifier::free_address()?;
        let files = image::Image::new(self.kernel, self.programs, good, Some(address))?.files();
        let reference = Reference { firmware, command_line: good.command_line(), files: files.into_iter().collect() };
        self.verifier = Some((address, Verifier::start(program, folder, address, &reference)?));
        Ok(())
    }

    fn run(&self, scenario: &Scenario, folder: &Path) -> anyhow::Result<Results> {
        renew(folder)?;
        let address = self.verifier.as_ref().map(|(address, _)| *address);
        let mut image = image::Image::new(self.kernel, self.programs, scenario, address)?;
        if let Some((_, verifier)) = &self.verifier {
            image.add(verifier::CA, verifier.ca()?);
        }
        image.write(&folder.join(machine::INITRD))?;
        let server = self.server.start(folder)?;
        let timings = Machine::boot(self.settings, self.kernel, &scenario.command_line(), folder, None)?;
        drop(server);
        println!("{:<22} booted in {timings}", scenario.name);
        Results::read(folder)
    }
}

/// An empty folder.
fn renew(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(())
}
