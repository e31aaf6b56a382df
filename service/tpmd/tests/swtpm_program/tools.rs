// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's swtpm-tools at work on our program: `swtpm_setup` manufactures a TPM, `swtpm_ioctl` controls it.
//! docs/foreign/clients.md has the results of all clients.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use crate::host::{ask, connect, is_installed, start};
use crate::state::Folder;

#[test]
fn swtpm_setup_manufactures_keys_and_banks_that_are_there_afterwards() {
    if !is_installed("swtpm_setup") {
        return;
    }
    let folder = Folder::new("setup");
    let (state, configuration) = (folder.file("state"), folder.file("swtpm_setup.conf"));
    std::fs::create_dir(&state).unwrap();
    std::fs::write(&configuration, "").unwrap();
    let setup = Command::new("swtpm_setup")
        .args(["--tpm2", "--createek", "--ecc", "--lock-nvram", "--pcr-banks", "sha256,sha384"])
        .args(["--tpm", &format!("{} socket", env!("CARGO_BIN_EXE_swtpm"))])
        .arg("--tpmstate")
        .arg(&state)
        .arg("--config")
        .arg(&configuration)
        .output()
        .unwrap();
    assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));

    let socket = folder.file("data");
    let mut program = start(&[
        "--tpm2",
        "--tpmstate",
        &format!("dir={}", state.display()),
        "--server",
        &format!("type=unixio,path={}", socket.display()),
        "--flags",
        "startup-clear",
        "--terminate",
    ]);
    let mut data = connect(|| UnixStream::connect(&socket));
    // GetCapability(TPM_CAP_HANDLES, 81000000, 8): the RSA key and the ECC key.
    let handles = [0x80, 1, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, 1, 0x81, 0, 0, 0, 0, 0, 0, 8];
    let answer = [0x80, 1, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x81, 1, 0, 1, 0x81, 1, 0, 0x16];
    ask(&mut data, &handles, &answer);
    // PCR_Read of PCR 0 in SHA-1, SHA-256 and SHA-384: the first bank is no longer there.
    let read =
        [&[0x80, 1, 0, 0, 0, 32, 0, 0, 0x01, 0x7e, 0, 0, 0, 3][..], &select(4), &select(11), &select(12)].concat();
    data.write_all(&read).unwrap();
    let mut answer = [0; 124];
    data.read_exact(&mut answer).unwrap();
    // What stands before is the header and a counter of changes.
    let selected =
        [&[0, 0, 0, 3][..], &none(4), &select(11), &select(12), &[0, 0, 0, 2, 0, 32], &[0; 32], &[0, 48], &[0; 48]];
    assert_eq!(answer[14..], selected.concat());
    drop(data);
    assert!(program.wait().unwrap().success());
}

/// A `TPMS_PCR_SELECTION` of PCR 0.
fn select(algorithm: u8) -> [u8; 6] {
    [0, algorithm, 3, 1, 0, 0]
}

/// A `TPMS_PCR_SELECTION` of nothing.
fn none(algorithm: u8) -> [u8; 6] {
    [0, algorithm, 3, 0, 0, 0]
}

/// Runs `swtpm_ioctl`, and returns what it printed and whether it succeeded.
fn control(socket: &Path, arguments: &[&str]) -> (String, bool) {
    let output = Command::new("swtpm_ioctl").arg("--unix").arg(socket).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).trim_end().to_owned(), output.status.success())
}

#[test]
fn swtpm_ioctl_is_answered_as_by_the_swtpm_that_it_comes_with() {
    if !is_installed("swtpm_ioctl") {
        return;
    }
    let folder = Folder::new("ioctl");
    let (socket, pid) = (folder.file("control"), folder.file("pid"));
    let option = format!("type=unixio,path={}", socket.display());
    let mut program = start(&["--tpm2", "--ctrl", &option, "--pid", &format!("file={}", pid.display())]);
    drop(connect(|| UnixStream::connect(&socket)));

    for (arguments, said, succeeds) in [
        (&["-e"][..], "TPM result from PTM_GET_TPMESTABLISHED: 0xa", false),
        (&["-b", "3000"], "TPM buffersize: 3000\nminimum size  : 2808\nmaximum size  : 4096", true),
        (&["-g"], "ptm configuration flags: 0x0", true),
        (&["-i"], "", true),
        (&["-e"], "tpmEstablished is 0", true),
        (&["-l", "4"], "", true),
        (&["-r", "0"], "TPM result from PTM_RESET_TPMESTABLISHED: 0x3d", false),
        (&["-h", "0123456789"], "", true),
        (&["-e"], "tpmEstablished is 1", true),
        (&["-r", "3"], "", true),
        (&["-C"], "", true),
        (&["--info", "4"], "{\"TPMFeatures\":{\"RSAKeySizes\":[1024,2048,3072,4096]}}", true),
        (&["--info", "0x20"], "{}", true),
        (&["--stop"], "", true),
        (&["-s"], "", true),
    ] {
        assert_eq!(control(&socket, arguments), (said.to_owned(), succeeds), "{arguments:?}");
    }
    assert!(program.wait().unwrap().success());
    assert!(!socket.exists() && !pid.exists());
}

#[test]
fn whoever_ends_it_by_a_signal_finds_no_files_left() {
    let folder = Folder::new("signal");
    let (socket, pid) = (folder.file("control"), folder.file("pid"));
    let option = format!("type=unixio,path={}", socket.display());
    let mut program = start(&["--tpm2", "--ctrl", &option, "--pid", &format!("file={}", pid.display())]);
    drop(connect(|| UnixStream::connect(&socket)));
    let number = std::fs::read_to_string(&pid).unwrap();
    assert!(Command::new("kill").arg(number.trim()).status().unwrap().success());
    assert!(program.wait().unwrap().success());
    assert!(!socket.exists() && !pid.exists());
}
