// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which part of an IMA list a quote covers (verification rule 11).

use evtpm_logs::ima::{BinaryList, TemplateDigests, extend};
use evtpm_logs::{Digest, HashId, PcrBank, PcrIndex, PcrSet, Text};

use crate::logs::{CryptoHashes, Error};
use crate::tpm::QuotedBank;

/// The part of a list that leads to the quoted values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prefix {
    /// Entries of the prefix.
    pub entries: usize,
    /// Bytes of the prefix.
    pub bytes: usize,
    /// Entries in the whole list, as far as it can be read.
    pub total: usize,
    /// What the kernel extended into each quoted bank.
    pub digests: Vec<(HashId, TemplateDigests)>,
    /// Violations of the registers in question, inside the prefix.
    pub violations: usize,
    /// Number and claimed name of the first of them.
    pub first_violation: Option<(u32, String)>,
}

/// Finds the shortest prefix of `list` after which every quoted register of `pcrs` has its quoted value.
///
/// Entries behind it extend no quoted register, or the quote was made before them: they are not covered.
pub(super) fn find(quoted: &[QuotedBank], replayed: &[PcrBank], list: &[u8], pcrs: PcrSet) -> Result<Prefix, Error> {
    let starts = quoted.iter().zip(replayed).map(|(quoted, start)| (quoted, start, TemplateDigests::OfBank));
    let mut banks: Vec<Bank<'_>> = starts.filter_map(|start| Bank::new(start, pcrs)).collect();
    let entries = match common(&banks, list, pcrs)? {
        Walk::Found(prefix) => return Ok(prefix),
        Walk::NotFound { entries } => entries,
    };

    // Which banks got padded SHA-1 (kernels before 5.8, or hash modules not yet loaded) shows in each bank alone.
    for bank in &mut banks {
        if matches!(common(core::slice::from_ref(bank), list, pcrs)?, Walk::NotFound { .. }) {
            bank.digests = TemplateDigests::PaddedSha1;
        }
    }
    match (common(&banks, list, pcrs)?, banks.first()) {
        (Walk::Found(prefix), _) => Ok(prefix),
        (Walk::NotFound { .. }, Some(first)) => {
            // Blame the bank that no reading of the list explains, else the first of those that disagree.
            let mut culprit = first;
            for bank in &banks {
                if matches!(common(core::slice::from_ref(bank), list, pcrs)?, Walk::NotFound { .. }) {
                    culprit = bank;
                    break;
                }
            }
            let pcrs = culprit.quoted.pcrs().intersection(pcrs);
            Err(Error::ImaReplay { bank: culprit.quoted.algorithm(), pcrs, entries })
        }
        (Walk::NotFound { .. }, None) => Err(Error::ImaNotQuoted { pcrs }),
    }
}

/// Finds the same in what a list has grown by: the banks stand where an earlier quote found them, and what the kernel
/// extends into each is known.
pub(super) fn follow(
    starts: &[(&QuotedBank, &PcrBank, TemplateDigests)],
    list: &[u8],
    pcrs: PcrSet,
) -> Result<Prefix, Error> {
    let banks: Vec<Bank<'_>> = starts.iter().filter_map(|start| Bank::new(*start, pcrs)).collect();
    match (common(&banks, list, pcrs)?, banks.first()) {
        (Walk::Found(prefix), _) => Ok(prefix),
        (Walk::NotFound { entries }, Some(first)) => {
            Err(Error::ImaReplay { bank: first.quoted.algorithm(), pcrs, entries })
        }
        (Walk::NotFound { .. }, None) => Err(Error::ImaNotQuoted { pcrs }),
    }
}

/// A quoted bank on its way through the list.
struct Bank<'a> {
    quoted: &'a QuotedBank,
    start: &'a PcrBank,
    /// The quoted values of the registers in question.
    wanted: Vec<(PcrIndex, &'a Digest)>,
    digests: TemplateDigests,
}

impl<'a> Bank<'a> {
    /// `None` if none of the registers in question is quoted in this bank.
    fn new((quoted, start, digests): (&'a QuotedBank, &'a PcrBank, TemplateDigests), pcrs: PcrSet) -> Option<Self> {
        let wanted: Vec<_> = quoted.iter().filter(|(pcr, _)| pcrs.contains(*pcr)).collect();
        (!wanted.is_empty()).then_some(Bank { quoted, start, wanted, digests })
    }

    fn is_reached(&self, now: &PcrBank) -> bool {
        self.wanted.iter().all(|(pcr, value)| now.value(*pcr) == *value)
    }
}

/// How a walk through the list ended.
enum Walk {
    Found(Prefix),
    NotFound { entries: usize },
}

/// Walks the list with all banks at once.
fn common(banks: &[Bank<'_>], list: &[u8], pcrs: PcrSet) -> Result<Walk, Error> {
    let mut now: Vec<PcrBank> = banks.iter().map(|bank| bank.start.clone()).collect();
    let reached = |now: &[PcrBank]| banks.iter().zip(now).all(|(bank, now)| bank.is_reached(now));
    let mut prefix = Prefix {
        entries: 0,
        bytes: 0,
        total: 0,
        digests: banks.iter().map(|bank| (bank.quoted.algorithm(), bank.digests)).collect(),
        violations: 0,
        first_violation: None,
    };
    let mut list = BinaryList::new(list);
    while !reached(&now) {
        let Some(entry) = list.next() else {
            return Ok(Walk::NotFound { entries: prefix.entries });
        };
        let entry = entry.map_err(Error::ImaList)?;
        prefix.entries = prefix.entries.saturating_add(1);
        if !pcrs.contains(entry.pcr) {
            continue;
        }
        for (bank, now) in banks.iter().zip(&mut now) {
            extend(now, &entry, bank.digests, &CryptoHashes).map_err(Error::ImaList)?;
        }
        if entry.is_violation() {
            prefix.violations = prefix.violations.saturating_add(1);
            prefix.first_violation.get_or_insert_with(|| (entry.at.record, Text(entry.path()).to_string()));
        }
    }

    prefix.bytes = list.offset();
    // What follows is not covered, but has to be a list: an unknown template fails closed wherever it stands.
    prefix.total = list.try_fold(prefix.entries, |total, entry| {
        entry.map_err(Error::ImaList)?;
        Ok(total.saturating_add(1))
    })?;
    Ok(Walk::Found(prefix))
}
