// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCR banks with the reset and extend rules of a PC (Part 1, "PCR Operations"; PC Client Platform TPM Profile, "PCR Attributes").

use super::hierarchies::pass_policy;
use super::{Auth, AuthPolicy};
use crate::Locality;
use crate::algorithm;
use crate::memory::{OutOfMemory, Slots};
use crate::snapshot::{self, Archive, Invalid};
use evtpm_crypto::{Digest, HashAlg};
use evtpm_tpm_wire::{PcrIndex, PcrSelect};

/// Counts the PCRs of each bank.
const PCR_COUNT: usize = PcrIndex::COUNT;

/// The PCR that the core root of trust for measurement extends.
const HCRTM: usize = 0;

/// One bit for each of localities 0 to 4.
type Localities = u8;

/// What is special about one PCR.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PcrRules {
    /// Kept over TPM Resume.
    pub saved: bool,
    /// Set to ones by `TPM2_Startup` and to zeros by a dynamic launch.
    pub dynamic: bool,
    /// Changes do not count in `pcrUpdateCounter`.
    pub uncounted: bool,
    /// Extended and reset only with the authorization that the group of these PCRs shares.
    pub grouped: bool,
    reset: Localities,
    extend: Localities,
}

const STATIC: PcrRules =
    PcrRules { saved: true, dynamic: false, uncounted: false, grouped: false, reset: 0, extend: 0x1F };
const RESETTABLE: PcrRules = PcrRules { saved: false, uncounted: true, reset: 0x1F, ..STATIC };

const fn dynamic(uncounted: bool, reset: Localities, extend: Localities) -> PcrRules {
    PcrRules { saved: false, dynamic: true, uncounted, reset, extend, ..STATIC }
}

const fn grouped(rules: PcrRules) -> PcrRules {
    PcrRules { grouped: true, ..rules }
}

const RULES: [PcrRules; PCR_COUNT] = [
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    STATIC,
    RESETTABLE,
    dynamic(false, 0x10, 0x1C),
    dynamic(false, 0x10, 0x1C),
    dynamic(false, 0x10, 0x0C),
    grouped(dynamic(false, 0x14, 0x0E)),
    grouped(dynamic(true, 0x14, 0x04)),
    grouped(dynamic(true, 0x14, 0x04)),
    RESETTABLE,
];

/// Tells the rules of every PCR, by number.
pub(crate) fn rules() -> impl Iterator<Item = (u8, &'static PcrRules)> {
    (0..).zip(RULES.iter())
}

impl PcrRules {
    /// Tells whether commands at `locality` may reset the PCR.
    pub(crate) const fn may_reset(&self, locality: Locality) -> bool {
        allows(self.reset, locality)
    }

    /// Tells whether commands at `locality` may extend the PCR.
    pub(crate) const fn may_extend(&self, locality: Locality) -> bool {
        allows(self.extend, locality)
    }
}

/// Extended localities may do nothing special with PCRs.
const fn allows(localities: Localities, locality: Locality) -> bool {
    locality.number() <= 4 && localities & locality.attribute() != 0
}

/// The rules of one PCR.
pub(crate) fn rule(pcr: PcrIndex) -> PcrRules {
    RULES.get(pcr.index()).copied().unwrap_or(STATIC)
}

/// The PCRs of one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bank {
    /// The bank's algorithm.
    pub alg: HashAlg,
    /// The PCRs that exist now.
    allocated: PcrSelect,
    /// The PCRs that exist after the next `_TPM_Init`.
    allocated_next: PcrSelect,
    values: [Digest; PCR_COUNT],
}

impl Bank {
    /// Tells the PCRs that exist now.
    pub(crate) const fn allocated(&self) -> PcrSelect {
        self.allocated
    }

    /// Reads a PCR, if it is allocated.
    pub(crate) fn value(&self, pcr: PcrIndex) -> Option<&Digest> {
        self.values.get(pcr.index()).filter(|_| self.allocated.contains(pcr))
    }

    fn value_mut(&mut self, pcr: PcrIndex) -> Option<&mut Digest> {
        self.values.get_mut(pcr.index()).filter(|_| self.allocated.contains(pcr))
    }
}

