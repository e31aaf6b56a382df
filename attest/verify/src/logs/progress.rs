// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the logs of a boot stand, so that the next quote needs only what they grew by (verification rule 11).

use evtpm_logs::ima::{AggregateRange, TemplateDigests};
use evtpm_logs::{Digest, HashId, PcrBank, PcrSet};

use crate::logs::prefix::{self, Prefix};
use crate::logs::runtime::facts;
use crate::logs::{Aggregate, Error, ImaFile, Keyring, RuntimeRules};
use crate::tpm::{Quote, QuotedBank};

/// The registers as an earlier quote and its logs proved them, and how far the IMA list was read.
///
/// It is a proof type with a way through a store: [`Progress::from_bytes`] believes what [`Progress::to_bytes`] wrote, so
/// the bytes have to come from the verifier's own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    registers: PcrSet,
    banks: Vec<Standing>,
    /// `None` if nobody read the IMA list.
    aggregate: Option<Aggregate>,
    entries: u64,
    violations: u64,
}

/// One bank.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    quoted: QuotedBank,
    digests: TemplateDigests,
}

impl Progress {
    pub(super) fn without_list(quoted: &[QuotedBank], registers: PcrSet) -> Self {
        let bank = |quoted: &QuotedBank| Standing { quoted: quoted.clone(), digests: TemplateDigests::OfBank };
        let banks = quoted.iter().map(bank).collect();
        Progress { registers, banks, aggregate: None, entries: 0, violations: 0 }
    }

    pub(super) fn new(quoted: &[QuotedBank], registers: PcrSet, aggregate: Aggregate, prefix: &Prefix) -> Self {
        let digests = |bank: HashId| {
            let found = prefix.digests.iter().find(|(algorithm, _)| *algorithm == bank);
            found.map_or(TemplateDigests::OfBank, |(_, digests)| *digests)
        };
        let bank = |quoted: &QuotedBank| Standing { quoted: quoted.clone(), digests: digests(quoted.algorithm()) };
        Progress {
            registers,
            banks: quoted.iter().map(bank).collect(),
            aggregate: Some(aggregate),
            entries: widen(prefix.entries),
            violations: widen(prefix.violations),
        }
    }

    /// Returns how many entries of the IMA list were covered so far: the next part begins with entry number that.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Follows a later quote of the same boot: registers that no list extends stand still, and `grown`, the binary IMA
    /// list from entry [`Progress::entries`] on, leads from the old values of the others to the new ones. Where no list was
    /// read before, none is read now.
    pub fn follow<'a>(&self, quote: Quote, grown: &'a [u8], rules: RuntimeRules) -> Result<Continued<'a>, Error> {
        let starts = self.starts(&quote)?;
        let starts: Vec<_> = starts.iter().map(|(quoted, start, digests)| (*quoted, start, *digests)).collect();
        let prefix = match self.aggregate {
            Some(_) => prefix::follow(&starts, grown, self.registers)?,
            None => Prefix::default(),
        };
        if let Some((record, claimed_path)) = prefix.first_violation.clone().filter(|_| !rules.allow_violations) {
            return Err(Error::Violation { record, claimed_path, total: prefix.violations });
        }
        let progress = Progress {
            banks: self.banks.iter().zip(quote.banks()).map(|(old, new)| old.at(new)).collect(),
            entries: self.entries.saturating_add(widen(prefix.entries)),
            violations: self.violations.saturating_add(widen(prefix.violations)),
            ..self.clone()
        };
        let covered = grown.get(..prefix.bytes).unwrap_or(grown);
        let uncovered = prefix.total.saturating_sub(prefix.entries);
        Ok(Continued { quote, progress, covered, uncovered })
    }

    /// Holds the new quote against the old one, and returns each bank as it was.
    fn starts<'q>(&self, quote: &'q Quote) -> Result<Vec<(&'q QuotedBank, PcrBank, TemplateDigests)>, Error> {
        if self.banks.len() != quote.banks().len() {
            return Err(Error::OtherSelection);
        }
        self.banks.iter().zip(quote.banks()).map(|(old, new)| old.start(new, self.registers)).collect()
    }

    /// Writes the state for a store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, algorithm) = match self.aggregate {
            Some(Aggregate::NotCovered { algorithm }) => (0, algorithm),
            Some(Aggregate::Verified { algorithm, range }) if range == AggregateRange::of(algorithm) => (1, algorithm),
            Some(Aggregate::Verified { algorithm, .. }) => (2, algorithm),
            None => (3, HashId(0)),
        };
        let mut bytes = vec![VERSION, kind];
        bytes.extend(algorithm.0.to_be_bytes());
        bytes.extend(self.entries.to_be_bytes());
        bytes.extend(self.violations.to_be_bytes());
        bytes.extend(self.registers.mask().to_be_bytes());
        for bank in &self.banks {
            bytes.extend(bank.quoted.algorithm().0.to_be_bytes());
            bytes.push(u8::from(bank.digests == TemplateDigests::PaddedSha1));
            bytes.extend(bank.quoted.pcrs().mask().to_be_bytes());
            bank.quoted.iter().for_each(|(_, value)| bytes.extend(value.as_bytes()));
        }
        bytes
    }

    /// Reads what [`Progress::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [VERSION, kind] = take(&mut rest)? else { return None };
        let algorithm = HashId(u16::from_be_bytes(take(&mut rest)?));
        let aggregate = match kind {
            0 => Some(Aggregate::NotCovered { algorithm }),
            1 => Some(Aggregate::Verified { algorithm, range: AggregateRange::of(algorithm) }),
            2 => Some(Aggregate::Verified { algorithm, range: AggregateRange::Pcr0To7 }),
            3 => None,
            _ => return None,
        };
        let entries = u64::from_be_bytes(take(&mut rest)?);
        let violations = u64::from_be_bytes(take(&mut rest)?);
        let registers = PcrSet::from_mask(u32::from_be_bytes(take(&mut rest)?))?;
        let mut banks = Vec::new();
        while !rest.is_empty() {
            banks.push(Standing::read(&mut rest)?);
        }
        Some(Progress { registers, banks, aggregate, entries, violations })
    }
}

