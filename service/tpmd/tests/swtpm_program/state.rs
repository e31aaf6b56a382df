// SPDX-License-Identifier: Apache-2.0 OR MIT
//! State that outlives the program, or goes to another one: as QEMU migrates a guest, and as swtpm_setup makes a TPM.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::host::{READ_CLOCK, STARTUP, connect, pass_descriptor, start};

/// A folder for one test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evtpm-state-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What `--tpmstate` says to keep the state here.
    pub(crate) fn state_option(&self) -> String {
        format!("dir={}", self.0.display())
    }

    /// What `--ctrl` and `--server` say to have a socket here.
    pub(crate) fn socket_option(&self, name: &str) -> String {
        format!("type=unixio,path={}", self.file(name).display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A running program with both channels.
pub(crate) struct Server {
    program: Child,
    control: UnixStream,
    data: UnixStream,
}

impl Server {
    pub(crate) fn start(folder: &Folder, more: &[&str]) -> Self {
        Self::with_state(&folder.state_option(), folder, more)
    }

    fn with_state(state: &str, folder: &Folder, more: &[&str]) -> Self {
        let control = folder.socket_option("ctrl");
        let program = start(&[&["--tpm2", "--tpmstate", state, "--ctrl", &control], more].concat());
        Self::connect(program, &folder.file("ctrl"))
    }

    /// Opens both channels of a program.
    pub(crate) fn connect(program: Child, path: &Path) -> Self {
        let control = connect(|| UnixStream::connect(path));
        let (data, _) = UnixStream::pair().unwrap();
        let mut server = Server { program, control, data };
        assert_eq!(server.pass_data(), [0; 4]);
        server
    }

    /// Passes one end of a new data connection, and uses the other where that was taken.
    pub(crate) fn pass_data(&mut self) -> Vec<u8> {
        let (data, theirs) = UnixStream::pair().unwrap();
        pass_descriptor(&self.control, &theirs);
        drop(theirs);
        let answer = self.control_answer(4);
        if answer == [0; 4] {
            self.data = data;
        }
        answer
    }

    /// Closes the data connection.
    pub(crate) fn drop_data(&mut self) {
        self.data.shutdown(std::net::Shutdown::Both).unwrap();
    }

    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }

    pub(crate) fn control_answer(&mut self, size: usize) -> Vec<u8> {
        let mut answer = vec![0; size];
        self.control.read_exact(&mut answer).unwrap();
        answer
    }

    /// Sends a control request and gives the result code.
    pub(crate) fn control(&mut self, words: &[u32]) -> u32 {
        self.control.write_all(&bytes(words)).unwrap();
        number(&self.control_answer(4))
    }

    pub(crate) fn command(&mut self, command: &[u8]) -> Vec<u8> {
        self.data.write_all(command).unwrap();
        let mut header = [0; 10];
        self.data.read_exact(&mut header).unwrap();
        let mut response = vec![0; number(&header[2..6]) as usize];
        response[..10].copy_from_slice(&header);
        self.data.read_exact(&mut response[10..]).unwrap();
        response
    }

    fn blob(&mut self, flags: u32, kind: u32) -> (u32, Vec<u8>) {
        assert_eq!(self.control(&[GET_STATEBLOB, flags, kind, 0]), 0);
        let header = self.control_answer(12);
        let (total, length) = (number(&header[4..8]), number(&header[8..12]));
        assert_eq!(total, length, "QEMU takes a blob at once");
        (number(&header[..4]), self.control_answer(length as usize))
    }

    /// Sends header and blob one after the other, as QEMU does.
    fn set_blob(&mut self, flags: u32, kind: u32, blob: &[u8]) -> u32 {
        self.control.write_all(&bytes(&[SET_STATEBLOB, flags, kind, blob.len() as u32])).unwrap();
        self.control.write_all(blob).unwrap();
        number(&self.control_answer(4))
    }

    pub(crate) fn end(mut self) {
        assert_eq!(self.control(&[SHUTDOWN]), 0);
        self.ends();
    }

    /// Waits until the program, which was asked to, has ended.
    pub(crate) fn ends(mut self) {
        assert!(self.program.wait().unwrap().success());
    }

    /// Takes the power away.
    pub(crate) fn kill(mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

const GET_CAPABILITY: u32 = 0x01;
pub(crate) const INIT: u32 = 0x02;
pub(crate) const SHUTDOWN: u32 = 0x03;
pub(crate) const STORE_VOLATILE: u32 = 0x0a;
const GET_STATEBLOB: u32 = 0x0c;
const SET_STATEBLOB: u32 = 0x0d;
pub(crate) const STOP: u32 = 0x0e;
const GET_CONFIG: u32 = 0x0f;
const DELETE_VOLATILE: u32 = 1;
const DECRYPTED: u32 = 1;
const ENCRYPTED: u32 = 2;
const PERMANENT: u32 = 1;
const VOLATILE: u32 = 2;
const SAVED: u32 = 3;

const BAD_ORDINAL: u32 = 0x0a;
const FAIL: u32 = 9;
const KEY_NOT_FOUND: u32 = 0x0d;
const DECRYPT_ERROR: u32 = 0x21;
const BAD_VERSION: u32 = 0x2e;
/// Where an image has its version, after its magic bytes.
const VERSION: usize = 8;
const RC_FAILURE: u32 = 0x101;
const SIZE: u32 = 0x17;

/// `TPM2_HashSequenceStart` with SHA-256: the first transient object.
const SEQUENCE: [u8; 14] = [0x80, 1, 0, 0, 0, 14, 0, 0, 0x01, 0x86, 0, 0, 0, 0x0b];
/// The handles of everything transient.
const TRANSIENT: [u8; 22] = [0x80, 1, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 9];
/// `TPM2_Shutdown(STATE)` and `TPM2_Startup(STATE)`.
const SHUTDOWN_STATE: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 1];
pub(crate) const STARTUP_STATE: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 1];

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub(crate) fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// `TPM2_PCR_Extend` of PCR 7 with a SHA-256 digest.
pub(crate) fn extend(fill: u8) -> Vec<u8> {
    let mut command = vec![0x80, 2, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, 7];
    command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0b]);
    command.extend([fill; 32]);
    command
}

