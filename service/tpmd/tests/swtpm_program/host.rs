// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a host does with the program: starts it, connects, asks, passes a descriptor.

use std::fmt::Display;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

pub(crate) const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];
pub(crate) const READ_CLOCK: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 0x01, 0x81];

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says whether a program is installed; a test that needs it is skipped otherwise.
pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

pub(crate) fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_swtpm")).arg("socket").args(arguments).spawn().unwrap()
}

/// Tries until it succeeds.
pub(crate) fn patiently<T, E: Display>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn connect<S>(connect: impl Fn() -> std::io::Result<S>) -> S {
    patiently(connect)
}

pub(crate) fn ask(stream: &mut (impl Read + Write), request: &[u8], answer: &[u8]) {
    stream.write_all(request).unwrap();
    let mut bytes = vec![0; answer.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, answer, "{request:02x?}");
}

pub(crate) fn pass_descriptor(control: &UnixStream, descriptor: &UnixStream) {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let request = [0, 0, 0, 0x10];
    assert_eq!(sendmsg(control, &[IoSlice::new(&request)], &mut ancillary, SendFlags::empty()), Ok(4));
}
