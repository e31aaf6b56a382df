// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A software TPM of somebody else (`swtpm` from PATH) for the tests of the client.
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use evtpm_client::{Client, Transport, TransportError};
use evtpm_crypto::{EntropyError, Rng};
use evtpm_tpm_wire::TpmSu;

/// A running `swtpm` with a state of its own, which ends with the value.
pub(crate) struct SoftwareTpm {
    process: Child,
    directory: PathBuf,
    stream: UnixStream,
    /// A bit of each following response to flip, by its position from the end.
    pub(crate) flip_from_end: Option<usize>,
}

/// Starts a TPM, or returns `None` (and says so) where there is no `swtpm`.
pub(crate) fn client() -> Option<Client<SoftwareTpm, TestRng>> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("evtpm-client-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = directory.join("data");
    let started = Command::new("swtpm")
        .arg("socket")
        .args(["--tpm2", "--flags", "not-need-init", "--tpmstate"])
        .arg(format!("dir={}", directory.display()))
        .arg("--server")
        .arg(format!("type=unixio,path={}", socket.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(process) = started else {
        eprintln!("skipped: no swtpm in PATH");
        return None;
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > deadline => panic!("swtpm does not listen: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let tpm = SoftwareTpm { process, directory, stream, flip_from_end: None };
    let mut client = Client::new(tpm, TestRng(1));
    client.startup(TpmSu::Clear).unwrap();
    Some(client)
}

impl Transport for SoftwareTpm {
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Result<(), TransportError> {
        self.stream.write_all(command).map_err(TransportError::new)?;
        response.resize(10, 0);
        self.stream.read_exact(response).map_err(TransportError::new)?;
        let size = u32::from_be_bytes([response[2], response[3], response[4], response[5]]);
        response.resize(usize::try_from(size).map_err(TransportError::new)?, 0);
        self.stream.read_exact(&mut response[10..]).map_err(TransportError::new)?;
        if let Some(position) = self.flip_from_end {
            let position = response.len() - position;
            response[position] ^= 1;
        }
        Ok(())
    }
}

impl Drop for SoftwareTpm {
    fn drop(&mut self) {
        // The test has its result; a process or folder that is gone already is no failure.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A generator whose bytes are known: xorshift from a number.
pub(crate) struct TestRng(pub(crate) u64);

impl Rng for TestRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_be_bytes()[3];
        }
        Ok(())
    }
}
