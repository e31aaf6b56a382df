// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The story of an encrypted disk, over two boots: a machine enrols it and writes to it; the next boot, with a TPM that is
//! new, is attested, unlocks it in its initial file system, and reads what was written; then a program runs that the policy
//! does not know, and the lease is revoked.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use evtpm_vm::plan::{self, HOST, Step};
use serde::Deserialize;

use super::image::Image;
use super::machine::{INITRD, Machine};
use super::results::Results;
use super::scenario::COMMAND_LINE;
use super::verifier::{self, CA, Reference, Verdict, Verifier};
use super::{Boot, renew};
use crate::shell::run;

/// Its name beside those of the scenarios.
pub(crate) const NAME: &str = "disk";
pub(crate) const ABOUT: &str = "an encrypted disk over two boots: enrol, attest, unlock, tamper, lease revoked";

const DISK: &str = "disk.img";
/// Room for the LUKS2 header, which takes 16 MiB, and for some data.
const SIZE: u64 = 20 << 20;
const PASSPHRASE: &str = "etc/passphrase";
/// What the kernel has as modules and a LUKS2 volume needs.
const MODULES: [&str; 5] = ["virtio_blk", "dm_crypt", "ecb", "xts", "algif_skcipher"];

const KEY: &str = "vm-disk";
const DEVICE: &str = "/dev/vda";
const VOLUME: &str = "secret";
const MAPPED: &str = "/dev/mapper/secret";
const WRITTEN: &str = "what the first boot wrote";
const INTRUDER: &str = "bin/intruder";

/// As much of a lease as is looked at.
#[derive(Debug, Deserialize)]
struct Lease {
    boot: u64,
    ended_because: Option<String>,
}

/// Plays the story, and says how long its parts took.
pub(super) fn play(boot: &Boot<'_>, folder: &Path) -> anyhow::Result<String> {
    renew(folder)?;
    let program = boot.server.program().context("needs our own TPM, which has a report to show")?;
    let address = verifier::free_address()?;
    let agent = Agent { url: format!("https://{HOST}:{}", address.port()) };
    let (first, second) = (image(boot, agent.first_boot())?, image(boot, agent.second_boot())?);
    let files = first.files().into_iter().chain(second.files()).collect();
    let reference = Reference { firmware: &boot.settings.firmware, command_line: COMMAND_LINE.to_owned(), files };
    let verifier = Verifier::start(program, folder, address, &reference)?;
    verifier.operator(&["key", "add", KEY, "--machine", "vm"])?;
    format_disk(folder)?;

    let begun = Instant::now();
    let enrolled = boot_with_disk(boot, &verifier, first, &folder.join("first"))?;
    check_first(&enrolled)?;
    let disk = fs::read(folder.join(DISK))?;
    ensure!(!contains(&disk, WRITTEN.as_bytes()), "what was written can be read on the disk of the host");
    let between = begun.elapsed();

    let mut second = second;
    second.add_intruder(boot.programs, INTRUDER);
    let results = boot_with_disk(boot, &verifier, second, &folder.join("second"))?;
    check_second(&results)?;
    check_leases(&verifier)?;
    let seconds = |name: &str| results.text(&format!("{name}.seconds")).map(|text| text.trim().to_owned());
    Ok(format!(
        "first boot {:.1} s, second {:.1} s; of these: attest, get the key and unlock {} s, a further round {} s, \
         the round that failed, with closing the disk, {} s",
        between.as_secs_f64(),
        (begun.elapsed() - between).as_secs_f64(),
        seconds("unlock")?,
        seconds("attest")?,
        seconds("notice")?,
    ))
}

/// How the agent is called in the guest.
struct Agent {
    url: String,
}

impl Agent {
    fn step(&self, name: &str, command: &[&str]) -> Step {
        let ca = format!("/{CA}");
        let cryptsetup = format!("/{}", plan::CRYPTSETUP);
        let whom = ["--machine", "vm", "--verifier", &self.url, "--ca", &ca, "--cryptsetup", &cryptsetup];
        Step::new(name, "/bin/evtpm-agent", &[command, &whom].concat())
    }

    fn unlock(&self) -> Step {
        self.step("unlock", &["unlock", "--device", DEVICE, "--name", VOLUME])
    }

    fn first_boot(&self) -> Vec<Step> {
        let passphrase = format!("/{PASSPHRASE}");
        let enroll = ["enroll", "--device", DEVICE, "--key", KEY, "--existing-key-file", &passphrase];
        vec![
            Step::new("app", "/bin/app", &[]),
            self.step("enroll", &enroll),
            self.unlock(),
            Step::new("write", "/bin/disk", &["write", MAPPED, WRITTEN]),
        ]
    }

