// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks on what boots and runs, and on the logs that tell of it.

use anyhow::{Context, Result};
use evtpm_fleet::RecordedBoot;
use evtpm_logs::ima::BinaryList;
use evtpm_logs::{EventLog, HashId, Hashes};
use evtpm_verify::logs::CryptoHashes;

use super::{Attack, Stage};
use crate::demo::verifier::Answer;

pub(super) const LYING_EVENT_LOG: Attack = Attack {
    name: "lying event log",
    row: 20,
    about: "the agent changes a digest of the event log that it sends",
    caught_by: "PCR",
    run: |stage| {
        let mut shown = stage.world.boot.clone();
        if stage.play.is_tampered() {
            shown.event_log = with_other_digest(&shown.event_log)?;
        }
        boot_and_show(stage, &stage.world.boot, &shown)
    },
};

pub(super) const CHANGED_COMMAND_LINE: Attack = Attack {
    name: "changed command line",
    row: 20,
    about: "the machine boots with another kernel command line, and says so truly",
    caught_by: "boot.command-line",
    run: |stage| {
        let mut boot = stage.world.boot.clone();
        if stage.play.is_tampered() {
            boot.event_log = with_other_command_line(&boot.event_log)?;
        }
        boot_and_show(stage, &boot, &boot)
    },
};

pub(super) const CHANGED_FILE: Attack = Attack {
    name: "changed file",
    row: 20,
    about: "a program on the disk is another one, and IMA measured it when it ran",
    caught_by: "runtime.file",
    run: |stage| {
        let mut boot = stage.world.boot.clone();
        if stage.play.is_tampered() {
            boot.ima_log = with_other_file(&boot.ima_log)?;
        }
        boot_and_show(stage, &boot, &boot)
    },
};

pub(super) const HIDDEN_FILE: Attack = Attack {
    name: "hidden file",
    row: 20,
    about: "the agent leaves the last entry out of the IMA list that it sends",
    caught_by: "PCR 10",
    run: |stage| {
        let mut shown = stage.world.boot.clone();
        if stage.play.is_tampered() {
            let mut list = BinaryList::new(&shown.ima_log);
            let mut ends = Vec::new();
            while let Some(entry) = list.next() {
                entry?;
                ends.push(list.offset());
            }
            let end = ends.iter().rev().nth(1).copied().context("a list of one entry")?;
            shown.ima_log.truncate(end);
        }
        boot_and_show(stage, &stage.world.boot, &shown)
    },
};

/// Boots a machine as `boot` and shows the verifier the logs of `shown`.
fn boot_and_show(stage: Stage<'_>, boot: &RecordedBoot, shown: &RecordedBoot) -> Result<Answer> {
    let (vm, _) = stage.world.play(stage.world.launch()?, boot)?;
    stage.world.attest(stage.verifier, stage.machine, vm, shown)
}

/// Flips a bit of the last event's SHA-256 digest.
pub(in crate::demo) fn with_other_digest(log: &[u8]) -> Result<Vec<u8>> {
    let events = EventLog::parse(log)?.events().collect::<Result<Vec<_>, _>>()?;
    let last = events.iter().rev().find(|event| event.is_extended()).context("a log without events")?;
    let digest = last.digests().find(HashId::SHA256).context("a log without SHA-256")?;
    let mut other = digest.to_vec();
    *other.first_mut().context("an empty digest")? ^= 1;
    Ok(replace_last(log, digest, &other))
}

/// Rewrites the log of a boot into that of the same boot with a shell as its first program.
///
/// Boot loader and kernel stub measured the command line each in its own form; every one of them changes, with its digests.
fn with_other_command_line(log: &[u8]) -> Result<Vec<u8>> {
    let (old, new) = (utf16("systemd.show_status=0"), utf16("rd.break init=/bin/sh"));
    let mut changed = replace(log, &old, &new);
    let mut from = 0;
    let mut found = false;
    while let Some(place) = log.get(from..).and_then(|rest| find(rest, &old)) {
        let start = from + place;
        from = start + old.len();
        found = true;
        let head = log.get(text_start(log, start)..start).unwrap_or_default();
        for end in [&[][..], &[0, 0]] {
            let (before, after) = ([head, &old, end].concat(), [head, &new, end].concat());
            for bank in [HashId::SHA1, HashId::SHA256, HashId::SHA384, HashId::SHA512] {
                let hash = |data: &[u8]| CryptoHashes.hash(bank, &[data]).context("a bank without a hash");
                changed = replace(&changed, hash(&before)?.as_bytes(), hash(&after)?.as_bytes());
            }
        }
    }
    anyhow::ensure!(found, "the recorded command line is not in the log");
    Ok(changed)
}

/// Finds where the UTF-16 text that goes on at `place` begins: behind the last pair of bytes that is no ASCII character.
fn text_start(log: &[u8], place: usize) -> usize {
    let is_text = |at: usize| matches!(log.get(at..at + 2), Some([low, 0]) if *low != 0);
    (0..place).rev().skip(1).step_by(2).take_while(|at| is_text(*at)).last().unwrap_or(place)
}

/// Changes a bit of the digest of the list's last file, with a template hash to match.
fn with_other_file(list: &[u8]) -> Result<Vec<u8>> {
    let entries = BinaryList::new(list).collect::<Result<Vec<_>, _>>()?;
    let last = entries.last().context("an empty list")?;
    let digest = last.digest().context("an entry without a digest")?;
    let template_hash = last.hash(HashId::SHA1, &CryptoHashes)?;
    let mut other = digest.bytes.to_vec();
    *other.first_mut().context("an empty digest")? ^= 1;

    let changed = replace_last(list, digest.bytes, &other);
    let entries = BinaryList::new(&changed).collect::<Result<Vec<_>, _>>()?;
    let other_hash = entries.last().context("an empty list")?.hash(HashId::SHA1, &CryptoHashes)?;
    Ok(replace_last(&changed, template_hash.as_bytes(), other_hash.as_bytes()))
}

/// Replaces the last occurrence of a pattern by bytes of the same length.
fn replace_last(bytes: &[u8], pattern: &[u8], replacement: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    if let Some(start) = bytes.windows(pattern.len()).rposition(|window| window == pattern) {
        changed.splice(start..start + pattern.len(), replacement.iter().copied());
    }
    changed
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

/// Replaces every occurrence of a pattern by bytes of the same length.
fn replace(bytes: &[u8], pattern: &[u8], replacement: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let mut from = 0;
    while let Some(place) = changed.get(from..).and_then(|rest| find(rest, pattern)) {
        let start = from + place;
        changed.splice(start..start + pattern.len(), replacement.iter().copied());
        from = start + replacement.len();
    }
    changed
}
