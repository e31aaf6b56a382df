// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The text in which a quote travels: `r`, then TPMS_ATTEST, TPMT_SIGNATURE and PCR values in base64, with `:` between.
//!
//! The values come as tpm2-tools has them in memory on a little-endian machine, unused places and all:
//!
//! ```text
//! u32 count; 16 × { u16 hash; u8 size; 3 bytes select; 2 bytes padding }     TPML_PCR_SELECTION
//! u32 lists; lists × { u32 count; 8 × { u16 size; 64 bytes } }               TPML_DIGEST, as PCR_Read gave them
//! ```

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Banks that a selection has place for (`TPM2_NUM_PCR_BANKS`).
const BANKS: usize = 16;
/// Digests that a list has place for.
const LIST: usize = 8;
/// Bytes of a bank in a selection.
const BANK_SIZE: usize = 8;
/// Bytes of the largest digest.
const DIGEST_SIZE: usize = 64;
/// Bytes of a digest's place.
const SLOT_SIZE: usize = 2 + DIGEST_SIZE;
/// Bytes of a list.
const LIST_SIZE: usize = 4 + LIST * SLOT_SIZE;
/// Bytes before the first list.
const HEADER_SIZE: usize = 4 + BANKS * BANK_SIZE + 4;

/// A quote and the PCR values that it is said to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteText {
    /// TPMS_ATTEST.
    pub message: Vec<u8>,
    /// TPMT_SIGNATURE.
    pub signature: Vec<u8>,
    /// The values. Nothing signs them: what they are worth is decided by the digest in `message`.
    pub pcrs: PcrBlob,
}

/// PCR values with their selection; there are exactly as many values as selected PCRs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrBlob {
    selections: Vec<BankSelection>,
    values: Vec<Vec<u8>>,
}

/// PCRs of one bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankSelection {
    /// TPM_ALG_ID of the bank.
    pub hash: u16,
    /// A bit for each PCR, PCR 0 in the lowest of the first byte.
    pub select: [u8; 3],
}

/// What is wrong with a quote's text: always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedQuote {
    /// The text does not begin with `r`.
    Prefix,
    /// The text has another number of parts than three.
    Parts(usize),
    /// This part is not base64 (standard alphabet, padded).
    Base64(&'static str),
    /// The PCR blob's size is not what its number of lists asks for.
    BlobSize {
        /// What the number of lists makes.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// More than 16 banks are selected, or none.
    Banks(u32),
    /// A bank's selection has another size than three bytes.
    SelectSize(u8),
    /// A bank is selected twice.
    TwiceSelected(u16),
    /// A list counts more digests than it has place for, or none.
    ListCount(u32),
    /// A digest is empty or longer than 64 bytes.
    DigestSize(u16),
    /// A place that is not used is not zero.
    Unused,
    /// There are more or fewer values than selected PCRs.
    Values {
        /// Selected PCRs.
        expected: usize,
        /// Values.
        actual: usize,
    },
}

impl fmt::Display for MalformedQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str("the quote does not begin with `r`"),
            Self::Parts(actual) => write!(f, "the quote has {actual} parts instead of 3"),
            Self::Base64(part) => write!(f, "the quote's {part} is not base64"),
            Self::BlobSize { expected, actual } => {
                write!(f, "the PCR blob has {actual} bytes instead of {expected}")
            }
            Self::Banks(actual) => write!(f, "the PCR blob selects {actual} banks instead of 1 to {BANKS}"),
            Self::SelectSize(actual) => write!(f, "a bank's selection has {actual} bytes instead of 3"),
            Self::TwiceSelected(hash) => write!(f, "the PCR blob selects the bank {hash:#06x} twice"),
            Self::ListCount(actual) => write!(f, "a list of PCR values counts {actual} instead of 1 to {LIST}"),
            Self::DigestSize(actual) => write!(f, "a PCR value has {actual} bytes instead of 1 to {DIGEST_SIZE}"),
            Self::Unused => f.write_str("an unused place of the PCR blob is not zero"),
            Self::Values { expected, actual } => {
                write!(f, "the PCR blob has {actual} values for {expected} selected PCRs")
            }
        }
    }
}

impl core::error::Error for MalformedQuote {}

impl QuoteText {
    /// Reads the text.
    ///
    /// # Errors
    /// What makes it no quote.
    pub fn parse(text: &str) -> Result<Self, MalformedQuote> {
        let parts = text.strip_prefix('r').ok_or(MalformedQuote::Prefix)?;
        let mut split = parts.split(':');
        let (Some(message), Some(signature), Some(pcrs), None) =
            (split.next(), split.next(), split.next(), split.next())
        else {
            return Err(MalformedQuote::Parts(parts.split(':').count()));
        };
        let decode = |name, text| STANDARD.decode(text).map_err(|_| MalformedQuote::Base64(name));
        Ok(QuoteText {
            message: decode("message", message)?,
            signature: decode("signature", signature)?,
            pcrs: PcrBlob::parse(&decode("PCR blob", pcrs)?)?,
        })
    }
}

impl fmt::Display for QuoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        write!(f, "r{}:{}:{}", encode(&self.message), encode(&self.signature), encode(&self.pcrs.to_bytes()))
    }
}

