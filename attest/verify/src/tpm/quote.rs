// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A quote: PCR values that a believed key signed in answer to our nonce (verification rules 1, 2 and 5).

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::{Digest, HashId, PcrIndex, PcrSet};
use evtpm_tpm_wire::{Rc, TpmlPcrSelection, TpmuAttest};

use crate::UnixTime;
use crate::tpm::attest;
use crate::tpm::{Clock, Error, Freshness, Issued, QualifyingData, Selection, TrustedAk};

/// What an attester sends for a quote.
#[derive(Debug, Clone, Copy)]
pub struct QuoteEvidence<'a> {
    /// `TPMS_ATTEST` as it was signed.
    pub message: &'a [u8],
    /// `TPMT_SIGNATURE`.
    pub signature: &'a [u8],
    /// The values of the selected PCRs, bank after bank in the order of the selection, rising in each bank.
    pub values: &'a [&'a [u8]],
}

/// The PCR values of one quoted bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedBank {
    algorithm: HashId,
    pcrs: PcrSet,
    values: Vec<Digest>,
}

impl QuotedBank {
    /// Takes values that an earlier quote proved.
    pub(crate) const fn new(algorithm: HashId, pcrs: PcrSet, values: Vec<Digest>) -> Self {
        QuotedBank { algorithm, pcrs, values }
    }

    /// Returns the bank's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> HashId {
        self.algorithm
    }

    /// Returns the quoted PCRs.
    #[must_use]
    pub const fn pcrs(&self) -> PcrSet {
        self.pcrs
    }

    /// Returns the value of a quoted PCR.
    #[must_use]
    pub fn value(&self, pcr: PcrIndex) -> Option<&Digest> {
        self.iter().find(|(quoted, _)| *quoted == pcr).map(|(_, value)| value)
    }

    /// Returns the quoted PCRs with their values, rising.
    pub fn iter(&self) -> impl Iterator<Item = (PcrIndex, &Digest)> {
        self.pcrs.iter().zip(&self.values)
    }
}

/// A verified quote.
///
/// Only [`TrustedAk::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    ak_name: Vec<u8>,
    banks: Vec<QuotedBank>,
    clock: Clock,
    firmware_version: u64,
    freshness: Freshness,
}

impl Quote {
    /// Returns the Name of the key that signed, as [`TrustedAk::name`] gives it.
    #[must_use]
    pub fn ak_name(&self) -> &[u8] {
        &self.ak_name
    }

    /// Returns the quoted banks in the order of the selection.
    #[must_use]
    pub fn banks(&self) -> &[QuotedBank] {
        &self.banks
    }

    /// Returns one quoted bank.
    #[must_use]
    pub fn bank(&self, algorithm: HashId) -> Option<&QuotedBank> {
        self.banks.iter().find(|bank| bank.algorithm == algorithm)
    }

    /// Returns the PCRs that are quoted in at least one bank.
    #[must_use]
    pub fn pcrs(&self) -> PcrSet {
        self.banks.iter().fold(PcrSet::EMPTY, |all, bank| all.union(bank.pcrs))
    }

    /// Returns the TPM's clock.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns the TPM's firmware version, plus a constant that differs from key to key.
    #[must_use]
    pub const fn firmware_version(&self) -> u64 {
        self.firmware_version
    }

    /// Returns how fresh the quote is.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }
}

impl TrustedAk {
    /// Verifies that this key's TPM had the given PCR values when it answered `nonce`.
    ///
    /// Which PCRs they are is taken from the signed message alone, and must be exactly `asked`.
    pub fn verify(
        &self,
        evidence: QuoteEvidence<'_>,
        nonce: Issued<QualifyingData>,
        asked: &Selection,
        at: UnixTime,
    ) -> Result<Quote, Error> {
        let QuoteEvidence { message, signature, values } = evidence;
        let (attest, freshness) =
            attest::verify(self.checked_by(), message, signature, attest::ATTEST_QUOTE, nonce, at)?;
        let TpmuAttest::Quote(info) = &attest.attested else {
            return Err(Error::Malformed { what: "TPMS_QUOTE_INFO", code: Rc::SELECTOR });
        };

        let signed = signed_selection(&info.pcr_select)?;
        if signed != *asked {
            return Err(Error::Selection { expected: asked.clone(), actual: signed });
        }
        let banks = quoted_banks(&signed, values)?;
        check_digest(self.key().scheme().hash(), values, info.pcr_digest.as_bytes())?;

        let clock = attest.clock_info;
        Ok(Quote {
            ak_name: self.name().to_vec(),
            banks,
            clock: Clock {
                milliseconds: clock.clock,
                reset_count: clock.reset_count,
                restart_count: clock.restart_count,
                safe: clock.safe.is_yes(),
            },
            firmware_version: attest.firmware_version,
            freshness,
        })
    }
}

fn signed_selection(signed: &TpmlPcrSelection) -> Result<Selection, Error> {
    let mut selection = Selection::new();
    for entry in signed.as_slice() {
        let bank = HashId(entry.hash.id().0);
        let [low, middle, high] = entry.select.bits();
        let pcrs = PcrSet::from_mask(u32::from_le_bytes([low, middle, high, 0])).unwrap_or_default();
        if selection.find(bank).is_some() {
            return Err(Error::BankTwice { bank });
        }
        // A bank of which nothing is selected says nothing; it cannot have been asked for.
        if let Some(longer) = selection.clone().with(bank, pcrs) {
            selection = longer;
        }
    }
    Ok(selection)
}

fn quoted_banks(selection: &Selection, values: &[&[u8]]) -> Result<Vec<QuotedBank>, Error> {
    if values.len() != selection.values() {
        return Err(Error::PcrCount { expected: selection.values(), actual: values.len() });
    }

    let mut values = values.iter();
    let mut banks = Vec::new();
    for (bank, pcrs) in selection.iter() {
        let expected = bank.digest_size().unwrap_or(0);
        let mut quoted = Vec::new();
        for (pcr, value) in pcrs.iter().zip(&mut values) {
            let digest = Digest::new(value).filter(|_| value.len() == expected);
            quoted.push(digest.ok_or(Error::PcrSize { bank, pcr, expected, actual: value.len() })?);
        }
        banks.push(QuotedBank { algorithm: bank, pcrs, values: quoted });
    }
    Ok(banks)
}

/// Part 3, "TPM2_Quote": the digest is made with the hash of the signing scheme over the values one after the other.
fn check_digest(hash: HashAlg, values: &[&[u8]], signed: &[u8]) -> Result<(), Error> {
    let actual = RustCrypto::hash(hash, values);
    if actual.as_bytes() == signed {
        return Ok(());
    }
    let copy = |bytes| Digest::new(bytes).map(Box::new);
    match (copy(signed), copy(actual.as_bytes())) {
        (Some(expected), Some(actual)) => Err(Error::PcrDigest { expected, actual }),
        _ => Err(Error::Malformed { what: "TPMS_QUOTE_INFO.pcrDigest", code: Rc::SIZE }),
    }
}
