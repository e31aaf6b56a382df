// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A boot log of 100 events and about 41 KB, replayed in one bank and in four.

use anyhow::Result;
use evtpm_logs::{EventLog, HashId, PcrIndex, PcrSet};
use evtpm_verify::logs::{CryptoHashes, MeasuredBoot};

use super::machine::{hash, quote};
use super::{Bar, Row, side_by_side};

const EVENTS: u32 = 100;
/// What an event has on average in the log of a Linux machine with Secure Boot: 41 KB with digests and heads.
const DATA: usize = 330;
const BANKS: [HashId; 4] = [HashId::SHA1, HashId::SHA256, HashId::SHA384, HashId::SHA512];

pub(super) fn measure(runs: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (banks, most) in [(&BANKS[1..2], 100.0), (&BANKS[..], 300.0)] {
        let log = log(banks)?;
        let replay = || -> Result<_> { Ok(EventLog::parse(&log)?.replay(banks, &CryptoHashes)?) };
        let registers = replay()?;
        // The registers are compared with a quote once; what is timed is everything that a log of each boot costs.
        let all: PcrSet = PcrIndex::all().filter(|pcr| pcr.value() < 8).collect();
        if let Some(bank) = registers.iter().find(|bank| bank.algorithm() == HashId::SHA256) {
            MeasuredBoot::verify(quote(bank, all)?.1, &log, PcrSet::EMPTY)?;
        }
        let ours = || -> Result<usize> {
            let registers = replay()?;
            let events = EventLog::parse(&log)?.events().flatten();
            let proven = events.filter(|event| event.preimage(HashId::SHA256, &CryptoHashes).is_some()).count();
            Ok(registers.len() + proven)
        };
        let events: Vec<_> = EventLog::parse(&log)?.events().collect::<Result<_, _>>()?;
        let raw = || -> Result<()> {
            for event in &events {
                for (bank, digest) in event.digests().iter() {
                    hash(bank, &[digest, digest])?;
                }
                hash(HashId::SHA256, &[event.data])?;
            }
            Ok(())
        };
        let (ours, raw) = side_by_side(runs, ours, raw)?;
        let what = format!("boot log, {EVENTS} events, {} KB, banks: {}", log.len() / 1000, banks.len());
        rows.push(Row { what, ours, raw: Some(raw), unit: "µs", bar: Bar::Absolute(most) });
    }
    Ok(rows)
}

/// A crypto-agile log whose events are texts, so that the digest of each is that of its data.
fn log(banks: &[HashId]) -> Result<Vec<u8>> {
    let mut header = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    header.extend((banks.len() as u32).to_le_bytes());
    for bank in banks {
        header.extend(bank.0.to_le_bytes());
        header.extend((hash(*bank, &[])?.as_bytes().len() as u16).to_le_bytes());
    }
    header.push(0);
    let mut log =
        [[0, 0, 0, 0, 3, 0, 0, 0].as_slice(), &[0; 20], &(header.len() as u32).to_le_bytes(), &header].concat();
    for number in 0..EVENTS {
        let data: Vec<u8> = (0..DATA).map(|at| b'a' + (at as u32 + number) as u8 % 26).collect();
        log.extend((number % 8).to_le_bytes());
        log.extend([5, 0, 0, 0]);
        log.extend((banks.len() as u32).to_le_bytes());
        for bank in banks {
            log.extend(bank.0.to_le_bytes());
            log.extend(hash(*bank, &[&data])?.as_bytes());
        }
        log.extend((data.len() as u32).to_le_bytes());
        log.extend(data);
    }
    Ok(log)
}
