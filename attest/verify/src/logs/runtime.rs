// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A running system whose IMA list explains the rest of the quote (verification rule 11).

use evtpm_logs::ima::{AggregateRange, BinaryList, Entry, FileDigest, TemplateDigests, boot_aggregate};
use evtpm_logs::{Digest, HashId, PcrBank, PcrIndex, PcrSet};

use crate::logs::prefix::{self, Prefix};
use crate::logs::{CryptoHashes, Error, Keyring, MeasuredBoot, Progress, SignatureState};
use crate::tpm::QuotedBank;

/// What a verifier lets pass in an IMA list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuntimeRules {
    /// Whether measurement violations are reported instead of refused.
    pub allow_violations: bool,
}

/// What is known of `boot_aggregate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// It is the digest of the quoted registers.
    Verified {
        /// The digest's algorithm.
        algorithm: HashId,
        /// The registers that it covers.
        range: AggregateRange,
    },
    /// The quote does not cover the registers of this bank; the quote itself ties the list to the boot.
    NotCovered {
        /// The digest's algorithm.
        algorithm: HashId,
    },
}

/// A boot together with the part of its IMA list that the quote covers.
#[derive(Debug)]
pub struct MeasuredRuntime<'a> {
    boot: MeasuredBoot<'a>,
    covered: &'a [u8],
    registers: PcrSet,
    prefix: Prefix,
    aggregate: Aggregate,
}

/// A measured file, or another object that IMA names.
#[derive(Debug, Clone, Copy)]
pub struct ImaFile<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The path or event name as IMA logged it.
    pub path: &'a [u8],
    /// The digest.
    pub digest: Option<FileDigest<'a>>,
    /// What is known of the file's signature.
    pub signature: SignatureState,
}

impl<'a> MeasuredRuntime<'a> {
    /// Finds the part of the binary IMA list that leads to the quoted values of the boot's open registers.
    ///
    /// Entries behind that part stay untrusted until a later quote covers them; a list that is too short is refused.
    pub fn verify(mut boot: MeasuredBoot<'a>, list: &'a [u8], rules: RuntimeRules) -> Result<Self, Error> {
        let registers = boot.open();
        if registers.is_empty() {
            return Err(Error::ImaNotQuoted { pcrs: registers });
        }

        let prefix = prefix::find(boot.quote().banks(), boot.replayed(), list, registers)?;
        let covered = list.get(..prefix.bytes).unwrap_or(list);
        let aggregate = check_aggregate(&boot, covered)?;
        if let Some((record, claimed_path)) = prefix.first_violation.clone().filter(|_| !rules.allow_violations) {
            return Err(Error::Violation { record, claimed_path, total: prefix.violations });
        }
        boot.close();
        Ok(MeasuredRuntime { boot, covered, registers, prefix, aggregate })
    }

    /// Returns the boot, all of whose quoted registers are explained now.
    #[must_use]
    pub const fn boot(&self) -> &MeasuredBoot<'a> {
        &self.boot
    }

    /// Returns how many entries of the list the quote covers.
    #[must_use]
    pub const fn covered_entries(&self) -> usize {
        self.prefix.entries
    }

    /// Returns how many entries of the list the quote does not cover.
    #[must_use]
    pub const fn uncovered_entries(&self) -> usize {
        self.prefix.total.saturating_sub(self.prefix.entries)
    }

    /// Returns what is known of `boot_aggregate`.
    #[must_use]
    pub const fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    /// Returns the number of violations in the covered part; not 0 only where the rules allow them.
    #[must_use]
    pub const fn violations(&self) -> usize {
        self.prefix.violations
    }

    /// Returns the banks that hold padded SHA-1 digests: such a bank proves the list no better than SHA-1 does.
    pub fn weak_banks(&self) -> impl Iterator<Item = HashId> {
        let padded =
            |(bank, digests): &(HashId, TemplateDigests)| (*digests == TemplateDigests::PaddedSha1).then_some(*bank);
        self.prefix.digests.iter().filter_map(padded)
    }

    /// Returns where the logs of this boot stand, for the quotes that follow.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let quote = self.boot.quote();
        Progress::new(quote.banks(), self.registers, self.aggregate, &self.prefix)
    }

    /// Returns the covered entries: those of quoted registers, violations left out, as no digest covers their data.
    ///
    /// Template data are facts; an entry's template hash is what the list claims, where its bank is not quoted.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        facts(self.covered, self.registers)
    }

    /// Shows every covered file with what `keyring` makes of its signature; `boot_aggregate` is left out.
    ///
    /// The same as [`Self::files`], for lists of many entries: none is moved around.
    pub fn each_file(&self, keyring: &Keyring, mut each: impl FnMut(&Entry<'a>, SignatureState)) {
        let mut list = BinaryList::new(self.covered);
        while let Some(Ok(entry)) = &list.next() {
            if self.registers.contains(entry.pcr) && !entry.is_violation() && !is_boot_aggregate(entry) {
                each(entry, keyring.check(entry));
            }
        }
    }

    /// Returns the covered files with what `keyring` makes of their signatures; `boot_aggregate` is left out.
    pub fn files(&self, keyring: &Keyring) -> impl Iterator<Item = ImaFile<'a>> {
        self.entries().filter(|entry| !is_boot_aggregate(entry)).map(move |entry| ImaFile::of(entry, keyring))
    }
}

