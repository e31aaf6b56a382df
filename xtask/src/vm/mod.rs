// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask vm`: QEMU boots OVMF and a stock Debian kernel with IMA over a vTPM; then what was measured is looked at.

mod image;
mod kernel;
mod machine;
mod results;
mod scenario;
mod tpm_server;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::arguments::Arguments;
use crate::shell::Workspace;
use machine::Machine;
use results::Results;
use scenario::{SCENARIOS, Scenario};
use tpm_server::TpmServer;

const HELP: &str = "\
usage: cargo xtask vm [OPTION]…

  --list             print the scenarios
  --only NAME        boot this scenario only (may be repeated; `good` is always booted, since others are compared with it)
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
        return Ok(());
    }
    let only = arguments.values("--only")?;
    if let Some(unknown) = only.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name)) {
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
    let mut good = None;
    let mut failed = Vec::new();
    for scenario in SCENARIOS {
        let is_reference = scenario.name == scenario::GOOD;
        if !(is_reference || only.is_empty() || only.iter().any(|name| name == scenario.name)) {
            continue;
        }
        let boot = Boot { kernel: &kernel, settings: &settings, server: &server, programs: &programs };
        let results = boot.run(scenario, &folder.join(scenario.name)).with_context(|| scenario.name)?;
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
}

impl Boot<'_> {
    fn run(&self, scenario: &Scenario, folder: &std::path::Path) -> anyhow::Result<Results> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        image::write(&folder.join(machine::INITRD), self.kernel, self.programs, scenario)?;
        let server = self.server.start(folder)?;
        let timings = Machine::boot(self.settings, self.kernel, &scenario.command_line(), folder)?;
        drop(server);
        println!("{:<22} booted in {timings}", scenario.name);
        Results::read(folder)
    }
}
