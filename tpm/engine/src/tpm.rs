// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One TPM: its state, and what the platform does to it besides sending commands.

use crate::failure::{Failure, Phase};
use crate::memory::OutOfMemory;
use crate::state::{BankHashers, Clock, DaCounters, HcrtmSequence, StartupLocality, State};
use crate::work::Work;
use crate::{Locality, Platform, Profile};
use core::fmt;
use evtpm_crypto::drbg::RandomGenerator;
use evtpm_crypto::{Crypto, EntropyError, Rng};
use evtpm_tpm_wire::{Handle, PcrIndex, Rc, Spec, TpmsClockInfo, TpmsTimeInfo, YesNo};

/// Mixed into the generator's seed.
const PERSONALIZATION: &[u8] = b"evtpm ephemeral TPM";

/// The state of a TPM of one platform.
pub(crate) type StateOf<P> = State<<<P as Platform>::Crypto as Crypto>::Hasher>;

/// A TPM.
pub struct Tpm<P: Platform> {
    pub(crate) platform: P,
    pub(crate) profile: Profile,
    /// Missing when the noise source never passed its start-up tests.
    pub(crate) generator: Option<RandomGenerator<P::Crypto>>,
    pub(crate) phase: Phase,
    /// What a failed command leaves as it was.
    pub(crate) state: StateOf<P>,
    pub(crate) clock: Clock,
    pub(crate) da: DaCounters,
    /// The locality of the command that is being executed.
    pub(crate) locality: Locality,
    /// A search for primes that has not ended.
    pub(crate) work: Work<P::Crypto>,
    /// See [`Tpm::may_differ_from_saved`].
    pub(crate) may_differ: bool,
}

impl<P: Platform> Tpm<P> {
    /// Makes a new TPM with fresh seeds, as after `_TPM_Init`; a bad noise source makes one in failure mode.
    ///
    /// It has of the profile what the platform's arithmetic offers.
    pub fn manufacture(platform: P, profile: Profile) -> Result<Self, OutOfMemory> {
        let profile = profile.over(P::Crypto::OFFER);
        let state = State::reserve(&profile)?;
        let mut tpm = Self {
            platform,
            profile,
            generator: None,
            phase: Phase::Initialized,
            state,
            clock: Clock::new(),
            da: DaCounters::new(),
            locality: Locality::ZERO,
            work: Work::reserve()?,
            may_differ: true,
        };
        let made = RandomGenerator::start(tpm.platform.noise(), PERSONALIZATION).and_then(|generator| {
            let generator = tpm.generator.insert(generator);
            tpm.state.hierarchies.manufacture(generator)
        });
        if let Err(error) = made {
            let _ = tpm.fail(Failure::Entropy(error));
        }
        Ok(tpm)
    }

    /// Does `_TPM_Init`: what lives in volatile memory is lost and `TPM2_Startup` is awaited.
    pub fn power_on(&mut self) {
        if matches!(self.phase, Phase::Failed(_)) {
            return;
        }
        self.phase = Phase::Initialized;
        self.may_differ = true;
        self.work.forget();
        // What has passed since the last command is of the old Time, and not of the one that begins here.
        self.catch_up();
        self.clock.power_on();
        self.da.power_on();
        self.state.power_on();
    }

