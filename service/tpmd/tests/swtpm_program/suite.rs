// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What swtpm's own test suite found in ours: how the program answers scripts, and what it keeps for whom.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output};

use evtpm_engine::Profile;

use crate::host::{STARTUP, start};
use crate::state::{Folder, INIT, STOP, STORE_VOLATILE, Server, bytes, number};

const GET_ESTABLISHED: u32 = 0x04;
const HASH_START: u32 = 0x06;
const HASH_DATA: u32 = 0x07;
const HASH_END: u32 = 0x08;
const SET_BUFFER_SIZE: u32 = 0x11;

/// `TPM2_GetCapability(TPM_CAP_TPM_PROPERTIES, TPM_PT_MAX_COMMAND_SIZE, 2)`.
const MESSAGE_SIZES: [u8; 22] = [0x80, 1, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, 6, 0, 0, 1, 0x1e, 0, 0, 0, 2];

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swtpm")).args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_interface_that_is_not_there_is_denied_in_swtpm_s_words() {
    for arguments in [&["chardev", "--help"][..], &["cuse"], &["toaster", "--tpm2"]] {
        let output = run(arguments);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(&format!("Unsupported TPM interface type '{}'.", arguments[0])), "{complaint}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_wrong_command_line_ends_with_code_1_and_help_with_0() {
    for (arguments, code) in [(&["socket", "--foo"][..], 1), (&[], 1), (&["socket", "--help"], 0), (&["--version"], 0)]
    {
        assert_eq!(run(arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn programs_find_a_tpm_emulator_by_its_version() {
    let version = printed(&["--version"]);
    assert!(version.starts_with(&format!("TPM emulator version {}, ", env!("CARGO_PKG_VERSION"))), "{version}");
}

/// docs/specs/tpm.rst of QEMU: "swtpm socket --tpmstate dir=... --ctrl type=unixio,path=... --log level=20 --tpm2".
#[test]
fn the_command_line_that_qemu_documents_is_taken() {
    let folder = Folder::new("documented");
    let state = folder.state_option();
    let control = folder.socket_option("ctrl");
    let program = start(&["--tpmstate", &state, "--ctrl", &control, "--log", "level=20", "--tpm2"]);
    let mut server = Server::connect(program, &folder.file("ctrl"));
    assert_eq!(server.control(&[INIT, 0]), 0);
    server.end();
}

#[test]
fn of_an_option_that_is_repeated_the_last_counts() {
    let folder = Folder::new("repeated");
    let (first, last) = (folder.socket_option("first"), folder.socket_option("last"));
    let program = start(&["--tpm2", "--tpm2", "--ctrl", &first, "--ctrl", &last]);
    let server = Server::connect(program, &folder.file("last"));
    assert!(!folder.file("first").exists());
    server.end();
}

#[test]
fn capabilities_and_states_are_spaced_as_scripts_expect_them() {
    let capabilities = printed(&["socket", "--tpm2", "--print-capabilities"]);
    assert!(
        capabilities.starts_with(
            r#"{ "type": "swtpm", "features": [ "tpm-2.0", "tpm-send-command-header", "flags-opt-startup", "#
        ),
        "{capabilities}"
    );
    assert!(capabilities.contains(
        r#""cmdarg-key-fd", "cmdarg-pwd-fd", "cmdarg-print-states", "nvram-backend-dir", "nvram-backend-file""#
    ));
    let sizes = Profile::pc_client().supported.rsa_key_bits;
    for bits in [1024, 2048, 3072, 4096] {
        assert_eq!(capabilities.contains(&format!("\"rsa-keysize-{bits}\"")), sizes.contains(bits), "{bits}");
    }
    serde_json::from_str::<serde_json::Value>(&capabilities).unwrap();

    let folder = Folder::new("states");
    let state = folder.state_option();
    let states = || printed(&["socket", "--tpm2", "--tpmstate", &state, "--print-states"]);
    assert_eq!(states(), "{ \"type\": \"swtpm\", \"states\": [] }\n");
    std::fs::write(folder.file("tpm2-00.permall"), [0; 7]).unwrap();
    assert_eq!(states(), "{ \"type\": \"swtpm\", \"states\": [ {\"name\": \"permall\", \"size\": 7} ] }\n");
    std::fs::write(folder.file("tpm2-00.volatilestate"), [0; 9]).unwrap();
    assert_eq!(
        states(),
        "{ \"type\": \"swtpm\", \"states\": [ {\"name\": \"permall\", \"size\": 7}, {\"name\": \"volatilestate\", \"size\": 9} ] }\n"
    );
}

#[test]
fn tpm_path_names_the_folder_where_tpmstate_does_not() {
    let (by_name, by_option) = (Folder::new("tpm-path"), Folder::new("tpm-path-not"));
    let option = by_option.state_option();
    for (more, kept, empty) in [(&[][..], &by_name, &by_option), (&["--tpmstate", &option], &by_option, &by_name)] {
        let control = format!("type=unixio,path={}.ctrl", by_name.path().display());
        let program = Command::new(env!("CARGO_BIN_EXE_swtpm"))
            .args(["socket", "--tpm2", "--ctrl", &control])
            .args(more)
            .env("TPM_PATH", by_name.path())
            .spawn()
            .unwrap();
        let mut server = Server::connect(program, &by_name.path().with_extension("ctrl"));
        assert_eq!(server.control(&[INIT, 0]), 0);
        assert!(kept.file("tpm2-00.permall").exists());
        assert!(!empty.file("tpm2-00.permall").exists());
        server.end();
        std::fs::remove_file(kept.file("tpm2-00.permall")).unwrap();
    }
}

#[test]
fn the_tpm_announces_the_buffer_that_its_host_has() {
    let folder = Folder::new("buffer");
    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.control(&[SET_BUFFER_SIZE, 3968]), 0);
    assert_eq!(server.control_answer(12), bytes(&[3968, 2808, 4096]));
    for _ in 0..2 {
        assert_eq!(server.control(&[INIT, 0]), 0);
        server.command(&STARTUP);
        let sizes = server.command(&MESSAGE_SIZES);
        assert_eq!(sizes[19..], bytes(&[0x11e, 3968, 0x11f, 3968]));
        assert_eq!(server.control(&[STOP]), 0);
    }
    server.end();
}

#[test]
fn the_establishment_bit_goes_on_with_a_volatile_state_and_not_without() {
    let folder = Folder::new("established");
    let mut server = Server::start(&folder, &[]);
    let established = |server: &mut Server| {
        assert_eq!(server.control(&[GET_ESTABLISHED]), 0);
        server.control_answer(4)[0]
    };
    assert_eq!(server.control(&[INIT, 0]), 0);
    server.command(&STARTUP);
    for request in [&[HASH_START][..], &[HASH_DATA, 4, number(b"1234")], &[HASH_END]] {
        assert_eq!(server.control(request), 0);
    }
    assert_eq!(established(&mut server), 1);
    assert_eq!(server.control(&[STORE_VOLATILE]), 0);
    server.kill();

    let mut server = Server::start(&folder, &[]);
    for expected in [1, 0] {
        assert_eq!(server.control(&[INIT, 0]), 0);
        assert_eq!(established(&mut server), expected);
    }
    server.end();
}

#[test]
fn a_passphrase_is_a_key_and_its_file_goes_when_asked_to() {
    let folder = Folder::new("passphrase");
    let key = |passphrase: &str, more: &str| {
        std::fs::write(folder.file("passphrase"), passphrase).unwrap();
        format!("pwdfile={},{more}", folder.file("passphrase").display())
    };
    for (passphrase, more, code) in [
        ("secret\n", "mode=aes-256-cbc,remove=true", 0),
        ("secret\n", "mode=aes-256-cbc,kdf=pbkdf2,remove=false", 0),
        ("secret", "mode=aes-256-cbc", 0x101),
        ("secret\n", "mode=aes-cbc", 0x101),
        ("secret\n", "mode=aes-256-cbc,kdf=sha512", 0x101),
    ] {
        let mut server = Server::start(&folder, &["--key", &key(passphrase, more)]);
        assert_eq!(server.control(&[INIT, 0]), code, "{more}");
        assert_eq!(folder.file("passphrase").exists(), !more.contains("remove=true"));
        server.end();
    }
    let refused = run(&["socket", "--tpm2", "-p", "0", "--tpmstate", "dir=/tmp", "--key", &key("secret", "kdf=rot13")]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("kdf=rot13"));
}

#[test]
fn runas_makes_everything_another_user_s() {
    let folder = Folder::new("runas");
    if std::fs::metadata(folder.path()).unwrap().uid() != 0 {
        eprintln!("skipped: only root may become somebody else");
        return;
    }
    std::os::unix::fs::chown(folder.path(), Some(65534), None).unwrap();
    let pid = format!("file={}", folder.file("pid").display());
    let mut server = Server::start(&folder, &["--runas", "65534", "--pid", &pid]);
    assert_eq!(server.control(&[INIT, 0]), 0);
    for name in ["pid", "ctrl", "tpm2-00.permall"] {
        let file = std::fs::metadata(folder.file(name)).unwrap();
        assert_eq!((file.uid(), file.gid()), (65534, 65534), "{name}");
    }
    // Every thread, not only the one that asked for it.
    for task in std::fs::read_dir(format!("/proc/{}/task", server.process())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Uid:\t65534\t65534\t65534\t65534\n"), "{status}");
    }
    server.end();
}
