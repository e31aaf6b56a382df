// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to a TPM that are measured: libtpms and our engine in this process, and two servers behind sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use evtpm_engine::{Execution, Locality, Profile, Tpm};
use evtpm_testing_differential::libtpms::Libtpms;
use evtpm_testing_support::{Noise, TestPlatform};

const PATIENCE: Duration = Duration::from_secs(10);
/// No response of any of these TPMs is longer.
const RESPONSE_SIZE: usize = 4096;

/// A way to a TPM.
pub(crate) trait Way {
    /// Sends a command, which may be overwritten, and replaces `answer` by the response.
    fn send(&mut self, command: &mut [u8], answer: &mut Vec<u8>) -> Result<()>;
}

impl Way for Libtpms {
    fn send(&mut self, command: &mut [u8], answer: &mut Vec<u8>) -> Result<()> {
        Ok(self.execute(0, command, answer)?)
    }
}

/// Our engine in this process.
pub(crate) struct Engine {
    tpm: Tpm<TestPlatform>,
    /// As long-lived as the buffer of libtpms.
    response: [u8; RESPONSE_SIZE],
}

impl Engine {
    pub(crate) fn manufacture() -> Result<Self> {
        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(1)), Profile::pc_client())?;
        Ok(Self { tpm, response: [0; RESPONSE_SIZE] })
    }
}

impl Way for Engine {
    fn send(&mut self, command: &mut [u8], answer: &mut Vec<u8>) -> Result<()> {
        let Execution::Response(size) = self.tpm.execute(Locality::ZERO, command, &mut self.response) else {
            bail!("nobody defined an EK certificate");
        };
        answer.clear();
        answer.extend_from_slice(self.response.get(..size).context("a response longer than its buffer")?);
        Ok(())
    }
}

/// A server in a process of its own, with its state in a folder, and a connection to it; both end with this value.
pub(crate) struct Server {
    process: Child,
    stream: UnixStream,
    folder: PathBuf,
}

impl Server {
    /// Starts a program that is called like swtpm.
    pub(crate) fn start(program: &Path, name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("evtpm-speed-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let socket = folder.join("data");
        let process = Command::new(program)
            .args(["socket", "--tpm2", "--flags", "not-need-init"])
            .args(["--server", &format!("type=unixio,path={}", socket.display())])
            .args(["--tpmstate", &format!("dir={}", folder.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let started = Instant::now();
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if started.elapsed() > PATIENCE => {
                    return Err(error).with_context(|| format!("{} does not answer", program.display()));
                }
                Err(_) => sleep(Duration::from_millis(2)),
            }
        };
        Ok(Self { process, stream, folder })
    }
}

impl Way for Server {
    fn send(&mut self, command: &mut [u8], answer: &mut Vec<u8>) -> Result<()> {
        self.stream.write_all(command)?;
        let mut response = [0; RESPONSE_SIZE];
        let mut filled = 0;
        loop {
            let read = self.stream.read(response.get_mut(filled..).unwrap_or_default())?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let size = response.get(2..6).and_then(|size| size.try_into().ok()).map(u32::from_be_bytes);
            if filled >= 10 && size.is_some_and(|size| filled >= size as usize) {
                break;
            }
        }
        answer.clear();
        answer.extend_from_slice(response.get(..filled).unwrap_or_default());
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; whatever stays behind is below the folder for temporary files.
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
