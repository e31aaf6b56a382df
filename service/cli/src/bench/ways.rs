// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to a TPM: the SVSM's call, the engine, and two servers in processes of their own.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use evtpm_client::{Transport, TransportError};
use evtpm_snp::PAGE_SIZE;
use evtpm_sp_sim::{Platform, Product};
use evtpm_svsm_abi::vtpm::{self, SendCommand};
use evtpm_svsm_abi::{Call, Protocol, Registers, ResultCode};

use crate::launch::{self, Image};
use crate::software_tpm::SoftwareTpm;
use crate::vm::{Memory, Vm};

/// How the rows of swtpm are called.
pub(crate) const SWTPM: &str = "swtpm, unix socket";

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to a TPM that nobody has used yet.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) transport: Box<dyn Transport>,
}

/// Opens every way that there is, with a TPM of its own at each end; and says which there are not.
pub(crate) fn open(swtpm: Option<&str>) -> Result<(Vec<Way>, Vec<String>)> {
    let mut ways = vec![
        Way { name: "SVSM call", transport: Box::new(Guest::boot()?) },
        Way { name: "engine in process", transport: Box::new(SoftwareTpm::new()?) },
        Way { name: "evtpm, unix socket", transport: Box::new(Server::ours()?) },
    ];
    let mut skipped = Vec::new();
    match swtpm {
        None => skipped.push(format!("{SWTPM}: --swtpm none")),
        Some(program) => match Server::swtpm(program) {
            Ok(server) => ways.push(Way { name: SWTPM, transport: Box::new(server) }),
            Err(error) => skipped.push(format!("{SWTPM}: {error:#}")),
        },
    }
    Ok((ways, skipped))
}

/// A guest of a simulated machine, whose VMPL 0 is an SVSM with a TPM, and the memory that its calls point to.
struct Guest {
    vm: Vm,
    memory: Memory,
}

/// Where the guest has the page of its calls.
const PAGE: usize = 0x3000;

impl Guest {
    fn boot() -> Result<Self> {
        let executable = crate::sp::this_executable()?;
        let host = launch::host(Platform::new(Product::Milan, crate::sp::CHIP_SEED))?;
        let vm = Vm::launch(host, &Image::new(&executable))?;
        Ok(Guest { vm, memory: Memory(vec![0; PAGE + PAGE_SIZE]) })
    }
}

impl Transport for Guest {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        let page = &mut self.memory.0[PAGE..];
        SendCommand { locality: 0, tpm_command: command }.write(page).map_err(TransportError::new)?;
        let call = Call { protocol: Protocol::VTPM, number: vtpm::CALL_CMD };
        let mut registers = Registers { rax: call.to_rax(), rcx: PAGE as u64, ..Registers::default() };
        self.vm.svsm().call(&mut registers, &mut self.memory);
        if registers.rax != ResultCode::SUCCESS.0 {
            return Err(TransportError::new(ResultCode(registers.rax).to_string()));
        }
        let answer = vtpm::parse_response(&self.memory.0[PAGE..]).map_err(TransportError::new)?;
        response.clear();
        response.extend_from_slice(answer);
        Ok(())
    }
}

/// A program in a process of its own and its folder; both end with this value.
struct Running {
    process: Child,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; whatever stays behind is below the folder for temporary files.
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A connection to a server that runs as long as it.
struct Server {
    stream: UnixStream,
    _running: Running,
}

impl Server {
    /// Starts this program's server.
    fn ours() -> Result<Self> {
        let program = std::env::current_exe().context("finding this executable")?;
        Self::start(&program, "evtpm", |command, folder, data| {
            let control = folder.join("control");
            let channels = format!("unix:{},unix:{}", control.display(), data.display());
            command.args(["tpm", "serve", "--profile", "svsm", "--power-on", "--swtpm", &channels]);
        })
    }

    /// Starts an swtpm.
    fn swtpm(program: &str) -> Result<Self> {
        Self::start(Path::new(program), "swtpm", |command, folder, data| {
            command
                .args(["socket", "--tpm2", "--flags", "not-need-init"])
                .args(["--server", &format!("type=unixio,path={}", data.display())])
                .args(["--tpmstate", &format!("dir={}", folder.display())]);
        })
    }

    /// Starts a program whose arguments depend on its folder and on the socket that it is to listen on.
    fn start(program: &Path, name: &str, arguments: impl FnOnce(&mut Command, &Path, &Path)) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("evtpm-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let data = folder.join("data");
        let mut command = Command::new(program);
        arguments(&mut command, &folder, &data);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = match spawned {
            Ok(process) => process,
            Err(error) => {
                drop(std::fs::remove_dir_all(&folder));
                return Err(error).with_context(|| format!("starting {}", program.display()));
            }
        };
        let running = Running { process, folder };
        let started = Instant::now();
        loop {
            match UnixStream::connect(&data) {
                Ok(stream) => return Ok(Server { stream, _running: running }),
                Err(error) if started.elapsed() > PATIENCE => {
                    return Err(error).with_context(|| format!("{} does not answer", program.display()));
                }
                Err(_) => sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Transport for Server {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        self.stream.write_all(command).map_err(TransportError::new)?;
        let mut buffer = [0; PAGE_SIZE];
        response.clear();
        loop {
            let read = self.stream.read(&mut buffer).map_err(TransportError::new)?;
            if read == 0 {
                return Err(TransportError::new("the server closed the connection"));
            }
            response.extend_from_slice(&buffer[..read]);
            let size = response.get(2..6).and_then(|size| size.try_into().ok()).map(u32::from_be_bytes);
            if size.is_some_and(|size| response.len() >= size as usize) {
                return Ok(());
            }
        }
    }
}