/// The form of the bytes.
const VERSION: u8 = 1;

impl Standing {
    /// The same bank at a later quote.
    fn at(&self, later: &QuotedBank) -> Self {
        Standing { quoted: later.clone(), digests: self.digests }
    }

    fn start<'q>(
        &self,
        new: &'q QuotedBank,
        open: PcrSet,
    ) -> Result<(&'q QuotedBank, PcrBank, TemplateDigests), Error> {
        let old = &self.quoted;
        if old.algorithm() != new.algorithm() || old.pcrs() != new.pcrs() {
            return Err(Error::OtherSelection);
        }
        let moved = old.iter().zip(new.iter()).filter(|((pcr, old), (_, new))| !open.contains(*pcr) && old != new);
        let pcrs: PcrSet = moved.map(|((pcr, _), _)| pcr).collect();
        if !pcrs.is_empty() {
            return Err(Error::Moved { bank: old.algorithm(), pcrs });
        }
        let fresh = PcrBank::at_startup(old.algorithm()).map_err(Error::ImaList)?;
        let start = old.iter().try_fold(fresh, |bank, (pcr, value)| bank.with_value(pcr, *value));
        Ok((new, start.ok_or(Error::OtherSelection)?, self.digests))
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let algorithm = HashId(u16::from_be_bytes(take(rest)?));
        let digests = match take(rest)? {
            [0] => TemplateDigests::OfBank,
            [1] => TemplateDigests::PaddedSha1,
            _ => return None,
        };
        let pcrs = PcrSet::from_mask(u32::from_be_bytes(take(rest)?))?;
        let size = algorithm.digest_size()?;
        let mut values = Vec::new();
        for _ in pcrs.iter() {
            let (value, tail) = rest.split_at_checked(size)?;
            values.push(Digest::new(value)?);
            *rest = tail;
        }
        Some(Standing { quoted: QuotedBank::new(algorithm, pcrs, values), digests })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*taken)
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A later quote of a boot, with the part of the IMA list that it covers and the earlier one did not.
#[derive(Debug)]
pub struct Continued<'a> {
    quote: Quote,
    progress: Progress,
    covered: &'a [u8],
    uncovered: usize,
}

impl<'a> Continued<'a> {
    /// Returns the quote.
    #[must_use]
    pub const fn quote(&self) -> &Quote {
        &self.quote
    }

    /// Returns where the logs stand now.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Returns the number of violations since the boot; not 0 only where the rules allow them.
    #[must_use]
    pub fn violations(&self) -> usize {
        usize::try_from(self.progress.violations).unwrap_or(usize::MAX)
    }

    /// Returns how many of the entries that came are not covered by the quote.
    #[must_use]
    pub const fn uncovered_entries(&self) -> usize {
        self.uncovered
    }

    /// Returns what the boot's first quote said of `boot_aggregate`; `None` if nobody reads the IMA list.
    #[must_use]
    pub const fn aggregate(&self) -> Option<Aggregate> {
        self.progress.aggregate
    }

    /// Returns the banks that hold padded SHA-1 digests.
    pub fn weak_banks(&self) -> impl Iterator<Item = HashId> {
        let padded = |bank: &Standing| (bank.digests == TemplateDigests::PaddedSha1).then(|| bank.quoted.algorithm());
        self.progress.banks.iter().filter_map(padded)
    }

    /// Returns the files that are new, with what `keyring` makes of their signatures.
    pub fn files(&self, keyring: &Keyring) -> impl Iterator<Item = ImaFile<'a>> {
        facts(self.covered, self.progress.registers).map(move |entry| ImaFile::of(entry, keyring))
    }
}