/// `TPM2_PCR_Read` of PCR 7.
pub(crate) const READ_PCR: [u8; 20] = [0x80, 1, 0, 0, 0, 20, 0, 0, 0x01, 0x7e, 0, 0, 0, 1, 0, 0x0b, 3, 0x80, 0, 0];

/// The P-256 storage root key of the owner: the same seed makes the same key.
pub(crate) fn storage_root() -> Vec<u8> {
    let mut command = vec![0x80, 2, 0, 0, 0, 0, 0, 0, 0x01, 0x31, 0x40, 0, 0, 1];
    command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    let public =
        [&[0, 0x23, 0, 0x0b, 0, 3, 0x04, 0x72, 0, 0][..], &[0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0]]
            .concat();
    command.extend([0, public.len() as u8]);
    command.extend(public);
    command.extend([0, 0, 0, 0, 0, 0]);
    let size = (command.len() as u32).to_be_bytes();
    command[2..6].copy_from_slice(&size);
    command
}

pub(crate) fn succeeds(response: &[u8]) -> bool {
    response[6..10] == [0; 4]
}

#[test]
fn a_guest_migrates_as_qemu_does_it() {
    let (here, there) = (Folder::new("here"), Folder::new("there"));
    let mut source = Server::start(&here, &[]);
    assert_eq!(source.control(&[GET_CAPABILITY]), 0);
    assert_eq!(number(&source.control_answer(4)), 0xffff, "as swtpm says");
    assert_eq!(source.control(&[INIT, 0]), 0);
    for command in [&STARTUP[..], &SEQUENCE, &extend(7)] {
        assert!(succeeds(&source.command(command)));
    }
    let blobs = [PERMANENT, VOLATILE, SAVED].map(|kind| source.blob(DECRYPTED, kind));
    assert!(blobs.iter().all(|(flags, _)| *flags == 0));
    assert!(blobs[2].1.is_empty(), "what a shutdown saves is part of the permanent state");

    let mut target = Server::start(&there, &[]);
    assert_eq!(target.control(&[STOP]), 0);
    for (kind, (flags, blob)) in [PERMANENT, VOLATILE].into_iter().zip(&blobs) {
        assert_eq!(target.set_blob(*flags, kind, blob), 0);
    }
    assert_eq!(target.control(&[INIT, DELETE_VOLATILE]), 0);
    for command in [&TRANSIENT[..], &READ_PCR, &SEQUENCE, &TRANSIENT, &storage_root()] {
        let answer = target.command(command);
        assert!(succeeds(&answer));
        assert_eq!(answer, source.command(command));
    }
    source.end();
    target.end();
    assert!(!there.file("tpm2-00.volatilestate").exists(), "a volatile state is gone on from once");
}

