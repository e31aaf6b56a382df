// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our TPM and libtpms side by side in one process: the same commands in turn, so that both meet the same load.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use evtpm_engine::Profile;
use evtpm_testing_differential::both::Both;
use evtpm_testing_differential::libtpms::{self, Libtpms};
use evtpm_testing_differential::ours::Ours;

/// Times the commands of the paper's Figure 4 and RSA key creation, ours and libtpms in turn.
#[derive(Debug, Parser)]
struct Options {
    /// Rounds of each command
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// RSA-2048 keys, each with another `unique`
    #[arg(long, default_value_t = 100)]
    keys: u32,
}

/// One command, or a family of them.
struct Measured {
    name: &'static str,
    /// Libtpms' time divided by ours must be at least this.
    bar: f64,
    command: fn(u32) -> Vec<u8>,
}

const MEASURED: &[Measured] = &[
    Measured { name: "PCR_Read 8 x sha256", bar: 1.0, command: |_| pcr_read() },
    Measured { name: "PCR_Extend sha256", bar: 1.0, command: pcr_extend },
    Measured { name: "Quote P-256", bar: 4.0, command: quote },
    Measured { name: "CreatePrimary P-256", bar: 4.0, command: |number| create_primary(ECC_STORAGE, number) },
];

/// `TPMT_PUBLIC` of a storage key on P-256, up to the size of unique's x.
const ECC_STORAGE: &[u8] = &[0, 0x23, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10];
/// The same of an attestation key on P-256.
const ECC_ATTESTATION: &[u8] = &[0, 0x23, 0, 0x0B, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10];
/// The same of a storage key with RSA-2048.
const RSA_STORAGE: &[u8] = &[0, 1, 0, 0x0B, 0, 3, 4, 0x72, 0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0];
const PASSWORD: &[u8] = &[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0];
const RETRY: [u8; 4] = [0, 0, 9, 0x22];

fn command(tag: u8, code: u32, parts: &[&[u8]]) -> Vec<u8> {
    let rest = parts.concat();
    let size = u32::try_from(10 + rest.len()).unwrap_or(0);
    [&[0x80, tag][..], &size.to_be_bytes(), &code.to_be_bytes(), &rest].concat()
}

fn pcr_read() -> Vec<u8> {
    command(1, 0x17E, &[&[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0]])
}

fn pcr_extend(number: u32) -> Vec<u8> {
    let digest = [number.to_be_bytes(); 8].concat();
    command(2, 0x182, &[&[0, 0, 0, 16], PASSWORD, &[0, 0, 0, 1, 0, 0x0B], &digest])
}

fn quote(number: u32) -> Vec<u8> {
    let nonce = [&[0, 32][..], &[number.to_be_bytes(); 8].concat()].concat();
    command(2, 0x158, &[&[0x80, 0, 0, 0], PASSWORD, &nonce, &[0, 0x10, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 7]])
}

fn create_primary(template: &[u8], number: u32) -> Vec<u8> {
    // An RSA template has one field in unique, an ECC template two.
    let second: &[u8] = if template[1] == 1 { &[] } else { &[0, 0] };
    let public = [template, &[0, 4], &number.to_be_bytes(), second].concat();
    let size = u16::try_from(public.len()).unwrap_or(0).to_be_bytes();
    command(2, 0x131, &[&[0x40, 0, 0, 1], PASSWORD, &[0, 4, 0, 0, 0, 0], &size, &public, &[0, 0, 0, 0, 0, 0]])
}

fn flush(handle: &[u8]) -> Vec<u8> {
    command(1, 0x165, &[handle])
}

struct Pair {
    theirs: Libtpms,
    ours: Ours,
    answer: Vec<u8>,
}

impl Pair {
    fn theirs(&mut self, mut command: Vec<u8>) -> Result<Duration, libtpms::Error> {
        loop {
            let start = Instant::now();
            self.theirs.execute(0, &mut command, &mut self.answer)?;
            let time = start.elapsed();
            if self.answer.get(6..10) != Some(&RETRY) {
                return Ok(time);
            }
        }
    }

