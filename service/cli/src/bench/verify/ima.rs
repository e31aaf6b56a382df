// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An IMA list (binary, ima-ng, one bank) explained by a quote, judged by a policy of as many files, and streamed.

use anyhow::{Context, Result, ensure};
use evtpm_appraise::policy::HardwareRule;
use evtpm_appraise::{Claims, Policy, appraise};
use evtpm_fleet::{entry, file, ima_policy};
use evtpm_logs::ima::{AggregateRange, BinaryList, Stream, TemplateDigests, boot_aggregate, extend};
use evtpm_logs::{HashId, PcrBank, PcrIndex, PcrSet};
use evtpm_verify::logs::{CryptoHashes, Keyring, MeasuredBoot, MeasuredRuntime, RuntimeRules};

use super::machine::{hash, quote};
use super::{Bar, Row, Stopwatch, median};

const ENTRIES: u32 = 20_000;
const BANK: HashId = HashId::SHA256;
const BAR: Bar = Bar::Either { absolute: 0.5, ratio: 2.0 };

pub(super) fn measure(runs: u32) -> Result<Vec<Row>> {
    let aggregate = boot_aggregate(&PcrBank::at_startup(BANK)?, AggregateRange::of(BANK), &CryptoHashes)?;
    let mut list = entry(b"boot_aggregate", aggregate.as_bytes())?;
    for number in 0..ENTRIES {
        let (path, digest) = file(number)?;
        list.extend(entry(path.as_bytes(), &digest)?);
    }
    let pcr = PcrIndex::new(10).context("there is no PCR 10")?;
    let mut bank = PcrBank::at_startup(BANK)?;
    for entry in BinaryList::new(&list) {
        extend(&mut bank, &entry?, TemplateDigests::OfBank, &CryptoHashes)?;
    }
    let quoted: PcrSet = PcrIndex::all().filter(|pcr| pcr.value() <= 10).collect();
    let boot = |quote| MeasuredBoot::verify(quote, &[], [pcr].into_iter().collect());
    let explained = |boot| -> Result<_> { Ok(MeasuredRuntime::verify(boot, &list, RuntimeRules::default())?) };
    let policy = Policy { ima: Some(ima_policy(ENTRIES)?), ..Policy::empty(HardwareRule::None) };

    let (mut replayed, mut judged, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (key, quote) = quote(&bank, quoted)?;
        let boot = boot(quote)?;
        let start = Stopwatch::start();
        let runtime = explained(boot)?;
        replayed.push(start.elapsed());
        let start = Stopwatch::start();
        let claims = Claims::new().with_key(&key).with_runtime(&runtime, &Keyring::new())?;
        let appraisal = appraise(&policy, &claims)?;
        judged.push(start.elapsed() + *replayed.last().context("no time")?);
        let unknown = appraisal.findings().filter(|finding| finding.code() == "runtime.file").count();
        ensure!(unknown == 0, "the policy does not know {unknown} files");
        let start = Stopwatch::start();
        raw_hashing(&list)?;
        bare.push(start.elapsed());
    }
    let per_entry = |times| median(times) / f64::from(ENTRIES);
    let (replayed, judged, bare) = (per_entry(replayed), per_entry(judged), per_entry(bare));
    let row = |what: &str, ours| Row { what: what.into(), ours, raw: Some(bare), unit: "µs", bar: BAR };
    Ok(vec![
        row("IMA list of 20,000, explained by a quote, an entry", replayed),
        row("the same and judged by a policy of 20,000 files", judged),
    ])
}

/// What no verifier can do without: the hash of each entry's data, and that of each extension.
fn raw_hashing(list: &[u8]) -> Result<()> {
    let mut value = hash(BANK, &[])?;
    for entry in BinaryList::new(list) {
        let digest = entry?.hash(BANK, &CryptoHashes)?;
        value = hash(BANK, &[value.as_bytes(), digest.as_bytes()])?;
    }
    Ok(())
}

/// Streams a list that is made on the way, and looks at how much memory that takes.
pub(super) fn stream(megabytes: u32) -> Result<Vec<Row>> {
    let piece: Vec<u8> = (0..512)
        .map(|number| file(number).and_then(|(path, digest)| entry(path.as_bytes(), &digest)))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let pieces = (u64::from(megabytes) << 20) / piece.len() as u64 + 1;
    let (mut stream, mut bank, mut entries) = (Stream::new(), PcrBank::at_startup(BANK)?, 0_u32);
    let mut feed = |bytes: &[u8]| {
        stream.feed(bytes, |entry| {
            entries += 1;
            extend(&mut bank, entry, TemplateDigests::OfBank, &CryptoHashes)
        })
    };
    feed(&piece)?;
    let before = resident();
    let start = Stopwatch::start();
    for _ in 0..pieces {
        // Pieces that end within an entry, as those of a file do.
        let (first, rest) = piece.split_at(piece.len() / 3 + 5);
        feed(first)?;
        feed(rest)?;
    }
    let elapsed = start.elapsed();
    let growth = resident().zip(before).map(|(after, before)| after.saturating_sub(before));
    stream.finish()?;
    let speed = Row {
        what: format!("IMA list of {megabytes} MB, streamed, an entry"),
        ours: elapsed.as_secs_f64() * 1e6 / f64::from(entries),
        raw: None,
        unit: "µs",
        bar: Bar::None,
    };
    let memory = Row {
        what: format!("memory more after {megabytes} MB than after 60 KB"),
        ours: growth.context("no /proc/self/statm")? as f64,
        raw: None,
        unit: "KiB",
        bar: Bar::Absolute(1024.0),
    };
    Ok(vec![speed, memory])
}

/// The memory that this process has, in kibibytes.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4)
}