impl<'a> ImaFile<'a> {
    /// Reads an entry, and lets `keyring` judge its signature.
    #[must_use]
    pub fn of(entry: Entry<'a>, keyring: &Keyring) -> Self {
        ImaFile { path: entry.path(), digest: entry.digest(), signature: keyring.check(&entry), entry }
    }
}

/// The entries of quoted registers in a part of a list that a quote covers, violations left out.
pub(super) fn facts(covered: &[u8], registers: PcrSet) -> impl Iterator<Item = Entry<'_>> {
    BinaryList::new(covered)
        .filter_map(Result::ok)
        .filter(move |entry| registers.contains(entry.pcr) && !entry.is_violation())
}

fn is_boot_aggregate(entry: &Entry<'_>) -> bool {
    entry.at.record == 0 && entry.path() == b"boot_aggregate"
}

/// Recomputes `boot_aggregate` from the quoted registers.
fn check_aggregate(boot: &MeasuredBoot<'_>, covered: &[u8]) -> Result<Aggregate, Error> {
    let first = BinaryList::new(covered).next().and_then(Result::ok).filter(is_boot_aggregate);
    let Some(digest) = first.filter(|entry| !entry.is_violation()).and_then(|entry| entry.digest()) else {
        return Err(Error::NoBootAggregate);
    };
    let Some(algorithm) = HashId::from_name(digest.algorithm) else {
        return Err(Error::NoBootAggregate);
    };

    let quoted = boot.quote().bank(algorithm);
    let replayed = boot.replayed().iter().find(|bank| bank.algorithm() == algorithm);
    let mut computed = None;
    // Kernels before 5.8 take PCR 0 to 7 whatever the algorithm.
    for range in [AggregateRange::of(algorithm), AggregateRange::Pcr0To7] {
        let Some(bank) = covering(quoted, replayed, range, boot.explained()) else { continue };
        let expected = boot_aggregate(bank, range, &CryptoHashes).map_err(Error::ImaList)?;
        if expected == *digest.bytes {
            return Ok(Aggregate::Verified { algorithm, range });
        }
        computed = computed.or(Some(expected));
    }
    match (computed, Digest::new(digest.bytes)) {
        (Some(expected), Some(actual)) => {
            Err(Error::BootAggregate { algorithm, expected: Box::new(expected), actual: Box::new(actual) })
        }
        _ => Ok(Aggregate::NotCovered { algorithm }),
    }
}

/// Returns the replayed bank if the quote confirms each register of `range` in it.
fn covering<'b>(
    quoted: Option<&QuotedBank>,
    replayed: Option<&'b PcrBank>,
    range: AggregateRange,
    explained: PcrSet,
) -> Option<&'b PcrBank> {
    let quoted = quoted?.pcrs().intersection(explained);
    let needed: PcrSet = range.registers().collect::<Vec<PcrIndex>>().into_iter().collect();
    if needed.without(quoted).is_empty() { replayed } else { None }
}
