// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `swtpm` as a host starts it: its command line, its sockets, its end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];
const READ_CLOCK: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 0x01, 0x81];

/// How long the program may take to open its sockets.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_swtpm")).arg("socket").args(arguments).spawn().unwrap()
}

fn connect<S>(connect: impl Fn() -> std::io::Result<S>) -> S {
    let begun = Instant::now();
    loop {
        match connect() {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ask(stream: &mut (impl Read + Write), request: &[u8], answer: &[u8]) {
    stream.write_all(request).unwrap();
    let mut bytes = vec![0; answer.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, answer, "{request:02x?}");
}

fn pass_descriptor(control: &UnixStream, descriptor: &UnixStream) {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let request = [0, 0, 0, 0x10];
    assert_eq!(sendmsg(control, &[IoSlice::new(&request)], &mut ancillary, SendFlags::empty()), Ok(4));
}

#[test]
fn qemu_finds_its_tpm_and_ends_it() {
    let folder = std::env::temp_dir().join(format!("evtpm-swtpm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ctrl");
    let control_option = format!("type=unixio,path={}", path.display());
    let state = format!("dir={}", folder.display());
    let mut program = start(&["--tpm2", "--tpmstate", &state, "--ctrl", &control_option]);
    let mut control = connect(|| UnixStream::connect(Path::new(&path)));

    let (mut data, theirs) = UnixStream::pair().unwrap();
    pass_descriptor(&control, &theirs);
    drop(theirs);
    ask(&mut control, &[], &[0; 4]);
    // Before INIT QEMU asks once, to see by the tag which version it is.
    ask(&mut data, &READ_CLOCK, &[0x80, 1, 0, 0, 0, 10, 0, 0, 0x01, 0x01]);
    ask(&mut control, &[0, 0, 0, 0x01], &[0, 0, 0, 0, 0, 0, 0xfc, 0xbf]);
    ask(&mut control, &[0, 0, 0, 0x0e], &[0; 4]);
    ask(
        &mut control,
        &[0, 0, 0, 0x11, 0, 0, 0x0f, 0x80],
        &[0, 0, 0, 0, 0, 0, 0x0f, 0x80, 0, 0, 0x0a, 0xf8, 0, 0, 0x10, 0],
    );
    ask(&mut control, &[0, 0, 0, 0x02, 0, 0, 0, 0], &[0; 4]);
    ask(&mut control, &[0, 0, 0, 0x04], &[0; 8]);
    ask(&mut control, &[0, 0, 0, 0x05, 0, 0, 0, 0], &[0; 4]);
    ask(&mut data, &STARTUP, &[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0]);
    ask(&mut control, &[0, 0, 0, 0x03], &[0; 4]);

    assert!(program.wait().unwrap().success());
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "the program left {left:?} behind");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_tcp_client_needs_no_control_channel() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("type=tcp,port={port}");
    let mut program = start(&["--tpm2", "--server", &server, "--flags", "not-need-init", "--terminate"]);
    let mut data = connect(|| TcpStream::connect(("127.0.0.1", port)));
    ask(&mut data, &STARTUP, &[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0]);
    drop(data);
    assert!(program.wait().unwrap().success());
}