#[test]
fn a_tpm_survives_its_process() {
    let folder = Folder::new("survives");
    let mut first = Server::start(&folder, &[]);
    assert_eq!(first.control(&[INIT, 0]), 0);
    assert!(succeeds(&first.command(&STARTUP)));
    let key = first.command(&storage_root());
    first.kill();

    let mut second = Server::start(&folder, &[]);
    assert_eq!(second.control(&[INIT, 0]), 0);
    assert_eq!(second.command(&STARTUP_STATE)[6..10], [0, 0, 0x01, 0xc4], "nobody shut the first one down");
    assert!(succeeds(&second.command(&STARTUP)));
    assert_eq!(second.command(&storage_root()), key);
    assert!(succeeds(&second.command(&extend(9))));
    let measured = second.command(&READ_PCR);
    assert!(succeeds(&second.command(&SHUTDOWN_STATE)));
    second.kill();

    let mut third = Server::start(&folder, &[]);
    assert_eq!(third.control(&[INIT, 0]), 0);
    assert!(succeeds(&third.command(&STARTUP_STATE)));
    assert_eq!(third.command(&READ_PCR)[28..], measured[28..]);
    third.end();
}

#[test]
fn a_tpm_survives_its_process_in_one_file() {
    let folder = Folder::new("file");
    let file = folder.file("state");
    let state = format!("backend-uri=file://{}", file.display());
    let mut first = Server::with_state(&state, &folder, &[]);
    assert_eq!(first.control(&[INIT, 0]), 0);
    for command in [&STARTUP[..], &SEQUENCE, &extend(7)] {
        assert!(succeeds(&first.command(command)));
    }
    assert_eq!(first.control(&[STORE_VOLATILE]), 0);
    let before = [&READ_PCR[..], &TRANSIENT, &storage_root()].map(|command| first.command(command));
    first.kill();
    let mut second = Server::with_state(&state, &folder, &[]);
    assert_eq!(second.control(&[INIT, 0]), 0);
    assert_eq!([&READ_PCR[..], &TRANSIENT, &storage_root()].map(|command| second.command(command)), before);
    second.end();
    assert!(!folder.file(".lock").exists() && !folder.file("tpm2-00.permall").exists());
}

#[test]
fn a_stored_volatile_state_is_gone_on_from() {
    let folder = Folder::new("volatile");
    let mut first = Server::start(&folder, &[]);
    assert_eq!(first.control(&[STORE_VOLATILE]), BAD_ORDINAL, "a TPM without power has none");
    assert_eq!(first.control(&[INIT, 0]), 0);
    for command in [&STARTUP[..], &SEQUENCE, &extend(7)] {
        assert!(succeeds(&first.command(command)));
    }
    assert_eq!(first.control(&[STORE_VOLATILE]), 0);
    let before = [first.command(&READ_PCR), first.command(&TRANSIENT)];
    first.kill();
    let mut second = Server::start(&folder, &[]);
    assert_eq!(second.control(&[INIT, 0]), 0);
    assert_eq!([second.command(&READ_PCR), second.command(&TRANSIENT)], before);
    second.end();
}

