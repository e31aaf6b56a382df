// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One boot in QEMU, from start to power-off, within a time limit.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use evtpm_vm::plan;

use super::kernel::Kernel;
use super::tpm_server::SOCKET;

/// Names in a boot's folder.
pub(crate) const INITRD: &str = "initrd.cpio";
pub(crate) const RESULTS: &str = "results.cpio";
const SERIAL: &str = "serial.log";
/// 512 MiB are enough for a kernel, our programs and thousands of measurements.
const MEMORY: &str = "512";

/// What the user may choose.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) firmware: PathBuf,
    pub(crate) accelerator: String,
    pub(crate) limit: Duration,
}

/// How long the parts of a boot took.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    init: Option<Duration>,
    end: Duration,
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.end.as_secs_f64())?;
        self.init.map_or(Ok(()), |init| write!(f, " (init after {:.1} s)", init.as_secs_f64()))
    }
}

/// A running QEMU; it ends with this value.
#[derive(Debug)]
pub(crate) struct Machine(Child);

impl Machine {
    /// Boots, waits for the power-off, and says how long it took.
    pub(crate) fn boot(
        settings: &Settings,
        kernel: &Kernel,
        command_line: &str,
        folder: &Path,
        disk: Option<&Path>,
    ) -> anyhow::Result<Timings> {
        let log = File::create(folder.join("qemu.log"))?;
        let mut command = Command::new("qemu-system-x86_64");
        command.args(arguments(settings)).arg("-kernel").arg(kernel.image()).args([
            "-initrd",
            INITRD,
            "-append",
            command_line,
        ]);
        if let Some(disk) = disk {
            command.arg("-drive").arg(format!("if=none,id=disk,format=raw,file={}", disk.display()));
            command.args(["-device", "virtio-blk-pci,drive=disk"]);
        }
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let start = Instant::now();
        let mut machine = Self(command.spawn().context("start qemu-system-x86_64")?);
        let mut timings = Timings::default();
        loop {
            sleep(Duration::from_millis(50));
            timings.end = start.elapsed();
            let console = || std::fs::read(folder.join(SERIAL)).unwrap_or_default();
            if timings.init.is_none() && contains(&console(), plan::STARTED.as_bytes()) {
                timings.init = Some(timings.end);
            }
            match machine.0.try_wait()? {
                Some(status) if status.success() => return Ok(timings),
                Some(status) => bail!("QEMU: {status} (see qemu.log)"),
                None if timings.end > settings.limit => {
                    bail!(
                        "still running after {:?}; the console ends with\n{}",
                        settings.limit,
                        last_lines(&console())
                    );
                }
                None => {}
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // After a power-off both calls only say that it has ended.
        let _already_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn arguments(settings: &Settings) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["-machine", "q35", "-accel", &settings.accelerator, "-cpu", "max", "-m", MEMORY]);
    add(&["-nodefaults", "-display", "none", "-no-reboot", "-serial", &format!("file:{SERIAL}")]);
    add(&["-bios", &settings.firmware.to_string_lossy()]);
    add(&["-chardev", &format!("socket,id=tpm,path={SOCKET}"), "-tpmdev", "emulator,id=tpm0,chardev=tpm"]);
    add(&["-device", "tpm-crb,tpmdev=tpm0"]);
    add(&["-device", "virtio-serial-pci", "-chardev", &format!("file,id=results,path={RESULTS}")]);
    add(&["-device", &format!("virtserialport,chardev=results,name={}", plan::RESULTS_PORT)]);
    // Without a ROM there is one thing less that the firmware measures and that depends on QEMU's build.
    add(&["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]);
    arguments
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn last_lines(console: &[u8]) -> String {
    let text = String::from_utf8_lossy(console);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}
