// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the program goes to the background, what it writes down, and what ends it.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::host::{STARTUP, ask, connect, pass_descriptor, start};
use crate::state::{Folder, INIT, READ_PCR, SHUTDOWN, STARTUP_STATE, Server, bytes, number, succeeds};

/// Longer than any start takes, and shorter than the life of a program in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a program that goes to the background, and gives its exit code and everything that it said until nobody could say more.
fn in_background(arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_swtpm"))
        .args(["socket", "--tpm2", "-d"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut output, mut errors) = (program.stdout.take().unwrap(), program.stderr.take().unwrap());
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        errors.read_to_string(&mut text).unwrap();
        said.send(text).unwrap();
    });
    // A program that held the output of its caller would never let this end.
    let text = hears.recv_timeout(PATIENCE).unwrap();
    (program.wait().unwrap().code(), text)
}

/// The fields of `/proc/PID/stat` from the state on (proc(5)).
fn process(number: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap();
    let (_, fields) = text.rsplit_once(')').unwrap();
    fields.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn in_the_background_it_holds_nothing_of_its_caller_and_serves_at_once() {
    let folder = Folder::new("background");
    let (control, pid) = (folder.socket_option("ctrl"), format!("file={}", folder.file("pid").display()));
    assert_eq!(in_background(&["--ctrl", &control, "--pid", &pid]), (Some(0), String::new()));
    let number = std::fs::read_to_string(folder.file("pid")).unwrap();
    let fields = process(&number);
    assert_eq!(fields[3], number.trim(), "the process leads a session of its own");
    let mut control = UnixStream::connect(folder.file("ctrl")).unwrap();
    ask(&mut control, &bytes(&[INIT, 0]), &bytes(&[0]));
    ask(&mut control, &bytes(&[SHUTDOWN]), &bytes(&[0]));
}

#[test]
fn in_the_background_a_tpm_that_cannot_begin_is_a_failure() {
    let folder = Folder::new("background-fails");
    std::fs::write(folder.file("tpm2-00.permall"), b"no state").unwrap();
    let (state, socket) = (folder.state_option(), folder.socket_option("data"));
    let arguments = ["--tpmstate", &state, "--server", &socket, "--flags", "startup-clear"];
    let (code, said) = in_background(&arguments);
    assert_eq!(code, Some(1));
    assert!(said.contains("powering the TPM on") && said.contains("tpm2-00.permall"), "{said}");
    assert!(!folder.file("data").exists());

    let log = format!("file={}", folder.file("log").display());
    let (code, said) = in_background(&[&arguments[..], &["--log", &log]].concat());
    assert_eq!(code, Some(1));
    assert!(!said.contains("tpm2-00.permall"), "{said}");
    let logged = std::fs::read_to_string(folder.file("log")).unwrap();
    assert!(logged.contains("powering the TPM on") && logged.contains("tpm2-00.permall"), "{logged}");
}

#[test]
fn the_log_has_the_reason_of_an_init_that_fails() {
    let folder = Folder::new("log");
    std::fs::write(folder.file("tpm2-00.permall"), b"no state").unwrap();
    let log = format!("file={}", folder.file("log").display());
    let mut server = Server::start(&folder, &["--log", &log]);
    assert_eq!(server.control(&[INIT, 0]), 0x101);
    let logged = std::fs::read_to_string(folder.file("log")).unwrap();
    assert!(logged.contains("CMD_INIT") && logged.contains("tpm2-00.permall"), "{logged}");
    server.end();
}

#[test]
fn a_startup_that_the_tpm_refuses_leaves_the_program_serving() {
    let folder = Folder::new("startup");
    let (state, socket) = (folder.state_option(), folder.socket_option("data"));
    let arguments = ["--tpm2", "--tpmstate", &state, "--server", &socket, "--terminate", "--flags", "startup-state"];
    // A TPM that was just made has nothing to go on from; the second time there is what the end of the first one saved.
    for answer in [[0, 0, 0, 0], [0, 0, 0x01, 0x00]] {
        let mut program = start(&arguments);
        let mut data = connect(|| UnixStream::connect(folder.file("data")));
        ask(&mut data, &STARTUP, &[&[0x80, 1, 0, 0, 0, 10][..], &answer].concat());
        drop(data);
        assert!(program.wait().unwrap().success());
    }
}

#[test]
fn a_data_connection_that_was_passed_ends_the_program_when_it_is_to() {
    let folder = Folder::new("terminate");
    let option = folder.socket_option("ctrl");
    let mut program = start(&["--tpm2", "--ctrl", &option, "--terminate"]);
    let mut control = connect(|| UnixStream::connect(folder.file("ctrl")));
    let (data, theirs) = UnixStream::pair().unwrap();
    pass_descriptor(&control, &theirs);
    drop(theirs);
    ask(&mut control, &[], &bytes(&[0]));
    drop(data);
    assert!(program.wait().unwrap().success());
    assert!(!folder.file("ctrl").exists());
}

#[test]
fn a_second_data_connection_is_refused_while_there_is_one() {
    let folder = Folder::new("second");
    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.control(&[INIT, 0]), 0);
    assert_eq!(number(&server.pass_data()), 0x1f);
    assert!(succeeds(&server.command(&STARTUP)));
    server.drop_data();
    assert_eq!(number(&server.pass_data()), 0);
    assert!(succeeds(&server.command(&READ_PCR)));
    server.end();
}

#[test]
fn the_next_program_may_start_as_soon_as_the_end_is_answered() {
    let folder = Folder::new("at-once");
    let mut first = Server::start(&folder, &[]);
    assert_eq!(first.control(&[INIT, 0]), 0);
    assert!(succeeds(&first.command(&STARTUP)));
    assert_eq!(first.control(&[SHUTDOWN]), 0);
    let mut second = Server::start(&folder, &[]);
    assert_eq!(second.control(&[INIT, 0]), 0);
    assert!(succeeds(&second.command(&STARTUP_STATE)), "the first one was shut down in good order");
    second.end();
    first.ends();
}
