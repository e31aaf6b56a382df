// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An e-vTPM for the agent, and the tenant's script that accepts it: `evtpm ek-check` with a policy of one measurement.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use super::config::SCRIPT;
use super::world::{Process, Tpm};
use crate::foreign::servers::neighbouring_ports;
use crate::shell::output;

/// Nothing trusts this root unless it is told to.
const ROOT: &str = "SIMULATED ARK-Milan";
/// `TPM2_Startup(CLEAR)`, which a machine's firmware sends.
const STARTUP: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];

/// Boots a machine with an e-vTPM, and writes the script that knows its measurement.
pub(super) fn boot(evtpm: &Path, folder: &Path) -> anyhow::Result<(u16, Tpm)> {
    let port = neighbouring_ports()?;
    let (data, control) = (format!("tcp:127.0.0.1:{port}"), format!("tcp:127.0.0.1:{}", port + 1));
    let mut serve = Command::new(evtpm);
    serve.args(["tpm", "serve", "--svsm", "--power-on", "--swtpm", &format!("{control},{data}")]);
    let process = Process::start(&mut serve, &folder.join("tpm.log"))?.listening_on(port + 1)?;
    start_up(port)?;

    std::fs::write(folder.join("root.pem"), output(Command::new(evtpm).args(["sp", "root"]))?)?;
    output(Command::new(evtpm).args(["sp", "certificates"]).arg(folder.join("collateral")))?;
    write_script(evtpm, folder, output(Command::new(evtpm).arg("measure"))?.trim())?;
    Ok((port, Tpm::Evtpm(process)))
}

/// Writes the script, and the policy of the one measurement that it accepts.
pub(super) fn write_script(evtpm: &Path, folder: &Path, measurement: &str) -> anyhow::Result<()> {
    let policy = format!(
        "version = 1\nname = \"e-vTPM\"\n\n[snp]\nmeasurements = [\"{measurement}\"]\nsimulated = [\"{ROOT}\"]\n"
    );
    std::fs::write(folder.join("ek-policy.toml"), policy)?;
    let (evtpm, folder) = (evtpm.display(), folder);
    let here = folder.display();
    let script = format!(
        "#!/bin/sh\nexec '{evtpm}' ek-check --policy '{here}/ek-policy.toml' --certificates '{here}/collateral' \
         --trust-simulated '{ROOT}={here}/root.pem'\n"
    );
    let path = folder.join(SCRIPT);
    std::fs::write(&path, script)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

fn start_up(port: u16) -> anyhow::Result<()> {
    let mut tpm = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tpm.write_all(&STARTUP)?;
    let mut response = [0; 10];
    tpm.read_exact(&mut response)?;
    ensure!(response[6..] == [0; 4], "TPM2_Startup: {response:02x?}");
    Ok(())
}
