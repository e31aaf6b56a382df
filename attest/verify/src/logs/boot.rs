// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A boot whose event log explains the quoted registers (verification rule 12).

use evtpm_logs::tcg::TaggedEvent;
use evtpm_logs::tcg::{EventData, GLOBAL_VARIABLE};
use evtpm_logs::{Digest, EventLog, HashId, PcrBank, PcrIndex, PcrSet};

use crate::logs::{CryptoHashes, Error, Progress, VerifiedEvent};
use crate::tpm::{Quote, QuotedBank};

/// A quote together with the event log that leads to it.
#[derive(Debug)]
pub struct MeasuredBoot<'a> {
    quote: Quote,
    replayed: Vec<PcrBank>,
    explained: PcrSet,
    open: PcrSet,
    events: Vec<VerifiedEvent<'a>>,
}

impl<'a> MeasuredBoot<'a> {
    /// Replays the firmware's event log in every quoted bank and compares every quoted register but those in
    /// `continued`, which a later log goes on extending (PCR 10, for a machine with IMA).
    pub fn verify(quote: Quote, event_log: &'a [u8], continued: PcrSet) -> Result<Self, Error> {
        let log = EventLog::parse(event_log).map_err(Error::EventLog)?;
        let replayed = replay(&quote, &log, continued)?;
        for (bank, replayed) in quote.banks().iter().zip(&replayed) {
            compare(bank, replayed, continued)?;
        }

        let explained = quote.pcrs().without(continued);
        let open = quote.pcrs().intersection(continued);
        let events = verified_events(&quote, &log)?;
        Ok(MeasuredBoot { quote, replayed, explained, open, events })
    }

    /// Replays the firmware's event log like [`MeasuredBoot::verify`], but compares only the registers in `logged`: what the
    /// other quoted ones hold is for whoever asked for them to say.
    pub fn partly(quote: Quote, event_log: &'a [u8], logged: PcrSet, continued: PcrSet) -> Result<Self, Error> {
        let unlogged = quote.pcrs().without(logged).union(continued);
        let boot = Self::verify(quote, event_log, unlogged)?;
        let open = boot.quote.pcrs().intersection(continued);
        Ok(MeasuredBoot { open, ..boot })
    }

    /// Takes a quote whose registers no event log has to explain but those in `continued`: what the others hold is for
    /// whoever asked for them to say.
    pub fn unlogged(quote: Quote, continued: PcrSet) -> Result<Self, Error> {
        let fresh = |bank: &QuotedBank| PcrBank::at_startup(bank.algorithm()).map_err(Error::EventLog);
        let replayed = quote.banks().iter().map(fresh).collect::<Result<_, _>>()?;
        let open = quote.pcrs().intersection(continued);
        Ok(MeasuredBoot { quote, replayed, explained: PcrSet::EMPTY, open, events: Vec::new() })
    }

    /// Returns the quote.
    #[must_use]
    pub const fn quote(&self) -> &Quote {
        &self.quote
    }

    /// Returns the registers whose quoted values the log explains.
    #[must_use]
    pub const fn explained(&self) -> PcrSet {
        self.explained
    }

    /// Returns the quoted registers that wait for a later log.
    #[must_use]
    pub const fn open(&self) -> PcrSet {
        self.open
    }