/// What happened to PCR 0 before `TPM2_Startup`; TPM Resume must find the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartupLocality {
    /// `TPM2_Startup` at locality 0, no H-CRTM: PCR 0 starts at 0.
    Zero,
    /// `TPM2_Startup` at locality 3: PCR 0 starts at 3.
    Three,
    /// An H-CRTM sequence ran: PCR 0 starts at 4 and was extended by its digest.
    Hcrtm,
}

/// All banks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pcrs {
    banks: Slots<Bank>,
    /// The authValue of the group, which an operating system that was launched dynamically may set.
    pub auth: Auth,
    /// The authPolicy of the group.
    pub policy: AuthPolicy,
    update_counter: u32,
    /// An allocation was planned since `_TPM_Init`.
    planned: bool,
}

impl Pcrs {
    /// Reserves one bank for each algorithm, `allocated` telling whether its PCRs exist from the start.
    pub(crate) fn reserve(banks: &[(HashAlg, bool)]) -> Result<Self, OutOfMemory> {
        let mut slots = Slots::reserve(banks.len())?;
        for &(alg, present) in banks {
            let allocated = if present { PcrSelect::ALL } else { PcrSelect::NONE };
            let bank = Bank { alg, allocated, allocated_next: allocated, values: [Digest::zero(alg); PCR_COUNT] };
            slots.insert(bank)?;
        }
        Ok(Self { banks: slots, auth: Auth::EMPTY, policy: None, update_counter: 0, planned: false })
    }

