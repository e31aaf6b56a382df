// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware's event log (PFP, "Event Logging"): SHA-1 records or crypto-agile records behind a Spec ID header.

mod data;
mod device_path;
mod event_type;
mod preimage;
mod replay;
mod signatures;
mod spec_id;
mod uefi;

#[cfg(test)]
mod tests;

pub use data::{EventData, Ipl, NoAction, TaggedEvent};
pub use device_path::{DevicePath, DevicePathNode};
pub use event_type::EventType;
pub use evtpm_layout::Guid;
pub use preimage::Preimage;
pub use signatures::{Signature, signatures};
pub use spec_id::{Bank, Banks, SpecId};
pub use uefi::{GLOBAL_VARIABLE, GptEvent, GptPartition, IMAGE_SECURITY_DATABASE, ImageLoad, UefiVariable};

use crate::bytes::Cursor;
use crate::{At, Error, HashId, PcrIndex};

/// The largest event data accepted: four times the `dbx` that fills a variable store of 256 KiB.
pub const MAX_EVENT_DATA: usize = 1 << 20;

/// The largest number of events accepted; boots of today have about a hundred.
pub const MAX_EVENTS: u32 = 1 << 14;

/// An event log whose header has been read.
#[derive(Debug, Clone, Copy)]
pub struct EventLog<'a> {
    header: Option<SpecId<'a>>,
    banks: Banks<'a>,
    format: Format,
    body: &'a [u8],
    first: At,
    /// Where the padding at the end starts.
    padding: usize,
}

/// How digests are laid out in each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `TCG_PCR_EVENT`: one SHA-1 digest.
    Sha1,
    /// `TCG_PCR_EVENT2`: a list of digests, each behind its algorithm.
    CryptoAgile,
}

impl<'a> EventLog<'a> {
    /// Reads the header and finds the format; events are read by [`EventLog::events`].
    pub fn parse(log: &'a [u8]) -> Result<Self, Error> {
        let start = At { record: 0, offset: 0 };
        let padding = padding(log);
        let legacy =
            EventLog { header: None, banks: Banks::SHA1, format: Format::Sha1, body: log, first: start, padding };
        if padding == 0 {
            return Ok(legacy);
        }

        let mut cursor = Cursor::new(log, 0, 0);
        let first = legacy.event(&mut cursor)?;
        let Some(header) = first.spec_id()? else {
            return Ok(legacy);
        };

        Ok(EventLog {
            header: Some(header),
            banks: header.banks,
            format: header.format(),
            body: cursor.rest(),
            first: At { record: 1, offset: cursor.at().offset },
            padding,
        })
    }

    /// Returns the Spec ID header, if the log starts with one.
    #[must_use]
    pub const fn header(&self) -> Option<SpecId<'a>> {
        self.header
    }

    /// Returns the record format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the banks that the log announces.
    #[must_use]
    pub const fn banks(&self) -> Banks<'a> {
        self.banks
    }

    /// Reads the events behind the header, one at a time; ends at the log's end or at its padding.
    #[must_use]
    pub const fn events(&self) -> Events<'a> {
        Events { log: *self, cursor: Cursor::new(self.body, self.first.record, self.first.offset), failed: false }
    }

    fn event(&self, cursor: &mut Cursor<'a>) -> Result<Event<'a>, Error> {
        let at = cursor.at();
        let pcr = cursor.u32("pcrIndex")?;
        let kind = EventType(cursor.u32("eventType")?);
        let digests = match self.format {
            Format::Sha1 => Digests { raw: cursor.take("digest", 20)?, banks: self.banks, format: Format::Sha1 },
            Format::CryptoAgile => self.digests(cursor)?,
        };
        let data = cursor.prefixed("event data", MAX_EVENT_DATA)?;

        Ok(Event { at, pcr, kind, digests, data })
    }

    /// Reads `TPML_DIGEST_VALUES`, checking that every bank is one of the header's and occurs once.
    ///
    /// A bank may be missing: `TPM2_PCR_Extend` leaves a bank alone for which it gets no digest.
    fn digests(&self, cursor: &mut Cursor<'a>) -> Result<Digests<'a>, Error> {
        let start = cursor.at();
        let raw = cursor.rest();
        let count = cursor.u32("digest count")?;
        let mut seen = 0_u32;
        for _ in 0..count {
            let at = cursor.at();
            let algorithm = HashId(cursor.u16("digest algorithm")?);
            let Some((position, bank)) = self.banks.find(algorithm) else {
                return Err(Error::UnlistedAlgorithm { at, algorithm });
            };
            let bit = 1_u32.checked_shl(position).unwrap_or(0);
            if seen & bit != 0 {
                return Err(Error::DuplicateAlgorithm { at, algorithm });
            }
            seen |= bit;
            cursor.take("digest", bank.size)?;
        }
        let length = cursor.at().offset.saturating_sub(start.offset);
        let raw = raw.get(4..length).unwrap_or_default();
        Ok(Digests { raw, banks: self.banks, format: Format::CryptoAgile })
    }
}

/// Finds where the padding of a log starts: erased flash reads as ones, fresh memory as zeros.
///
/// An event may end in such bytes too; only at the boundary of a record does this offset mean the end.
fn padding(log: &[u8]) -> usize {
    match log.last() {
        Some(last @ (0xFF | 0)) => log.iter().rposition(|byte| byte != last).map_or(0, |at| at.saturating_add(1)),
        _ => log.len(),
    }
}

/// The events of a log; after an error there are no more.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    log: EventLog<'a>,
    cursor: Cursor<'a>,
    failed: bool,
}