    /// Returns the events of the explained registers, in the log's order.
    ///
    /// The order is proven among the events of one register, and only claimed between registers.
    pub fn events(&self) -> impl Iterator<Item = &VerifiedEvent<'a>> {
        self.events.iter().filter(|event| self.explained.contains(event.pcr()))
    }

    /// Returns the digests of the initial RAM disk that the kernel's EFI stub loaded, in one quoted bank.
    pub fn initrd_digests(&self, bank: HashId) -> impl Iterator<Item = Digest> {
        self.tagged(TaggedEvent::INITRD).filter_map(move |event| event.digest(bank).and_then(Digest::new))
    }

    /// Returns whether the firmware enforces Secure Boot, as it measured the variable before it started anything.
    ///
    /// `None` if PCR 7 is not explained, or has no such event.
    #[must_use]
    pub fn secure_boot(&self) -> Option<bool> {
        let measured = |event: &VerifiedEvent<'_>| match event.proven() {
            Some(EventData::Variable(variable))
                if variable.vendor == GLOBAL_VARIABLE && variable.name == *"SecureBoot" =>
            {
                // UEFI, "Globally Defined Variables": 1 is enabled; some firmware measures an empty variable for off.
                Some(variable.content == [1])
            }
            _ => None,
        };
        self.events().filter(|event| event.pcr().value() == 7 && !event.after_separator()).find_map(measured)
    }

    /// Returns where the boot stands, for the quotes that follow, if nobody reads its IMA list.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::without_list(self.quote.banks(), self.open)
    }

    /// Returns events with a tag of the Linux EFI stub, which measures into PCR 9.
    pub(super) fn tagged(&self, tag: u32) -> impl Iterator<Item = &VerifiedEvent<'a>> {
        self.events().filter(move |event| {
            let is_tag = matches!(event.claimed(), EventData::Tagged(TaggedEvent { id, .. }) if id == tag);
            is_tag && event.pcr().value() == 9
        })
    }

    /// Returns the banks as they are after the event log, in the order of the quote.
    pub(super) fn replayed(&self) -> &[PcrBank] {
        &self.replayed
    }

    /// Takes the open registers as explained, by whoever explained them.
    pub(super) fn close(&mut self) {
        self.explained = self.explained.union(self.open);
        self.open = PcrSet::EMPTY;
    }
}

fn replay(quote: &Quote, log: &EventLog<'_>, continued: PcrSet) -> Result<Vec<PcrBank>, Error> {
    let banks: Vec<HashId> = quote.banks().iter().map(QuotedBank::algorithm).collect();
    // A log without any event is one that never reached the operating system; it has no banks to be blamed for.
    if log.events().next().is_none() {
        let fresh: Result<Vec<_>, _> = banks.into_iter().map(PcrBank::at_startup).collect();
        let fresh = fresh.map_err(Error::EventLog)?;
        let differing = |(bank, fresh): (&QuotedBank, &PcrBank)| differing(bank, fresh).without(continued);
        let pcrs = quote.banks().iter().zip(&fresh).map(differing).fold(PcrSet::EMPTY, PcrSet::union);
        return if pcrs.is_empty() { Ok(fresh) } else { Err(Error::EmptyEventLog { pcrs }) };
    }
    log.replay(&banks, &CryptoHashes).map_err(|error| match error {
        evtpm_logs::Error::BankNotLogged { algorithm } => Error::BankNotLogged { bank: algorithm },
        error => Error::EventLog(error),
    })
}

fn differing(quoted: &QuotedBank, replayed: &PcrBank) -> PcrSet {
    quoted.iter().filter(|(pcr, value)| replayed.value(*pcr) != *value).map(|(pcr, _)| pcr).collect()
}

fn compare(quoted: &QuotedBank, replayed: &PcrBank, continued: PcrSet) -> Result<(), Error> {
    let all = differing(quoted, replayed).without(continued);
    let Some((pcr, value)) = quoted.iter().find(|(pcr, _)| all.contains(*pcr)) else {
        return Ok(());
    };
    Err(Error::Replay {
        bank: quoted.algorithm(),
        pcr,
        quoted: Box::new(*value),
        replayed: Box::new(*replayed.value(pcr)),
        all,
    })
}

/// Collects the events of quoted registers.
fn verified_events<'a>(quote: &Quote, log: &EventLog<'a>) -> Result<Vec<VerifiedEvent<'a>>, Error> {
    let covering = |pcr: PcrIndex| -> Vec<HashId> {
        quote.banks().iter().filter(|bank| bank.pcrs().contains(pcr)).map(QuotedBank::algorithm).collect()
    };
    let mut separated = PcrSet::EMPTY;
    let mut events = Vec::new();
    for event in log.events() {
        let event = event.map_err(Error::EventLog)?;
        let Some(pcr) = event.pcr_index().filter(|_| event.is_extended()) else { continue };
        let banks = covering(pcr);
        if banks.is_empty() || banks.iter().all(|bank| event.digests().find(*bank).is_none()) {
            continue;
        }
        let event = VerifiedEvent::new(event, pcr, &banks, separated.contains(pcr));
        if event.is_separator() {
            separated = separated.with(pcr);
        }
        events.push(event);
    }
    Ok(events)
}
