// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an agent does when the broker ends a lease: close what the key opened, or run a program.
//!
//! Nobody can be made to obey: an agent that is not honest keeps what it has. The broker gives it nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use evtpm_api::{Lease, Registered};
use hyper::Method;

use crate::disk::luks;
use crate::verifier::Connection;

/// What is done when a lease ends.
#[derive(Debug, Args)]
pub(crate) struct OnEnd {
    /// When this boot's lease of KEY ends, close /dev/mapper/NAME; while it is in use, suspend it, which takes the key out of
    /// the kernel's memory.
    #[arg(long, value_name = "KEY=NAME", value_parser = pair)]
    close: Vec<(String, String)>,
    /// When a lease ends, run this program: PROGRAM KEY REASON.
    #[arg(long, value_name = "PROGRAM")]
    on_lease_end: Option<PathBuf>,
    /// The program that handles LUKS2 (version 2.4 or later).
    #[arg(long, value_name = "PROGRAM", default_value = "cryptsetup")]
    cryptsetup: PathBuf,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, name) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=NAME"))?;
    Ok((key.to_owned(), name.to_owned()))
}

/// The leases of this boot, as far as they were seen.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Those that were live, with their keys.
    live: BTreeMap<String, String>,
    /// Those whose end was dealt with.
    done: BTreeSet<String>,
}

impl Leases {
    /// Asks what became of the leases, and deals with those that ended.
    pub(crate) async fn look(
        &mut self,
        connection: &mut Connection,
        registered: &Registered,
        on_end: &OnEnd,
    ) -> Result<()> {
        if on_end.is_nothing() {
            return Ok(());
        }
        let path = format!("/attesters/{}/leases", registered.attester);
        let told: Vec<Lease> = connection.request(Method::GET, &path, &()).await.context("asking for leases")?;
        for (key, because, lease) in self.ended(&told) {
            on_end.act(&key, &because)?;
            self.done.insert(lease);
        }
        Ok(())
    }

    /// Takes all leases for ended: the verifier does not know this boot any more.
    pub(crate) fn forgotten(&mut self, on_end: &OnEnd) -> Result<()> {
        while let Some((lease, key)) = self.live.pop_first() {
            on_end.act(&key, "the verifier does not know this boot any more")?;
            self.done.insert(lease);
        }
        Ok(())
    }

    /// Finds what ended and was not dealt with: key, reason, lease. A key that was released anew is in good hands.
    fn ended(&mut self, told: &[Lease]) -> Vec<(String, String, String)> {
        self.live =
            told.iter().filter(|lease| lease.is_live()).map(|lease| (lease.lease.clone(), lease.key.clone())).collect();
        let is_over = |lease: &&Lease| {
            !lease.is_live() && !self.done.contains(&lease.lease) && !self.live.values().any(|key| *key == lease.key)
        };
        let because = |lease: &Lease| lease.ended_because.clone().unwrap_or_default();
        told.iter().filter(is_over).map(|lease| (lease.key.clone(), because(lease), lease.lease.clone())).collect()
    }
}

impl OnEnd {
    /// Whether nobody said what to do.
    fn is_nothing(&self) -> bool {
        self.close.is_empty() && self.on_lease_end.is_none()
    }

    fn act(&self, key: &str, because: &str) -> Result<()> {
        tracing::warn!(key, because, "a lease has ended");
        for (_, name) in self.close.iter().filter(|(of, _)| of == key) {
            if Path::new("/dev/mapper").join(name).exists() {
                luks::close(&self.cryptsetup, name)?;
                tracing::info!("/dev/mapper/{name} is closed");
            }
        }
        let Some(program) = &self.on_lease_end else { return Ok(()) };
        let status = Command::new(program).args([key, because]).status();
        let status = status.with_context(|| format!("starting {}", program.display()))?;
        ensure!(status.success(), "{}: {status}", program.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(lease: &str, key: &str, ended_at: Option<u64>) -> Lease {
        let ended_because = ended_at.map(|_| "the machine is failed".to_owned());
        let (lease, machine, key) = (lease.to_owned(), "vm".to_owned(), key.to_owned());
        Lease { lease, machine, boot: 1, key, since: 1, last_release: 1, releases: 1, ended_at, ended_because }
    }

    #[test]
    fn an_end_is_dealt_with_once_and_not_if_the_key_was_released_anew() {
        let mut leases = Leases::default();
        let ended = |leases: &mut Leases, told: &[Lease]| {
            leases.ended(told).into_iter().map(|(_, _, lease)| lease).collect::<Vec<_>>()
        };
        assert!(ended(&mut leases, &[lease("a", "disk", None)]).is_empty());
        let over = [lease("a", "disk", Some(5)), lease("b", "other", None)];
        assert_eq!(ended(&mut leases, &over), ["a"]);
        leases.done.insert("a".into());
        assert!(ended(&mut leases, &over).is_empty());
        let anew = [lease("c", "disk", Some(6)), lease("d", "disk", None)];
        assert!(ended(&mut leases, &anew).is_empty());
    }

    #[test]
    fn the_program_hears_the_key_and_the_reason() {
        let file = std::env::temp_dir().join(format!("evtpm-lease-end-{}", std::process::id()));
        let script = file.with_extension("sh");
        std::fs::write(&script, format!("#!/bin/sh\necho \"$1: $2\" > {}\n", file.display())).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let on_end = OnEnd { close: vec![], on_lease_end: Some(script.clone()), cryptsetup: "cryptsetup".into() };
        let mut leases = Leases { live: [("a".to_owned(), "disk".to_owned())].into(), ..Leases::default() };
        leases.forgotten(&on_end).unwrap();
        let heard = std::fs::read_to_string(&file).unwrap();
        for path in [file, script] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(heard, "disk: the verifier does not know this boot any more\n");
    }
}
