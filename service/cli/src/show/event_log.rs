// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm log show`: boot logs, event by event, and what the registers hold if the log is true.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use evtpm_describe::{Basis, BootLog, Registers};
use evtpm_logs::{HashId, Hex};

use super::print_json;
use crate::output::{Palette, Style};

pub(super) fn show(bytes: &[u8], bank: Option<&str>, pcr: Option<u32>, json: bool) -> Result<()> {
    let bank = match bank {
        Some(name) => Some(HashId::from_name(name).with_context(|| format!("--bank {name}: no such hash"))?),
        None => None,
    };
    let mut log = BootLog::read(bytes)?;
    if let Some(pcr) = pcr {
        log.retain_pcr(pcr);
    }
    if json { print_json(&log.to_json()) } else { print(&log, bank) }
}

fn print(log: &BootLog, bank: Option<HashId>) -> Result<()> {
    let mut banks = log.lines.iter().flat_map(|line| line.digests.iter().map(|(bank, _)| *bank));
    ensure!(
        bank.is_none_or(|wanted| banks.any(|bank| bank == wanted)),
        "the log has no digest of {}",
        bank.map(|bank| bank.to_string()).unwrap_or_default()
    );
    let bank = bank.or_else(|| log.strongest_bank());
    let palette = Palette::of_stdout();
    let mut out = std::io::stdout().lock();
    let title = format!("{}, {} events (not verified)", log.format, log.lines.len());
    writeln!(out, "{}", palette.paint(Style::Strong, &title))?;
    for line in &log.lines {
        let mark = palette.paint(
            if line.basis == Basis::Hashed { Style::Good } else { Style::Faint },
            &line.basis.mark().to_string(),
        );
        writeln!(out, "{:>4} {:>4}  {:<34} {mark} {}", line.number, line.register, line.kind, line.text)?;
        let digest = line.digests.iter().find(|(found, _)| Some(*found) == bank);
        if let Some((bank, digest)) = digest.filter(|_| line.basis != Basis::NotExtended) {
            writeln!(out, "           {}", palette.paint(Style::Faint, &format!("{bank} {}", Hex(digest))))?;
        }
    }
    for Registers { algorithm, values } in log.registers.iter().filter(|found| Some(found.algorithm) == bank) {
        writeln!(out, "{}", palette.paint(Style::Strong, &format!("registers after the log, {algorithm}")))?;
        for (pcr, value) in values {
            writeln!(out, "{:>9}  {value}", pcr.value())?;
        }
    }
    for (index, bank, value) in &log.indices {
        writeln!(out, "NV index {index:#010x} after the log, if it is of {bank}: {value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_that_the_log_does_not_have_is_named() {
        let separator = [[4, 0, 0, 0, 4, 0, 0, 0].as_slice(), &[7; 20], &[4, 0, 0, 0], &[0; 4]].concat();
        let log = BootLog::read(&separator).unwrap();
        let error = print(&log, Some(HashId::SHA512)).unwrap_err().to_string();
        assert_eq!(error, "the log has no digest of sha512");
    }
}