    /// Passes which PCRs there are.
    pub(super) fn pass_allocation<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let mut count = u32::try_from(self.banks.used()).map_err(|_| Invalid::NoRoom)?;
        archive.pass(&mut count)?;
        if usize::try_from(count) != Ok(self.banks.used()) {
            return Err(Invalid::Banks.into());
        }
        for Bank { alg, allocated, allocated_next, values: _ } in self.banks.values_mut() {
            let mut kept = algorithm::wire_hash(*alg);
            archive.pass(&mut kept)?;
            if kept != algorithm::wire_hash(*alg) {
                return Err(Invalid::Banks.into());
            }
            archive.pass(allocated)?;
            archive.pass(allocated_next)?;
        }
        pass_policy(archive, &mut self.policy)
    }

    /// Passes the values.
    pub(super) fn pass_values<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { banks, auth, policy: _, update_counter, planned } = self;
        archive.pass(auth)?;
        archive.pass(update_counter)?;
        snapshot::flag(archive, planned)?;
        let mut values = banks.values_mut().flat_map(|bank| &mut bank.values);
        values.try_for_each(|value| archive.octets(value.as_mut_bytes()))
    }

    /// Walks over the implemented banks, allocated or not.
    pub(crate) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.banks.iter().map(|(_, bank)| bank)
    }

    /// Finds the bank of an algorithm.
    pub(crate) fn bank(&self, alg: HashAlg) -> Option<&Bank> {
        self.banks().find(|bank| bank.alg == alg)
    }

    /// Tells how often a counted PCR changed since TPM Reset.
    pub(crate) const fn update_counter(&self) -> u32 {
        self.update_counter
    }

    /// Extends one PCR of one bank; a bank without that PCR ignores it.
    pub(crate) fn extend(&mut self, pcr: PcrIndex, alg: HashAlg, extend: impl FnOnce(&Digest) -> Digest) {
        let value = self.banks.values_mut().find(|bank| bank.alg == alg).and_then(|bank| bank.value_mut(pcr));
        if let Some(value) = value {
            *value = extend(value);
            self.count_change(pcr);
        }
    }

    /// Sets one PCR of every bank to zeros.
    pub(crate) fn reset(&mut self, pcr: PcrIndex) {
        self.fill(pcr, 0);
        self.count_change(pcr);
    }

    /// Sets the PCRs of the dynamic root of trust to zeros, as the end of its measurement does.
    ///
    /// The extension of PCR 17 that follows at once is what counts, as in the reference implementation.
    pub(crate) fn reset_dynamic(&mut self) {
        PcrIndex::ALL.iter().filter(|pcr| rule(**pcr).dynamic).for_each(|pcr| self.fill(*pcr, 0));
    }

    /// Sets PCR 0 to the locality that starts a static measurement.
    pub(crate) fn start_static(&mut self, start: StartupLocality) {
        let last = match start {
            StartupLocality::Zero => 0,
            StartupLocality::Three => 3,
            StartupLocality::Hcrtm => 4,
        };
        for bank in self.banks.values_mut() {
            let Some(value) = bank.values.get_mut(HCRTM) else { continue };
            value.as_mut_bytes().fill(0);
            if let Some(byte) = value.as_mut_bytes().last_mut() {
                *byte = last;
            }
        }
    }

    /// Plans the allocation after the next `_TPM_Init`, instead of one that was planned before (Part 3, PCR_Allocate).
    pub(crate) fn plan(&mut self, allocation: impl Iterator<Item = (HashAlg, PcrSelect)>) {
        for bank in self.banks.values_mut() {
            bank.allocated_next = bank.allocated;
        }
        for (alg, allocated) in allocation {
            if let Some(bank) = self.banks.values_mut().find(|bank| bank.alg == alg) {
                bank.allocated_next = allocated;
            }
        }
        self.planned = true;
    }

    /// Tells whether an allocation was planned since `_TPM_Init`, even one that changes nothing.
    pub(crate) const fn is_planned(&self) -> bool {
        self.planned
    }

    /// Does what `_TPM_Init` does: the planned allocation becomes real, and a bank that is new starts with zeros.
    pub(crate) fn power_on(&mut self) {
        self.planned = false;
        for bank in self.banks.values_mut() {
            if bank.allocated != bank.allocated_next {
                bank.allocated = bank.allocated_next;
                bank.values = [Digest::zero(bank.alg); PCR_COUNT];
            }
        }
    }

    /// Sets initial values: all PCRs, or on TPM Resume those that are not saved; `keep_pcr0` when an H-CRTM filled PCR 0.
    pub(crate) fn startup(&mut self, reset: bool, resume: bool, keep_pcr0: bool) {
        if reset {
            self.update_counter = 0;
        }
        if !resume {
            // "The authorization setting is set to EmptyAuth on each TPM2_Startup(CLEAR)"
            self.auth = Auth::EMPTY;
        }
        for pcr in PcrIndex::ALL {
            let rules = rule(pcr);
            if resume && rules.saved {
                continue;
            }
            if !(keep_pcr0 && pcr.index() == HCRTM) {
                self.fill(pcr, if rules.dynamic { 0xFF } else { 0 });
            }
            self.count_change(pcr);
        }
    }

    /// Counts a change without one: `TPM2_Clear` ends every policy session that looked at PCRs.
    pub(crate) fn count_clear(&mut self) {
        self.update_counter = self.update_counter.wrapping_add(1);
    }

    fn fill(&mut self, pcr: PcrIndex, byte: u8) {
        for value in self.banks.values_mut().filter_map(|bank| bank.values.get_mut(pcr.index())) {
            value.as_mut_bytes().fill(byte);
        }
    }

    /// "pcrUpdateCounter ... is incremented when a PCR is updated, unless the PCR is excluded by the platform profile."
    fn count_change(&mut self, pcr: PcrIndex) {
        if !rule(pcr).uncounted {
            self.update_counter = self.update_counter.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcrs() -> Pcrs {
        let mut pcrs = Pcrs::reserve(&[(HashAlg::Sha1, false), (HashAlg::Sha256, true)]).unwrap();
        pcrs.startup(true, false, false);
        pcrs
    }

    fn byte(pcrs: &Pcrs, pcr: PcrIndex) -> u8 {
        pcrs.bank(HashAlg::Sha256).and_then(|bank| bank.value(pcr)).unwrap().as_bytes()[0]
    }

    /// swtpm's own test suite compares the counter after a dynamic launch with that of the reference implementation.
    #[test]
    fn a_dynamic_launch_counts_the_extension_of_pcr_17_and_no_reset() {
        let mut pcrs = pcrs();
        let before = pcrs.update_counter();
        pcrs.reset_dynamic();
        assert_eq!((byte(&pcrs, PcrIndex::Pcr17), byte(&pcrs, PcrIndex::Pcr22)), (0, 0));
        assert_eq!(pcrs.update_counter(), before);
        pcrs.extend(PcrIndex::Pcr17, HashAlg::Sha256, |old| *old);
        assert_eq!(pcrs.update_counter(), before + 1);
    }

    #[test]
    fn the_dynamic_pcrs_start_with_ones_and_all_others_with_zeros() {
        let pcrs = pcrs();
        for pcr in PcrIndex::ALL {
            let expected = if (17..=22).contains(&pcr.number()) { 0xFF } else { 0 };
            assert_eq!(byte(&pcrs, pcr), expected, "{pcr:?}");
        }
    }

    #[test]
    fn only_16_and_23_reset_at_locality_0_and_only_17_to_22_refuse_its_extends() {
        let numbers =
            |allowed: fn(&PcrRules) -> bool| rules().filter(move |(_, rules)| allowed(rules)).map(|(pcr, _)| pcr);
        assert!(numbers(|rules| rules.may_reset(Locality::ZERO)).eq([16, 23]));
        assert!(numbers(|rules| !rules.may_extend(Locality::ZERO)).eq(17..=22));
    }

    #[test]
    fn an_extended_locality_resets_nothing() {
        let extended = Locality::new(255).unwrap();
        assert_eq!(rules().filter(|(_, rules)| rules.may_reset(extended) || rules.may_extend(extended)).count(), 0);
    }

    #[test]
    fn extend_of_an_unallocated_bank_changes_nothing() {
        let (mut pcrs, before) = (pcrs(), pcrs());
        pcrs.extend(PcrIndex::Pcr0, HashAlg::Sha1, |_| Digest::EMPTY);
        assert_eq!(pcrs, before);
    }

    #[test]
    fn a_planned_bank_appears_at_power_on() {
        let mut pcrs = pcrs();
        pcrs.plan([(HashAlg::Sha1, PcrSelect::ALL)].into_iter());
        assert!(pcrs.bank(HashAlg::Sha1).unwrap().value(PcrIndex::Pcr0).is_none());
        pcrs.power_on();
        assert_eq!(pcrs.bank(HashAlg::Sha1).unwrap().value(PcrIndex::Pcr0), Some(&Digest::zero(HashAlg::Sha1)));
    }

    #[test]
    fn resume_keeps_the_first_sixteen() {
        let mut pcrs = pcrs();
        for pcr in [PcrIndex::Pcr15, PcrIndex::Pcr16] {
            pcrs.extend(pcr, HashAlg::Sha256, |_| Digest::from_slice(&[7; 32]).unwrap());
        }
        pcrs.startup(false, true, false);
        assert_eq!((byte(&pcrs, PcrIndex::Pcr15), byte(&pcrs, PcrIndex::Pcr16)), (7, 0));
    }

    #[test]
    fn the_counter_ignores_the_application_and_dynamic_os_pcrs() {
        let mut pcrs = pcrs();
        let before = pcrs.update_counter();
        for pcr in [PcrIndex::Pcr16, PcrIndex::Pcr21, PcrIndex::Pcr22, PcrIndex::Pcr23] {
            pcrs.reset(pcr);
        }
        assert_eq!(pcrs.update_counter(), before);
        pcrs.reset(PcrIndex::Pcr20);
        assert_eq!(pcrs.update_counter(), before + 1);
    }

    #[test]
    fn a_startup_at_locality_3_leaves_its_number_in_pcr_0() {
        let mut pcrs = pcrs();
        pcrs.start_static(StartupLocality::Three);
        let value = *pcrs.bank(HashAlg::Sha256).and_then(|bank| bank.value(PcrIndex::Pcr0)).unwrap();
        assert_eq!((value.as_bytes()[30], value.as_bytes()[31]), (0, 3));
    }
}
