// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes a text to the start of a disk, or reads it back: what has to be the same at the next boot.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};

const USAGE: &str = "usage: disk write DEVICE TEXT | disk read DEVICE";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", device, text] => {
            let mut file = OpenOptions::new().write(true).open(device).context((*device).to_owned())?;
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_all().context("sync")
        }
        ["read", device] => {
            let mut start = [0; 512];
            File::open(device).context((*device).to_owned())?.read_exact(&mut start)?;
            let end = start.iter().position(|byte| *byte == b'\n').context("there is no text")?;
            println!("{}", String::from_utf8_lossy(start.get(..end).unwrap_or_default()));
            Ok(())
        }
        _ => bail!(USAGE),
    }
}