    fn second_boot(&self) -> Vec<Step> {
        let close = format!("{KEY}={VOLUME}");
        let round = ["--once", "--json", "--close", &close];
        vec![
            Step::new("app", "/bin/app", &[]),
            self.unlock(),
            Step::new("read", "/bin/disk", &["read", MAPPED]),
            self.step("attest", &round),
            Step::new("tamper", &format!("/{INTRUDER}"), &[]),
            self.step("notice", &round),
            Step::new("gone", "/bin/disk", &["read", MAPPED]),
            self.step("again", &["unlock", "--device", DEVICE, "--test"]),
        ]
    }
}

fn image(boot: &Boot<'_>, steps: Vec<Step>) -> anyhow::Result<Image> {
    let mut image = Image::of(boot.kernel, &MODULES, boot.programs, steps)?;
    image.add_disk_tools(boot.programs)?;
    image.add(PASSPHRASE, b"a passphrase of the operator".to_vec());
    Ok(image)
}

/// A LUKS2 volume that the operator's passphrase opens.
fn format_disk(folder: &Path) -> anyhow::Result<()> {
    let passphrase = folder.join("passphrase");
    fs::write(&passphrase, "a passphrase of the operator")?;
    File::create(folder.join(DISK))?.set_len(SIZE)?;
    let mut format = Command::new("cryptsetup");
    format.args(["luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2"]);
    format.args(["--pbkdf-force-iterations", "1000", "--key-file"]).arg(passphrase).arg(folder.join(DISK));
    run(&mut format)
}

fn boot_with_disk(boot: &Boot<'_>, verifier: &Verifier, mut image: Image, folder: &Path) -> anyhow::Result<Results> {
    renew(folder)?;
    image.add(CA, verifier.ca()?);
    image.write(&folder.join(INITRD))?;
    let server = boot.server.start(folder)?;
    let disk = Path::new("..").join(DISK);
    Machine::boot(boot.settings, boot.kernel, COMMAND_LINE, folder, Some(&disk))?;
    drop(server);
    Results::read(folder)
}

fn check_first(results: &Results) -> anyhow::Result<()> {
    succeeded(results, &["app", "enroll", "unlock", "write"])?;
    ensure!(results.text("enroll.out")?.contains(&format!("opens with {KEY}")), "{}", results.text("enroll.out")?);
    Ok(())
}

fn check_second(results: &Results) -> anyhow::Result<()> {
    succeeded(results, &["app", "unlock", "read", "attest", "tamper"])?;
    let read = results.text("read.out")?.trim();
    ensure!(read == WRITTEN, "the disk says {read:?} instead of {WRITTEN:?}");
    ensure!(verdict(results, "attest")?.verdict == "trusted", "{}", results.text("attest.out")?);

    let found = verdict(results, "notice")?;
    let failures = found.findings.iter().filter(|finding| finding.severity == "failure");
    let failed: BTreeSet<&str> = failures.map(|finding| finding.check.as_str()).collect();
    ensure!(
        found.verdict == "untrusted" && failed == BTreeSet::from(["runtime.file"]),
        "after the intruder ran: {} because of {failed:?}",
        found.verdict
    );
    let said = results.text("notice.err")?;
    ensure!(said.contains(&format!("{MAPPED} is closed")), "the agent did not close the disk: {said}");
    for (step, words) in [("gone", "No such file"), ("again", "this machine is untrusted")] {
        let (status, said) = (results.text(&format!("{step}.status"))?, results.text(&format!("{step}.err"))?);
        ensure!(!status.contains("exit status: 0") && said.contains(words), "{step}: {status}{said}");
    }
    Ok(())
}

/// What the broker has to say of it.
fn check_leases(verifier: &Verifier) -> anyhow::Result<()> {
    let text = verifier.operator(&["key", "leases", "--all", "--json"])?;
    let leases: Vec<Lease> = serde_json::from_str(&text).context("the leases")?;
    let ends: Vec<_> = leases.iter().map(|lease| (lease.boot, lease.ended_because.as_deref())).collect();
    ensure!(ends == [(1, Some("boot 2 registered")), (2, Some("the machine is failed"))], "the leases are {leases:?}");
    verifier.operator(&["audit", "verify"]).map(drop)
}

fn succeeded(results: &Results, steps: &[&str]) -> anyhow::Result<()> {
    for step in steps {
        let status = results.text(&format!("{step}.status"))?.trim();
        ensure!(status == "exit status: 0", "{step}: {status}\n{}", results.text(&format!("{step}.err"))?);
    }
    Ok(())
}

fn verdict(results: &Results, step: &str) -> anyhow::Result<Verdict> {
    serde_json::from_str(results.text(&format!("{step}.out"))?).with_context(|| format!("the verdict of {step}"))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