    /// Borrows the platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// Borrows the platform to change it.
    pub fn platform_mut(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Ends the TPM and gives the platform back.
    pub fn into_platform(self) -> P {
        self.platform
    }

    /// Borrows the profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Takes and gives at most so many bytes in one message from now on (`TPM_PT_MAX_COMMAND_SIZE`, `TPM_PT_MAX_RESPONSE_SIZE`),
    /// as what lies between the TPM and its user carries.
    pub fn set_message_size(&mut self, bytes: usize) {
        self.profile.limits.command_size = bytes;
        self.profile.limits.response_size = bytes;
    }

    /// Does `_TPM_Hash_Start`: of the H-CRTM before `TPM2_Startup`, of a dynamic launch after it.
    pub fn hash_start(&mut self) {
        let dynamic = match self.phase {
            Phase::Initialized => false,
            Phase::Operational => true,
            Phase::Failed(_) => return,
        };
        match BankHashers::start(self.profile.banks.len(), self.state.pcrs.banks().map(|bank| bank.alg)) {
            Ok(hashers) => self.state.hcrtm = Some(HcrtmSequence::new(dynamic, hashers)),
            // A measurement that cannot be taken must not look as if none was asked for.
            Err(OutOfMemory) => drop(self.fail(Failure::OutOfMemory)),
        }
    }

    /// Lends what Part 3 says about each command that this TPM can have, in ascending order of the codes.
    pub fn commands<'t>() -> impl Iterator<Item = Spec> + use<'t, P>
    where
        P: 't,
    {
        crate::commands::table::<'t, P>().iter().map(|row| row.spec)
    }

    /// Does `_TPM_Hash_Data`; without a sequence it is ignored.
    pub fn hash_data(&mut self, data: &[u8]) {
        if let Some(sequence) = &mut self.state.hcrtm {
            sequence.update(data);
        }
    }

    /// Does `_TPM_Hash_End`: extends PCR 0 before `TPM2_Startup`, PCR 17 after it.
    pub fn hash_end(&mut self) {
        let Some(sequence) = self.state.hcrtm.take() else { return };
        self.may_differ = true;
        let pcr = if sequence.is_dynamic() { PcrIndex::Pcr17 } else { PcrIndex::Pcr0 };
        if sequence.is_dynamic() {
            // "the TPM will set all of the PCR designated ... as resettable by this event ... and increment restartCount"
            self.state.pcrs.reset_dynamic();
            self.state.restart_count = self.state.restart_count.wrapping_add(1);
            self.state.orderly = None;
        } else {
            self.state.pcrs.start_static(StartupLocality::Hcrtm);
            self.state.hcrtm_ran = true;
        }
        for (alg, digest) in sequence.hashers().digests() {
            self.state.pcrs.extend(pcr, alg, |old| P::Crypto::hash(alg, &[old.as_bytes(), digest.as_bytes()]));
        }
    }

    /// Tells whether the authenticated countdown timer of this handle has signaled; what follows is the platform's business.
    pub fn countdown_signaled(&mut self, handle: u32) -> bool {
        self.catch_up();
        self.countdown(Handle(handle)).is_some_and(|timer| timer.signaled(self.clock.time()))
    }

    /// Tells `Time`, `Clock` and the counters of resets and restarts.
    pub(crate) fn time_info(&self) -> TpmsTimeInfo {
        let clock_info = TpmsClockInfo {
            clock: self.clock.clock(),
            reset_count: self.state.reset_count,
            restart_count: self.state.restart_count,
            // "no value of Clock greater than the current value of Clock has been previously reported": it never steps back
            safe: YesNo::Yes,
        };
        TpmsTimeInfo { time: self.clock.time(), clock_info }
    }

    /// Lends the generator, reseeded when it is time.
    pub(crate) fn rng(&mut self) -> Generator<'_, P> {
        Generator { platform: &mut self.platform, generator: self.generator.as_mut() }
    }

    /// Lends the state beside the generator and the memory with which something is computed from it.
    pub(crate) fn split(&mut self) -> (&mut StateOf<P>, Generator<'_, P>, &mut Work<P::Crypto>) {
        let rng = Generator { platform: &mut self.platform, generator: self.generator.as_mut() };
        (&mut self.state, rng, &mut self.work)
    }

    /// Fills a buffer with random bytes, or fails the TPM.
    pub(crate) fn random(&mut self, out: &mut [u8]) -> Result<(), Rc> {
        self.rng().fill(out).map_err(|error| self.fail(Failure::Entropy(error)))
    }
}

impl<P: Platform> fmt::Debug for Tpm<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tpm").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// The generator together with the noise source that reseeds it.
pub(crate) struct Generator<'a, P: Platform> {
    platform: &'a mut P,
    generator: Option<&'a mut RandomGenerator<P::Crypto>>,
}

impl<P: Platform> Generator<'_, P> {
    /// Takes in fresh noise and what the caller adds.
    pub(crate) fn stir(&mut self, additional: &[u8]) -> Result<(), EntropyError> {
        match &mut self.generator {
            Some(generator) => generator.reseed(self.platform.noise(), additional),
            None => Err(NEVER_STARTED),
        }
    }
}

impl<P: Platform> Rng for Generator<'_, P> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let Some(generator) = &mut self.generator else { return Err(NEVER_STARTED) };
        if generator.wants_reseed() {
            generator.reseed(self.platform.noise(), &[])?;
        }
        generator.fill(out)
    }
}

const NEVER_STARTED: EntropyError = EntropyError::Exhausted { attempts: 0 };