impl PcrBlob {
    /// Puts values to the PCRs that they are of, in the order of the selection.
    ///
    /// # Errors
    /// When there are too many or too few, or too long ones.
    pub fn new(selections: Vec<BankSelection>, values: Vec<Vec<u8>>) -> Result<Self, MalformedQuote> {
        if !(1..=BANKS).contains(&selections.len()) {
            return Err(MalformedQuote::Banks(u32::try_from(selections.len()).unwrap_or(u32::MAX)));
        }
        for (place, bank) in selections.iter().enumerate() {
            if selections.iter().take(place).any(|earlier| earlier.hash == bank.hash) {
                return Err(MalformedQuote::TwiceSelected(bank.hash));
            }
        }
        let selected: u32 = selections.iter().flat_map(|bank| bank.select).map(u8::count_ones).sum();
        if usize::try_from(selected) != Ok(values.len()) {
            let expected = usize::try_from(selected).unwrap_or(usize::MAX);
            return Err(MalformedQuote::Values { expected, actual: values.len() });
        }
        if let Some(value) = values.iter().find(|value| !(1..=DIGEST_SIZE).contains(&value.len())) {
            return Err(MalformedQuote::DigestSize(u16::try_from(value.len()).unwrap_or(u16::MAX)));
        }
        Ok(PcrBlob { selections, values })
    }

    /// Returns the selected PCRs.
    #[must_use]
    pub fn selections(&self) -> &[BankSelection] {
        &self.selections
    }

    /// Returns the values, in the order of the selection.
    #[must_use]
    pub fn values(&self) -> &[Vec<u8>] {
        &self.values
    }

    /// Returns each value with the bank and the PCR that it is said to be of.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u8, &[u8])> {
        let pcrs = self.selections.iter().flat_map(|bank| {
            let selected = (0..24_u8)
                .filter(|pcr| bank.select.get(usize::from(pcr / 8)).is_some_and(|byte| byte & (1 << (pcr % 8)) != 0));
            selected.map(|pcr| (bank.hash, pcr))
        });
        pcrs.zip(&self.values).map(|((hash, pcr), value)| (hash, pcr, value.as_slice()))
    }

    /// Reads the blob. What is not used must be zero; lists may be filled in part.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedQuote> {
        let mut reader = Reader(bytes);
        let count = reader.u32()?;
        if !(1..=BANKS).contains(&usize::try_from(count).unwrap_or(usize::MAX)) {
            return Err(MalformedQuote::Banks(count));
        }
        let mut selections = Vec::new();
        for place in 0..BANKS {
            let bank = reader.take::<BANK_SIZE>()?;
            if u32::try_from(place).is_ok_and(|place| place < count) {
                selections.push(bank_selection(bank)?);
            } else if bank != [0; BANK_SIZE] {
                return Err(MalformedQuote::Unused);
            }
        }

        let lists = reader.u32()?;
        let size = usize::try_from(lists).ok().and_then(|lists| lists.checked_mul(LIST_SIZE));
        let expected = size.and_then(|size| size.checked_add(HEADER_SIZE)).unwrap_or(usize::MAX);
        if expected != bytes.len() {
            return Err(MalformedQuote::BlobSize { expected, actual: bytes.len() });
        }
        let mut values = Vec::new();
        for _ in 0..lists {
            let count = reader.u32()?;
            if !(1..=LIST).contains(&usize::try_from(count).unwrap_or(usize::MAX)) {
                return Err(MalformedQuote::ListCount(count));
            }
            for place in 0..LIST {
                let slot = reader.take::<SLOT_SIZE>()?;
                if u32::try_from(place).is_ok_and(|place| place < count) {
                    values.push(digest(&slot)?);
                } else if slot != [0; SLOT_SIZE] {
                    return Err(MalformedQuote::Unused);
                }
            }
        }
        PcrBlob::new(selections, values)
    }

    /// Writes the blob.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_SIZE + self.values.len().div_ceil(LIST) * LIST_SIZE);
        bytes.extend(little_endian(self.selections.len()));
        for bank in &self.selections {
            bytes.extend(bank.hash.to_le_bytes());
            bytes.push(3);
            bytes.extend(bank.select);
            bytes.extend([0; 2]);
        }
        bytes.resize(HEADER_SIZE - 4, 0);
        bytes.extend(little_endian(self.values.len().div_ceil(LIST)));
        for list in self.values.chunks(LIST) {
            let end = bytes.len() + LIST_SIZE;
            bytes.extend(little_endian(list.len()));
            for value in list {
                let slot_end = bytes.len() + SLOT_SIZE;
                // At most 64, as `new` demands.
                bytes.extend(little_endian(value.len()).iter().take(2));
                bytes.extend(value);
                bytes.resize(slot_end, 0);
            }
            bytes.resize(end, 0);
        }
        bytes
    }
}

/// All numbers here are small: [`PcrBlob::new`] takes at most 16 banks, so 384 values.
fn little_endian(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn bank_selection(bytes: [u8; BANK_SIZE]) -> Result<BankSelection, MalformedQuote> {
    let [hash_low, hash_high, size, select @ .., padding_low, padding_high] = bytes;
    if size != 3 {
        return Err(MalformedQuote::SelectSize(size));
    }
    if [padding_low, padding_high] != [0; 2] {
        return Err(MalformedQuote::Unused);
    }
    Ok(BankSelection { hash: u16::from_le_bytes([hash_low, hash_high]), select })
}

fn digest(slot: &[u8; SLOT_SIZE]) -> Result<Vec<u8>, MalformedQuote> {
    let [low, high, place @ ..] = slot;
    let size = u16::from_le_bytes([*low, *high]);
    let (value, unused) =
        place.split_at_checked(usize::from(size)).filter(|_| size != 0).ok_or(MalformedQuote::DigestSize(size))?;
    if unused.iter().any(|byte| *byte != 0) {
        return Err(MalformedQuote::Unused);
    }
    Ok(value.to_vec())
}

/// Takes bytes off the front of a blob.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], MalformedQuote> {
        let short = MalformedQuote::BlobSize { expected: HEADER_SIZE + LIST_SIZE, actual: self.0.len() };
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, MalformedQuote> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
