// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sends files to the host through the virtio-serial port, as one archive.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use evtpm_vm::cpio::Writer;
use evtpm_vm::plan;
use rustix::fs::OFlags;

const PORTS: &str = "/sys/class/virtio-ports";
const SECURITY: &str = "/sys/kernel/security";
const TPM: &str = "/sys/class/tpm/tpm0";
const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];
const PCRS: u8 = 24;

pub(crate) struct Results {
    archive: Writer<File>,
}

impl Results {
    /// Finds the port by its name.
    pub(crate) fn open() -> anyhow::Result<Self> {
        for port in fs::read_dir(PORTS).context(PORTS)? {
            let port = port?;
            let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
            if name.trim() == plan::RESULTS_PORT {
                let device = PathBuf::from("/dev").join(port.file_name());
                let file =
                    OpenOptions::new().write(true).open(&device).with_context(|| device.display().to_string())?;
                return Ok(Self { archive: Writer::new(file) });
            }
        }
        bail!("no virtio-serial port is called {:?}", plan::RESULTS_PORT)
    }

    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        self.archive.file(name, 0o644, content).with_context(|| format!("send {name}"))
    }

    /// The logs first, the PCRs right after them, so that no entry comes between; what the machine lacks is left out.
    pub(crate) fn measurements(&mut self) -> anyhow::Result<()> {
        self.copy("bios.bin", &format!("{SECURITY}/tpm0/binary_bios_measurements"))?;
        self.copy("ima.bin", &format!("{SECURITY}/ima/binary_runtime_measurements"))?;
        self.copy("ima.txt", &format!("{SECURITY}/ima/ascii_runtime_measurements"))?;
        for bank in BANKS {
            let mut values = String::new();
            for pcr in 0..PCRS {
                let Ok(value) = fs::read_to_string(format!("{TPM}/pcr-{bank}/{pcr}")) else { break };
                values.push_str(&format!("{pcr} {}\n", value.trim()));
            }
            self.add(&format!("pcr-{bank}.txt"), values.as_bytes())?;
        }
        self.copy("cmdline.txt", "/proc/cmdline")?;
        self.copy("version.txt", "/proc/version")?;
        let log = kernel_log()?;
        self.add("kernel.log", &log)
    }

    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.copy(plan::DONE, "/proc/uptime")?;
        self.archive.finish()?;
        Ok(())
    }

    fn copy(&mut self, name: &str, path: &str) -> anyhow::Result<()> {
        match fs::read(path) {
            Ok(content) => self.add(name, &content),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| path.to_owned()),
        }
    }
}

/// The records of `/dev/kmsg`: priority, number and time stand before each message.
fn kernel_log() -> anyhow::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits())?;
    let mut device = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg")?;
    let mut log = Vec::new();
    let mut record = [0; 8192];
    loop {
        match device.read(&mut record) {
            Ok(size) => log.extend_from_slice(record.get(..size).unwrap_or_default()),
            // "EPIPE": the record was overwritten before we read it; the next read goes on with the oldest.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(log),
            Err(error) => return Err(error).context("/dev/kmsg"),
        }
    }
}
