// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `swtpm` as a host starts it: its command line, its sockets, its end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod ends;
mod host;
mod qemu;
mod state;
mod suite;
mod tools;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use host::{READ_CLOCK, STARTUP, ask, connect, pass_descriptor, start};

#[test]
fn qemu_finds_its_tpm_and_ends_it() {
    let folder = std::env::temp_dir().join(format!("evtpm-swtpm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ctrl");
    let control_option = format!("type=unixio,path={}", path.display());
    let mut program = start(&["--tpm2", "--ctrl", &control_option]);
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
