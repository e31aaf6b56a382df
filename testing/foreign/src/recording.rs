// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Recordings of whole boots against another TPM: every control request and every command, with its answer.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A request and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// On the control channel.
    Control {
        /// The request.
        request: Vec<u8>,
        /// The answer.
        answer: Vec<u8>,
    },
    /// On the data channel.
    Tpm {
        /// The command.
        command: Vec<u8>,
        /// The response.
        response: Vec<u8>,
    },
}

/// One boot.
#[derive(Debug)]
pub struct Recording {
    /// The name of its folder.
    pub name: String,
    /// What happened, in order.
    pub exchanges: Vec<Exchange>,
}

/// Where other people's bytes are: `EVTPM_EVIDENCE`, or the folder beside the repository.
#[must_use]
pub fn evidence() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    std::env::var_os("EVTPM_EVIDENCE").map_or_else(default, PathBuf::from)
}

/// Finds the recordings, in the order of their names; there are none where there is no evidence.
#[must_use]
pub fn recordings() -> Vec<PathBuf> {
    let Ok(boots) = std::fs::read_dir(evidence().join("vm-boot")) else {
        return Vec::new();
    };
    let traces = boots.map(|boot| boot.unwrap().path().join("tpm.trace.xz"));
    let mut traces: Vec<PathBuf> = traces.filter(|path| path.exists()).collect();
    traces.sort();
    traces
}

impl Recording {
    /// Reads a `tpm.trace.xz`: lines of time, channel, request, answer and duration, bytes in hexadecimal.
    ///
    /// # Panics
    /// When the file cannot be read or holds something else.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(path).output().expect("xz runs");
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        Self { name: folder.to_string_lossy().into_owned(), exchanges: text.lines().map(exchange).collect() }
    }
}

fn exchange(line: &str) -> Exchange {
    let fields: Vec<&str> = line.split(' ').collect();
    match fields[..] {
        [_, "ctrl", request, answer, _] => Exchange::Control { request: bytes(request), answer: bytes(answer) },
        [_, "tpm", command, response, _] => Exchange::Tpm { command: bytes(command), response: bytes(response) },
        _ => panic!("neither a control request nor a command: {line}"),
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