impl Events<'_> {
    /// Returns the offset of the first byte that has not been read as an event.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.cursor.at().offset
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<Event<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.is_empty() || self.cursor.at().offset >= self.log.padding {
            return None;
        }

        let at = self.cursor.at();
        let event = if at.record > MAX_EVENTS {
            Err(Error::TooManyRecords { at, limit: MAX_EVENTS })
        } else {
            self.log.event(&mut self.cursor)
        };
        self.failed = event.is_err();
        let At { record, offset } = self.cursor.at();
        self.cursor = Cursor::new(self.cursor.rest(), record.saturating_add(1), offset);
        Some(event)
    }
}

/// One event of the log: a claim until its digests are replayed and its data hash to them.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Where the record is.
    pub at: At,
    /// The number of the register extended, or of the measurement register in a confidential computing log.
    pub pcr: u32,
    /// What the firmware says the event is. No digest covers it.
    pub kind: EventType,
    /// The event's data, raw.
    pub data: &'a [u8],
    digests: Digests<'a>,
}

impl<'a> Event<'a> {
    /// Returns the event's digests.
    #[must_use]
    pub const fn digests(&self) -> Digests<'a> {
        self.digests
    }

    /// Tells whether the event was extended into its register: EV_NO_ACTION only informs.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.kind != EventType::NO_ACTION
    }

    /// Returns the register, if it is one of the 24.
    #[must_use]
    pub const fn pcr_index(&self) -> Option<PcrIndex> {
        PcrIndex::new(self.pcr)
    }

    fn spec_id(&self) -> Result<Option<SpecId<'a>>, Error> {
        // The register does not matter: confidential computing logs put the header at measurement register 1.
        if self.kind != EventType::NO_ACTION {
            return Ok(None);
        }
        SpecId::parse(self.data, self.data_at())
    }

    /// Where the event's data start, in a record of the SHA-1 format.
    fn data_at(&self) -> At {
        At { record: self.at.record, offset: self.at.offset.saturating_add(32) }
    }
}

/// The digests of one event.
#[derive(Debug, Clone, Copy)]
pub struct Digests<'a> {
    raw: &'a [u8],
    banks: Banks<'a>,
    format: Format,
}

impl<'a> Digests<'a> {
    /// Returns the digest of one bank.
    #[must_use]
    pub fn find(&self, algorithm: HashId) -> Option<&'a [u8]> {
        self.iter().find_map(|(bank, digest)| (bank == algorithm).then_some(digest))
    }

    /// Returns the digests with their banks, in the log's order.
    pub fn iter(&self) -> impl Iterator<Item = (HashId, &'a [u8])> + use<'a> {
        let Digests { mut raw, banks, format } = *self;
        core::iter::from_fn(move || {
            let algorithm = match format {
                Format::Sha1 if raw.is_empty() => return None,
                Format::Sha1 => HashId::SHA1,
                Format::CryptoAgile => {
                    let (id, rest) = raw.split_first_chunk::<2>()?;
                    raw = rest;
                    HashId(u16::from_le_bytes(*id))
                }
            };
            let (_, bank) = banks.find(algorithm)?;
            let (digest, rest) = raw.split_at_checked(bank.size)?;
            raw = rest;
            Some((algorithm, digest))
        })
    }
}