#[test]
fn state_is_taken_only_while_the_tpm_is_off_and_only_if_it_is_one() {
    let folder = Folder::new("refusals");
    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.control(&[INIT, 0]), 0);
    let (_, permanent) = server.blob(DECRYPTED, PERMANENT);
    assert_eq!(server.set_blob(0, PERMANENT, &permanent), BAD_ORDINAL);
    // From an offset on, the rest is all there is; from the end on, nothing.
    let length = permanent.len() as u32;
    for (offset, rest) in [(length - 3, &permanent[permanent.len() - 3..]), (length, &[]), (u32::MAX, &[])] {
        assert_eq!(server.control(&[GET_STATEBLOB, DECRYPTED, PERMANENT, offset]), 0);
        let left = rest.len() as u32;
        assert_eq!(server.control_answer(12), bytes(&[0, left, left]));
        assert_eq!(server.control_answer(rest.len()).len(), rest.len());
    }
    assert_eq!(server.control(&[STOP]), 0);
    // Eight bytes of nothing (CVE-2026-75900), another part, a changed byte, and one byte less.
    let mut changed = permanent.clone();
    changed[100] ^= 1;
    for (kind, blob) in
        [(PERMANENT, &[0; 8][..]), (VOLATILE, &permanent), (PERMANENT, &changed), (PERMANENT, &permanent[1..])]
    {
        assert_eq!(server.set_blob(0, kind, blob), FAIL);
    }
    assert_eq!(server.set_blob(0, 7, &permanent), 3);
    assert_eq!(server.control(&[GET_STATEBLOB, DECRYPTED, PERMANENT, 0]), BAD_ORDINAL, "the TPM is off");
    assert_eq!(server.control_answer(12), [0; 12], "QEMU reads four words");
    assert_eq!(server.set_blob(0, PERMANENT, &permanent), 0);
    assert_eq!(server.control(&[INIT, 0]), 0);
    assert!(succeeds(&server.command(&STARTUP)));
    // More than any state has: the answer comes at once, and then the connection ends.
    server.control.write_all(&bytes(&[SET_STATEBLOB, 0, PERMANENT, 0x7fff_ffff])).unwrap();
    assert_eq!(number(&server.control_answer(4)), SIZE);
    assert_eq!(server.control.read(&mut [0]).unwrap(), 0);
    server.kill();
}

