// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which part of an IMA list a quote covers (verification rule 11).

use evtpm_logs::ima::{BinaryList, TemplateDigests, extend};
use evtpm_logs::{HashId, PcrBank, PcrSet};

use crate::logs::{CryptoHashes, Error};
use crate::tpm::QuotedBank;

/// The part of a list that leads to the quoted values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Entries of the prefix.
    pub entries: usize,
    /// Bytes of the prefix.
    pub bytes: usize,
    /// Entries in the whole list, as far as it can be read.
    pub total: usize,
    /// What the kernel extended into each quoted bank.
    pub digests: Vec<(HashId, TemplateDigests)>,
}

/// Finds the shortest prefix of `list` after which every quoted register of `pcrs` has its quoted value.
///
/// Entries behind it extend no quoted register, or the quote was made before them: they are not covered.
pub(super) fn find(quoted: &[QuotedBank], replayed: &[PcrBank], list: &[u8], pcrs: PcrSet) -> Result<Prefix, Error> {
    let mut banks: Vec<Bank<'_>> = quoted
        .iter()
        .zip(replayed)
        .filter(|(quoted, _)| !quoted.pcrs().intersection(pcrs).is_empty())
        .map(|(quoted, start)| Bank { quoted, start, digests: TemplateDigests::OfBank })
        .collect();
    let total = count(list)?;
    if let Some(prefix) = common(&banks, list, pcrs, total)? {
        return Ok(prefix);
    }

    // Which banks got padded SHA-1 (kernels before 5.8, or hash modules not yet loaded) shows in each bank alone.
    for bank in &mut banks {
        if common(core::slice::from_ref(bank), list, pcrs, total)?.is_none() {
            bank.digests = TemplateDigests::PaddedSha1;
            if bank.quoted.algorithm() == HashId::SHA1
                || common(core::slice::from_ref(bank), list, pcrs, total)?.is_none()
            {
                return Err(bank.refusal(pcrs, total));
            }
        }
    }
    match (common(&banks, list, pcrs, total)?, banks.first()) {
        (Some(prefix), _) => Ok(prefix),
        (None, Some(bank)) => Err(bank.refusal(pcrs, total)),
        (None, None) => Err(Error::ImaNotQuoted { pcrs }),
    }
}

/// A quoted bank on its way through the list.
struct Bank<'a> {
    quoted: &'a QuotedBank,
    start: &'a PcrBank,
    digests: TemplateDigests,
}

impl Bank<'_> {
    fn is_reached(&self, now: &PcrBank, pcrs: PcrSet) -> bool {
        self.quoted.iter().filter(|(pcr, _)| pcrs.contains(*pcr)).all(|(pcr, value)| now.value(pcr) == value)
    }

    fn refusal(&self, pcrs: PcrSet, entries: usize) -> Error {
        Error::ImaReplay { bank: self.quoted.algorithm(), pcrs: self.quoted.pcrs().intersection(pcrs), entries }
    }
}

fn count(list: &[u8]) -> Result<usize, Error> {
    BinaryList::new(list).try_fold(0_usize, |count, entry| {
        entry.map_err(Error::ImaList)?;
        Ok(count.saturating_add(1))
    })
}

/// Walks the list with all banks at once.
fn common(banks: &[Bank<'_>], list: &[u8], pcrs: PcrSet, total: usize) -> Result<Option<Prefix>, Error> {
    let mut now: Vec<PcrBank> = banks.iter().map(|bank| bank.start.clone()).collect();
    let reached = |now: &[PcrBank]| banks.iter().zip(now).all(|(bank, now)| bank.is_reached(now, pcrs));
    let digests = || banks.iter().map(|bank| (bank.quoted.algorithm(), bank.digests)).collect();
    let mut entries = BinaryList::new(list);
    let mut covered = 0_usize;
    if reached(&now) {
        return Ok(Some(Prefix { entries: 0, bytes: 0, total, digests: digests() }));
    }
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(Error::ImaList)?;
        covered = covered.saturating_add(1);
        for (bank, now) in banks.iter().zip(&mut now) {
            if pcrs.contains(entry.pcr) {
                extend(now, &entry, bank.digests, &CryptoHashes).map_err(Error::ImaList)?;
            }
        }
        if reached(&now) {
            return Ok(Some(Prefix { entries: covered, bytes: entries.offset(), total, digests: digests() }));
        }
    }
    Ok(None)
}
