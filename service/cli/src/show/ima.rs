// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm ima show`: the Linux kernel's measurement list, entry by entry; lists may be long, and nothing is collected.

use std::borrow::Cow;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use evtpm_describe::{Mark, Registers, each_entry, entry_to_json, file_digest, registers_to_json, signer};
use evtpm_logs::ima::{Entry, TemplateDigests, extend};
use evtpm_logs::{HashId, PcrBank, Text, cel};
use evtpm_verify::logs::CryptoHashes;

use crate::output::{Palette, Style};

/// The banks that are replayed.
const BANKS: [HashId; 2] = [HashId::SHA1, HashId::SHA256];

pub(super) fn show(bytes: &[u8], path: Option<&str>, json: bool) -> Result<()> {
    let list = list(bytes)?;
    let bytes = &*list;
    let out = BufWriter::new(std::io::stdout().lock());
    if json { Json { out, count: 0 }.show(bytes, path) } else { Lines::new(out).show(bytes, path) }
}

/// Returns the list itself, also where it is inside of a canonical log.
fn list(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if cel::Encoding::of(bytes).is_none() {
        return Ok(Cow::Borrowed(bytes));
    }
    let list = cel::Log::parse(bytes)?.to_ima_list(&CryptoHashes)?;
    Ok(list.context("the canonical log has no records of IMA; `evtpm log show` prints it")?.into())
}

/// What an entry is printed with.
trait Printer {
    fn begin(&mut self) -> Result<()>;
    fn entry(&mut self, entry: &Entry<'_>) -> Result<()>;
    fn end(&mut self, count: u64, banks: &[PcrBank]) -> Result<()>;

    fn show(&mut self, bytes: &[u8], path: Option<&str>) -> Result<()> {
        let mut banks = BANKS.map(PcrBank::at_startup).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut count = 0;
        self.begin()?;
        each_entry(bytes, |entry| {
            count += 1;
            for bank in &mut banks {
                extend(bank, entry, TemplateDigests::OfBank, &CryptoHashes)?;
            }
            if path.is_none_or(|part| Text(entry.path()).to_string().contains(part)) {
                self.entry(entry)?;
            }
            Ok::<(), anyhow::Error>(())
        })?;
        self.end(count, &banks)
    }
}

struct Lines<W> {
    out: W,
    palette: Palette,
}

impl<W: Write> Lines<W> {
    fn new(out: W) -> Self {
        Self { out, palette: Palette::of_stdout() }
    }
}

impl<W: Write> Printer for Lines<W> {
    fn begin(&mut self) -> Result<()> {
        writeln!(self.out, "{}", self.palette.paint(Style::Strong, "IMA measurement list (not verified)"))?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        let mark = match Mark::of(entry) {
            Mark::Consistent => self.palette.paint(Style::Good, "="),
            Mark::Violation => self.palette.paint(Style::Bad, "!"),
            Mark::WrongHash => self.palette.paint(Style::Bad, "wrong template hash"),
        };
        let digest = file_digest(entry).unwrap_or_else(|| "-".to_owned());
        let signer = signer(entry).map(|key| self.palette.paint(Style::Faint, &format!("  signed by key {key}")));
        writeln!(
            self.out,
            "{:>6} {:>3} {:<10} {mark} {digest} {}{}",
            entry.at.record,
            entry.pcr,
            Text(entry.template_name).to_string(),
            Text(entry.path()),
            signer.unwrap_or_default()
        )?;
        Ok(())
    }

    fn end(&mut self, count: u64, banks: &[PcrBank]) -> Result<()> {
        let title = format!("{count} entries; registers after the list, if nothing else was extended");
        writeln!(self.out, "{}", self.palette.paint(Style::Strong, &title))?;
        for bank in banks {
            for pcr in bank.extended().iter() {
                writeln!(self.out, "{:>7}:{pcr:<3} {}", bank.algorithm().to_string(), bank.value(pcr))?;
            }
        }
        self.out.flush()?;
        Ok(())
    }
}

/// One object whose entries stand a line each, so that a long list needs no memory.
struct Json<W> {
    out: W,
    count: u64,
}

impl<W: Write> Printer for Json<W> {
    fn begin(&mut self) -> Result<()> {
        write!(self.out, "{{\"entries\": [")?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        let value = entry_to_json(entry);
        let comma = if self.count == 0 { "" } else { "," };
        self.count += 1;
        write!(self.out, "{comma}\n  {value}")?;
        Ok(())
    }

    fn end(&mut self, count: u64, banks: &[PcrBank]) -> Result<()> {
        let registers = registers_to_json(&banks.iter().map(Registers::of).collect::<Vec<_>>());
        writeln!(self.out, "\n], \"count\": {count}, \"registers\": {}}}", registers)?;
        self.out.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TEXT: &[u8] =
        b"10 0000000000000000000000000000000000000000 ima-ng sha1:0000000000000000000000000000000000000000 /log\n\
        10 1111111111111111111111111111111111111111 ima-ng sha1:2222222222222222222222222222222222222222 /bin/sh\n";

    #[test]
    fn a_filter_leaves_the_count_and_the_registers_alone() {
        let mut json = Json { out: Vec::new(), count: 0 };
        json.show(TEXT, Some("/bin")).unwrap();
        let value: Value = serde_json::from_slice(&json.out).unwrap();
        assert_eq!(value["entries"].as_array().map(Vec::len), Some(1));
        assert_eq!((&value["count"], &value["entries"][0]["path"]), (&json!(2), &json!("/bin/sh")));
        assert_eq!(value["registers"]["sha1"]["10"].as_str().map(str::len), Some(40));
    }

    #[test]
    fn lines_name_the_entries_that_break_the_list() {
        let mut lines = Lines::new(Vec::new());
        lines.show(TEXT, None).unwrap();
        let text = String::from_utf8(lines.out).unwrap();
        assert!(text.contains("! sha1:0000000000000000000000000000000000000000 /log"), "{text}");
        assert!(text.contains("wrong template hash sha1:2222"), "{text}");
    }
}
