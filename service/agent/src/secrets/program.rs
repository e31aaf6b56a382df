// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent secrets`: puts secrets into a directory, gets them out at a later boot.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::SecretFile;
use super::file::{names, path_of};
use crate::broker::{BrokerArgs, release};

/// The longest secret.
const MAX_SECRET: u64 = 1 << 20;

/// Secrets in a directory, sealed below a key of the broker: the directory may lie anywhere, and outlives the boots.
///
/// The machine is attested, and the broker releases its key on the verdict. Exit code 0 done, 3 not.
#[derive(Debug, Args)]
pub struct SecretsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a secret into the directory; it is read from standard input, or from a file.
    Put(Put),
    /// Get a secret out to standard output, or all of them into a directory in memory.
    Get(Get),
    /// List the names of the secrets, each with the broker's key that it needs.
    List {
        /// The directory.
        #[arg(long, value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Put {
    #[command(flatten)]
    broker: BrokerArgs,
    /// The directory; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// The name of the broker's key.
    #[arg(long, value_name = "NAME")]
    key: String,
    /// The secret's name: words with / between them, as tls/server.key.
    name: String,
    /// Read the secret from this file.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Get {
    #[command(flatten)]
    broker: BrokerArgs,
    /// The directory.
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// The secret's name.
    #[arg(required_unless_present = "into")]
    name: Option<String>,
    /// Write all secrets that need one key into this directory, by their names, readable for their owner alone.
    #[arg(long, value_name = "DIR", conflicts_with = "name", requires = "key")]
    into: Option<PathBuf>,
    /// The key whose secrets are wanted, with --into.
    #[arg(long, value_name = "NAME", requires = "into")]
    key: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What keeps it from being done.
pub async fn run(args: &SecretsArgs) -> Result<()> {
    match &args.command {
        Command::Put(args) => put(args).await,
        Command::Get(args) => get(args).await,
        Command::List { directory } => {
            let mut out = std::io::stdout().lock();
            for name in names(directory)? {
                writeln!(out, "{name}  ({})", read(directory, &name)?.key)?;
            }
            Ok(())
        }
    }
}

async fn put(args: &Put) -> Result<()> {
    let path = path_of(&args.directory, &args.name)?;
    let secret = match &args.from {
        Some(file) => {
            let opened = std::fs::File::open(file).with_context(|| format!("reading {}", file.display()))?;
            secret(opened).with_context(|| file.display().to_string())?
        }
        None => secret(std::io::stdin().lock()).context("standard input")?,
    };
    let (mut attester, parent) = release(&args.broker, &args.key).await?;
    let made = SecretFile::make(attester.keys(), &parent, &args.key, &args.name, &secret)?;
    // Before anything depends on it.
    let opened = made.open(attester.keys(), &parent, &args.name)?;
    ensure!(opened == secret, "the TPM unsealed something else than it sealed");
    write_new(&path, &serde_json::to_vec(&made)?)
}

async fn get(args: &Get) -> Result<()> {
    let wanted = match (&args.name, &args.key) {
        (Some(name), _) => vec![(name.clone(), read(&args.directory, name)?)],
        (None, key) => {
            let all = names(&args.directory)?.into_iter().map(|name| {
                let secret = read(&args.directory, &name)?;
                Ok((name, secret))
            });
            let all = all.collect::<Result<Vec<_>>>()?;
            all.into_iter().filter(|(_, secret)| Some(&secret.key) == key.as_ref()).collect()
        }
    };
    let (_, first) = wanted.first().context("no secret in the directory needs that key")?;
    let (mut attester, parent) = release(&args.broker, &first.key).await?;
    for (name, secret) in &wanted {
        let opened = secret.open(attester.keys(), &parent, name).with_context(|| name.clone())?;
        match &args.into {
            Some(into) => write_new(&into.join(name), &opened)?,
            None => std::io::stdout().lock().write_all(&opened)?,
        }
    }
    Ok(())
}

/// Reads a secret of bounded length.
fn secret(source: impl Read) -> Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(Vec::new());
    source.take(MAX_SECRET + 1).read_to_end(&mut secret)?;
    ensure!(secret.len() as u64 <= MAX_SECRET, "a secret has at most {MAX_SECRET} bytes");
    Ok(secret)
}

fn read(directory: &Path, name: &str) -> Result<SecretFile> {
    let path = path_of(directory, name)?;
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no secret", path.display()))
}

/// Writes a file whole or not at all; for its owner alone.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(writing)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    written.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).with_context(writing)?;
    std::fs::rename(&beside, path).with_context(writing)
}
