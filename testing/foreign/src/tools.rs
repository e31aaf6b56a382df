// SPDX-License-Identifier: Apache-2.0 OR MIT
//! tpm2-tools in a folder of their own, against a server of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::scratch;

/// The tools, the server they talk to, and the files they leave to each other.
#[derive(Debug)]
pub struct Tools {
    tcti: String,
    folder: PathBuf,
}

/// Says whether the tools are installed; a test that needs them is skipped otherwise.
#[must_use]
pub fn installed() -> bool {
    let found = Command::new("tpm2").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: tpm2-tools are not installed");
    }
    found
}

impl Tools {
    /// Takes a server by its TCTI, such as `swtpm:host=127.0.0.1,port=2321`.
    #[must_use]
    pub fn new(tcti: String) -> Self {
        Self { tcti, folder: scratch("tools") }
    }

    /// Runs one tool, given as on a command line, and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, line: &str) -> String {
        match self.attempt(line) {
            Ok(output) => output,
            Err(error) => panic!("tpm2 {line}\n{error}"),
        }
    }

    /// Runs one tool that must fail, and returns its complaint.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn refuse(&self, line: &str) -> String {
        match self.attempt(line) {
            Ok(output) => panic!("tpm2 {line} succeeded\n{output}"),
            Err(error) => error,
        }
    }

    fn attempt(&self, line: &str) -> Result<String, String> {
        let output = Command::new("tpm2")
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .env("TPM2TOOLS_TCTI", &self.tcti)
            .output()
            .expect("tpm2 runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
        }
    }

    /// Returns the path of a file that the tools see by its name alone.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file for the tools.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    /// Reads a file that a tool wrote.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        // Whatever stays behind is in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