    fn ours(&mut self, mut command: Vec<u8>) -> Duration {
        let start = Instant::now();
        self.ours.execute(0, &mut command, &mut self.answer);
        start.elapsed()
    }

    /// Times a command on both sides and flushes what it made.
    fn time(&mut self, bytes: &[u8], makes: bool) -> Result<Both<Duration>, libtpms::Error> {
        let theirs = self.theirs(bytes.to_vec())?;
        self.check();
        if makes {
            let handle = self.answer[10..14].to_vec();
            self.theirs(flush(&handle))?;
        }
        let ours = self.ours(bytes.to_vec());
        self.check();
        if makes {
            let handle = self.answer[10..14].to_vec();
            self.ours(flush(&handle));
        }
        Ok(Both { theirs, ours })
    }

    fn check(&self) {
        assert_eq!(self.answer.get(6..10), Some(&[0; 4][..]), "a measured command must succeed: {:02x?}", self.answer);
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => error.ends(),
    }
}

fn run(options: &Options) -> Result<bool, libtpms::Error> {
    let mut pair =
        Pair { theirs: Libtpms::load()?, ours: Ours::manufacture(1, Profile::pc_client()), answer: Vec::new() };
    pair.theirs.manufacture()?;
    pair.time(&command(1, 0x144, &[&[0, 0]]), false)?;
    // The attestation key stays at handle 80000000; tables and self-tests are made before the clock runs.
    pair.time(&create_primary(ECC_ATTESTATION, 0), false)?;
    println!("microseconds          libtpms min / median      ours min / median   ratio min / median");
    let mut kept = true;
    for measured in MEASURED {
        let makes = measured.name.starts_with("Create");
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for number in 0..u32::try_from(options.rounds).unwrap_or(u32::MAX) {
            let times = pair.time(&(measured.command)(number), makes)?;
            theirs.push(times.theirs.as_secs_f64() * 1e6);
            ours.push(times.ours.as_secs_f64() * 1e6);
        }
        let [theirs, ours] = [summary(theirs), summary(ours)];
        let ratio = (theirs.0 / ours.0, theirs.1 / ours.1);
        println!(
            "{:22}{:9.2} / {:9.2}  {:9.2} / {:9.2}   {:6.2} / {:6.2}  (bar {})",
            measured.name, theirs.0, theirs.1, ours.0, ours.1, ratio.0, ratio.1, measured.bar
        );
        kept &= ratio.0 >= measured.bar;
    }
    kept &= rsa(&mut pair, options.keys)?;
    println!("{}", if kept { "every bar is kept" } else { "a bar is missed" });
    Ok(kept)
}

/// Times the creation of RSA keys; how long one takes is chance, so that only the mean of many says anything.
fn rsa(pair: &mut Pair, keys: u32) -> Result<bool, libtpms::Error> {
    let mut sum = Both { theirs: 0.0, ours: 0.0 };
    for number in 0..keys {
        let times = pair.time(&create_primary(RSA_STORAGE, number), true)?;
        sum.theirs += times.theirs.as_secs_f64() * 1e3;
        sum.ours += times.ours.as_secs_f64() * 1e3;
    }
    let mean = sum.map(|sum| sum / f64::from(keys.max(1)));
    let ratio = mean.ours / mean.theirs;
    println!(
        "RSA-2048, mean of {keys}: libtpms {:.1} ms, ours {:.1} ms, {ratio:.2} times as long (bar 1.6)",
        mean.theirs, mean.ours
    );
    Ok(keys == 0 || ratio <= 1.6)
}

/// The least and the median.
fn summary(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times.first().copied().unwrap_or(0.0), times.get(times.len() / 2).copied().unwrap_or(0.0))
}
