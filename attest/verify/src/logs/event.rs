// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Events of a proven log: what is a fact about them and what is not.

use evtpm_logs::tcg::{Event, EventData, EventType, Preimage};
use evtpm_logs::{HashId, PcrIndex};

use crate::logs::CryptoHashes;

/// An event whose digests a quote covers.
///
/// Facts are its register, its place among the events of that register, its digests, and its [`preimage`], if the
/// digests were found to be the hashes of it. Its type and all other data are what the log claims.
///
/// [`preimage`]: VerifiedEvent::preimage
#[derive(Debug, Clone, Copy)]
pub struct VerifiedEvent<'a> {
    event: Event<'a>,
    pcr: PcrIndex,
    preimage: Option<Preimage<'a>>,
    after_separator: bool,
}

impl<'a> VerifiedEvent<'a> {
    /// Looks at an event that was extended into `pcr`, of which `banks` are quoted.
    pub(super) fn new(event: Event<'a>, pcr: PcrIndex, banks: &[HashId], after_separator: bool) -> Self {
        let mut proofs = banks.iter().map(|bank| event.preimage(*bank, &CryptoHashes));
        // Data are a fact only if every quoted bank says so: an event may be extended into one weak bank alone.
        let first = proofs.next().flatten();
        let preimage = first.filter(|first| proofs.all(|proof| proof == Some(*first)));
        VerifiedEvent { event, pcr, preimage, after_separator }
    }

    /// Returns the number of the event's record in the log.
    #[must_use]
    pub const fn record(&self) -> u32 {
        self.event.at.record
    }

    /// Returns the register.
    #[must_use]
    pub const fn pcr(&self) -> PcrIndex {
        self.pcr
    }

    /// Returns the event's digest in a bank.
    #[must_use]
    pub fn digest(&self, bank: HashId) -> Option<&'a [u8]> {
        self.event.digests().find(bank)
    }

    /// Returns what the digests are proven to be the hashes of.
    #[must_use]
    pub const fn preimage(&self) -> Option<Preimage<'a>> {
        self.preimage
    }

    /// Returns the type that the log claims.
    #[must_use]
    pub const fn claimed_type(&self) -> EventType {
        self.event.kind
    }

    /// Returns the data as the log has them, proven or not.
    #[must_use]
    pub const fn claimed_data(&self) -> &'a [u8] {
        self.event.data
    }

    /// Decodes the data as the log has them, proven or not.
    #[must_use]
    pub fn claimed(&self) -> EventData<'a> {
        self.event.decode()
    }

    /// Decodes the data if the digests prove all of them.
    #[must_use]
    pub fn proven(&self) -> Option<EventData<'a>> {
        matches!(self.preimage, Some(Preimage::EventData(_))).then(|| self.event.decode())
    }

    /// Tells whether the register had seen its separator before: the event is then of the operating system's time.
    ///
    /// A separator is known by its digest, not by its type, which anyone can write into a log.
    #[must_use]
    pub const fn after_separator(&self) -> bool {
        self.after_separator
    }

    /// Tells whether the digests are those of a separator or of one of the texts that firmware measures at its own
    /// steps: such an event stands for no code and no configuration.
    ///
    /// That the type says "text" would not be enough: the bytes that an image's digest covers are a "text" too.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        let is_step = |data: &[u8]| FIRMWARE_STEPS.iter().any(|step| step.as_bytes() == data);
        self.is_separator() || matches!(self.preimage, Some(Preimage::EventData(data)) if is_step(data))
    }

    /// Tells whether the digests are those of a separator that ends pre-boot.
    pub(super) fn is_separator(&self) -> bool {
        const ENDS: [&[u8]; 2] = [&[0; 4], &[0xFF; 4]];
        matches!(self.preimage, Some(Preimage::EventData(data)) if ENDS.contains(&data))
    }
}

/// PFP, "EV_EFI_ACTION Event Types" and "EV_ACTION Event Types": what firmware does, not what it starts.
const FIRMWARE_STEPS: [&str; 9] = [
    "Calling EFI Application from Boot Option",
    "Returning from EFI Application from Boot Option",
    "Exit Boot Services Invocation",
    "Exit Boot Services Returned with Failure",
    "Exit Boot Services Returned with Success",
    "Start Option ROM Scan",
    "Calling INT 13h",
    "Calling INT 19h",
    "Return via INT 18h",
];
