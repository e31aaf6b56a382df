// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A real QEMU over the program. Its processor never runs: the test itself speaks to the bus, by the qtest protocol, and
//! uses the TPM's Command Response Buffer (PC Client Platform TPM Profile, "CRB Interface").

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::{Value, json};

use super::host::{STARTUP, connect, is_installed, patiently, start};
use super::state::{Folder, READ_PCR, extend, storage_root, succeeds};

/// TPM_CRB_BASE and registers of locality 0.
const BASE: u64 = 0xfed4_0000;
const LOC_CTRL: u64 = BASE + 0x08;
const CTRL_REQ: u64 = BASE + 0x40;
const CTRL_START: u64 = BASE + 0x4c;
const BUFFER: u64 = BASE + 0x80;
/// `TPM2_ReadPublic` of the first transient object.
const READ_PUBLIC: [u8; 14] = [0x80, 1, 0, 0, 0, 14, 0, 0, 0x01, 0x73, 0x80, 0, 0, 0];

/// A machine with a TPM of its own.
struct Qemu {
    children: Children,
    monitor: BufReader<UnixStream>,
    bus: BufReader<UnixStream>,
}

impl Qemu {
    /// Starts `name`; with `incoming` it waits for the state of another.
    fn start(folder: &Folder, name: &str, incoming: Option<&Path>) -> Self {
        let file = |what: &str| folder.file(&format!("{name}.{what}"));
        let (control, monitor, bus) = (file("tpm"), file("qmp"), file("bus"));
        let state = file("state");
        std::fs::create_dir_all(&state).unwrap();
        let tpm_control = format!("type=unixio,path={}", control.display());
        let tpm = start(&["--tpm2", "--tpmstate", &format!("dir={}", state.display()), "--ctrl", &tpm_control]);
        // Without connecting: the program would end with its first connection.
        patiently(|| control.exists().then_some(()).ok_or("the TPM's socket does not appear"));

        let mut machine = Command::new("qemu-system-x86_64");
        machine.args(["-machine", "q35", "-accel", "tcg", "-S", "-m", "16", "-nodefaults", "-display", "none"]);
        machine.arg("-chardev").arg(format!("socket,id=tpm,path={}", control.display()));
        machine.args(["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"]);
        machine.arg("-qmp").arg(format!("unix:{},server=on,wait=off", monitor.display()));
        machine.arg("-qtest").arg(format!("unix:{},server=on,wait=off", bus.display()));
        machine.args(["-qtest-log", "none"]);
        if let Some(state) = incoming {
            machine.arg("-incoming").arg(format!("exec:cat {}", state.display()));
        }
        let children = Children([machine.spawn().unwrap(), tpm]);
        let monitor = BufReader::new(connect(|| UnixStream::connect(&monitor)));
        let bus = BufReader::new(connect(|| UnixStream::connect(&bus)));
        let mut qemu = Self { children, monitor, bus };
        let greeting = qemu.line_of_monitor();
        assert!(greeting.get("QMP").is_some(), "{greeting}");
        qemu.ask_monitor(&json!({"execute": "qmp_capabilities"}));
        qemu
    }

    fn line_of_monitor(&mut self) -> Value {
        let mut line = String::new();
        self.monitor.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a request of QMP and returns what it returned, past the events.
    fn ask_monitor(&mut self, request: &Value) -> Value {
        // In one piece: with its last brace a request is whole, and what comes after `quit` finds nobody.
        self.monitor.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut answer = self.line_of_monitor();
            assert!(answer.get("error").is_none(), "{request}: {answer}");
            if let Some(value) = answer.get_mut("return") {
                return value.take();
            }
        }
    }

    /// Asks until the status of the migration is the last one.
    fn wait_for_migration(&mut self) {
        patiently(|| {
            let answer = self.ask_monitor(&json!({"execute": "query-migrate"}));
            assert!(answer["status"] != "failed", "{answer}");
            if answer["status"] == "completed" { Ok(()) } else { Err(answer) }
        });
    }

    fn migrate_to(&mut self, file: &Path) {
        let to = format!("exec:cat > {}", file.display());
        self.ask_monitor(&json!({"execute": "migrate", "arguments": {"uri": to}}));
        self.wait_for_migration();
    }

    /// Sends a line of the qtest protocol and returns what follows `OK`.
    fn on_bus(&mut self, request: &str) -> String {
        writeln!(self.bus.get_mut(), "{request}").unwrap();
        let mut line = String::new();
        self.bus.read_line(&mut line).unwrap();
        assert!(line.starts_with("OK"), "{request}: {line}");
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    /// Executes a TPM command as a driver of the CRB does.
    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let hexadecimal: String = command.iter().map(|byte| format!("{byte:02x}")).collect();
        self.on_bus(&format!("writel {LOC_CTRL:#x} 1"));
        self.on_bus(&format!("writel {CTRL_REQ:#x} 1"));
        self.on_bus(&format!("write {BUFFER:#x} {:#x} 0x{hexadecimal}", command.len()));
        self.on_bus(&format!("writel {CTRL_START:#x} 1"));
        patiently(|| match number(&self.on_bus(&format!("readl {CTRL_START:#x}"))) {
            0 => Ok(()),
            _ => Err("the TPM does not answer"),
        });
        let mut response = self.read_buffer(10);
        let size = u32::from_be_bytes(response[2..6].try_into().unwrap());
        response = self.read_buffer(usize::try_from(size).unwrap());
        response
    }

    fn read_buffer(&mut self, size: usize) -> Vec<u8> {
        let answer = self.on_bus(&format!("read {BUFFER:#x} {size:#x}"));
        let digits = answer.trim_start_matches("0x").as_bytes();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn quit(mut self) {
        self.ask_monitor(&json!({"execute": "quit"}));
        let [machine, tpm] = &mut self.children.0;
        assert!(machine.wait().unwrap().success());
        assert!(tpm.wait().unwrap().success(), "the TPM ends with its machine");
    }
}

/// The machine and its TPM; a test that failed leaves neither running.
struct Children([Child; 2]);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn number(hexadecimal: &str) -> u64 {
    u64::from_str_radix(hexadecimal.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn qemu_takes_a_tpm_along_to_another_machine() {
    if !is_installed("qemu-system-x86_64") {
        return;
    }
    let folder = Folder::new("qemu");
    let mut from = Qemu::start(&folder, "from", None);
    assert!(succeeds(&from.execute(&STARTUP)));
    assert!(succeeds(&from.execute(&extend(0x5a))));
    assert!(succeeds(&from.execute(&storage_root())));
    let (pcr, public) = (from.execute(&READ_PCR), from.execute(&READ_PUBLIC));
    assert!(succeeds(&pcr) && succeeds(&public));
    let state = folder.file("machine");
    from.migrate_to(&state);
    from.quit();

    let mut to = Qemu::start(&folder, "to", Some(&state));
    to.wait_for_migration();
    assert_eq!(to.execute(&READ_PCR), pcr);
    assert_eq!(to.execute(&READ_PUBLIC), public);
    assert!(succeeds(&to.execute(&extend(0x5b))));
    assert_ne!(to.execute(&READ_PCR), pcr);
    to.quit();
}