#[test]
fn keys_encrypt_what_is_kept_and_what_leaves() {
    let (here, there) = (Folder::new("keys-here"), Folder::new("keys-there"));
    std::fs::write(here.file("file.key"), "000102030405060708090a0b0c0d0e0f").unwrap();
    std::fs::write(here.file("migration.key"), [7; 32]).unwrap();
    let file_key = format!("file={},format=hex,mode=aes-cbc", here.file("file.key").display());
    let migration_key = format!("file={},format=binary,mode=aes-256-cbc", here.file("migration.key").display());
    let keys = ["--key", &file_key, "--migration-key", &migration_key];
    let mut source = Server::start(&here, &keys);
    assert_eq!(source.control(&[GET_CONFIG]), 0);
    assert_eq!(number(&source.control_answer(4)), 3);
    assert_eq!(source.control(&[INIT, 0]), 0);
    assert!(succeeds(&source.command(&STARTUP)));
    let key = source.command(&storage_root());
    let (flags, permanent) = source.blob(DECRYPTED, PERMANENT);
    assert_eq!(flags, ENCRYPTED);
    source.end();
    assert_ne!(std::fs::read(here.file("tpm2-00.permall")).unwrap(), permanent, "two keys, two salts");

    // Without the key, and with another one.
    let mut keyless = Server::start(&there, &[]);
    assert_eq!(keyless.set_blob(ENCRYPTED, PERMANENT, &permanent), KEY_NOT_FOUND);
    keyless.end();
    let mut other = Server::start(&there, &["--migration-key", &file_key]);
    assert_eq!(other.set_blob(ENCRYPTED, PERMANENT, &permanent), DECRYPT_ERROR);
    let mut later = permanent.clone();
    later[VERSION] = 0x7f;
    assert_eq!(other.set_blob(ENCRYPTED, PERMANENT, &later), BAD_VERSION);
    other.end();

    let mut target = Server::start(&there, &["--migration-key", &migration_key]);
    assert_eq!(target.set_blob(ENCRYPTED, PERMANENT, &permanent), 0);
    assert_eq!(target.control(&[INIT, 0]), 0);
    assert!(succeeds(&target.command(&STARTUP)));
    assert_eq!(target.command(&storage_root()), key);
    target.end();

    // Without the key of the files there is no TPM, and nothing is overwritten.
    let kept = std::fs::read(here.file("tpm2-00.permall")).unwrap();
    let mut stranger = Server::start(&here, &[]);
    assert_eq!(stranger.control(&[INIT, 0]), RC_FAILURE);
    assert_eq!(stranger.command(&READ_CLOCK)[6..10], [0, 0, 0x01, 0x01]);
    stranger.end();
    assert_eq!(std::fs::read(here.file("tpm2-00.permall")).unwrap(), kept);
}

#[test]
fn without_a_folder_nothing_is_kept_and_nothing_offered() {
    let folder = Folder::new("ephemeral");
    let path = folder.file("ctrl");
    let control = format!("type=unixio,path={}", path.display());
    let mut program = start(&["--tpm2", "--ctrl", &control]);
    let mut control = connect(|| UnixStream::connect(Path::new(&path)));
    for (request, answer) in [
        (bytes(&[GET_CAPABILITY]), bytes(&[0, 0xfcbf])),
        (bytes(&[STORE_VOLATILE]), bytes(&[BAD_ORDINAL])),
        (bytes(&[GET_STATEBLOB, 0, PERMANENT, 0]), bytes(&[BAD_ORDINAL, 0, 0, 0])),
        (bytes(&[SHUTDOWN]), bytes(&[0])),
    ] {
        control.write_all(&request).unwrap();
        let mut received = vec![0; answer.len()];
        control.read_exact(&mut received).unwrap();
        assert_eq!(received, answer, "{request:02x?}");
    }
    assert!(program.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

/// `swtpm_setup` of Debian makes the endorsement key and its certificate with our program, in several runs of it.
#[test]
fn swtpm_setup_manufactures_a_tpm_with_this_program() {
    if Command::new("swtpm_setup").arg("--version").output().is_err() {
        eprintln!("skipped: swtpm_setup (package swtpm-tools) is not installed");
        return;
    }
    let folder = Folder::new("setup");
    let program = format!("{} socket", env!("CARGO_BIN_EXE_swtpm"));
    let setup = Command::new("swtpm_setup")
        .args(["--tpm2", "--ecc", "--create-spk", "--pcr-banks", "sha256,sha384", "--tpm", &program])
        .args(["--tpm-state", &folder.0.display().to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&setup.stdout).into_owned() + &String::from_utf8_lossy(&setup.stderr);
    assert!(setup.status.success(), "{said}");

    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.control(&[INIT, 0]), 0);
    assert!(succeeds(&server.command(&STARTUP)));
    // The storage key that it made is persistent at 81000001.
    let read_public = [0x80, 1, 0, 0, 0, 14, 0, 0, 0x01, 0x73, 0x81, 0, 0, 1];
    assert!(succeeds(&server.command(&read_public)), "{said}");
    server.end();
}
