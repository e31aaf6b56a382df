// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the machine does between its boot and its power-off: written by the host, carried out by `init`.

use serde::{Deserialize, Serialize};

/// Where the plan lies in the initial file system.
pub const PATH: &str = "etc/plan.json";
/// The name of the virtio-serial port that takes the results.
pub const RESULTS_PORT: &str = "results";
/// What `init` prints on the console when it starts.
pub const STARTED: &str = "evtpm-vm: init has started";
/// The last file of the results: without it, the machine died before it was done.
pub const DONE: &str = "done";
/// Where the program that handles LUKS2 lies in the initial file system, if the machine has one.
pub const CRYPTSETUP: &str = "bin/cryptsetup";
/// The address of the host's loopback interface as the guest sees it (QEMU's user networking).
pub const HOST: &str = "10.0.2.2";

/// The order of a boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Kernel modules to load, in this order.
    pub modules: Vec<String>,
    /// Whether to bring up the network.
    pub network: bool,
    /// Programs to run, in this order.
    pub steps: Vec<Step>,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Names the files that hold what the program said: `NAME.out`, `NAME.err` and `NAME.status`, and how long
    /// it took: `NAME.seconds`.
    pub name: String,
    /// The program's path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether the next step starts when this path exists, while the program is still running, instead of at its end.
    pub ready_when: Option<String>,
}

impl Step {
    /// A program that the next step waits for.
    #[must_use]
    pub fn new(name: &str, program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name: name.to_owned(), program: program.to_owned(), arguments, ready_when: None }
    }

    /// The same program, but the next step starts as soon as `path` exists.
    #[must_use]
    pub fn ready_when(mut self, path: &str) -> Self {
        self.ready_when = Some(path.to_owned());
        self
    }
}
